//! From a query of ours to the engine's.
//!
//! Only clauses that mean the same on every engine and version. Parts are searched on `.keyword`, which also documents
//! have that KubeSphere wrote: by `wildcard` without regard to the case of ASCII letters, and by `regexp` where a text has
//! other letters, since `case_insensitive` knows ASCII alone. Whatever a caller gives is data: JSON by construction, and
//! every character that means something in a pattern is escaped.
//!
//! Documents that KubeSphere wrote have no members of ours. Whose actor and address are asked for has them read as the
//! console shows them: the impersonated user, else the user; and the addresses, of which an engine can't tell the last, so
//! that any of them counts.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::day::Day;
use crate::field::{Field, Number, findable};
use crate::filter::{Filter, Pattern, Piece, folded};
use crate::query::Query;

/// The time that documents are found and sorted by.
pub(super) const TIME: &str = "RequestReceivedTimestamp";
/// The event's id, by the name that it also has in an index that was not made by our template.
pub(super) const EVENT_ID: &str = "Vedette.EventID.keyword";

/// Whom the user acted as.
const IMPERSONATED: &str = "ImpersonatedUser.Username.keyword";

/// The field's name in documents.
pub(super) fn path(field: Field) -> &'static str {
    match field {
        Field::Cluster => "Cluster",
        Field::Workspace => "Workspace",
        Field::Namespace => "ObjectRef.Namespace",
        Field::Tenant => "Vedette.Tenant",
        Field::Name => "ObjectRef.Name",
        Field::User => "User.Username",
        Field::Actor => "Vedette.Actor",
        Field::Group => "User.Groups",
        Field::SourceIp => "SourceIPs",
        Field::Address => "Vedette.SourceIP",
        Field::Credential => "Vedette.CredentialID",
        Field::Resource => "ObjectRef.Resource",
        Field::Subresource => "ObjectRef.Subresource",
        Field::ApiGroup => "ObjectRef.APIGroup",
        Field::Verb => "Verb",
        Field::Level => "Level",
        Field::Stage => "Stage",
        Field::Status => "ResponseStatus.status",
        Field::Reason => "ResponseStatus.reason",
        Field::Command => "Vedette.Command",
        Field::UserAgent => "UserAgent",
        Field::Path => "Vedette.Path",
        Field::Rule => "Vedette.Rules",
        Field::AuditId => "AuditID",
    }
}

/// The field as whole values.
pub(super) fn keyword(field: Field) -> String {
    format!("{}.keyword", path(field))
}

pub(super) fn number(number: Number) -> &'static str {
    match number {
        Number::Code => "ResponseStatus.code",
        Number::Duration => "Vedette.DurationMicros",
    }
}

/// The query.
pub(super) fn compile(query: &Query) -> Value {
    let mut filter: Vec<Value> = match &query.filter {
        Filter::All(filters) => filters.iter().map(clause).collect(),
        other => vec![clause(other)],
    };
    filter.extend(time(query.start_micros, query.end_micros));
    json!({ "bool": { "filter": filter } })
}

fn clause(filter: &Filter) -> Value {
    match filter {
        Filter::All(filters) if filters.is_empty() => json!({ "match_all": {} }),
        Filter::All(filters) => json!({ "bool": { "filter": filters.iter().map(clause).collect::<Vec<_>>() } }),
        Filter::Any(filters) => any(filters.iter().map(clause).collect()),
        Filter::Not(filter) => none(vec![clause(filter)]),
        Filter::Is(field, values) => {
            let mut clauses = Vec::new();
            let found: Vec<&String> = values.iter().filter(|value| findable(value)).collect();
            if !found.is_empty() {
                clauses.extend(of(*field, |name| json!({ "terms": { name: found } })));
            }
            if values.iter().any(String::is_empty) {
                clauses.push(none(of(*field, there)));
            }
            any(clauses)
        }
        Filter::Contains(field, texts) => each(*field, folded(texts), part),
        Filter::Begins(field, texts) => each(*field, folded(texts), beginning),
        Filter::Like(field, patterns) => {
            any(of(*field, |name| any(patterns.iter().map(|pattern| like(name, pattern)).collect())))
        }
        Filter::Equals(of, values) => json!({ "terms": { number(*of): values } }),
        Filter::Within(of, None, None) => json!({ "exists": { "field": number(*of) } }),
        Filter::Within(of, min, max) => {
            let bounds = [("gte", min), ("lte", max)];
            let bounds =
                bounds.iter().filter_map(|(name, bound)| bound.map(|bound| ((*name).to_owned(), json!(bound))));
            json!({ "range": { number(*of): bounds.collect::<Map<_, _>>() } })
        }
        Filter::Since(start) => time(Some(*start), None).unwrap_or_else(|| json!({ "match_all": {} })),
        Filter::Id(ids) => {
            json!({ "terms": { EVENT_ID: ids.iter().map(ToString::to_string).collect::<Vec<_>>() } })
        }
    }
}

fn any(mut clauses: Vec<Value>) -> Value {
    match clauses.len() {
        0 => json!({ "match_none": {} }),
        1 => clauses.remove(0),
        _ => json!({ "bool": { "should": clauses, "minimum_should_match": 1 } }),
    }
}

