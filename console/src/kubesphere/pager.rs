//! Going through many records in constant memory.
//!
//! Engines bound how deep a page may lie, and a page by its number moves when records come in. So each page after the first
//! is asked for by time: from the last record's on, passing over those of that same time that were sent already. That
//! works because records of one time always come in the same order.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use vedette_archive::{Archive, ArchiveError, MAX_WINDOW, Page, Query};

/// Records held at a time. Few, since one may have megabytes; fewer still where they are too large together.
const CHUNK: u64 = 100;

/// The way through the records that match.
pub(crate) struct Pager {
    archive: Arc<dyn Archive>,
    query: Query,
    from: u64,
    newest_first: bool,
    /// Records still wanted; `None`: all.
    left: Option<u64>,
    /// Records to ask for at a time.
    chunk: u64,
    timeout: Duration,
    begun: bool,
    ended: bool,
}

/// Some records.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// How many match the query in all, where this is the first chunk.
    pub(crate) total: u64,
    pub(crate) documents: Vec<Vec<u8>>,
}

/// Why there are no further records.
#[derive(Debug)]
pub(crate) enum End {
    Archive(ArchiveError),
    /// The archive took too long.
    Slow,
    /// More records have the same time than a page may pass over.
    Crowded,
}

/// How records are put into a body.
pub(crate) struct Rows {
    pub(crate) head: String,
    pub(crate) separator: &'static str,
    pub(crate) tail: &'static str,
}

/// The times in a document, in the order in which they count.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Times {
    request_received_timestamp: Option<String>,
    stage_timestamp: Option<String>,
    vedette: Option<Own>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Own {
    received_timestamp: Option<String>,
}

impl Pager {
    /// From record number `from` on, `left` records at most.
    pub(crate) fn new(
        archive: Arc<dyn Archive>,
        timeout: Duration,
        query: Query,
        from: u64,
        newest_first: bool,
        left: Option<u64>,
    ) -> Self {
        Self { archive, query, from, newest_first, left, chunk: CHUNK, timeout, begun: false, ended: false }
    }

    /// The next records; `None` after the last. The first chunk comes also if it is empty, for its total.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>, End> {
        let (size, hits) = loop {
            let size = self.left.unwrap_or(self.chunk).min(self.chunk);
            if self.ended || (self.begun && size == 0) {
                return Ok(None);
            }
            if self.from + size > MAX_WINDOW {
                return Err(End::Crowded);
            }
            let page = Page { from: self.from, size, newest_first: self.newest_first };
            let search = tokio::time::timeout(self.timeout, self.archive.search(&self.query, &page)).await;
            match search.map_err(|_| End::Slow)? {
                Ok(hits) => break (size, hits),
                // More than the archive gives at once. Where these lie, others as large may follow.
                Err(ArchiveError::Invalid { parameter: "size", .. }) if size > 1 => self.chunk = size / 2,
                Err(error) => return Err(End::Archive(error)),
            }
        };
        self.begun = true;
        let found = hits.documents.len() as u64;
        self.ended = found < size;
        self.left = self.left.map(|left| left.saturating_sub(found));
        self.move_on(&hits.documents);
        Ok(Some(Chunk { total: hits.total, documents: hits.documents }))
    }

    /// Sets the query to what follows these records.
    fn move_on(&mut self, documents: &[Vec<u8>]) {
        self.from += documents.len() as u64;
        let Some(last) = documents.last().and_then(|document| time_micros(document)) else { return };
        let first = documents.first().and_then(|document| time_micros(document));
        if first == Some(last) {
            // All of one time: where that time began is not known here, so the number goes on.
            return;
        }
        let of_last = documents.iter().rev().take_while(|document| time_micros(document) == Some(last)).count();
        self.from = of_last as u64;
        match self.newest_first {
            true => self.query.end_micros = Some(last),
            false => self.query.start_micros = Some(last),
        }
    }
}

/// A document's own time, as the archive sorts by it.
fn time_micros(document: &[u8]) -> Option<i64> {
    let times: Times = serde_json::from_slice(document).ok()?;
    let own = times.vedette.and_then(|own| own.received_timestamp);
    let parse = |text: Option<String>| text?.parse::<Timestamp>().ok();
    parse(times.request_received_timestamp)
        .or_else(|| parse(times.stage_timestamp))
        .or_else(|| parse(own))
        .map(Timestamp::as_microsecond)
}

#[cfg(test)]
mod tests {
    use super::time_micros;

    #[test]
    fn a_documents_time_is_the_one_it_is_sorted_by() {
        let check = |document: &str| time_micros(document.as_bytes());
        let own = r#""Vedette":{"EventID":"x","ReceivedTimestamp":"1970-01-01T00:00:03.000000Z"}"#;
        let both = r#""RequestReceivedTimestamp":"1970-01-01T00:00:01.5Z","StageTimestamp":"1970-01-01T00:00:02Z","#;
        assert_eq!(check(&format!("{{{both}{own}}}")), Some(1_500_000));
        assert_eq!(check(&format!("{{\"StageTimestamp\":\"1970-01-01T00:00:02Z\",{own}}}")), Some(2_000_000));
        assert_eq!(check(&format!("{{\"StageTimestamp\":\"never\",{own}}}")), Some(3_000_000));
        assert_eq!(check("{}"), None);
    }
}
