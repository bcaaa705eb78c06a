//! The oracle itself: what is committed is what it says, and the product's own offline evaluation agrees with it, event
//! by event, before anything distributed can blur the picture.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use vedette_e2e::tools;

use crate::sample::{self, Expected};

#[test]
fn oracle_says_what_is_committed() {
    let output = Command::new("python3")
        .arg(tools::repository("e2e/oracle/expect.py"))
        .arg(tools::repository("e2e/testdata/kube-apiserver-eventlists.ndjson.gz"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let committed = std::fs::read(tools::repository("e2e/testdata/expected.json")).unwrap();
    assert!(
        output.stdout == committed,
        "e2e/testdata/expected.json is not what the oracle says; if the sample or the oracle changed for a reason: \
         python3 e2e/oracle/expect.py e2e/testdata/kube-apiserver-eventlists.ndjson.gz -o e2e/testdata/expected.json"
    );
}

#[test]
fn oracle_agrees_with_rules_eval_at_the_demo_settings() {
    agrees("demo");
}

#[test]
fn oracle_agrees_with_rules_eval_at_level_metadata() {
    agrees("metadata");
}

#[test]
fn oracle_agrees_with_rules_eval_at_higher_priorities() {
    agrees("strict");
}

/// Holds each line of `vedette rules eval` over the shipped rules against the oracle.
fn agrees(name: &str) {
    let (expected, lists) = (Expected::load(name), sample::lists());
    let mut child = Command::new(tools::built("vedette"))
        .args(["rules", "eval", "-o", "json", "--rules"])
        .arg(tools::repository("deploy/rules"))
        .arg("--events")
        .arg(tools::repository("e2e/testdata/kube-apiserver-eventlists.ndjson.gz"))
        .args(["--audit-level", &expected.settings.level])
        .args(["--archiving-priority", &expected.settings.archiving])
        .args(["--alerting-priority", &expected.settings.alerting])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut messages = std::collections::BTreeSet::new();
    for (number, list) in lists.iter().enumerate() {
        for (event, class) in list.events.iter().zip(expected.classes(number)) {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            let class = class.unwrap();
            assert_eq!(
                (line["auditID"].as_str(), line["stage"].as_str()),
                (Some(&*event.0), Some(&*event.1)),
                "{line}"
            );
            assert_eq!(line["archive"], class.stored, "{line}");
            assert_eq!(line["rules"], serde_json::json!(class.rules), "{line}");
            let alerts = line["alerts"].as_array().unwrap();
            let rules: Vec<_> = alerts.iter().map(|alert| alert["rule"].as_str().unwrap()).collect();
            assert_eq!(rules, class.alerts, "{line}");
            messages.extend(alerts.iter().map(|alert| alert["message"].as_str().unwrap().to_owned()));
        }
    }
    assert!(lines.next().is_none(), "a line too many");
    assert!(child.wait().unwrap().success());
    if let Some(alerts) = expected.alerts {
        assert_eq!(messages, alerts.into_iter().map(|alert| alert.message).collect());
    }
}
