//! Who may send events of which cluster.
//!
//! With nothing configured, the path that names no cluster takes anyone, since the senders that it exists for have no
//! credential, and the path with a cluster takes only this machine. As soon as any credential is configured, every
//! sender must show one that is for its cluster, from this machine too: a proxy there would otherwise let everybody in.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hyper::{StatusCode, header::HeaderValue};
use rustls::pki_types::{CertificateDer, ServerName};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use vedette_service::{Context, chain};
use webpki::EndEntityCert;

use crate::{config::Config, refusal::Refusal};

/// How often files of tokens are looked at.
const RELOAD: Duration = Duration::from_secs(10);

/// A file of tokens that is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file can't be read.
    #[error("read the tokens of cluster {cluster} from {}", file.display())]
    Read {
        /// The cluster.
        cluster: String,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no token in it.
    #[error("{} holds no token for cluster {cluster}", file.display())]
    Empty {
        /// The cluster.
        cluster: String,
        /// The file.
        file: PathBuf,
    },
}

/// Knows which credential is for which cluster.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Tokens of the configuration itself.
    fixed: Vec<Token>,
    files: Vec<TokenFile>,
    certificates: bool,
}

/// A sender, as far as the connection shows.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// Verified against the configured authority.
    pub(crate) certificate: Option<Arc<CertificateDer<'static>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    cluster: Arc<str>,
    /// Hashes are compared, so that neither content nor length shows in the time that it takes.
    digest: [u8; 32],
}

#[derive(Debug)]
struct TokenFile {
    cluster: Arc<str>,
    file: PathBuf,
    tokens: ArcSwap<Vec<Token>>,
}

impl Guard {
    /// # Errors
    /// If a file of tokens can't be read or holds none.
    pub(crate) fn new(config: &Config) -> Result<Self, TokenError> {
        let fixed =
            config.tokens.iter().map(|(cluster, token)| Token::new(cluster.as_str().into(), token.expose_secret()));
        let mut files = Vec::new();
        for (cluster, file) in &config.token_files {
            let cluster: Arc<str> = cluster.as_str().into();
            let tokens = ArcSwap::from_pointee(read(&cluster, file)?);
            files.push(TokenFile { cluster, file: file.clone(), tokens });
        }
        Ok(Self { fixed: fixed.collect(), files, certificates: config.tls.client_ca.is_some() })
    }

    /// How senders are authenticated, in one word for status and logs.
    pub(crate) fn method(&self) -> &'static str {
        match (self.certificates, self.fixed.is_empty() && self.files.is_empty()) {
            (false, true) => "none",
            (false, false) => "token",
            (true, true) => "mtls",
            (true, false) => "token+mtls",
        }
    }

    /// Whether the sender may send events of `cluster`; `named` says that the path names it.
    ///
    /// # Errors
    /// 401 without a credential that we know, 403 where it is for another cluster.
    pub(crate) fn check(
        &self,
        cluster: &str,
        named: bool,
        peer: &Peer,
        authorization: Option<&HeaderValue>,
    ) -> Result<(), Refusal> {
        if self.method() == "none" {
            return match named && !peer.address.to_canonical().is_loopback() {
                false => Ok(()),
                true => Err(Refusal::unauthorized(
                    "the path with a cluster needs a credential, and none is configured: set `tokens`, `tokenFiles` or \
                     `tls.clientCa`",
                )),
            };
        }
        let by_token = match authorization.and_then(bearer) {
            Some(token) => self.token_is_for(cluster, token),
            None => Known::No,
        };
        let by_certificate = match &peer.certificate {
            Some(certificate) if certificate_is_for(cluster, certificate) => Known::ForThis,
            Some(_) => Known::ForAnother,
            None => Known::No,
        };
        match (by_token, by_certificate) {
            (Known::ForThis, _) | (_, Known::ForThis) => Ok(()),
            (Known::ForAnother, _) | (_, Known::ForAnother) => {
                Err(Refusal::new(StatusCode::FORBIDDEN, format!("the credential is not for the cluster `{cluster}`")))
            }
            (Known::No, Known::No) => {
                Err(Refusal::unauthorized("expected a bearer token or a client certificate that is known here"))
            }
        }
    }

    /// Looks at every token, whatever was found before.
    fn token_is_for(&self, cluster: &str, token: &[u8]) -> Known {
        let digest = *blake3::hash(token).as_bytes();
        let mut known = Known::No;
        let mut look = |candidate: &Token| {
            if bool::from(candidate.digest.ct_eq(&digest)) && known != Known::ForThis {
                known = if *candidate.cluster == *cluster { Known::ForThis } else { Known::ForAnother };
            }
        };
        self.fixed.iter().for_each(&mut look);
        for file in &self.files {
            file.tokens.load().iter().for_each(&mut look);
        }
        known
    }

    /// Reads files of tokens again when they change, until the service stops.
    pub(crate) async fn keep_fresh(self: Arc<Self>, context: Context) {
        if self.files.is_empty() {
            return;
        }
        let mut ticks = tokio::time::interval(RELOAD);
        loop {
            tokio::select! {
                () = context.shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let guard = Arc::clone(&self);
            // A network file system may hang.
            let _ = tokio::task::spawn_blocking(move || guard.reload()).await;
        }
    }

    fn reload(&self) {
        for file in &self.files {
            match read(&file.cluster, &file.file) {
                Ok(tokens) if **file.tokens.load() != tokens => {
                    file.tokens.store(Arc::new(tokens));
                    tracing::info!(cluster = &*file.cluster, "tokens changed");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(error = %chain(&error), "tokens stay as they were"),
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    No,
    ForAnother,
    ForThis,
}

impl Token {
    fn new(cluster: Arc<str>, token: &str) -> Self {
        Self { cluster, digest: *blake3::hash(token.trim().as_bytes()).as_bytes() }
    }
}

/// The token of `Bearer <token>`.
fn bearer(header: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = header.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}

/// Whether a verified certificate names the cluster as a DNS name.
fn certificate_is_for(cluster: &str, certificate: &CertificateDer<'_>) -> bool {
    let (Ok(certificate), Ok(name)) = (EndEntityCert::try_from(certificate), ServerName::try_from(cluster)) else {
        return false;
    };
    matches!(name, ServerName::DnsName(_)) && certificate.verify_is_valid_for_subject_name(&name).is_ok()
}

fn read(cluster: &Arc<str>, file: &PathBuf) -> Result<Vec<Token>, TokenError> {
    let text = std::fs::read_to_string(file).map_err(|source| TokenError::Read {
        cluster: cluster.to_string(),
        file: file.clone(),
        source,
    })?;
    let tokens: Vec<_> =
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| Token::new(Arc::clone(cluster), line)).collect();
    if tokens.is_empty() {
        return Err(TokenError::Empty { cluster: cluster.to_string(), file: file.clone() });
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests;
