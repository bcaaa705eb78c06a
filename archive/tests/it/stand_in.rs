//! A small HTTP server in an engine's place, for what no engine at hand does: plug-ins that are not to be had, API keys, and
//! answers that only an engine in trouble gives. What it answers is what the engines' documentation says.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use vedette_archive::{Archive, Config, Mode, WriteBatch, open};

use crate::corpus;

/// When a request came, and the ids in it.
type Call = (Instant, Vec<String>);

type Answer = Box<dyn FnMut(&Asked) -> (u16, Value) + Send>;

/// A request as it came.
struct Asked {
    method: Method,
    path: String,
    authorization: String,
    /// Decompressed.
    body: String,
}

struct StandIn {
    url: String,
}

impl StandIn {
    async fn start(answer: impl FnMut(&Asked) -> (u16, Value) + Send + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let router = Router::new().fallback(respond).with_state(answer);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url }
    }

    async fn open(&self, change: impl FnOnce(&mut Config)) -> Arc<dyn Archive> {
        let mut config = Config::search(&self.url);
        change(&mut config);
        open(&config, Mode::Write).await.unwrap()
    }
}

async fn respond(
    State(answer): State<Arc<Mutex<Answer>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let mut text = String::new();
    if headers.get("content-encoding").is_some() {
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(body.to_vec()).unwrap();
    }
    let authorization = headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
    let asked = Asked { method, path: uri.path().to_owned(), authorization, body: text };
    let (status, value) = (answer.lock().unwrap())(&asked);
    (StatusCode::from_u16(status).unwrap(), value.to_string())
}

/// What an engine answers that has nothing of what is asked about.
fn plain(asked: &Asked) -> (u16, Value) {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/") => (200, json!({ "version": { "number": "2.11.0", "distribution": "opensearch" } })),
        ("PUT", path) if path.starts_with("/_index_template/") => (200, json!({ "acknowledged": true })),
        ("GET", "/_cluster/health") => (200, json!({ "status": "green" })),
        _ => (404, json!({ "error": "no handler found", "status": 404 })),
    }
}

async fn warnings(answers: &'static [(&'static str, &'static str)]) -> (Vec<String>, String) {
    let stand_in = StandIn::start(move |asked| {
        let known = answers.iter().find(|(path, _)| asked.path.starts_with(path));
        known.map_or_else(|| plain(asked), |(_, answer)| (200, serde_json::from_str(answer).unwrap()))
    });
    let archive = stand_in.await.open(|_| {}).await;
    let warnings = archive.warnings().await;
    let health = archive.health().await;
    assert!(health.ready, "{health:?}");
    (warnings, health.detail)
}

#[tokio::test]
async fn a_policy_of_elasticsearch_that_deletes_is_told() {
    let (found, health) = warnings(&[
        (
            "/ks-whizard-auditing-*/_settings",
            r#"{"ks-whizard-auditing-2026.11.21":{"settings":{"index":{"lifecycle":{"name":"short"}}}},
                "ks-whizard-auditing-2026.11.22":{"settings":{"index":{"lifecycle":{"name":"short"}}}},
                "ks-whizard-auditing-2026.11.23":{"settings":{"index":{"lifecycle":{"name":"warm"}}}}}"#,
        ),
        (
            "/_index_template/_simulate_index/",
            r#"{"template":{"settings":{"index":{"lifecycle":{"name":"rolling"}}},"mappings":{"properties":{"Vedette":{}}}}}"#,
        ),
        (
            "/_ilm/policy/short",
            r#"{"short":{"version":1,"policy":{"phases":{"delete":{"min_age":"3d","actions":{"delete":{}}}}}}}"#,
        ),
        ("/_ilm/policy/warm", r#"{"warm":{"policy":{"phases":{"warm":{"actions":{"forcemerge":{"max_num_segments":1}}}}}}}"#),
        ("/_ilm/policy/rolling", r#"{"rolling":{"policy":{"phases":{"hot":{"actions":{"rollover":{"max_age":"1d"}}}}}}}"#),
    ])
    .await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("the ILM policy `rolling` rolls over new indices of"), "{found:?}");
    assert!(found[1].starts_with("the ILM policy `short` deletes 2 of the indices of"), "{found:?}");
    assert!(health.contains("`short` deletes"), "{health}");
}

