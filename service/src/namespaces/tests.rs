use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vedette_proto::rules::v1 as proto;

use super::*;
use crate::operator::OperatorConfig;
use crate::operator::script::{self, End, LIMIT, Operator, Wire, until};

/// `workspace` may be empty.
fn namespace(cluster: &str, name: &str, uid: &str, workspace: &str) -> proto::Namespace {
    proto::Namespace {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        workspace: workspace.to_owned(),
        created: None,
    }
}

fn complete(set: Vec<proto::Namespace>) -> proto::NamespaceChanges {
    proto::NamespaceChanges { complete: true, set, ..Default::default() }
}

fn change(set: Vec<proto::Namespace>, removed: Vec<proto::Namespace>) -> proto::NamespaceChanges {
    proto::NamespaceChanges { set, removed, ..Default::default() }
}

/// The same, where there is more to come.
fn part(of: proto::NamespaceChanges) -> proto::NamespaceChanges {
    proto::NamespaceChanges { more: true, ..of }
}

fn table(set: Vec<proto::Namespace>) -> Table {
    let mut table = Table::default();
    table.apply(complete(set));
    table
}

fn workspace(table: &Table, cluster: &str, name: &str) -> Option<String> {
    Some(table.clusters().get(cluster)?.workspace(name)?.to_string())
}

fn changed(table: &mut Table) -> Vec<String> {
    let mut changed: Vec<_> = table.take_changed().iter().map(ToString::to_string).collect();
    changed.sort();
    changed
}

#[test]
fn changes_are_applied_to_their_cluster_alone() {
    let mut table =
        table(vec![namespace("a", "n", "1", "w"), namespace("b", "n", "2", ""), namespace("a", "m", "3", "v")]);
    assert_eq!(changed(&mut table), ["a", "b"]);
    assert_eq!((workspace(&table, "a", "n").as_deref(), workspace(&table, "b", "n")), (Some("w"), None));
    let untouched = table.clusters()["b"].clone();
    let before = table.clusters()["a"].clone();
    table.apply(change(vec![namespace("a", "n", "1", "x")], vec![namespace("a", "m", "3", "")]));
    assert_eq!(changed(&mut table), ["a"]);
    assert_eq!((workspace(&table, "a", "n").as_deref(), table.len()), (Some("x"), 2));
    assert!(Arc::ptr_eq(&untouched.namespaces, &table.clusters()["b"].namespaces), "copied without need");
    // Whoever holds the state before still has it.
    assert_eq!(before.workspace("n").map(|it| &**it), Some("w"));
    assert_eq!(before.namespace("m").unwrap().uid, "3".into());
}

#[test]
fn what_was_made_anew_is_not_removed_with_the_one_before() {
    let mut table = table(vec![namespace("a", "n", "2", "w")]);
    table.apply(change(vec![], vec![namespace("a", "n", "1", "")]));
    assert_eq!(workspace(&table, "a", "n").as_deref(), Some("w"));
    table.apply(change(vec![namespace("a", "n", "3", "v")], vec![namespace("a", "n", "2", "")]));
    assert_eq!(workspace(&table, "a", "n").as_deref(), Some("v"));
    table.apply(change(vec![], vec![namespace("a", "n", "3", ""), namespace("gone", "n", "", "")]));
    assert!(table.is_empty());
}

#[test]
fn a_complete_list_replaces_all_and_only_what_differs_has_changed() {
    let all = || vec![namespace("a", "n", "1", "w"), namespace("b", "n", "2", "w"), namespace("c", "n", "3", "w")];
    let mut table = table(all());
    changed(&mut table);
    let held = table.clusters()["a"].clone();
    table.apply(complete(all()));
    assert_eq!(changed(&mut table), [""; 0]);
    assert!(Arc::ptr_eq(&held.namespaces, &table.clusters()["a"].namespaces), "held twice");
    table.apply(complete(vec![
        namespace("a", "n", "1", "w"),
        namespace("b", "n", "2", "x"),
        namespace("d", "n", "4", ""),
    ]));
    assert_eq!(changed(&mut table), ["b", "c", "d"]);
    assert_eq!((table.len(), workspace(&table, "c", "n")), (3, None));
}

#[test]
fn a_complete_list_may_come_in_parts_and_half_of_it_is_nothing() {
    let mut table = table(vec![namespace("a", "n", "1", "w"), namespace("b", "n", "2", "w")]);
    changed(&mut table);
    table.apply(part(complete(vec![namespace("a", "n", "1", "w")])));
    assert!(table.is_unsettled());
    table.abandon();
    assert_eq!((table.is_unsettled(), workspace(&table, "b", "n").as_deref()), (false, Some("w")));
    table.apply(part(complete(vec![namespace("a", "n", "1", "w")])));
    table.apply(part(change(vec![namespace("b", "n", "2", "x")], vec![])));
    // It may begin anew before it was whole.
    table.apply(part(complete(vec![namespace("b", "n", "2", "x")])));
    table.apply(change(vec![namespace("a", "n", "1", "w")], vec![]));
    assert_eq!((changed(&mut table), table.len()), (vec!["b".to_owned()], 2));
    assert_eq!(
        (workspace(&table, "a", "n").as_deref(), workspace(&table, "b", "n").as_deref()),
        (Some("w"), Some("x"))
    );
}

