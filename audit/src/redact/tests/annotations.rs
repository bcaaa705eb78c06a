//! Audit annotations: what admission webhooks changed, and what else may hold a secret.

use super::*;
use crate::event::REDACTED_ANNOTATION;

const PATCH: &str = "patch.webhook.admission.k8s.io/round_0_index_0";
const MUTATION: &str = "mutation.webhook.admission.k8s.io/round_0_index_0";

/// The text of an annotation with this patch.
fn change(patch: &str) -> String {
    format!(r#"{{"configuration":"c","webhook":"w.example.com","patch":{patch},"patchType":"JSONPatch"}}"#)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// An event at `recorded` with these members besides.
fn event_with(resource: &str, recorded: &str, members: &str) -> String {
    let event = event(resource, "1", "2");
    format!(r#"{{"level":"{recorded}",{members},{}"#, &event[1..])
}

/// The event as it goes on at a level, and how many values were replaced.
fn rewritten_at(level: Level, event: &str) -> (String, u64) {
    let (mut out, placed) = (Vec::new(), Placed::default());
    let event = Event::parse(event.as_bytes()).unwrap();
    let done = event.rewrite_in(level, "c1", placed, Some(&redactor()), &mut out);
    Event::parse(&out).unwrap();
    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&out).is_ok());
    (String::from_utf8(out).unwrap(), done.redacted)
}

/// What becomes of a patch's annotation at `Request`; `H(text)` in `expected` is the hash of that text.
#[track_caller]
fn check_patch(resource: &str, value: &str, expected: &str) {
    let (wanted, count) = with_hashes(expected);
    let event = event_with(resource, "Request", &format!(r#""annotations":{{"a":"b","{PATCH}":{value}}}"#));
    let (found, values) = rewritten_at(Level::RequestResponse, &event);
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["annotations"][PATCH], Value::from(wanted), "{resource}: {value}");
    // The bodies are numbers, and those of a secret go as a whole.
    let bodies = if resource == "pods" || resource == "other" { 0 } else { 2 };
    assert_eq!((&found["annotations"]["a"], values), (&"b".into(), count + bodies), "{resource}: {value}");
}

#[test]
fn a_patch_goes_where_bodies_go() {
    let patch = quoted(&change(r#"[{"op":"replace","path":"/data/p","value":"cGFzcw=="}]"#));
    let escaped = PATCH.replace("patch", r"p\u0061tch").replace("webhook", r"webh\u006fok");
    for name in [PATCH, &escaped, "PATCH.webhook.Admission.k8s.io/", "patch.webhook.admission.k8s.io/round_9_index_17"]
    {
        for (members, expected) in [
            (format!(r#""annotations":{{"{name}":{patch}}}"#), r#""annotations":{}"#),
            (format!(r#""Annotations":{{ "{name}" : {patch} }}"#), r#""Annotations":{ }"#),
            (format!(r#""ann\u006ftations":{{"a":"b","{name}":{patch}}}"#), r#""ann\u006ftations":{"a":"b"}"#),
            (format!(r#""annotations":{{"{name}":{patch},"a":"b"}}"#), r#""annotations":{"a":"b"}"#),
            (
                format!(
                    r#""annotations":{{"{name}":1,"{name}":{patch} ,"a":"b", "{name}":[{patch}],"{MUTATION}":"m"}}"#
                ),
                r#""annotations":{"a":"b","mutation.webhook.admission.k8s.io/round_0_index_0":"m"}"#,
            ),
            (
                format!(
                    r#""annotations":{{"{name}":{patch}}},"ANNOTATIONS":{{"x":"y","{name}":{patch}}},"annotations":null"#
                ),
                r#""annotations":{},"ANNOTATIONS":{"x":"y"},"annotations":null"#,
            ),
        ] {
            for resource in ["secrets", "pods"] {
                for (recorded, level) in [
                    ("RequestResponse", Level::Metadata),
                    ("Request", Level::Metadata),
                    ("Metadata", Level::RequestResponse),
                    ("Everything", Level::Metadata),
                ] {
                    let event = event_with(resource, recorded, &members);
                    let (found, values) = rewritten_at(level, &event);
                    let bodies = if resource == "secrets" && level > Level::Metadata { 2 } else { 0 };
                    assert!(found.contains(expected) && values == bodies, "{found}");
                    let (mut plain, parsed) = (Vec::new(), Event::parse(event.as_bytes()).unwrap());
                    parsed.rewrite(level, "c1", &mut plain);
                    let plain = String::from_utf8(plain).unwrap();
                    assert!(plain.contains(expected), "they go without a redactor too: {plain}");
                    assert!(!found.contains("cGFzcw") && !plain.contains("cGFzcw"), "{found}");
                }
            }
        }
    }
    // Of no resource: there is no level with bodies.
    let event = format!(r#"{{"level":"Request","verb":"post","annotations":{{"{PATCH}":{patch}}}}}"#);
    assert_eq!(
        rewritten_at(Level::Request, &event).0,
        r#"{"Cluster":"c1","level":"Metadata","verb":"post","annotations":{}}"#
    );
}

#[test]
fn what_goes_is_not_kept() {
    let event = |note: &str| {
        event_with("pods", "Metadata", &format!(r#""annotations":{{{note}"a":"b"}},"Annotations":{{"c":1}}"#))
    };
    let patched = event(&format!(r#""{PATCH}":"{}","#, "x".repeat(100)));
    for level in [Level::Metadata, Level::Request, Level::RequestResponse] {
        let kept = |event: &str| Event::parse(event.as_bytes()).unwrap().kept_bytes(level);
        assert_eq!(kept(&patched), kept(&event("")), "{level:?}");
    }
    let requested = patched.replace("Metadata", "Request");
    assert_eq!(Event::parse(requested.as_bytes()).unwrap().kept_bytes(Level::RequestResponse), requested.len());
}

#[test]
fn a_patch_of_a_secret_is_redacted_where_it_stays() {
    for (patch, expected) in [
        (
            r#"[{"op":"replace","path":"/data/p","value":"cGFzcw=="},{"op":"add","path":"/stringData","value":{"a":"pass"}}]"#,
            r#"[{"op":"replace","path":"/data/p","value":"H(pass)"},{"op":"add","path":"/stringData","value":{"a":"H(pass)"}}]"#,
        ),
        (r#"[{"VALUE":7,"p\u0061th":"/data/p"}]"#, r#"[{"VALUE":"H(7)","p\u0061th":"/data/p"}]"#),
        (r#"[{"op":"remove","path":"/data/p"}]"#, r#"[{"op":"remove","path":"/data/p"}]"#),
        (r#"{"data":{"a":"pass"}}"#, r#"{"data":{"a":"H(pass)"}}"#),
        (r#""pass""#, r#""H(pass)""#),
        ("null", "null"),
    ] {
        for resource in ["secrets", "devops.kubesphere.io/credentials/"] {
            check_patch(resource, &quoted(&change(patch)), &change(expected));
        }
    }
    check_patch("/serviceaccounts/token", "7", "H(7)");
    check_patch("secrets", r#""no JSON""#, "H(no JSON)");
    check_patch("secrets", r#""[\"x\"]""#, r#"["H(x)"]"#);
    check_patch("secrets", &quoted(r#"{"patch":[],"more":{"x":"pass"}}"#), r#"{"patch":[],"more":{"x":"H(pass)"}}"#);
    for odd in [r#"{"patch":[{"value":"pass"}]}"#, r#"["pass"]"#, r#"{"a":{"b":["pass"]}}"#] {
        let event = event_with("secrets", "Request", &format!(r#""annotations":{{"{PATCH}":{odd}}}"#));
        let (found, values) = rewritten_at(Level::Request, &event);
        // The body is a number.
        assert!(!found.contains("pass") && values == 2, "{found}");
    }
    // However often they are said.
    let patch = quoted(&change(r#"[{"op":"add","path":"/data/p","value":"cGFzcw=="}]"#));
    let one = format!(r#"{{"{PATCH}":{patch},"p\u0061tch.webhook.admission.k8s.io/x":{patch},"{PATCH}":{patch}}}"#);
    let event = event_with("secrets", "Request", &format!(r#""annotations":{one},"ANN\u004fTATIONS":{one}"#));
    let (found, values) = rewritten_at(Level::Request, &event);
    assert!(!found.contains("cGFzcw") && values == 7, "{found}");
}

#[test]
fn a_patch_of_a_configured_resource_loses_its_fields() {
    let patch = |p: &str, t: &str| {
        change(&format!(
            r#"[{{"op":"add","path":"/spec/password","value":"{p}"}},{{"op":"add","path":"/spec/users/0","value":{{"name":"n","token":"{t}"}}}},{{"op":"add","path":"/spec/size","value":"s"}}]"#
        ))
    };
    check_patch("databases", &quoted(&patch("x", "t")), &patch("H(x)", "H(t)"));
    check_patch("other", &quoted(&patch("x", "t")), &patch("x", "t"));
}

#[test]
fn secrets_in_any_annotation_are_redacted_at_any_level() {
    let secret = |value: &str| format!(r#"{{"kind":"Secret","stringData":{{"a":"{value}"}}}}"#);
    for resource in ["pods", "secrets"] {
        for level in [Level::Metadata, Level::RequestResponse] {
            let event = event_with(
                resource,
                "Request",
                &format!(
                    r#""annotations":{{"x":{},"y":"{{}}","{PATCH}":{}}}"#,
                    quoted(&secret("pass")),
                    quoted(&change("[]"))
                ),
            );
            let (found, values) = rewritten_at(level, &event);
            let expected = format!(r#""annotations":{{"x":{},"y":"{{}}""#, quoted(&secret(&hidden("pass"))));
            // The bodies are numbers.
            let bodies = if resource == "secrets" && level > Level::Metadata { 2 } else { 0 };
            assert!(found.contains(&expected) && values == 1 + bodies, "{found}");
        }
    }
    let nested = change(&format!(r#"[{{"op":"add","path":"/x","value":{}}}]"#, secret("pass")));
    check_patch("pods", &quoted(&nested), &nested.replace("pass", "H(pass)"));
}

#[test]
fn an_event_that_is_too_large_has_its_annotations_redacted_too() {
    let secret = quoted(r#"{"kind":"Secret","stringData":{"a":"pass"}}"#);
    let body = "x".repeat(crate::MAX_EVENT_BYTES);
    let patch = format!(r#""{PATCH}":"{{}}""#);
    for (members, expected) in [
        (format!(r#"{{{patch},"x":{secret}}}"#), 1),
        (format!(r#"{{{patch}}}"#), 0),
        (format!(r#"{{"x":{secret},{patch}}}"#), 1),
    ] {
        let event = event_with("secrets", "Request", &format!(r#""annotations":{members},"requestObject":"{body}""#));
        let (found, values) = rewritten_at(Level::Request, &event);
        let found: Value = serde_json::from_str(&found).unwrap();
        let notes = found["annotations"].as_object().unwrap();
        assert_eq!((values, notes.len()), (expected, 1 + usize::try_from(expected).unwrap()), "{notes:?}");
        assert!(notes["vedette.dev/oversize"] == "true" && !found.to_string().contains("pass"), "{notes:?}");
    }
}

#[test]
fn annotations_that_would_grow_without_measure_are_replaced_as_a_whole() {
    let many: Vec<_> =
        (0..10_000).map(|index| format!(r#""{index}":{{"kind":"Secret","data":[1,2,3,4,5,6,7,8,9]}}"#)).collect();
    let event = event_with("pods", "Request", &format!(r#""annotations":{{{}}}"#, many.join(",")));
    let (found, values) = rewritten_at(Level::Request, &event);
    assert!(values == 1 && found.len() < 400, "{} bytes", found.len());
    let found: Value = serde_json::from_str(&found).unwrap();
    assert!(found["annotations"][REDACTED_ANNOTATION].as_str().unwrap().starts_with(PREFIX));
}
