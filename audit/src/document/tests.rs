use serde_json::{Value, json};

use super::*;
use crate::Level;

const RECEIVED: i64 = 1_795_308_043_123_456_789;

fn build(json: &str) -> Document {
    let id = Event::parse(json.as_bytes()).unwrap().id("c1");
    Document::build(id, json.as_bytes(), &["archiving-rule.archiving".to_owned()], RECEIVED).unwrap()
}

fn stored(document: &Document) -> Value {
    serde_json::from_slice(&document.json).unwrap()
}

/// The document of a sender's event, rewritten as ingest does, against a golden file.
#[track_caller]
fn check(event: &str, golden: &str) -> Document {
    let mut rewritten = Vec::new();
    Event::parse(event.as_bytes()).unwrap().rewrite(Level::RequestResponse, "c1", &mut rewritten);
    let document = build(std::str::from_utf8(&rewritten).unwrap());
    let mut expected: Value = serde_json::from_str(golden).unwrap();
    expected["Vedette"]["EventID"] = document.id.to_string().into();
    assert_eq!(
        serde_json::to_string_pretty(&stored(&document)).unwrap(),
        serde_json::to_string_pretty(&expected).unwrap()
    );
    document
}

#[test]
fn a_kube_apiservers_event_is_stored_in_kubespheres_spelling() {
    let document = check(
        include_str!("../../testdata/event-kubernetes.json"),
        include_str!("../../testdata/document-kubernetes.json"),
    );
    assert_eq!(document.time_micros, 1_795_308_042_175_190);
    let expected = Fields {
        cluster: "c1".into(),
        level: "RequestResponse".into(),
        audit_id: "5f1f6a52-7c2e-4a55-a9b3-7e3d2f0c9a11".into(),
        stage: "ResponseComplete".into(),
        request_uri: "/api/v1/namespaces/shop/pods/web-0/binding?fieldManager=a&b".into(),
        verb: "create".into(),
        user: "admin".into(),
        actor: "zo\u{eb}".into(),
        impersonated: "zo\u{eb}".into(),
        credential: "X509SHA256=00ff".into(),
        source_ip: "10.0.0.4".into(),
        user_agent: "kubectl/v1.36.3".into(),
        resource: "pods".into(),
        namespace: "shop".into(),
        name: "web-0".into(),
        subresource: "binding".into(),
        status: "Failure".into(),
        reason: "Conflict".into(),
        groups: vec!["system:masters".into(), "a \"quoted\" group".into()],
        source_ips: vec!["203.0.113.7".into(), "10.0.0.4".into()],
        code: Some(409),
        duration_micros: Some(19_165),
        rules: vec!["archiving-rule.archiving".into()],
        ..Fields::default()
    };
    assert_eq!(document.fields, expected);
}

#[test]
fn kubespheres_event_keeps_its_workspace_and_devops() {
    let document = check(
        include_str!("../../testdata/event-kubesphere-workspace-devops-cluster.json"),
        include_str!("../../testdata/document-kubesphere-workspace-devops-cluster.json"),
    );
    assert_eq!(document.fields.workspace, "demo-workspace");
    assert_eq!(document.fields.devops, "demo-devops8rl2k");
    assert_eq!(document.fields.cluster, "c1", "what the sender is authenticated for, not what it says");
    assert_eq!(document.time_micros, 1_795_308_042_175_190);
}

#[test]
fn the_members_stand_in_one_order() {
    let json = build(
        r#"{"x":1,"verb":"get","Cluster":"c1","objectRef":{"name":"n"},"user":{"z":1,"groups":[],"username":"u"}}"#,
    )
    .json;
    let json = String::from_utf8(json).unwrap();
    let head = r#"{"Workspace":"","Cluster":"c1","Verb":"get","User":{"Username":"u","Groups":[],"z":1},"ObjectRef":{"Namespace":"","Name":"n"},"x":1,"Vedette":{"EventID":""#;
    assert!(json.starts_with(head), "{json}");
}

