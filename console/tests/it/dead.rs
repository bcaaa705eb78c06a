//! Dead letters over HTTP, with a real broker.

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use vedette_archive::Mode;
use vedette_bus::Kind;
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{DeadLetter, EventOrigin};

use super::rig::{Rig, TOKEN};

const LETTERS: &str = "/api/v1/dead-letters";

async fn rig(folder: &std::path::Path) -> Rig {
    let config = vedette_archive::Config::embedded(folder);
    Rig::start(vedette_archive::open(&config, Mode::Write).await.unwrap()).await
}

async fn bury(rig: &Rig, id: &str, service: &str, cluster: &str, payload: &[u8], origin: Option<Origin>) {
    let letter = DeadLetter {
        service: service.to_owned(),
        cluster: cluster.to_owned(),
        reason: if service == "ingest" { "not_utf8" } else { "unreadable" }.to_owned(),
        detail: "it does not do".to_owned(),
        unix_nanos: 1_700_000_000_123_456_789,
        batch: "b1".to_owned(),
        payload: payload.to_vec().into(),
        origin,
    };
    rig.bus.dead_letter(&letter, id).await.unwrap();
}

async fn ask(rig: &Rig, method: Method, path: &str) -> (u16, Value) {
    let answer = rig.client.request(method, rig.url(path)).bearer_auth(TOKEN).send().await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_listed_shown_requeued_and_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path()).await;
    assert_eq!(rig.json(LETTERS).await, json!({ "items": [] }));
    let origin =
        Origin::Event(EventOrigin { id: vec![7; 16].into(), received_unix_nanos: 5, generation: 1, alert_only: true });
    bury(&rig, "1", "ingest", "east", b"a\xffb", None).await;
    bury(&rig, "2", "evaluator", "east", "{\"verb\":\"g\u{fc}\"}".as_bytes(), Some(origin)).await;
    bury(&rig, "3", "ingest", "west", "x".repeat((1 << 20) + 5).as_bytes(), None).await;

    let newest = rig.json(&format!("{LETTERS}?limit=2")).await;
    assert_eq!(newest["items"].as_array().map(Vec::len), Some(2));
    let next = newest["next"].as_str().unwrap();
    let oldest = rig.json(&format!("{LETTERS}?limit=2&cursor={next}")).await;
    let why = "ingest could not read it as an event: it must be put right where it came from, and sent again";
    let first = json!({
        "sequence": 1, "time": "2023-11-14T22:13:20.123456Z", "service": "ingest", "cluster": "east",
        "reason": "not_utf8", "detail": "it does not do", "batch": "b1", "bytes": 3, "requeueable": false, "why": why,
    });
    assert_eq!(oldest, json!({ "items": [first] }));
    for (query, expected) in [
        ("service=evaluator", vec![2]),
        ("reason=not_utf8", vec![3, 1]),
        ("cluster=east", vec![2, 1]),
        ("cluster=east&service=ingest", vec![1]),
        ("service=alerter", vec![]),
    ] {
        let page = rig.json(&format!("{LETTERS}?{query}")).await;
        let found: Vec<u64> =
            page["items"].as_array().unwrap().iter().map(|it| it["sequence"].as_u64().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
    }
    for query in ["service=console", "reason=A", "cluster=*", "limit=0", "limit=201", "cursor=x", "nonsense=1"] {
        assert_eq!(ask(&rig, Method::GET, &format!("{LETTERS}?{query}")).await.0, 400, "{query}");
    }

    let whole = rig.json(&format!("{LETTERS}/2")).await;
    assert_eq!(
        (&whole["payload"], &whole["base64"], &whole["truncated"]),
        (&json!("{\"verb\":\"g\u{fc}\"}"), &json!(false), &json!(false))
    );
    assert_eq!((&whole["letter"]["requeueable"], &whole["letter"]["why"]), (&json!(true), &Value::Null));
    let binary = rig.json(&format!("{LETTERS}/1")).await;
    assert_eq!((&binary["payload"], &binary["base64"]), (&json!("Yf9i"), &json!(true)));
    let large = rig.json(&format!("{LETTERS}/3")).await;
    assert_eq!((large["payload"].as_str().unwrap().len(), &large["truncated"]), (1 << 20, &json!(true)));

    let (status, problem) = ask(&rig, Method::POST, &format!("{LETTERS}/1/requeue")).await;
    assert_eq!(status, 409);
    assert!(problem["message"].as_str().unwrap().contains(why), "{problem}");
    assert_eq!(ask(&rig, Method::POST, &format!("{LETTERS}/2/requeue")).await, (204, Value::Null));
    let delivery = rig.bus.events(Kind::Archive).next().await.unwrap();
    assert_eq!((delivery.batch.as_str(), delivery.counts.requeued), ("b1+2", 1));
    assert_eq!(ask(&rig, Method::DELETE, &format!("{LETTERS}/1")).await, (204, Value::Null));
    for (method, path) in [
        (Method::GET, "1"),
        (Method::DELETE, "1"),
        (Method::POST, "2/requeue"),
        (Method::GET, "99"),
        (Method::GET, "x"),
    ] {
        assert_eq!(ask(&rig, method, &format!("{LETTERS}/{path}")).await.0, 404, "{path}");
    }
    assert_eq!(rig.json(LETTERS).await["items"].as_array().map(Vec::len), Some(1));
    let (status, _) = rig.get("/api/v1/dead-letters/1/requeue").await;
    assert_eq!(status, 405);
    rig.stop().await;
}