#[tokio::test]
async fn a_policy_of_opensearch_that_deletes_is_told() {
    let (found, _) = warnings(&[
        (
            "/_plugins/_ism/explain/ks-whizard-auditing-*",
            r#"{"ks-whizard-auditing-2026.11.22":{"index.plugins.index_state_management.policy_id":"ks-auditing","enabled":true},
                "ks-whizard-auditing-2026.11.23":{"index.plugins.index_state_management.policy_id":null},
                "total_managed_indices":1}"#,
        ),
        (
            "/_plugins/_ism/policies/ks-auditing",
            r#"{"policy":{"states":[{"name":"hot","actions":[]},{"name":"gone","actions":[{"retry":{},"delete":{}}]}]}}"#,
        ),
        ("/_index_template/_simulate_index/", r#"{"template":{"settings":{},"mappings":{"properties":{"Other":{}}}}}"#),
    ])
    .await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("another index template takes the new indices"), "{found:?}");
    assert!(found[1].starts_with("the ISM policy `ks-auditing` deletes 1 of the indices"), "{found:?}");
    assert_eq!(warnings(&[]).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn an_api_key_goes_with_every_request() {
    let stand_in = StandIn::start(|asked| {
        if asked.authorization == "ApiKey a2V5OnNlY3JldA==" {
            plain(asked)
        } else {
            (401, json!({ "error": "who are you" }))
        }
    });
    let stand_in = stand_in.await;
    let key = |key: &'static str| move |config: &mut Config| config.search.api_key = Some(key.into());
    assert!(stand_in.open(key("a2V5OnNlY3JldA==")).await.health().await.ready);
    let health = stand_in.open(key("another")).await.health().await;
    assert!(!health.ready && health.detail.contains("does not let us in (401)"), "{health:?}");
}

/// Of a request with good, busy and bad documents only the busy ones are sent again, after a while.
#[tokio::test]
async fn only_what_failed_for_the_moment_is_sent_again() {
    let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
    let seen = Arc::clone(&calls);
    let stand_in = StandIn::start(move |asked| {
        if asked.path != "/_bulk" {
            return plain(asked);
        }
        let actions = asked.body.lines().step_by(2).map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ids: Vec<String> = actions.map(|action| action["create"]["_id"].as_str().unwrap().to_owned()).collect();
        let mut seen = seen.lock().unwrap();
        let round = seen.len();
        let first = seen.first().map_or_else(|| ids.clone(), |(_, first)| first.clone());
        let error = |kind: &str| json!({ "type": kind, "reason": format!("{kind} it is") });
        let answer = |id: &String| match (round, first.iter().position(|first| first == id)) {
            (0, Some(1)) => json!({ "create": { "status": 429, "error": error("es_rejected_execution_exception") } }),
            (0 | 1, Some(2)) => json!({ "create": { "status": 503, "error": error("unavailable_shards_exception") } }),
            // As it is, and wrapped.
            (_, Some(3)) => json!({ "create": { "status": 400, "error": error("strict_dynamic_mapping_exception") } }),
            _ => json!({ "create": { "status": 201 } }),
        };
        let items: Vec<Value> = ids.iter().map(answer).collect();
        seen.push((Instant::now(), ids));
        (200, json!({ "errors": true, "items": items }))
    });
    let archive = stand_in.await.open(|config| config.search.bulk_in_flight = 1).await;
    let mut batch = corpus::batches("partly").remove(0);
    batch.documents.truncate(4);
    let ids: Vec<String> = batch.documents.iter().map(|document| document.id.to_string()).collect();
    let reports = archive.write(&[batch]).await.unwrap();
    let calls = calls.lock().unwrap();
    let sent: Vec<BTreeSet<&String>> = calls.iter().map(|(_, sent)| sent.iter().collect()).collect();
    assert_eq!(sent[0], ids.iter().collect());
    assert_eq!(sent[1], ids[1..].iter().collect(), "all but the one that was taken");
    assert_eq!(sent[2..], [BTreeSet::from([&ids[2]])]);
    assert!(calls[1].0 - calls[0].0 >= Duration::from_millis(90), "not at once");
    assert_eq!((reports[0].stored, reports[0].duplicate), (3, 0));
    let rejected = &reports[0].rejected;
    assert_eq!((rejected.len(), rejected[0].index), (1, 3), "{rejected:?}");
    assert_eq!(rejected[0].reason, "strict_dynamic_mapping_exception: strict_dynamic_mapping_exception it is");
}

/// The template is looked for before the first write to an index, after a write that failed, and with the policies; and put
/// where it has gone.
#[tokio::test]
async fn a_template_that_goes_missing_is_put_again() {
    // Whether it is there, how often it was asked for and put, and whether the engine takes documents.
    let state = Arc::new(Mutex::new((false, 0, 0, true)));
    let engine = Arc::clone(&state);
    let stand_in = StandIn::start(move |asked| {
        let (there, gets, puts, works) = &mut *engine.lock().unwrap();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/_index_template/vedette-ks-whizard-auditing") => {
                *gets += 1;
                let found = json!({ "index_templates": [{ "index_template": { "version": 1_000 } }] });
                if *there { (200, found) } else { plain(asked) }
            }
            ("PUT", path) if path.starts_with("/_index_template/") => {
                (*there, *puts) = (true, *puts + 1);
                plain(asked)
            }
            ("POST", "/_bulk") if !*works => (503, json!({ "error": "not now" })),
            ("POST", "/_bulk") => {
                let items = asked.body.lines().step_by(2).map(|_| json!({ "create": { "status": 201 } }));
                (200, json!({ "items": items.collect::<Vec<_>>() }))
            }
            _ => plain(asked),
        }
    });
    let archive = stand_in.await.open(|_| {}).await;
    let counts = || {
        let (_, gets, puts, _) = *state.lock().unwrap();
        (gets, puts)
    };
    assert_eq!(counts(), (2, 1), "put at the start, and there when the policies were looked for");
    let batch = |day: u32| WriteBatch {
        key: day.to_string(),
        documents: vec![corpus::document(&format!(
            r#"{{"verb":"get","requestReceivedTimestamp":"2026-11-{day:02}T00:00:00Z"}}"#
        ))],
    };
    for _ in 0..3 {
        archive.write(&[batch(1)]).await.unwrap();
    }
    assert_eq!(counts(), (3, 1), "once for the index");
    state.lock().unwrap().0 = false;
    archive.write(&[batch(1), batch(2)]).await.unwrap();
    assert_eq!(counts(), (5, 2), "another day");
    *state.lock().unwrap() = (false, 0, 0, false);
    archive.write(&[batch(2)]).await.unwrap_err();
    assert_eq!(counts(), (0, 0));
    state.lock().unwrap().3 = true;
    archive.write(&[batch(2)]).await.unwrap();
    assert_eq!(counts(), (2, 1), "begun anew, for all we know");
}
