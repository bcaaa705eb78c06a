//! The rules over HTTP, before an operator that says what it is told to say: who is let through, with what token, and what becomes of
//! its refusals. What a real one says is held against in the tests of `vedette up`.

mod callers;
mod stub;

use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use vedette_console::{AuthConfig, Config, TenancyCluster, TenancyConfig};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::entry::Kind;
use vedette_service::operator::OperatorConfig;

use super::rig::{Rig, Sample, TOKEN, items};
use stub::Stub;

const SOURCE: &str = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: a\n  namespace: audit\nspec:\n  \
                      rules:\n  - name: x\n    type: rule\n    condition: Verb = \"get\"\n    priority: INFO\n";
const PATH: &str = "/api/v1/rules/audit/a";

async fn ask(rig: &Rig, method: Method, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
    let request = rig.client.request(method, rig.url(path)).bearer_auth(token);
    let request = body.iter().fold(request, |request, body| request.json(body));
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

async fn rig(url: &str, auth: AuthConfig, clusters: Vec<TenancyCluster>) -> (Rig, Sample) {
    rig_of(OperatorConfig { url: url.to_owned(), ..OperatorConfig::default() }, auth, clusters).await
}

async fn rig_of(operator: OperatorConfig, auth: AuthConfig, clusters: Vec<TenancyCluster>) -> (Rig, Sample) {
    vedette_service::tls::install_provider();
    let sample = Sample::of(Vec::new()).await;
    let management = Some(operator);
    let tenancy = TenancyConfig { clusters, ..TenancyConfig::default() };
    let config = Config { token: Some(TOKEN.into()), auth, tenancy, management, ..Config::default() };
    (Rig::start_with(Arc::clone(&sample.archive), config, Client::new()).await, sample)
}

/// As an operator says it.
fn refusal(code: Code, reason: &str, violations: &[(&str, &str)]) -> Option<Status> {
    let mut details =
        ErrorDetails::with_error_info(reason, "vedette.io", std::collections::HashMap::<String, String>::new());
    let violation = |(field, reason): &(&str, &str)| FieldViolation {
        reason: (*reason).to_owned(),
        ..FieldViolation::new(*field, "is wrong")
    };
    if !violations.is_empty() {
        details.set_bad_request(violations.iter().map(violation).collect::<Vec<_>>());
    }
    Some(Status::with_error_details(code, "the operator's words", details))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_refuses_is_said_in_http() {
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let (rig, _sample) = rig(&url, AuthConfig::default(), Vec::new()).await;
    for (code, reason, expected) in [
        (Code::Unauthenticated, "UNAUTHENTICATED", 403),
        (Code::PermissionDenied, "ACCESS_DENIED", 403),
        (Code::NotFound, "RULE_NOT_FOUND", 404),
        (Code::AlreadyExists, "RULE_EXISTS", 409),
        (Code::Aborted, "ETAG_MISMATCH", 409),
        (Code::FailedPrecondition, "FILE", 409),
        (Code::ResourceExhausted, "LIMIT", 429),
        (Code::Unavailable, "UNAVAILABLE", 503),
    ] {
        stub.refuses(refusal(code, reason, &[]));
        let (status, problem) = ask(&rig, Method::GET, PATH, TOKEN, None).await;
        assert_eq!((status, &problem["code"]), (expected, &json!(expected)), "{code:?}: {problem:#}");
        assert!(problem["message"].as_str().unwrap().contains("the operator's words"), "{problem:#}");
    }
    // Whatever is not an operator's own word stays inside.
    for (code, expected) in [(Code::Internal, 502), (Code::Unimplemented, 502), (Code::Unavailable, 503)] {
        stub.refuses(Some(Status::new(code, "10.0.0.1 says no")));
        let (status, problem) = ask(&rig, Method::GET, PATH, TOKEN, None).await;
        assert_eq!(status, expected, "{problem:#}");
        assert!(!problem["message"].as_str().unwrap().contains("10.0.0.1"), "{problem:#}");
    }
    stub.refuses(refusal(Code::InvalidArgument, "INVALID_FIELD", &[("name", "")]));
    let (status, problem) = ask(&rig, Method::GET, PATH, TOKEN, None).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("name")), "{problem:#}");
    // A rule that does not compile: with what the refusal itself says, where the text can't be asked about.
    stub.refuses(refusal(Code::InvalidArgument, "BROKEN_RULE", &[("rule.entries[0].rule.condition", "VR0101")]));
    let (status, problem) = ask(&rig, Method::DELETE, PATH, TOKEN, None).await;
    assert_eq!(status, 400);
    let found = &problem["diagnostics"][0];
    let said = json!({"severity": "error", "code": "VR0101", "message": "is wrong", "document": "",
        "path": "rule.entries[0].rule.condition"});
    assert_eq!(found, &said);
    stub.refuses(None);

    let written = json!({"source": SOURCE.replace("  namespace", "  annotations: {other: after}\n  namespace")});
    assert_eq!(ask(&rig, Method::PUT, PATH, TOKEN, Some(written)).await.0, 200);
    let rule = stub.0.lock().unwrap().written.take().unwrap();
    assert_eq!((rule.name.as_str(), rule.etag.as_str()), ("namespaces/audit/rules/a", "one"));
    // What the text does not show stays, and what it no longer has is gone.
    let annotations: Vec<_> = rule.annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(annotations, [("kubectl.kubernetes.io/last-applied-configuration", "before"), ("other", "after")]);

    for (body, expected) in [
        (json!({"source": SOURCE, "more": 1}), 400),
        (json!({"source": 1}), 400),
        (json!({"source": format!("{SOURCE}---\n{SOURCE}")}), 400),
        (json!({"source": SOURCE.replace("name: a", "name: b")}), 400),
        (json!({"source": "kind: Webhook"}), 400),
        (json!({"source": "x".repeat(1 << 20)}), 413),
    ] {
        let (status, problem) = ask(&rig, Method::PUT, PATH, TOKEN, Some(body)).await;
        assert_eq!((status, &problem["code"]), (expected, &json!(expected)), "{problem:#}");
    }
    assert_eq!(
        ask(&rig, Method::PUT, &format!("{PATH}?validateOnly=yes"), TOKEN, Some(json!({"source": ""}))).await.0,
        400
    );
    assert_eq!(ask(&rig, Method::GET, &format!("{PATH}?x=1"), TOKEN, None).await.0, 400);
    for limit in [0, 201] {
        let (status, problem) =
            ask(&rig, Method::POST, "/api/v1/rules/try", TOKEN, Some(json!({"source": SOURCE, "limit": limit}))).await;
        assert_eq!((status, &problem["parameter"]), (400, &json!("limit")), "{problem:#}");
    }
    let (status, problem) =
        ask(&rig, Method::POST, "/api/v1/rules/try", TOKEN, Some(json!({"source": SOURCE, "q": "last:x"}))).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("q")), "{problem:#}");

    stop.cancel();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_operator_it_is_said_which_setting_names_one() {
    let sample = Sample::of(Vec::new()).await;
    let plain = Rig::start(Arc::clone(&sample.archive)).await;
    let (status, problem) = ask(&plain, Method::GET, "/api/v1/rules", TOKEN, None).await;
    assert_eq!(status, 404);
    assert!(problem["message"].as_str().unwrap().contains("`management`"), "{problem:#}");
    plain.stop().await;
    // Nobody listens there.
    let url = format!("http://127.0.0.1:{}", vedette_e2e::ports::free());
    let (away, _sample) = rig(&url, AuthConfig::default(), Vec::new()).await;
    let (status, problem) = ask(&away, Method::GET, "/api/v1/rules", TOKEN, None).await;
    assert_eq!(status, 503);
    assert!(problem["message"].as_str().unwrap().contains("rule management is unavailable"), "{problem:#}");
    away.stop().await;
}

