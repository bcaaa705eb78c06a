//! Random queries made of values that the documents have, so that most of them find something.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::{Index, select};
use vedette_archive::{By, Field, Filter, Number, Page, Pattern, Piece, Query};

use crate::corpus;

/// The values of a field that some document has, and one that none has.
fn pool(field: Field) -> &'static [String] {
    static POOLS: OnceLock<Vec<(Field, Vec<String>)>> = OnceLock::new();
    let pools = POOLS.get_or_init(|| {
        let pool = |field: &Field| {
            let values: BTreeSet<String> = corpus::documents()
                .iter()
                .flat_map(|document| field.values(&document.fields))
                .map(str::to_owned)
                .collect();
            (*field, values.into_iter().chain(["no such value".to_owned()]).collect())
        };
        Field::ALL.iter().map(pool).collect()
    });
    &pools.iter().find(|(of, _)| *of == field).unwrap().1
}

fn exact(field: Field) -> BoxedStrategy<Filter> {
    let value = prop_oneof![9 => select(pool(field)), 1 => Just(String::new())];
    vec(value, 0..4).prop_map(move |values| Filter::Is(field, values)).boxed()
}

/// A part of a value, or its beginning, in other letters' case.
fn part(field: Field, beginning: bool) -> BoxedStrategy<String> {
    let part = (select(pool(field)), any::<Index>(), any::<Index>(), any::<u8>());
    part.prop_map(move |(value, from, len, case)| {
        let chars: Vec<char> = value.chars().collect();
        let from = if beginning { 0 } else { from.index(chars.len()) };
        let len = 1 + len.index(chars.len() - from);
        cased(&chars[from..from + len].iter().collect::<String>(), case)
    })
    .boxed()
}

fn cased(part: &str, case: u8) -> String {
    // A letter whose upper case is two stays as it is, as it does for the engines.
    let upper = |c: char| if c == 'ß' { c } else { c.to_uppercase().next().unwrap() };
    match case % 3 {
        0 => part.to_owned(),
        1 => part.chars().map(upper).collect(),
        _ => part.to_lowercase(),
    }
}

/// A pattern that some value is like.
fn pattern(field: Field) -> BoxedStrategy<Pattern> {
    (select(pool(field)), vec((any::<Index>(), any::<bool>()), 0..3), any::<u8>())
        .prop_map(|(value, holes, case)| {
            let mut pieces: Vec<Piece> = cased(&value, case).chars().map(|c| Piece::Text(c.to_string())).collect();
            for (at, one) in holes {
                let at = at.index(pieces.len());
                pieces[at] = if one { Piece::One } else { Piece::Any };
            }
            // Half of it is any text.
            if case > 127 {
                pieces.truncate(pieces.len() / 2);
                pieces.push(Piece::Any);
            }
            Pattern::new(pieces)
        })
        .boxed()
}

fn leaf() -> BoxedStrategy<Filter> {
    let codes: BTreeSet<i64> = corpus::documents().iter().filter_map(|document| document.fields.code).collect();
    let codes: Vec<i64> = codes.into_iter().chain([1]).collect();
    let searched: Vec<Field> = Field::ALL.iter().copied().filter(|field| field.is_searched_by_parts()).collect();
    let bound = || weighted(0.7, prop_oneof![select(codes.clone()), 0..2_000_000_i64]);
    prop_oneof![
        4 => select(Field::ALL).prop_flat_map(exact),
        2 => select(searched.clone()).prop_flat_map(|field| {
            vec(part(field, false), 1..3).prop_map(move |texts| Filter::Contains(field, texts))
        }),
        2 => select(searched.clone()).prop_flat_map(|field| {
            vec(part(field, true), 1..3).prop_map(move |texts| Filter::Begins(field, texts))
        }),
        2 => select(searched).prop_flat_map(|field| {
            vec(pattern(field), 0..3).prop_map(move |patterns| Filter::Like(field, patterns))
        }),
        1 => vec(select(codes.clone()), 0..4).prop_map(|codes| Filter::Equals(Number::Code, codes)),
        1 => (select(vec![Number::Code, Number::Duration]), bound(), bound())
            .prop_map(|(number, min, max)| Filter::Within(number, min, max)),
        1 => instant().prop_map(Filter::Since),
        1 => vec(select(corpus::documents().iter().map(|document| document.id).collect::<Vec<_>>()), 0..3)
            .prop_map(Filter::Id),
    ]
    .boxed()
}

