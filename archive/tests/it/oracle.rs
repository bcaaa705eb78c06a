//! What a query means, written as plainly as it can be: a filter over all documents.

use std::collections::{BTreeMap, HashSet};

use vedette_archive::{Bucket, By, Facet, Field, Filter, Group, Groups, Interval, Page, Piece, Query};
use vedette_audit::document::Document;

/// Characters above which no filter finds a value.
const MAX_TEXT: usize = 8_191;

/// The documents that match, oldest first.
pub(crate) fn matching<'a>(documents: &'a [Document], query: &Query) -> Vec<&'a Document> {
    let within = |document: &&Document| {
        query.start_micros.is_none_or(|start| document.time_micros >= start)
            && query.end_micros.is_none_or(|end| document.time_micros <= end)
            && holds(&query.filter, document)
    };
    let mut found: Vec<&Document> = documents.iter().filter(within).collect();
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
    found.iter().map(|document| &document.fields.audit_id).filter(|id| !id.is_empty()).collect::<HashSet<_>>().len()
        as u64
}

pub(crate) fn facet(found: &[&Document], by: By, limit: usize) -> Facet {
    let mut counts = BTreeMap::<String, u64>::new();
    for document in found {
        for value in by_values(document, by) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let mut values: Vec<_> = counts.into_iter().collect();
    values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let other = values.iter().skip(limit).map(|(_, count)| count).sum();
    values.truncate(limit);
    Facet { values, other }
}

pub(crate) fn groups(found: &[&Document], by: &[By], limit: usize) -> Groups {
    let mut groups = BTreeMap::<Vec<String>, Group>::new();
    for document in found {
        let mut keys = vec![Vec::new()];
        for by in by {
            let values = by_values(document, *by);
            keys = keys
                .iter()
                .flat_map(|key| values.iter().map(|value| [key.as_slice(), std::slice::from_ref(value)].concat()))
                .collect();
        }
        for key in keys {
            let time = document.time_micros;
            let fresh = || Group { values: key.clone(), count: 0, first_micros: time, last_micros: time };
            let group = groups.entry(key.clone()).or_insert_with(fresh);
            group.count += 1;
            group.first_micros = group.first_micros.min(time);
            group.last_micros = group.last_micros.max(time);
        }
    }
    let total = groups.len() as u64;
    let mut rows: Vec<_> = groups.into_values().collect();
    rows.sort_by_key(|group| std::cmp::Reverse(group.count));
    rows.truncate(limit);
    Groups { rows, total }
}

fn by_values(document: &Document, by: By) -> Vec<String> {
    let mut values = match by {
        By::Field(field) => values(field, document).into_iter().map(str::to_owned).collect(),
        By::Code => document.fields.code.iter().map(ToString::to_string).collect::<Vec<_>>(),
    };
    values.sort();
    values.dedup();
    if values.is_empty() {
        values.push(String::new());
    }
    values
}

/// The values that queries see, from the document's own JSON rather than from what was indexed.
fn values(field: Field, document: &Document) -> Vec<&str> {
    let fields = &document.fields;
    let one = match field {
        Field::Cluster => &fields.cluster,
        Field::Workspace => &fields.workspace,
        Field::Namespace => &fields.namespace,
        Field::Tenant => &fields.tenant,
        Field::Name => &fields.name,
        Field::User => &fields.user,
        Field::Actor => &fields.actor,
        Field::Address => &fields.source_ip,
        Field::Credential => &fields.credential,
        Field::Resource => &fields.resource,
        Field::Subresource => &fields.subresource,
        Field::ApiGroup => &fields.api_group,
        Field::Verb => &fields.verb,
        Field::Level => &fields.level,
        Field::Stage => &fields.stage,
        Field::Status => &fields.status,
        Field::Reason => &fields.reason,
        Field::Command => &fields.command,
        Field::UserAgent => &fields.user_agent,
        Field::Path => &fields.path,
        Field::AuditId => &fields.audit_id,
        Field::Group => return shown(&fields.groups),
        Field::SourceIp => return shown(&fields.source_ips),
        Field::Rule => return shown(&fields.rules),
    };
    shown(std::slice::from_ref(one))
}

fn shown(values: &[String]) -> Vec<&str> {
    let shown = |value: &&str| !value.is_empty() && value.encode_utf16().count() <= MAX_TEXT;
    values.iter().map(String::as_str).filter(shown).collect()
}

fn holds(filter: &Filter, document: &Document) -> bool {
    match filter {
        Filter::All(filters) => filters.iter().all(|filter| holds(filter, document)),
        Filter::Any(filters) => filters.iter().any(|filter| holds(filter, document)),
        Filter::Not(filter) => !holds(filter, document),
        Filter::Is(field, wanted) => {
            let values = values(*field, document);
            (values.is_empty() && wanted.iter().any(String::is_empty))
                || values.iter().any(|value| wanted.iter().any(|wanted| wanted == value))
        }
        Filter::Contains(field, texts) => any(*field, texts, document, |value, text| value.contains(text)),
        Filter::Begins(field, texts) => any(*field, texts, document, |value, text| value.starts_with(text)),
        Filter::Like(field, patterns) => values(*field, document).iter().any(|value| {
            let value: Vec<char> = value.to_lowercase().chars().collect();
            patterns.iter().any(|pattern| like(pattern.pieces(), &value))
        }),
        Filter::Equals(number, wanted) => number.value(&document.fields).is_some_and(|value| wanted.contains(&value)),
        Filter::Within(number, min, max) => number
            .value(&document.fields)
            .is_some_and(|value| min.is_none_or(|min| min <= value) && max.is_none_or(|max| value <= max)),
        Filter::Since(time) => *time <= document.time_micros,
        Filter::Id(ids) => ids.contains(&document.id),
    }
}

fn any(field: Field, texts: &[String], document: &Document, holds: fn(&str, &str) -> bool) -> bool {
    let texts: Vec<String> = texts.iter().filter(|text| !text.is_empty()).map(|text| text.to_lowercase()).collect();
    let has = |value: &&str| texts.iter().any(|text| holds(&value.to_lowercase(), text));
    texts.is_empty() || values(field, document).iter().any(has)
}

fn like(pieces: &[Piece], value: &[char]) -> bool {
    match pieces {
        [] => value.is_empty(),
        [Piece::Any, rest @ ..] => (0..=value.len()).any(|at| like(rest, &value[at..])),
        [Piece::One, rest @ ..] => !value.is_empty() && like(rest, &value[1..]),
        [Piece::Text(text), rest @ ..] => {
            let text: Vec<char> = text.to_lowercase().chars().collect();
            value.starts_with(&text) && like(rest, &value[text.len()..])
        }
    }
}
