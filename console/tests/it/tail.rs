//! The tail: events as they pass the broker.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use vedette_audit::Level;
use vedette_audit::event::Event;
use vedette_proto::bus::v1::{ArchiveCounts, ArchiveMatch, ArchiveResult};

use super::rig::{Rig, Sample, TOKEN};

/// A result with one event of this verb, as an evaluator publishes it.
fn result(number: usize, verb: &str) -> ArchiveResult {
    let json = json!({
        "level": "Metadata", "auditID": format!("id-{number}"), "stage": "ResponseComplete", "verb": verb,
        "requestURI": "/", "user": { "username": "alice" }, "requestReceivedTimestamp": "2026-11-22T00:00:00.000000Z",
    })
    .to_string();
    let event = Event::parse(json.as_bytes()).unwrap();
    let mut rewritten = Vec::new();
    event.rewrite(Level::Metadata, "default", &mut rewritten);
    let id = event.id("default").as_bytes().to_vec().into();
    ArchiveResult {
        batch: format!("batch-{number}"),
        cluster: "default".to_owned(),
        counts: Some(ArchiveCounts { evaluated: 1, archived: 1, ..ArchiveCounts::default() }),
        matches: vec![ArchiveMatch { id, json: rewritten.into(), rules: vec!["a.b".to_owned()] }],
        ..ArchiveResult::default()
    }
}

/// The next event of the stream, with its name.
async fn next(answer: &mut Response, held: &mut String) -> (String, Value) {
    loop {
        if let Some((event, rest)) = held.split_once("\n\n") {
            let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let found = line("event:").map(|name| (name.to_owned(), line("data:").unwrap_or_default().to_owned()));
            *held = rest.to_owned();
            match found {
                Some((name, data)) => return (name, serde_json::from_str(&data).unwrap()),
                None => continue,
            }
        }
        let chunk =
            tokio::time::timeout(Duration::from_secs(30), answer.chunk()).await.expect("something comes in time");
        held.push_str(std::str::from_utf8(&chunk.unwrap().expect("it goes on")).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_seen_as_they_come_and_only_those_asked_for() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let tail = |query: &str| rig.client.get(rig.url(&format!("/api/v1/tail?q={query}"))).bearer_auth(TOKEN).send();
    let (mut all, mut deletes) = (tail("").await.unwrap(), tail("verb:delete").await.unwrap());
    assert_eq!(all.headers()["content-type"], "text/event-stream");
    // That it has begun is told while nothing happens, not by the first of the signs of life.
    let begun = tokio::time::timeout(Duration::from_secs(10), all.chunk()).await.expect("it begins at once");
    assert_eq!(begun.unwrap().unwrap(), ": watching\n\n");
    let (mut held, mut held_deletes) = (String::new(), String::new());
    // Until the subscription is there nothing is seen: results pass by until the first is.
    let publishing = async {
        for number in 0.. {
            let verb = if number % 2 == 0 { "delete" } else { "create" };
            rig.bus.publish_archive_result(&result(number, verb)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let watching = async {
        let mut verbs = Vec::new();
        while !(verbs.contains(&"create".to_owned()) && verbs.contains(&"delete".to_owned())) {
            let (name, event) = next(&mut all, &mut held).await;
            assert_eq!(name, "event", "{event}");
            assert_eq!((&event["actor"], &event["rules"]), (&json!("alice"), &json!(["a.b"])));
            verbs.push(event["verb"].as_str().unwrap().to_owned());
        }
        for _ in 0..3 {
            let (_, event) = next(&mut deletes, &mut held_deletes).await;
            assert_eq!(event["verb"], "delete");
        }
    };
    tokio::select! {
        () = publishing => unreachable!(),
        () = watching => {}
    }
    // The end of the console is told, rather than the connection cut.
    let stopping = rig.stop();
    let ending = async {
        loop {
            let (name, data) = next(&mut all, &mut held).await;
            if name == "end" {
                return data;
            }
        }
    };
    let (_, data) = tokio::join!(stopping, ending);
    assert_eq!(data["reason"], "the console stops");
}
