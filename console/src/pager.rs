//! Going through many records in constant memory.
//!
//! Engines bound how deep a page may lie, and a page by its number moves when records come in. So each page after the first
//! begins where the one before ended.

use std::sync::Arc;
use std::time::Duration;

use vedette_archive::{Archive, ArchiveError, Cursor, Page, Query};

use crate::failure::Failure;
use crate::standing::Standing;

/// Records held at a time. Few, since one may have megabytes; fewer still where they are too large together.
const CHUNK: u64 = 100;

/// The way through the records that match.
pub(crate) struct Pager {
    archive: Arc<dyn Archive>,
    standing: Standing,
    /// Without what the caller may see.
    query: Query,
    from: u64,
    newest_first: bool,
    /// Where the last page ended.
    after: Option<Cursor>,
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
    /// What the caller may see can't be told any more.
    Failed(Failure),
}

/// How records are put into a body.
pub(crate) struct Rows {
    pub(crate) head: String,
    pub(crate) separator: &'static str,
    pub(crate) tail: &'static str,
    /// What is written of a record; without it, the record as it is.
    pub(crate) row: Option<Row>,
}

/// Writes a record.
pub(crate) type Row = Box<dyn Fn(&[u8]) -> Vec<u8> + Send>;

impl Rows {
    /// A record a line.
    pub(crate) fn lines() -> Self {
        Self { head: String::new(), separator: "\n", tail: "\n", row: None }
    }
}

impl Pager {
    /// From record number `from` on, `left` records at most.
    pub(crate) fn new(
        archive: Arc<dyn Archive>,
        standing: Standing,
        timeout: Duration,
        query: Query,
        from: u64,
        newest_first: bool,
        left: Option<u64>,
    ) -> Self {
        Self {
            archive,
            standing,
            query,
            from,
            newest_first,
            after: None,
            left,
            chunk: CHUNK,
            timeout,
            begun: false,
            ended: false,
        }
    }

    /// The next records; `None` after the last. The first chunk comes also if it is empty, for its total.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>, End> {
        let hits = loop {
            let size = self.left.unwrap_or(self.chunk).min(self.chunk);
            if self.ended || (self.begun && size == 0) {
                return Ok(None);
            }
            let page = Page {
                from: if self.begun { 0 } else { self.from },
                size,
                newest_first: self.newest_first,
                after: self.after.clone(),
                total: !self.begun,
            };
            let query = self.standing.scope().await.map_err(End::Failed)?.narrow(&self.query);
            let search = tokio::time::timeout(self.timeout, self.archive.search(&query, &page)).await;
            match search.map_err(|_| End::Slow)? {
                Ok(hits) => break hits,
                // More than the archive gives at once. Where these lie, others as large may follow.
                Err(ArchiveError::Invalid { parameter: "size", .. }) if size > 1 => self.chunk = size / 2,
                Err(error) => return Err(End::Archive(error)),
            }
        };
        self.begun = true;
        self.left = self.left.map(|left| left.saturating_sub(hits.documents.len() as u64));
        self.ended = hits.next.is_none();
        self.after = hits.next;
        Ok(Some(Chunk { total: hits.total, documents: hits.documents }))
    }
}
