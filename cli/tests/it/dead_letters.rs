//! Dead letters from their making by the services to their end, and the books meanwhile.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use vedette_bus::{Bus, encode};
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{
    Alert, AlertOrigin, DeadLetter, Event, EventBatch, EventOrigin, IngestCounts, MatchOrigin,
};

use super::kit::{Home, Up, errors, json, rows, text};

fn event(number: u8) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": format!("id-{number}"),
        "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/payments/pods", "verb": "create",
        "user": {"username": "alice"}, "sourceIPs": ["10.0.0.8"], "Cluster": "default",
        "objectRef": {"resource": "pods", "namespace": "payments", "name": format!("web-{number}"), "apiVersion": "v1"},
        "responseStatus": {"code": 201},
        "requestReceivedTimestamp": "2026-11-22T10:00:00.000000Z", "stageTimestamp": "2026-11-22T10:00:00.250000Z",
    })
}

fn letter(service: &str, payload: &Value, origin: Origin) -> DeadLetter {
    DeadLetter {
        service: service.to_owned(),
        cluster: "default".to_owned(),
        reason: "refused".to_owned(),
        detail: "it did not do then".to_owned(),
        unix_nanos: 1_700_000_000_000_000_000,
        batch: "earlier".to_owned(),
        payload: payload.to_string().into(),
        origin: Some(origin),
    }
}

/// What no service will do with now, and what each will since its cause is gone.
async fn bury(url: String) {
    let bus = Bus::connect("test", &vedette_bus::Config { url, ..vedette_bus::Config::default() }).await.unwrap();
    let events = vec![Event { id: vec![1; 16].into(), json: "{\"verb\":".into() }];
    let batch = EventBatch {
        cluster: "default".to_owned(),
        received_unix_nanos: 1_700_000_000_000_000_000,
        generation: 1,
        events,
    };
    let counts = IngestCounts { received: 1, published: 1, ..IngestCounts::default() };
    bus.publish_events("default", "poison", &counts, encode(&batch), Duration::from_secs(10)).await.unwrap();

    let received_unix_nanos = 1_700_000_000_000_000_000;
    let rules = vec!["archiving-rule.archiving".to_owned()];
    let again =
        Origin::Event(EventOrigin { id: vec![2; 16].into(), received_unix_nanos, generation: 1, alert_only: false });
    bus.dead_letter(&letter("evaluator", &event(2), again), "d2").await.unwrap();
    let again = Origin::Match(MatchOrigin { id: vec![3; 16].into(), received_unix_nanos, generation: 1, rules });
    bus.dead_letter(&letter("archiver", &event(3), again), "d3").await.unwrap();
    let alert = Some(Alert { event_id: vec![4; 16].into(), rule: "Exec".to_owned(), ..Alert::default() });
    let again = Origin::Alert(Box::new(AlertOrigin { received_unix_nanos, generation: 1, alert }));
    bus.dead_letter(&letter("alerter", &json!({"labels": {}}), again), "d4").await.unwrap();
}

/// The letters that are there, as `service reason requeueable`, newest first but for those of the same time.
fn listed(up: &Up) -> Vec<String> {
    let answer = up.ask(&["dead-letters", "list", "-o", "json"]);
    let letters = text(&answer);
    let mut letters: Vec<String> = letters
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|it| format!("{} {} {}", it["service"], it["reason"], it["requeueable"]).replace('"', ""))
        .collect();
    letters.sort();
    letters
}

