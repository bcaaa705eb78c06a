//! The end of a message's way: dead letters, then the alert log, then the books, then the acknowledgement.
//!
//! In this order, so that whatever is killed in between is done again and not lost: a dead letter, an alert in the log and an
//! entry of the books that are written twice count once, by their keys. What has come while one round is written goes into the
//! next together, so log and books cost a synced write each a cluster and round, not one a message.
//!
//! The log is for looking at, and alerts must not wait for it. A broker that is away is waited for, as it is for the books:
//! nothing could be acknowledged without it. Where the broker is there and does not take the log for [`LOG_PATIENCE`] (no such
//! stream, no room), the alerts go on without it. They are delivered, and the books count them; that the log lacks them is not
//! silent: each counts in `vedette_alerter_alerts_unlogged_total`, and an error is logged where that begins and where it ends.
//! Health says nothing of it: an alerter that is not ready is replaced, and there would be no gain from that. For [`LOG_PAUSE`] after
//! a refusal nothing is tried, so that rounds of a busy alerter don't wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_bus::{Bus, Delivery, PublishError};
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{
    AlertEntry, AlertOrigin, AlertResult, BookEntry, Books, DeadLetter, LoggedAlert, book_entry,
};
use vedette_service::chain;

use crate::lane::Rejection;
use crate::log;
use crate::metrics::Metrics;
use crate::notice::{self, Notice};
use crate::payload;

/// The name under which the alerter keeps books and leaves dead letters.
const SERVICE: &str = "alerter";
/// Messages settled in one round at most.
const ROUND: usize = 256;
/// Bytes of alerts that may wait to be settled.
const WAITING_BYTES: usize = 32 << 20;
/// How often the broker is tried again while it refuses what must be written.
const RETRY: Duration = Duration::from_secs(1);
/// How long a broker that is there may refuse the alert log.
const LOG_PATIENCE: Duration = Duration::from_secs(10);
/// How long the alert log is not tried after that.
const LOG_PAUSE: Duration = Duration::from_secs(10);
/// How often the broker hears that work goes on meanwhile.
const PROGRESS_EVERY: u32 = 8;

/// A message whose alerts need nothing more.
#[derive(Debug)]
pub(crate) struct Settled {
    delivery: Delivery<AlertResult>,
    /// What was done with its alerts; none if the message could not be read.
    entry: Option<AlertEntry>,
    dead: Vec<DeadAlert>,
    /// What the alert log is to say of its alerts.
    logged: Vec<LoggedAlert>,
    /// About how many bytes that is.
    bytes: usize,
}

/// An alert that could not be delivered.
#[derive(Debug)]
pub(crate) struct DeadAlert {
    key: String,
    reason: &'static str,
    detail: String,
    payload: Vec<u8>,
    /// What it takes to send it again.
    pub(crate) origin: Option<AlertOrigin>,
}

/// The entrance of the settling task.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    sender: mpsc::UnboundedSender<Settled>,
    waiting: Arc<Waiting>,
}

/// What waits for the settling task.
#[derive(Debug, Default)]
struct Waiting {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// The settling task.
pub(crate) struct Settler {
    bus: Bus,
    metrics: Metrics,
    clock: Arc<dyn crate::Clock>,
    inbox: mpsc::UnboundedReceiver<Settled>,
    waiting: Arc<Waiting>,
    /// Since the broker refused the alert log: when it is tried again.
    log_again: Option<Instant>,
    /// After this nothing is tried a second time.
    stop: CancellationToken,
}

impl Settled {
    /// A message with what was done about its alerts.
    pub(crate) fn new(
        delivery: Delivery<AlertResult>,
        mut entry: AlertEntry,
        dead: Vec<DeadAlert>,
        logged: Vec<LoggedAlert>,
    ) -> Self {
        entry.counts = delivery.message.as_ref().ok().and_then(|result| result.counts);
        let bytes = logged.iter().filter_map(|it| it.alert.as_ref()).map(log::weight).sum();
        Self { delivery, entry: Some(entry), dead, logged, bytes }
    }

