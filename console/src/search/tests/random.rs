//! Properties: no text does harm, what is written is read, and what is read means what it says.

use proptest::prelude::*;
use proptest::sample::select;
use vedette_archive::{Field, Filter, MAX_CONDITIONS, MAX_DEPTH};
use vedette_audit::document::Document;

use super::{documents, parse};
use crate::search::parse::size;
use crate::search::quote;

/// What queries are made of, besides white space.
const PIECES: &str = "( ) or and not - ! \" \\ , * ? : ~ = .. / ± é 𝕏 >= < 4xx 404 1s 7d 12:05 2026-11-22 T14:05:00Z user: code: \
    duration: reads: change: yes a/b/c resource: pods .apps ip: 10.0.0.0/8 id: audit: is: denied last: since: until: around: \
    99999999999999999999 -9999-01-01 alice";

fn piece() -> impl Strategy<Value = &'static str> {
    select(PIECES.split_ascii_whitespace().chain([" "; 8]).collect::<Vec<_>>())
}

/// A condition that a reader of the manual would understand as [`Expr::holds`] does.
#[derive(Clone, Debug)]
enum Expr {
    Key { key: &'static str, value: &'static str, op: &'static str },
    Word(&'static str),
    Not(Box<Expr>, &'static str),
    All(Vec<Expr>),
    Any(Vec<Expr>),
}

impl Expr {
    fn text(&self) -> String {
        let joined =
            |exprs: &[Self], by: &str| format!("({})", exprs.iter().map(Self::text).collect::<Vec<_>>().join(by));
        match self {
            Self::Key { key, value, op } => format!("{key}{op}{value}"),
            Self::Word(word) => (*word).to_owned(),
            Self::Not(expr, not) => format!("{not}({})", expr.text()),
            Self::All(exprs) => joined(exprs, " "),
            Self::Any(exprs) => joined(exprs, " or "),
        }
    }

    fn holds(&self, document: &Document) -> bool {
        let fields = &document.fields;
        match self {
            Self::Key { key, value, op } => {
                let values: Vec<&String> = match *key {
                    "user" => vec![&fields.user],
                    "group" => fields.groups.iter().collect(),
                    "ns" => vec![&fields.namespace],
                    _ => vec![&fields.verb],
                };
                let values: Vec<&String> = values.into_iter().filter(|value| !value.is_empty()).collect();
                value.split(',').any(|wanted| match (*op, wanted) {
                    (":", "\"\"") => values.is_empty(),
                    (":=", wanted) => values.iter().any(|value| *value == wanted),
                    (":", wanted) => values.iter().any(|value| like(&wanted.to_lowercase(), &value.to_lowercase())),
                    (_, wanted) => {
                        values.iter().any(|value| like(&format!("*{}*", wanted.to_lowercase()), &value.to_lowercase()))
                    }
                })
            }
            Self::Word(word) => {
                let anywhere = [
                    &fields.user,
                    &fields.actor,
                    &fields.namespace,
                    &fields.name,
                    &fields.resource,
                    &fields.workspace,
                    &fields.command,
                    &fields.user_agent,
                    &fields.source_ip,
                    &fields.path,
                    &fields.credential,
                ];
                anywhere.iter().any(|value| value.to_lowercase().contains(word))
            }
            Self::Not(expr, _) => !expr.holds(document),
            Self::All(exprs) => exprs.iter().all(|expr| expr.holds(document)),
            Self::Any(exprs) => exprs.iter().any(|expr| expr.holds(document)),
        }
    }
}

/// Wildcards, the short way.
fn like(pattern: &str, value: &str) -> bool {
    let mut rest = value.chars();
    match pattern.chars().next() {
        None => value.is_empty(),
        Some('*') => like(&pattern[1..], value) || (rest.next().is_some() && like(pattern, rest.as_str())),
        Some('?') => rest.next().is_some() && like(&pattern[1..], rest.as_str()),
        Some(c) => rest.next() == Some(c) && like(&pattern[c.len_utf8()..], rest.as_str()),
    }
}

fn expr() -> impl Strategy<Value = Expr> {
    let values = [
        "alice",
        "BOB",
        "Bob",
        "a*",
        "*o*",
        "?ob",
        "get,list",
        "payments,shop",
        "\"\"",
        "pay*,alice",
        "ops",
        "kube*t",
        "system:*",
    ];
    let key =
        (select(vec!["user", "group", "ns", "verb"]), select(values.to_vec()), select(vec![":", ":=", "~", ":~"]))
            .prop_filter("only whole values can be nothing", |(_, value, op)| {
                *op == ":" || !value.contains(['"', '*', '?'])
            })
            .prop_map(|(key, value, op)| Expr::Key { key, value, op });
    let word = select(vec!["alice", "secret", "web-1", "passwd", "10.", "kubectl/v1"]).prop_map(Expr::Word);
    prop_oneof![3 => key, 1 => word].prop_recursive(4, 24, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            (inner, select(vec!["-", "!", "not ", "NOT "])).prop_map(|(expr, not)| Expr::Not(Box::new(expr), not)),
            several.clone().prop_map(Expr::All),
            several.prop_map(Expr::Any),
        ]
    })
}

fn harmless(text: &str) {
    match parse(text) {
        Ok(search) => {
            let (levels, conditions) = size(&search.filter);
            assert!(levels < MAX_DEPTH && conditions < MAX_CONDITIONS, "{text}");
            assert!(search.asked.len() <= 16, "{text}");
            assert!(search.start_micros.zip(search.end_micros).is_none_or(|(start, end)| start <= end), "{text}");
        }
        Err(error) => {
            assert!(text.get(error.start..error.end).is_some(), "{text}: {error:?}");
            assert!(error.render(text).lines().count() >= 3, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_does_harm(text in any::<String>(), pieces in prop::collection::vec(piece(), 0..40)) {
        harmless(&text);
        harmless(&pieces.concat());
    }

    #[test]
    fn what_is_read_means_what_it_says(expr in expr()) {
        let text = expr.text();
        let filter = parse(&text).map_err(|error| TestCaseError::fail(error.render(&text)))?.filter;
        for document in documents() {
            prop_assert_eq!(filter.matches(&document), expr.holds(&document), "{} {:?}", text, document.fields);
        }
    }

    #[test]
    fn a_quoted_value_is_read_back(
        value in prop_oneof![any::<String>(), "[a-z.:/*?\"\\\\ ~=,()-]{0,8}", piece().prop_map(str::to_owned)],
        key in select(vec![("user", Field::User), ("resource", Field::Resource), ("ip", Field::Address), ("ns", Field::Namespace)]),
    ) {
        let (name, field) = key;
        let exact = parse(&format!("{name}:={}", quote(&value))).unwrap().filter;
        prop_assert_eq!(exact, Filter::is(field, [value.as_str()]));
        let whole = parse(&format!("{name}:{} -verb:x", quote(&value))).unwrap().filter;
        let expected = match value.as_str() {
            "" => Filter::is(field, [""]),
            value => Filter::Like(field, vec![vedette_archive::Pattern::text(value)]),
        };
        prop_assert_eq!(whole, expected.and(parse("-verb:x").unwrap().filter), "{}", quote(&value));
    }
}