fn filters() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..3).prop_map(Filter::All),
            3 => vec(inner.clone(), 0..4).prop_map(Filter::Any),
            1 => inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn instant() -> BoxedStrategy<i64> {
    static TIMES: OnceLock<Vec<i64>> = OnceLock::new();
    let times = TIMES.get_or_init(|| corpus::documents().iter().map(|document| document.time_micros).collect());
    (select(times.as_slice()), -1..=1_i64).prop_map(|(time, by)| time + by).boxed()
}

/// Random queries.
pub(crate) fn queries() -> impl Strategy<Value = Query> {
    (filters(), weighted(0.3, instant()), weighted(0.3, instant()))
        .prop_map(|(filter, start_micros, end_micros)| Query { filter, start_micros, end_micros })
}

/// Random pages.
pub(crate) fn pages() -> impl Strategy<Value = Page> {
    let from = prop_oneof![3 => Just(0), 1 => 0..200_u64, 1 => 0..9_900_u64];
    (from, 0..60_u64, any::<bool>()).prop_map(|(from, size, newest_first)| Page {
        from,
        size,
        newest_first,
        ..Page::default()
    })
}

/// One field or two to group by, whose groups are not too many.
pub(crate) fn groupings() -> impl Strategy<Value = Vec<By>> {
    let by: Vec<By> = By::all().collect();
    vec(select(by), 1..3).prop_filter("two different ones", |by| by.first() != by.get(1))
}

/// Queries for each field and kind of condition, each finding something and not everything.
pub(crate) fn each_field() -> Vec<(&'static str, Query)> {
    let strings = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let is = |field, values: &[&str]| Query::of(Filter::Is(field, strings(values)));
    let contains = |field, values: &[&str]| Query::of(Filter::Contains(field, strings(values)));
    let begins = |field, values: &[&str]| Query::of(Filter::Begins(field, strings(values)));
    let like = |field, pieces: &[Piece]| Query::of(Filter::Like(field, vec![Pattern::new(pieces.iter().cloned())]));
    let both = Filter::is(Field::Workspace, ["demo", ""]).and(Filter::contains(Field::Workspace, ["em"]));
    vec![
        ("cluster", is(Field::Cluster, &["default"])),
        ("workspace exact", is(Field::Workspace, &["demo"])),
        ("workspace contains", contains(Field::Workspace, &["DEMO"])),
        ("workspace both", Query::of(both)),
        ("no workspace", is(Field::Workspace, &[""])),
        ("namespace exact", is(Field::Namespace, &["kube-system", "default"])),
        ("no namespace", is(Field::Namespace, &[""])),
        ("namespace contains", contains(Field::Namespace, &["BE-SYS", "e?"])),
        ("name exact", is(Field::Name, &[r"a\b*c?d"])),
        ("name contains", contains(Field::Name, &[r"\B*"])),
        ("user exact", is(Field::User, &["Jörg Ärger"])),
        ("user contains", contains(Field::User, &["JÖRG"])),
        ("user contains ascii", contains(Field::User, &["SYSTEM:"])),
        ("user like", like(Field::User, &[Piece::Text("SYSTEM:".to_owned()), Piece::Any])),
        ("user like one", like(Field::User, &[Piece::Text("j".to_owned()), Piece::One, Piece::Text("RG".to_owned())])),
        ("actor", is(Field::Actor, &["root"])),
        ("level", is(Field::Level, &["Metadata"])),
        ("verb", is(Field::Verb, &["create", "delete"])),
        ("group", contains(Field::Group, &["MASTERS", "größe"])),
        ("group with a star", contains(Field::Group, &["n*S"])),
        ("source ip", contains(Field::SourceIp, &["fe80"])),
        ("true address", is(Field::Address, &["FE80::1"])),
        ("resource", begins(Field::Resource, &["POD"])),
        ("subresource", begins(Field::Subresource, &["ex", "statu"])),
        ("code", Query::of(Filter::Equals(Number::Code, vec![404, 403, -1, 9_000_000_000]))),
        ("code from", Query::of(Filter::Within(Number::Code, Some(400), None))),
        ("status", is(Field::Status, &["Failure"])),
        ("not", Query::of(Filter::Not(Box::new(Filter::is(Field::Verb, ["get"]))))),
        ("start", Query { start_micros: Some(1_794_900_000_000_000), ..Query::default() }),
        ("since", Query::of(Filter::Since(1_794_900_000_000_000))),
        ("end", Query { end_micros: Some(1_794_900_000_000_000), ..Query::default() }),
    ]
}
