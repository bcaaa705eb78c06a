//! `GET /api/v1/status`: what an administrator wants to know first.
//!
//! Do the books balance, and if not, what is still on its way; what waits at the broker, and for whom; what became a dead
//! letter, and why; which rules could not decide; who runs, and how ingest tells senders apart; and what the archive holds.
//! `vedette status` and the console show this [document](crate::document).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;
use vedette_bus::{Announced, Bus, ConsumerView, Kind, Overview};

use crate::document::{Archive, Books, Broker, Consumer, DeadLetters, DeadReason, InFlight, Service, Status, Stream};
use crate::failure::Problem;
use crate::serve::Shared;
use vedette_service::chain;

/// For so long an answer is given again: asking the broker about everything takes it some work.
const FRESH: Duration = Duration::from_millis(500);
const BOOKS_FRESH: Duration = Duration::from_secs(5);
/// Until the broker or the archive must have answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often books that do not balance are looked at again before that is said: batches may have passed meanwhile.
const LOOKS: u32 = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The last answer.
#[derive(Default)]
pub(crate) struct StatusCache(Mutex<Option<(Instant, Arc<Status>)>>);

/// The books as they were last looked at, for whoever wants nothing else: who runs takes a second to find out.
#[derive(Default)]
pub(crate) struct BooksCache(Mutex<Option<(Instant, Books)>>);

/// The books, at most [`BOOKS_FRESH`] old.
pub(crate) async fn books_now(shared: &Shared) -> Books {
    let mut cache = shared.books.0.lock().await;
    if let Some((made, books)) = cache.as_ref()
        && made.elapsed() < BOOKS_FRESH
    {
        return books.clone();
    }
    // A broker that is away is not waited for: what was counted is known without it.
    let overview = overview(shared.bus().filter(Bus::connected).as_ref()).await;
    let books = balance(shared, overview.as_ref());
    *cache = Some((Instant::now(), books.clone()));
    books
}

/// The state of the whole
///
/// For administrators.
#[utoipa::path(
    get, path = "/api/v1/status", operation_id = "getStatus", tag = "pipeline",
    responses((status = 200, body = Status), (status = 401, body = Problem), (status = 403, body = Problem)),
)]
pub(crate) async fn answer(State(shared): State<Arc<Shared>>) -> Response {
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
        version: env!("CARGO_PKG_VERSION").to_owned(),
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
async fn books(shared: &Shared, bus: Option<&Bus>) -> (Option<Overview>, Books) {
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

fn balance(shared: &Shared, overview: Option<&Overview>) -> Books {
    let in_flight = overview.map(in_flight);
    let ledger = shared.ledger.lock();
    let total = ledger.total();
    let mut equations = total.equations();
    let within = equations.iter().all(|equation| equation.holds);
    let between = total.settled_equation();
    let idle = in_flight.is_some_and(|in_flight| in_flight.messages() == 0);
    let written = overview.and_then(|overview| overview.streams.iter().find(|stream| stream.name == BOOKS));
    let complete = written.is_some_and(|stream| ledger.messages >= stream.messages);
    let holds = between.holds;
    equations.push(between);
    Books {
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

fn in_flight(overview: &Overview) -> InFlight {
    let mut in_flight = InFlight::default();
    for consumer in &overview.consumers {
        let messages = consumer.pending + consumer.ack_pending as u64;
        *way(&mut in_flight, consumer) += messages;
    }
    in_flight
}

/// Where a consumer's messages count: results have a stream for each kind, events a consumer.
fn way<'a>(in_flight: &'a mut InFlight, consumer: &ConsumerView) -> &'a mut u64 {
    let archive = [consumer.stream.as_str(), consumer.name.as_str()]
        .iter()
        .any(|name| name.to_ascii_lowercase().ends_with(Kind::Archive.as_str()));
    match (consumer.stream.starts_with("VEDETTE_RESULTS"), archive) {
        (true, true) => &mut in_flight.archive_results,
        (true, false) => &mut in_flight.alert_results,
        (false, true) => &mut in_flight.archive_events,
        (false, false) => &mut in_flight.alert_events,
    }
}

async fn services(bus: Option<&Bus>) -> Vec<Service> {
    let Some(bus) = bus else { return Vec::new() };
    match tokio::time::timeout(PATIENCE, bus.services()).await {
        Ok(Ok(services)) => services.into_iter().map(service).collect(),
        _ => Vec::new(),
    }
}

fn service(announced: Announced) -> Service {
    let Announced { name, id, version, metadata, .. } = announced;
    Service { name, id, version, metadata }
}

async fn archive(shared: &Shared) -> Archive {
    let Ok(archive) = shared.archive() else {
        return Archive { detail: "not open yet".to_owned(), ..Archive::default() };
    };
    let asked = async { tokio::join!(archive.health(), archive.size()) };
    let Ok((health, size)) = tokio::time::timeout(PATIENCE, asked).await else {
        return Archive { detail: "does not answer".to_owned(), ..Archive::default() };
    };
    let size =
        size.inspect_err(|error| tracing::debug!(error = %chain(error), "the archive does not say its size")).ok();
    Archive {
        ready: health.ready,
        detail: health.detail,
        events: size.map(|size| size.events),
        days: size.map(|size| size.days),
        bytes: size.map(|size| size.bytes),
    }
}

fn broker(bus: Option<&Bus>, overview: Option<Overview>) -> Broker {
    let connected = bus.is_some_and(Bus::connected);
    let message = match (connected, &overview) {
        (false, _) => Some("there is no connection to the broker"),
        (true, None) => Some("the broker does not say how its streams are"),
        (true, Some(_)) => None,
    };
    let overview = overview.unwrap_or_default();
    Broker {
        connected,
        message: message.map(str::to_owned),
        version: bus.map(Bus::server_version).unwrap_or_default(),
        streams: overview
            .streams
            .into_iter()
            .map(|it| Stream { name: it.name, messages: it.messages, bytes: it.bytes, max_bytes: it.max_bytes })
            .collect(),
        consumers: overview
            .consumers
            .into_iter()
            .map(|it| Consumer {
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

fn dead(letters: &vedette_bus::DeadLetters) -> DeadLetters {
    let reason = |((service, reason), messages): (&(String, String), &u64)| DeadReason {
        service: service.clone(),
        reason: reason.clone(),
        messages: *messages,
    };
    DeadLetters {
        messages: letters.messages,
        bytes: letters.bytes,
        reasons: letters.reasons.iter().map(reason).collect(),
        complete: letters.complete,
    }
}
