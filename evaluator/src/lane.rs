//! One consumer's way: pull a batch, decide it, publish its result, acknowledge it.
//!
//! Deciding runs on blocking threads, as many at once as there are workers; waiting for the broker does not take one. While the
//! broker cannot take a result, the batch stays in hand and is reported in progress, so that back-pressure reaches the
//! event stream, and through it the senders.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field};
use vedette_bus::{Bus, Delivery, Kind, PublishError, Undecodable, unix_nanos};
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{
    AlertCounts, AlertResult, ArchiveCounts, ArchiveResult, DeadLetter, EventBatch, EventOrigin, IngestCounts,
};
use vedette_rules::Policy;
use vedette_service::chain;
use vedette_service::policy::PolicyWatch;
use vedette_service::telemetry::SPANS;

use crate::decide::{self, Case, Culprit};
use crate::fit;
use crate::metrics::Metrics;

/// From this delivery on a batch is taken event by event.
const CAREFUL: i64 = 4;
/// Until a batch that failed is delivered again.
const RETRY: Duration = Duration::from_secs(1);
/// Between attempts to publish, at most: what the archive takes again must not wait for long.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// One consumer's way. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lane {
    kind: Kind,
    bus: Bus,
    policy: PolicyWatch,
    workers: Arc<Semaphore>,
    metrics: Metrics,
    shutdown: CancellationToken,
}

/// A batch that is decided and encoded.
struct Ready {
    packed: Bytes,
    /// Each with what it takes to decide it again; a message that nobody can read has none.
    culprits: Vec<(Culprit, Option<EventOrigin>)>,
}

