//! `GET /api/v1/status`: what an administrator wants to know first.
//!
//! Do the books balance, and if not, what is still on its way; what waits at the broker, and for whom; what became a dead
//! letter, and why; which rules could not decide; who runs, and how ingest tells senders apart; and what the archive holds.
//! `vedette status` and the console show this document, so its members stay as they are; new ones may come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use vedette_bus::{Announced, Bus, ConsumerView, DeadLetters, Kind, Overview};

use crate::books::{BlindRule, Equation, Sums};
use crate::serve::Shared;
use vedette_service::chain;

/// For so long an answer is given again: asking the broker about everything takes it some work.
const FRESH: Duration = Duration::from_millis(500);
/// Until the broker or the archive must have answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often books that do not balance are looked at again before that is said: batches may have passed meanwhile.
const LOOKS: u32 = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The last answer.
#[derive(Default)]
pub(crate) struct StatusCache(Mutex<Option<(Instant, Arc<Status>)>>);

/// The document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: &'static str,
    time: String,
    books: BooksStatus,
    broker: BrokerStatus,
    dead_letters: Option<DeadStatus>,
    blind_rules: Vec<BlindRule>,
    /// False if there are more than are listed.
    blind_rules_complete: bool,
    services: Vec<ServiceStatus>,
    archive: ArchiveStatus,
}

/// The books. An event is in them once its batch was applied; until then it is in flight.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BooksStatus {
    /// Every equation holds, or its difference is in flight.
    balanced: bool,
    /// Nothing is in flight, and every equation holds.
    settled: bool,
    /// The books were read to their end.
    complete: bool,
    /// Messages that were published and not applied yet; null where the broker does not say.
    in_flight: Option<InFlight>,
    equations: Vec<Equation>,
    total: Sums,
    clusters: BTreeMap<String, Sums>,
    /// Entries that were written again after a service was killed, and counted once.
    repeated_entries: u64,
}

