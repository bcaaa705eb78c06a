//! `/api/v1` on real events.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::rig::{Rig, Sample, TOKEN};

fn verb(event: &Value) -> &str {
    event["verb"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_events_go_on_to_the_end() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let mut path = "/api/v1/events?limit=100&sort=asc".to_owned();
    let (mut seen, mut times) = (Vec::new(), Vec::new());
    loop {
        let page = rig.json(&path).await;
        assert_eq!(page["total"], if seen.is_empty() { json!(sample.events.len()) } else { Value::Null });
        assert_eq!(page["coverage"].is_object(), seen.is_empty());
        for event in page["items"].as_array().unwrap() {
            seen.push(event["id"].as_str().unwrap().to_owned());
            times.push(event["time"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/events?limit=100&sort=asc&cursor={next}");
    }
    assert!(times.is_sorted());
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), sample.events.len());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_find_what_a_plain_count_finds() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let deletes = sample.count(|_, event| verb(event) == "delete");
    assert!(deletes > 0);
    let statistics = rig.json("/api/v1/statistics?q=verb:delete").await;
    assert_eq!(statistics["events"], deletes);
    let facets = rig.json("/api/v1/facets?by=verb,cluster&top=3").await;
    let verbs = facets["facets"][0]["values"].as_array().unwrap();
    assert_eq!(verbs.len(), 3);
    for value in verbs {
        let name = value["value"].as_str().unwrap();
        assert_eq!(value["count"], sample.count(|_, event| verb(event) == name), "{name}");
    }
    let all: u64 = verbs.iter().map(|value| value["count"].as_u64().unwrap()).sum();
    assert_eq!(all + facets["facets"][0]["other"].as_u64().unwrap(), sample.events.len() as u64);

    let groups = rig.json("/api/v1/groups?by=cluster,verb&top=1000").await;
    let rows = groups["rows"].as_array().unwrap();
    assert_eq!(groups["total"], rows.len());
    for row in rows {
        let (cluster, name) = (row["values"][0].as_str().unwrap(), row["values"][1].as_str().unwrap());
        let count = sample.count(|of, event| of == cluster && verb(event) == name);
        assert_eq!(row["count"], count, "{cluster} {name}");
        assert!(row["firstSeen"].as_str().unwrap() <= row["lastSeen"].as_str().unwrap());
    }

    let histogram = rig.json("/api/v1/histogram?interval=1m&by=codeClass").await;
    assert_eq!(histogram["series"], json!(["1xx", "2xx", "3xx", "4xx", "5xx", "…"]));
    let mut total = 0;
    for bucket in histogram["buckets"].as_array().unwrap() {
        let counts: u64 = bucket["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(bucket["count"], counts);
        total += counts;
    }
    assert_eq!(total, sample.events.len() as u64);
    assert_eq!(histogram["total"], total);
    let asked = rig.json("/api/v1/histogram?interval=1h&q=2026-11-22T10:00Z..2026-11-22").await;
    assert_eq!(asked["start"], "2026-11-22T10:00:00.000000Z");
    assert_eq!(asked["end"], "2026-11-22T23:59:59.999999Z");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_comes_with_everything() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let page = rig.json("/api/v1/events?q=verb:patch&limit=1000").await;
    let mut compared = 0;
    for event in page["items"].as_array().unwrap().iter().take(50) {
        let id = event["id"].as_str().unwrap();
        let whole = rig.json(&format!("/api/v1/events/{id}")).await;
        assert_eq!(&whole["event"], event);
        assert_eq!(whole["document"]["Vedette"]["EventID"], id);
        compared += usize::from(whole["change"]["kind"] == "compared");
        for stage in whole["stages"].as_array().unwrap() {
            assert_eq!(stage["auditID"], event["auditID"]);
            assert_ne!(stage["id"], event["id"]);
        }
    }
    assert!(compared > 0, "some patch follows a recorded state");
    for (id, status) in [("00000000000000000000000000000000", 404), ("nonsense", 400)] {
        assert_eq!(rig.get(&format!("/api/v1/events/{id}")).await.0, status, "{id}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_have_every_event() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let (status, lines) = rig.get("/api/v1/export").await;
    assert_eq!(status, StatusCode::OK);
    let documents: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), sample.events.len());
    let (_, csv) = rig.get("/api/v1/export?format=csv&columns=verb,name&sort=asc&limit=7").await;
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!((lines[0], lines.len()), ("verb,name", 8));
    let (_, none) = rig.get("/api/v1/export?q=verb:nonesuch").await;
    assert_eq!(none, "");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let check = async |path: &str, parameter: &str, says: &str| {
        let (status, text) = rig.get(&format!("/api/v1/{path}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {text}");
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["parameter"], parameter, "{text}");
        assert!(problem["message"].as_str().unwrap().contains(says), "{text}");
    };
    check("events?limit=1001", "limit", "0 to 1000").await;
    check("events?limit=x", "limit", "0 to 1000").await;
    check("events?size=5", "size", "`limit`").await;
    check("events?limit=1&limit=2", "limit", "twice").await;
    check("events?cursor=7", "cursor", "cursor").await;
    check("events?sort=up", "sort", "`asc`").await;
    check("events?start=yesterday", "start", "RFC 3339").await;
    check("events?start=20&end=10", "start", "after").await;
    check("events?q=vrb:get", "q", "vrb").await;
    check("histogram?interval=5", "interval", "15m").await;
    check("histogram?by=group", "by", "one value").await;
    check("facets?by=color", "by", "userAgent").await;
    check("groups", "by", "one field or two").await;
    check("groups?by=a", "by", "`a`").await;
    check("groups?by=verb,verb", "by", "different").await;
    check("groups?by=verb&newSince=7d", "newSince", "start").await;
    check("export?format=xml", "format", "`csv`").await;
    check("export?columns=x", "columns", "requestURI").await;
    check("tail?end=5", "end", "no end").await;
    check("statistics?limit=5", "limit", "`q`").await;
    check("me?x=1", "x", "none").await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_kept() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let send = async |method: reqwest::Method, path: &str, body: Value| {
        let request = rig.client.request(method, rig.url(path)).bearer_auth(TOKEN).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap_or_default())
    };
    assert_eq!(rig.json("/api/v1/searches").await, json!({ "items": [] }));
    let body = json!({ "name": "deletions", "q": "verb:delete" });
    let (status, made) = send(reqwest::Method::POST, "/api/v1/searches", body.clone()).await;
    assert_eq!((status, &made["name"]), (StatusCode::CREATED, &body["name"]));
    let path = format!("/api/v1/searches/{}", made["id"].as_str().unwrap());
    assert_eq!(rig.json(&path).await, made);
    let (status, _) = send(reqwest::Method::PUT, &path, json!({ "name": "d", "q": "verb:delete code:200" })).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(rig.json("/api/v1/searches").await["items"][0]["name"], "d");
    for bad in [json!({ "name": "", "q": "" }), json!({ "name": "x", "q": "vrb:get" }), json!({ "name": "x" })] {
        let (status, problem) = send(reqwest::Method::POST, "/api/v1/searches", bad.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}: {problem}");
    }
    assert_eq!(send(reqwest::Method::DELETE, &path, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(reqwest::Method::DELETE, &path, Value::Null).await.0, StatusCode::NOT_FOUND);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let served = rig.json("/api/v1/openapi.json").await;
    assert_eq!(served, serde_json::from_str::<Value>(&vedette_console::api::description()).unwrap());
    // Every parameter that is described is one that is read.
    let paths = served["paths"].as_object().unwrap().iter();
    // The tail has no end.
    for (path, methods) in paths.filter(|(path, _)| !path.ends_with("/tail")) {
        let parameters = methods["get"]["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let (_, text) = rig.get(&format!("{path}?{name}=%00")).await;
            assert!(!text.contains("is no parameter"), "{path} {name}: {text}");
        }
    }
    rig.stop().await;
}
