//! What a query means, written as plainly as it can be: a filter over all documents.

use std::collections::{BTreeMap, HashSet};

use vedette_archive::{Bucket, Interval, Page, Query, Terms};
use vedette_audit::document::Document;

/// Characters above which no filter finds a value.
const MAX_TEXT: usize = 8_191;

/// The documents that match, oldest first.
pub(crate) fn matching<'a>(documents: &'a [Document], query: &Query) -> Vec<&'a Document> {
    let mut found: Vec<&Document> = documents.iter().filter(|document| matches(document, query)).collect();
    found.sort_by_key(|document| (document.time_micros, document.id));
    found
}

/// The page's JSON.
pub(crate) fn page(found: &[&Document], page: &Page) -> Vec<Vec<u8>> {
    let mut found = found.to_vec();
    if page.newest_first {
        found.reverse();
    }
    let documents = found.iter().skip(page.from as usize).take(page.size as usize);
    documents.map(|document| document.json.clone()).collect()
}

pub(crate) fn histogram(found: &[&Document], interval: Interval) -> Vec<Bucket> {
    let mut buckets = BTreeMap::<i64, u64>::new();
    for document in found {
        *buckets.entry(interval.floor(document.time_micros.div_euclid(1_000))).or_default() += 1;
    }
    buckets.into_iter().map(|(time_ms, count)| Bucket { time_ms, count }).collect()
}

pub(crate) fn resources(found: &[&Document]) -> u64 {
    found.iter().map(|document| &document.fields.audit_id).collect::<HashSet<_>>().len() as u64
}

fn matches(document: &Document, query: &Query) -> bool {
    let fields = &document.fields;
    let time = document.time_micros;
    exact(&query.clusters, &fields.cluster, false)
        && both(&query.workspaces, &fields.workspace, true)
        && both(&query.namespaces, &fields.namespace, true)
        && both(&query.names, &fields.name, false)
        && both(&query.users, &fields.user, false)
        && exact(&query.levels, &fields.level, false)
        && exact(&query.verbs, &fields.verb, false)
        && any(&query.groups_contains, &fields.groups, contains)
        && any(&query.source_ips_contains, &fields.source_ips, contains)
        && any(&query.resources_prefix, std::slice::from_ref(&fields.resource), begins)
        && any(&query.subresources_prefix, std::slice::from_ref(&fields.subresource), begins)
        && (query.codes.is_empty() || fields.code.is_some_and(|code| query.codes.contains(&code)))
        && exact(&query.statuses, &fields.status, false)
        && query.start_micros.is_none_or(|start| time >= start)
        && query.end_micros.is_none_or(|end| time <= end)
}

fn exact(values: &[String], value: &str, empty_counts: bool) -> bool {
    let findable = value.len() <= MAX_TEXT && (empty_counts || !value.is_empty());
    values.is_empty() || findable && values.iter().any(|wanted| wanted == value)
}

fn both(terms: &Terms, value: &str, empty_counts: bool) -> bool {
    exact(&terms.exact, value, empty_counts) && any(&terms.contains, &[value.to_owned()], contains)
}

fn any(texts: &[String], values: &[String], holds: fn(&str, &str) -> bool) -> bool {
    let texts: Vec<&String> = texts.iter().filter(|text| !text.is_empty()).collect();
    texts.is_empty()
        || values
            .iter()
            .filter(|value| value.len() <= MAX_TEXT)
            .any(|value| texts.iter().any(|text| holds(&value.to_lowercase(), &text.to_lowercase())))
}

fn contains(value: &str, text: &str) -> bool {
    value.contains(text)
}

fn begins(value: &str, text: &str) -> bool {
    value.starts_with(text)
}
