//! A batch in hand: its documents, what could not become one, and the delivery that it came by.

use std::sync::Arc;

use bytes::Bytes;
use vedette_archive::WriteBatch;
use vedette_audit::EventId;
use vedette_audit::document::Document;
use vedette_bus::Delivery;
use vedette_proto::bus::v1::{
    ArchiveCounts, ArchiveEntry, ArchiveMatch, ArchiveResult, Blind, IngestCounts, MatchOrigin,
};

/// A batch that has been taken from the broker.
pub(crate) struct Batch {
    pub(crate) delivery: Arc<Delivery<ArchiveResult>>,
    pub(crate) cluster: String,
    pub(crate) received_unix_nanos: i64,
    /// Of the rules that decided.
    generation: u64,
    ingest: Option<IngestCounts>,
    counts: Option<ArchiveCounts>,
    blind: Vec<Blind>,
    /// What is to be written.
    pub(crate) write: WriteBatch,
    /// The events of the documents, verbatim, in the same order.
    pub(crate) events: Vec<Bytes>,
    /// What no document can be made of.
    pub(crate) culprits: Vec<Culprit>,
    /// Bytes of the events.
    pub(crate) bytes: usize,
}

/// What goes to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Culprit {
    /// A code of a bounded set.
    pub(crate) reason: &'static str,
    /// For people.
    pub(crate) detail: String,
    /// What tells it from others of its batch, the same in every delivery.
    pub(crate) key: String,
    /// Verbatim.
    pub(crate) payload: Bytes,
    /// What it takes to write it once more; none where that can't help.
    pub(crate) origin: Option<MatchOrigin>,
}

/// What became of a batch's documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) stored: u64,
    pub(crate) duplicate: u64,
}

impl Batch {
    /// Makes the documents of a result; blocking work.
    pub(crate) fn build(delivery: Arc<Delivery<ArchiveResult>>, result: ArchiveResult) -> Self {
        let count = result.matches.len();
        let mut batch = Self {
            cluster: delivery.cluster.clone(),
            received_unix_nanos: result.received_unix_nanos,
            generation: result.generation,
            ingest: result.ingest,
            counts: result.counts,
            blind: result.blind,
            write: WriteBatch { key: delivery.batch.clone(), documents: Vec::with_capacity(count) },
            events: Vec::with_capacity(count),
            culprits: Vec::new(),
            bytes: 0,
            delivery,
        };
        for (index, event) in result.matches.into_iter().enumerate() {
            batch.add(index, event);
        }
        batch
    }

    /// A message that stays unreadable: one dead letter.
    pub(crate) fn unreadable(delivery: Arc<Delivery<ArchiveResult>>) -> Self {
        let culprit = delivery.message.as_ref().err().map(|undecodable| Culprit {
            reason: undecodable.error.code(),
            detail: undecodable.error.to_string(),
            key: "message".to_owned(),
            payload: undecodable.payload.clone(),
            origin: None,
        });
        let mut batch = Self::build(delivery, ArchiveResult::default());
        batch.culprits.extend(culprit);
        batch
    }

    /// Whether it can stand in the books: an unreadable message tells no counts.
    pub(crate) fn has_books(&self) -> bool {
        self.counts.is_some()
    }

    /// What the books say of it.
    pub(crate) fn entry(&self, tally: Tally, rejected: u64) -> ArchiveEntry {
        ArchiveEntry {
            ingest: self.ingest.clone(),
            counts: self.counts,
            stored: tally.stored,
            duplicate: tally.duplicate,
            rejected,
            blind: self.blind.clone(),
        }
    }

    fn add(&mut self, index: usize, event: ArchiveMatch) {
        let id = <[u8; 16]>::try_from(event.id.as_ref()).map(EventId::from_bytes).ok();
        let built = id.ok_or_else(|| ("bad_id", "an event's id has 16 bytes".to_owned())).and_then(|id| {
            Document::build(id, &event.json, &event.rules, self.received_unix_nanos)
                .map_err(|error| (error.code(), error.to_string()))
        });
        self.bytes += event.json.len();
        match built {
            Ok(document) => {
                self.write.documents.push(document);
                self.events.push(event.json);
            }
            Err((reason, detail)) => {
                let origin = id.map(|id| self.origin(id, event.rules));
                let key = format!("match-{index}");
                self.culprits.push(Culprit { reason, detail, key, payload: event.json, origin });
            }
        }
    }

    /// The dead letter of a document that the archive does not take.
    pub(crate) fn culprit(&self, index: usize, reason: &'static str, detail: String) -> Option<Culprit> {
        let document = self.write.documents.get(index)?;
        let origin = Some(self.origin(document.id, document.fields.rules.clone()));
        let payload = self.events.get(index)?.clone();
        Some(Culprit { reason, detail, key: document.id.to_string(), payload, origin })
    }

    fn origin(&self, id: EventId, rules: Vec<String>) -> MatchOrigin {
        let (received_unix_nanos, generation) = (self.received_unix_nanos, self.generation);
        MatchOrigin { id: Bytes::copy_from_slice(id.as_bytes()), received_unix_nanos, generation, rules }
    }
}
