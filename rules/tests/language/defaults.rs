//! The rules and settings that this repository ships.

use std::path::Path;

use serde_json::json;
use vedette_rules::{Built, Policy, Severity, SourceFile};

use crate::{codes, decided, listed};

fn shipped(folders: &[&str]) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for folder in folders {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            files.push(SourceFile { name, text: std::fs::read_to_string(path).unwrap() });
        }
    }
    files.sort_by(|left, right| left.name.cmp(&right.name));
    files
}

fn policy(folders: &[&str]) -> Built {
    Policy::build(&shipped(folders), 1).unwrap_or_else(|diagnostics| panic!("{}", listed(&diagnostics)))
}

#[test]
fn the_demo_has_nothing_to_remark_on() {
    let built = policy(&["rules", "demo"]);
    assert_eq!(listed(&built.warnings), "");
    let settings = &built.policy.settings;
    assert!(settings.k8s_auditing_enabled);
    assert_eq!(settings.audit_level.to_string(), "RequestResponse");
    let rules: Vec<_> = built.policy.rules.rules().map(|rule| (rule.id.as_str(), rule.priority.as_str())).collect();
    assert_eq!(
        rules,
        [
            ("kubesphere-logging-system/alerting-rule/AttachOrExecPod", "WARNING"),
            ("kubesphere-logging-system/alerting-rule/CreateHostnetworkPod", "WARNING"),
            ("kubesphere-logging-system/alerting-rule/CreateHostportPod", "WARNING"),
            ("kubesphere-logging-system/alerting-rule/CreateNodeportService", "WARNING"),
            ("kubesphere-logging-system/alerting-rule/ResourceChange", "INFO"),
            ("kubesphere-logging-system/archiving-rule/archiving", "DEBUG"),
            ("kubesphere-logging-system/evidence-rule/PodAccess", "DEBUG"),
            ("kubesphere-logging-system/evidence-rule/Refused", "DEBUG"),
            ("kubesphere-logging-system/evidence-rule/SecretRead", "DEBUG"),
        ]
    );
}

#[test]
fn the_default_level_blinds_three_rules_and_says_so() {
    let built = policy(&["rules"]);
    assert_eq!(codes(&built.warnings), ["VR0405"; 4], "{}", listed(&built.warnings));
    assert!(built.warnings.iter().all(|it| it.severity == Severity::Warning && it.label == "needs level `Request`"));
    for rule in ["CreateHostnetworkPod", "CreateHostportPod", "CreateNodeportService"] {
        assert!(built.warnings.iter().any(|it| it.message.contains(rule)), "{rule}");
    }
}

#[test]
fn every_shipped_rule_fires() {
    let built = policy(&["rules", "demo"]);
    let event = |verb: &str, object: serde_json::Value, code: u16, request: serde_json::Value| {
        json!({"level": "RequestResponse", "verb": verb, "user": {"username": "eve"}, "objectRef": object,
            "responseStatus": {"code": code}, "requestObject": request})
        .to_string()
    };
    let pod = || json!({"resource": "pods", "name": "p", "namespace": "n"});
    let sub = |name: &str| json!({"resource": "pods", "subresource": name, "name": "p", "namespace": "n"});
    let changed = "archive [alerting-rule.ResourceChange archiving-rule.archiving]";
    for (event, expected) in [
        (event("create", pod(), 201, json!({"spec": {}})), changed),
        (event("get", pod(), 200, json!(null)), "[]"),
        (
            event("create", pod(), 201, json!({"spec": {"hostNetwork": true}})),
            "archive [alerting-rule.CreateHostnetworkPod alerting-rule.ResourceChange archiving-rule.archiving] alerting-rule.CreateHostnetworkPod: eve create HostNetwork Pod p in Namespace n.",
        ),
        (
            event("create", pod(), 201, json!({"spec": {"containers": [{}, {"ports": [{"hostPort": 80}]}]}})),
            "archive [alerting-rule.CreateHostportPod alerting-rule.ResourceChange archiving-rule.archiving] alerting-rule.CreateHostportPod: eve create HostNetPort Pod p in Namespace n.",
        ),
        (
            event(
                "create",
                json!({"resource": "services", "name": "s", "namespace": "n"}),
                201,
                json!({"spec": {"ports": [{"nodePort": 30000}]}}),
            ),
            "archive [alerting-rule.CreateNodeportService alerting-rule.ResourceChange archiving-rule.archiving] alerting-rule.CreateNodeportService: eve create NodePort Service s in Namespace n.",
        ),
        (
            event("create", sub("exec"), 101, json!(null)),
            "archive [alerting-rule.AttachOrExecPod alerting-rule.ResourceChange archiving-rule.archiving evidence-rule.PodAccess] alerting-rule.AttachOrExecPod: eve exec Pod p in Namespace n.",
        ),
        (event("get", sub("exec"), 101, json!(null)), "archive [evidence-rule.PodAccess]"),
        (event("get", sub("portforward"), 101, json!(null)), "archive [evidence-rule.PodAccess]"),
        (
            event("list", json!({"resource": "secrets", "namespace": "n"}), 200, json!(null)),
            "archive [evidence-rule.SecretRead]",
        ),
        (event("get", json!({"resource": "nodes"}), 403, json!(null)), "archive [evidence-rule.Refused]"),
        (event("get", json!({"resource": "nodes"}), 401, json!(null)), "archive [evidence-rule.Refused]"),
    ] {
        assert_eq!(decided(&built, &event), expected, "{event}");
    }
}
