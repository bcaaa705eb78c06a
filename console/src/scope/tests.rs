//! The condition and the quick check are held against the plain definition.

use proptest::collection::vec;
use proptest::prelude::*;
use vedette_archive::Filter;
use vedette_audit::{Document, EventId};

use super::Scope;
use crate::auth::{Caller, Kind};
use crate::tenancy::{View, Visible};

const SECOND: i64 = 1_000_000;

/// A caller of this name.
pub(crate) fn caller(name: &str) -> Caller {
    Caller { name: name.to_owned(), groups: Vec::new(), uid: None, extra: Default::default(), via: Kind::TokenFile }
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("c".to_owned())]
}

fn places() -> impl Strategy<Value = Vec<Visible>> {
    let place = (names(), names(), names(), 0..20_i64).prop_map(|(cluster, name, uid, created)| Visible {
        cluster: cluster.into(),
        name: name.into(),
        uid: uid.into(),
        created_unix_seconds: created,
    });
    // A cluster has one of a name.
    vec(place, 0..6).prop_map(|mut places| {
        places.sort();
        places.dedup_by(|a, b| (&a.cluster, &a.name) == (&b.cluster, &b.name));
        places
    })
}

fn views() -> impl Strategy<Value = View> {
    (prop::bool::weighted(0.05), vec(names(), 0..2), places(), places()).prop_map(
        |(everything, clusters, namespaces, workspaces)| View {
            everything,
            clusters: clusters.into_iter().map(Into::into).collect(),
            namespaces,
            workspaces,
        },
    )
}

fn documents() -> impl Strategy<Value = Document> {
    let maybe = || prop_oneof![Just(String::new()), names()];
    (names(), maybe(), maybe(), maybe(), 0..25_i64).prop_map(|(cluster, namespace, workspace, uid, time)| {
        let mut document = Document::build(EventId::from_bytes([0; 16]), br#"{"verb":"get"}"#, &[], 0).unwrap();
        document.time_micros = time * SECOND;
        document.fields.tenant = if uid.is_empty() { uid } else { format!("{cluster}/{uid}") };
        document.fields.cluster = cluster;
        document.fields.namespace = namespace;
        document.fields.workspace = workspace;
        document
    })
}

fn allowed(view: &View, document: &Document) -> bool {
    let fields = &document.fields;
    let uid = fields.tenant.split_once('/').map(|(_, uid)| uid);
    view.allows(&fields.cluster, &fields.workspace, &fields.namespace, uid, document.time_micros)
}

proptest! {
    #[test]
    fn a_scope_is_the_view(view in views(), documents in vec(documents(), 1..40)) {
        let scope = Scope::of(&caller("x"), &view, 0);
        for document in &documents {
            let expected = allowed(&view, document);
            prop_assert_eq!(scope.allows(&document.into()), expected);
            prop_assert_eq!(scope.filter.matches(document), expected);
        }
    }

    /// Where many stand together a record may be missed, and none is seen that should not be.
    #[test]
    fn what_stands_together_shows_no_more(view in views(), documents in vec(documents(), 1..40), old in 0..25_i64) {
        let scope = Scope::of(&caller("x"), &view, old * SECOND);
        for document in &documents {
            let expected = allowed(&view, document);
            prop_assert!(!scope.filter.matches(document) || expected);
            // What is younger than all that stands together is found.
            prop_assert!(!expected || document.time_micros < old * SECOND || scope.filter.matches(document));
        }
    }
}

#[test]
fn ten_thousand_namespaces_are_few_conditions() {
    let namespaces = (0..10_000).map(|number: i64| Visible {
        cluster: "default".into(),
        name: format!("ns-{number}").into(),
        uid: format!("uid-{number}").into(),
        created_unix_seconds: number,
    });
    let view = View { namespaces: namespaces.collect(), ..View::default() };
    let scope = Scope::of(&caller("x"), &view, 5_000 * SECOND);
    assert!(conditions(&scope.filter) < 350, "{}", conditions(&scope.filter));
}

fn conditions(filter: &Filter) -> usize {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => 1 + filters.iter().map(conditions).sum::<usize>(),
        Filter::Not(filter) => 1 + conditions(filter),
        _ => 1,
    }
}
