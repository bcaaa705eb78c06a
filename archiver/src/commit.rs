//! Committing: into the archive, into the books, acknowledged. In this order, always.
//!
//! Killed before the archive has a batch, it comes again and is written. Killed before the books have it, it comes again,
//! the archive finds its own documents and reports the same counts, and the books get them. Killed before it is
//! acknowledged, it comes again and is booked again, which readers count once, by its key.
//!
//! While the archive is away the batches go back to the broker, to whoever can write them, and none is taken for a while
//! ([`Gate`]): back-pressure reaches the result stream. That is nobody's fault and makes no dead letters. What an engine
//! refuses for its content ([`ArchiveError::Refused`]) must not hold up the rest: each batch is written by itself then, and
//! one that is refused by itself in its fourth delivery is written document by document. A document refused alone, while
//! the archive takes others, is a culprit and goes to the dead letters. While it takes nothing at all there are pauses, and
//! batches go on being gathered: the next may be taken, and show who the culprit is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field};
use vedette_archive::{Archive, ArchiveError, BatchReport, Rejected, WriteBatch};
use vedette_audit::EventId;
use vedette_bus::{Bus, PublishError, unix_nanos};
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{BookEntry, Books, DeadLetter, book_entry};
use vedette_service::telemetry::SPANS;
use vedette_service::{Component, chain};

use crate::batch::{Batch, Culprit, Tally};
use crate::gate::{Gate, Pauses};
use crate::gather::{CAREFUL, Gathered};
use crate::hand::Hand;
use crate::metrics::Metrics;

/// Attempts to write a commit before its batches are given back, when the archive worked until now.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Until batches that were given back are delivered again.
const GIVEN_BACK: Duration = Duration::from_secs(2);
/// How long a write may take after the shutdown has begun.
const LAST: Duration = Duration::from_secs(5);
/// Acknowledgements under way at a time.
const ACKNOWLEDGING: usize = 32;
/// Entries in one message of the books.
const ENTRIES: usize = 500;

/// What commits.
pub(crate) struct Committer {
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) bus: Bus,
    pub(crate) hand: Hand,
    pub(crate) metrics: Metrics,
    /// Readiness of the archive and of the broker.
    pub(crate) archive_ready: Component,
    pub(crate) broker_ready: Component,
    pub(crate) shutdown: CancellationToken,
}

/// A batch that is in the archive.
struct Written {
    batch: Batch,
    tally: Tally,
    rejected: u64,
}

/// What a commit says about the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Archives {
    /// It takes what it is given, but for what is refused by itself.
    Works,
    /// It answers, and took nothing of the commit.
    Refuses,
    /// It can't now.
    Away,
    /// It was not asked: there was no document.
    Untried,
}

/// The service stops before the work is done.
struct Stopped;

impl Committer {
    /// Commits what is gathered, until there is no more.
    pub(crate) async fn run(self, mut commits: mpsc::Receiver<Gathered>, gate: watch::Sender<Gate>) {
        let (mut pauses, mut refusals) = (Pauses::default(), 0);
        while let Some(gathered) = commits.recv().await {
            let now = *gate.borrow();
            let span = span(&gathered.batches);
            let (written, failed, archive) = self.write(gathered.batches, now).instrument(span.clone()).await;
            if matches!(archive, Archives::Refuses | Archives::Away) {
                span.record("otel.status_code", "ERROR");
            }
            // Before anything goes back to the broker, so that it does not come here again.
            gate.send_replace(match archive {
                Archives::Works | Archives::Refuses => Gate::Open,
                Archives::Away => Gate::Closed,
                Archives::Untried => now,
            });
            if let Err((Stopped, unsettled)) = self.settle(written).instrument(span).await {
                self.give_back(unsettled).await;
            }
            self.give_back(failed).await;
            match archive {
                Archives::Works => (pauses, refusals) = (Pauses::default(), 0),
                Archives::Refuses => {
                    refusals += 1;
                    // Stopped, there is nothing more to come than what is gathered.
                    let _ = self.pause(refusals).await;
                }
                Archives::Away => {
                    self.keep_closed(&mut commits, pauses.next()).await;
                    gate.send_replace(Gate::Ajar);
                }
                Archives::Untried => {}
            }
        }
    }

