//! On a real kube-apiserver with RBAC: what is decided here is what it decides, and what it takes away is gone.

use std::path::{Path, PathBuf};

use ::kube::config::Kubeconfig;
use tokio::task::spawn_blocking;
use vedette_e2e::ControlPlane;

use super::super::review;
use super::*;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MAX_AGE: u64 = 12;

const OBJECTS: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: one}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: two}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: three}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: events, labels: {to: auditors}},
 rules: [{apiGroups: ["", apps], resources: [pods, events], verbs: [get, list]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: named},
 rules: [{apiGroups: [""], resources: [events], resourceNames: [x], verbs: [get, list]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: other-group},
 rules: [{apiGroups: [events.k8s.io], resources: ["*"], verbs: ["*"]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: all, namespace: one},
 rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: ann, namespace: one},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: events},
 subjects: [{kind: User, name: ann, apiGroup: rbac.authorization.k8s.io}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: ann, namespace: two},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: events},
 subjects: [{kind: User, name: ann, apiGroup: rbac.authorization.k8s.io}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: dev, namespace: one},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: all},
 subjects: [{kind: Group, name: dev, apiGroup: rbac.authorization.k8s.io}, {kind: ServiceAccount, name: robot, namespace: two}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: missing, namespace: three},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: not-there},
 subjects: [{kind: User, name: ann, apiGroup: rbac.authorization.k8s.io}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: named, namespace: three},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: named},
 subjects: [{kind: User, name: ann, apiGroup: rbac.authorization.k8s.io}, {kind: User, name: bob, apiGroup: rbac.authorization.k8s.io}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: bob},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: other-group},
 subjects: [{kind: User, name: bob, apiGroup: rbac.authorization.k8s.io}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: cleo},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: events},
 subjects: [{kind: User, name: cleo, apiGroup: rbac.authorization.k8s.io}, {kind: Group, name: "system:serviceaccounts:three", apiGroup: rbac.authorization.k8s.io}]}
"#;

/// KubeSphere's kinds, as far as they are read, and a workspace whose viewer ann is.
const DEFINITIONS: [(&str, &str, &str, &str); 3] = [
    ("tenant.kubesphere.io", "v1alpha1", "Workspace", "workspaces"),
    ("iam.kubesphere.io", "v1alpha2", "WorkspaceRole", "workspaceroles"),
    ("iam.kubesphere.io", "v1alpha2", "WorkspaceRoleBinding", "workspacerolebindings"),
];
const WORKSPACE: &str = r#"
{apiVersion: tenant.kubesphere.io/v1alpha1, kind: Workspace, metadata: {name: work}}
---
{apiVersion: iam.kubesphere.io/v1alpha2, kind: WorkspaceRole, metadata: {name: work-viewer, labels: {kubesphere.io/workspace: work}},
 rules: [{apiGroups: ["*"], resources: ["*"], verbs: [get, list]}]}
---
{apiVersion: iam.kubesphere.io/v1alpha2, kind: WorkspaceRoleBinding,
 metadata: {name: ann-work-viewer, labels: {kubesphere.io/workspace: work}},
 roleRef: {apiGroup: iam.kubesphere.io, kind: WorkspaceRole, name: work-viewer},
 subjects: [{apiGroup: iam.kubesphere.io, kind: User, name: ann}]}
---
{apiVersion: v1, kind: Namespace, metadata: {name: three, labels: {kubesphere.io/workspace: work}}}
"#;

struct Lab {
    kube: ControlPlane,
    tenancy: Tenancy,
    metrics: Metrics,
    ctx: Context,
    kubeconfig: PathBuf,
    _folder: tempfile::TempDir,
}

