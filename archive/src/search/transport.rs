//! Talking to the engine's nodes: one request, one bounded answer, one of three errors.
//!
//! Plain HTTP as Elasticsearch 7 to 9 and OpenSearch all understand it: no media types with a version in them (Elasticsearch
//! 7.17 and OpenSearch refuse `compatible-with=9`) and no check for a product header that only one of them sends.

use std::error::Error as StdError;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, Method, StatusCode, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::config::SearchConfig;
use crate::error::{ArchiveError, OpenError};

/// Characters of an engine's reason that are passed on.
const MAX_REASON: usize = 512;
/// Bytes of an answer that should be short.
pub(super) const SHORT: usize = 4 << 20;

/// The cluster's nodes.
pub(super) struct Transport {
    client: Client,
    nodes: Vec<Url>,
    next: AtomicUsize,
    authorization: Option<HeaderValue>,
}

/// What is sent.
#[derive(Clone)]
pub(super) struct Body {
    bytes: Bytes,
    content_type: &'static str,
    gzip: bool,
}

/// What came back: any status but those that mean the engine is in trouble.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Transport {
    pub(super) fn new(config: &SearchConfig) -> Result<Self, OpenError> {
        let setting = |key, message: String| OpenError::Setting { key, message };
        let nodes: Vec<Url> = config.urls.iter().map(|url| node(url)).collect::<Result<_, _>>()?;
        if nodes.is_empty() {
            return Err(setting("search.urls", "at least one is needed".to_owned()));
        }
        let mut client = Client::builder()
            .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(config.timeout_seconds.max(1)));
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Whoever is first wins; a program that chose another one did so before.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        if let Some(path) = &config.ca_file {
            let pem =
                std::fs::read(path).map_err(|source| OpenError::Io { action: "read", path: path.clone(), source })?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| setting("search.caFile", format!("no certificates: {error}")))?;
            if certificates.is_empty() {
                return Err(setting("search.caFile", "no certificates in it".to_owned()));
            }
            client = certificates
                .into_iter()
                .fold(client.tls_built_in_root_certs(false), reqwest::ClientBuilder::add_root_certificate);
        }
        let client = client
            .build()
            .map_err(|error| OpenError::Engine(ArchiveError::unavailable_by("can't set up the HTTP client", error)))?;
        Ok(Self { client, nodes, next: AtomicUsize::new(0), authorization: authorization(config)? })
    }

    /// Sends a request to one node after the other until one takes it, and reads at most `limit` bytes of its answer.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
        limit: usize,
    ) -> Result<Answer, ArchiveError> {
        let mut unreachable = ArchiveError::unavailable("no node");
        for _ in &self.nodes {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(node) = self.nodes.get(at % self.nodes.len()) else { continue };
            let url = node.join(path).map_err(|error| ArchiveError::refused_by("a bad path", error))?;
            let mut request = self.client.request(method.clone(), url);
            if let Some(authorization) = &self.authorization {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            if let Some(body) = body.clone() {
                request = request.header(CONTENT_TYPE, body.content_type).body(body.bytes);
                if body.gzip {
                    request = request.header(CONTENT_ENCODING, "gzip");
                }
            }
            match request.send().await {
                Ok(response) => return read(response, limit).await,
                Err(error) => {
                    let refused = error.is_connect();
                    unreachable = no_answer(&error);
                    if !refused {
                        break;
                    }
                }
            }
        }
        Err(unreachable)
    }

    /// Sends JSON and reads JSON; any status but success is an error.
    pub(super) async fn json<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        limit: usize,
    ) -> Result<T, ArchiveError> {
        let answer = self.send(method, path, body.map(Body::json), limit).await?;
        answer.success()?.parse()
    }
}

impl Body {
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self { bytes: value.to_string().into(), content_type: "application/json", gzip: false }
    }

    /// Lines of JSON, compressed already.
    pub(super) fn lines(gzip: Vec<u8>) -> Self {
        Self { bytes: gzip.into(), content_type: "application/x-ndjson", gzip: true }
    }
}

/// Compresses while it is written to: a bulk request is never held in its full length.
pub(super) struct Gzip(GzEncoder<Vec<u8>>);

impl Gzip {
    pub(super) fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    /// Appends; writing to memory can't fail.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, ArchiveError> {
        self.0.finish().map_err(|error| ArchiveError::unavailable_by("can't compress a request", error))
    }
}

impl Answer {
    pub(super) fn success(self) -> Result<Self, ArchiveError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(ArchiveError::refused(format!("{}: {}", self.status.as_u16(), Reason::of(&self.body))))
    }

    pub(super) fn parse<T: for<'de> Deserialize<'de>>(&self) -> Result<T, ArchiveError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ArchiveError::unavailable_by("the engine answered something unexpected", error))
    }
}

/// Why an engine refuses, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) kind: String,
    pub(super) text: String,
}

impl Reason {
    /// The reason in an answer's body; the body itself where it has none.
    pub(super) fn of(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Failed {
            error: serde_json::Value,
        }
        match serde_json::from_slice::<Failed>(body) {
            Ok(failed) => Self::of_error(&failed.error),
            Err(_) => Self { kind: String::new(), text: shorten(&String::from_utf8_lossy(body)) },
        }
    }

