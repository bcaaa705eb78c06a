//! The document of `GET /api/v1/status`, for whoever writes and reads it.
//!
//! Its members stay as they are; new ones may come. So a reader passes over members that it does not know, and takes one
//! that is missing for its default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Of the console.
    #[schema(required)]
    pub version: String,
    /// When it looked.
    #[schema(required)]
    pub time: String,
    /// Whether everything is accounted for.
    #[schema(required)]
    pub books: Books,
    /// The broker's state.
    #[schema(required)]
    pub broker: Broker,
    /// Null where the broker does not say.
    #[schema(required)]
    pub dead_letters: Option<DeadLetters>,
    /// Rules that could not decide.
    #[schema(required)]
    pub blind_rules: Vec<BlindRule>,
    /// False if there are more than are listed.
    #[schema(required)]
    pub blind_rules_complete: bool,
    /// Who runs.
    #[schema(required)]
    pub services: Vec<Service>,
    /// The archive's state.
    #[schema(required)]
    pub archive: Archive,
}

/// The books. An event is in them once its batch was applied; until then it is in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Books {
    /// Every equation holds, or its difference is in flight.
    #[schema(required)]
    pub balanced: bool,
    /// Nothing is in flight, and every equation holds.
    #[schema(required)]
    pub settled: bool,
    /// The books were read to their end.
    #[schema(required)]
    pub complete: bool,
    /// Messages that were published and not applied yet; null where the broker does not say.
    #[schema(required)]
    pub in_flight: Option<InFlight>,
    /// What must be equal.
    #[schema(required)]
    pub equations: Vec<Equation>,
    /// The sums over all clusters.
    #[schema(required)]
    pub total: Sums,
    /// The sums by cluster.
    #[schema(required)]
    pub clusters: BTreeMap<String, Sums>,
    /// Entries that were written again after a service was killed, and counted once.
    #[schema(required)]
    pub repeated_entries: u64,
}

/// Messages on their way, by what becomes of them. A message of events is on both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InFlight {
    /// Event messages that wait for the archive evaluation.
    #[schema(required)]
    pub archive_events: u64,
    /// Results that wait for the archiver.
    #[schema(required)]
    pub archive_results: u64,
    /// Event messages that wait for the alert evaluation.
    #[schema(required)]
    pub alert_events: u64,
    /// Results that wait for the alerter.
    #[schema(required)]
    pub alert_results: u64,
}

/// Two sides of the books that must be equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Equation {
    /// Both sides in words.
    #[schema(required)]
    pub name: String,
    /// What the first comes to.
    #[schema(required)]
    pub left: u64,
    /// What the second comes to.
    #[schema(required)]
    pub right: u64,
    /// Whether they are equal.
    #[schema(required)]
    pub holds: bool,
}

/// The sums of one cluster, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Sums {
    /// What ingest counted, of batches that the archiver applied.
    #[schema(required)]
    pub ingest: IngestSums,
    /// What the archive evaluation counted and the archiver did.
    #[schema(required)]
    pub archive: ArchiveSums,
    /// What the alert evaluation counted and the alerter did.
    #[schema(required)]
    pub alert: AlertSums,
}

/// Events, as ingest counted them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "ARCHITECTURE.md says what adds up to what")]
pub struct IngestSums {
    #[schema(required)]
    pub received: u64,
    #[schema(required)]
    pub published: u64,
    /// By reason.
    #[schema(required)]
    pub dropped: BTreeMap<String, u64>,
    /// By reason.
    #[schema(required)]
    pub dead_lettered: BTreeMap<String, u64>,
    #[schema(required)]
    pub oversize: u64,
    /// Of the evaluator's dead letters, which were received before.
    #[schema(required)]
    pub requeued: u64,
    /// Those of them that the alert evaluation alone could do nothing with: the archive's has not counted them as dead-lettered.
    #[serde(skip)]
    pub(crate) requeued_alert_only: u64,
}

