//! Gathering batches into commits: until there are enough, or the first has waited long enough.
//!
//! While the archive is away ([`Gate`]) nothing is gathered, and nothing is fetched ahead either: batches belong to whoever
//! can write them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_bus::{Bus, Delivery};
use vedette_proto::bus::v1::ArchiveResult;

use crate::batch::Batch;
use crate::config::Config;
use crate::gate::Gate;
use crate::hand::Hand;
use crate::metrics::Metrics;

/// From this delivery on a batch is not given back for being unreadable.
pub(crate) const CAREFUL: i64 = 4;
/// Until a batch that could not be read is delivered again.
const RETRY: Duration = Duration::from_secs(1);
/// Batches in one commit, since empty ones have no documents to bound it.
const MAX_BATCHES: usize = 1_000;

/// The bounds of a commit.
struct Bounds {
    documents: usize,
    bytes: usize,
    delay: Duration,
}

/// Batches that are written together.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) batches: Vec<Batch>,
    documents: usize,
    bytes: usize,
}

impl Gathered {
    fn push(&mut self, batch: Batch) {
        self.documents += batch.write.documents.len();
        self.bytes += batch.bytes;
        self.batches.push(batch);
    }

    fn is_full(&self, bounds: &Bounds, batches: usize) -> bool {
        self.documents >= bounds.documents || self.bytes >= bounds.bytes || self.batches.len() >= batches
    }
}

/// Gathers until the shutdown, and sends what there is then.
pub(crate) async fn gather(
    bus: Bus,
    config: Config,
    hand: Hand,
    metrics: Metrics,
    shutdown: CancellationToken,
    mut gate: watch::Receiver<Gate>,
    commits: mpsc::Sender<Gathered>,
) {
    let bounds = Bounds {
        documents: config.commit.documents.max(1),
        bytes: config.commit_bytes().max(1),
        delay: Duration::from_millis(config.commit.delay_millis.max(1)),
    };
    let fetch = || bus.archive_results().take_until(shutdown.clone().cancelled_owned()).boxed();
    let mut fetched = None;
    // The place of the next commit is taken before it is gathered: one is written while one is gathered, and no third waits.
    while let Ok(place) = commits.reserve().await {
        if *gate.borrow() == Gate::Closed {
            fetched = None;
            tokio::select! {
                () = shutdown.cancelled() => return,
                reopened = gate.wait_for(|gate| *gate != Gate::Closed) => if reopened.is_err() { return },
            }
        }
        let deliveries = fetched.get_or_insert_with(fetch);
        let trial = *gate.borrow_and_update() != Gate::Open;
        let batches = if trial { 1 } else { MAX_BATCHES };
        let mut gathered = Gathered::default();
        let mut until = None;
        let mut more = true;
        while more && !gathered.is_full(&bounds, batches) {
            let waited = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let delivery = tokio::select! {
                biased;
                _ = gate.wait_for(|gate| *gate == Gate::Closed) => break,
                delivery = deliveries.next() => delivery,
                () = waited => break,
            };
            more = delivery.is_some();
            let Some(delivery) = delivery else { break };
            metrics.pending.set(i64::try_from(delivery.pending).unwrap_or(i64::MAX));
            if let Some(batch) = read(delivery, &hand, &metrics).await {
                gathered.push(batch);
                until.get_or_insert(Instant::now() + bounds.delay);
            }
        }
        if *gate.borrow() == Gate::Closed {
            // Before what was gathered is given back, so that it does not come here again.
            fetched = None;
        }
        let sent = !gathered.batches.is_empty();
        if sent {
            place.send(gathered);
        }
        if !more {
            // The shutdown: the last commit is made in the time that the service has for ending.
            return;
        }
        if trial && sent && gate.changed().await.is_err() {
            return;
        }
    }
}

/// Takes a delivery in hand and makes its documents, off the reactor.
async fn read(mut delivery: Delivery<ArchiveResult>, hand: &Hand, metrics: &Metrics) -> Option<Batch> {
    if let Err(undecodable) = &delivery.message
        && delivery.delivered < CAREFUL
    {
        tracing::warn!(
            batch = %delivery.batch, delivered = delivery.delivered, code = undecodable.error.code(),
            "a result can't be read; it goes back to the broker"
        );
        metrics.given_back.inc();
        if let Err(error) = delivery.retry(RETRY).await {
            tracing::debug!(%error, "a result could not be given back; it comes again by itself");
        }
        return None;
    }
    let result = delivery.message.as_mut().map(std::mem::take).ok();
    let delivery = Arc::new(delivery);
    hand.take(&delivery);
    let Some(result) = result else { return Some(Batch::unreadable(delivery)) };
    let building = Arc::clone(&delivery);
    match tokio::task::spawn_blocking(move || Batch::build(building, result)).await {
        Ok(batch) => Some(batch),
        Err(error) => {
            // The runtime ends. It comes again.
            tracing::error!(%error, "a batch's documents could not be made");
            hand.let_go(&delivery);
            None
        }
    }
}
