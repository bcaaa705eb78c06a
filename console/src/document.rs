//! The document of `GET /api/v1/status`, for whoever writes and reads it.
//!
//! Its members stay as they are; new ones may come. So a reader passes over members that it does not know, and takes one
//! that is missing for its default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Of the console.
    pub version: String,
    /// When it looked.
    pub time: String,
    /// Whether everything is accounted for.
    pub books: Books,
    /// The broker's state.
    pub broker: Broker,
    /// Null where the broker does not say.
    pub dead_letters: Option<DeadLetters>,
    /// Rules that could not decide.
    pub blind_rules: Vec<BlindRule>,
    /// False if there are more than are listed.
    pub blind_rules_complete: bool,
    /// Who runs.
    pub services: Vec<Service>,
    /// The archive's state.
    pub archive: Archive,
}

/// The books. An event is in them once its batch was applied; until then it is in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Books {
    /// Every equation holds, or its difference is in flight.
    pub balanced: bool,
    /// Nothing is in flight, and every equation holds.
    pub settled: bool,
    /// The books were read to their end.
    pub complete: bool,
    /// Messages that were published and not applied yet; null where the broker does not say.
    pub in_flight: Option<InFlight>,
    /// What must be equal.
    pub equations: Vec<Equation>,
    /// The sums over all clusters.
    pub total: Sums,
    /// The sums by cluster.
    pub clusters: BTreeMap<String, Sums>,
    /// Entries that were written again after a service was killed, and counted once.
    pub repeated_entries: u64,
}

/// Messages on their way, by what becomes of them. A message of events is on both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InFlight {
    /// Event messages that wait for the archive evaluation.
    pub archive_events: u64,
    /// Results that wait for the archiver.
    pub archive_results: u64,
    /// Event messages that wait for the alert evaluation.
    pub alert_events: u64,
    /// Results that wait for the alerter.
    pub alert_results: u64,
}

/// Two sides of the books that must be equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Equation {
    /// Both sides in words.
    pub name: String,
    /// What the first comes to.
    pub left: u64,
    /// What the second comes to.
    pub right: u64,
    /// Whether they are equal.
    pub holds: bool,
}

/// The sums of one cluster, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sums {
    /// What ingest counted, of batches that the archiver applied.
    pub ingest: IngestSums,
    /// What the archive evaluation counted and the archiver did.
    pub archive: ArchiveSums,
    /// What the alert evaluation counted and the alerter did.
    pub alert: AlertSums,
}

/// Events, as ingest counted them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "ARCHITECTURE.md says what adds up to what")]
pub struct IngestSums {
    pub received: u64,
    pub published: u64,
    /// By reason.
    pub dropped: BTreeMap<String, u64>,
    /// By reason.
    pub dead_lettered: BTreeMap<String, u64>,
    pub oversize: u64,
    /// Of the evaluator's dead letters, which were received before.
    pub requeued: u64,
}

/// Events on their way to the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "ARCHITECTURE.md says what adds up to what")]
pub struct ArchiveSums {
    pub batches: u64,
    pub evaluated: u64,
    pub archived: u64,
    pub alerted_only: u64,
    pub ignored: u64,
    pub dead_lettered: u64,
    /// Of the archiver's dead letters, which were archived and rejected before.
    pub requeued: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub rejected: u64,
}

/// Events on their way to receivers, and the alerts of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "ARCHITECTURE.md says what adds up to what")]
pub struct AlertSums {
    pub batches: u64,
    pub evaluated: u64,
    pub alerted: u64,
    pub alerts: u64,
    pub dead_lettered: u64,
    /// Alerts of the alerter's dead letters, which were rejected before.
    pub requeued: u64,
    pub sent: u64,
    pub unrouted: u64,
    pub rejected: u64,
}

/// The broker's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Broker {
    /// Whether the console is connected to it.
    pub connected: bool,
    /// Why the rest is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of the nats-server.
    pub version: String,
    /// What it holds.
    pub streams: Vec<Stream>,
    /// What of it waits for whom.
    pub consumers: Vec<Consumer>,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stream {
    /// As `bus` names it.
    pub name: String,
    /// Messages in it.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Its room; -1: without a limit of its own.
    pub max_bytes: i64,
}

/// A consumer of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Consumer {
    /// The stream.
    pub stream: String,
    /// As `bus` names it.
    pub name: String,
    /// Messages not delivered yet.
    pub pending: u64,
    /// Messages delivered and not acknowledged.
    pub ack_pending: u64,
    /// Messages delivered more than once.
    pub redelivered: u64,
    /// Requests that wait for messages; 0: nobody is there.
    pub waiting: u64,
}

/// What could not be processed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeadLetters {
    /// All of them.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why they are.
    pub reasons: Vec<DeadReason>,
    /// False while `reasons` does not cover all of them yet.
    pub complete: bool,
}

/// Dead letters of one service and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeadReason {
    /// Who wrote them.
    pub service: String,
    /// A word of a bounded set.
    pub reason: String,
    /// How many.
    pub messages: u64,
}

/// A rule that could not decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlindRule {
    /// Its name.
    pub rule: String,
    /// The first field that was missing.
    pub field: String,
    /// The level of the events, which did not record it.
    pub level: String,
    /// How many.
    pub events: u64,
}

/// A service that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    /// As its program is called.
    pub name: String,
    /// Of this instance.
    pub id: String,
    /// Of the program.
    pub version: String,
    /// What it says of itself.
    pub metadata: BTreeMap<String, String>,
}

/// The archive's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Archive {
    /// Whether it answers.
    pub ready: bool,
    /// The engine and its version, or what is wrong.
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
