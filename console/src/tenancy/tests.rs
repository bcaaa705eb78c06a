mod kube;

use serde_json::json;

use super::objects::tests::{list, namespace, object};
use super::*;

/// A cluster that nobody watches, with these objects, all known now.
fn cluster(name: &str, objects: Vec<(Kind, ::kube::api::DynamicObject)>) -> Arc<Cluster> {
    vedette_service::tls::install_provider();
    let nowhere = ::kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let cluster = Arc::new(Cluster::new(name, ::kube::Client::try_from(nowhere).unwrap()));
    for (kind, object) in objects {
        cluster.change(|known| known.set(kind, &object));
    }
    renew(&cluster);
    cluster
}

/// Everything about it is proven now.
fn renew(cluster: &Cluster) {
    for kind in Kind::KUBERNETES {
        cluster.prove(kind, Instant::now());
    }
    cluster.probed(Instant::now());
}

fn binding(namespace: &str, role: &str, kind: &str, name: &str) -> (Kind, ::kube::api::DynamicObject) {
    let more = json!({"roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [{"kind": kind, "name": name}]});
    match namespace {
        "" => object(Kind::ClusterRoleBinding, "", &format!("{role}-{name}"), more),
        _ => object(Kind::RoleBinding, namespace, &format!("{role}-{name}"), more),
    }
}

fn view_role() -> (Kind, ::kube::api::DynamicObject) {
    let rules = json!({"rules": [{"verbs": ["list"], "apiGroups": [""], "resources": ["events"]}]});
    object(Kind::ClusterRole, "", "view", rules)
}

fn caller(name: &str, groups: &[&str], via: Via) -> Caller {
    let groups = groups.iter().map(|it| (*it).to_owned()).collect();
    Caller { name: name.to_owned(), groups, uid: None, extra: Default::default(), via }
}

fn names(visible: &[Visible]) -> Vec<String> {
    visible.iter().map(|it| format!("{}/{}", it.cluster, it.name)).collect()
}

#[test]
fn a_record_is_visible_by_its_namespaces_uid_or_by_name_and_time() {
    let visible = |name: &str| Visible {
        cluster: "c".into(),
        name: name.into(),
        uid: format!("{name}-uid").into(),
        created_unix_seconds: 100,
    };
    let view = View {
        clusters: vec!["whole".into()],
        namespaces: vec![visible("ns")],
        workspaces: vec![visible("ws")],
        ..View::default()
    };
    let (before, after) = (99_999_999, 100_000_000);
    let check = |(cluster, workspace, namespace): (&str, &str, &str), uid: Option<&str>, time: i64, expected: bool| {
        let found = view.allows(cluster, workspace, namespace, uid, time);
        assert_eq!(found, expected, "{cluster} {workspace} {namespace} {uid:?} {time}");
        assert!(View::everything().allows(cluster, workspace, namespace, uid, time));
        assert!(!View::default().allows(cluster, workspace, namespace, uid, time));
    };
    check(("c", "", "ns"), Some("ns-uid"), before, true);
    check(("c", "", "ns"), Some("other-uid"), after, false);
    check(("d", "", "ns"), Some("ns-uid"), after, false);
    check(("c", "", "ns"), None, after, true);
    check(("c", "", "ns"), Some(""), before, false);
    check(("c", "", "ns"), None, before, false);
    check(("c", "ws", "ns2"), None, after, false);
    check(("c", "ws", ""), None, after, true);
    check(("c", "ws", ""), None, before, false);
    check(("c", "ws2", ""), None, after, false);
    check(("c", "", ""), None, after, false);
    check(("whole", "", ""), None, before, true);
    check(("whole", "x", "y"), Some("z"), before, true);
}

#[tokio::test]
async fn who_administers_sees_everything_and_without_clusters_nobody_else_sees_anything() {
    let config = TenancyConfig {
        administrators: Administrators { groups: vec!["auditors".to_owned()] },
        ..TenancyConfig::default()
    };
    let tenancy = Tenancy::over(Vec::new(), &config);
    let check = async |name: &str, groups: &[&str], via: Via, everything: bool| {
        let view = tenancy.view(&caller(name, groups, via)).await;
        let expected = if everything { Ok(Arc::new(View::everything())) } else { Err(Denied::NotConfigured) };
        assert_eq!(view, expected, "{name} {groups:?}");
    };
    check("x", &[], Via::Token, true).await;
    check("x", &[MASTERS], Via::TokenFile, true).await;
    check("x", &["auditors"], Via::Proxy, true).await;
    check("x", &["auditors"], Via::TokenFile, true).await;
    check("x", &["dev"], Via::TokenFile, false).await;
    // A cluster's master is that cluster's.
    check("x", &[MASTERS], Via::Kubernetes { cluster: "a".into() }, false).await;
    check("x", &[MASTERS], Via::Proxy, false).await;
}

#[tokio::test]
async fn each_cluster_says_for_itself_and_its_own_names_count_there_alone() {
    let objects = || {
        vec![
            view_role(),
            namespace("n", ""),
            binding("n", "view", "User", "ann"),
            binding("n", "view", "User", "system:serviceaccount:n:robot"),
            binding("n", "view", "Group", "system:serviceaccounts"),
        ]
    };
    let clusters = vec![cluster("a", objects()), cluster("b", objects())];
    let tenancy = Tenancy::over(clusters, &TenancyConfig::default());
    let check = async |name: &str, groups: &[&str], home: Option<&str>, whole: &[&str], namespaces: &[&str]| {
        let via = home.map_or(Via::Proxy, |home| Via::Kubernetes { cluster: home.into() });
        let view = tenancy.view(&caller(name, groups, via)).await.unwrap();
        let clusters: Vec<&str> = view.clusters.iter().map(|it| &**it).collect();
        assert_eq!((clusters.as_slice(), names(&view.namespaces).as_slice()), (whole, &*owned(namespaces)), "{name}");
    };
    let robot = "system:serviceaccount:n:robot";
    check("ann", &[], None, &[], &["a/n", "b/n"]).await;
    check("ann", &[], Some("a"), &[], &["a/n", "b/n"]).await;
    check(robot, &["system:serviceaccounts"], Some("a"), &[], &["a/n"]).await;
    check(robot, &[], Some("b"), &[], &["b/n"]).await;
    check("bob", &["system:serviceaccounts"], Some("a"), &[], &["a/n"]).await;
    check("bob", &[MASTERS], Some("a"), &["a"], &[]).await;
    check("bob", &[MASTERS], None, &["a", "b"], &[]).await;
}

fn owned(all: &[&str]) -> Vec<String> {
    all.iter().map(|it| (*it).to_owned()).collect()
}

#[tokio::test]
async fn a_workspace_shows_its_records_and_its_namespaces() {
    let rules = json!({"rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]});
    let bound = json!({
        "workspace": "w", "roleRef": {"kind": "WorkspaceRole", "name": "w-admin"}, "subjects": [{"kind": "User", "name": "ann"}]
    });
    let objects = vec![
        object(Kind::Workspace, "", "w", json!({})),
        object(Kind::WorkspaceRole, "", "w-admin", rules),
        object(Kind::WorkspaceRoleBinding, "", "w-admin-ann", bound),
        namespace("one", "w"),
        namespace("two", "w"),
        namespace("other", ""),
        view_role(),
        binding("two", "view", "User", "ann"),
        binding("other", "view", "User", "ann"),
    ];
    let tenancy = Tenancy::over(vec![cluster("c", objects)], &TenancyConfig::default());
    let view = tenancy.view(&caller("ann", &[], Via::Proxy)).await.unwrap();
    assert_eq!(names(&view.workspaces), ["c/w"]);
    assert_eq!(names(&view.namespaces), ["c/one", "c/other", "c/two"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_shows_nothing() {
    let cluster = cluster("c", vec![view_role(), namespace("n", ""), binding("n", "view", "User", "ann")]);
    let tenancy = Tenancy::over(vec![Arc::clone(&cluster)], &TenancyConfig::default());
    let ann = caller("ann", &[], Via::Proxy);
    assert!(tenancy.view(&ann).await.is_ok());
    let stale = Err(Denied::Stale { cluster: "c".into() });
    for missing in Kind::KUBERNETES {
        renew(&cluster);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(tenancy.view(&ann).await.is_ok());
        for kind in Kind::KUBERNETES.into_iter().filter(|kind| *kind != missing) {
            cluster.prove(kind, Instant::now());
        }
        cluster.probed(Instant::now());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(tenancy.view(&ann).await, stale, "one that is not watched is enough: {missing:?}");
    }
    renew(&cluster);
    cluster.prove(Kind::WorkspaceRole, Instant::now());
    tokio::time::advance(Duration::from_secs(30)).await;
    for kind in Kind::KUBERNETES {
        cluster.prove(kind, Instant::now());
    }
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(tenancy.view(&ann).await, stale, "the probe counts");
    cluster.probed(Instant::now());
    assert_eq!(tenancy.view(&ann).await, stale, "KubeSphere's kinds count where they are");
    cluster.absent(Kind::WorkspaceRole);
    assert!(tenancy.view(&ann).await.is_ok());
}

#[tokio::test]
async fn a_view_is_made_again_when_something_changes() {
    let cluster = cluster("c", vec![view_role(), namespace("n", ""), binding("n", "view", "User", "ann")]);
    let tenancy = Tenancy::over(vec![Arc::clone(&cluster)], &TenancyConfig::default());
    let ann = caller("ann", &[], Via::Proxy);
    let first = tenancy.view(&ann).await.unwrap();
    assert!(Arc::ptr_eq(&first, &tenancy.view(&ann).await.unwrap()));
    let mut again = namespace("n", "").1;
    again.metadata.uid = Some("another".to_owned());
    cluster.change(|known| known.set(Kind::Namespace, &again));
    assert_eq!(&*tenancy.view(&ann).await.unwrap().namespaces[0].uid, "another");
    cluster.change(|known| list(known, Kind::RoleBinding, &[]));
    assert_eq!(*tenancy.view(&ann).await.unwrap(), View::default());
}

#[tokio::test]
async fn ten_thousand_namespaces_cost_milliseconds() {
    const MANY: usize = 10_000;
    let mut objects = vec![view_role()];
    for at in 0..MANY {
        let name = format!("n{at:05}");
        objects.push(namespace(&name, ""));
        objects.push(binding(&name, "view", "User", if at % 2 == 0 { "ann" } else { "bob" }));
        objects.push(binding(&name, "view", "Group", &format!("team-{}", at % 100)));
    }
    let filling = std::time::Instant::now();
    let tenancy = Tenancy::over(vec![cluster("c", objects)], &TenancyConfig::default());
    let filled = filling.elapsed();
    let check = async |name: &str, groups: &[&str], expected: usize| {
        let begun = std::time::Instant::now();
        let view = tenancy.view(&caller(name, groups, Via::Proxy)).await.unwrap();
        let took = begun.elapsed();
        assert_eq!(view.namespaces.len(), expected);
        assert!(view.namespaces.is_sorted());
        println!("a view of {expected} among {MANY} namespaces took {took:?}; filling took {filled:?}");
        // Far from what it takes, for a machine that does something else meanwhile.
        assert!(took < Duration::from_secs(1), "{took:?}");
    };
    check("ann", &[], MANY / 2).await;
    check("eve", &["team-7"], MANY / 100).await;
    check("ann", &["team-7"], MANY / 2 + MANY / 100).await;
    check("nobody", &[], 0).await;
}
