//! Why a rule holds or does not.

use vedette_rules::{Dialect, ExplainError, Explainer, Settings};

use crate::{resource, source};

const ENTRIES: [&str; 7] = [
    "{name: pod, type: macro, macro: 'ObjectRef.Resource = \"pods\"'}",
    "{name: robots, type: list, list: [\"system:serviceaccount:ci:a\"]}",
    "{name: user, type: alias, alias: User.Username}",
    "{name: host, type: rule, enable: true, priority: INFO, condition: '${pod} and (Verb = create or Verb = \"patch\") and not RequestObject.spec.hostNetwork = false'}",
    "{name: exec, type: rule, enable: false, priority: INFO, condition: 'Command   contains \"cat\"', exceptions: ['${user} in ${robots}', 'Actor = \"carol\"']}",
    "{name: flag, type: rule, enable: true, priority: INFO, condition: RequestObject.spec.hostNetwork}",
    "{name: other, type: rule, enable: true, priority: INFO, condition: 'Verb exists'}",
];

fn explainer(name: &str) -> Result<Explainer, ExplainError> {
    let files = [
        source("a.yaml", resource("r", "archiving", &ENTRIES)),
        source("b.yaml", resource("s", "alerting", &ENTRIES[6..])),
    ];
    Explainer::new(&files, name, |_: &mut Settings| {})
}

fn check(name: &str, event: &str, expected: &str) {
    let explained = explainer(name).unwrap().explain(event.as_bytes()).unwrap().to_string();
    assert_eq!(explained, expected, "{name}: {explained}");
}

#[test]
fn each_part_says_what_it_found() {
    check(
        "host",
        r#"{"level":"Request","verb":"get","objectRef":{"resource":"pods"},"requestObject":{"spec":{"hostNetwork":true}}}"#,
        "\
✗ all of
├─ ✓ ${pod}
│  └─ ✓ ObjectRef.Resource = \"pods\"    ObjectRef.Resource is `pods`
├─ ✗ any of
│  ├─ ✗ Verb = create    Verb is `get`
│  └─ ✗ Verb = \"patch\"    Verb is `get`
└─ ✓ not
   └─ ✗ RequestObject.spec.hostNetwork = false    RequestObject.spec.hostNetwork is `true`
",
    );
}

#[test]
fn what_the_level_left_out_is_told_from_what_is_absent() {
    check(
        "r.flag",
        r#"{"level":"Metadata","verb":"create","objectRef":{"resource":"pods"}}"#,
        "? RequestObject.spec.hostNetwork    RequestObject.spec.hostNetwork was not recorded at the event's level\n",
    );
    check(
        "default/r/flag",
        r#"{"level":"Request","verb":"create","objectRef":{"resource":"pods"}}"#,
        "✗ RequestObject.spec.hostNetwork    RequestObject.spec.hostNetwork is absent\n",
    );
}

#[test]
fn a_body_of_an_event_about_no_resource_is_told_from_what_is_absent() {
    check(
        "r.flag",
        r#"{"level":"Request","verb":"create","requestURI":"/healthz"}"#,
        "✗ RequestObject.spec.hostNetwork    RequestObject.spec.hostNetwork was left out: the event is about no resource\n",
    );
}

#[test]
fn fields_on_the_right_are_shown_and_durations_have_their_unit() {
    let entries = [
        "{name: who, type: alias, alias: User.Username}",
        "{name: l, type: list, list: [b, '${group}']}",
        "{name: group, type: alias, alias: User.Groups}",
        "{name: x, type: rule, enable: true, priority: INFO, condition: 'ObjectRef.Name in (\"a\", ${who}, ${l}) and Duration > 1m'}",
    ];
    let explainer = Explainer::new(&[source("a.yaml", resource("r", "archiving", &entries))], "x", |_| {}).unwrap();
    let event = r#"{"level":"Metadata","user":{"username":"eve"},"objectRef":{"resource":"pods","name":"n"},
        "requestReceivedTimestamp":"2026-11-22T00:42:47.100000Z","stageTimestamp":"2026-11-22T00:44:17.100001Z"}"#;
    let explained = explainer.explain(event.as_bytes()).unwrap().to_string();
    assert_eq!(
        explained,
        "\
✗ all of
├─ ✗ ObjectRef.Name in (\"a\", ${who}, ${l})    ObjectRef.Name is `n`, ${who} is `eve`, User.Groups is absent
└─ ✓ Duration > 1m    Duration is `1m30.000001s`
"
    );
}

#[test]
fn exceptions_are_parts_too_and_values_are_what_a_message_would_show() {
    check(
        "exec",
        r#"{"level":"Metadata","requestURI":"/exec?command=cat&command=x%0ay","user":{"username":"eve"},"impersonatedUser":{"username":"carol"}}"#,
        "\
✗ all of
├─ ✓ Command contains \"cat\"    Command is `cat x\\ny`
├─ ✓ not the exception ${user} in ${robots}
│  └─ ✗ ${user} in ${robots}    User.Username is `eve`
└─ ✗ not the exception Actor = \"carol\"
   └─ ✓ Actor = \"carol\"    Actor is `carol`
",
    );
    assert!(!explainer("exec").unwrap().enabled);
}

#[test]
fn it_reads_as_the_rule_is_read() {
    let entry = "{name: x, type: rule, enable: true, priority: INFO, condition: 'not Verb = \"get\" and Verb = \"list\" or User.Groups = \"[a]\"'}";
    let files = [source("a.yaml", resource("r", "archiving", &[entry]))];
    let explainer =
        Explainer::new(&files, "x", |settings: &mut Settings| settings.dialect = Dialect::KubeSphere).unwrap();
    let explained = explainer.explain(br#"{"verb":"get","user":{"groups":["a"]}}"#).unwrap().to_string();
    assert_eq!(
        explained,
        "\
✗ not
└─ ✓ any of
   ├─ ✗ all of
   │  ├─ ✓ Verb = \"get\"    Verb is `get`
   │  └─ ✗ Verb = \"list\"    Verb is `get`
   └─ ✓ User.Groups = \"[a]\"    User.Groups is `a`
"
    );
}

#[test]
fn a_rule_is_found_by_its_name() {
    assert!(matches!(explainer("hosts"), Err(ExplainError::Unknown(near)) if near == ["r.host"]));
    assert!(matches!(explainer("other"), Err(ExplainError::Ambiguous(names)) if names == ["r.other", "s.other"]));
    assert!(explainer("s.other").is_ok());
    let broken =
        [source("a.yaml", resource("r", "archiving", &["{name: x, type: rule, priority: INFO, condition: 'Verb ='}"]))];
    assert!(matches!(Explainer::new(&broken, "x", |_| {}), Err(ExplainError::Broken(found)) if found.len() == 2));
}
