//! A commit's way: documents, the archive, dead letters, books, acknowledgements, in this order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use vedette_archive::{Archive, ArchiveError, BatchReport, Rejected, WriteBatch};
use vedette_bus::{Bus, Delivery, PublishError};
use vedette_proto::bus::v1::ArchiveResult;
use vedette_service::{Component, chain};

use crate::commit::Commit;
use crate::metrics::Metrics;
use crate::prepare::{self, Applied, Aside, Dead};

/// From this delivery on, a result that the engine refuses is taken document by document.
const CAREFUL: i64 = 4;
/// Until a result that could not be applied is delivered again.
const RETRY: Duration = Duration::from_secs(5);
/// Between two attempts, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often the broker hears that work goes on.
const PROGRESS: Duration = Duration::from_secs(8);

/// Applies commits.
pub(crate) struct Sink {
    archive: Arc<dyn Archive>,
    bus: Bus,
    metrics: Metrics,
    component: Component,
    shutdown: CancellationToken,
}

/// The service is stopping before the work could be done; it comes again.
struct Stopped;

impl Sink {
    pub(crate) fn new(
        archive: Arc<dyn Archive>,
        bus: Bus,
        metrics: Metrics,
        component: Component,
        shutdown: CancellationToken,
    ) -> Self {
        Self { archive, bus, metrics, component, shutdown }
    }

    /// Applies a commit; what cannot be applied now goes back to the broker.
    pub(crate) async fn apply(&self, commit: Commit) {
        let (readable, unreadable): (Vec<_>, Vec<_>) = commit.into_iter().partition(|delivery| delivery.message.is_ok());
        for delivery in unreadable {
            self.bury(delivery).await;
        }
        if let Some(last) = readable.last() {
            self.metrics.pending.set(i64::try_from(last.pending).unwrap_or(i64::MAX));
            self.store(readable).await;
        }
    }

    /// Writes the results' documents together; where the engine refuses, one result at a time.
    async fn store(&self, deliveries: Vec<Delivery<ArchiveResult>>) {
        let (batches, asides) = prepare::documents(&deliveries).await;
        let written = alive(&deliveries, self.write(&batches)).await;
        match written {
            Ok(Ok(reports)) => {
                let applied = deliveries.into_iter().zip(reports).zip(asides);
                self.settle(applied.map(|((delivery, report), aside)| Applied::new(delivery, report, aside)).collect())
                    .await;
            }
            Ok(Err(error)) if deliveries.len() == 1 => self.refused(deliveries, batches, asides, &error).await,
            Ok(Err(_)) => {
                for delivery in deliveries {
                    Box::pin(self.store(vec![delivery])).await;
                }
            }
            Err(Stopped) => give_back(&deliveries, Duration::ZERO).await,
        }
    }

