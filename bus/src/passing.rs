//! Seeing results pass without taking them: a plain subscription beside the stream.

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use vedette_proto::bus::v1::ArchiveResult;

use crate::Bus;
use crate::codec::{MAX_RAW_BYTES, decode};

impl Bus {
    /// The archive results that are published from now on, as they pass. Some are missed while the connection is away, or if they
    /// are not read fast enough: whoever must have all of them uses [`Bus::archive_results`]. Ends when the connection is closed.
    pub fn passing_archive_results(&self) -> BoxStream<'static, ArchiveResult> {
        let bus = self.clone();
        let messages = stream::once(async move { bus.client().subscribe("vedette.results.archive.*").await });
        let messages = messages.filter_map(async |subscribed| {
            subscribed.map_err(|error| tracing::warn!(%error, "results can't be watched")).ok()
        });
        // What can't be read is the archiver's to report.
        messages.flatten().filter_map(async |message| decode(&message.payload, MAX_RAW_BYTES).ok()).boxed()
    }
}
