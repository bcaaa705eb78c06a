//! Facets and groups, in the engine's aggregations.
//!
//! A facet is a `terms` aggregation: exact while a day has at most [`SHARD_VALUES`] different values. Groups are a
//! `composite` one, which goes through all of them in pages and is exact.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::answer::{Aggregation, FoundBucket};
use super::compile::{TIME, keyword, number};
use crate::by::{By, largest};
use crate::error::{ArchiveError, too_many_groups};
use crate::field::Number;
use crate::query::MAX_GROUPS;
use crate::{Facet, Group, Groups};

/// The most frequent values that each shard reports.
const SHARD_VALUES: usize = 10_000;
/// Groups in one answer.
pub(super) const PAGE: usize = 10_000;
/// What stands for documents without a code: none is so low.
const NO_CODE: i64 = i64::MIN;

/// A facet's aggregation.
pub(super) fn facet(by: By, limit: usize) -> Value {
    let (field, missing) = match by {
        By::Field(field) => (keyword(field), json!("")),
        By::Code => (number(Number::Code).to_owned(), json!(NO_CODE)),
    };
    json!({ "terms": {
        "field": field,
        "missing": missing,
        "size": limit.max(1),
        "shard_size": SHARD_VALUES,
        "order": [{ "_count": "desc" }, { "_key": "asc" }],
    } })
}

/// Its answer.
pub(super) fn read_facet(found: &Aggregation, limit: usize) -> Facet {
    let values: Vec<_> = found.buckets.iter().map(|bucket| (text(&bucket.key), bucket.doc_count)).collect();
    let shown: u64 = values.iter().take(limit).map(|(_, count)| count).sum();
    let all: u64 = values.iter().map(|(_, count)| count).sum::<u64>() + found.other;
    Facet { values: values.into_iter().take(limit).collect(), other: all - shown }
}

/// The groups' aggregation, from a place on.
pub(super) fn groups(by: &[By], after: Option<Value>) -> Value {
    let sources: Vec<Value> = by
        .iter()
        .enumerate()
        .map(|(at, by)| {
            let field = match by {
                By::Field(field) => keyword(*field),
                By::Code => number(Number::Code).to_owned(),
            };
            json!({ at.to_string(): { "terms": { "field": field, "missing_bucket": true } } })
        })
        .collect();
    let mut composite = json!({ "size": PAGE, "sources": sources });
    if let (Some(after), Some(composite)) = (after, composite.as_object_mut()) {
        composite.insert("after".to_owned(), after);
    }
    json!({
        "composite": composite,
        "aggs": { "first": { "min": { "field": TIME } }, "last": { "max": { "field": TIME } } },
    })
}

/// The groups so far.
#[derive(Default)]
pub(super) struct Gathered {
    groups: HashMap<Vec<String>, Group>,
}

impl Gathered {
    /// Takes a page of them.
    pub(super) fn take(&mut self, page: Aggregation, fields: usize) -> Result<(), ArchiveError> {
        for bucket in page.buckets {
            let group = group(&bucket, fields);
            // None, and the empty text that is stored for none, are one.
            let known = self.groups.entry(group.values.clone()).or_insert_with(|| Group { count: 0, ..group.clone() });
            known.count += group.count;
            known.first_micros = known.first_micros.min(group.first_micros);
            known.last_micros = known.last_micros.max(group.last_micros);
        }
        if self.groups.len() > MAX_GROUPS { Err(too_many_groups()) } else { Ok(()) }
    }

    pub(super) fn largest(self, limit: usize) -> Groups {
        largest(self.groups.into_values().collect(), limit)
    }
}

fn group(bucket: &FoundBucket, fields: usize) -> Group {
    let values = (0..fields).map(|at| text(bucket.key.get(at.to_string()).unwrap_or(&Value::Null)));
    // The engine tells milliseconds, and fractions of them where it has any: outwards, so that a range of these times has
    // all of the group.
    let millis = |aggregation: &Aggregation| aggregation.value.unwrap_or(0.0).floor() as i64;
    Group {
        values: values.collect(),
        count: bucket.doc_count,
        first_micros: millis(&bucket.first).saturating_mul(1_000),
        last_micros: millis(&bucket.last).saturating_mul(1_000).saturating_add(999),
    }
}

fn text(key: &Value) -> String {
    match key {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(code) if code.as_i64() == Some(NO_CODE) => String::new(),
        other => other.to_string(),
    }
}