    /// Tries until the archive has the documents or refuses them.
    async fn write(&self, batches: &[WriteBatch]) -> Result<Result<Vec<BatchReport>, ArchiveError>, Stopped> {
        let mut pause = PAUSE_MIN;
        loop {
            let started = Instant::now();
            let error = match self.archive.write(batches).await {
                Ok(reports) => {
                    self.metrics.write_seconds.observe(started.elapsed().as_secs_f64());
                    let documents: usize = batches.iter().map(|batch| batch.documents.len()).sum();
                    self.metrics.commit_documents.observe(documents as f64);
                    self.component.ready();
                    return Ok(Ok(reports));
                }
                Err(error) => error,
            };
            let kind = if error.is_retryable() { "unavailable" } else { "refused" };
            self.metrics.failures.with_label_values(&[kind]).inc();
            self.component.unready(chain(&error).to_string());
            if !error.is_retryable() {
                return Ok(Err(error));
            }
            if pause == PAUSE_MIN {
                tracing::warn!(error = %chain(&error), "the archive does not take documents; trying again");
            }
            self.rest(pause).await?;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// A result that the engine refuses for good: after some deliveries its documents are tried one by one. If the engine takes
    /// none of them, it is the engine that is wrong and nothing is given up.
    async fn refused(
        &self,
        mut deliveries: Vec<Delivery<ArchiveResult>>,
        mut batches: Vec<WriteBatch>,
        mut asides: Vec<Aside>,
        error: &ArchiveError,
    ) {
        tracing::error!(error = %chain(error), "the archive refuses a result");
        let (Some(delivery), Some(batch), Some(aside)) = (deliveries.pop(), batches.pop(), asides.pop()) else { return };
        if delivery.delivered < CAREFUL {
            return give_back(&[delivery], RETRY).await;
        }
        let mut report = BatchReport::default();
        let documents = batch.documents.len();
        for (index, document) in batch.documents.into_iter().enumerate() {
            let alone = [WriteBatch { key: batch.key.clone(), documents: vec![document] }];
            match alive(std::slice::from_ref(&delivery), self.write(&alone)).await {
                Ok(Ok(reports)) => {
                    for one in reports {
                        report.stored += one.stored;
                        report.duplicate += one.duplicate;
                        report.rejected.extend(one.rejected.into_iter().map(|found| Rejected { index, ..found }));
                    }
                }
                Ok(Err(error)) => report.rejected.push(Rejected { index, reason: chain(&error).to_string() }),
                Err(Stopped) => return give_back(&[delivery], Duration::ZERO).await,
            }
        }
        if documents > 0 && report.rejected.len() == documents {
            return give_back(&[delivery], RETRY).await;
        }
        self.settle(vec![Applied::new(delivery, report, aside)]).await;
    }

    /// Dead letters, books, acknowledgements.
    async fn settle(&self, applied: Vec<Applied>) {
        let deliveries: Vec<&Delivery<ArchiveResult>> = applied.iter().map(|one| &one.delivery).collect();
        if alive_each(&deliveries, self.persist(&applied)).await.is_err() {
            for one in &applied {
                give_back(std::slice::from_ref(&one.delivery), Duration::ZERO).await;
            }
            return;
        }
        let acks = futures::future::join_all(deliveries.iter().map(|delivery| delivery.ack())).await;
        for error in acks.into_iter().filter_map(Result::err) {
            // It comes again, and reports the same counts again.
            tracing::debug!(error = %chain(&error), "an acknowledgement was not confirmed");
        }
        for one in &applied {
            self.count(one);
        }
    }

    async fn persist(&self, applied: &[Applied]) -> Result<(), Stopped> {
        for one in applied {
            for dead in &one.dead {
                let letter = dead.letter(&one.delivery);
                self.publish("write a dead letter", || self.bus.dead_letter(&letter, &dead.key)).await?;
            }
        }
        for books in prepare::books(applied) {
            self.publish("write the books", || self.bus.write_books(&books)).await?;
        }
        Ok(())
    }

    /// Tries until the broker has it.
    async fn publish<F>(&self, what: &'static str, mut publish: impl FnMut() -> F) -> Result<(), Stopped>
    where
        F: Future<Output = Result<(), PublishError>>,
    {
        let mut pause = PAUSE_MIN;
        loop {
            let Err(error) = publish().await else { return Ok(()) };
            if pause == PAUSE_MIN {
                tracing::warn!(error = %chain(&error), what, "the broker does not take what must be written");
            }
            self.rest(pause).await?;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn rest(&self, pause: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = self.shutdown.cancelled() => Err(Stopped),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// A message that is no archive result becomes a dead letter once it has proved to stay so.
    async fn bury(&self, delivery: Delivery<ArchiveResult>) {
        let Err(undecodable) = &delivery.message else { return };
        if delivery.delivered < CAREFUL {
            return give_back(&[delivery], RETRY).await;
        }
        let dead = Dead {
            key: format!("{}/{}", delivery.stream, delivery.sequence),
            reason: undecodable.error.code(),
            detail: chain(&undecodable.error).to_string(),
            payload: undecodable.payload.clone(),
        };
        let letter = dead.letter(&delivery);
        let written = self.publish("write a dead letter", || self.bus.dead_letter(&letter, &dead.key));
        if alive(std::slice::from_ref(&delivery), written).await.is_ok() {
            self.metrics.dead_lettered.with_label_values(&[dead.reason]).inc();
            let _ = delivery.ack().await;
        }
    }

    fn count(&self, one: &Applied) {
        self.metrics.batches.inc();
        let rejected = one.dead.len() as u64;
        for (outcome, count) in [("stored", one.stored), ("duplicate", one.duplicate), ("rejected", rejected)] {
            self.metrics.events.with_label_values(&[outcome]).inc_by(count);
        }
        for dead in &one.dead {
            self.metrics.dead_lettered.with_label_values(&[dead.reason]).inc();
        }
        if let Ok(result) = &one.delivery.message {
            let age = prepare::now().saturating_sub(result.received_unix_nanos);
            self.metrics.lag_seconds.observe(Duration::from_nanos(u64::try_from(age).unwrap_or(0)).as_secs_f64());
        }
    }
}

/// Runs `work` and keeps telling the broker that the deliveries are in hand.
async fn alive<F: Future>(deliveries: &[Delivery<ArchiveResult>], work: F) -> F::Output {
    alive_each(&deliveries.iter().collect::<Vec<_>>(), work).await
}

async fn alive_each<F: Future>(deliveries: &[&Delivery<ArchiveResult>], work: F) -> F::Output {
    let mut ticks = tokio::time::interval(PROGRESS);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.reset();
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            output = &mut work => return output,
            _ = ticks.tick() => {
                for delivery in deliveries {
                    // Without it the delivery comes again: more work, no loss.
                    let _ = delivery.progress().await;
                }
            }
        }
    }
}

async fn give_back(deliveries: &[Delivery<ArchiveResult>], delay: Duration) {
    for delivery in deliveries {
        if let Err(error) = delivery.retry(delay).await {
            tracing::debug!(error = %chain(&error), "a result could not be given back; it comes again by itself");
        }
    }
}
