//! From results to documents, and from what became of them to letters and books.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use vedette_archive::{BatchReport, WriteBatch};
use vedette_audit::{Document, EventId};
use vedette_bus::Delivery;
use vedette_proto::bus::v1::{ArchiveEntry, ArchiveMatch, ArchiveResult, BookEntry, Books, DeadLetter, book_entry};

/// The name under which the archiver keeps books and leaves dead letters.
pub(crate) const SERVICE: &str = "archiver";

/// What is known of a result beside its documents.
#[derive(Default)]
pub(crate) struct Aside {
    /// For each document its place among the result's matches.
    places: Vec<usize>,
    /// Matches that became no document.
    dead: Vec<Dead>,
}

/// A result whose documents the archive has taken or refused.
pub(crate) struct Applied {
    pub(crate) delivery: Delivery<ArchiveResult>,
    pub(crate) stored: u64,
    pub(crate) duplicate: u64,
    pub(crate) dead: Vec<Dead>,
}

/// What could not be stored.
pub(crate) struct Dead {
    /// Makes a second letter about the same no letter.
    pub(crate) key: String,
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
    pub(crate) payload: Bytes,
}

/// The documents of each result, made on a blocking thread.
pub(crate) async fn documents(deliveries: &[Delivery<ArchiveResult>]) -> (Vec<WriteBatch>, Vec<Aside>) {
    let results: Vec<ArchiveResult> = deliveries.iter().filter_map(|one| one.message.as_ref().ok().cloned()).collect();
    let made = tokio::task::spawn_blocking(move || results.iter().map(document_batch).unzip());
    // Fails only when the runtime ends: making documents does not panic.
    made.await.unwrap_or_default()
}

fn document_batch(result: &ArchiveResult) -> (WriteBatch, Aside) {
    let mut batch = WriteBatch { key: result.batch.clone(), documents: Vec::with_capacity(result.matches.len()) };
    let mut aside = Aside::default();
    for (place, kept) in result.matches.iter().enumerate() {
        let built = match event_id(kept) {
            Some(id) => Document::build(id, &kept.json, &kept.rules, result.received_unix_nanos)
                .map_err(|error| (error.code(), error.to_string())),
            None => Err(("bad_identity", "the event's identity is not 16 bytes".to_owned())),
        };
        match built {
            Ok(document) => {
                batch.documents.push(document);
                aside.places.push(place);
            }
            Err((reason, detail)) => aside.dead.push(Dead::new(&batch.key, kept, reason, detail)),
        }
    }
    (batch, aside)
}

impl Applied {
    /// Puts together what the archive reported with what was known aside.
    pub(crate) fn new(delivery: Delivery<ArchiveResult>, report: BatchReport, aside: Aside) -> Self {
        let mut dead = aside.dead;
        if let Ok(result) = &delivery.message {
            dead.extend(report.rejected.into_iter().filter_map(|rejected| {
                let kept = result.matches.get(*aside.places.get(rejected.index)?)?;
                Some(Dead::new(&result.batch, kept, "engine_rejected", rejected.reason))
            }));
        }
        Self { delivery, stored: report.stored, duplicate: report.duplicate, dead }
    }

    fn entry(&self) -> Option<BookEntry> {
        let result = self.delivery.message.as_ref().ok()?;
        let entry = ArchiveEntry {
            ingest: result.ingest.clone(),
            counts: result.counts,
            stored: self.stored,
            duplicate: self.duplicate,
            rejected: self.dead.len() as u64,
            blind: result.blind.clone(),
        };
        Some(BookEntry { batch: result.batch.clone(), applied: Some(book_entry::Applied::Archive(entry)) })
    }
}

impl Dead {
    fn new(batch: &str, kept: &ArchiveMatch, reason: &'static str, detail: String) -> Self {
        let id = hex::encode(&kept.id);
        Self { key: format!("{batch}/archiver/{id}"), reason, detail, payload: kept.json.clone() }
    }

    /// The letter about it.
    pub(crate) fn letter(&self, delivery: &Delivery<ArchiveResult>) -> DeadLetter {
        DeadLetter {
            service: SERVICE.to_owned(),
            cluster: delivery.cluster.clone(),
            reason: self.reason.to_owned(),
            detail: self.detail.clone(),
            unix_nanos: now(),
            batch: delivery.batch.clone(),
            payload: self.payload.clone(),
        }
    }
}

/// The books of what was applied together, by cluster.
pub(crate) fn books(applied: &[Applied]) -> Vec<Books> {
    let mut clusters: BTreeMap<&str, Vec<BookEntry>> = BTreeMap::new();
    for one in applied {
        if let Some(entry) = one.entry() {
            clusters.entry(&one.delivery.cluster).or_default().push(entry);
        }
    }
    let books = |(cluster, entries): (&str, _)| Books { service: SERVICE.to_owned(), cluster: cluster.to_owned(), entries };
    clusters.into_iter().map(books).collect()
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn event_id(kept: &ArchiveMatch) -> Option<EventId> {
    <[u8; 16]>::try_from(kept.id.as_ref()).ok().map(EventId::from_bytes)
}
