//! Any bytes as an event: deciding ends, never panics, and takes whatever another implementation calls an object.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use vedette_rules::{Policy, RuleSet, SourceFile};

const CONDITIONS: [&str; 16] = [
    r#"verb not in ("get", "list", "watch")"#,
    r#"verb in ("create", "delete") and user.username != "a""#,
    r#"user.groups[*] = "system:masters" or user.groups[1:] contains "b""#,
    r#"requestObject.spec.containers[*].image like "*:latest" and objectRef.resource = "pods""#,
    r#"requestObject.spec.containers[0:2].ports[*].hostPort > 0"#,
    r#"not (responseObject.a.b exists) and level = "Request""#,
    r#"responseObject.a[1].b = ${name}"#,
    r#"stageTimestamp > "2026-01-01T00:00:00Z" or responseStatus.code >= 400"#,
    r#"requestURI regex "^/api(s/[a-z.]+)?/v1/namespaces/[a-z]+/pods(/|$)""#,
    r#"requestURI contains "secrets" or requestURI contains "configmaps" or requestURI contains "tokens" or requestURI like "*/exec?*""#,
    r#"requestObject.x"#,
    r#"userAgent contains "kubectl" and sourceIPs != "127.0.0.1""#,
    r#"Actor startswith "SYSTEM:" nocase and Duration > 1s"#,
    r#"SourceIP within ("10.0.0.0/8", "fd00::/8") or Command endswith "sh""#,
    r#"(user.username, verb) in ("A", "create") nocase"#,
    r#"requestObject.metadata.labels["app.kubernetes.io/name"] exists"#,
];
const THEIR_CONDITIONS: [&str; 4] = [
    r#"user.groups contains "b" and verb != "get""#,
    r#"requestObject.spec.containers[*].image like "*:latest""#,
    r#"responseObject.a[0:2].b not in ("c", 1) or responseObject.a not exists"#,
    r#"requestObject.x = true"#,
];

fn rules() -> &'static RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| {
        let mut entries = vec![serde_json::json!({"name": "name", "type": "alias", "alias": "ObjectRef.Name"})];
        for (index, condition) in CONDITIONS.iter().enumerate() {
            let output = "${User.Username} ${requestObject} ${responseObject.a[1:]}";
            entries.push(serde_json::json!({
                "name": format!("r{index}"), "type": "rule", "enable": true, "priority": "WARNING",
                "condition": condition, "output": output,
            }));
        }
        let theirs = THEIR_CONDITIONS.iter().enumerate().map(|(index, condition)| {
            let name = format!("r{index}");
            serde_json::json!({"name": name, "type": "rule", "enable": true, "priority": "INFO", "condition": condition})
        });
        let file = |name: &str, annotations, entries: Vec<serde_json::Value>| {
            let text = serde_json::json!({
                "apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Rule",
                "metadata": {"name": name, "labels": {"type": "alerting"}, "annotations": annotations}, "spec": {"rules": entries},
            });
            SourceFile { name: format!("{name}.yaml"), text: text.to_string() }
        };
        let compat = serde_json::json!({"auditing.vedette.io/compat": "kubesphere"});
        let files = [file("ours", serde_json::json!({}), entries), file("theirs", compat, theirs.collect())];
        Policy::build(&files, 1).expect("the rules compile").policy.rules
    })
}

fuzz_target!(|event: &[u8]| {
    let decided = rules().decide(event);
    let again = rules().decide(event);
    assert_eq!(decided.as_ref().ok(), again.as_ref().ok(), "what was read before makes no difference");
    if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(event).is_ok() {
        decided.expect("what is an object is decided");
    }
});
