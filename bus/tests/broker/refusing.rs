//! What is refused: a second message of an id, whatever is full, away or too large.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use vedette_bus::{Kind, PublishError, Unavailable, encode};
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::{ArchiveMatch, ArchiveResult, DeadLetter};

use super::{bus, config, counts, next, noise, publish, publish_bytes, started, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_message_of_an_id_is_no_message() {
    let (_server, bus) = started().await;
    assert!(!publish(&bus, "default", "once").await.unwrap().duplicate);
    assert!(publish(&bus, "default", "once").await.unwrap().duplicate);
    assert_eq!(bus.overview().await.unwrap().streams[0].messages, 1);
    let result = ArchiveResult { batch: "once".to_owned(), cluster: "default".to_owned(), ..ArchiveResult::default() };
    assert!(!bus.publish_archive_result(&result).await.unwrap().duplicate);
    let second = ArchiveResult { generation: 2, ..result };
    assert!(bus.publish_archive_result(&second).await.unwrap().duplicate);
    let delivery = next(&mut bus.archive_results()).await;
    assert_eq!(delivery.message.unwrap().generation, 0, "the first generation wins");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_refuses_until_there_is_room() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.limits.events_bytes = 1 << 20;
    let bus = bus(&config).await;
    let mut stored = 0;
    let error = loop {
        match publish_bytes(&bus, "default", &format!("n{stored}"), noise(100_000)).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100, "nothing was refused");
    };
    assert!(matches!(error, PublishError::Full { cluster_only: false, .. }), "{error:?}");
    assert!(error.retry_after().is_some());
    // What is there already is still a duplicate, not a refusal.
    assert!(publish_bytes(&bus, "default", "n0", noise(100_000)).await.unwrap().duplicate);
    for kind in [Kind::Alert, Kind::Archive] {
        next(&mut bus.events(kind)).await.ack().await.unwrap();
    }
    assert!(!publish_bytes(&bus, "default", "after", noise(100_000)).await.unwrap().duplicate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_fills_the_share_of_its_own_cluster_alone() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.limits.cluster_messages = 3;
    let bus = bus(&config).await;
    for number in 0..3 {
        publish(&bus, "flooder", &format!("f{number}")).await.unwrap();
    }
    let error = publish(&bus, "flooder", "f3").await.unwrap_err();
    assert!(matches!(error, PublishError::Full { cluster_only: true, .. }), "{error:?}");
    publish(&bus, "quiet", "q0").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn full_results_and_dead_letters_refuse_too() {
    let server = NatsServer::start();
    let mut config = config(&server);
    (config.limits.results_bytes, config.limits.dead_bytes) = (1 << 20, 1 << 20);
    let bus = bus(&config).await;
    let matched = ArchiveMatch { json: noise(900_000).into(), ..ArchiveMatch::default() };
    let mut result =
        ArchiveResult { cluster: "default".to_owned(), matches: vec![matched], ..ArchiveResult::default() };
    result.batch = "a".to_owned();
    bus.publish_archive_result(&result).await.unwrap();
    result.batch = "b".to_owned();
    let error = bus.publish_archive_result(&result).await.unwrap_err();
    assert!(matches!(error, PublishError::Full { cluster_only: false, .. }), "{error:?}");
    let letter = DeadLetter {
        service: "ingest".to_owned(),
        cluster: "default".to_owned(),
        reason: "not_utf8".to_owned(),
        payload: noise(900_000).into(),
        ..DeadLetter::default()
    };
    assert!(!bus.dead_letter(&letter, "a").await.unwrap().duplicate);
    assert!(bus.dead_letter(&letter, "a").await.unwrap().duplicate);
    let error = bus.dead_letter(&letter, "b").await.unwrap_err();
    assert!(matches!(error, PublishError::Full { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_cannot_take_or_name_is_refused_for_good() {
    let (_server, bus) = started().await;
    let error = publish_bytes(&bus, "default", "large", noise(9 * 1024 * 1024 + 1)).await.unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { .. }), "{error:?}");
    assert!(error.retry_after().is_none());
    // Close to the limit it is the header that is too much.
    let error = publish_bytes(&bus, "default", "large", noise(9 * 1024 * 1024 - 100)).await.unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { .. }), "{error:?}");
    publish_bytes(&bus, "default", "fits", noise(8 * 1024 * 1024)).await.unwrap();
    for cluster in ["a.b", "", "*", "A"] {
        assert!(matches!(publish(&bus, cluster, "x").await, Err(PublishError::Name { .. })), "{cluster:?}");
    }
}

/// What cannot be processed must be put away, or it comes back for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_does_not_fit_is_cut_and_says_so() {
    let (server, bus) = started().await;
    let letter = DeadLetter {
        service: "evaluator".to_owned(),
        cluster: "default".to_owned(),
        reason: "undecodable_zstd".to_owned(),
        detail: "no zstd".to_owned(),
        payload: noise(9 * 1024 * 1024).into(),
        ..DeadLetter::default()
    };
    bus.dead_letter(&letter, "large").await.unwrap();
    let stream = super::plain(&server).await.get_stream("VEDETTE_DEAD").await.unwrap();
    let stored = stream.get_raw_message(1).await.unwrap();
    let stored: DeadLetter = vedette_bus::decode(&stored.payload, vedette_bus::MAX_RAW_BYTES).unwrap();
    assert!(
        stored.detail.starts_with("no zstd (the payload is cut: ") && stored.detail.ends_with(" of 9437184 bytes)")
    );
    assert_eq!(stored.payload, letter.payload[..stored.payload.len()]);
    assert!(stored.payload.len() > 4 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_stream_a_message_is_not_taken_for_stored() {
    let server = NatsServer::start();
    let bus = vedette_bus::Bus::connect("test", &config(&server)).await.unwrap();
    let error = publish(&bus, "default", "x").await.unwrap_err();
    assert!(matches!(error, PublishError::Unavailable { reason: Unavailable::NoStream, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_nothing_waits() {
    let (mut server, bus) = started().await;
    server.kill();
    until("the connection to be missed", async || !bus.connected()).await;
    let started = Instant::now();
    for number in 0..1000 {
        let error = publish(&bus, "default", &format!("n{number}")).await.unwrap_err();
        assert!(matches!(error, PublishError::Unavailable { reason: Unavailable::Away, .. }), "{error:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// A broker that holds the connection and says nothing: the worst case for whoever buffers.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_broker_is_sent_a_bounded_number_of_bytes() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.max_in_flight_bytes = 10 << 20;
    let bus = bus(&config).await;
    let packed = encode(&super::batch("default", noise(1 << 20)));
    server.pause();
    let mut tries: FuturesUnordered<_> = (0..64)
        .map(|number| {
            let (bus, packed) = (bus.clone(), packed.clone());
            async move {
                let id = format!("n{number}");
                bus.publish_events("default", &id, &counts(), packed, Duration::from_millis(500)).await
            }
        })
        .collect();
    let (mut busy, mut timed_out) = (0, 0);
    while let Some(outcome) = tries.next().await {
        match outcome.unwrap_err() {
            PublishError::Unavailable { reason: Unavailable::Busy, .. } => busy += 1,
            PublishError::Unavailable { reason: Unavailable::TimedOut, .. } => timed_out += 1,
            other => panic!("{other:?}"),
        }
    }
    // The system's own buffers for the connection take some megabytes more.
    assert!(timed_out <= 24 && busy >= 40, "{timed_out} were sent, {busy} waited");
    server.resume();
    until("the broker to take messages again", async || publish(&bus, "default", "again").await.is_ok()).await;
}
