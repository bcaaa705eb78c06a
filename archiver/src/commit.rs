//! What is written together.
//!
//! A commit costs about the same however much it holds, so results are gathered until there are enough documents or bytes, or
//! the first has waited long enough. A single result may be larger than the bounds; two are never more than the bounds and
//! one result.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_bus::Delivery;
use vedette_proto::bus::v1::ArchiveResult;

use crate::CommitConfig;

/// Results that are applied together.
pub(crate) type Commit = Vec<Delivery<ArchiveResult>>;

/// Gathers commits.
pub(crate) struct Gatherer {
    results: BoxStream<'static, Delivery<ArchiveResult>>,
    bounds: CommitConfig,
    shutdown: CancellationToken,
}

impl Gatherer {
    pub(crate) fn new(
        results: BoxStream<'static, Delivery<ArchiveResult>>,
        bounds: CommitConfig,
        shutdown: CancellationToken,
    ) -> Self {
        Self { results, bounds, shutdown }
    }

    /// The next commit, never empty. `None` once the service is stopping and what was gathered has been given out.
    pub(crate) async fn next(&mut self) -> Option<Commit> {
        let first = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return None,
            first = self.results.next() => first?,
        };
        let until = Instant::now() + Duration::from_millis(self.bounds.delay_millis);
        let (mut documents, mut bytes) = weight(&first);
        let mut commit = vec![first];
        while documents < self.bounds.documents && bytes < self.bounds.bytes {
            let more = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => None,
                () = tokio::time::sleep_until(until) => None,
                more = self.results.next() => more,
            };
            let Some(more) = more else { break };
            let (more_documents, more_bytes) = weight(&more);
            documents += more_documents;
            bytes += more_bytes;
            commit.push(more);
        }
        Some(commit)
    }
}

/// Documents and their bytes.
fn weight(delivery: &Delivery<ArchiveResult>) -> (usize, usize) {
    match &delivery.message {
        Ok(result) => (result.matches.len(), result.matches.iter().map(|kept| kept.json.len()).sum()),
        Err(undecodable) => (0, undecodable.payload.len()),
    }
}
