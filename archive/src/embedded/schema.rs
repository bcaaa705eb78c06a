//! What a day's index holds of a document.
//!
//! Only what filters, sorts, groups and counts is indexed; the JSON lies compressed in the document store. A field of texts
//! is a term dictionary with postings, which filters ask, and a column, which groups and facets read. Values stand in both
//! as they are: what disregards case folds a dictionary's terms as it walks them (see [`super::walk`]).

use tantivy::schema::{
    BytesOptions, FAST, Field as Slot, IndexRecordOption, NumericOptions, STORED, Schema, TextFieldIndexing,
    TextOptions,
};
use tantivy::{Index, TantivyDocument};
use vedette_audit::document::Document;
use xxhash_rust::xxh3::xxh3_64;

use crate::field::{Field, findable};

/// The names of the columns that are read by name.
pub(super) const TIME: &str = "time";
pub(super) const ID_HIGH: &str = "id_high";
pub(super) const AUDIT: &str = "audit";
pub(super) const BATCH: &str = "batch";
pub(super) const CODE: &str = "code";
pub(super) const DURATION: &str = "duration";

/// The slots of the schema.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// The event's id, 16 bytes: what a second write of the event is recognised by.
    pub(super) id: Slot,
    /// The id's first 8 bytes as a column: the order of documents of the same time.
    pub(super) id_high: Slot,
    /// The key of the batch that stored the document.
    pub(super) batch: Slot,
    /// Microseconds since the Unix epoch.
    pub(super) time: Slot,
    /// A hash of the request's id, for finding it and for counting distinct ones.
    pub(super) audit: Slot,
    pub(super) json: Slot,
    pub(super) code: Slot,
    pub(super) duration: Slot,
    texts: Vec<(Field, Slot)>,
}

/// The schema of every day.
pub(super) fn schema() -> (Schema, Slots) {
    let mut builder = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let found = TextOptions::default().set_indexing_options(indexing);
    let grouped = found.clone().set_fast("raw");
    let slots = Slots {
        id: builder.add_bytes_field("id", BytesOptions::default().set_indexed()),
        id_high: builder.add_u64_field(ID_HIGH, FAST),
        batch: builder.add_text_field(BATCH, FAST),
        time: builder.add_i64_field(TIME, FAST),
        audit: builder.add_u64_field(AUDIT, NumericOptions::default().set_indexed().set_fast()),
        json: builder.add_bytes_field("json", STORED),
        code: builder.add_i64_field(CODE, NumericOptions::default().set_indexed().set_fast()),
        duration: builder.add_i64_field(DURATION, FAST),
        texts: texts()
            .map(|field| {
                let options = if field == Field::Tenant { found.clone() } else { grouped.clone() };
                (field, builder.add_text_field(field.name(), options))
            })
            .collect(),
    };
    (builder.build(), slots)
}

/// Fields that are indexed as texts: the request's id is a hash.
fn texts() -> impl Iterator<Item = Field> {
    Field::ALL.iter().copied().filter(|field| *field != Field::AuditId)
}

/// Whether an index was made with this schema. Slots are numbered in the schema's order, so that equal schemas have equal
/// slots.
pub(super) fn fits(index: &Index) -> bool {
    index.schema() == schema().0
}

/// The first 8 bytes of an id.
pub(super) fn high(id: &[u8; 16]) -> u64 {
    let (high, _) = id.split_at(8);
    u64::from_be_bytes(high.try_into().unwrap_or_default())
}

/// What stands for a request's id.
pub(super) fn audit(audit_id: &str) -> u64 {
    xxh3_64(audit_id.as_bytes())
}

impl Slots {
    /// The slot of a field of texts; `None` for the request's id.
    pub(super) fn text(&self, field: Field) -> Option<Slot> {
        self.texts.iter().find(|(of, _)| *of == field).map(|(_, slot)| *slot)
    }

    /// The document as it is indexed.
    pub(super) fn index(&self, document: &Document, batch: &str) -> TantivyDocument {
        let mut doc = TantivyDocument::new();
        let fields = &document.fields;
        doc.add_bytes(self.id, document.id.as_bytes());
        doc.add_u64(self.id_high, high(document.id.as_bytes()));
        doc.add_text(self.batch, batch);
        doc.add_i64(self.time, document.time_micros);
        if findable(&fields.audit_id) {
            doc.add_u64(self.audit, audit(&fields.audit_id));
        }
        doc.add_bytes(self.json, &document.json);
        if let Some(code) = fields.code {
            doc.add_i64(self.code, code);
        }
        if let Some(duration) = fields.duration_micros {
            doc.add_i64(self.duration, duration);
        }
        for (field, slot) in &self.texts {
            let mut values: Vec<&str> = field.values(fields).collect();
            // A document counts once for a value that it has twice.
            values.sort_unstable();
            values.dedup();
            for value in values {
                doc.add_text(*slot, value);
            }
        }
        doc
    }
}
