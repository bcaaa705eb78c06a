//! The five questions of `docs/tour.md` through the API: a search engine answers them as the embedded archive does, to the letter.
//! That the answers are right is asserted where they are asked of the whole product (`cli/tests/it/tour.rs`).

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use flate2::read::GzDecoder;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use serde_json::Value;
use vedette_archive::{Archive, Config, Mode, WriteBatch};
use vedette_audit::Level;
use vedette_audit::document::Document;
use vedette_audit::event::Event;
use vedette_e2e::{Engine, SearchNode, tools};
use vedette_service::policy::PolicyConfig;

use super::rig::{Rig, TOKEN};

const DEPLOYER: &str = "system:serviceaccount:ci:deployer";

/// When each request was received, by its audit id, if all ends at `now`; and when the outage was.
fn places(now: Timestamp) -> (HashMap<String, Timestamp>, Timestamp) {
    let table: Value = serde_json::from_slice(&read("incidents-places.json")).unwrap();
    let (mut places, mut outage) = (HashMap::new(), now);
    for incident in table.as_array().unwrap() {
        let end = match incident["before"].as_str() {
            None => now,
            Some(time) => {
                // The day before, so that all of it has passed.
                let time: Time = time.parse().unwrap();
                let day = TimeZone::UTC.to_datetime(now).date().yesterday().unwrap();
                outage = TimeZone::UTC.to_timestamp(day.to_datetime(time)).unwrap();
                outage
            }
        };
        for (request, ago) in incident["agoMs"].as_object().unwrap() {
            places.insert(request.clone(), end - SignedDuration::from_millis(ago.as_i64().unwrap()));
        }
    }
    (places, outage)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(tools::repository("e2e/testdata").join(name)).unwrap()
}

/// The incidents' events, laid in time; and when the outage was.
fn documents(now: Timestamp) -> (Vec<Document>, Timestamp) {
    let (places, outage) = places(now);
    let lists = read("incidents-eventlists.ndjson.gz");
    let (mut documents, mut offsets) = (Vec::new(), HashMap::new());
    for line in BufReader::new(GzDecoder::new(lists.as_slice())).lines() {
        let mut list: Value = serde_json::from_str(&line.unwrap()).unwrap();
        for event in list["items"].as_array_mut().unwrap() {
            let request = event["auditID"].as_str().unwrap().to_owned();
            let time = |event: &Value, name: &str| event[name].as_str().unwrap().parse::<Timestamp>().unwrap();
            let received = time(event, "requestReceivedTimestamp");
            let offset = *offsets.entry(request.clone()).or_insert_with(|| places[&request].duration_since(received));
            for name in ["requestReceivedTimestamp", "stageTimestamp"] {
                event[name] = format!("{:.6}", time(event, name) + offset).into();
            }
            let text = serde_json::to_vec(event).unwrap();
            let event = Event::parse(&text).unwrap();
            let mut json = Vec::new();
            event.rewrite(Level::RequestResponse, "default", &mut json);
            let rules = ["archiving-rule.archiving".to_owned()];
            documents.push(Document::build(event.id("default"), &json, &rules, 1_700_000_000_000_000_000).unwrap());
        }
    }
    assert!(documents.len() > 400, "{}", documents.len());
    (documents, outage)
}

/// A console on an archive of these documents.
async fn console(archive: Arc<dyn Archive>, documents: Vec<Document>) -> Rig {
    let stored = documents.len() as u64;
    let reports = archive.write(&[WriteBatch { key: "incidents".to_owned(), documents }]).await.unwrap();
    assert_eq!(reports[0].stored, stored);
    let policy = PolicyConfig {
        dir: tools::repository("deploy/rules"),
        more: vec![tools::repository("deploy/demo")],
        ..PolicyConfig::default()
    };
    let config = vedette_console::Config { token: Some(TOKEN.into()), policy: Some(policy), ..Default::default() };
    Rig::start_with(archive, config, Client::new()).await
}