    /// The reason in an answer's or an item's `error`: with the innermost cause, which alone says what is wrong with a
    /// document.
    pub(super) fn of_error(error: &serde_json::Value) -> Self {
        let text = |value: &serde_json::Value, key| {
            value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        };
        if let Some(message) = error.as_str() {
            return Self { kind: String::new(), text: shorten(message) };
        }
        let mut reason = text(error, "reason");
        // Of a search that failed on its shards, a shard alone says why.
        let mut cause = error.pointer("/failed_shards/0/reason").unwrap_or(error);
        for _ in 0..64 {
            let Some(next) = cause.get("caused_by") else { break };
            cause = next;
        }
        let inner = text(cause, "reason");
        if !inner.is_empty() && !reason.contains(&inner) {
            reason = format!("{reason}: {inner}");
        }
        Self { kind: shorten(&text(error, "type")), text: shorten(&reason) }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.kind.is_empty() { f.write_str(&self.text) } else { write!(f, "{}: {}", self.kind, self.text) }
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_REASON).collect()
}

fn node(url: &str) -> Result<Url, OpenError> {
    let bad = |message: String| OpenError::Setting { key: "search.urls", message };
    let mut url = Url::parse(url).map_err(|error| bad(format!("`{url}`: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad(format!("`{url}` is neither http nor https")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("credentials belong into `user` and `password`, not into the URL".to_owned()));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn authorization(config: &SearchConfig) -> Result<Option<HeaderValue>, OpenError> {
    let bad = |key, message: &str| OpenError::Setting { key, message: message.to_owned() };
    let value = match (&config.user, &config.password, &config.api_key) {
        (None, None, None) => return Ok(None),
        (None, None, Some(key)) => format!("ApiKey {}", key.expose_secret()),
        (Some(user), Some(password), None) => {
            use base64::Engine as _;
            let pair = format!("{user}:{}", password.expose_secret());
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        (_, _, Some(_)) => return Err(bad("search.apiKey", "either this or user and password")),
        (Some(_), None, None) => return Err(bad("search.password", "missing for the user")),
        (None, Some(_), None) => return Err(bad("search.user", "missing for the password")),
    };
    let mut value = HeaderValue::try_from(value).map_err(|_| bad("search.apiKey", "not allowed in a header"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Reads an answer and tells trouble from refusal.
async fn read(mut response: reqwest::Response, limit: usize) -> Result<Answer, ArchiveError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(ArchiveError::refused(format!("the answer is longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    match status.as_u16() {
        401 | 403 => Err(ArchiveError::unavailable(format!(
            "the engine does not let us in ({}): {}",
            status.as_u16(),
            Reason::of(&body)
        ))),
        408 | 429 | 500..=599 => {
            Err(ArchiveError::unavailable(format!("the engine answered {}: {}", status.as_u16(), Reason::of(&body))))
        }
        _ => Ok(Answer { status, body }),
    }
}

/// An error without an answer. The innermost cause is what says something ("connection refused").
fn no_answer(error: &reqwest::Error) -> ArchiveError {
    if error.is_timeout() {
        return ArchiveError::unavailable("the engine did not answer in time");
    }
    let mut cause: &dyn StdError = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let source: Arc<str> = cause.to_string().into();
    ArchiveError::unavailable(format!("no answer from the engine: {source}"))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::{Reason, Transport};
    use crate::config::SearchConfig;

    fn check(change: impl FnOnce(&mut SearchConfig), expected: &str) {
        let mut config = SearchConfig::default();
        change(&mut config);
        let error = Transport::new(&config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{error} / {expected}");
    }

    #[test]
    fn refuses_settings_that_contradict_each_other() {
        check(|_| {}, "");
        check(|config| config.urls.clear(), "`search.urls`: at least one");
        check(|config| config.urls = vec!["ftp://there".to_owned()], "neither http nor https");
        check(|config| config.urls = vec!["http://a:b@there".to_owned()], "not into the URL");
        check(|config| config.user = Some("alice".to_owned()), "`search.password`");
        check(|config| config.password = Some(SecretString::from("secret")), "`search.user`");
        check(
            |config| {
                config.user = Some("alice".to_owned());
                config.api_key = Some(SecretString::from("key"));
            },
            "`search.apiKey`",
        );
        check(|config| config.ca_file = Some("/nowhere/ca.pem".into()), "can't read /nowhere/ca.pem");
    }

    #[test]
    fn tells_the_engines_reason_with_its_innermost_cause() {
        let body = br#"{"error":{"type":"mapper_parsing_exception","reason":"failed to parse","caused_by":
            {"type":"illegal_argument_exception","reason":"value is out of range"}},"status":400}"#;
        assert_eq!(Reason::of(body).to_string(), "mapper_parsing_exception: failed to parse: value is out of range");
        let body = br#"{"error":{"type":"search_phase_execution_exception","reason":"all shards failed","failed_shards":[
            {"shard":0,"reason":{"type":"query_shard_exception","reason":"no mapping","caused_by":{"reason":"why"}}}]}}"#;
        assert_eq!(Reason::of(body).to_string(), "search_phase_execution_exception: all shards failed: why");
        assert_eq!(Reason::of(br#"{"error":"no handler found"}"#).to_string(), "no handler found");
        assert_eq!(Reason::of(b"<html>").to_string(), "<html>");
    }
}