/// Why a batch goes back to the broker.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("decide the batch: it made the rules fail")]
    Panicked,
    #[error("decode the batch: {0}")]
    Undecodable(&'static str),
    #[error("publish what came of the batch")]
    Publish(#[source] PublishError),
    #[error("stop before the broker could take the result")]
    Stopped,
}

impl Lane {
    pub(crate) fn new(
        kind: Kind,
        bus: Bus,
        policy: PolicyWatch,
        workers: Arc<Semaphore>,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> Self {
        Self { kind, bus, policy, workers, metrics, shutdown }
    }

    /// Runs until the shutdown, then finishes the batches in hand.
    pub(crate) async fn run(self, in_hand: usize) {
        let deliveries = self.bus.events(self.kind).take_until(self.shutdown.clone().cancelled_owned());
        deliveries
            .for_each_concurrent(in_hand, |delivery| {
                let lane = self.clone();
                async move {
                    let span = lane.span(&delivery);
                    lane.take(delivery).instrument(span).await;
                }
            })
            .await;
    }

    /// The span of one delivery of a batch, in the trace of the POST that it came by.
    fn span(&self, delivery: &Delivery<EventBatch>) -> Span {
        let span = tracing::info_span!(
            target: SPANS,
            "evaluate",
            otel.kind = "consumer",
            otel.status_code = field::Empty,
            messaging.system = "nats",
            messaging.operation.name = "process",
            messaging.consumer.group.name = self.kind.as_str(),
            messaging.message.id = %delivery.batch,
            vedette.cluster = %delivery.cluster,
            vedette.generation = field::Empty,
        );
        delivery.trace.goes_on_in(&span);
        span
    }

    async fn take(&self, mut delivery: Delivery<EventBatch>) {
        let consumer = self.kind.as_str();
        // Moved out, since it may have many thousand events; what is told to the broker needs it no more.
        let message = std::mem::replace(&mut delivery.message, Ok(EventBatch::default()));
        let received = message.as_ref().ok().map(|batch| batch.received_unix_nanos);
        match delivery.during(self.settle(&delivery, message)).await {
            Ok(()) => {
                self.metrics.batches.with_label_values(&[consumer]).inc();
                if let Some(received) = received {
                    self.metrics.lag_seconds.with_label_values(&[consumer]).observe(age(received));
                }
                // Unconfirmed, it comes again, and its result is known to the broker by its id.
                if let Err(error) = delivery.ack().await {
                    tracing::debug!(error = %chain(&error), "an acknowledgement was not confirmed");
                }
            }
            Err(failure) => {
                self.metrics.retries.with_label_values(&[consumer]).inc();
                if !matches!(failure, Failure::Stopped) {
                    Span::current().record("otel.status_code", "ERROR");
                    tracing::warn!(
                        consumer, batch = %delivery.batch, delivered = delivery.delivered, error = %chain(&failure),
                        "a batch goes back to the broker"
                    );
                }
                let delay = if matches!(failure, Failure::Stopped) { Duration::ZERO } else { RETRY };
                if let Err(error) = delivery.retry(delay).await {
                    tracing::debug!(error = %chain(&error), "a batch could not be given back; it comes again by itself");
                }
            }
        }
    }

    /// Publishes the result of the delivery and the dead letters that go with it.
    async fn settle(
        &self,
        delivery: &Delivery<EventBatch>,
        message: Result<EventBatch, Undecodable>,
    ) -> Result<(), Failure> {
        let ready = match message {
            Ok(batch) => self.decide(delivery, batch).await?,
            Err(undecodable) if delivery.delivered < CAREFUL => {
                return Err(Failure::Undecodable(undecodable.error.code()));
            }
            Err(undecodable) => self.give_up(delivery, &undecodable),
        };
        for (culprit, origin) in &ready.culprits {
            let letter = self.letter(delivery, culprit, origin.clone());
            let id = letter_id(&delivery.batch, culprit.index, origin.as_ref().is_some_and(|origin| origin.alert_only));
            let written = self.persist(|| self.bus.dead_letter(&letter, &id)).await?;
            self.metrics.dead_lettered.with_label_values(&[culprit.reason]).inc_by(u64::from(!written.duplicate));
        }
        self.persist(|| self.bus.publish_result(self.kind, &delivery.cluster, &delivery.batch, ready.packed.clone()))
            .await?;
        Ok(())
    }

    /// Decides on a blocking thread, when a worker is free.
    async fn decide(&self, delivery: &Delivery<EventBatch>, batch: EventBatch) -> Result<Ready, Failure> {
        let _worker = self.workers.acquire().await.map_err(|_| Failure::Stopped)?;
        let started = Instant::now();
        let (kind, policy, metrics) = (self.kind, self.policy.current(), self.metrics.clone());
        Span::current().record("vedette.generation", policy.generation as i64);
        let (name, counts, careful) = (delivery.batch.clone(), delivery.counts.clone(), delivery.delivered >= CAREFUL);
        let decided =
            tokio::task::spawn_blocking(move || ready(kind, &policy, &metrics, &name, &counts, &batch, careful));
        let decided = decided.await.map_err(|_| Failure::Panicked);
        self.metrics.decide_seconds.with_label_values(&[kind.as_str()]).observe(started.elapsed().as_secs_f64());
        decided
    }

    /// A message that stays unreadable is one dead letter, and the books say so of all its events.
    fn give_up(&self, delivery: &Delivery<EventBatch>, undecodable: &Undecodable) -> Ready {
        let events = delivery.counts.published;
        let (batch, cluster) = (delivery.batch.clone(), delivery.cluster.clone());
        let packed = match self.kind {
            Kind::Archive => vedette_bus::encode(&ArchiveResult {
                batch,
                cluster,
                ingest: Some(delivery.counts.clone()),
                counts: Some(ArchiveCounts { evaluated: events, dead_lettered: events, ..ArchiveCounts::default() }),
                ..ArchiveResult::default()
            }),
            Kind::Alert => vedette_bus::encode(&AlertResult {
                batch,
                cluster,
                counts: Some(AlertCounts { evaluated: events, dead_lettered: events, ..AlertCounts::default() }),
                ..AlertResult::default()
            }),
        };
        let culprit = Culprit {
            index: 0,
            reason: undecodable.error.code(),
            detail: chain(&undecodable.error).to_string(),
            json: undecodable.payload.clone(),
        };
        Ready { packed, culprits: vec![(culprit, None)] }
    }

    fn letter(&self, delivery: &Delivery<EventBatch>, culprit: &Culprit, origin: Option<EventOrigin>) -> DeadLetter {
        DeadLetter {
            service: "evaluator".to_owned(),
            cluster: delivery.cluster.clone(),
            reason: culprit.reason.to_owned(),
            detail: culprit.detail.clone(),
            unix_nanos: unix_nanos(),
            batch: delivery.batch.clone(),
            payload: culprit.json.clone(),
            origin: origin.map(Origin::Event),
        }
    }

    /// Tries to publish until the broker has taken it, the error is for good, or the service stops.
    async fn persist<F, T>(&self, mut publish: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, PublishError>>,
    {
        let mut pause = Duration::from_millis(50);
        loop {
            let error = match publish().await {
                Ok(published) => return Ok(published),
                Err(error) if error.retry_after().is_none() => return Err(Failure::Publish(error)),
                Err(error) => error,
            };
            self.metrics.retries.with_label_values(&[self.kind.as_str()]).inc();
            tracing::debug!(error = %chain(&error), "the broker did not take a message; trying again");
            tokio::select! {
                () = self.shutdown.cancelled() => return Err(Failure::Stopped),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn ready(
    kind: Kind,
    policy: &Policy,
    metrics: &Metrics,
    name: &str,
    ingest: &IngestCounts,
    batch: &EventBatch,
    careful: bool,
) -> Ready {
    let (rules, generation) = (&policy.rules, policy.generation);
    let case = Case { batch: name, events: batch, ingest, rules, generation, careful, max_bytes: fit::MAX_RAW };
    let json = |place: usize| Some(batch.events.get(place)?.json.clone());
    let with_origin = |culprit: Culprit| {
        let origin = batch.events.get(culprit.index).map(|event| EventOrigin {
            id: event.id.clone(),
            received_unix_nanos: batch.received_unix_nanos,
            generation: batch.generation,
            alert_only: kind == Kind::Alert && culprit.is_of_the_result(),
        });
        (culprit, origin)
    };
    match kind {
        Kind::Archive => {
            let mut decided = decide::archive(&case);
            let packed = fit::pack(&mut decided, json);
            metrics.count_archive(&decided.result);
            metrics.mismatches.with_label_values(&[kind.as_str()]).inc_by(decided.mismatches);
            Ready { packed, culprits: decided.culprits.into_iter().map(with_origin).collect() }
        }
        Kind::Alert => {
            let mut decided = decide::alert(&case);
            let packed = fit::pack(&mut decided, json);
            metrics.count_alert(&decided.result);
            metrics.mismatches.with_label_values(&[kind.as_str()]).inc_by(decided.mismatches);
            Ready { packed, culprits: decided.culprits.into_iter().map(with_origin).collect() }
        }
    }
}

/// Both consumers find the same culprits; the same id makes it one letter, which is counted once. What had no room among the
/// alerts is a letter beside one that the archive's result may have had no room for: they are counted apart.
fn letter_id(batch: &str, index: usize, alert_only: bool) -> String {
    format!("{batch}/evaluator/{index}{}", if alert_only { "/alert" } else { "" })
}

/// Seconds since `received`, in nanoseconds since the Unix epoch.
fn age(received: i64) -> f64 {
    Duration::from_nanos(u64::try_from(unix_nanos().saturating_sub(received)).unwrap_or(0)).as_secs_f64()
}