/// Events on their way to the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "ARCHITECTURE.md says what adds up to what")]
pub struct ArchiveSums {
    #[schema(required)]
    pub batches: u64,
    #[schema(required)]
    pub evaluated: u64,
    #[schema(required)]
    pub archived: u64,
    #[schema(required)]
    pub alerted_only: u64,
    #[schema(required)]
    pub ignored: u64,
    #[schema(required)]
    pub dead_lettered: u64,
    /// Of the archiver's dead letters, which were archived and rejected before.
    #[schema(required)]
    pub requeued: u64,
    #[schema(required)]
    pub stored: u64,
    #[schema(required)]
    pub duplicate: u64,
    #[schema(required)]
    pub rejected: u64,
}

/// Events on their way to receivers, and the alerts of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "ARCHITECTURE.md says what adds up to what")]
pub struct AlertSums {
    #[schema(required)]
    pub batches: u64,
    #[schema(required)]
    pub evaluated: u64,
    #[schema(required)]
    pub alerted: u64,
    #[schema(required)]
    pub alerts: u64,
    #[schema(required)]
    pub dead_lettered: u64,
    /// Alerts of the alerter's dead letters, which were rejected before.
    #[schema(required)]
    pub requeued: u64,
    #[schema(required)]
    pub sent: u64,
    #[schema(required)]
    pub unrouted: u64,
    #[schema(required)]
    pub rejected: u64,
}

/// The broker's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Broker {
    /// Whether the console is connected to it.
    #[schema(required)]
    pub connected: bool,
    /// Why the rest is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of the nats-server.
    #[schema(required)]
    pub version: String,
    /// What it holds.
    #[schema(required)]
    pub streams: Vec<Stream>,
    /// What of it waits for whom.
    #[schema(required)]
    pub consumers: Vec<Consumer>,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Stream {
    /// As `bus` names it.
    #[schema(required)]
    pub name: String,
    /// Messages in it.
    #[schema(required)]
    pub messages: u64,
    /// Their bytes.
    #[schema(required)]
    pub bytes: u64,
    /// Its room; -1: without a limit of its own.
    #[schema(required)]
    pub max_bytes: i64,
}

/// A consumer of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Consumer {
    /// The stream.
    #[schema(required)]
    pub stream: String,
    /// As `bus` names it.
    #[schema(required)]
    pub name: String,
    /// Messages not delivered yet.
    #[schema(required)]
    pub pending: u64,
    /// Messages delivered and not acknowledged.
    #[schema(required)]
    pub ack_pending: u64,
    /// Messages delivered more than once.
    #[schema(required)]
    pub redelivered: u64,
    /// Requests that wait for messages; 0: nobody is there.
    #[schema(required)]
    pub waiting: u64,
}

/// What could not be processed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeadLetters {
    /// All of them.
    #[schema(required)]
    pub messages: u64,
    /// Their bytes.
    #[schema(required)]
    pub bytes: u64,
    /// Why they are.
    #[schema(required)]
    pub reasons: Vec<DeadReason>,
    /// False while `reasons` does not cover all of them yet.
    #[schema(required)]
    pub complete: bool,
}

/// Dead letters of one service and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeadReason {
    /// Who wrote them.
    #[schema(required)]
    pub service: String,
    /// A word of a bounded set.
    #[schema(required)]
    pub reason: String,
    /// How many.
    #[schema(required)]
    pub messages: u64,
}

/// A rule that could not decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BlindRule {
    /// Its name.
    #[schema(required)]
    pub rule: String,
    /// The first field that was missing.
    #[schema(required)]
    pub field: String,
    /// The level of the events, which did not record it.
    #[schema(required)]
    pub level: String,
    /// How many.
    #[schema(required)]
    pub events: u64,
}

/// A service that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    /// As its program is called.
    #[schema(required)]
    pub name: String,
    /// Of this instance.
    #[schema(required)]
    pub id: String,
    /// Of the program.
    #[schema(required)]
    pub version: String,
    /// What it says of itself.
    #[schema(required)]
    pub metadata: BTreeMap<String, String>,
}

/// The archive's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Archive {
    /// Whether it answers.
    #[schema(required)]
    pub ready: bool,
    /// The engine and its version, or what is wrong.
    #[schema(required)]
    pub detail: String,
    /// Records in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// Days that have records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u64>,
    /// Bytes that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl InFlight {
    /// Messages that are not done with.
    pub fn messages(&self) -> u64 {
        self.archive_events + self.archive_results + self.alert_events + self.alert_results
    }
}
