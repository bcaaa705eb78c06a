//! A whole body to the broker: dead letters first, then its parts, all of them or a refusal.
//!
//! Nothing is undone when one of them fails: the sender's retry has the same names, and the broker keeps the first of
//! each. All of it shares one time budget, because a sender that waits for three seconds must not be told too late.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;
use vedette_bus::{Bus, PublishError};
use vedette_proto::bus::v1::IngestCounts;
use vedette_service::chain;

use crate::{
    intake::{Finished, Letter},
    loss::Loss,
    metrics::Metrics,
    refusal::Refusal,
};

/// Dead letters and parts of one body that are under way at once.
const LETTERS_AT_ONCE: usize = 32;
const PARTS_AT_ONCE: usize = 8;

/// What became of a body's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) received: u64,
    pub(crate) published: u64,
    pub(crate) dropped: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) duplicate: u64,
}

/// Publishes the parts of one body within `limit`, counts them, and tells `loss` what was stored, whatever becomes of the
/// rest.
///
/// # Errors
/// A refusal that says when to send again, if any message was not stored in time.
pub(crate) async fn publish(
    bus: &Bus,
    metrics: &Metrics,
    cluster: &str,
    parts: Vec<Finished>,
    limit: Duration,
    loss: &mut Loss,
) -> Result<Outcome, Refusal> {
    let deadline = Instant::now() + limit;
    let timer = metrics.publish_seconds.start_timer();
    let mut outcome = Outcome::default();
    let result = tokio::time::timeout_at(deadline, store(bus, metrics, cluster, parts, deadline, &mut outcome)).await;
    timer.observe_duration();
    loss.stored(outcome.received);
    match result {
        Ok(Ok(())) => Ok(outcome),
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), code = error.code(), cluster, "events were not published");
            Err(Refusal::from(&error))
        }
        Err(_) => {
            tracing::warn!(limit_milliseconds = limit.as_millis(), cluster, "events were not published in time");
            Err(Refusal::unavailable("the broker did not store the events in time", Duration::from_secs(1)))
        }
    }
}

async fn store(
    bus: &Bus,
    metrics: &Metrics,
    cluster: &str,
    mut parts: Vec<Finished>,
    deadline: Instant,
    outcome: &mut Outcome,
) -> Result<(), PublishError> {
    let mut letters = Vec::new();
    for part in &mut parts {
        let batch = &part.batch;
        letters.extend(std::mem::take(&mut part.letters).into_iter().map(|letter| (letter_id(batch, &letter), letter)));
    }
    stream::iter(letters.into_iter().map(Ok))
        .try_for_each_concurrent(LETTERS_AT_ONCE, |(id, letter)| async move {
            bus.publish_dead_letter("ingest", cluster, letter.code.as_str(), &id, letter.message).await.map(|_| ())
        })
        .await?;
    let mut stored = stream::iter(parts)
        .map(|part| async move {
            let left = deadline.saturating_duration_since(Instant::now());
            let published = bus.publish_events(cluster, &part.batch, &part.counts, part.message, left).await?;
            metrics.count(&part.counts, part.redacted, published.duplicate);
            Ok((part.counts, published.duplicate))
        })
        .buffer_unordered(PARTS_AT_ONCE);
    while let Some((counts, duplicate)) = stored.try_next().await? {
        outcome.add(&counts, duplicate);
    }
    Ok(())
}

/// The name of a letter: the same when the same body comes again, and different for two equal items of one body.
fn letter_id(batch: &str, letter: &Letter) -> String {
    format!("{batch}/{}", letter.index)
}

impl Outcome {
    fn add(&mut self, counts: &IngestCounts, duplicate: bool) {
        self.received += counts.received;
        if duplicate {
            self.duplicate += counts.received;
            return;
        }
        self.published += counts.published;
        self.dropped += counts.dropped.values().sum::<u64>();
        self.dead_lettered += counts.dead_lettered.values().sum::<u64>();
    }
}
