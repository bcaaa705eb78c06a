//! What the engine answers a search with, as far as it is read.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::query::{Cursor, CursorKey};

#[derive(Deserialize)]
pub(super) struct Found {
    #[serde(default)]
    pub(super) timed_out: bool,
    #[serde(default)]
    pub(super) hits: FoundHits,
    #[serde(default)]
    pub(super) aggregations: HashMap<String, Aggregation>,
}

#[derive(Default, Deserialize)]
pub(super) struct FoundHits {
    #[serde(default)]
    pub(super) total: Total,
    #[serde(default)]
    pub(super) hits: Vec<Hit>,
}

#[derive(Default, Deserialize)]
pub(super) struct Total {
    pub(super) value: u64,
}

#[derive(Deserialize)]
pub(super) struct Hit {
    #[serde(rename = "_source")]
    pub(super) source: Box<RawValue>,
    #[serde(default)]
    sort: Vec<Value>,
}

/// An aggregation of any kind that is asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Aggregation {
    /// Of one number.
    pub(super) value: Option<f64>,
    /// Of buckets.
    pub(super) buckets: Vec<FoundBucket>,
    /// Documents that the buckets given do not count.
    #[serde(rename = "sum_other_doc_count")]
    pub(super) other: u64,
    /// Where the next buckets begin.
    pub(super) after_key: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct FoundBucket {
    pub(super) key: Value,
    pub(super) doc_count: u64,
    #[serde(default)]
    pub(super) first: Aggregation,
    #[serde(default)]
    pub(super) last: Aggregation,
}

impl Hit {
    /// The document's place, if the engine tells it.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        let text = |at: usize| self.sort.get(at).and_then(Value::as_str).map(str::to_owned);
        let time_nanos = i128::from(self.sort.first()?.as_i64()?);
        let key = match self.sort.get(1)?.as_str() {
            Some(id) => CursorKey::Event(id.parse().ok()?),
            None => CursorKey::Foreign { audit_id: text(2), stage: text(3), number: self.sort.get(4)?.as_i64()? },
        };
        Some(Cursor { time_nanos, key })
    }
}

impl Cursor {
    /// The values to search after, in the order of the sort.
    pub(super) fn values(&self) -> Value {
        // Beyond what the engine's times can be there is nothing.
        let time = i64::try_from(self.time_nanos).unwrap_or(if self.time_nanos < 0 { 0 } else { i64::MAX });
        match &self.key {
            CursorKey::Event(id) => json!([time, id.to_string(), null, null, i64::MAX]),
            CursorKey::Foreign { audit_id, stage, number } => json!([time, null, audit_id, stage, number]),
        }
    }
}