#[test]
fn the_empty_namespace_is_there_without_an_object_too() {
    for event in [r#"{"requestURI":"/healthz"}"#, r#"{"requestURI":"/healthz","objectRef":null,"workspace":null}"#] {
        let stored = stored(&build(event));
        assert_eq!(stored["ObjectRef"], json!({"Namespace": ""}));
        assert_eq!(stored["Workspace"], "");
    }
    assert_eq!(
        stored(&build(r#"{"verb":"get","objectRef":{"namespace":null}}"#))["ObjectRef"],
        json!({"Namespace": ""})
    );
}

#[test]
fn no_member_stands_twice() {
    let document = build(r#"{"a":1,"verb":"x","b":{"a":0},"A":3,"Verb":"get","a":2,"\u0061":4,"user":{"q":1,"q":2}}"#);
    let text = String::from_utf8(document.json.clone()).unwrap();
    assert_eq!(text.matches("\"Verb\"").count(), 1, "{text}");
    assert_eq!(text.matches("\"a\":").count(), 1, "only the nested one: {text}");
    assert_eq!(text.matches("\"q\":").count(), 1, "{text}");
    let stored = stored(&document);
    assert_eq!((&stored["Verb"], &stored["a"], &stored["A"]), (&json!("get"), &json!(4), &json!(3)));
}

#[test]
fn a_senders_own_vedette_is_not_ours() {
    let event = r#"{"verb":"get","Vedette":{"Rules":["forged"]},"vedette":1}"#;
    let stored = stored(&build(event));
    assert_eq!(stored["Vedette"]["Rules"], json!(["archiving-rule.archiving"]));
    assert_eq!(stored.get("vedette"), None);
}

#[test]
fn the_time_is_the_events_own_if_it_has_one() {
    let time = |members: &str| build(&format!(r#"{{"verb":"get"{members}}}"#)).time_micros;
    assert_eq!(
        time(r#","requestReceivedTimestamp":"1970-01-01T00:00:01.000002Z","stageTimestamp":"1970-01-01T00:00:09Z""#),
        1_000_002
    );
    assert_eq!(time(r#","requestReceivedTimestamp":"1970-01-01T01:00:01.5+01:00""#), 1_500_000);
    assert_eq!(time(r#","requestReceivedTimestamp":"yesterday","stageTimestamp":"1970-01-01T00:00:09Z""#), 9_000_000);
    assert_eq!(time(""), RECEIVED / 1000);
}

#[test]
fn what_is_made_of_others_is_stored_where_there_is_any() {
    for (members, expected) in [
        ("", json!({"Path": "/exec"})),
        (r#","objectRef":{"resource":"pods","subresource":"exec"}"#, json!({"Command": "sh -c ls /"})),
        (r#","ObjectRef":{"Resource":"pods","Subresource":"attach"}"#, json!({"Command": "sh -c ls /"})),
        (r#","objectRef":{"resource":"pods","subresource":"log"}"#, json!({})),
        (r#","objectRef":{"resource":""}"#, json!({"Path": "/exec"})),
        (
            r#","requestReceivedTimestamp":"2026-11-22T00:00:00Z","stageTimestamp":"2026-11-22T00:00:01.0000015Z""#,
            json!({"Path": "/exec", "DurationMicros": 1_000_001}),
        ),
        (
            r#","requestReceivedTimestamp":"2026-11-22T00:00:02Z","stageTimestamp":"2026-11-22T00:00:01Z""#,
            json!({"Path": "/exec"}),
        ),
        (r#","stageTimestamp":"2026-11-22T00:00:01Z""#, json!({"Path": "/exec"})),
    ] {
        let document = build(&format!(r#"{{"requestURI":"/exec?command=sh&command=-c&command=ls+%2F"{members}}}"#));
        let mut stored = stored(&document)["Vedette"].clone();
        for always in ["EventID", "ReceivedTimestamp", "Rules", "Actor", "SourceIP"] {
            assert!(stored.as_object_mut().unwrap().remove(always).is_some());
        }
        assert_eq!(stored, expected, "{members}");
        let fields = &document.fields;
        let text = |name: &str| expected[name].as_str().unwrap_or_default().to_owned();
        assert_eq!((&fields.command, &fields.path), (&text("Command"), &text("Path")));
        assert_eq!(fields.duration_micros, expected["DurationMicros"].as_i64());
    }
}

#[test]
fn the_credential_is_the_authenticated_users_first() {
    for (members, expected) in [
        (r#""user":{"extra":{"authentication.kubernetes.io/credential-id":["a","b"]}}"#, "a"),
        (r#""User":{"Extra":{"x":["y"],"Authentication.Kubernetes.io/Credential-ID" : [ "\u0061\"", 7]}}"#, "a\""),
        (r#""user":{"extra":{"authentication.kubernetes.io/\u0063redential-id":["a"]}}"#, "a"),
        (r#""impersonatedUser":{"extra":{"authentication.kubernetes.io/credential-id":["a"]}}"#, ""),
        (r#""user":{"extra":{"authentication.kubernetes.io/credential-id":[]}}"#, ""),
        (r#""user":{"extra":{"authentication.kubernetes.io/credential-id":[["a"]]}}"#, ""),
        (r#""user":{"extra":{"authentication.kubernetes.io/credential-id":"a"}}"#, ""),
        (
            r#""user":{"extra":{"authentication.kubernetes.io/credential-id":["a"],"authentication.kubernetes.io/credential-id":[]}}"#,
            "",
        ),
        (r#""user":{"extra":null}"#, ""),
    ] {
        let document = build(&format!(r#"{{"verb":"get",{members}}}"#));
        assert_eq!(document.fields.credential, expected, "{members}");
        let stored = stored(&document);
        assert_eq!(stored["Vedette"].get("CredentialID"), (!expected.is_empty()).then(|| json!(expected)).as_ref());
    }
}

#[test]
fn the_tenant_is_the_namespace_by_its_uid() {
    for (own, tenant) in [
        (r#","Vedette":{"NamespaceUID":"u-1"}"#, "c1/u-1"),
        (r#","Vedette":{"NamespaceUID":""}"#, ""),
        (r#","Vedette":{"Rules":[]}"#, ""),
        ("", ""),
    ] {
        let document = build(&format!(r#"{{"Cluster":"c1"{own},"verb":"get"}}"#));
        assert_eq!(document.fields.tenant, tenant);
        let own = &stored(&document)["Vedette"];
        assert_eq!(own.get("Tenant"), (!tenant.is_empty()).then(|| json!(tenant)).as_ref());
        assert_eq!(own.get("NamespaceUID"), None);
    }
}

#[test]
fn many_unknown_members_stay_linear() {
    let members: Vec<_> = (0..100_000).map(|index| format!(r#""m{index}":{index}"#)).collect();
    let document = build(&format!(r#"{{"verb":"get",{}}}"#, members.join(",")));
    assert_eq!(stored(&document).as_object().unwrap().len(), 100_000 + 4);
}

#[test]
fn what_is_no_event_makes_no_document() {
    let error = Document::build(EventId::from_bytes([0; 16]), b"[]", &[], 0).unwrap_err();
    assert_eq!(error.code(), "not_object");
}
