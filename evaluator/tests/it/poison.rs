//! What cannot be decided: it becomes a dead letter and holds up nobody.

use async_nats::HeaderMap;
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{AlertCounts, ArchiveCounts};

use crate::rig::{Rig, event};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_decoded_is_one_dead_letter_and_two_results() {
    let rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "poison");
    headers.insert("Vedette-Counts", "r=5;p=3;d.level_none=2");
    let plain = rig.plain().await;
    let sent = plain.publish_with_headers("vedette.events.0.east", headers, "no zstd".into()).await.unwrap();
    sent.await.unwrap();
    rig.publish("good", &["create"]).await;

    // The good one does not wait for the bad one.
    let first = rig.archived().await;
    assert_eq!((first.batch.as_str(), first.matches.len()), ("good", 1));
    let archive = rig.archived().await;
    assert_eq!(archive.batch, "poison");
    let expected = ArchiveCounts { evaluated: 3, dead_lettered: 3, ..ArchiveCounts::default() };
    assert_eq!(archive.counts, Some(expected));
    assert_eq!(archive.ingest.unwrap().received, 5);
    rig.alerted().await;
    let alert = rig.alerted().await;
    assert_eq!(alert.counts, Some(AlertCounts { evaluated: 3, dead_lettered: 3, ..AlertCounts::default() }));
    rig.drained().await;

    let letters = rig.letters().await;
    let [(_, letter)] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(
        (letter.service.as_str(), letter.cluster.as_str(), letter.batch.as_str()),
        ("evaluator", "east", "poison")
    );
    assert_eq!((letter.reason.as_str(), &letter.payload[..]), ("undecodable_zstd", &b"no zstd"[..]));
    assert_eq!(
        evaluator.metric("vedette_evaluator_retries_total{consumer=\"alert\"}"),
        3.0,
        "it was given three chances"
    );
    evaluator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_decided_is_a_dead_letter_and_the_others_go_on() {
    let rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    let mut events: Vec<_> =
        ["create", "delete", "create"].iter().enumerate().map(|(n, verb)| event("b1", n, verb)).collect();
    events[1].json = "{\"verb\":".into();
    rig.publish_events("b1", events).await;
    let archive = rig.archived().await;
    let expected = ArchiveCounts { evaluated: 3, archived: 2, dead_lettered: 1, ..ArchiveCounts::default() };
    assert_eq!(archive.counts, Some(expected));
    let alert = rig.alerted().await;
    assert_eq!(alert.counts, Some(AlertCounts { evaluated: 3, dead_lettered: 1, ..AlertCounts::default() }));
    rig.drained().await;
    let letters = rig.letters().await;
    let [(_, letter)] = &letters[..] else { panic!("both consumers found it, and it is one letter: {letters:?}") };
    assert_eq!((letter.reason.as_str(), &letter.payload[..]), ("unreadable", &b"{\"verb\":"[..]));
    assert_eq!(evaluator.metric("vedette_evaluator_dead_letters_total{reason=\"unreadable\"}"), 1.0);

    // Requeued, it is the same event once more, in a message that says so; and since nothing was put right, a letter again.
    rig.bus.requeue_letter(1).await.unwrap();
    let archive = rig.archived().await;
    let expected = ArchiveCounts { evaluated: 1, dead_lettered: 1, ..ArchiveCounts::default() };
    assert_eq!((archive.batch.as_str(), archive.counts), ("b1+1", Some(expected)));
    assert_eq!((archive.received_unix_nanos, archive.cluster.as_str()), (77, "east"));
    let ingest = archive.ingest.unwrap();
    assert_eq!((ingest.received, ingest.requeued, ingest.published), (0, 1, 1));
    let alert = rig.alerted().await;
    assert_eq!(alert.counts, Some(AlertCounts { evaluated: 1, dead_lettered: 1, ..AlertCounts::default() }));
    rig.drained().await;
    let again = rig.bus.letter(2).await.unwrap().letter;
    assert_eq!((again.batch.as_str(), &again.origin, &again.payload), ("b1+1", &letter.origin, &letter.payload));
    let Some(Origin::Event(origin)) = &again.origin else { panic!("{again:?}") };
    assert_eq!((&origin.id, origin.generation), (&event("b1", 1, "delete").id, 3));
    evaluator.stop().await;
}

/// From outside, as from a program that is not ours: such a message must not go round for ever.
#[tokio::test(flavor = "multi_thread")]
async fn messages_without_id_or_cluster_are_put_away_one_by_one() {
    let rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    let plain = rig.plain().await;
    for subject in ["vedette.events.0.east", "vedette.events.0.east", "vedette.events.0.NOT_A_LABEL"] {
        plain.publish(subject, "junk".into()).await.unwrap().await.unwrap();
    }
    rig.drained().await;
    let letters = rig.letters().await;
    let mut clusters: Vec<_> = letters.iter().map(|(_, letter)| letter.cluster.as_str()).collect();
    clusters.sort_unstable();
    assert_eq!(clusters, ["east", "east", "unknown"]);
    assert_eq!(rig.messages("VEDETTE_RESULTS_ALERT").await, 3);
    evaluator.stop().await;
}