    /// A message that is none: it becomes a dead letter.
    pub(crate) fn undecodable(delivery: Delivery<AlertResult>) -> Self {
        let dead = delivery.message.as_ref().err().map(|bad| DeadAlert {
            key: format!("{}/{}", delivery.stream, delivery.sequence),
            reason: bad.error.code(),
            detail: chain(&bad.error).to_string(),
            payload: bad.payload.to_vec(),
            origin: None,
        });
        Self { delivery, entry: None, dead: dead.into_iter().collect(), logged: Vec::new(), bytes: 0 }
    }
}

impl DeadAlert {
    /// The letter for an alert that a receiver will not take. It holds the alert as it was sent.
    pub(crate) fn new(batch: &str, receiver: &str, rejection: &Rejection, notice: &Notice, now: Timestamp) -> Self {
        // By the alert and not by its place: when the message comes again, the budget may make other notices of it.
        let refused = notice::fnv([receiver, notice.labels.get("rule_id")]);
        Self {
            key: format!("{batch}/alert/{}/{refused:016x}", notice.event_id),
            reason: rejection.reason,
            detail: rejection.detail.clone(),
            payload: serde_json::Value::Object(payload::alert(notice, now)).to_string().into_bytes(),
            origin: None,
        }
    }
}

impl Outbox {
    /// Hands a message over.
    pub(crate) fn put(&self, settled: Settled) {
        self.waiting.messages.fetch_add(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_add(settled.bytes, Ordering::Relaxed);
        // The settling task ends after whoever holds this.
        let _ = self.sender.send(settled);
    }

    /// Whether so much waits already that nothing new should be begun.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.messages.load(Ordering::Relaxed) >= 4 * ROUND
            || self.waiting.bytes.load(Ordering::Relaxed) >= WAITING_BYTES
    }
}

impl Settler {
    pub(crate) fn new(
        bus: Bus,
        metrics: Metrics,
        clock: Arc<dyn crate::Clock>,
        stop: CancellationToken,
    ) -> (Outbox, Self) {
        let (sender, inbox) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::default());
        let outbox = Outbox { sender, waiting: Arc::clone(&waiting) };
        (outbox, Self { bus, metrics, clock, inbox, waiting, log_again: None, stop })
    }

    /// Settles until every [`Outbox`] is gone.
    pub(crate) async fn run(mut self) {
        let mut round = Vec::new();
        while self.inbox.recv_many(&mut round, ROUND).await > 0 {
            let count = round.len();
            let bytes = round.iter().map(|settled: &Settled| settled.bytes).sum();
            if self.write(&round).await {
                self.acknowledge(&round).await;
                self.metrics.batches.inc_by(count as u64);
            }
            self.waiting.messages.fetch_sub(count, Ordering::Relaxed);
            self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
            round.clear();
        }
    }

    /// Writes dead letters, log and books. False if that was given up: nothing may be acknowledged then.
    async fn write(&mut self, round: &[Settled]) -> bool {
        for settled in round {
            for dead in &settled.dead {
                if !self.bury(settled, dead, round).await {
                    return false;
                }
            }
        }
        if !self.log(round).await {
            return false;
        }
        for books in books(round) {
            let written = self.persist(round, "write the books", None, || self.bus.write_books(&books)).await;
            match written {
                Ok(Some(())) => {}
                Ok(None) => return false,
                // Alerts must not stop for the sake of their books; that the books lack them is said aloud.
                Err(error) => tracing::error!(error = %chain(&error), "an entry of the books is lost"),
            }
        }
        true
    }

    /// Writes the alert log, as far as the broker takes it. False if that was given up at the end.
    async fn log(&mut self, round: &[Settled]) -> bool {
        let batches = round.iter().map(|it| (&*it.delivery.cluster, &*it.delivery.batch, it.logged.as_slice()));
        for part in log::parts(batches) {
            let alerts = part.log.alerts.len() as u64;
            if self.log_again.is_some_and(|again| Instant::now() < again) {
                self.metrics.unlogged.with_label_values(&["paused"]).inc_by(alerts);
                continue;
            }
            // What is refused already gets one attempt.
            let patience = if self.log_again.is_some() { Duration::ZERO } else { LOG_PATIENCE };
            let write = || self.bus.log_alerts(&part.log, &part.batches, part.number);
            match self.persist(round, "write the alert log", Some(patience), write).await {
                Ok(Some(_)) => {
                    if self.log_again.take().is_some() {
                        tracing::info!("the broker takes the alert log again");
                    }
                }
                Ok(None) => return false,
                Err(error) => {
                    self.metrics.unlogged.with_label_values(&[error.code()]).inc_by(alerts);
                    // What this message alone is refused for is no reason to keep others back, nor to try them less often.
                    if error.retry_after().is_none() {
                        tracing::error!(error = %chain(&error), alerts, "the alert log lacks alerts that it cannot hold");
                    } else if self.log_again.replace(Instant::now() + LOG_PAUSE).is_none() {
                        tracing::error!(error = %chain(&error), "alerts go on without the alert log, which the broker refuses");
                    }
                }
            }
        }
        true
    }