/// Messages on their way, by what becomes of them. A message of events is on both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct InFlight {
    /// Event messages that wait for the archive evaluation.
    archive_events: u64,
    /// Results that wait for the archiver.
    archive_results: u64,
    /// Event messages that wait for the alert evaluation.
    alert_events: u64,
    /// Results that wait for the alerter.
    alert_results: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BrokerStatus {
    connected: bool,
    /// Why the rest is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    version: String,
    streams: Vec<StreamStatus>,
    consumers: Vec<ConsumerStatus>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamStatus {
    name: String,
    messages: u64,
    bytes: u64,
    max_bytes: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerStatus {
    stream: String,
    name: String,
    /// Messages not delivered yet.
    pending: u64,
    /// Messages delivered and not acknowledged.
    ack_pending: u64,
    redelivered: u64,
    /// Requests that wait for messages; 0: nobody is there.
    waiting: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeadStatus {
    messages: u64,
    bytes: u64,
    reasons: Vec<DeadReason>,
    /// False while `reasons` does not cover all of them yet.
    complete: bool,
}

#[derive(Debug, Serialize)]
struct DeadReason {
    service: String,
    reason: String,
    messages: u64,
}

#[derive(Debug, Serialize)]
struct ServiceStatus {
    name: String,
    id: String,
    version: String,
    metadata: BTreeMap<String, String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArchiveStatus {
    ready: bool,
    /// The engine and its version, or what is wrong.
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// The endpoint.
pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new().route("/api/v1/status", get(answer))
}

async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    let mut cache = shared.status.0.lock().await;
    if let Some((made, status)) = cache.as_ref()
        && made.elapsed() < FRESH
    {
        return Json(status.as_ref()).into_response();
    }
    let status = Arc::new(look(&shared).await);
    *cache = Some((Instant::now(), Arc::clone(&status)));
    Json(status.as_ref()).into_response()
}

async fn look(shared: &Shared) -> Status {
    let bus = shared.bus();
    let ((overview, books), services, archive) =
        tokio::join!(books(shared, bus.as_ref()), services(bus.as_ref()), archive(shared));
    let (blind_rules, blind_rules_complete) = {
        let ledger = shared.ledger.lock();
        (ledger.blind(), ledger.blind_is_complete())
    };
    Status {
        version: env!("CARGO_PKG_VERSION"),
        time: Timestamp::now().to_string(),
        books,
        dead_letters: overview.as_ref().map(|overview| dead(&overview.dead)),
        broker: broker(bus.as_ref(), overview),
        blind_rules,
        blind_rules_complete,
        services,
        archive,
    }
}

/// The broker's state and the books, as nearly at the same time as can be.
async fn books(shared: &Shared, bus: Option<&Bus>) -> (Option<Overview>, BooksStatus) {
    let mut looks = 1;
    loop {
        let overview = overview(bus).await;
        let books = balance(shared, overview.as_ref());
        if (books.balanced && books.complete) || looks == LOOKS || overview.is_none() {
            return (overview, books);
        }
        looks += 1;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn overview(bus: Option<&Bus>) -> Option<Overview> {
    match tokio::time::timeout(PATIENCE, bus?.overview()).await {
        Ok(Ok(overview)) => Some(overview),
        Ok(Err(error)) => {
            tracing::debug!(error = %chain(&error), "the broker gives no overview");
            None
        }
        Err(_) => None,
    }
}

fn balance(shared: &Shared, overview: Option<&Overview>) -> BooksStatus {
    let in_flight = overview.map(InFlight::of);
    let ledger = shared.ledger.lock();
    let total = ledger.total();
    let mut equations = total.equations();
    let within = equations.iter().all(|equation| equation.holds);
    let between = total.settled_equation();
    let idle = in_flight.is_some_and(|in_flight| in_flight == InFlight::default());
    let written = overview.and_then(|overview| overview.streams.iter().find(|stream| stream.name == BOOKS));
    let complete = written.is_some_and(|stream| ledger.messages >= stream.messages);
    let holds = between.holds;
    equations.push(between);
    BooksStatus {
        balanced: within && (holds || !idle),
        settled: within && holds && idle && complete,
        complete,
        in_flight,
        equations,
        total,
        clusters: ledger.clusters().clone(),
        repeated_entries: ledger.repeated,
    }
}

/// The stream that holds the books, as `bus` names it.
const BOOKS: &str = "VEDETTE_BOOKS";

impl InFlight {
    fn of(overview: &Overview) -> Self {
        let mut in_flight = Self::default();
        for consumer in &overview.consumers {
            let messages = consumer.pending + consumer.ack_pending as u64;
            *in_flight.way(consumer) += messages;
        }
        in_flight
    }

    /// Where a consumer's messages count: results have a stream for each kind, events a consumer.
    fn way(&mut self, consumer: &ConsumerView) -> &mut u64 {
        let archive = [consumer.stream.as_str(), consumer.name.as_str()]
            .iter()
            .any(|name| name.to_ascii_lowercase().ends_with(Kind::Archive.as_str()));
        match (consumer.stream.starts_with("VEDETTE_RESULTS"), archive) {
            (true, true) => &mut self.archive_results,
            (true, false) => &mut self.alert_results,
            (false, true) => &mut self.archive_events,
            (false, false) => &mut self.alert_events,
        }
    }
}

async fn services(bus: Option<&Bus>) -> Vec<ServiceStatus> {
    let Some(bus) = bus else { return Vec::new() };
    match tokio::time::timeout(PATIENCE, bus.services()).await {
        Ok(Ok(services)) => services.into_iter().map(service).collect(),
        _ => Vec::new(),
    }
}

fn service(announced: Announced) -> ServiceStatus {
    let Announced { name, id, version, metadata, .. } = announced;
    ServiceStatus { name, id, version, metadata }
}

async fn archive(shared: &Shared) -> ArchiveStatus {
    let Ok(archive) = shared.archive() else {
        return ArchiveStatus { detail: "not open yet".to_owned(), ..ArchiveStatus::default() };
    };
    let asked = async { tokio::join!(archive.health(), archive.size()) };
    let Ok((health, size)) = tokio::time::timeout(PATIENCE, asked).await else {
        return ArchiveStatus { detail: "does not answer".to_owned(), ..ArchiveStatus::default() };
    };
    let size =
        size.inspect_err(|error| tracing::debug!(error = %chain(error), "the archive does not say its size")).ok();
    ArchiveStatus {
        ready: health.ready,
        detail: health.detail,
        events: size.map(|size| size.events),
        days: size.map(|size| size.days),
        bytes: size.map(|size| size.bytes),
    }
}

fn broker(bus: Option<&Bus>, overview: Option<Overview>) -> BrokerStatus {
    let connected = bus.is_some_and(Bus::connected);
    let message = match (connected, &overview) {
        (false, _) => Some("there is no connection to the broker"),
        (true, None) => Some("the broker does not say how its streams are"),
        (true, Some(_)) => None,
    };
    let overview = overview.unwrap_or_default();
    BrokerStatus {
        connected,
        message,
        version: bus.map(Bus::server_version).unwrap_or_default(),
        streams: overview
            .streams
            .into_iter()
            .map(|it| StreamStatus { name: it.name, messages: it.messages, bytes: it.bytes, max_bytes: it.max_bytes })
            .collect(),
        consumers: overview
            .consumers
            .into_iter()
            .map(|it| ConsumerStatus {
                stream: it.stream,
                name: it.name,
                pending: it.pending,
                ack_pending: it.ack_pending as u64,
                redelivered: it.redelivered as u64,
                waiting: it.waiting as u64,
            })
            .collect(),
    }
}

fn dead(letters: &DeadLetters) -> DeadStatus {
    let reason = |((service, reason), messages): (&(String, String), &u64)| DeadReason {
        service: service.clone(),
        reason: reason.clone(),
        messages: *messages,
    };
    DeadStatus {
        messages: letters.messages,
        bytes: letters.bytes,
        reasons: letters.reasons.iter().map(reason).collect(),
        complete: letters.complete,
    }
}