/// Before the operator has let the caller through nothing is done for them, and then nothing that a text merely seems to be small for.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_unfolds_to_too_much_is_refused_at_its_place() {
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let (rig, _sample) = rig(&url, AuthConfig::default(), Vec::new()).await;
    let bomb = format!("a: &a [{}]\nb: [{}]\n", "l,".repeat(2_000), "*a,".repeat(2_000));
    let put = async || ask(&rig, Method::PUT, PATH, TOKEN, Some(json!({"source": bomb}))).await;

    stub.refuses(refusal(Code::PermissionDenied, "ACCESS_DENIED", &[]));
    assert_eq!(put().await.0, 403);
    assert_eq!(stub.shown().into_iter().map(|(call, _)| call).collect::<Vec<_>>(), ["get"]);
    stub.refuses(None);
    let (status, problem) = tokio::time::timeout(Duration::from_secs(10), put()).await.expect("it is refused soon");
    assert_eq!((status, &problem["parameter"]), (400, &json!("source")), "{problem:#}");
    let found = &problem["diagnostics"][0];
    assert_eq!((&found["code"], &found["document"], &found["line"]), (&json!("VR0002"), &json!("source"), &json!(2)));
    assert!(found["column"].as_u64().unwrap() > 1, "{problem:#}");
    stop.cancel();
    rig.stop().await;
}

