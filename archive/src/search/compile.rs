//! From a query of ours to the engine's.
//!
//! Only clauses that mean the same on every engine and version. Parts are searched on `.keyword`, which also documents
//! have that KubeSphere wrote: by `wildcard` without regard to the case of ASCII letters, and by `regexp` where a text has
//! other letters, since `case_insensitive` knows ASCII alone. Whatever a caller gives is data: JSON by construction, and
//! every character that means something in a pattern is escaped.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::config::SearchConfig;
use crate::day::Day;
use crate::fold::fold;
use crate::query::{Query, Terms};

/// The time that documents are found and sorted by.
pub(super) const TIME: &str = "RequestReceivedTimestamp";
/// Days that are asked for by name; a longer range is asked of all indices.
const NAMED_DAYS: usize = 31;

/// The indices to ask, as a path.
pub(super) fn indices(config: &SearchConfig, query: &Query) -> String {
    let prefix = &config.index_prefix;
    if let (Some(start), Some(end)) = (query.start_micros, query.end_micros) {
        let names: Vec<String> = Day::of(start)
            .through(Day::of(end))
            .take(NAMED_DAYS + 1)
            .map(|day| format!("{prefix}-{}", day.name('.')))
            .collect();
        if (1..=NAMED_DAYS).contains(&names.len()) {
            return names.join(",");
        }
    }
    format!("{prefix}-*")
}

/// The query's clauses.
pub(super) fn compile(query: &Query) -> Value {
    let mut filter = Vec::new();
    exact(&mut filter, "Cluster", &query.clusters);
    exact(&mut filter, "Level", &query.levels);
    exact(&mut filter, "Verb", &query.verbs);
    exact(&mut filter, "ResponseStatus.status", &query.statuses);
    if !query.codes.is_empty() {
        filter.push(json!({ "terms": { "ResponseStatus.code": query.codes } }));
    }
    both(&mut filter, "Workspace", &query.workspaces);
    both(&mut filter, "ObjectRef.Namespace", &query.namespaces);
    both(&mut filter, "ObjectRef.Name", &query.names);
    both(&mut filter, "User.Username", &query.users);
    text(&mut filter, "User.Groups", &query.groups_contains, part);
    text(&mut filter, "SourceIPs", &query.source_ips_contains, part);
    text(&mut filter, "ObjectRef.Resource", &query.resources_prefix, beginning);
    text(&mut filter, "ObjectRef.Subresource", &query.subresources_prefix, beginning);
    filter.extend(time(query));
    json!({ "bool": { "filter": filter } })
}

/// The clause on the time. What the engine's nanoseconds since 1970 can't hold is no bound, or matches nothing.
fn time(query: &Query) -> Option<Value> {
    let last = Day::LAST.end_micros() - 1;
    if query.end_micros.is_some_and(|end| end < 0) || query.start_micros.is_some_and(|start| start > last) {
        return Some(json!({ "match_none": {} }));
    }
    let start = query.start_micros.filter(|start| *start > 0).and_then(instant);
    let end = query.end_micros.filter(|end| *end < last).and_then(|end| instant(end + 1));
    if start.is_none() && end.is_none() {
        return None;
    }
    let mut range = Map::from_iter([("format".to_owned(), json!("strict_date_optional_time_nanos"))]);
    range.extend(start.map(|start| ("gte".to_owned(), json!(start))));
    range.extend(end.map(|end| ("lt".to_owned(), json!(end))));
    Some(json!({ "range": { TIME: range } }))
}

/// RFC 3339 in UTC with microseconds.
pub(super) fn instant(micros: i64) -> Option<String> {
    Timestamp::from_microsecond(micros).ok().map(|instant| format!("{instant:.6}"))
}

fn keyword(field: &str) -> String {
    format!("{field}.keyword")
}

fn exact(filter: &mut Vec<Value>, field: &str, values: &[String]) {
    if !values.is_empty() {
        filter.push(json!({ "terms": { keyword(field): values } }));
    }
}

