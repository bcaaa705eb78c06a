//! The console as the operator deploys it: who a cluster knows gets in by their own token, and sees what happened where they may look.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use vedette_e2e::{ControlPlane, Deployed, Service, ports, tools};

use crate::operator::{NAMESPACE, PATIENCE, WEBHOOK, in_force, rule};
use crate::sender::Sender;
use crate::stack::Stack;

const CONSOLE: &str = "vedette-console";
const CLUSTER: &str = "east";
/// What is asked for where it is asked whether such events are kept.
const CREATED: &str = "verb:create resource:configmaps ns:team-a";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn console_of_an_operator_shows_users_of_the_cluster_what_they_may_list() {
    let seen = Seen::default();
    let plane = seen.plane().await;
    plane.install_definitions();
    for namespace in ["team-a", "team-b"] {
        plane.kubectl_ok(&["create", "namespace", namespace], None);
    }
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&roles()));
    plane.kubectl_ok(&["apply", "-f", "-"], Some(WEBHOOK));
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&rule(r#"Verb = "create""#)));
    let (operator, url, _folder) = start_operator(&plane);
    reconciled(&plane);

    // The others as well with what the operator issued, around a broker and an archive of this machine.
    let evaluator = Deployed::read(&plane, NAMESPACE, "vedette-evaluator");
    let client = evaluator.mounted("client");
    let file = |name: &str| client.join(name).display().to_string();
    let policy = format!(
        "operator: {{ url: {url:?}, ca: {:?}, certificate: {:?}, key: {:?} }}",
        file("ca.crt"),
        file("tls.crt"),
        file("tls.key")
    );
    let stack = Stack::start_under(&policy, &[("VEDETTE_INGEST_CLUSTER", CLUSTER)]);

    // What is different here is said where an administrator says it.
    let listen = format!("127.0.0.1:{}", ports::free());
    let own = json!({"spec": {"components": {"console": {"env": {
        "VEDETTE_CONSOLE_LISTEN": listen,
        "VEDETTE_CONSOLE_NATS__URL": stack.nats.url(),
        "VEDETTE_CONSOLE_ARCHIVE__ENGINE": "embedded",
        "VEDETTE_CONSOLE_ARCHIVE__EMBEDDED__DIR": stack.archive(),
        "VEDETTE_CONSOLE_POLICY__OPERATOR__URL": url,
        "VEDETTE_CONSOLE_MANAGEMENT__URL": url,
    }}}}});
    let webhook = "webhooks.auditing.kubesphere.io/kube-auditing-webhook";
    plane.kubectl_ok(&["patch", webhook, "--type=merge", "-p", &own.to_string()], None);
    let end = Instant::now() + PATIENCE;
    let deployed = loop {
        let deployed = Deployed::read(&plane, NAMESPACE, CONSOLE);
        if deployed.variable("VEDETTE_CONSOLE_LISTEN") == Some(&listen) {
            break deployed;
        }
        assert!(Instant::now() < end, "the console's variables are not in its Deployment");
        sleep(Duration::from_millis(200)).await;
    };
    let mut console = deployed.spawn();
    console.wait_ready();
    let asking = Asking::new(&deployed, &listen);

    // `view` is aggregated, by a controller that does not run here.
    plane.kubectl_ok(&["create", "clusterrole", "auditor", "--verb=list", "--resource=events"], None);
    for (namespace, account) in [("team-a", "ann"), ("team-b", "bob"), ("team-b", "eve")] {
        plane.kubectl_ok(&["create", "serviceaccount", account, "-n", namespace], None);
    }
    plane.kubectl_ok(
        &["create", "rolebinding", "ann", "--clusterrole=auditor", "--serviceaccount=team-a:ann", "-n", "team-a"],
        None,
    );
    plane.kubectl_ok(
        &["create", "clusterrolebinding", "bob", "--clusterrole=auditor", "--serviceaccount=team-b:bob"],
        None,
    );
    let token = |namespace: &str, account: &str| plane.token(namespace, account);
    let (ann, bob, eve) = (token("team-a", "ann"), token("team-b", "bob"), token("team-b", "eve"));
    let admin = deployed.text("token/token");

    let sender = Sender::new(stack.ingest_urls());
    let end = Instant::now() + PATIENCE;
    for namespace in ["team-a", "team-b"] {
        // A namespace's events are its own from the moment on at which it was made; before, they are those of another one of its name.
        let made = ["get", "namespace", namespace, "-o", "jsonpath={.metadata.creationTimestamp}"];
        for (name, time) in [("settings", plane.kubectl_ok(&made, None).trim()), ("earlier", "2026-11-20T12:00:00Z")] {
            sender.deliver("/audit/webhook/event", &created(namespace, name, time), end).await;
        }
    }
    let both = ["team-a", "team-b"].as_slice();
    asking.sees(&admin, both).await;
    asking.sees(&bob, both).await;
    asking.sees(&ann, &["team-a"]).await;
    asking.sees(&eve, &[]).await;
    assert_eq!(asking.found(&bob, "earlier").await, both);
    assert_eq!(asking.found(&ann, "earlier").await, [""; 0]);
    for nobody in ["", "nonsense", &ann[..ann.len() - 4]] {
        assert_eq!(asking.get(nobody, "/api/v1/events", &[]).await.0, 401);
    }

    // The rules in force are the operator's, for the console too, which holds no events against them: the evaluators alone count.
    in_force(&plane, "2 of 2 evaluators").await;
    assert!(operator.metric("vedette_operator_subscriber_answers_total", &[r#"service="console""#]) >= 1.0);
    let kept = asking.kept(&admin).await;
    assert_eq!((&kept["kept"], &kept["rules"]), (&json!(true), &json!(["archiving-rule.archiving"])), "{kept:#}");
    // What rules are called is for those alone who see everything.
    let kept = asking.kept(&ann).await;
    assert_eq!((&kept["kept"], &kept["rules"]), (&json!(true), &Value::Null), "{kept:#}");
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&rule(r#"Verb = "delete""#)));
    let end = Instant::now() + PATIENCE;
    while asking.kept(&ann).await["kept"] != json!(false) {
        assert!(Instant::now() < end, "the console does not know of the change");
        sleep(Duration::from_millis(100)).await;
    }

    // Who may manage rules is what the cluster says of whoever asks, by their own token: whatever events they see.
    plane.kubectl_ok(
        &["create", "clusterrole", "reader", "--verb=get,list", "--resource=rules.auditing.kubesphere.io"],
        None,
    );
    plane.kubectl_ok(
        &["create", "clusterrolebinding", "eve", "--clusterrole=reader", "--serviceaccount=team-b:eve"],
        None,
    );
    let path = format!("/api/v1/rules/{NAMESPACE}/archiving-rule");
    let end = Instant::now() + PATIENCE;
    let shown = loop {
        match asking.get(&eve, &path, &[]).await {
            (200, shown) => break shown,
            (status, answer) => assert!(Instant::now() < end, "{status} {answer:#}"),
        }
        sleep(Duration::from_millis(100)).await;
    };
    let source = shown["source"].as_str().unwrap();
    assert!(source.contains(r#"condition: Verb = "delete""#), "{source}");
    let all = asking.get(&eve, "/api/v1/rules", &[]).await;
    assert_eq!((all.0, all.1["items"].as_array().unwrap().len()), (200, 1), "{:#}", all.1);
    let services: BTreeSet<_> =
        all.1["evaluators"].as_array().unwrap().iter().map(|it| it["service"].as_str()).collect();
    assert!(services.contains(&Some("evaluator")) && services.contains(&Some("console")), "{services:?}");
    assert_eq!(asking.put(&eve, &path, &json!({"source": source, "etag": shown["etag"]})).await.0, 403);
    // The token of the console itself is shown to nobody.
    for (token, why) in [(&ann, "may not get"), (&bob, "may not get"), (&admin, "by a token of your own")] {
        let (status, answer) = asking.get(token, &path, &[]).await;
        assert_eq!(status, 403, "{answer:#}");
        assert!(answer["message"].as_str().unwrap().contains(why), "{answer:#}");
    }

    // What is taken away is gone.
    plane.kubectl_ok(&["delete", "rolebinding", "ann", "-n", "team-a"], None);
    asking.sees(&ann, &[]).await;
    asking.sees(&bob, both).await;
    console.stop();
    // All of it with what the chart grants, of which nothing is for show.
    seen.is_what_is_granted(&plane).await;
}

/// A verb on a resource of a group.
type Deed = (String, String, String);

/// What the console's account did, by the apiserver's own audit.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Value>>>);

impl Seen {
    /// A control plane that tells of it.
    async fn plane(&self) -> ControlPlane {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let seen = self.clone();
        let take = async move |Json(list): Json<Value>| {
            seen.0.lock().unwrap().extend(list["items"].as_array().unwrap().iter().cloned());
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(take))).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        let (webhook, policy) = (folder.path().join("webhook"), folder.path().join("policy"));
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": url}}], "users": [],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]});
        std::fs::write(&webhook, config.to_string()).unwrap();
        let account = format!("system:serviceaccount:{NAMESPACE}:{CONSOLE}");
        let rules = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
            "rules": [{"level": "Metadata", "users": [account]}, {"level": "None"}]});
        std::fs::write(&policy, rules.to_string()).unwrap();
        ControlPlane::start(&webhook, &policy)
    }

    /// Waits until all that is granted was done, as far as it can be without KubeSphere, and asserts that nothing else was tried. That a
    /// single object is read is granted with its list, as everywhere.
    async fn is_what_is_granted(&self, plane: &ControlPlane) {
        let role = plane.kubectl_ok(&["get", "clusterroles", CONSOLE, "-o", "json"], None);
        let role: Value = serde_json::from_str(&role).unwrap();
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
        };
        let mut granted = BTreeSet::<Deed>::new();
        for rule in role["rules"].as_array().unwrap() {
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    granted.extend(texts(&rule["verbs"]).into_iter().map(|it| (group.clone(), resource.clone(), it)));
                }
            }
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let done = || -> BTreeSet<Deed> {
            let seen = self.0.lock().unwrap();
            let deed = |it: &Value| {
                let of = &it["objectRef"];
                (!of.is_null()).then(|| (text(&of["apiGroup"]), text(&of["resource"]), text(&it["verb"])))
            };
            seen.iter().filter_map(deed).collect()
        };
        let end = Instant::now() + PATIENCE;
        let unused = || -> Vec<Deed> {
            let (done, needed) = (done(), |it: &&Deed| it.2 != "get" && !it.0.ends_with("kubesphere.io"));
            granted.iter().filter(needed).filter(|it| !done.contains(it)).cloned().collect()
        };
        // Audit events come a second later.
        while !unused().is_empty() && Instant::now() < end {
            sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(unused(), [], "granted and never used");
        let beyond: Vec<_> = done().difference(&granted).cloned().collect();
        assert_eq!(beyond, [], "tried and not granted");
        let refused = |it: &&Value| it["responseStatus"]["code"] == 403;
        assert_eq!(self.0.lock().unwrap().iter().find(refused), None);
    }
}

/// Whoever asks the console.
struct Asking {
    client: reqwest::Client,
    base: String,
}

impl Asking {
    /// By the name and the authority that the operator gave it.
    fn new(deployed: &Deployed, listen: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = reqwest::Certificate::from_pem(deployed.text("tls/ca.crt").as_bytes()).unwrap();
        let name = format!("{CONSOLE}.{NAMESPACE}.svc");
        let address: std::net::SocketAddr = listen.parse().unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_built_in_root_certs(false);
        let client = client.add_root_certificate(authority).resolve(&name, address).build().unwrap();
        Self { client, base: format!("https://{name}:{}", address.port()) }
    }

    async fn get(&self, token: &str, path: &str, query: &[(&str, &str)]) -> (u16, Value) {
        let request = self.client.get(format!("{}{path}", self.base)).query(query).bearer_auth(token);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn put(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.put(format!("{}{path}", self.base)).json(body).bearer_auth(token);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// The namespaces of the events about objects called `name` that the bearer sees.
    async fn found(&self, token: &str, name: &str) -> Vec<String> {
        let (end, query) = (Instant::now() + PATIENCE, format!("name:{name}"));
        let answer = loop {
            match self.get(token, "/api/v1/events", &[("q", &query)]).await {
                (200, answer) => break answer,
                // What the cluster says is not known yet.
                (503, answer) => assert!(Instant::now() < end, "{answer:#}"),
                (status, answer) => panic!("{status} {answer:#}"),
            }
            sleep(Duration::from_millis(100)).await;
        };
        let items = answer["items"].as_array().unwrap();
        let mut found: Vec<_> = items.iter().map(|it| it["namespace"].as_str().unwrap().to_owned()).collect();
        found.sort_unstable();
        found
    }

    /// Waits until the bearer sees just what happened to the settings of these namespaces.
    async fn sees(&self, token: &str, expected: &[&str]) {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.found(token, "settings").await;
            if found == expected {
                return;
            }
            assert!(Instant::now() < end, "{found:?} is seen, not {expected:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether an event is kept, as the bearer is told.
    async fn kept(&self, token: &str) -> Value {
        let (status, answer) = self.get(token, "/api/v1/coverage", &[("q", CREATED)]).await;
        assert_eq!(status, 200, "{answer:#}");
        answer["rules"][0].clone()
    }
}

/// The roles and bindings of the chart.
fn roles() -> String {
    let chart = tools::repository("deploy/chart/vedette");
    let args = ["template", "vedette", chart.to_str().unwrap(), "--namespace", NAMESPACE, "--kube-version", "1.36"];
    let output =
        Command::new(tools::path("helm")).args(args).args(["--show-only", "templates/rbac.yaml"]).output().unwrap();
    assert!(output.status.success(), "helm: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An operator that makes services, and serves rules by a certificate of its own making. Its Service is this machine.
fn start_operator(plane: &ControlPlane) -> (Service, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (port, kubeconfig) = (ports::free(), plane.kubeconfig());
    let file = |name: &str| folder.path().join("tls").join(name);
    let config = format!(
        "kubernetes: {{ kubeconfig: {kubeconfig:?}, cluster: {CLUSTER} }}\n\
         grpc: {{ listen: \"127.0.0.1:{port}\", certificate: {:?}, key: {:?}, clientCa: {:?} }}\n\
         reconcile: {{ operator: {{ service: localhost, port: {port} }} }}\n",
        file("tls.crt"),
        file("tls.key"),
        file("ca.crt")
    );
    (Service::start("vedette-operator", &config), format!("https://localhost:{port}"), folder)
}

fn reconciled(plane: &ControlPlane) {
    let webhook = "webhooks.auditing.kubesphere.io/kube-auditing-webhook";
    plane.kubectl_ok(&["wait", "--for=condition=Reconciled", webhook, "--timeout=90s"], None);
}

/// A list with one event.
fn created(namespace: &str, name: &str, time: &str) -> String {
    let event = json!({
        "level": "Metadata", "auditID": format!("{namespace}-{name}"), "stage": "ResponseComplete",
        "requestURI": format!("/api/v1/namespaces/{namespace}/configmaps"), "verb": "create",
        "user": {"username": "alice", "groups": ["system:authenticated"]}, "sourceIPs": ["10.0.0.1"],
        "objectRef": {"resource": "configmaps", "namespace": namespace, "name": name, "apiVersion": "v1"},
        "responseStatus": {"code": 201}, "requestReceivedTimestamp": time, "stageTimestamp": time,
    });
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event]}).to_string()
}
