//! Who asks: a request becomes a [`Caller`], or there is no answer.
//!
//! The ways, each configured on its own, in the order in which they are tried:
//!
//! 1. *Static tokens*: the console's own, whose bearer is its administrator, then those of a file.
//! 2. *OpenID Connect*, for a token that names the configured issuer. Such a token is shown to nobody else but the operator, where rules are
//!    managed with it.
//! 3. *Kubernetes*, by TokenReview, for any other token.
//! 4. *A trusted proxy's headers*, on a connection with the proxy's certificate, where no token was accepted.
//!
//! **Invariants.** Whoever cannot be asked lets nobody in: that is 503, and told apart from a refusal. No token is kept or logged,
//! only its hash is. What a name or a group may see is not for this module to say, with one exception: the bearer of the console's own
//! token, whom nobody else knows.

mod config;
mod jwt;
mod kubernetes;
mod oidc;
mod origin;
mod peer;
mod provider;
mod proxy;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

pub use config::{AuthConfig, KubernetesAuth, OidcConfig, ProxyConfig};
pub(crate) use kubernetes::client;
pub(crate) use origin::Origin;
pub(crate) use peer::{Acceptor, Peer};

use crate::config::Config;
use crate::token::{Token, TokenError};

/// The longest token that is looked at.
const LONGEST: usize = 16 << 10;
/// The group of all who are known.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const ANONYMOUS: &str = "system:anonymous";
/// How the names begin that Kubernetes gives itself.
pub(crate) const SYSTEM: &str = "system:";

/// Who asks, as Kubernetes would call them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    /// The user's name.
    pub(crate) name: String,
    /// The groups, each once.
    pub(crate) groups: Vec<String>,
    pub(crate) uid: Option<String>,
    /// What else is known of them, for whoever decides by it.
    pub(crate) extra: BTreeMap<String, Vec<String>>,
    /// How they became known.
    pub(crate) via: Kind,
}

/// How a caller became known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// By the console's own token: the administrator.
    Token,
    /// By a token of the administrator's file.
    TokenFile,
    /// By a cluster's word. Names that this cluster gives itself (`system:…`: its service accounts, its nodes) say nothing in others,
    /// where anybody may bear them.
    Kubernetes {
        /// The cluster.
        cluster: Arc<str>,
    },
    /// By an identity provider's signature.
    Oidc,
    /// By a trusted proxy's word.
    Proxy,
}

/// Why there is no caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Nobody knows them.
    #[error("{0}")]
    Unknown(&'static str),
    /// Whoever knows them can't be asked.
    #[error("{what}")]
    Unavailable {
        /// For the caller to read.
        what: &'static str,
        /// For the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The console's own token is of no use.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The file of tokens is of no use.
    #[error("read the tokens of {}", file.display())]
    Tokens {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The cluster's address or credentials are of no use.
    #[error("find the cluster {cluster}")]
    Cluster {
        /// Its name.
        cluster: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The identity provider can't be asked with these settings.
    #[error("set up `auth.oidc`")]
    Oidc(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// All ways that are configured.
#[derive(Debug)]
pub(crate) struct Authenticator {
    own: Option<Token>,
    tokens: Option<tokens::TokenFile>,
    oidc: Option<oidc::Oidc>,
    kubernetes: Option<kubernetes::Reviewer>,
    proxy: Option<ProxyConfig>,
}

impl Authenticator {
    /// The configured ways.
    pub(crate) async fn new(config: &Config) -> Result<Self, AuthError> {
        let own = match config.token.is_some() || config.token_file.is_some() {
            true => Some(Token::load(config)?),
            false => None,
        };
        let auth = &config.auth;
        let kubernetes = match &auth.kubernetes {
            Some(kubernetes) => Some(kubernetes::Reviewer::new(kubernetes).await?),
            None => None,
        };
        Ok(Self {
            own,
            tokens: auth.tokens_file.as_deref().map(tokens::TokenFile::open).transpose()?,
            oidc: auth.oidc.as_ref().map(oidc::Oidc::new).transpose()?,
            kubernetes,
            proxy: auth.proxy.clone(),
        })
    }

    /// Who sent these headers on a connection with this peer.
    pub(crate) async fn caller(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Caller, Refused> {
        let by_token = self.by_token(headers).await;
        if by_token.is_ok() {
            return by_token;
        }
        let by_proxy = match (&self.proxy, peer) {
            (Some(proxy), Some(peer)) => proxy::caller(proxy, peer, headers)?,
            _ => None,
        };
        by_proxy.map_or(by_token, Ok)
    }

    /// The origins that pages ask besides the console's own, when they sign somebody in.
    pub(crate) async fn asked_by_pages(&self) -> Vec<Origin> {
        match &self.oidc {
            Some(oidc) => oidc.asked_by_pages().await,
            None => Vec::new(),
        }
    }

    async fn by_token(&self, headers: &HeaderMap) -> Result<Caller, Refused> {
        let header = headers.get(AUTHORIZATION);
        if self.own.as_ref().is_some_and(|own| own.is_in(header)) {
            return Ok(Caller::new("vedette:administrator".to_owned(), Vec::new(), Kind::Token));
        }
        let token = shown(headers).ok_or(Refused::Unknown("send a token as `Authorization: Bearer <token>`"))?;
        if let Some(caller) = self.tokens.as_ref().and_then(|tokens| tokens.caller(token)) {
            return Ok(caller);
        }
        match (&self.oidc, &self.kubernetes) {
            (Some(oidc), _) if oidc.issued(token) => oidc.caller(token).await,
            (_, Some(kubernetes)) => kubernetes.caller(token).await,
            _ => Err(Refused::Unknown("nobody here knows this token, or not any more")),
        }
    }
}

impl Caller {
    /// Somebody who is known, with the group of all who are.
    fn new(name: String, mut groups: Vec<String>, via: Kind) -> Self {
        let told = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
        if name != ANONYMOUS && !groups.iter().any(told) {
            groups.push(AUTHENTICATED.to_owned());
        }
        let mut seen = std::collections::HashSet::new();
        groups.retain(|group| seen.insert(group.clone()));
        Self { name, groups, uid: None, extra: BTreeMap::new(), via }
    }
}

/// The token that a caller has shown.
pub(crate) fn shown(headers: &HeaderMap) -> Option<&str> {
    bearer(headers.get(AUTHORIZATION)?.to_str().ok()?)
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty() && token.len() <= LONGEST).then_some(token)
}

#[cfg(test)]
mod tests;
