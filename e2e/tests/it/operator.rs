//! Rules from a cluster's own resources, through the operator, to what real evaluators decide.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use vedette_e2e::{ControlPlane, Service, ports};

use crate::alerts;
use crate::sender::Sender;
use crate::stack::Stack;

pub(crate) const NAMESPACE: &str = "kubesphere-logging-system";
/// Until something that was asked for has happened, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The seeds' `Webhook`, with the events of a kube-apiserver let in as the seeds have it.
pub(crate) const WEBHOOK: &str = "
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Webhook
metadata:
  name: kube-auditing-webhook
spec:
  auditing:
    k8sAuditingEnabled: true
  auditLevel: RequestResponse
  auditSinkPolicy:
    alertingRuleSelector:
      matchLabels:
        type: alerting
    archivingRuleSelector:
      matchLabels:
        type: persistence
  image: kubesphere/kube-auditing-webhook:v0.1.0
  archivingPriority: DEBUG
  alertingPriority: WARNING
  replicas: 2
  receivers:
    - name: alert
      type: alertmanager
      config:
        service:
          namespace: kubesphere-monitoring-system
          name: alertmanager-main
          port: 9093
";

/// An archiving rule as the seeds write it, with this condition.
pub(crate) fn rule(condition: &str) -> String {
    format!(
        "
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata:
  name: archiving-rule
  namespace: {NAMESPACE}
  labels:
    workspace: system-workspace
    type: archiving
spec:
  rules:
  - name: archiving
    type: rule
    desc: all action not need to be audit
    condition: {condition}
    enable: true
    priority: DEBUG
"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_a_change_by_kubectl_is_the_evaluators_next_decision() {
    let plane = plane();
    let (mut operator, url) = start_operator(&plane);
    plane.kubectl_ok(&["apply", "-f", "-"], Some(WEBHOOK));
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&rule(r#"Verb = "create""#)));
    let mut stack = Stack::start_on(&url);
    let sender = Sender::new(stack.ingest_urls());
    // Two evaluators; the status counts them.
    let status = in_force(&plane, "2 of 2 evaluators").await;
    assert_eq!(status["status"]["rulesInForce"], 1, "{status:#}");
    decides(&stack, &sender, "before", &[("create", true), ("delete", false)]).await;

    plane.kubectl_ok(&["apply", "-f", "-"], Some(&rule(r#"Verb = "delete""#)));
    in_force(&plane, "2 of 2 evaluators").await;
    decides(&stack, &sender, "changed", &[("create", false), ("delete", true)]).await;

    // Broken: the old one stays, and the status explains.
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&rule(r#"Verb = ("delete""#)));
    let status = accepted(&plane, "False").await;
    let found = &status["status"]["diagnostics"][0];
    assert_eq!(found["field"], "spec.rules[0].condition", "{status:#}");
    assert!(status["status"]["lastGoodGeneration"].as_i64().unwrap() > 1, "{status:#}");
    decides(&stack, &sender, "broken", &[("create", false), ("delete", true)]).await;

    // Killed: evaluators go on, and one that starts anew takes what it kept.
    operator.kill();
    decides(&stack, &sender, "alone", &[("create", false), ("delete", true)]).await;
    stack.service("evaluator-0").kill();
    stack.service("evaluator-1").kill();
    stack.service("evaluator-0").start_again();
    stack.service("evaluator-0").wait_ready();
    decides(&stack, &sender, "from-disk", &[("create", false), ("delete", true)]).await;

    // Back: everybody finds it again, and changes go on.
    operator.start_again();
    operator.wait_ready();
    stack.service("evaluator-1").start_again();
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&rule(r#"Verb = "patch""#)));
    in_force(&plane, "2 of 2 evaluators").await;
    decides(&stack, &sender, "back", &[("patch", true), ("delete", false)]).await;

    // A setting takes the same way: level None drops everything.
    let none = WEBHOOK.replace("auditLevel: RequestResponse", "auditLevel: None");
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&none));
    let end = Instant::now() + PATIENCE;
    let mut round = 0;
    while stack.metric("ingest", "vedette_ingest_dropped_total", &["level_none"]) < 1.0 {
        assert!(Instant::now() < end, "level None is not in force");
        sender.deliver("/audit/webhook/event", &list(&format!("dropped-{round}"), &["patch"]), end).await;
        round += 1;
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_events_get_the_workspace_of_their_namespace() {
    let plane = plane();
    plane.kubectl_ok(&["create", "namespace", "team-a"], None);
    plane.kubectl_ok(&["label", "namespace", "team-a", "kubesphere.io/workspace=payments"], None);
    let (_operator, url) = start_operator(&plane);
    plane.kubectl_ok(&["apply", "-f", "-"], Some(WEBHOOK));
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&rule("Verb exists")));
    let stack = Stack::start_on(&url);
    let sender = Sender::new(stack.ingest_urls());
    in_force(&plane, "2 of 2 evaluators").await;
    workspace(&stack, &sender, "payments").await;
    // Moved: the events from now on.
    plane.kubectl_ok(&["label", "--overwrite", "namespace", "team-a", "kubesphere.io/workspace=ledger"], None);
    workspace(&stack, &sender, "ledger").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_receivers_and_priorities_take_effect_without_a_restart() {
    let plane = plane();
    let (_operator, url) = start_operator(&plane);
    // Nobody is at the first address, and the rule is too light to alert.
    let webhook = |priority: &str, receiver: &str| {
        format!(
            "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata: {{name: kube-auditing-webhook}}\nspec:\n  \
             k8sAuditingEnabled: true\n  alertingPriority: {priority}\n  receivers:\n  - {{name: a, type: alertmanager, \
             config: {{url: \"{receiver}\"}}}}\n"
        )
    };
    let alerting = rule(r#"Verb = "create""#).replace("type: archiving", "type: alerting").replace("DEBUG", "INFO");
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&webhook("WARNING", "http://127.0.0.1:9")));
    plane.kubectl_ok(&["apply", "-f", "-"], Some(&alerting));
    let stack = Stack::start_on(&url);
    let sender = Sender::new(stack.ingest_urls());
    in_force(&plane, "2 of 2 evaluators").await;
    decides(&stack, &sender, "light", &[("create", true)]).await;
    assert_eq!(alerts::held(&stack.client, &stack.alertmanager.url()).await, []);

    plane.kubectl_ok(&["apply", "-f", "-"], Some(&webhook("INFO", &stack.alertmanager.url())));
    let end = Instant::now() + PATIENCE;
    for round in 0.. {
        sender.deliver("/audit/webhook/event", &list(&format!("heavy-{round}"), &["create"]), end).await;
        let held = alerts::held(&stack.client, &stack.alertmanager.url()).await;
        if !held.is_empty() {
            assert!(held.iter().all(|it| it.labels["rule_id"] == "kubesphere-logging-system/archiving-rule/archiving"));
            return;
        }
        assert!(Instant::now() < end, "no alert came");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Sends events of the namespace until one is stored with this workspace.
async fn workspace(stack: &Stack, sender: &Sender, wanted: &str) {
    let end = Instant::now() + PATIENCE;
    for round in 0.. {
        let name = format!("{wanted}-{round}");
        sender.deliver("/audit/webhook/event", &list(&name, &["create"]), end).await;
        let record = stored(stack, &name, "create", end).await;
        if record["Workspace"] == wanted {
            return;
        }
        assert!(Instant::now() < end, "no event of the workspace {wanted}: {record:#}");
    }
}

/// Sends an event of each verb about an object called `name`, and holds against `expected` which are stored.
async fn decides(stack: &Stack, sender: &Sender, name: &str, expected: &[(&str, bool)]) {
    let end = Instant::now() + PATIENCE;
    let verbs: Vec<&str> = expected.iter().map(|(verb, _)| *verb).collect();
    sender.deliver("/audit/webhook/event", &list(name, &verbs), end).await;
    for (verb, _) in expected.iter().filter(|(_, kept)| *kept) {
        stored(stack, name, verb, end).await;
    }
    // One list is one message: what of it is stored by now is all.
    let found: Vec<_> = records(stack, name).await.into_iter().map(|it| it["Verb"].clone()).collect();
    let kept: Vec<_> = expected.iter().filter(|(_, kept)| *kept).map(|(verb, _)| json!(verb)).collect();
    assert_eq!(found, kept, "{name}");
}

async fn stored(stack: &Stack, name: &str, verb: &str, end: Instant) -> Value {
    loop {
        if let Some(record) = records(stack, name).await.into_iter().find(|it| it["Verb"] == verb) {
            return record;
        }
        assert!(Instant::now() < end, "{verb} {name} is not in the archive");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn records(stack: &Stack, name: &str) -> Vec<Value> {
    let path =
        format!("/kapis/tenant.kubesphere.io/v1alpha2/auditing/events?objectref_name_filter={name}&start_time=0");
    let answer = stack.ask(&path).await;
    answer.and_then(|answer| answer["query"]["records"].as_array().cloned()).unwrap_or_default()
}

/// A list as a kube-apiserver sends it.
fn list(name: &str, verbs: &[&str]) -> String {
    // A namespace's events are later than itself, in whole seconds.
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    let now = format!("{now:.6}");
    let items: Vec<_> = verbs
        .iter()
        .map(|verb| {
            json!({
                "level": "Metadata", "auditID": format!("{name}-{verb}"), "stage": "ResponseComplete",
                "requestURI": format!("/api/v1/namespaces/team-a/configmaps/{name}"), "verb": verb,
                "user": {"username": "alice", "groups": ["system:authenticated"]}, "sourceIPs": ["10.0.0.1"],
                "objectRef": {"resource": "configmaps", "namespace": "team-a", "name": name, "apiVersion": "v1"},
                "responseStatus": {"code": 200}, "requestReceivedTimestamp": now, "stageTimestamp": now,
            })
        })
        .collect();
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items}).to_string()
}

/// A control plane with our definitions.
fn plane() -> ControlPlane {
    let plane = ControlPlane::bare();
    plane.install_definitions();
    plane
}

fn start_operator(plane: &ControlPlane) -> (Service, String) {
    let listen = format!("127.0.0.1:{}", ports::free());
    let kubeconfig = plane.kubeconfig();
    let config = format!("kubernetes: {{ kubeconfig: {kubeconfig:?} }}\ngrpc: {{ listen: {listen:?} }}\n");
    (Service::start("vedette-operator", &config), format!("http://{listen}"))
}

fn get(plane: &ControlPlane) -> Value {
    let text = plane.kubectl_ok(&["get", "rules/archiving-rule", "-n", NAMESPACE, "-o", "json"], None);
    serde_json::from_str(&text).unwrap()
}

/// Waits until the rule as it is now is in force on so many.
pub(crate) async fn in_force(plane: &ControlPlane, evaluators: &str) -> Value {
    wait(plane, |conditions| {
        let distributed = conditions.iter().find(|it| it["type"] == "Distributed");
        distributed.is_some_and(|it| {
            it["status"] == "True" && it["message"].as_str().is_some_and(|said| said.contains(evaluators))
        })
    })
    .await
}

async fn accepted(plane: &ControlPlane, status: &str) -> Value {
    wait(plane, |conditions| conditions.iter().any(|it| it["type"] == "Accepted" && it["status"] == status)).await
}

async fn wait(plane: &ControlPlane, wanted: impl Fn(&[Value]) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let rule = get(plane);
        let conditions = rule["status"]["conditions"].as_array().cloned().unwrap_or_default();
        if rule["status"]["observedGeneration"] == rule["metadata"]["generation"] && wanted(&conditions) {
            return rule;
        }
        assert!(Instant::now() < end, "{rule:#}");
        sleep(Duration::from_millis(100)).await;
    }
}
