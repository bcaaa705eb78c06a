//! `GET /api/v1/status`, with a real broker.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use vedette_archive::Mode;
use vedette_proto::bus::v1::{
    AlertCounts, AlertEntry, ArchiveCounts, ArchiveEntry, Blind, BookEntry, Books, DeadLetter, EventBatch,
    IngestCounts, book_entry::Applied,
};

use super::rig::Rig;

fn counts() -> IngestCounts {
    let dropped = BTreeMap::from([("level_none".to_owned(), 2)]);
    IngestCounts { received: 12, published: 10, dropped, ..IngestCounts::default() }
}

fn archived() -> Applied {
    let counts_ = ArchiveCounts { evaluated: 10, archived: 7, ignored: 3, ..ArchiveCounts::default() };
    let blind = Blind {
        rule: "alerting-rule.CreateHostnetworkPod".to_owned(),
        field: "RequestObject.spec.hostNetwork".to_owned(),
        level: "Metadata".to_owned(),
        events: 4,
    };
    Applied::Archive(ArchiveEntry {
        ingest: Some(counts()),
        counts: Some(counts_),
        stored: 7,
        blind: vec![blind],
        ..ArchiveEntry::default()
    })
}

fn alerted() -> Applied {
    let counts = AlertCounts { evaluated: 10, alerted: 1, alerts: 1, ..AlertCounts::default() };
    Applied::Alert(AlertEntry { counts: Some(counts), sent: 1, ..AlertEntry::default() })
}

async fn write(rig: &Rig, service: &str, batch: &str, applied: Applied) {
    let entries = vec![BookEntry { batch: batch.to_owned(), applied: Some(applied) }];
    rig.bus.write_books(&Books { service: service.to_owned(), cluster: "prod".to_owned(), entries }).await.unwrap();
}

/// The status, once it satisfies this.
async fn until(rig: &Rig, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let status = rig.json("/api/v1/status").await;
            if holds(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_whether_the_books_balance_and_what_is_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let config = vedette_archive::Config::embedded(folder.path());
    let rig = Rig::start(vedette_archive::open(&config, Mode::Write).await.unwrap()).await;

    let empty = until(&rig, "the console is known", |status| status["services"] != json!([])).await;
    assert_eq!(empty["books"]["balanced"], true);
    assert_eq!(empty["books"]["settled"], true);
    assert_eq!(empty["broker"]["connected"], true);
    assert_eq!(empty["services"][0]["name"], "vedette-console");
    assert_eq!(empty["archive"]["events"], 0);

    write(&rig, "archiver", "b1", archived()).await;
    let half = until(&rig, "the archiver's entry", |status| status["books"]["total"]["archive"]["batches"] == 1).await;
    assert_eq!(half["books"]["balanced"], false, "the alerter's side is missing, and nothing is on its way");
    let open: Vec<&Value> =
        half["books"]["equations"].as_array().unwrap().iter().filter(|it| it["holds"] == false).collect();
    let name = "evaluated for the archive = evaluated for alerts";
    assert_eq!(open, [&json!({ "name": name, "left": 10, "right": 0, "holds": false })]);

    write(&rig, "alerter", "b1", alerted()).await;
    write(&rig, "alerter", "b1", alerted()).await;
    let whole = until(&rig, "the alerter's entries", |status| status["books"]["repeatedEntries"] == 1).await;
    assert_eq!(whole["books"]["balanced"], true);
    assert_eq!(whole["books"]["settled"], true);
    assert_eq!(whole["books"]["total"], whole["books"]["clusters"]["prod"]);
    assert_eq!(whole["books"]["total"]["ingest"]["received"], 12);
    assert_eq!(whole["books"]["total"]["ingest"]["dropped"], json!({ "level_none": 2 }));
    assert_eq!(whole["books"]["total"]["alert"]["sent"], 1, "an entry that is written again counts once");
    let blind = json!({
        "rule": "alerting-rule.CreateHostnetworkPod",
        "field": "RequestObject.spec.hostNetwork",
        "level": "Metadata",
        "events": 4,
    });
    assert_eq!(whole["blindRules"], json!([blind]));

    let events = vedette_bus::encode(&EventBatch { cluster: "prod".to_owned(), ..EventBatch::default() });
    rig.bus.publish_events("prod", "b2", &counts(), events, Duration::from_secs(5)).await.unwrap();
    write(&rig, "archiver", "b3", archived()).await;
    let waiting = until(&rig, "the event message", |status| status["books"]["inFlight"]["alertEvents"] == 1).await;
    let waiting = match waiting["books"]["total"]["archive"]["batches"] == 2 {
        true => waiting,
        false => until(&rig, "the entry", |status| status["books"]["total"]["archive"]["batches"] == 2).await,
    };
    assert_eq!(waiting["books"]["balanced"], true, "what is missing is on its way");
    assert_eq!(waiting["books"]["settled"], false);
    assert_eq!(
        waiting["books"]["inFlight"],
        json!({
            "archiveEvents": 1, "archiveResults": 0, "alertEvents": 1, "alertResults": 0,
        })
    );
    let lag = waiting["broker"]["consumers"].as_array().unwrap();
    assert!(lag.iter().any(|it| it["name"] == "archive" && it["pending"] == 1), "{lag:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_names_services_and_the_reasons_of_dead_letters() {
    let folder = tempfile::tempdir().unwrap();
    let config = vedette_archive::Config::embedded(folder.path());
    let rig = Rig::start(vedette_archive::open(&config, Mode::Write).await.unwrap()).await;
    let metadata = BTreeMap::from([("authentication".to_owned(), "none".to_owned())]);
    let _ingest = rig.bus.announce("vedette-ingest", "0.1.0", metadata).await.unwrap();
    for id in ["1", "2"] {
        let letter = DeadLetter {
            service: "ingest".to_owned(),
            cluster: "prod".to_owned(),
            reason: "too_deep".to_owned(),
            ..DeadLetter::default()
        };
        rig.bus.dead_letter(&letter, id).await.unwrap();
    }
    let status = until(&rig, "both services", |status| status["services"].as_array().map(Vec::len) == Some(2)).await;
    assert_eq!(status["services"][1]["name"], "vedette-ingest");
    assert_eq!(status["services"][1]["metadata"], json!({ "authentication": "none" }));
    assert_eq!(status["deadLetters"]["messages"], 2);
    let reason = json!({ "service": "ingest", "reason": "too_deep", "messages": 2 });
    assert_eq!(status["deadLetters"]["reasons"], json!([reason]));
    let (_, text) = rig.get("/api/v1/status").await;
    assert!(!text.contains("a-token-for-tests-alone"));
}
