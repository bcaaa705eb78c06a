//! Services make themselves known by the NATS services protocol (ADR-32), so that `vedette status`, and any NATS tool,
//! sees who runs.
//!
//! Answered here rather than by the client library's own responder, because the metadata changes while a service runs (an
//! evaluator's rule generation), and none of ours offers endpoints.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures::StreamExt;
use futures::stream::SelectAll;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Bus;
use crate::topology::is_label;

/// How long answers are waited for. All of it: how much later than the others a busy service answers is not known, and one
/// that is not waited for does not run, to whoever asked.
const PATIENCE: Duration = Duration::from_secs(1);
/// Services listed at most.
const MOST: usize = 1024;

/// Keeps a service known until it is dropped.
#[derive(Debug)]
pub struct Announcement {
    metadata: watch::Sender<BTreeMap<String, String>>,
    responder: JoinHandle<()>,
}

/// A service that answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Announced {
    /// `vedette-ingest`, `vedette-evaluator` …
    pub name: String,
    /// Different for every process.
    pub id: String,
    /// Its version.
    pub version: String,
    /// What it says about itself.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Why a service could not be announced, or the others not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnnounceError {
    /// The name is no RFC 1123 label.
    #[error("`{name}` is no name for a service")]
    Name {
        /// The name.
        name: String,
    },
    /// There is no connection.
    #[error("the broker is away")]
    Away,
    /// The broker could not be reached.
    #[error("subscribe to questions about services")]
    Subscribe(#[source] async_nats::SubscribeError),
    /// The question could not be sent.
    #[error("ask for services")]
    Ask(#[source] async_nats::PublishError),
}

#[derive(Serialize)]
struct Answer<'a> {
    name: &'a str,
    id: &'a str,
    version: &'a str,
    metadata: &'a BTreeMap<String, String>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<[(); 0]>,
}

impl Announcement {
    /// Changes one entry of the metadata.
    pub fn set(&self, key: &str, value: impl Into<String>) {
        self.metadata.send_modify(|metadata| {
            metadata.insert(key.to_owned(), value.into());
        });
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.responder.abort();
    }
}

impl Bus {
    /// Makes a service known as `name` (an RFC 1123 label, `vedette-ingest`) until the answer is dropped.
    ///
    /// # Errors
    /// If the name cannot be used or the broker not be told.
    pub async fn announce(
        &self,
        name: &str,
        version: &str,
        metadata: BTreeMap<String, String>,
    ) -> Result<Announcement, AnnounceError> {
        if !is_label(name) {
            return Err(AnnounceError::Name { name: name.to_owned() });
        }
        let id = self.client().new_inbox().rsplit('.').next().unwrap_or_default().to_owned();
        let mut questions = SelectAll::new();
        for subject in ["$SRV.*".to_owned(), format!("$SRV.*.{name}"), format!("$SRV.*.{name}.{id}")] {
            questions.push(self.client().subscribe(subject).await.map_err(AnnounceError::Subscribe)?);
        }
        let (sender, metadata) = watch::channel(metadata);
        let (name, version) = (name.to_owned(), version.to_owned());
        let responder = tokio::spawn(respond(self.clone(), questions, name, id, version, metadata));
        Ok(Announcement { metadata: sender, responder })
    }

    /// The services that answer within a second, by name and id.
    ///
    /// # Errors
    /// If the broker cannot be asked.
    pub async fn services(&self) -> Result<Vec<Announced>, AnnounceError> {
        if !self.connected() {
            return Err(AnnounceError::Away);
        }
        let inbox = self.client().new_inbox();
        let mut answers = self.client().subscribe(inbox.clone()).await.map_err(AnnounceError::Subscribe)?;
        self.client().publish_with_reply("$SRV.INFO", inbox, "".into()).await.map_err(AnnounceError::Ask)?;
        let deadline = Instant::now() + PATIENCE;
        let mut services = Vec::new();
        while services.len() < MOST {
            let Ok(Some(answer)) = tokio::time::timeout_at(deadline, answers.next()).await else { break };
            if answer.status.is_some() {
                break;
            }
            if let Ok(service) = serde_json::from_slice::<Announced>(&answer.payload) {
                services.push(service);
            }
        }
        services.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(services)
    }
}

async fn respond(
    bus: Bus,
    mut questions: SelectAll<Subscriber>,
    name: String,
    id: String,
    version: String,
    metadata: watch::Receiver<BTreeMap<String, String>>,
) {
    while let Some(question) = questions.next().await {
        let Some(reply) = question.reply.clone() else { continue };
        let answer = {
            let metadata = metadata.borrow();
            let (name, id, version) = (name.as_str(), id.as_str(), version.as_str());
            match verb(&question) {
                Some("INFO") => serde_json::to_vec(&Answer {
                    name,
                    id,
                    version,
                    metadata: &metadata,
                    kind: "io.nats.micro.v1.info_response",
                    description: Some("a service of Vedette"),
                    endpoints: Some([]),
                }),
                Some("PING") => serde_json::to_vec(&Answer {
                    name,
                    id,
                    version,
                    metadata: &metadata,
                    kind: "io.nats.micro.v1.ping_response",
                    description: None,
                    endpoints: None,
                }),
                _ => continue,
            }
        };
        let Ok(answer) = answer else { continue };
        if let Err(error) = bus.client().publish(reply, answer.into()).await {
            tracing::debug!(%error, "could not answer a question about services");
        }
    }
}

fn verb(question: &Message) -> Option<&str> {
    question.subject.as_str().split('.').nth(1)
}

/// Other implementations answer `null` where there is no metadata.
fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
