//! What the broker promises when it acknowledges.
//!
//! A client is not told when JetStream writes through to the disk: neither its handshake nor a stream's description says.
//! The broker's monitoring page does, so that it is asked where its address is known; else what is configured stands.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Uri, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::Deserialize;
use vedette_service::chain;

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of its answer, at most; a page has some ten thousand.
const ANSWER: usize = 1024 * 1024;

/// What the broker promises when it acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Durability {
    /// Not known.
    #[default]
    Unknown,
    /// Every message is on disk: `sync_interval: always`.
    Synced,
    /// Messages are synced later, every two minutes by default: a power failure loses those not synced yet.
    Interval,
}

impl Durability {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Synced => "synced",
            Self::Interval => "interval",
        }
    }

    /// Says in the log what a 200 is worth.
    pub(crate) fn tell(self) {
        let durability = self.as_str();
        match self {
            Self::Synced => tracing::info!(durability, "a 200 means that the broker has the events on disk"),
            Self::Interval => tracing::warn!(
                durability,
                "a 200 means that the broker has the events; a power failure loses those that it has not synced yet: set \
                 `sync_interval: always` in its `jetstream` section"
            ),
            Self::Unknown => tracing::info!(
                durability,
                "a 200 means that the broker has the events; whether on disk is for its sync_interval: set `monitorUrl` to \
                 have it asked"
            ),
        }
    }
}

/// Why the broker could not be asked.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("read the address `{0}`")]
    Address(String, #[source] hyper::http::uri::InvalidUri),
    #[error("ask for `{0}`")]
    Request(String, #[source] hyper_util::client::legacy::Error),
    #[error("read the answer of `{0}`")]
    Body(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("read the answer of `{0}` as a nats-server's")]
    Answer(String, #[source] serde_json::Error),
    #[error("`{0}` did not answer within 2 s")]
    Late(String),
    #[error("JetStream is not on there: `{0}`")]
    NoJetStream(String),
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    jetstream: JetStream,
}

#[derive(Deserialize, Default)]
struct JetStream {
    config: Option<JetStreamConfig>,
}

#[derive(Deserialize)]
struct JetStreamConfig {
    /// Left out where it is false.
    #[serde(default)]
    sync_always: bool,
}

/// What the broker behind the monitoring address says, else what is `configured`; says in the log where they differ.
pub(crate) async fn find(monitor: Option<&str>, configured: Durability) -> Durability {
    let Some(monitor) = monitor else { return configured };
    let asked = tokio::time::timeout(PATIENCE, ask(monitor)).await;
    match asked.unwrap_or_else(|_| Err(AskError::Late(monitor.to_owned()))) {
        Ok(found) => {
            if configured != Durability::Unknown && configured != found {
                let (configured, found) = (configured.as_str(), found.as_str());
                tracing::warn!(configured, found, "the broker's durability is not what is configured");
            }
            found
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "could not ask the broker when it syncs; taking what is configured");
            configured
        }
    }
}

async fn ask(monitor: &str) -> Result<Durability, AskError> {
    let page = format!("{}/varz", monitor.trim_end_matches('/'));
    let uri: Uri = page.parse().map_err(|error| AskError::Address(page.clone(), error))?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.get(uri).await.map_err(|error| AskError::Request(page.clone(), error))?;
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    let body = body.map_err(|error| AskError::Body(page.clone(), error))?.to_bytes();
    let said: Page = serde_json::from_slice(&body).map_err(|error| AskError::Answer(page.clone(), error))?;
    let config = said.jetstream.config.ok_or(AskError::NoJetStream(page))?;
    Ok(if config.sync_always { Durability::Synced } else { Durability::Interval })
}