/// What the manual says the console needs, given to a service account; the kubeconfig of that account.
fn account(kube: &ControlPlane, folder: &Path) -> PathBuf {
    let manual = std::fs::read_to_string(vedette_e2e::tools::repository("docs/access.md")).unwrap();
    let blocks = manual.split("```yaml\n").filter_map(|rest| Some(rest.split_once("```")?.0));
    let role = blocks.filter(|block| block.contains("kind: ClusterRole")).collect::<String>();
    kube.kubectl_ok(&["apply", "-f", "-"], Some(&role));
    kube.kubectl_ok(&["create", "serviceaccount", "console", "-n", "default"], None);
    let bind = [
        "create",
        "clusterrolebinding",
        "console",
        "--clusterrole=vedette-console",
        "--serviceaccount=default:console",
    ];
    kube.kubectl_ok(&bind, None);
    let token = kube.kubectl_ok(&["create", "token", "console", "-n", "default"], None);
    let mut config = serde_json::to_value(Kubeconfig::read_from(kube.kubeconfig()).unwrap()).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    let file = folder.join("console.kubeconfig");
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

impl Lab {
    async fn start(objects: &'static str) -> Self {
        vedette_service::tls::install_provider();
        let prepared = spawn_blocking(move || {
            let (kube, folder) = (ControlPlane::bare(), tempfile::tempdir().unwrap());
            kube.kubectl_ok(&["apply", "-f", "-"], Some(objects));
            let kubeconfig = account(&kube, folder.path());
            (kube, kubeconfig, folder)
        });
        let (kube, kubeconfig, folder) = prepared.await.unwrap();
        let ctx = Context::new("console", prometheus::Registry::new(), CancellationToken::new());
        let metrics = Metrics::register(&ctx.registry).unwrap();
        let tenancy = watching(kubeconfig.clone(), &metrics, &ctx).await;
        Self { kube, tenancy, metrics, ctx, kubeconfig, _folder: folder }
    }

    /// Waits until the view of `caller` is as told.
    async fn eventually(
        &self,
        what: &str,
        caller: &Caller,
        holds: impl Fn(&Result<Arc<View>, Denied>) -> bool,
    ) -> Duration {
        let begun = Instant::now();
        loop {
            let view = self.tenancy.view(caller).await;
            if holds(&view) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < PATIENCE, "never: {what}: {view:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn watching(kubeconfig: PathBuf, metrics: &Metrics, ctx: &Context) -> Tenancy {
    let cluster = TenancyCluster { name: "default".to_owned(), kubeconfig: Some(kubeconfig) };
    let config = TenancyConfig { clusters: vec![cluster], max_age_seconds: MAX_AGE, ..TenancyConfig::default() };
    Tenancy::start(&config, metrics, ctx, &ctx.shutdown).await.unwrap()
}

fn sees(view: &Result<Arc<View>, Denied>, namespaces: &[&str]) -> bool {
    view.as_ref().is_ok_and(|view| view.namespaces.iter().map(|it| &*it.name).eq(namespaces.iter().copied()))
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_decides_the_same_and_what_it_takes_away_is_gone() {
    let lab = Lab::start(OBJECTS).await;
    let cluster = &lab.tenancy.clusters[0];
    let ann = caller("ann", &["system:authenticated"], Via::Proxy);
    lab.eventually("ann sees two", &ann, |view| sees(view, &["one", "two"])).await;

    let users: [(&str, &[&str]); 9] = [
        ("ann", &["system:authenticated"]),
        ("ann", &["dev"]),
        ("bob", &[]),
        ("eve", &["dev", "ops"]),
        ("cleo", &[]),
        ("root", &["system:masters"]),
        ("system:serviceaccount:two:robot", &["system:serviceaccounts", "system:serviceaccounts:two"]),
        ("system:serviceaccount:three:robot", &["system:serviceaccounts", "system:serviceaccounts:three"]),
        ("nobody", &[]),
    ];
    for (name, groups) in users {
        let caller = caller(name, groups, Via::Proxy);
        let view = lab.tenancy.view(&caller).await.unwrap();
        let who = cluster.who(&caller).unwrap();
        let whole = review::ask(cluster, &caller, &who, None).await.unwrap();
        assert_eq!(view.clusters.len(), usize::from(whole), "{name} {groups:?}");
        for namespace in ["one", "two", "three", "default", "kube-system"] {
            let theirs = review::ask(cluster, &caller, &who, Some(namespace)).await.unwrap();
            let ours = view.allows("default", "", namespace, None, i64::MAX);
            assert_eq!(ours, theirs, "{name} {groups:?} in {namespace}");
        }
    }

    // A namespace that is made again is another one. Without its controllers nothing else ends the old one.
    let before = lab.tenancy.view(&ann).await.unwrap().namespaces[1].clone();
    lab.kube.kubectl_ok(&["delete", "namespace", "two", "--wait=false"], None);
    let ended = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"two"},"spec":{"finalizers":[]}}"#;
    lab.kube.kubectl_ok(&["replace", "--raw", "/api/v1/namespaces/two/finalize", "-f", "-"], Some(ended));
    lab.eventually("two is gone", &ann, |view| sees(view, &["one"])).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    lab.kube.kubectl_ok(&["create", "namespace", "two"], None);
    lab.eventually("two is there again", &ann, |view| sees(view, &["one", "two"])).await;
    let view = lab.tenancy.view(&ann).await.unwrap();
    let after = &view.namespaces[1];
    assert_ne!(after.uid, before.uid);
    assert!(after.created_unix_seconds > before.created_unix_seconds);
    let then = before.created_unix_seconds * 1_000_000;
    assert!(
        !view.allows("default", "", "two", Some(&before.uid), then) && !view.allows("default", "", "two", None, then)
    );

    lab.kube.kubectl_ok(&["delete", "rolebinding", "ann", "-n", "one"], None);
    let took = lab.eventually("the binding is revoked", &ann, |view| sees(view, &["two"])).await;
    println!("a binding was revoked after {took:?}");
    lab.kube.kubectl_ok(&["delete", "clusterrole", "events"], None);
    lab.eventually("the role is revoked", &ann, |view| sees(view, &[])).await;

    // Longer than what is known may be old, and with nothing that changes.
    tokio::time::sleep(Duration::from_secs(MAX_AGE + 3)).await;
    assert!(lab.tenancy.view(&ann).await.is_ok(), "a quiet cluster stays fresh");
    lab.kube.pause();
    let paused = Instant::now();
    lab.eventually("a silent cluster is stale", &ann, |view| matches!(view, Err(Denied::Stale { .. }))).await;
    assert!(paused.elapsed() <= Duration::from_secs(MAX_AGE + 1));
    lab.kube.resume();
    lab.eventually("it is fresh again", &ann, Result::is_ok).await;
    lab.ctx.shutdown.cancel();
    assert!(lab.ctx.join(PATIENCE).await, "everything ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_is_asked_where_it_was_seen_to_deny_and_workspaces_are_found() {
    let lab = Lab::start(OBJECTS).await;
    let cluster = &lab.tenancy.clusters[0];
    let (ann, eve) = (caller("ann", &[], Via::Proxy), caller("eve", &[], Via::Proxy));
    lab.eventually("ann sees two", &ann, |view| sees(view, &["one", "two"])).await;
    lab.eventually("what is compared agrees", &ann, |_| checks(&lab, "agreed") > 0).await;

    // A binding that only we know: as if we read it wrongly.
    let (kind, wrong) = binding("three", "events", "User", "eve");
    cluster.change(|known| known.set(kind, &wrong));
    assert!(sees(&lab.tenancy.view(&eve).await, &["three"]));
    lab.eventually("the disagreement is seen", &eve, |view| sees(view, &[])).await;
    assert_eq!(cluster.trust(), Trust::TooMuch);
    assert_eq!(checks(&lab, "allowed_too_much"), 1);
    assert!(sees(&lab.tenancy.view(&ann).await, &["one", "two"]), "whom it allows, it allows still");
    let cleo = lab.tenancy.view(&caller("cleo", &[], Via::Proxy)).await.unwrap();
    assert_eq!(cleo.clusters.len(), 1);
    for at in 0..250 {
        let name = format!("n{at}");
        cluster.change(|known| {
            known.set(Kind::Namespace, &namespace(&name, "").1);
            known.set(kind, &binding(&name, "events", "User", "zoe").1);
        });
    }
    let many = lab.tenancy.view(&caller("zoe", &[], Via::Proxy)).await;
    assert!(matches!(many, Err(Denied::TooMany { .. })), "{many:?}");

    // KubeSphere is installed, and a console that starts then finds it.
    let definitions: Vec<_> = DEFINITIONS.iter().map(definition).collect();
    lab.kube.kubectl_ok(&["apply", "-f", "-"], Some(&definitions.join("\n---\n")));
    lab.kube.kubectl_ok(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], None);
    lab.kube.kubectl_ok(&["apply", "-f", "-"], Some(WORKSPACE));
    let ctx = Context::new("console", prometheus::Registry::new(), lab.ctx.shutdown.clone());
    let metrics = Metrics::register(&ctx.registry).unwrap();
    let tenancy = watching(lab.kubeconfig.clone(), &metrics, &ctx).await;
    let lab = Lab { tenancy, ctx, metrics, ..lab };
    lab.eventually("ann sees her workspace's namespace too", &ann, |view| sees(view, &["one", "three", "two"])).await;
    let view = lab.tenancy.view(&ann).await.unwrap();
    assert!(view.allows("default", "work", "", None, i64::MAX) && !view.allows("default", "", "", None, i64::MAX));
    assert_eq!(&*view.workspaces[0].name, "work");
    lab.kube.kubectl_ok(&["delete", "workspacerolebinding", "ann-work-viewer"], None);
    lab.eventually("her workspace is revoked", &ann, |view| sees(view, &["one", "two"])).await;
    lab.ctx.shutdown.cancel();
}

fn checks(lab: &Lab, result: &str) -> u64 {
    lab.metrics.spot_checks.with_label_values(&[result]).get()
}

fn definition((group, version, kind, plural): &(&str, &str, &str, &str)) -> String {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Cluster", "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}
            }]
        }
    })
    .to_string()
}
