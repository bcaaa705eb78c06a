//! Cases that can be read, an oracle that builds the tree, and real events.

mod against_tree;
mod annotations;
mod sample;

use serde_json::{Value, json};

use super::*;
use crate::{Level, event::Placed};

const KEY: [u8; 32] = [7; 32];

fn redactor() -> Redactor {
    let rule = |group: Option<&str>, resource: &str, fields: &[&str]| FieldRule {
        group: group.map(str::to_owned),
        resource: resource.to_owned(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    let rules = [
        rule(Some(""), "configmaps", &["data.*"]),
        rule(None, "databases", &["spec.password", "spec.users.token", "spec.*.deep"]),
    ];
    Redactor::new(KEY, &rules).unwrap()
}

/// What stands for these bytes where no namespace is said.
fn hidden(value: impl AsRef<[u8]>) -> String {
    hidden_in("", value)
}

/// What stands for these bytes in a namespace of the cluster `c1`.
fn hidden_in(namespace: &str, value: impl AsRef<[u8]>) -> String {
    let key = blake3::keyed_hash(&KEY, format!("c1\0{namespace}").as_bytes());
    format!("redacted:{}", &blake3::keyed_hash(key.as_bytes(), value.as_ref()).to_hex()[..32])
}

/// An event of `resource`, `group/resource/subresource` if it has more, with these bodies.
fn event(resource: &str, request: &str, response: &str) -> String {
    let mut parts = resource.split('/').rev();
    let (first, second, third) = (parts.next().unwrap(), parts.next(), parts.next());
    let (group, plural, sub) = match (third, second) {
        (Some(group), Some(plural)) => (group, plural, first),
        _ => ("", first, ""),
    };
    format!(
        r#"{{"verb":"patch","objectRef":{{"apiGroup":"{group}","resource":"{plural}","subresource":"{sub}"}},"requestObject":{request},"responseObject":{response}}}"#
    )
}

/// The event as it goes on, and how many values were replaced.
fn rewritten(event: &str, redactor: Option<&Redactor>) -> (String, u64) {
    let mut out = Vec::new();
    let done = Event::parse(event.as_bytes()).unwrap().rewrite_in(
        Level::RequestResponse,
        "c1",
        Placed::default(),
        redactor,
        &mut out,
    );
    Event::parse(&out).unwrap();
    (String::from_utf8(out).unwrap(), done.redacted)
}

/// A text with the hashes in place of each `H(text)`, and how many these are.
fn with_hashes(expected: &str) -> (String, u64) {
    let mut wanted = String::new();
    let mut values = 0;
    let mut rest = expected;
    while let Some((before, after)) = rest.split_once("H(") {
        let (text, after) = after.split_once(')').unwrap();
        wanted.push_str(before);
        wanted.push_str(&hidden(text));
        rest = after;
        values += 1;
    }
    wanted.push_str(rest);
    (wanted, values)
}

/// What becomes of a body; `H(text)` in `expected` is the hash of that text.
#[track_caller]
fn check(resource: &str, body: &str, expected: &str) {
    let (wanted, values) = with_hashes(expected);
    let redactor = redactor();
    for (request, response) in [(body, "null"), ("null", body)] {
        let (found, count) = rewritten(&event(resource, request, response), Some(&redactor));
        let found = Event::parse(found.as_bytes()).unwrap();
        let found = found.request_object().or(found.response_object()).unwrap();
        assert_eq!(std::str::from_utf8(found).unwrap(), wanted, "{resource}: {body}");
        assert_eq!(count, values, "{resource}: {body}");
    }
}

#[test]
fn values_of_a_secret_are_replaced_and_names_stay() {
    // `cGFzcw==` is `pass`.
    check(
        "secrets",
        r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"db","labels":{"a":"b"}},"data":{"p":"cGFzcw==","e":""},"stringData":{"p":"pass"},"type":"Opaque","immutable":true}"#,
        r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"db","labels":{"a":"b"}},"data":{"p":"H(pass)","e":""},"stringData":{"p":"H(pass)"},"type":"Opaque","immutable":true}"#,
    );
    for (body, expected) in [
        (r#"{"data":{"a":"cGFz\ncw=="}}"#, r#"{"data":{"a":"H(pass)"}}"#),
        (r#"{"data":{"a":"cGFz"}}"#, r#"{"data":{"a":"H(pas)"}}"#),
        (r#"{"data":{"a":"no base64!"}}"#, r#"{"data":{"a":"H(no base64!)"}}"#),
        (r#"{"data":{"a":"c\u0047Fzcw\u003d="}}"#, r#"{"data":{"a":"H(pass)"}}"#),
        (
            r#"{"data":{"a":{"b":["cGFzcw==",12.50,null,true]}}}"#,
            r#"{"data":{"a":{"b":["H(pass)","H(12.50)",null,true]}}}"#,
        ),
        (r#"{ "data" : "cGFzcw==" , "stringData":[ "x" ] }"#, r#"{ "data" : "H(pass)" , "stringData":[ "H(x)" ] }"#),
        (r#"{"data":null,"stringData":{}}"#, r#"{"data":null,"stringData":{}}"#),
    ] {
        check("secrets", body, expected);
    }
}

#[test]
fn no_spelling_evades() {
    for body in [
        r#"{"d\u0061ta":{"a":"cGFzcw=="}}"#,
        r#"{"DATA":{"a":"cGFzcw=="}}"#,
        r#"{"\u017ftringData":{"a":"pass"}}"#,
        r#"{"kind":"\u0053ecret","stringdata":{"a":"pass"}}"#,
        r#"{"\u212aind":"Secret","stringData":{"a":"pass"}}"#,
        r#"{"KIND":"Secret","stringData":{"a":"pass"}}"#,
        r#"{"kind":"Pod","kind":"Secret","stringData":{"a":"pass"},"kind":"Pod"}"#,
        r#"{"stringData":{"a":"pass"},"kind":"Secret"}"#,
        r#"{"stringData":{"a":"pass"},"data":{},"stringData":{"b":"pass"},"kind":"Secret"}"#,
    ] {
        let redactor = redactor();
        for resource in ["secrets", "pods"] {
            let (found, values) = rewritten(&event(resource, body, body), Some(&redactor));
            let is_secret = resource == "secrets" || body.contains("ecret\"");
            assert_eq!(values > 0, is_secret, "{found}");
            assert_eq!(found.contains("pass\"") || found.contains("cGFzcw"), !is_secret, "{found}");
        }
    }
    // The raw letters of other scripts.
    check("secrets", "{\"\u{17f}tringData\":{\"a\":\"pass\"}}", "{\"\u{17f}tringData\":{\"a\":\"H(pass)\"}}");
}

#[test]
fn a_secret_is_found_wherever_it_stands() {
    for (body, expected) in [
        (
            r#"{"items":[{"data":{"a":"cGFzcw=="},"kind":"Secret"},{"kind":"Pod","data":{"a":"b"}}],"kind":"List"}"#,
            r#"{"items":[{"data":{"a":"H(pass)"},"kind":"Secret"},{"kind":"Pod","data":{"a":"b"}}],"kind":"List"}"#,
        ),
        (
            r#"{"items":[{"data":{"a":"cGFzcw=="}}],"kind":"SecretList"}"#,
            r#"{"items":[{"data":{"a":"H(pass)"}}],"kind":"SecretList"}"#,
        ),
        (
            r#"[[{"spec":{"template":{"data":{"a":"cGFzcw=="},"kind":"Secret","x":{"data":"stays"}}}}]]"#,
            r#"[[{"spec":{"template":{"data":{"a":"H(pass)"},"kind":"Secret","x":{"data":"stays"}}}}]]"#,
        ),
        (
            r#"{"ref":{"kind":"Secret","name":"db","namespace":"n"}}"#,
            r#"{"ref":{"kind":"Secret","name":"db","namespace":"n"}}"#,
        ),
        (r#"{"a":[{"kind":["Secret"],"data":"x"}]}"#, r#"{"a":[{"kind":["Secret"],"data":"x"}]}"#),
        (r#"{"secret":"\"Secret\"","data":{"a":"b"}}"#, r#"{"secret":"\"Secret\"","data":{"a":"b"}}"#),
    ] {
        check("pods", body, expected);
    }
    check(
        "secrets",
        r#"{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"},"data":{"a":"cGFzcw=="}},{"dta":"x"}]}"#,
        r#"{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"},"data":{"a":"H(pass)"}},{"dta":"H(x)"}]}"#,
    );
}

#[test]
fn patches_of_secrets_leave_nothing() {
    for (body, expected) in [
        (
            r#"[{"op":"add","path":"/data/x","value":"cGFzcw=="},{"value":"pass","path":"/stringData/x","op":"test"}]"#,
            r#"[{"op":"add","path":"/data/x","value":"H(pass)"},{"value":"H(pass)","path":"/stringData/x","op":"test"}]"#,
        ),
        (
            r#"[{"op":"replace","path":"/data","value":{"x":"cGFzcw=="}},{"op":"move","from":"/data/a","path":"/data/b"}]"#,
            r#"[{"op":"replace","path":"/data","value":{"x":"H(pass)"}},{"op":"move","from":"/data/a","path":"/data/b"}]"#,
        ),
        (
            r#"[{"op":"replace","path":"","value":{"data":{"x":"cGFzcw=="},"stringData":{"x":"pass"}}}]"#,
            r#"[{"op":"replace","path":"","value":{"data":{"x":"H(pass)"},"stringData":{"x":"H(pass)"}}}]"#,
        ),
        (
            r#"[{"op":"add","value":"v","what":"w"},"x",[1]]"#,
            r#"[{"op":"add","value":"H(v)","what":"H(w)"},"H(x)",["H(1)"]]"#,
        ),
        (r#"[{"op":"add","path":"/data/x","VALUE":7}]"#, r#"[{"op":"add","path":"/data/x","VALUE":"H(7)"}]"#),
        (
            r#"{"$setElementOrder/data":["x"],"data":{"$patch":"replace","x":"cGFzcw=="},"dta":{"x":"y"},"$retainKeys":["data"],"$x":"y"}"#,
            r#"{"$setElementOrder/data":["x"],"data":{"$patch":"H(replace)","x":"H(pass)"},"dta":{"x":"H(y)"},"$retainKeys":["data"],"$x":"H(y)"}"#,
        ),
        (r#""{\"data\":{}}""#, r#""H({"data":{}})""#),
        ("7", r#""H(7)""#),
        ("true", "true"),
        (
            r#"{"kind":"Status","status":"Failure","message":"m","details":{"name":"db","kind":"secrets"}}"#,
            r#"{"kind":"Status","status":"Failure","message":"m","details":{"name":"db","kind":"secrets"}}"#,
        ),
        (
            r#"{"kind":"Pod","message":"m","data":{"a":"cGFzcw=="}}"#,
            r#"{"kind":"Pod","message":"m","data":{"a":"H(pass)"}}"#,
        ),
    ] {
        check("secrets", body, expected);
    }
    // Of something else, a patch is like any body.
    let patch = r#"[{"op":"add","path":"/data/x","value":"pass"}]"#;
    check("pods", patch, patch);
}

#[test]
fn tokens_are_replaced() {
    let body = r#"{"apiVersion":"authentication.k8s.io/v1","spec":{"token":"t","audiences":["a"]},"status":{"Token":"t","user":{"username":"u"}},"token":"x"}"#;
    let expected = r#"{"apiVersion":"authentication.k8s.io/v1","spec":{"token":"H(t)","audiences":["a"]},"status":{"Token":"H(t)","user":{"username":"u"}},"token":"x"}"#;
    check("/serviceaccounts/token", body, expected);
    check("tokenreviews", body, expected);
    for kind in ["TokenReview", "TokenRequest"] {
        let inside = |body: &str| format!(r#"{{"x":[{},"kind":"{kind}"}}]}}"#, &body[..body.len() - 1]);
        check("pods", &inside(body), &inside(expected));
    }
    check("serviceaccounts", body, body);
    check(
        "tokenreviews",
        r#"[{"op":"add","path":"/spec/token","value":"t"}]"#,
        r#"[{"op":"add","path":"/spec/token","value":"H(t)"}]"#,
    );
}

#[test]
fn json_inside_strings_is_looked_into() {
    let text = |value: &str| json!(value).to_string();
    let secret = |data: &str, string: &str| {
        format!(r#"{{"kind":"Secret","data":{{"a":"{data}"}},"stringData":{{"b":"{string}"}}}}"#)
    };
    let (open, shut) = (secret("cGFzcw==", "pass"), secret(&hidden("pass"), &hidden("pass")));
    let note = "kubectl.kubernetes.io/last-applied-configuration";
    let mut inner = (open, shut);
    for _ in 0..MAX_NESTED {
        inner = (text(&inner.0), text(&inner.1));
        let body =
            |text: &str| format!(r#"{{"metadata":{{"annotations":{{"{note}":{text}}}}},"spec":{{"x":[{text}]}}}}"#);
        let (found, values) = rewritten(&event("pods", &body(&inner.0), "null"), Some(&redactor()));
        assert_eq!(values, 4);
        assert!(found.contains(&body(&inner.1)), "{found}");
    }
    // Deeper, all of it goes.
    let deeper = format!(r#"{{"x":{}}}"#, text(&inner.0));
    let (found, values) = rewritten(&event("pods", &deeper, "null"), Some(&redactor()));
    assert!(values == 1 && !found.contains("pass") && !found.contains("cGFzcw"), "{found}");
    // What is no JSON, or holds nothing, stays as it came, but in a Secret, where it should have been a Secret.
    let broken = r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"kind\":\"Secret\",\"data\":{\"a\":\"pass\"","x":"{\"a\":1}"}}}"#;
    check("pods", broken, broken);
    let (found, values) = rewritten(&event("secrets", broken, "null"), Some(&redactor()));
    assert!(values == 1 && !found.contains("pass") && found.contains(r#""x":"{\"a\":1}""#), "{found}");
    check(
        "secrets",
        r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"a\":\"cGFzcw==\"}}\n"}}}"#,
        r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"a\":\"H(pass)\"}}\u000a"}}}"#,
    );
    check(
        "secrets",
        r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":{"a":["x"]}}}}"#,
        r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":{"a":["H(x)"]}}}}"#,
    );
}

#[test]
fn configured_fields_are_replaced() {
    for (resource, body, expected) in [
        ("configmaps", r#"{"data":{"a":"cGFz","b":""},"x":"y"}"#, r#"{"data":{"a":"H(cGFz)","b":""},"x":"y"}"#),
        ("other/configmaps/", r#"{"data":{"a":"x"}}"#, r#"{"data":{"a":"x"}}"#),
        (
            "db.example.com/databases/",
            r#"{"spec":{"Password":"x","users":[{"name":"n","token":"t"}],"a":{"deep":{"b":1}},"deep":"d"},"password":"y"}"#,
            r#"{"spec":{"Password":"H(x)","users":[{"name":"n","token":"H(t)"}],"a":{"deep":{"b":"H(1)"}},"deep":"d"},"password":"y"}"#,
        ),
        (
            "databases",
            r#"{"items":[{"spec":{"password":"x"}}],"kind":"DatabaseList"}"#,
            r#"{"items":[{"spec":{"password":"H(x)"}}],"kind":"DatabaseList"}"#,
        ),
        (
            "databases",
            r#"[{"op":"add","path":"/spec/password","value":"x"},{"op":"add","path":"/spec/users/0","value":{"name":"n","token":"t"}},{"op":"add","path":"/spec/size","value":"s"},{"op":"add","path":"","value":{"spec":{"password":"x"}}}]"#,
            r#"[{"op":"add","path":"/spec/password","value":"H(x)"},{"op":"add","path":"/spec/users/0","value":{"name":"n","token":"H(t)"}},{"op":"add","path":"/spec/size","value":"s"},{"op":"add","path":"","value":{"spec":{"password":"H(x)"}}}]"#,
        ),
        (
            "databases",
            r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"spec\":{\"password\":\"x\"}}"}}}"#,
            r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"spec\":{\"password\":\"H(x)\"}}"}}}"#,
        ),
    ] {
        check(resource, body, expected);
    }
    let long = FieldRule { resource: "r".into(), fields: vec!["a.b".into(); 33], ..FieldRule::default() };
    assert_eq!(Redactor::new(KEY, &[long]).unwrap_err(), RedactError::TooMany { resource: "r".into() });
}

#[test]
fn credentials_of_kubesphere_are_secrets() {
    let credentials = "devops.kubesphere.io/credentials/";
    check(
        credentials,
        r#"{"metadata":{"name":"db"},"type":"credential.devops.kubesphere.io/basic-auth","data":{"password":"cGFzcw=="},"dta":"x"}"#,
        r#"{"metadata":{"name":"db"},"type":"credential.devops.kubesphere.io/basic-auth","data":{"password":"H(pass)"},"dta":"H(x)"}"#,
    );
    check(credentials, r#"{"items":[{"stringData":{"a":"pass"}}]}"#, r#"{"items":[{"stringData":{"a":"H(pass)"}}]}"#);
    let body = r#"{"data":{"a":"x"}}"#;
    check("credentials", body, body);
}

#[test]
fn a_value_has_one_hash_in_a_namespace_and_another_elsewhere() {
    let redactor = redactor();
    let found = |cluster: &str, place: &str| {
        let event = format!(
            r#"{{"verb":"create",{place},"requestObject":{{"stringData":{{"a":"pass"}}}},"responseObject":{{"data":{{"b":"cGFzcw=="}}}}}}"#
        );
        let (mut out, placed) = (Vec::new(), Placed::default());
        let event = Event::parse(event.as_bytes()).unwrap();
        event.rewrite_in(Level::RequestResponse, cluster, placed, Some(&redactor), &mut out);
        let text = String::from_utf8(out).unwrap();
        let hashes: Vec<_> = text.split("redacted:").skip(1).map(|rest| rest[..32].to_owned()).collect();
        assert!(hashes.len() == 2 && hashes[0] == hashes[1], "{text}");
        format!("redacted:{}", hashes[0])
    };
    let secret = |namespace: &str| format!(r#""objectRef":{{"resource":"secrets","namespace":"{namespace}"}}"#);
    assert_eq!(found("c1", &secret("shop")), hidden_in("shop", "pass"));
    assert_eq!(
        found("c1", r#""objectRef":{"resource":"secrets","n\u0061mespace":"\u0073hop"}"#),
        hidden_in("shop", "pass")
    );
    let project = r#""Devops":"shop","ObjectRef":{"Resource":"credentials","APIGroup":"devops.kubesphere.io"}"#;
    assert_eq!(found("c1", project), hidden_in("shop", "pass"));
    let all: std::collections::BTreeSet<_> = ["c", "c1", "c1shop"]
        .into_iter()
        .flat_map(|cluster| ["", "shop", "1shop", "own"].map(|namespace| found(cluster, &secret(namespace))))
        .collect();
    assert_eq!(all.len(), 12, "no two places have a key in common");
}

#[test]
fn every_occurrence_of_a_body_is_looked_at() {
    let secret = r#"{"stringData":{"a":"pass"}}"#;
    let event = format!(
        r#"{{"RequestObject":{secret},"verb":"get","requestObject":1,"objectRef":{{"resource":"secrets"}},"responseobject":{secret},"responseObject":null}}"#
    );
    let (found, values) = rewritten(&event, Some(&redactor()));
    assert!(values == 3 && !found.contains("pass"), "{found}");
}

#[test]
fn a_body_that_would_grow_without_measure_is_replaced_as_a_whole() {
    let body = format!(r#"{{"data":[{}1]}}"#, "1,".repeat(100_000));
    check("secrets", &body, &format!(r#""H({body})""#));
    let nested = format!(r#"{{"a":{}}}"#, json!(format!(r#"{{"kind":"Secret","data":[{}1]}}"#, "1,".repeat(100_000))));
    let (found, values) = rewritten(&event("pods", &nested, "null"), Some(&redactor()));
    assert!(values == 1 && found.len() < 300, "{} bytes", found.len());
}

#[test]
fn deep_and_wide_bodies_stay_linear() {
    let deep = format!(r#"{}"a"{}"#, r#"{"kind":"Secret","data":"#.repeat(60), "}".repeat(60));
    let (found, values) = rewritten(&event("pods", &deep, "null"), Some(&redactor()));
    // Each kind below the first Secret is one of its values.
    assert_eq!((values, found.contains(r#""a""#)), (60, false));
    let wide: Vec<_> =
        (0..100_000).map(|index| format!(r#"{{"kind":"Secret","data":{{"a":"{index:040}"}}}}"#)).collect();
    let (_, values) = rewritten(&event("pods", &format!("[{}]", wide.join(",")), "null"), Some(&redactor()));
    assert_eq!(values, 100_000);
    // A text too deep to be read that may hold one.
    let deep = json!(format!(r#"{}{{"kind":"Secret"}}{}"#, "[".repeat(200), "]".repeat(200))).to_string();
    let (found, values) = rewritten(&event("pods", &format!("[{deep}]"), "null"), Some(&redactor()));
    assert!(values == 1 && !found.contains("Secret"), "{found}");
}

#[test]
fn what_holds_nothing_is_untouched() {
    let body = r#"{"kind":"Pod","imagePullSecrets":[{"name":"x"}],"a":"\u003c","b":"{\"c\":1}"}"#;
    check("pods", body, body);
    let secret = event("secrets", r#"{"stringData":{"a":"pass"}}"#, "null");
    assert!(rewritten(&secret, None).0.contains("pass"), "it was turned off");
    let mut out = Vec::new();
    let done = Event::parse(secret.as_bytes()).unwrap().rewrite_in(
        Level::Metadata,
        "c1",
        Placed::default(),
        Some(&redactor()),
        &mut out,
    );
    assert_eq!(done.redacted, 0, "there are no bodies");
}

#[test]
fn the_key_decides_and_is_not_shown() {
    let body = r#"{"stringData":{"a":"pass"}}"#;
    let other = Redactor::new([8; 32], &[]).unwrap();
    let found = |redactor: &Redactor| rewritten(&event("secrets", body, "null"), Some(redactor)).0;
    assert_ne!(found(&other), found(&redactor()));
    assert!(!format!("{other:?}").contains("8, 8"));
    let forged = json!({"stringData": {"a": hidden("pass")}}).to_string();
    let (found, values) = rewritten(&event("secrets", &forged, "null"), Some(&redactor()));
    assert!(values == 1 && !found.contains(&hidden("pass")));
    let _: Value = serde_json::from_str(&found).unwrap();
}
