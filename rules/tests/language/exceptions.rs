//! What excuses an event from a rule.

use crate::{built_with, codes, decided, diagnosed, resource};

fn rule(exceptions: &str) -> String {
    let entries = [
        "{name: robot, type: macro, macro: 'User.Username startswith \"system:serviceaccount:ci:\"'}",
        &format!(
            "{{name: x, type: rule, enable: true, priority: WARNING, condition: 'Verb = \"delete\" or Verb = \"patch\"', exceptions: {exceptions}}}"
        ),
    ];
    resource("r", "alerting", &entries)
}

fn answers(exceptions: &str, event: &str) -> bool {
    let built = built_with(&rule(exceptions), |settings| settings.audit_level = vedette_audit::Level::RequestResponse);
    decided(&built, event).starts_with("[r.x]")
}

#[test]
fn any_exception_excuses_an_event() {
    let exceptions = r#"['${robot}', 'ObjectRef.Namespace = "scratch" or RequestObject.dry = true']"#;
    for (event, holds) in [
        (r#"{"level":"RequestResponse","verb":"delete"}"#, true),
        (r#"{"level":"RequestResponse","verb":"get"}"#, false),
        (r#"{"level":"RequestResponse","verb":"patch","user":{"username":"system:serviceaccount:ci:x"}}"#, false),
        (r#"{"level":"RequestResponse","verb":"patch","objectRef":{"namespace":"scratch"}}"#, false),
        (r#"{"level":"RequestResponse","verb":"patch","requestObject":{"dry":true}}"#, false),
        (r#"{"level":"RequestResponse","verb":"patch","requestObject":{"dry":false}}"#, true),
    ] {
        assert_eq!(answers(exceptions, event), holds, "{event}");
    }
    assert!(answers("[]", r#"{"level":"Metadata","verb":"delete"}"#));
}

/// What the level left out may be what would excuse: then the rule cannot be decided.
#[test]
fn an_exception_can_be_unknown() {
    let built = built_with(&rule("['RequestObject.dry = true']"), |_| {});
    assert_eq!(
        decided(&built, r#"{"level":"Metadata","verb":"delete","objectRef":{"resource":"pods"}}"#),
        "[] r.x? RequestObject.dry"
    );
    assert_eq!(codes(&built.warnings), ["VR0305", "VR0405"]);
}

#[test]
fn what_is_wrong_with_an_exception_is_said_where_it_stands() {
    for (exceptions, expected) in [
        ("['Verb =', 'Verb = 3']", &["VR0207", "VR0401"][..]),
        ("'Verb = \"get\"'", &["VR0007"]),
        ("[3]", &["VR0007"]),
        ("['${nobody}']", &["VR0301"]),
    ] {
        assert_eq!(codes(&diagnosed(&rule(exceptions))), expected, "{exceptions}");
    }
    let theirs =
        rule("['${robot}']").replace("  labels:", "  annotations: {auditing.vedette.io/compat: kubesphere}\n  labels:");
    assert!(codes(&diagnosed(&theirs)).contains(&"VR0215"));
}
