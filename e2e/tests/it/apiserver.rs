//! A real kube-apiserver posts to the webhook, with the seeds' `audit-webhook.yaml`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use vedette_e2e::{ControlPlane, tools};

use crate::alerts;
use crate::sample::Settings;
use crate::stack::Stack;

/// The API server's own batching adds a second.
const ARRIVE: Duration = Duration::from_secs(60);

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"on-the-node","namespace":"default"},
"spec":{"hostNetwork":true,"containers":[{"name":"app","image":"registry.example.test/app:1"}]}}"#;

/// Pod writes with what was sent, everything else by its metadata.
const POLICY_WITH_BODIES: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Request
  verbs: [create, update, patch]
  resources: [{group: '', resources: [pods]}]
- level: Metadata
";

/// The seeds' own: all requests at the Metadata level.
const POLICY_OF_THE_SEEDS: &str = "# Log all requests at the Metadata level.
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apiserver_a_host_network_pod_raises_exactly_one_alert() {
    let (stack, plane) = start(POLICY_WITH_BODIES);
    plane.kubectl_ok(&["create", "-f", "-"], Some(POD));
    stored(&stack).await;
    let end = Instant::now() + ARRIVE;
    let held = loop {
        let held = alerts::held(&stack.client, &stack.alertmanager.url()).await;
        if !held.is_empty() {
            break held;
        }
        assert!(Instant::now() < end, "no alert came");
        sleep(Duration::from_millis(200)).await;
    };
    let messages: Vec<_> = held.iter().map(|alert| alert.message.as_str()).collect();
    assert_eq!(messages, ["admin create HostNetwork Pod on-the-node in Namespace default."]);
    assert_eq!(held[0].labels["alerttype"], "auditing");
    assert_eq!(held[0].labels["rule_id"], "kubesphere-logging-system/alerting-rule/CreateHostnetworkPod");
    settled(&stack).await;
    assert_eq!(alerts::held(&stack.client, &stack.alertmanager.url()).await.len(), 1, "a stage doubled the alert");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apiserver_at_level_metadata_the_blind_rule_is_named() {
    let (stack, plane) = start(POLICY_OF_THE_SEEDS);
    plane.kubectl_ok(&["create", "-f", "-"], Some(POD));
    let record = stored(&stack).await;
    assert_eq!(record["Level"], "Metadata");
    assert_eq!(record["Verb"], "create");
    assert!(record.get("RequestObject").is_none_or(serde_json::Value::is_null), "{record}");
    settled(&stack).await;
    assert_eq!(alerts::held(&stack.client, &stack.alertmanager.url()).await, []);

    // The rule, the field that is missing and the level seen, for a person …
    let output = Command::new(tools::built("vedette"))
        .args(["status", "--url", &stack.console_url()])
        .env("VEDETTE_TOKEN", stack.token())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let named = |line: &&str| {
        ["CreateHostnetworkPod", "RequestObject.spec.hostNetwork", "Metadata"].iter().all(|word| line.contains(word))
    };
    assert!(text.lines().any(|line| named(&line)), "{text}");
    // … and for a machine.
    let rule = "rule=\"alerting-rule.CreateHostnetworkPod\"";
    assert!(stack.metric("evaluator", "vedette_rule_blind_events_total", &[rule]) >= 1.0);

    // The static case, before any event.
    let check = Command::new(tools::built("vedette"))
        .args(["rules", "check", "--audit-level", "Metadata"])
        .arg(tools::repository("deploy/rules"))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = [check.stdout, check.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("CreateHostnetworkPod") && said.contains("RequestObject.spec.hostNetwork"), "{said}");
}

/// Everything with the embedded archive, and a control plane that posts to it.
fn start(policy: &str) -> (Stack, ControlPlane) {
    let settings =
        Settings { level: "RequestResponse".to_owned(), archiving: "DEBUG".to_owned(), alerting: "WARNING".to_owned() };
    let stack = Stack::start(None, &settings);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let webhook = write("audit-webhook.yaml", &audit_webhook(&stack.ingest_urls()[0]));
    let policy = write("audit-policy.yaml", policy);
    let plane = ControlPlane::start(Path::new(&webhook), Path::new(&policy));
    (stack, plane)
}

/// The seeds' file, with its `{ip}:443`.
fn audit_webhook(ingest: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: kube-auditing
  cluster:
    server: {ingest}/audit/webhook/event
    insecure-skip-tls-verify: true
contexts:
- context:
    cluster: kube-auditing
    user: \"\"
  name: default-context
current-context: default-context
preferences: {{}}
users: []
"
    )
}

/// The record of the pod's creation, once it is in the archive.
async fn stored(stack: &Stack) -> serde_json::Value {
    let path = "/kapis/tenant.kubesphere.io/v1alpha2/auditing/events\
                ?verb_filter=create&objectref_resource_filter=pods&objectref_name_filter=on-the-node&start_time=0";
    let end = Instant::now() + ARRIVE;
    loop {
        if let Some(record) = stack.ask(path).await.and_then(|answer| answer["query"]["records"].get(0).cloned()) {
            return record;
        }
        assert!(Instant::now() < end, "the pod's creation is not in the archive");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until nothing is on its way, and the books balance.
async fn settled(stack: &Stack) {
    let end = Instant::now() + ARRIVE;
    loop {
        let status = stack.ask("/api/v1/status").await.unwrap();
        if status["books"]["settled"] == true {
            return;
        }
        assert!(Instant::now() < end, "the books are not settled: {:#}", status["books"]);
        sleep(Duration::from_millis(200)).await;
    }
}