async fn check(engine: Engine) {
    vedette_service::tls::install_provider();
    // Search engines tell when a group was seen to the millisecond.
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap();
    let (of_one, outage) = documents(now);
    let (of_other, _) = documents(now);

    let folder = tempfile::tempdir().unwrap();
    let embedded = vedette_archive::open(&Config::embedded(folder.path()), Mode::Write).await.unwrap();
    let embedded = console(embedded, of_one).await;
    let node = tokio::task::spawn_blocking(move || SearchNode::start(engine)).await.unwrap();
    let search = vedette_archive::open(&Config::search(node.url()), Mode::Write).await.unwrap();
    let search = console(search, of_other).await;
    let refreshed = Client::new().post(format!("{}/_refresh", node.url())).send().await.unwrap();
    assert!(refreshed.status().is_success());
    // The rules come a moment after the console.
    for rig in [&embedded, &search] {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while rig.json("/api/v1/coverage?q=verb:get+resource:secrets").await["rules"].is_null() {
            assert!(std::time::Instant::now() < end, "the console has no rules");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    let before = outage - SignedDuration::from_hours(2);
    for (path, least) in [
        ("groups?q=reads:payments/secrets/db last:7d&by=actor,ip&top=20".to_owned(), 9),
        (format!("groups?q=user:{DEPLOYER} last:24h&by=ip,credential&newSince=7d&top=20"), 3),
        (format!("groups?q=user:{DEPLOYER} last:24h&by=ip&newSince=7d"), 2),
        (format!("events?q=user:{DEPLOYER} ip:127.0.0.66 last:24h&sort=asc"), 7),
        (format!("events?q=actor:alice change:yes {before}..{outage}&sort=asc"), 11),
        ("events?q=sub:exec,attach,portforward ns:payments last:7d".to_owned(), 16),
        ("groups?q=code:403 last:1h&by=actor,resource&top=10".to_owned(), 10),
        ("events?q=actor:mallory last:1h !code:403".to_owned(), 3),
        ("histogram?q=code:403 last:1h&interval=1m&by=actor".to_owned(), 1),
        ("histogram?q=last:12h&by=priority".to_owned(), 1),
        ("facets?q=code:403 last:1h&by=actor,ip,resource,code".to_owned(), 4),
    ] {
        let path = format!("/api/v1/{}", path.replace(' ', "%20"));
        let (mut one, mut other) = (embedded.json(&path).await, search.json(&path).await);
        // It is reckoned from the moment of the question.
        for answer in [&mut one, &mut other] {
            for name in ["newSince", "start", "end"] {
                answer.as_object_mut().unwrap().remove(name);
            }
            // Search engines tell the first and the last time of a group to the millisecond.
            for row in answer["rows"].as_array_mut().into_iter().flatten() {
                for name in ["firstSeen", "lastSeen"] {
                    let time: String = row[name].as_str().unwrap().chars().take(23).collect();
                    row[name] = time.into();
                }
            }
        }
        assert_eq!(other, one, "{path}");
        let list = ["rows", "items", "buckets", "facets"].into_iter().find_map(|name| one[name].as_array());
        let list = list.unwrap_or_else(|| panic!("no list in {one}"));
        assert!(list.len() >= least, "{path}: {one}");
        if path.contains("change:yes") {
            for event in list {
                let path = format!("/api/v1/events/{}", event["id"].as_str().unwrap());
                let (one, other) = (embedded.json(&path).await, search.json(&path).await);
                assert_eq!(other, one, "{path}");
            }
        }
    }
    embedded.stop().await;
    search.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn search_engines_answer_as_the_embedded_archive_elasticsearch() {
    check(Engine::Es9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn search_engines_answer_as_the_embedded_archive_elasticsearch_7() {
    check(Engine::Es7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn search_engines_answer_as_the_embedded_archive_opensearch() {
    check(Engine::OpenSearch).await;
}