#[test]
fn dead_letters_are_requeued_and_discarded_and_the_books_balance() {
    let home = Home::new();
    let up = home.start(&["--no-sample", "--retention-days", "0"]);
    assert_eq!(rows(&up.ask(&["dead-letters", "list"])), ["0 dead letters"]);
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event(1), {"verb": 7}]});
    let file = home.path("list.json");
    fs::write(&file, list.to_string()).unwrap();
    assert!(up.replay(&file, &[]).status.success());
    let ports = fs::read_to_string(home.data().join("nats").join("ports")).unwrap();
    let url = format!("nats://127.0.0.1:{}", ports.split_whitespace().next().unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(bury(url));
    let before = up.settled("the letters", |status| {
        status["books"]["total"]["ingest"]["received"] == 3 && status["deadLetters"]["messages"] == 5
    });
    assert_eq!(before["books"]["total"]["archive"]["stored"], 1);
    let all = [
        "alerter refused true",
        "archiver refused true",
        "evaluator refused true",
        "evaluator unreadable true",
        "ingest not_event false",
    ];
    let reason = before["deadLetters"]["reasons"].as_array().unwrap().iter().find(|it| it["service"] == "ingest");
    let all = all.map(|line| line.replace("not_event", reason.unwrap()["reason"].as_str().unwrap()));
    assert_eq!(listed(&up), all);

    let shown = rows(&up.ask(&["dead-letters", "list", "--service", "archiver"]));
    assert_eq!(shown[0], "SEQUENCE TIME (UTC) SERVICE CLUSTER REASON SIZE REQUEUEABLE DETAIL");
    assert!(
        shown[1].contains(" 2023-11-14 22:13:20 archiver default refused ") && shown[1].ends_with("it did not do then")
    );
    assert_eq!(shown[2], "1 dead letter");
    let sequence = |service: &str| {
        let answer = up.ask(&["dead-letters", "list", "--service", service, "-o", "json", "--limit", "1"]);
        serde_json::from_str::<Value>(text(&answer).trim()).unwrap()["sequence"].to_string()
    };
    let ingest = sequence("ingest");
    let whole = up.ask(&["dead-letters", "show", &ingest]);
    assert!(text(&whole).contains("requeueable  no: ingest could not read it"), "{}", text(&whole));
    assert!(text(&whole).ends_with("\n\n{\"verb\":7}\n"), "{}", text(&whole));
    assert_eq!(json(&up.ask(&["dead-letters", "show", &ingest, "-o", "json"]))["payload"], "{\"verb\":7}");

    // What can't be is said, with what is to be done first.
    for (arguments, code, expected) in [
        (&["requeue", ingest.as_str()][..], 1, "can't be requeued: ingest could not read it"),
        (&["requeue", "999"], 1, "there is no dead letter of this sequence"),
        (&["show", "999"], 1, "there is no dead letter of this sequence"),
        (&["requeue", "--all"], 2, "5 dead letters, of which 4 can be requeued"),
        (&["discard", "--all", "--service", "ingest"], 2, "nothing is done without --yes: 1 dead letter"),
        (&["discard"], 2, "<SEQUENCE>..."),
        (&["discard", "1", "--service", "ingest"], 2, "cannot be used with"),
        (&["list", "--service", "console"], 2, "bad `service`"),
    ] {
        let answer = up.ask(&[&["dead-letters"], arguments].concat());
        assert_eq!(answer.status.code(), Some(code), "{arguments:?}: {}", errors(&answer));
        assert!(errors(&answer).contains(expected), "{arguments:?}: {}", errors(&answer));
    }
    assert_eq!(listed(&up), all);

    let requeued = up.ask(&["dead-letters", "requeue", "--all", "--yes"]);
    assert_eq!(rows(&requeued), ["4 dead letters requeued, 1 can't be"]);
    let after = up.settled("what was requeued", |status| {
        let total = &status["books"]["total"];
        total["ingest"]["requeued"] == 2 && total["archive"]["requeued"] == 1 && total["alert"]["requeued"] == 1
    });
    assert_eq!(after["books"]["balanced"], true, "{after:#}");
    let total = &after["books"]["total"];
    assert_eq!((&total["archive"]["stored"], &total["archive"]["deadLettered"]), (&json!(3), &json!(2)));
    assert_eq!((&total["alert"]["alerts"], &total["alert"]["unrouted"]), (&json!(0), &json!(1)));
    let status = text(&up.ask(&["status"]));
    assert!(status.contains("received 3 + requeued 3 = stored 3 + ignored 0 · dead 3"), "{status}");
    assert_eq!(json(&up.ask(&["query", "name:web-2,web-3", "--stats", "-o", "json"]))["events"], 2);
    // What nobody put right is a letter again.
    assert_eq!(listed(&up), [&all[3], &all[4]].map(String::as_str));

    assert_eq!(rows(&up.ask(&["dead-letters", "discard", &ingest])), ["1 dead letter discarded"]);
    let discarded = up.ask(&["dead-letters", "discard", "--all", "--service", "evaluator", "--yes"]);
    assert_eq!(rows(&discarded), ["1 dead letter discarded"]);
    assert_eq!(rows(&up.ask(&["dead-letters", "list"])), ["0 dead letters"]);
    up.settled("no dead letters", |status| status["deadLetters"]["messages"] == 0);
    assert!(up.stop().success());
}
