//! Users' own tests of their rules.

use vedette_rules::cases::{self, CaseResult, Failure};
use vedette_rules::{Diagnostic, Policy};

use crate::{codes, resource, source};

const CASES: &str = "\
apiVersion: auditing.vedette.io/v1alpha1
kind: RuleTest
metadata: {name: pods}
spec:
  events:
    create:
      level: RequestResponse
      verb: create
      objectRef: {resource: pods, name: web}
      requestObject: {spec: {hostNetwork: true, replicas: 3}}
  cases:
  - name: its node's network
    event: create
    rules: [r.host]
  - name: its own network
    event: create
    patch: {requestObject: {spec: {hostNetwork: null}}}
    rules: []
  - name: without a body
    event: create
    patch: {level: Metadata, requestObject: null}
    rules: [r.host]
  - name: another verb
    event: {level: Metadata, verb: get, responseStatus: {code: 403}}
    rules: [r.host, r.refused]
  - {name: no event, event: {level: Metadata}, rules: []}
";

fn run(text: &str) -> Result<Vec<CaseResult>, Vec<Diagnostic>> {
    let rules = [
        "{name: host, type: rule, enable: true, priority: INFO, condition: Verb = create and RequestObject.spec.hostNetwork}",
        "{name: refused, type: rule, enable: true, priority: INFO, condition: ResponseStatus.code = 403}",
    ];
    let files = [source("rules.yaml", resource("r", "alerting", &rules)), source("cases.yaml", text)];
    let adjust = |settings: &mut vedette_rules::Settings| settings.audit_level = "RequestResponse".parse().unwrap();
    let built = Policy::build_with(&files, 1, adjust).unwrap_or_else(|found| panic!("{found:?}"));
    assert!(built.warnings.is_empty(), "a test is no part of the policy: {:?}", built.warnings);
    cases::run(&files, &built.policy)
}

#[test]
fn cases_pass_or_say_what_differs() {
    let results = run(CASES).unwrap();
    let rules = |missing: &[&str], unexpected: &[&str], undecided: &[(&str, &str)]| {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let undecided = undecided.iter().map(|(rule, field)| ((*rule).to_owned(), (*field).to_owned())).collect();
        Some(Failure::Rules { missing: own(missing), unexpected: own(unexpected), undecided })
    };
    let failures: Vec<_> = results.iter().map(|result| result.failure.clone()).collect();
    assert_eq!(failures[..2], [None, None]);
    assert_eq!(failures[2], rules(&["r.host"], &[], &[("r.host", "RequestObject.spec.hostNetwork")]));
    assert_eq!(failures[3], rules(&["r.host"], &[], &[]));
    assert!(matches!(&failures[4], Some(Failure::BadEvent(why)) if why.contains("verb")), "{:?}", failures[4]);
    let last = &results[4];
    assert_eq!(
        (last.test.as_str(), last.name.as_str(), last.file.as_str(), last.line),
        ("pods", "no event", "cases.yaml", 26)
    );
}

#[test]
fn what_is_wrong_with_a_case_is_said_where_it_stands() {
    for (from, to, expected) in [
        ("event: create\n    rules: [r.host]", "event: creat\n    rules: [r.hots]", &["VR0601", "VR0602"][..]),
        ("rules: []", "rule: []", &["VR0008", "VR0006"]),
        ("{level: Metadata, verb: get, responseStatus: {code: 403}}", "[1]", &["VR0601"]),
        ("patch: {requestObject: {spec: {hostNetwork: null}}}", "patch: 3", &["VR0007"]),
        ("  cases:", "  case:", &["VR0008", "VR0006"]),
    ] {
        let text = CASES.replacen(from, to, 1);
        assert_ne!(text, CASES);
        let found = run(&text).unwrap_err();
        let found = codes(&found);
        assert!(expected.iter().all(|code| found.contains(code)), "{to}: {found:?}");
    }
}
