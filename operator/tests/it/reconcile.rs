//! From the `Webhook` to objects, and back to nothing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_operator::api::NAMESPACE;
use vedette_operator::authority::Certificate;
use vedette_operator::reconcile::{self, Settings};

use crate::lab::{Lab, SEEDS, WEBHOOK, eventually};

const SERVICES: [&str; 5] = ["ingest", "evaluator", "archiver", "alerter", "console"];

/// A reconciler that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) leads: watch::Sender<bool>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(client: kube::Client, leads: bool) -> Self {
        let (sender, receiver) = watch::channel(leads);
        let stop = CancellationToken::new();
        let run = reconcile::run(client, Settings::default(), receiver, stop.clone());
        let task = tokio::spawn(async move { run.await.unwrap() });
        Self { leads: sender, stop, task: Some(task) }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), self.task.take().unwrap()).await.unwrap().unwrap();
    }
}

fn patch(plane: &Lab, object: &str, patch: &str) {
    plane.kubectl(&["patch", object, "--type=merge", "-p", patch]);
}

fn pem(secret: &Value, key: &str) -> String {
    let text = secret["data"][key].as_str().unwrap();
    String::from_utf8(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seeds_run_drift_is_repaired_and_deleting_leaves_nothing() {
    let plane = Lab::start();
    let running = Running::start(plane.client().await, false);
    plane.apply(SEEDS[0].1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(plane.made(), [""; 0], "who does not lead writes nothing");
    running.leads.send(true).unwrap();
    eventually("reconciled", || plane.is("Reconciled", "Applied")).await;

    // What is there.
    for service in SERVICES {
        let deployment = plane.get(&format!("deployments/vedette-{service}")).unwrap();
        assert_eq!(deployment["spec"]["replicas"], 2);
        let owner = &deployment["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["name"]), (&json!("Webhook"), &json!("kube-auditing-webhook")));
        plane.get(&format!("poddisruptionbudgets/vedette-{service}")).unwrap();
        // Whoever asks the API server has a token; what else runs as that account must ask for one.
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], service == "console");
        assert_eq!(pod["serviceAccountName"], format!("vedette-{service}"));
        let account = plane.get(&format!("serviceaccounts/vedette-{service}")).unwrap();
        assert_eq!(account["automountServiceAccountToken"], false);
    }
    let webhook = plane.get(WEBHOOK).unwrap();
    assert_eq!(webhook["metadata"]["finalizers"], json!(["auditing.vedette.io/cleanup"]));
    let (status, _, message) = plane.condition("ImageIgnored").unwrap();
    assert!(status == "True" && message.contains("`kubesphere/kube-auditing-webhook:v0.1.0`"), "{message}");
    assert!(plane.is("ArgsIgnored", "NotSet"));
    assert!(plane.is("KubeSphereAuditing", "NoKubeSphere"));
    let service = plane.get("services/kube-auditing-webhook-svc").unwrap();
    let ports: Vec<_> = service["spec"]["ports"].as_array().unwrap().iter().map(|it| it["port"].clone()).collect();
    assert_eq!(ports, [443, 6443]);
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let files = plane.get("configmaps/vedette-apiserver-files").unwrap();
    let config: Value = serde_yaml_ng::from_str(files["data"]["audit-webhook.yaml"].as_str().unwrap()).unwrap();
    let cluster = &config["clusters"][0]["cluster"];
    assert_eq!(cluster["server"], format!("https://{address}:443/audit/webhook/event"));
    // The file trusts what ingest serves with.
    let tls = plane.get("secrets/vedette-ingest-tls").unwrap();
    assert_eq!(cluster["certificate-authority-data"], tls["data"]["ca.crt"]);
    assert_eq!(tls["type"], "kubernetes.io/tls");

    // Drift.
    let before = plane.made();
    for object in &before {
        // The address of the Service would be another one; that has its own test.
        if !object.ends_with("kube-auditing-webhook-svc") && !object.ends_with("vedette-authority") {
            plane.kubectl(&["delete", object]);
        }
    }
    eventually("everything back", || plane.made() == before).await;
    patch(
        &plane,
        "deployment/vedette-ingest",
        r#"{"metadata":{"labels":{"theirs":"1"},"annotations":{"theirs":"2"}},"spec":{"replicas":7,"minReadySeconds":9,"template":{"metadata":{"annotations":{"sidecar":"yes"}}}}}"#,
    );
    patch(
        &plane,
        "service/kube-auditing-webhook-svc",
        r#"{"spec":{"ports":[{"name":"https-443","port":443,"targetPort":1}]}}"#,
    );
    eventually("replicas", || plane.get("deployments/vedette-ingest").unwrap()["spec"]["replicas"] == 2).await;
    eventually("ports", || {
        plane.get("services/kube-auditing-webhook-svc").unwrap()["spec"]["ports"].as_array().unwrap().len() == 2
    })
    .await;
    let deployment = plane.get("deployments/vedette-ingest").unwrap();
    assert_eq!(deployment["metadata"]["labels"]["theirs"], "1");
    assert_eq!(deployment["metadata"]["annotations"]["theirs"], "2");
    assert_eq!(deployment["spec"]["minReadySeconds"], 9);
    assert_eq!(deployment["spec"]["template"]["metadata"]["annotations"]["sidecar"], "yes");

    // A change of the Webhook; and what is labelled as ours and is not wanted.
    plane.apply(&format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: left-over, namespace: {NAMESPACE}, labels: {{app.kubernetes.io/managed-by: vedette-operator, auditing.vedette.io/webhook: kube-auditing-webhook}}}}}}"));
    patch(&plane, WEBHOOK, r#"{"spec":{"replicas":3,"args":["--x"],"components":{"console":{"replicas":1}}}}"#);
    let replicas =
        |service: &str| plane.get(&format!("deployments/vedette-{service}")).unwrap()["spec"]["replicas"].clone();
    eventually("three", || replicas("evaluator") == 3 && replicas("console") == 1).await;
    eventually("arguments named", || plane.is("ArgsIgnored", "MeantForKubeSphere")).await;
    eventually("pruned", || plane.get("configmaps/left-over").is_none()).await;

    // It comes to rest: nothing is written where nothing changes.
    let versions = || {
        plane.kubectl(&[
            "get",
            "deployments,services,secrets,configmaps,awh",
            "-o",
            "jsonpath={range .items[*]}{.metadata.name}={.metadata.resourceVersion} {end}",
        ])
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rest = versions();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(versions(), rest);

    // Another leads.
    running.leads.send(false).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    plane.kubectl(&["delete", "deployment", "vedette-alerter"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(plane.get("deployments/vedette-alerter").is_none());
    running.leads.send(true).unwrap();
    eventually("led again", || plane.get("deployments/vedette-alerter").is_some()).await;

    // The end.
    plane.kubectl(&["delete", "--wait=false", WEBHOOK]);
    eventually("the Webhook is gone", || plane.get(WEBHOOK).is_none()).await;
    assert_eq!(plane.made(), ["secret/vedette-authority", "secret/vedette-operator-tls"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_said_and_does_not_keep_the_rest() {
    let plane = Lab::start();
    let (client, settings) = (plane.client().await, Settings::default());
    let pass = || reconcile::pass(&client, &settings, &[], Timestamp::now());
    plane.apply(SEEDS[0].1);

    // One object is refused.
    patch(&plane, WEBHOOK, r#"{"spec":{"components":{"evaluator":{"tolerations":[{"operator":"Perhaps"}]}}}}"#);
    let error = pass().await.unwrap_err().to_string();
    assert!(error.contains("deployments vedette-evaluator") && error.contains("Perhaps"), "{error}");
    let (status, reason, message) = plane.condition("Reconciled").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Incomplete"));
    assert!(message.contains("deployments vedette-evaluator"), "{message}");
    assert!(plane.get("deployments/vedette-console").is_some());
    // A field that does not exist is no field that is passed over.
    patch(
        &plane,
        WEBHOOK,
        r#"{"spec":{"components":{"evaluator":{"tolerations":null,"affinity":{"nodeAfinity":{}}}}}}"#,
    );
    let error = pass().await.unwrap_err().to_string();
    assert!(error.contains("nodeAfinity"), "{error}");
    patch(&plane, WEBHOOK, r#"{"spec":{"components":null}}"#);
    pass().await.unwrap();
    assert!(plane.is("Reconciled", "Applied"));

    // What KubeSphere's documents write is mirrored to where KubeSphere looks, unless somebody wrote there.
    let enabled = || plane.get(WEBHOOK).unwrap()["spec"]["k8sAuditingEnabled"].clone();
    assert_eq!(enabled(), Value::Null);
    patch(&plane, WEBHOOK, r#"{"spec":{"auditing":{"k8sAuditingEnabled":true}}}"#);
    pass().await.unwrap();
    assert_eq!(enabled(), true);
    patch(&plane, WEBHOOK, r#"{"spec":{"auditing":{"k8sAuditingEnabled":false}}}"#);
    pass().await.unwrap();
    assert_eq!(enabled(), false);
    patch(&plane, WEBHOOK, r#"{"spec":{"k8sAuditingEnabled":true}}"#);
    pass().await.unwrap();
    assert_eq!(enabled(), true, "who writes there is right");

    // KubeSphere's own events.
    plane.kube.kubectl_ok(&["create", "namespace", "kubesphere-system"], None);
    for (text, reason) in [("auditing:\n  enable: false\n", "Disabled"), ("auditing:\n  enable: true\n", "Enabled")] {
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"kubesphere.yaml": text},
                            "metadata": {"name": "kubesphere-config", "namespace": "kubesphere-system"}});
        plane.apply(&config.to_string());
        pass().await.unwrap();
        assert!(plane.is("KubeSphereAuditing", reason), "{:?}", plane.condition("KubeSphereAuditing"));
    }

    // A definition that lets more in, as KubeSphere's own does, and a Webhook that cannot be read.
    let mut definition = plane.get("crd/webhooks.auditing.kubesphere.io").unwrap();
    definition["metadata"] = json!({"name": "webhooks.auditing.kubesphere.io"});
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    plane.kube.kubectl_ok(&["replace", "-f", "-"], Some(&definition.to_string()));
    let loosened = || {
        plane
            .kube
            .kubectl(&["patch", WEBHOOK, "--type=merge", "-p", r#"{"spec":{"replicas":"many"}}"#], None)
            .status
            .success()
    };
    eventually("the definition is loosened", loosened).await;
    patch(&plane, "deployment/vedette-ingest", r#"{"spec":{"replicas":5}}"#);
    pass().await.unwrap();
    let (status, reason, message) = plane.condition("Reconciled").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Malformed"));
    assert!(message.contains("many"), "{message}");
    assert_eq!(plane.get("deployments/vedette-ingest").unwrap()["spec"]["replicas"], 5, "what runs stays");
    plane.kubectl(&["delete", "--wait=false", WEBHOOK]);
    pass().await.unwrap();
    assert!(plane.get(WEBHOOK).is_none(), "a malformed Webhook can be deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_renewed_before_they_end() {
    let plane = Lab::start();
    let (client, settings) = (plane.client().await, Settings::default());
    // The first operators of an installation, at the same moment, before there is anything.
    let folders = [0; 3].map(|_| tempfile::tempdir().unwrap());
    let now = Timestamp::now();
    let fetched = folders.iter().map(|it| reconcile::certificate(&client, &settings, it.path(), now));
    for result in futures::future::join_all(fetched).await {
        result.unwrap();
    }
    let file = |folder: &tempfile::TempDir, name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        assert_eq!(file(&folders[0], name), file(&folders[1], name), "{name}");
        assert_eq!(file(&folders[0], name), file(&folders[2], name), "{name}");
    }
    let path = |name: &str| folders[0].path().join(name);
    vedette_service::tls::server_config(&path("tls.crt"), &path("tls.key"), Some(&path("ca.crt"))).unwrap();

    plane.apply(SEEDS[0].1);
    let at = |days: i64| now + SignedDuration::from_hours(24 * days);
    let secrets = [
        "vedette-operator-tls",
        "vedette-ingest-tls",
        "vedette-console-tls",
        "vedette-ingest-client",
        "vedette-evaluator-client",
        "vedette-alerter-client",
        "vedette-console-client",
    ];
    let read = || secrets.map(|name| plane.get(&format!("secrets/{name}")).unwrap());
    let pass = async |days: i64| {
        reconcile::pass(&client, &settings, &[], at(days)).await.unwrap();
        read()
    };
    let first = pass(0).await;
    assert_eq!(pem(&first[0], "tls.crt"), file(&folders[0], "tls.crt"), "the operator's own is kept");
    let token = pem(&plane.get("secrets/vedette-console-token").unwrap(), "token");
    assert_eq!(token.len(), 64);
    let key = pem(&plane.get("secrets/vedette-redaction-key").unwrap(), "key");
    assert!(key.len() == 64 && key != token);
    let same = |a: &Value, b: &Value, key: &str| pem(a, key) == pem(b, key);
    let later = pass(59).await;
    assert!(first.iter().zip(&later).all(|(a, b)| same(a, b, "tls.crt")));
    let renewed = pass(61).await;
    assert!(
        first
            .iter()
            .zip(&renewed)
            .all(|(a, b)| !same(a, b, "tls.crt") && !same(a, b, "tls.key") && same(a, b, "ca.crt"))
    );
    let ends = Certificate::read(&pem(&renewed[1], "tls.crt")).unwrap().ends();
    assert_eq!(ends, at(61 + 90).as_second());
    assert_eq!(pem(&plane.get("secrets/vedette-console-token").unwrap(), "token"), token);
    assert_eq!(pem(&plane.get("secrets/vedette-redaction-key").unwrap(), "key"), key);

    // The authority: after eight years another is trusted, after nine it signs, and what it signed before is long gone then.
    let count = |all: &[Value]| all.iter().map(|it| pem(it, "ca.crt").matches("BEGIN").count()).collect::<Vec<_>>();
    let eighth = pass(8 * 365 + 1).await;
    assert_eq!(count(&eighth), [2; 7]);
    let tenth = pass(9 * 365 + 92).await;
    assert_eq!(count(&tenth), [1; 7]);
    assert!(eighth.iter().all(|it| pem(it, "ca.crt").starts_with(&pem(&tenth[0], "ca.crt"))));
    let files = plane.get("configmaps/vedette-apiserver-files").unwrap();
    let config: Value = serde_yaml_ng::from_str(files["data"]["audit-webhook.yaml"].as_str().unwrap()).unwrap();
    assert_eq!(config["clusters"][0]["cluster"]["certificate-authority-data"], tenth[1]["data"]["ca.crt"]);

    // A Service that was made anew has another address, and its certificate that one.
    let now = 9 * 365 + 93;
    let before = plane.get("services/kube-auditing-webhook-svc").unwrap()["spec"]["clusterIP"].clone();
    plane.kubectl(&["delete", "service", "kube-auditing-webhook-svc"]);
    let moved = pass(now).await;
    let after = plane.get("services/kube-auditing-webhook-svc").unwrap()["spec"]["clusterIP"].clone();
    assert_eq!(before == after, same(&moved[1], &tenth[1], "tls.crt"));
    // A certificate that somebody spoilt is issued again.
    patch(&plane, "secret/vedette-console-tls", r#"{"stringData":{"tls.crt":"nonsense"}}"#);
    let repaired = pass(now).await;
    Certificate::read(&pem(&repaired[2], "tls.crt")).unwrap();
}