    /// Gives back what was gathered before the gate closed, until it is time to try again.
    async fn keep_closed(&self, commits: &mut mpsc::Receiver<Gathered>, pause: Duration) {
        let end = Instant::now() + pause;
        while let Ok(Some(gathered)) = tokio::time::timeout_at(end.into(), commits.recv()).await {
            self.give_back(gathered.batches).await;
        }
    }

    /// Writes the batches, and tells those that are in the archive from those that have to come again.
    async fn write(&self, batches: Vec<Batch>, gate: Gate) -> (Vec<Written>, Vec<Batch>, Archives) {
        let count: usize = batches.iter().map(|batch| batch.write.documents.len()).sum();
        self.metrics.commit_documents.observe(count as f64);
        self.metrics.commit_batches.observe(batches.len() as f64);
        let (batches, mut writes): (Vec<Batch>, Vec<WriteBatch>) = batches
            .into_iter()
            .map(|mut batch| {
                let documents = std::mem::take(&mut batch.write.documents);
                let write = WriteBatch { key: batch.write.key.clone(), documents };
                (batch, write)
            })
            .unzip();
        let (reports, archive) = if count == 0 {
            (vec![Some(BatchReport::default()); writes.len()], Archives::Untried)
        } else {
            self.attempts(&batches, &writes, if gate == Gate::Open { ATTEMPTS } else { 1 }).await
        };
        let (mut written, mut failed) = (Vec::new(), Vec::new());
        for ((mut batch, write), report) in batches.into_iter().zip(writes.drain(..)).zip(reports) {
            batch.write = write;
            match report {
                Some(report) => written.push(reported(batch, report)),
                None => failed.push(batch),
            }
        }
        (written, failed, archive)
    }

    /// The reports of the batches that are in the archive.
    async fn attempts(
        &self,
        batches: &[Batch],
        writes: &[WriteBatch],
        attempts: u32,
    ) -> (Vec<Option<BatchReport>>, Archives) {
        for attempt in 1..=attempts {
            let error = match self.once(writes).await {
                Ok(reports) => {
                    self.archive_ready.ready();
                    return (reports.into_iter().map(Some).collect(), Archives::Works);
                }
                Err(error) => error,
            };
            tracing::warn!(attempt, error = %chain(&error), "the archive did not take a commit");
            if !error.is_retryable() {
                // Tried again at once it would be refused again: what is refused comes again in its next delivery.
                let (reports, archive) = self.isolate(batches, writes).await;
                if archive != Archives::Works {
                    self.archive_ready.unready(error.to_string());
                }
                return (reports, archive);
            }
            self.archive_ready.unready(error.to_string());
            if attempt == attempts {
                break;
            }
            self.metrics.retries.inc();
            if self.pause(attempt).await.is_err() {
                break;
            }
        }
        (vec![None; writes.len()], Archives::Away)
    }

    /// Writes each batch by itself, and what is refused by itself for the fourth time, document by document.
    async fn isolate(&self, batches: &[Batch], writes: &[WriteBatch]) -> (Vec<Option<BatchReport>>, Archives) {
        let mut reports = vec![None; writes.len()];
        let mut refused = Vec::new();
        let mut works = false;
        for ((index, write), report) in writes.iter().enumerate().zip(&mut reports) {
            match self.once(std::slice::from_ref(write)).await {
                Ok(single) => {
                    works |= !write.documents.is_empty();
                    *report = single.into_iter().next();
                }
                Err(error) if error.is_retryable() => return (reports, Archives::Away),
                Err(_) => refused.push(index),
            }
        }
        for index in refused {
            if let (Some(batch), Some(write)) = (batches.get(index), writes.get(index))
                && batch.delivery.delivered >= CAREFUL
                && let Some(report) = reports.get_mut(index)
            {
                match self.one_by_one(write, works).await {
                    Ok(single) => *report = single,
                    Err(_) => return (reports, Archives::Away),
                }
                works |= report.is_some();
            }
        }
        (reports, if works { Archives::Works } else { Archives::Refuses })
    }

