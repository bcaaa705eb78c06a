//! What "stored" means: one trait and two engines behind it.
//!
//! The archiver writes and the console reads through [`Archive`] alone, so that a query means the same whatever engine
//! holds the records: the embedded one (a Tantivy index for each UTC day) or Elasticsearch/OpenSearch. One conformance
//! suite (`tests/it.rs`) compares every engine with a naive filter over the same real events.
//!
//! Two rules hold everywhere. A write that returned `Ok` is on disk as far as the engine can say so, and an event's id
//! makes a second write of it no write. And whatever goes wrong is one of three things: the engine is away (try again),
//! the question is wrong (say which parameter), or one document is refused (and only that one).

mod by;
pub mod config;
mod day;
mod embedded;
mod error;
mod field;
mod filter;
mod fold;
mod interval;
mod query;
mod search;

use std::sync::Arc;

use async_trait::async_trait;
use vedette_audit::document::Document;

pub use by::By;
pub use config::{Config, Engine, Mode};
pub use error::{ArchiveError, OpenError};
pub use field::{Field, FieldError, Number};
pub use filter::{Filter, Pattern, Piece};
pub use interval::{Interval, IntervalError};
pub use query::{
    Cursor, CursorError, MAX_BUCKETS, MAX_CONDITIONS, MAX_DEPTH, MAX_FACETS, MAX_GROUPS, MAX_PAGE_BYTES, MAX_PARTS,
    MAX_TERMS, MAX_TEXT, MAX_TOP, MAX_WINDOW, Page, Query,
};

/// A place where documents are kept and found.
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// Stores the documents, each once whatever is written again. Returns one report for each batch, in order, when all
    /// of them are durable.
    ///
    /// # Errors
    /// Nothing may be taken as stored then, though some documents can be: write the same batches again. An error whose
    /// [`ArchiveError::is_retryable`] is false comes again however often it is tried.
    async fn write(&self, batches: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError>;

    /// The documents that match, sorted by time and then by event id, and how many match in all where the page asks for it.
    ///
    /// # Errors
    /// [`ArchiveError::Invalid`] for a page beyond [`MAX_WINDOW`] or an oversize query; otherwise the engine's trouble.
    async fn search(&self, query: &Query, page: &Page) -> Result<Hits, ArchiveError>;

    /// How many documents match and how many distinct audit ids they have.
    ///
    /// # Errors
    /// As for [`Archive::search`].
    async fn statistics(&self, query: &Query) -> Result<Statistics, ArchiveError>;

    /// How many documents match in each interval, by time, without the empty ones (see [`Interval::fill`]).
    ///
    /// # Errors
    /// As for [`Archive::search`]; [`ArchiveError::Invalid`] for more than [`MAX_BUCKETS`] buckets.
    async fn histogram(&self, query: &Query, interval: Interval) -> Result<Vec<Bucket>, ArchiveError>;

    /// For each of these fields, its most frequent values among the documents that match, at most `limit` (up to
    /// [`MAX_TOP`]) of them: the most frequent first, of equally frequent ones the lesser first; `""` counts the documents
    /// without a value. A document with several values counts for each.
    ///
    /// # Errors
    /// As for [`Archive::search`]; [`ArchiveError::Invalid`] for a field that is not [`Field::is_groupable`] or more than
    /// [`MAX_FACETS`] fields. For more than [`MAX_GROUPS`] different values of a field the embedded engine fails likewise;
    /// search engines answer, with counts that are exact up to 10,000 different values a day.
    async fn facets(&self, query: &Query, by: &[By], limit: usize) -> Result<Vec<Facet>, ArchiveError>;

    /// The documents that match, grouped by one field or two: the largest `limit` (up to [`MAX_TOP`]) groups, and how many
    /// there are. Counts are exact.
    ///
    /// # Errors
    /// As for [`Archive::facets`]; [`ArchiveError::Invalid`] for more than [`MAX_GROUPS`] groups.
    async fn group(&self, query: &Query, by: &[By], limit: usize) -> Result<Groups, ArchiveError>;

    /// How many documents match.
    ///
    /// # Errors
    /// As for [`Archive::search`].
    async fn count(&self, query: &Query) -> Result<u64, ArchiveError>;

    /// Drops each UTC day that ended at or before this instant (microseconds since the Unix epoch).
    ///
    /// # Errors
    /// The engine's trouble; days dropped so far stay dropped.
    async fn purge(&self, older_than_micros: i64) -> Result<Purged, ArchiveError>;

    /// Whether the archive can take and answer now. Never fails: trouble is what it reports.
    async fn health(&self) -> Health;

    /// What people should know though nothing fails: who else deletes what is stored, what is there and not shown. Never
    /// fails; [`Archive::health`] says the same in its detail.
    async fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Drops the oldest days while the archive is larger than it may be, or leaves too little of the disk free; never the
    /// newest. Engines that are not ours to size drop nothing.
    ///
    /// # Errors
    /// The engine's trouble; days dropped so far stay dropped.
    async fn trim(&self) -> Result<Purged, ArchiveError> {
        Ok(Purged::default())
    }

    /// The UTC days that have documents, the oldest first.
    ///
    /// # Errors
    /// The engine's trouble.
    async fn days(&self) -> Result<Vec<DaySize>, ArchiveError>;

    /// What the archive holds now.
    ///
    /// # Errors
    /// The engine's trouble.
    async fn size(&self) -> Result<Size, ArchiveError> {
        let days = self.days().await?;
        Ok(Size {
            events: days.iter().map(|day| day.events).sum(),
            days: days.len() as u64,
            bytes: days.iter().map(|day| day.bytes).sum(),
        })
    }
}