#[test]
fn what_kubernetes_cannot_have_is_left_out() {
    let long = "x".repeat(254);
    let table = table(vec![
        namespace("", "n", "1", "w"),
        namespace("a", "", "1", "w"),
        namespace("a", "n", "1", &long),
        namespace("a", &long, "1", "w"),
        namespace("a", "fine", "1", "w"),
    ]);
    assert_eq!((table.len(), workspace(&table, "a", "fine").as_deref()), (1, Some("w")));
}

struct Bench {
    folder: tempfile::TempDir,
    config: PolicyConfig,
    ctx: Context,
    pace: Pace,
}

impl Bench {
    fn new(url: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let operator = Some(OperatorConfig { url, ..OperatorConfig::default() });
        let config = PolicyConfig { operator, state_dir: Some(folder.path().to_owned()), ..PolicyConfig::default() };
        Self { folder, config, ctx: context(), pace: script::pace() }
    }

    async fn watch(&self) -> Namespaces {
        watch_with(&self.config, &self.ctx, self.pace, Duration::from_millis(20)).await.unwrap()
    }

    async fn stop(&mut self) {
        self.ctx.shutdown.cancel();
        assert!(self.ctx.join(LIMIT).await, "the watch did not end");
        self.ctx = context();
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.folder.path().join("test-namespaces"));
        folder.map(|files| files.map(|file| file.unwrap().path()).collect()).unwrap_or_default()
    }
}

fn context() -> Context {
    Context::new("test", prometheus::Registry::new(), CancellationToken::new())
}

fn found(all: &Namespaces, cluster: &str, name: &str) -> Option<String> {
    all.workspace(cluster, name).map(|it| it.to_string())
}

#[tokio::test]
async fn without_an_operator_there_are_none() {
    let all = watch(&PolicyConfig::default(), &context()).await.unwrap();
    assert!(all.workspace("a", "n").is_none() && all.cluster("a").is_empty());
}

#[tokio::test]
async fn changes_are_seen_and_kept_and_a_new_connection_brings_the_whole_list() {
    let list = complete(vec![namespace("a", "n", "1", "w"), namespace("b", "n", "2", "v")]);
    let operator = Operator::start(None);
    operator.namespaces.send_replace((Some(list.clone()), None));
    let wire = Wire::to(End::Server(operator.address)).await;
    let mut bench = Bench::new(wire.url("http"));
    let all = bench.watch().await;
    assert_eq!((found(&all, "a", "n").as_deref(), found(&all, "b", "n").as_deref()), (Some("w"), Some("v")));
    operator.namespaces.send_replace((Some(list), Some(change(vec![namespace("a", "n", "1", "x")], vec![]))));
    until(|| found(&all, "a", "n").as_deref() == Some("x")).await;
    until(|| bench.files().iter().any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains("\"x\"")))).await;

    // Away: what is known stays known; over a restart too.
    wire.lead(End::Nobody);
    wire.tried().await;
    assert_eq!(found(&all, "a", "n").as_deref(), Some("x"));
    bench.stop().await;
    let all = bench.watch().await;
    assert_eq!((found(&all, "a", "n").as_deref(), found(&all, "b", "n").as_deref()), (Some("x"), Some("v")));

    let next = Operator::start(None);
    next.namespaces.send_replace((Some(complete(vec![namespace("b", "n", "2", "u")])), None));
    wire.lead(End::Server(next.address));
    until(|| found(&all, "b", "n").as_deref() == Some("u")).await;
    assert_eq!(found(&all, "a", "n"), None);
    // Stopping writes what is not written yet, and what is gone is gone.
    bench.stop().await;
    assert_eq!(bench.files().len(), 1);
    drop(operator);
}

#[tokio::test]
async fn an_operator_that_is_away_keeps_no_service_from_starting() {
    let wire = Wire::to(End::Nobody).await;
    let mut bench = Bench::new(wire.url("http"));
    bench.pace.first = Duration::from_millis(50);
    let all = bench.watch().await;
    assert!(all.cluster("a").is_empty());
    // Damaged files are no reason either.
    let folder = bench.folder.path().join("test-namespaces");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("x.json"), "{").unwrap();
    bench.stop().await;
    bench.watch().await;
    bench.stop().await;
}
