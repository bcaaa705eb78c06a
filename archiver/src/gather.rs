//! Gathering batches into commits: until there are enough, or the first has waited long enough.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_bus::{Bus, Delivery};
use vedette_proto::bus::v1::ArchiveResult;

use crate::batch::Batch;
use crate::config::Config;
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

    fn is_full(&self, bounds: &Bounds) -> bool {
        self.documents >= bounds.documents || self.bytes >= bounds.bytes || self.batches.len() >= MAX_BATCHES
    }
}

/// Gathers until the shutdown, and sends what there is then.
pub(crate) async fn gather(
    bus: Bus,
    config: Config,
    hand: Hand,
    metrics: Metrics,
    shutdown: CancellationToken,
    commits: mpsc::Sender<Gathered>,
) {
    let bounds = Bounds {
        documents: config.commit.documents.max(1),
        bytes: config.commit_bytes().max(1),
        delay: Duration::from_millis(config.commit.delay_millis.max(1)),
    };
    let mut deliveries = pin!(bus.archive_results().take_until(shutdown.cancelled_owned()));
    // The place of the next commit is taken before it is gathered: one is written while one is gathered, and no third waits.
    while let Ok(place) = commits.reserve().await {
        let mut gathered = Gathered::default();
        let mut until = None;
        let mut more = true;
        while more && !gathered.is_full(&bounds) {
            let delivery = match until {
                None => deliveries.next().await,
                Some(until) => match tokio::time::timeout_at(until, deliveries.next()).await {
                    Ok(delivery) => delivery,
                    Err(_) => break,
                },
            };
            more = delivery.is_some();
            let Some(delivery) = delivery else { break };
            metrics.pending.set(i64::try_from(delivery.pending).unwrap_or(i64::MAX));
            if let Some(batch) = read(delivery, &hand, &metrics).await {
                gathered.push(batch);
                until.get_or_insert(Instant::now() + bounds.delay);
            }
        }
        if !gathered.batches.is_empty() {
            place.send(gathered);
        }
        if !more {
            // The shutdown: the last commit is made in the time that the service has for ending.
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
