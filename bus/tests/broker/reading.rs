//! What is read beside the work: books, the alert log, dead letters, services.

use std::collections::BTreeMap;

use futures::StreamExt;
use vedette_bus::{Bus, Followed};
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::{Alert, AlertLog, BookEntry, Books, DeadLetter, LoggedAlert};

use super::{bus, config, plain, publish, started, until, within};

async fn write(bus: &Bus, number: usize) {
    let entry = BookEntry { batch: format!("b{number}"), applied: None };
    let books = Books { service: "archiver".to_owned(), cluster: "default".to_owned(), entries: vec![entry] };
    bus.write_books(&books).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn books_are_read_from_the_oldest_and_then_as_they_are_written_whatever_happens_to_the_broker() {
    let (mut server, bus) = started().await;
    for number in 0..300 {
        write(&bus, number).await;
    }
    let mut books = bus.books();
    let mut expect = 0;
    let mut read = async |upto: usize| {
        while expect < upto {
            let page = within("books", books.next()).await.unwrap();
            assert_eq!(page.entries[0].batch, format!("b{expect}"), "books came out of order, twice or not at all");
            expect += 1;
        }
    };
    read(300).await;
    write(&bus, 300).await;
    read(301).await;
    // The reader's place at the broker is in memory: killed with it, and made anew.
    for (round, first) in [301, 304].into_iter().enumerate() {
        server.kill();
        server = tokio::task::spawn_blocking(move || {
            server.start_again();
            server
        })
        .await
        .unwrap();
        until("the connection", async || bus.connected()).await;
        for number in first..first + 3 {
            write(&bus, number).await;
        }
        read(first + 3).await;
        assert!(round < 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_start_again_are_read_again() {
    let (server, bus) = started().await;
    for number in 0..5 {
        write(&bus, number).await;
    }
    let mut books = bus.books();
    for _ in 0..5 {
        within("books", books.next()).await.unwrap();
    }
    plain(&server).await.delete_stream("VEDETTE_BOOKS").await.unwrap();
    bus.ensure().await.unwrap();
    write(&bus, 7).await;
    let page = within("books", books.next()).await.unwrap();
    assert_eq!(page.entries[0].batch, "b7");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_log_is_read_to_its_end_and_a_repeated_message_is_one() {
    let (server, bus) = started().await;
    let mut log = bus.alert_log();
    let mut next = async || within("the alert log", log.next()).await.unwrap();
    let start = next().await;
    assert_eq!((start.message, start.behind), (None, Some(0)), "an empty log is at its end at once");
    let logged = |rule: &str| {
        let alert = Alert { rule_id: rule.to_owned(), ..Alert::default() };
        let alerts = vec![LoggedAlert { alert: Some(alert), ..LoggedAlert::default() }];
        AlertLog { cluster: "member".to_owned(), alerts }
    };
    for (batches, part, rule, duplicate) in
        [(&["b1", "b2"][..], 0, "a", false), (&["b1", "b2"], 0, "a", true), (&["b1", "b2"], 1, "b", false)]
    {
        assert_eq!(bus.log_alerts(&logged(rule), batches, part).await.unwrap().duplicate, duplicate);
    }
    for rule in ["a", "b"] {
        assert_eq!(next().await.message, Some(logged(rule)));
    }
    let messages = plain(&server).await.get_stream("VEDETTE_ALERTS").await.unwrap().cached_info().state.messages;
    assert_eq!(messages, 2);
    let mut again = bus.alert_log();
    let mut left = Vec::new();
    for _ in 0..3 {
        left.push(within("the alert log", again.next()).await.unwrap().behind);
    }
    assert_eq!(left, [2, 1, 0].map(Some));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_reading_a_log_broke_off_is_told_at_once_and_then_how_far_it_is() {
    let (mut server, bus) = started().await;
    let mut log = bus.alert_log();
    let mut next = async || within("the alert log", log.next()).await.unwrap();
    assert_eq!(next().await.behind, Some(0));
    let entry = AlertLog { cluster: "member".to_owned(), alerts: Vec::new() };
    bus.log_alerts(&entry, &["b1"], 0).await.unwrap();
    assert_eq!(next().await, Followed { message: Some(entry.clone()), behind: Some(0) });
    server.kill();
    assert_eq!(next().await, Followed { message: None, behind: None }, "with nobody there yet who could go on");
    server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    })
    .await
    .unwrap();
    until("the connection", async || bus.connected()).await;
    bus.log_alerts(&entry, &["b2"], 0).await.unwrap();
    let mut steps = Vec::new();
    while steps.last() != Some(&Followed { message: Some(entry.clone()), behind: Some(0) }) {
        steps.push(next().await);
    }
    assert!(steps.iter().filter(|step| step.message.is_some()).count() == 1, "{steps:?}");
    drop(server);
}

fn letter(service: &str, reason: &str) -> DeadLetter {
    DeadLetter {
        service: service.to_owned(),
        cluster: "default".to_owned(),
        reason: reason.to_owned(),
        payload: "{".into(),
        ..DeadLetter::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_counts_what_is_there_and_dead_letters_by_reason() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.partitions = 2;
    let bus = bus(&config).await;
    for number in 0..4 {
        publish(&bus, "default", &format!("b{number}")).await.unwrap();
    }
    for (number, (service, reason)) in
        [("ingest", "not_utf8"), ("ingest", "not_utf8"), ("archiver", "mapping")].into_iter().enumerate()
    {
        bus.dead_letter(&letter(service, reason), &format!("d{number}")).await.unwrap();
    }
    let overview = bus.overview().await.unwrap();
    let names: Vec<&str> = overview.streams.iter().map(|stream| stream.name.as_str()).collect();
    let all = [
        "VEDETTE_EVENTS_0",
        "VEDETTE_EVENTS_1",
        "VEDETTE_RESULTS_ALERT",
        "VEDETTE_RESULTS_ARCHIVE",
        "VEDETTE_BOOKS",
        "VEDETTE_ALERTS",
    ];
    assert_eq!(names, all);
    assert_eq!(overview.streams.iter().map(|stream| stream.messages).sum::<u64>(), 4);
    assert_eq!(overview.consumers.len(), 6);
    assert_eq!(overview.consumers.iter().map(|consumer| consumer.pending).sum::<u64>(), 8, "four for each durable");
    let key = |service: &str, reason: &str| (service.to_owned(), reason.to_owned());
    let reasons = BTreeMap::from([(key("ingest", "not_utf8"), 2), (key("archiver", "mapping"), 1)]);
    assert_eq!((overview.dead.messages, overview.dead.complete), (3, true));
    assert_eq!(overview.dead.reasons, reasons);

    bus.dead_letter(&letter("ingest", "too_deep"), "d9").await.unwrap();
    let dead = bus.overview().await.unwrap().dead;
    assert_eq!(
        (dead.messages, dead.reasons[&key("ingest", "too_deep")], dead.reasons[&key("ingest", "not_utf8")]),
        (4, 1, 2)
    );

    // Letters that were dealt with are letters no more.
    plain(&server).await.get_stream("VEDETTE_DEAD").await.unwrap().purge().await.unwrap();
    let dead = bus.overview().await.unwrap().dead;
    assert_eq!((dead.messages, dead.reasons.len(), dead.complete), (0, 0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_known_while_they_run() {
    let (server, bus) = started().await;
    assert_eq!(bus.services().await.unwrap(), []);
    let metadata = BTreeMap::from([("generation".to_owned(), "1".to_owned())]);
    let evaluator = bus.announce("vedette-evaluator", "0.1.0", metadata.clone()).await.unwrap();
    let second = bus.announce("vedette-evaluator", "0.1.0", metadata).await.unwrap();
    let _ingest = bus.announce("vedette-ingest", "0.1.0", BTreeMap::new()).await.unwrap();
    evaluator.set("generation", "2");
    let services = bus.services().await.unwrap();
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["vedette-evaluator", "vedette-evaluator", "vedette-ingest"]);
    assert_ne!(services[0].id, services[1].id);
    let mut generations: Vec<&str> =
        services[..2].iter().map(|service| service.metadata["generation"].as_str()).collect();
    generations.sort_unstable();
    assert_eq!(generations, ["1", "2"]);
    drop(second);
    until("one to be gone", async || bus.services().await.unwrap().len() == 2).await;
    // As any tool of NATS asks.
    let client = async_nats::connect(server.url()).await.unwrap();
    let answer = client.request("$SRV.PING.vedette-ingest", "".into()).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(answer["type"], "io.nats.micro.v1.ping_response");
    assert_eq!(answer["version"], "0.1.0");
}