fn both(filter: &mut Vec<Value>, field: &str, terms: &Terms) {
    exact(filter, field, &terms.exact);
    text(filter, field, &terms.contains, part);
}

fn text(filter: &mut Vec<Value>, field: &str, texts: &[String], clause: fn(&str, &str) -> Value) {
    let clauses: Vec<Value> =
        texts.iter().filter(|text| !text.is_empty()).map(|text| clause(&keyword(field), &fold(text))).collect();
    if !clauses.is_empty() {
        filter.push(json!({ "bool": { "should": clauses, "minimum_should_match": 1 } }));
    }
}

fn part(field: &str, text: &str) -> Value {
    if !text.is_ascii() {
        return regexp(field, &format!(".*{}.*", letters(text)));
    }
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('*');
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    json!({ "wildcard": { field: { "value": pattern, "case_insensitive": true } } })
}

fn beginning(field: &str, text: &str) -> Value {
    if !text.is_ascii() {
        return regexp(field, &format!("{}.*", letters(text)));
    }
    json!({ "prefix": { field: { "value": text, "case_insensitive": true } } })
}

fn regexp(field: &str, pattern: &str) -> Value {
    json!({ "regexp": { field: { "value": pattern, "flags": "NONE" } } })
}

/// A regular expression for the text, each letter in either case.
fn letters(text: &str) -> String {
    let mut pattern = String::new();
    for lower in text.chars() {
        let mut upper = lower.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(upper), None) if upper != lower => pattern.extend(['[', lower, upper, ']']),
            _ if lower.is_alphanumeric() => pattern.push(lower),
            _ => pattern.extend(['\\', lower]),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{beginning, compile, indices, part};
    use crate::config::SearchConfig;
    use crate::query::{Query, Terms};

    #[test]
    fn escapes_what_means_something_in_a_pattern() {
        assert_eq!(
            part("f", r"a*?\"),
            json!({ "wildcard": { "f": { "value": r"*a\*\?\\*", "case_insensitive": true } } })
        );
        assert_eq!(part("f", "ü.a"), json!({ "regexp": { "f": { "value": r".*[üÜ]\.[aA].*", "flags": "NONE" } } }));
        assert_eq!(beginning("f", "ß\""), json!({ "regexp": { "f": { "value": "ß\\\".*", "flags": "NONE" } } }));
    }

    #[test]
    fn bounds_the_time_inclusively_in_what_the_engine_can_hold() {
        let query = |start, end| Query { start_micros: start, end_micros: end, ..Query::default() };
        let clause = |start, end| compile(&query(start, end))["bool"]["filter"].clone();
        let format = "strict_date_optional_time_nanos";
        assert_eq!(
            clause(Some(1), Some(2)),
            json!([{ "range": { "RequestReceivedTimestamp": {
                "gte": "1970-01-01T00:00:00.000001Z", "lt": "1970-01-01T00:00:00.000003Z", "format": format } } }])
        );
        assert_eq!(clause(Some(0), Some(i64::MAX)), json!([]));
        assert_eq!(clause(None, Some(-1)), json!([{ "match_none": {} }]));
    }

    #[test]
    fn asks_few_days_by_name_and_many_by_pattern() {
        let config = SearchConfig { index_prefix: "p".to_owned(), ..SearchConfig::default() };
        let day = 86_400_000_000;
        let query = |end| Query { start_micros: Some(0), end_micros: Some(end), ..Query::default() };
        assert_eq!(indices(&config, &query(day)), "p-1970.01.01,p-1970.01.02");
        assert_eq!(indices(&config, &query(31 * day)), "p-*");
        assert_eq!(indices(&config, &Query::default()), "p-*");
        let backwards = Query { start_micros: Some(day), end_micros: Some(0), ..Query::default() };
        assert_eq!(indices(&config, &backwards), "p-*");
        assert_eq!(compile(&Query { users: Terms::contains([""]), ..Query::default() }), compile(&Query::default()));
    }
}
