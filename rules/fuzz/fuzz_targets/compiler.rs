//! Any text as a file of resources, and as a condition in a good one: compiling ends, and what compiles decides.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_rules::{Policy, SourceFile};

const EVENT: &[u8] = br#"{"level":"RequestResponse","verb":"create","user":{"username":"a","groups":["b"]},
    "objectRef":{"resource":"pods","name":"x"},"requestObject":{"spec":{"a":[1,{"b":"c"}]}},"responseObject":null}"#;

fuzz_target!(|text: &str| {
    let condition = serde_json::to_string(text).expect("text is JSON");
    let resource = |annotations: &str, exceptions: &str| {
        format!(
            r#"{{"apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Rule",
                "metadata": {{"name": "r", "labels": {{"type": "alerting"}}, "annotations": {{{annotations}}}}},
                "spec": {{"rules": [{{"name": "r", "type": "rule", "enable": true, "priority": "WARNING", "condition": {condition}, "output": {condition}{exceptions}}}]}}}}"#
        )
    };
    let ours = resource("", &format!(r#", "exceptions": [{condition}]"#));
    let theirs = resource(r#""auditing.vedette.io/compat": "kubesphere""#, "");
    for text in [text.to_owned(), ours, theirs] {
        let file = SourceFile { name: "r.yaml".to_owned(), text };
        if let Ok(built) = Policy::build(&[file], 1) {
            built.policy.rules.decide(EVENT).expect("the event is one");
        }
    }
});
