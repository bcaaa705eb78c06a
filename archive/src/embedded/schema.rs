//! What a day's index holds of a document.
//!
//! Only what filters, sorts and counts is indexed; the JSON lies compressed in the document store. A field that is
//! searched by parts has two term dictionaries: the values as they are, and, only for values which that changes, the
//! same without regard to case. A value contains some text regardless of case exactly if its own term does (where it has
//! no capitals) or its folded term does, so that most values are indexed once.

use tantivy::schema::{
    BytesOptions, FAST, Field, IndexRecordOption, NumericOptions, STORED, Schema, SchemaBuilder, TextFieldIndexing,
    TextOptions,
};
use tantivy::{Index, TantivyDocument};
use vedette_audit::document::Document;
use xxhash_rust::xxh3::xxh3_64;

use crate::fold::fold;
use crate::query::MAX_TEXT;

/// The names of the columns that are read by name.
pub(super) const TIME: &str = "time";
pub(super) const ID_HIGH: &str = "id_high";
pub(super) const AUDIT: &str = "audit";
pub(super) const BATCH: &str = "batch";

/// The fields of the schema.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    /// The event's id, 16 bytes: what a second write of the event is recognised by.
    pub(super) id: Field,
    /// The id's first 8 bytes as a column: the order of documents of the same time.
    pub(super) id_high: Field,
    /// The key of the batch that stored the document.
    pub(super) batch: Field,
    /// Microseconds since the Unix epoch.
    pub(super) time: Field,
    /// A hash of the audit id, for counting distinct ones.
    pub(super) audit: Field,
    pub(super) json: Field,
    pub(super) cluster: Field,
    pub(super) level: Field,
    pub(super) verb: Field,
    pub(super) status: Field,
    pub(super) code: Field,
    pub(super) workspace: Folded,
    pub(super) namespace: Folded,
    pub(super) name: Folded,
    pub(super) user: Folded,
    pub(super) groups: Folded,
    pub(super) source_ips: Folded,
    pub(super) resource: Folded,
    pub(super) subresource: Folded,
}

/// A field that is searched by parts, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folded {
    pub(super) exact: Field,
    /// Values without regard to case, where they differ.
    pub(super) fold: Field,
}

/// The schema of every day.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let keyword = TextOptions::default().set_indexing_options(indexing);
    let folded = |builder: &mut SchemaBuilder, name: &str| Folded {
        exact: builder.add_text_field(name, keyword.clone()),
        fold: builder.add_text_field(&format!("{name}_fold"), keyword.clone()),
    };
    let fields = Fields {
        id: builder.add_bytes_field("id", BytesOptions::default().set_indexed()),
        id_high: builder.add_u64_field(ID_HIGH, FAST),
        batch: builder.add_text_field(BATCH, FAST),
        time: builder.add_i64_field(TIME, FAST),
        audit: builder.add_u64_field(AUDIT, FAST),
        json: builder.add_bytes_field("json", STORED),
        cluster: builder.add_text_field("cluster", keyword.clone()),
        level: builder.add_text_field("level", keyword.clone()),
        verb: builder.add_text_field("verb", keyword.clone()),
        status: builder.add_text_field("status", keyword.clone()),
        code: builder.add_i64_field("code", NumericOptions::default().set_indexed().set_fast()),
        workspace: folded(&mut builder, "workspace"),
        namespace: folded(&mut builder, "namespace"),
        name: folded(&mut builder, "name"),
        user: folded(&mut builder, "user"),
        groups: folded(&mut builder, "groups"),
        source_ips: folded(&mut builder, "source_ips"),
        resource: folded(&mut builder, "resource"),
        subresource: folded(&mut builder, "subresource"),
    };
    (builder.build(), fields)
}

/// Whether an index was made with this schema. Fields are numbered in the schema's order, so that equal schemas have equal
/// fields.
pub(super) fn fits(index: &Index) -> bool {
    index.schema() == schema().0
}

/// The first 8 bytes of an id.
pub(super) fn high(id: &[u8; 16]) -> u64 {
    let (high, _) = id.split_at(8);
    u64::from_be_bytes(high.try_into().unwrap_or_default())
}

impl Fields {
    /// The document as it is indexed.
    pub(super) fn index(&self, document: &Document, batch: &str) -> TantivyDocument {
        let mut doc = TantivyDocument::new();
        let fields = &document.fields;
        doc.add_bytes(self.id, document.id.as_bytes());
        doc.add_u64(self.id_high, high(document.id.as_bytes()));
        doc.add_text(self.batch, batch);
        doc.add_i64(self.time, document.time_micros);
        doc.add_u64(self.audit, xxh3_64(fields.audit_id.as_bytes()));
        doc.add_bytes(self.json, &document.json);
        for (field, value) in [
            (self.cluster, &fields.cluster),
            (self.level, &fields.level),
            (self.verb, &fields.verb),
            (self.status, &fields.status),
        ] {
            if findable(value) {
                doc.add_text(field, value);
            }
        }
        if let Some(code) = fields.code {
            doc.add_i64(self.code, code);
        }
        // An event without workspace or namespace is found by the empty one.
        for (field, value) in [(self.workspace, &fields.workspace), (self.namespace, &fields.namespace)] {
            if value.is_empty() {
                doc.add_text(field.exact, "");
            }
            field.add(&mut doc, value);
        }
        self.name.add(&mut doc, &fields.name);
        self.user.add(&mut doc, &fields.user);
        self.resource.add(&mut doc, &fields.resource);
        self.subresource.add(&mut doc, &fields.subresource);
        for group in &fields.groups {
            self.groups.add(&mut doc, group);
        }
        for address in &fields.source_ips {
            self.source_ips.add(&mut doc, address);
        }
        doc
    }
}

impl Folded {
    fn add(self, doc: &mut TantivyDocument, value: &str) {
        if !findable(value) {
            return;
        }
        doc.add_text(self.exact, value);
        let folded = fold(value);
        if folded != value {
            doc.add_text(self.fold, folded);
        }
    }
}

/// Whether filters may find a value: it is there, and short enough for every engine (counted as search engines do).
fn findable(value: &str) -> bool {
    !value.is_empty() && (value.len() <= MAX_TEXT || value.encode_utf16().count() <= MAX_TEXT)
}