fn none(clauses: Vec<Value>) -> Value {
    json!({ "bool": { "must_not": clauses } })
}

/// The clauses on the field, any of which may hold: on documents of ours, and on those of others where they have it
/// elsewhere. As flat as can be, since engines bound how deep a query nests.
fn of(field: Field, clause: impl Fn(&str) -> Value) -> Vec<Value> {
    let mut clauses = vec![clause(&keyword(field))];
    let ours = || json!({ "exists": { "field": EVENT_ID } });
    let but = |clause: Value, not: Vec<Value>| json!({ "bool": { "filter": [clause], "must_not": not } });
    match field {
        Field::Actor => {
            clauses.push(but(clause(IMPERSONATED), vec![ours()]));
            clauses.push(but(clause(&keyword(Field::User)), vec![ours(), there(IMPERSONATED)]));
        }
        Field::Address => clauses.push(but(clause(&keyword(Field::SourceIp)), vec![ours()])),
        _ => {}
    }
    clauses
}

/// Documents with a value: KubeSphere's console wants some that are absent stored as empty texts.
fn there(name: &str) -> Value {
    json!({ "bool": {
        "filter": [{ "exists": { "field": name } }],
        "must_not": [{ "term": { name: "" } }],
    } })
}

fn each(field: Field, texts: Option<Vec<String>>, clause: fn(&str, &str) -> Value) -> Value {
    match texts {
        None => json!({ "match_all": {} }),
        Some(texts) => any(of(field, |name| any(texts.iter().map(|text| clause(name, text)).collect()))),
    }
}

/// A pattern: as a wildcard where it has ASCII alone, without regard to whose case engines compare.
fn like(name: &str, pattern: &Pattern) -> Value {
    let plain = pattern.pieces().iter().all(|piece| match piece {
        Piece::Text(text) => text.is_ascii(),
        // A character is two of the engine's where it is beyond the first 65,536.
        Piece::One => false,
        Piece::Any => true,
    });
    match pattern.pieces() {
        [] => json!({ "match_none": {} }),
        [Piece::Any] => there(name),
        [Piece::Text(text)] if plain => json!({ "term": { name: { "value": text, "case_insensitive": true } } }),
        pieces if plain => {
            let texts = pieces.iter().map(|piece| match piece {
                Piece::Text(text) => escaped(text),
                _ => "*".to_owned(),
            });
            json!({ "wildcard": { name: { "value": texts.collect::<String>(), "case_insensitive": true } } })
        }
        pieces => {
            let texts = pieces.iter().map(|piece| match piece {
                Piece::Text(text) => letters(text),
                Piece::One => ".".to_owned(),
                Piece::Any => ".*".to_owned(),
            });
            regexp(name, &texts.collect::<String>())
        }
    }
}

/// The clause on the time. What the engine's nanoseconds since 1970 can't hold is no bound, or matches nothing.
fn time(start: Option<i64>, end: Option<i64>) -> Option<Value> {
    let last = Day::LAST.end_micros() - 1;
    if end.is_some_and(|end| end < 0) || start.is_some_and(|start| start > last) {
        return Some(json!({ "match_none": {} }));
    }
    let start = start.filter(|start| *start > 0).and_then(instant);
    let end = end.filter(|end| *end < last).and_then(|end| instant(end + 1));
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

fn part(field: &str, text: &str) -> Value {
    if !text.is_ascii() {
        return regexp(field, &format!(".*{}.*", letters(text)));
    }
    json!({ "wildcard": { field: { "value": format!("*{}*", escaped(text)), "case_insensitive": true } } })
}

/// The text as a part of a wildcard pattern.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
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

    use super::{beginning, compile, part};
    use crate::field::Field;
    use crate::filter::{Filter, Pattern, Piece};
    use crate::query::Query;

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

    /// What is said of the conditions that a filter counts as: no query has more clauses.
    #[test]
    fn a_filter_counts_as_many_conditions_as_it_becomes_clauses() {
        fn clauses(value: &serde_json::Value) -> usize {
            match value {
                serde_json::Value::Object(members) => members
                    .iter()
                    .map(|(name, value)| {
                        let leaf = ["terms", "term", "exists", "wildcard", "prefix", "regexp", "range", "match_all"];
                        if leaf.contains(&name.as_str()) { 1 } else { clauses(value) }
                    })
                    .sum(),
                serde_json::Value::Array(values) => values.iter().map(clauses).sum(),
                _ => 0,
            }
        }
        let any = || Pattern::new([Piece::Any]);
        for field in [Field::Actor, Field::Address, Field::User] {
            for filter in [
                Filter::is(field, ["a"]),
                Filter::is(field, ["a", ""]),
                Filter::contains(field, ["a"]),
                Filter::contains(field, ["a", "b", "c"]),
                Filter::Like(field, vec![any()]),
                Filter::Like(field, vec![any(), any(), Pattern::text("x")]),
            ] {
                let found = clauses(&compile(&Query::of(filter.clone())));
                assert!(found <= filter.conditions(), "{found}: {filter:?}");
            }
        }
    }

    #[test]
    fn an_empty_part_is_no_condition() {
        let all = compile(&Query::of(Filter::contains(Field::User, [""])));
        assert_eq!(all, json!({ "bool": { "filter": [{ "match_all": {} }] } }));
    }
}