    async fn bury(&self, settled: &Settled, dead: &DeadAlert, round: &[Settled]) -> bool {
        let now = self.clock.now().as_nanosecond();
        let mut letter = DeadLetter {
            service: SERVICE.to_owned(),
            cluster: settled.delivery.cluster.clone(),
            reason: dead.reason.to_owned(),
            detail: dead.detail.clone(),
            unix_nanos: i64::try_from(now).unwrap_or(i64::MAX),
            batch: settled.delivery.batch.clone(),
            payload: dead.payload.clone().into(),
            origin: dead.origin.clone().map(Box::new).map(Origin::Alert),
        };
        loop {
            let write = || self.bus.dead_letter(&letter, &dead.key);
            match self.persist(round, "write a dead letter", None, write).await {
                Ok(Some(written)) => {
                    self.metrics.dead_lettered.with_label_values(&[dead.reason]).inc_by(u64::from(!written.duplicate));
                    return true;
                }
                Ok(None) => return false,
                Err(error) if letter.payload.is_empty() => {
                    tracing::error!(error = %chain(&error), reason = dead.reason, "a dead letter is lost");
                    return true;
                }
                // It may be too large for the broker: then that it was, and why, is better than nothing.
                Err(_) => letter.payload.clear(),
            }
        }
    }

    /// Tries until the broker has it. None: given up at the end; an error: it can never succeed, or did not within this time
    /// of a broker that is there.
    async fn persist<F, T>(
        &self,
        round: &[Settled],
        what: &'static str,
        patience: Option<Duration>,
        mut write: impl FnMut() -> F,
    ) -> Result<Option<T>, PublishError>
    where
        F: Future<Output = Result<T, PublishError>>,
    {
        let mut refused_since: Option<Instant> = None;
        for attempt in 0_u32.. {
            let error = match write().await {
                Ok(written) => return Ok(Some(written)),
                Err(error) if error.retry_after().is_none() => return Err(error),
                Err(error) => error,
            };
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            if error.is_away() {
                refused_since = None;
            } else if patience.is_some_and(|most| refused_since.get_or_insert_with(Instant::now).elapsed() >= most) {
                return Err(error);
            }
            if attempt == 0 {
                tracing::warn!(error = %chain(&error), what, "the broker does not take what must be written");
            }
            if attempt % PROGRESS_EVERY == 0 {
                for settled in round {
                    // Without it, the message comes again: more work, no loss.
                    let _ = settled.delivery.progress().await;
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
        Ok(None)
    }

    async fn acknowledge(&self, round: &[Settled]) {
        let acks = round.iter().map(|settled| settled.delivery.ack());
        for ack in futures::future::join_all(acks).await {
            if let Err(error) = ack {
                // It comes again; its alerts go out twice, its books count once.
                tracing::debug!(error = %chain(&error), "acknowledge an alert result");
            }
        }
    }
}

/// The books of a round, by cluster.
fn books(round: &[Settled]) -> Vec<Books> {
    let mut clusters: BTreeMap<&str, Vec<BookEntry>> = BTreeMap::new();
    for settled in round {
        let Some(entry) = settled.entry else { continue };
        let entry =
            BookEntry { batch: settled.delivery.batch.clone(), applied: Some(book_entry::Applied::Alert(entry)) };
        clusters.entry(&settled.delivery.cluster).or_default().push(entry);
    }
    let books = |(cluster, entries): (&str, Vec<BookEntry>)| Books {
        service: SERVICE.to_owned(),
        cluster: cluster.to_owned(),
        entries,
    };
    clusters.into_iter().map(books).collect()
}

#[cfg(test)]
mod tests {
    use vedette_proto::bus::v1::Alert;

    use super::{DeadAlert, Rejection};
    use crate::notice::{Detail, Draft, Labels};

    /// The key of the letter for an alert of this event and rule that a receiver refused.
    fn key(receiver: &str, event: u8, rule: &str, detail: Detail, place: usize) -> String {
        let alert = Alert { event_id: vec![event; 16].into(), rule_id: format!("ns/r/{rule}"), ..Alert::default() };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let labels = Labels::of(&alert, "c", detail);
        let (stands_for, console_url) = (Vec::new(), None);
        let draft = Draft { alert: &alert, labels, detail, count: 1, stands_for, received: now, now, console_url };
        let rejection = Rejection { notice: place, reason: "receiver_refused", detail: String::new() };
        DeadAlert::new("b1", receiver, &rejection, &draft.finish(), now).key
    }

    #[test]
    fn a_letter_is_named_by_its_alert_wherever_that_stands_in_the_batch() {
        let letter = key("pager", 1, "Exec", Detail::Full, 3);
        assert!(letter.starts_with("b1/alert/01010101010101010101010101010101/"), "{letter}");
        assert_eq!(letter, key("pager", 1, "Exec", Detail::Everything, 0), "delivered again, with another budget");
        for other in [
            key("pager", 2, "Exec", Detail::Full, 3),
            key("pager", 1, "Attach", Detail::Full, 3),
            key("mail", 1, "Exec", Detail::Full, 3),
        ] {
            assert_ne!(letter, other);
        }
    }
}
