//! What an identity provider says of itself: the keys that it signs with, and where pages ask it for tokens.
//!
//! Its discovery document says where they are. It and the keys are fetched when first needed, again when a token names a key that is not
//! among them, but not at every such token, and now and then, so that a key which the provider took back is forgotten. A provider that is
//! away leaves what is known: its keys for a while, where pages ask it until it says something else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::{Certificate, Client};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::config::{OidcConfig, secure};
use super::jwt::ALGORITHMS;
use super::origin::{Origin, askable};
use super::{AuthError, Refused};

/// How often the provider is asked at most.
const PAUSE: Duration = Duration::from_secs(10);
/// After so long keys are fetched again.
const RENEW: Duration = Duration::from_secs(5 * 60);
/// So long keys count while the provider is away.
const KEEP: Duration = Duration::from_secs(60 * 60);
/// Until the provider must have answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long a page waits for it.
const WAIT: Duration = Duration::from_secs(2);
/// No document of a provider is larger.
const LIMIT: usize = 1 << 20;
/// No provider signs with more.
const KEYS: usize = 64;

/// The provider.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    client: Client,
    held: Mutex<Held>,
    /// Who fetches; the others wait for what they get.
    fetching: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Arc<[Arc<Signer>]>,
    /// Where tokens are asked for, if pages may ask there.
    tokens: Option<Origin>,
    fetched: Option<Instant>,
}

/// A key, and what it may be used for.
pub(super) struct Signer {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    pub(super) key: DecodingKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Signer").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    /// Whatever is in this place: without a good one, the keys are good still.
    #[serde(default)]
    token_endpoint: Value,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Provider {
    pub(super) fn new(config: &OidcConfig) -> Result<Self, AuthError> {
        let failed = |error: Failure| AuthError::Oidc(error);
        vedette_service::tls::install_provider();
        let mut client = Client::builder()
            .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE);
        let certificates: Vec<_> = match &config.ca_file {
            Some(file) => {
                let pem = std::fs::read(file).map_err(|error| failed(error.into()))?;
                Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.into()))?
            }
            None => {
                let system = rustls_native_certs::load_native_certs();
                system.certs.iter().filter_map(|it| Certificate::from_der(it).ok()).collect()
            }
        };
        for certificate in certificates {
            client = client.add_root_certificate(certificate);
        }
        let client = client.build().map_err(|error| failed(error.into()))?;
        let issuer = config.issuer.clone();
        Ok(Self { issuer, client, held: Mutex::default(), fetching: tokio::sync::Mutex::new(None) })
    }

    /// The keys that a token of this algorithm can be signed with, where it names the key or not.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Vec<Arc<Signer>>, Refused> {
        let (fits, age) = self.look(id, algorithm);
        if !fits.is_empty() && age.is_some_and(|age| age < RENEW) {
            return Ok(fits);
        }
        let fetched = self.fetch().await;
        let (fits, age) = self.look(id, algorithm);
        match (age, fetched) {
            (Some(age), _) if age < KEEP => Ok(fits),
            (_, Err(error)) => Err(unavailable(Some(error))),
            (_, Ok(())) => Err(unavailable(None)),
        }
    }

    /// The origins that pages ask when they sign somebody in: where its document is, and where that says that tokens are; as it was last
    /// read, where it can't be read now.
    pub(super) async fn asked_by_pages(self: &Arc<Self>) -> Vec<Origin> {
        if self.held().fetched.is_none_or(|at| at.elapsed() >= RENEW) {
            let provider = Arc::clone(self);
            // On its own, so that a provider that takes longer than the page waits is known to the next.
            let fetched = tokio::spawn(async move { provider.fetch().await });
            if tokio::time::timeout(WAIT, fetched).await.is_err() {
                tracing::warn!("the identity provider is slow: a page is served without its answer");
            }
        }
        let mut origins: Vec<_> =
            askable(&self.issuer, &self.issuer).into_iter().chain(self.held().tokens.clone()).collect();
        origins.dedup();
        origins
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, id: Option<&str>, algorithm: Algorithm) -> (Vec<Arc<Signer>>, Option<Duration>) {
        let held = self.held();
        let fits = |it: &&Arc<Signer>| {
            (id.is_none() || it.id.as_deref() == id)
                && it.algorithm.is_none_or(|only| only == algorithm)
                && it.key.family() == algorithm.family()
        };
        (held.keys.iter().filter(fits).cloned().collect(), held.fetched.map(|at| at.elapsed()))
    }

    async fn fetch(&self) -> Result<(), Failure> {
        let mut last = self.fetching.lock().await;
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            return Ok(());
        }
        *last = Some(Instant::now());
        // Boxed: whoever waits for the lock has no room for it.
        match Box::pin(self.ask()).await {
            Ok(held) => {
                *self.held() = held;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(error = %vedette_service::chain(error.as_ref()), "the identity provider's keys can't be fetched");
                Err(error)
            }
        }
    }

    async fn ask(&self) -> Result<Held, Failure> {
        let discovery: Discovery =
            self.get(&format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'))).await?;
        if discovery.issuer != self.issuer {
            return Err("the provider calls itself otherwise than `auth.oidc.issuer` does".into());
        }
        if !secure(&discovery.jwks_uri) {
            return Err("the provider's keys are not behind https".into());
        }
        let set: Value = self.get(&discovery.jwks_uri).await?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("the provider gives no keys")?;
        // One that is not understood leaves the others.
        let keys = keys.iter().take(KEYS).filter_map(signer).map(Arc::new).collect();
        let tokens = discovery.token_endpoint.as_str().and_then(|url| askable(url, &self.issuer));
        Ok(Held { keys, tokens, fetched: Some(Instant::now()) })
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Failure> {
        let mut answer = self.client.get(url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await? {
            if body.len() + part.len() > LIMIT {
                return Err("the provider's answer is too long".into());
            }
            body.extend_from_slice(&part);
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

fn unavailable(source: Option<Failure>) -> Refused {
    Refused::Unavailable { what: "the identity provider can't be asked at the moment", source }
}

/// A key of the set that signs; keys for anything else, and shared secrets, are none.
fn signer(key: &Value) -> Option<Signer> {
    let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|it| *it != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match jwk.common.key_algorithm {
        Some(algorithm) => Some(Algorithm::try_from(algorithm).ok()?),
        None => None,
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let known = ALGORITHMS.iter().any(|it| it.family() == key.family());
    (known && algorithm.is_none_or(|it| ALGORITHMS.contains(&it))).then_some(Signer {
        id: jwk.common.key_id,
        algorithm,
        key,
    })
}
