//! Random queries made of values that the documents have, so that most of them find something.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::{Index, select};
use vedette_archive::{Page, Query, Terms};
use vedette_audit::document::Document;

use crate::corpus;

/// How often a field of a query is set, in ten.
const SET: u32 = 2;

fn pool(values: impl Fn(&Document) -> Vec<String>) -> Vec<String> {
    let values: BTreeSet<String> = corpus::documents().iter().flat_map(values).filter(|v| v.len() < 8_192).collect();
    values.into_iter().chain(["no such value".to_owned()]).collect()
}

fn list(values: Vec<String>) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![10 - SET => Just(Vec::new()), SET => vec(select(values), 1..4)]
}

/// Parts of values, or their beginnings, in other letters' case.
fn parts(values: Vec<String>, beginning: bool) -> impl Strategy<Value = Vec<String>> {
    let part =
        (select(values), any::<Index>(), any::<Index>(), any::<u8>()).prop_map(move |(value, from, len, case)| {
            let chars: Vec<char> = value.chars().collect();
            if chars.is_empty() {
                return String::new();
            }
            let from = if beginning { 0 } else { from.index(chars.len()) };
            let len = 1 + len.index(chars.len() - from);
            let part: String = chars[from..from + len].iter().collect();
            // A letter whose upper case is two stays as it is, as it does for the engines.
            let upper = |part: &str| {
                part.chars().map(|c| if c == 'ß' { c } else { c.to_uppercase().next().unwrap() }).collect()
            };
            match case % 3 {
                0 => part,
                1 => upper(&part),
                _ => part.to_lowercase(),
            }
        });
    prop_oneof![10 - SET => Just(Vec::new()), SET => vec(part, 1..3)]
}

fn terms(values: Vec<String>) -> impl Strategy<Value = Terms> {
    (list(values.clone()), parts(values, false)).prop_map(|(exact, contains)| Terms { exact, contains })
}

/// Random queries.
pub(crate) fn queries() -> impl Strategy<Value = Query> {
    static TIMES: OnceLock<Vec<i64>> = OnceLock::new();
    let times = TIMES.get_or_init(|| corpus::documents().iter().map(|document| document.time_micros).collect());
    let instant = || weighted(0.4, (select(times.clone()), -1..=1_i64).prop_map(|(time, by)| time + by));
    let codes: BTreeSet<i64> = corpus::documents().iter().filter_map(|document| document.fields.code).collect();
    let codes: Vec<i64> = codes.into_iter().chain([1]).collect();
    let names = (
        list(pool(|d| vec![d.fields.cluster.clone()])),
        terms(pool(|d| vec![d.fields.workspace.clone()])),
        terms(pool(|d| vec![d.fields.namespace.clone()])),
        terms(pool(|d| vec![d.fields.name.clone()])),
        terms(pool(|d| vec![d.fields.user.clone()])),
    );
    let rest = (
        list(pool(|d| vec![d.fields.level.clone()])),
        list(pool(|d| vec![d.fields.verb.clone()])),
        parts(pool(|d| d.fields.groups.clone()), false),
        parts(pool(|d| d.fields.source_ips.clone()), false),
        parts(pool(|d| vec![d.fields.resource.clone()]), true),
        parts(pool(|d| vec![d.fields.subresource.clone()]), true),
        prop_oneof![10 - SET => Just(Vec::new()), SET => vec(select(codes), 1..4)],
        list(pool(|d| vec![d.fields.status.clone()])),
        (instant(), instant()),
    );
    (names, rest).prop_map(|(names, rest)| {
        let (clusters, workspaces, namespaces, names, users) = names;
        let (levels, verbs, groups, source_ips, resources, subresources, codes, statuses, (start, end)) = rest;
        Query {
            clusters,
            workspaces,
            namespaces,
            names,
            users,
            levels,
            verbs,
            groups_contains: groups,
            source_ips_contains: source_ips,
            resources_prefix: resources,
            subresources_prefix: subresources,
            codes,
            statuses,
            start_micros: start,
            end_micros: end,
        }
    })
}

/// Random pages.
pub(crate) fn pages() -> impl Strategy<Value = Page> {
    let from = prop_oneof![3 => Just(0), 1 => 0..200_u64, 1 => 0..9_900_u64];
    (from, 0..60_u64, any::<bool>()).prop_map(|(from, size, newest_first)| Page { from, size, newest_first })
}

/// One query for each field that a query has, each finding something.
pub(crate) fn each_field() -> Vec<(&'static str, Query)> {
    let strings = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let query = Query::default;
    vec![
        ("clusters", Query { clusters: strings(&["default"]), ..query() }),
        ("workspaces exact", Query { workspaces: Terms::exact(["demo"]), ..query() }),
        ("workspaces contains", Query { workspaces: Terms::contains(["DEMO"]), ..query() }),
        (
            "workspaces both",
            Query { workspaces: Terms { exact: strings(&["demo", ""]), contains: strings(&["em"]) }, ..query() },
        ),
        ("no workspace", Query { workspaces: Terms::exact([""]), ..query() }),
        ("namespaces exact", Query { namespaces: Terms::exact(["kube-system", "default"]), ..query() }),
        ("no namespace", Query { namespaces: Terms::exact([""]), ..query() }),
        ("namespaces contains", Query { namespaces: Terms::contains(["BE-SYS", "e?"]), ..query() }),
        ("names exact", Query { names: Terms::exact([r"a\b*c?d"]), ..query() }),
        ("names contains", Query { names: Terms::contains([r"\B*"]), ..query() }),
        ("users exact", Query { users: Terms::exact(["Jörg Ärger"]), ..query() }),
        ("users contains", Query { users: Terms::contains(["JÖRG"]), ..query() }),
        ("users contains ascii", Query { users: Terms::contains(["SYSTEM:"]), ..query() }),
        ("levels", Query { levels: strings(&["Metadata"]), ..query() }),
        ("verbs", Query { verbs: strings(&["create", "delete"]), ..query() }),
        ("groups", Query { groups_contains: strings(&["MASTERS", "größe"]), ..query() }),
        ("groups with a star", Query { groups_contains: strings(&["n*S"]), ..query() }),
        ("source ips", Query { source_ips_contains: strings(&["fe80"]), ..query() }),
        ("resources", Query { resources_prefix: strings(&["POD"]), ..query() }),
        ("subresources", Query { subresources_prefix: strings(&["ex", "statu"]), ..query() }),
        ("codes", Query { codes: vec![404, 403, -1, 9_000_000_000], ..query() }),
        ("statuses", Query { statuses: strings(&["Failure"]), ..query() }),
        ("start", Query { start_micros: Some(1_794_900_000_000_000), ..query() }),
        ("end", Query { end_micros: Some(1_794_900_000_000_000), ..query() }),
    ]
}
