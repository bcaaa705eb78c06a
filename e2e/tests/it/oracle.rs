//! The oracle itself: what is committed is what it says, and the product's own offline evaluation agrees with it, event
//! by event, before anything distributed can blur the picture.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;
use serde_json::Value;
use vedette_e2e::tools;

use crate::sample::{self, Expected, List, MORE};

const TRAFFIC: [&str; 1] = ["e2e/testdata/kube-apiserver-eventlists.ndjson.gz"];

#[test]
fn oracle_says_what_is_committed() {
    says(&TRAFFIC, "e2e/testdata/expected.json");
    says(&MORE, "e2e/testdata/expected-incidents.json");
}

fn says(samples: &[&str], answer: &str) {
    let output = Command::new("python3")
        .arg(tools::repository("e2e/oracle/expect.py"))
        .args(samples.iter().map(|sample| tools::repository(sample)))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let committed = std::fs::read(tools::repository(answer)).unwrap();
    assert!(
        output.stdout == committed,
        "{answer} is not what the oracle says; if the sample or the oracle changed for a reason: \
         python3 e2e/oracle/expect.py {} -o {answer}",
        samples.join(" ")
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

/// With the test above: what the product says, too.
#[test]
fn every_shipped_rule_holds_for_an_event_of_the_sample() {
    let mut held = Expected::load("demo").rules;
    for (rule, events) in Expected::load_more("demo").rules {
        *held.entry(rule).or_default() += events;
    }
    let shipped: BTreeSet<String> = shipped_rules().into_iter().collect();
    assert_eq!(held.keys().cloned().collect::<BTreeSet<_>>(), shipped, "the oracle knows the rules that are shipped");
    let silent: Vec<_> = held.iter().filter(|(_, events)| **events == 0).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

/// `resource.rule` of each in `deploy/rules`: as they are written there, without the product's reader.
fn shipped_rules() -> Vec<String> {
    let mut rules = Vec::new();
    for file in std::fs::read_dir(tools::repository("deploy/rules")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let resource = text.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let named = lines.windows(2).filter(|lines| lines[1] == "    type: rule");
        rules.extend(named.map(|lines| format!("{resource}.{}", lines[0].strip_prefix("  - name: ").unwrap())));
    }
    rules
}

fn agrees(name: &str) {
    eval(&TRAFFIC, &Expected::load(name), &sample::lists());
    eval(&MORE, &Expected::load_more(name), &sample::more_lists());
}

/// Holds each line of `vedette rules eval` over the shipped rules against the oracle.
fn eval(samples: &[&str], expected: &Expected, lists: &[List]) {
    let mut events = Vec::new();
    for sample in samples {
        let file = std::fs::File::open(tools::repository(sample)).unwrap();
        let read = match sample.ends_with(".gz") {
            true => GzDecoder::new(file).read_to_end(&mut events),
            false => BufReader::new(file).read_to_end(&mut events),
        };
        read.unwrap();
    }
    let mut child = Command::new(tools::built("vedette"))
        .args(["rules", "eval", "-o", "json", "--rules"])
        .arg(tools::repository("deploy/rules"))
        .args(["--events", "-"])
        .args(["--audit-level", &expected.settings.level])
        .args(["--archiving-priority", &expected.settings.archiving])
        .args(["--alerting-priority", &expected.settings.alerting])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(&events));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listed = expected.alerts.iter().flatten();
    // A rule without an output: what is said of its alerts is the product's choice.
    let silent = listed.clone().filter(|alert| alert.message.is_empty());
    let silent: BTreeSet<_> = silent.map(|alert| alert.rule()).collect();
    let mut messages = BTreeSet::new();
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
            let told = alerts.iter().filter(|alert| !silent.contains(alert["rule"].as_str().unwrap()));
            messages.extend(told.map(|alert| alert["message"].as_str().unwrap().to_owned()));
        }
    }
    assert!(lines.next().is_none(), "a line too many");
    writing.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
    if expected.alerts.is_some() {
        let said = listed.filter(|alert| !alert.message.is_empty());
        assert_eq!(messages, said.map(|alert| alert.message.clone()).collect());
    }
}