/// Documents that came together.
#[derive(Clone, Debug)]
pub struct WriteBatch {
    /// What tells this batch from others, the same however often it is delivered: the id of its event message, at most 128
    /// bytes. Every document keeps the key of the batch that stored it, so that a batch which was applied already, in
    /// whole or in part, reports the same counts again.
    pub key: String,
    /// What to store, in order.
    pub documents: Vec<Document>,
}

/// What became of one batch: `stored + duplicate + rejected.len()` is the number of its documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// In the archive because of this batch (of this delivery or of an earlier one).
    pub stored: u64,
    /// In the archive because of another batch, or twice in this one.
    pub duplicate: u64,
    /// Refused for good.
    pub rejected: Vec<Rejected>,
}

/// A document that the engine refused and would refuse again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the batch.
    pub index: usize,
    /// The engine's own reason, bounded in length.
    pub reason: String,
}

/// A page of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// How many documents match in all, exactly; 0 where the page did not ask for it.
    pub total: u64,
    /// The page's documents: their JSON as it was stored.
    pub documents: Vec<Vec<u8>>,
    /// The place after the last of them, to go on from. `None` for a page that is not full: nothing follows now.
    pub next: Option<Cursor>,
}

/// The most frequent values of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facet {
    /// Values and how many documents have them.
    pub values: Vec<(String, u64)>,
    /// How many times other values occur.
    pub other: u64,
}

/// Documents grouped by their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The largest groups first, of equally large ones in the order of their values.
    pub rows: Vec<Group>,
    /// How many groups there are.
    pub total: u64,
}

/// Documents of the same values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// One for each field, in the order asked for; `""` where there is none.
    pub values: Vec<String>,
    /// How many documents.
    pub count: u64,
    /// The first one's time in microseconds since the Unix epoch. Search engines tell milliseconds: the beginning of that.
    pub first_micros: i64,
    /// The last one's time, likewise; of search engines, the last microsecond of its millisecond. So a range of both has
    /// every document of the group.
    pub last_micros: i64,
}

/// Counts over the documents that match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Distinct audit ids: exact up to 131,072 in the embedded engine and within 2 % above; approximate (HyperLogLog++, within
    /// 1 % up to 40,000) in the others.
    pub resources: u64,
    /// Documents, exactly.
    pub events: u64,
}

/// One interval of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its beginning, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Documents in it.
    pub count: u64,
}

/// What a purge dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Whole UTC days.
    pub days: u64,
    /// Documents in them.
    pub events: u64,
}

impl Health {
    /// It works, and this is to be known beside.
    pub(crate) fn ready(engine: &str, warnings: &[String]) -> Self {
        let detail =
            if warnings.is_empty() { engine.to_owned() } else { format!("{engine}; but {}", warnings.join("; ")) };
        Self { ready: true, detail }
    }
}

/// Whether the archive works now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// It takes writes (where opened for writing) and answers queries.
    pub ready: bool,
    /// The engine and its version, or what is wrong; for people.
    pub detail: String,
}

/// What the archive holds of one UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DaySize {
    /// Its first microsecond since the Unix epoch.
    pub start_micros: i64,
    /// Documents.
    pub events: u64,
    /// Bytes on disk (replicas included).
    pub bytes: u64,
}

/// What the archive holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Documents.
    pub events: u64,
    /// UTC days with documents.
    pub days: u64,
    /// Bytes on disk (replicas included).
    pub bytes: u64,
}

/// Opens the archive that the configuration names. In [`Mode::Write`] it makes what is missing: the directory and its
/// lock, or the index template.
///
/// # Errors
/// When the configuration is wrong, the directory is another process's, or the engine refuses (an engine that is away is
/// no error: it is waited for by whoever writes).
pub async fn open(config: &Config, mode: Mode) -> Result<Arc<dyn Archive>, OpenError> {
    Ok(match config.engine {
        Engine::Embedded => Arc::new(embedded::Embedded::open(&config.embedded, mode).await?),
        Engine::Search => Arc::new(search::Search::open(&config.search, mode).await?),
    })
}