    /// Writes a batch document by document. `None` if the archive has taken nothing at all, an error if it goes away.
    async fn one_by_one(&self, write: &WriteBatch, mut works: bool) -> Result<Option<BatchReport>, ArchiveError> {
        let mut report = BatchReport::default();
        let mut reasons: HashMap<EventId, Option<String>> = HashMap::new();
        for (index, document) in write.documents.iter().enumerate() {
            match reasons.get(&document.id) {
                Some(None) => {
                    report.duplicate += 1;
                    continue;
                }
                Some(Some(reason)) => {
                    report.rejected.push(Rejected { index, reason: reason.clone() });
                    continue;
                }
                None => {}
            }
            let single = WriteBatch { key: write.key.clone(), documents: vec![document.clone()] };
            let reason = match self.once(std::slice::from_ref(&single)).await {
                Ok(singles) => {
                    works = true;
                    let single = singles.into_iter().next().unwrap_or_default();
                    report.stored += single.stored;
                    report.duplicate += single.duplicate;
                    single.rejected.into_iter().next().map(|rejected| rejected.reason)
                }
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => Some(chain(&error).to_string()),
            };
            report.rejected.extend(reason.clone().map(|reason| Rejected { index, reason }));
            reasons.insert(document.id, reason);
        }
        Ok(works.then_some(report))
    }

    async fn once(&self, writes: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError> {
        let started = Instant::now();
        let overdue = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(LAST).await;
        };
        let written = tokio::select! {
            biased;
            written = self.archive.write(writes) => written,
            () = overdue => Err(ArchiveError::Unavailable {
                message: "it did not answer before the service had to stop".to_owned(),
                source: None,
            }),
        };
        self.metrics.write_seconds.observe(started.elapsed().as_secs_f64());
        written
    }

    /// Writes dead letters and books, then acknowledges.
    async fn settle(&self, written: Vec<Written>) -> Result<(), (Stopped, Vec<Batch>)> {
        let unsettled = |written: Vec<Written>| written.into_iter().map(|written| written.batch).collect();
        for Written { batch, .. } in &written {
            for culprit in &batch.culprits {
                let letter = letter(batch, culprit);
                // The same id makes it one letter however often the batch comes.
                let id = format!("{}/archiver/{}", batch.delivery.batch, culprit.key);
                match self.persist(|| async { self.bus.dead_letter(&letter, &id).await.map(|_| ()) }).await {
                    Ok(()) => self.metrics.dead_letters.with_label_values(&[culprit.reason]).inc(),
                    Err(Stopped) => return Err((Stopped, unsettled(written))),
                }
            }
        }
        let mut by_cluster: BTreeMap<&str, Vec<BookEntry>> = BTreeMap::new();
        for Written { batch, tally, rejected } in written.iter().filter(|written| written.batch.has_books()) {
            let applied = book_entry::Applied::Archive(batch.entry(*tally, *rejected));
            let entry = BookEntry { batch: batch.delivery.batch.clone(), applied: Some(applied) };
            by_cluster.entry(&batch.cluster).or_default().push(entry);
        }
        let mut books = Vec::new();
        for (cluster, entries) in by_cluster {
            for entries in entries.chunks(ENTRIES) {
                let entries = entries.to_vec();
                books.push(Books { service: "archiver".to_owned(), cluster: cluster.to_owned(), entries });
            }
        }
        for books in books {
            if self.persist(|| self.bus.write_books(&books)).await.is_err() {
                return Err((Stopped, unsettled(written)));
            }
        }
        let acknowledged = futures::stream::iter(&written).for_each_concurrent(ACKNOWLEDGING, |written| async {
            self.count(written);
            // Unconfirmed, it comes again, and everything about it is known by its key.
            if let Err(error) = written.batch.delivery.ack().await {
                tracing::debug!(error = %chain(&error), "an acknowledgement was not confirmed");
            }
            self.hand.let_go(&written.batch.delivery);
        });
        acknowledged.await;
        Ok(())
    }