/// Each finding is tied to its place without reading the text once more.
#[tokio::test(flavor = "multi_thread")]
async fn many_findings_of_a_large_rule_are_placed_in_its_text() {
    const ENTRIES: usize = 4_000;
    const FOUND: usize = 500;
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let (rig, _sample) = rig(&url, AuthConfig::default(), Vec::new()).await;
    let entry = |at| proto::Entry {
        name: format!("m{at}"),
        kind: Some(Kind::Macro("Verb exists and Verb != \"get\"".to_owned())),
        ..proto::Entry::default()
    };
    let found = |at| proto::Diagnostic {
        code: "VR0101".to_owned(),
        document: "namespaces/audit/rules/a".to_owned(),
        field: format!("spec.rules[{at}].macro"),
        offset: 5,
        ..proto::Diagnostic::default()
    };
    let status = proto::RuleStatus { diagnostics: (0..FOUND).map(found).collect(), ..proto::RuleStatus::default() };
    let rule =
        proto::Rule { entries: (0..ENTRIES).map(entry).collect(), status: Some(status), ..proto::Rule::default() };
    stub.0.lock().unwrap().rule = Some(rule);
    let answer = tokio::time::timeout(Duration::from_secs(15), ask(&rig, Method::GET, PATH, TOKEN, None));
    let (status, rule) = answer.await.expect("it is shown soon");
    assert_eq!(status, 200);
    let source: Vec<&str> = rule["source"].as_str().unwrap().lines().collect();
    let found = rule["diagnostics"].as_array().unwrap();
    assert_eq!(found.len(), FOUND);
    for found in found {
        let number = |name: &str| usize::try_from(found[name].as_u64().unwrap()).unwrap() - 1;
        assert!(source[number("line")][number("column")..].starts_with("exists"), "{found:#}");
    }
    stop.cancel();
    rig.stop().await;
}

/// An etag that got lost on the way must not make of a change of one rule a change of any.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_etag_is_a_mistake() {
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let (rig, _sample) = rig(&url, AuthConfig::default(), Vec::new()).await;
    let put = Some(json!({"source": SOURCE, "etag": ""}));
    for (method, path, body) in [(Method::PUT, PATH, put), (Method::DELETE, &format!("{PATH}?etag="), None)] {
        let (status, problem) = ask(&rig, method, path, TOKEN, body).await;
        assert_eq!((status, &problem["parameter"]), (400, &json!("etag")), "{problem:#}");
    }
    assert_eq!(stub.shown(), []);
    for (method, path, body) in [
        (Method::PUT, PATH, Some(json!({"source": SOURCE, "etag": null}))),
        (Method::DELETE, &format!("{PATH}?etag=one"), None),
    ] {
        let (status, problem) = ask(&rig, method, path, TOKEN, body).await;
        assert!((200..300).contains(&status), "{problem:#}");
    }
    stop.cancel();
    rig.stop().await;
}

/// One event that is too large does not keep older ones from being tried.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_to_be_tried_is_left_out_and_counted() {
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let event = |at: usize, size: usize| {
        let mut event: Value = serde_json::from_slice(&items()[0]).unwrap();
        let time = json!(format!("{:.6}", Timestamp::now() - i64::try_from(at).unwrap().minutes()));
        event["auditID"] = json!(format!("00000000-0000-0000-0000-00000000000{at}"));
        event["requestReceivedTimestamp"] = time.clone();
        event["stageTimestamp"] = time;
        event["level"] = json!("Request");
        event["requestObject"] = json!({"data": "x".repeat(size)});
        serde_json::to_vec(&event).unwrap()
    };
    let sample = Sample::of(vec![event(1, 1 << 10), event(2, 13 << 19), event(3, 1 << 10), event(4, 1 << 10)]).await;
    let management = Some(OperatorConfig { url, ..OperatorConfig::default() });
    let config = Config { token: Some(TOKEN.into()), management, ..Config::default() };
    vedette_service::tls::install_provider();
    let rig = Rig::start_with(Arc::clone(&sample.archive), config, Client::new()).await;
    let (status, trial) = ask(&rig, Method::POST, "/api/v1/rules/try", TOKEN, Some(json!({"source": SOURCE}))).await;
    assert_eq!(status, 200, "{trial:#}");
    assert_eq!((&trial["events"], &trial["leftOut"]), (&json!(3), &json!(1)), "{trial:#}");
    stop.cancel();
    rig.stop().await;
}

/// A page of another site can have a browser send a form, but nothing that says it is JSON.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_say_it_is_json_is_refused() {
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let (rig, _sample) = rig(&url, AuthConfig::default(), Vec::new()).await;
    let rule = json!({"source": SOURCE}).to_string();
    let search = json!({"name": "a", "q": ""}).to_string();
    for (method, path, body) in [
        (Method::PUT, PATH, &rule),
        (Method::POST, "/api/v1/rules/check", &rule),
        (Method::POST, "/api/v1/searches", &search),
    ] {
        for (kind, expected) in [
            (None, false),
            (Some("text/plain"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("text/plain; application/json"), false),
            (Some("Application/JSON; charset=utf-8"), true),
        ] {
            let request = rig.client.request(method.clone(), rig.url(path)).bearer_auth(TOKEN).body(body.clone());
            let request = kind.into_iter().fold(request, |request, kind| request.header("content-type", kind));
            let status = request.send().await.unwrap().status();
            assert_eq!(status.is_success(), expected, "{path} {kind:?}: {status}");
            assert!(expected || status == 415, "{path} {kind:?}: {status}");
        }
    }
    stop.cancel();
    rig.stop().await;
}
