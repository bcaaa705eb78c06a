//! The definitions, and KubeSphere's own documents on them.

use serde_json::Value;
use vedette_operator::api::NAMESPACE;

use crate::lab::{Lab, SEEDS, WEBHOOK};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_take_kubespheres_documents_as_they_are() {
    let plane = Lab::start();
    for (name, yaml) in SEEDS {
        // As people apply them, with a client's own memory of it and with the server's; then anew.
        let (client, server) =
            (["apply", "-n", NAMESPACE, "-f", "-"], ["apply", "--server-side", "-n", "default", "-f", "-"]);
        plane.kube.kubectl_ok(&client, Some(yaml));
        if name == "webhook.yaml" {
            plane.kube.kubectl_ok(&["delete", "-f", "-"], Some(yaml));
        }
        plane.kube.kubectl_ok(&server, Some(yaml));
    }

    // Defaults of the documents, where the reference has none.
    plane.kube.kubectl_ok(&["delete", "webhooks.auditing.kubesphere.io", "--all"], None);
    plane.apply("{apiVersion: auditing.kubesphere.io/v1alpha1, kind: Webhook, metadata: {name: kube-auditing-webhook}, spec: {}}");
    let spec = plane.get(WEBHOOK).unwrap()["spec"].clone();
    assert_eq!((&spec["replicas"], &spec["auditLevel"]), (&Value::from(2), &Value::from("Metadata")));

    // Short names and columns.
    let rules = plane.kubectl(&["get", "ar"]);
    let head: Vec<_> = rules.lines().next().unwrap().split("  ").map(str::trim).filter(|it| !it.is_empty()).collect();
    assert_eq!(head, ["NAME", "TYPE", "ACCEPTED", "IN FORCE", "DISTRIBUTED", "AGE"]);
    assert!(rules.lines().any(|line| line.starts_with("archiving-rule") && line.contains("archiving ")), "{rules}");
    let webhooks = plane.kube.kubectl_ok(&["get", "awh"], None);
    let head: Vec<_> = webhooks.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["NAME", "LEVEL", "KUBERNETES", "REPLICAS", "RECONCILED", "ACCEPTED", "AGE"]);
    assert!(webhooks.contains("Metadata"), "{webhooks}");
    let explained = plane.kube.kubectl_ok(&["explain", "webhooks.auditing.kubesphere.io.spec.auditLevel"], None);
    assert!(explained.contains("What an event may hold"), "{explained}");

    // What could not even be read is kept out, with a reason.
    let refused = |spec: &str, message: &str| {
        let yaml = format!(
            "{{apiVersion: auditing.kubesphere.io/v1alpha1, kind: Rule, metadata: {{name: bad, namespace: {NAMESPACE}}}, spec: {{rules: [{spec}]}}}}"
        );
        let output = plane.kube.kubectl(&["create", "-f", "-"], Some(&yaml));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(message), "{spec}: {said}");
    };
    refused("{name: a, type: rule}", "an entry of type `rule` needs a `condition`");
    refused("{name: a, type: macro}", "an entry of type `macro` needs a `macro`");
    refused("{name: a, type: list, macro: b}", "an entry of type `list` needs a `list`");
    refused("{name: a, type: alias}", "an entry of type `alias` needs an `alias`");
    refused("{name: a, type: other, condition: b}", "Unsupported value");
    refused("{name: a, type: rule, condition: b, priority: HIGH}", "Unsupported value");
}