    fn count(&self, written: &Written) {
        let Written { batch, tally, rejected } = written;
        for (outcome, count) in [("stored", tally.stored), ("duplicate", tally.duplicate), ("rejected", *rejected)] {
            self.metrics.events.with_label_values(&[outcome]).inc_by(count);
        }
        self.metrics.batches.inc();
        let age = unix_nanos().saturating_sub(batch.received_unix_nanos);
        self.metrics.lag_seconds.observe(Duration::from_nanos(u64::try_from(age).unwrap_or(0)).as_secs_f64());
    }

    async fn give_back(&self, batches: Vec<Batch>) {
        let delay = if self.shutdown.is_cancelled() { Duration::ZERO } else { GIVEN_BACK };
        for batch in batches {
            self.hand.let_go(&batch.delivery);
            self.metrics.given_back.inc();
            if let Err(error) = batch.delivery.retry(delay).await {
                tracing::debug!(error = %chain(&error), "a batch could not be given back; it comes again by itself");
            }
        }
    }

    /// Tries until the broker has taken it, or the service stops. What a broker refuses for good is tried again too: it is
    /// accounting, and must not be skipped.
    async fn persist<F>(&self, mut publish: impl FnMut() -> F) -> Result<(), Stopped>
    where
        F: Future<Output = Result<(), PublishError>>,
    {
        let mut attempt = 0;
        loop {
            let error = match publish().await {
                Ok(()) => {
                    self.broker_ready.ready();
                    return Ok(());
                }
                Err(error) => error,
            };
            attempt += 1;
            self.metrics.retries.inc();
            self.broker_ready.unready(error.to_string());
            if error.retry_after().is_none() {
                tracing::error!(error = %chain(&error), "the broker refuses books or a dead letter");
            }
            self.pause(attempt).await?;
        }
    }

    /// Waits, twice as long each time and half of it by chance, or until the shutdown.
    async fn pause(&self, attempt: u32) -> Result<(), Stopped> {
        let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
        let pause = longest.mul_f64(0.5 + 0.5 * fastrand::f64());
        tokio::select! {
            () = self.shutdown.cancelled() => Err(Stopped),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }
}

/// The span of one commit, linked to those of the batches in it.
fn span(batches: &[Batch]) -> Span {
    let span = tracing::info_span!(
        target: SPANS,
        "commit",
        otel.kind = "consumer",
        otel.status_code = field::Empty,
        messaging.system = "nats",
        messaging.operation.name = "process",
        messaging.batch.message_count = batches.len() as i64,
        vedette.documents = batches.iter().map(|batch| batch.write.documents.len()).sum::<usize>() as i64,
    );
    for batch in batches {
        batch.delivery.trace.is_linked_to(&span);
    }
    span
}

/// Takes what the archive rejected into the batch's dead letters.
fn reported(mut batch: Batch, report: BatchReport) -> Written {
    let rejected = (batch.culprits.len() + report.rejected.len()) as u64;
    for rejected in report.rejected {
        // An event that is twice in the batch is two rejected events and, by its key, one letter.
        batch.culprits.extend(batch.culprit(rejected.index, "refused_by_archive", rejected.reason));
    }
    Written { batch, tally: Tally { stored: report.stored, duplicate: report.duplicate }, rejected }
}

fn letter(batch: &Batch, culprit: &Culprit) -> DeadLetter {
    DeadLetter {
        service: "archiver".to_owned(),
        cluster: batch.cluster.clone(),
        reason: culprit.reason.to_owned(),
        detail: culprit.detail.clone(),
        unix_nanos: unix_nanos(),
        batch: batch.delivery.batch.clone(),
        payload: culprit.payload.clone(),
        origin: culprit.origin.clone().map(Origin::Match),
    }
}
