//! Keeping batches in hand: while one is gathered, written and booked, the broker is told that it is being worked on.
//!
//! One task does so for all of them, since writing to an embedded archive blocks the task that does it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vedette_bus::Delivery;
use vedette_proto::bus::v1::ArchiveResult;

/// A delivery: the message's place in the stream, and how often it has been delivered. One that was given up as lost and
/// its successor can be in hand together.
type Key = (u64, i64);
type InHand = Arc<Mutex<HashMap<Key, Arc<Delivery<ArchiveResult>>>>>;

/// The deliveries that are being worked on. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Hand {
    deliveries: InHand,
}

impl Hand {
    /// Takes a delivery in hand.
    pub(crate) fn take(&self, delivery: &Arc<Delivery<ArchiveResult>>) {
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        deliveries.insert(key(delivery), Arc::clone(delivery));
    }

    /// Lets it go: it has been acknowledged, or given back.
    pub(crate) fn let_go(&self, delivery: &Delivery<ArchiveResult>) {
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        deliveries.remove(&key(delivery));
    }

    /// Reports progress three times in each `ack_wait`, until `stop`.
    pub(crate) async fn report(self, ack_wait: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(ack_wait / 3);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.reset();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let deliveries: Vec<_> =
                self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
            for delivery in deliveries {
                if let Err(error) = delivery.progress().await {
                    tracing::debug!(%error, "progress could not be reported");
                }
            }
        }
    }
}

fn key(delivery: &Delivery<ArchiveResult>) -> Key {
    (delivery.sequence, delivery.delivered)
}
