//! What an evaluator makes of a batch: results, counts, message ids.

use vedette_proto::bus::v1::{AlertCounts, ArchiveCounts};

use crate::rig::{Rig, counts, event, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_becomes_one_result_of_each_kind() {
    let rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    rig.publish("b1", &["create", "delete", "get", "get"]).await;

    let archive = rig.archived().await;
    assert_eq!((archive.batch.as_str(), archive.cluster.as_str(), archive.received_unix_nanos), ("b1", "east", 77));
    assert_eq!(archive.ingest, Some(counts(4)));
    let expected = ArchiveCounts { evaluated: 4, archived: 1, alerted_only: 1, ignored: 2, ..ArchiveCounts::default() };
    assert_eq!(archive.counts, Some(expected));
    let [kept] = &archive.matches[..] else { panic!("{:?}", archive.matches) };
    let sent = event("b1", 0, "create");
    assert_eq!((&kept.id, &kept.json, &kept.rules[..]), (&sent.id, &sent.json, &["keep.kept".to_owned()][..]));
    let [blind] = &archive.blind[..] else { panic!("{:?}", archive.blind) };
    assert_eq!((blind.rule.as_str(), blind.level.as_str(), blind.events), ("shout.Host", "Metadata", 1));

    let alert = rig.alerted().await;
    assert_eq!((alert.batch.as_str(), alert.cluster.as_str()), ("b1", "east"));
    assert_eq!(alert.counts, Some(AlertCounts { evaluated: 4, alerted: 1, alerts: 1, ..AlertCounts::default() }));
    assert_eq!((alert.alerts[0].message.as_str(), alert.alerts[0].rule_id.as_str()), ("delete p-1", "ops/shout/Loud"));
    assert_eq!(alert.generation, archive.generation);
    assert_eq!(evaluator.metric("vedette_evaluator_generation") as u64, archive.generation);

    rig.drained().await;
    assert_eq!(evaluator.metric("vedette_rule_blind_events_total{rule=\"shout.Host\"}"), 1.0);
    assert_eq!(evaluator.metric("vedette_evaluator_events_total{consumer=\"archive\",decision=\"ignored\"}"), 2.0);
    assert_eq!(evaluator.metric("vedette_evaluator_events_total{consumer=\"alert\",decision=\"alerted\"}"), 1.0);
    assert_eq!(evaluator.metric("vedette_evaluator_lag_seconds_count{consumer=\"alert\"}"), 1.0);
    evaluator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_matches_and_one_without_events_have_results_too() {
    let rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    // One after the other: batches are decided side by side, and their results come in any order.
    for (batch, verbs, evaluated) in [("ignored", &["get"][..], 1), ("dropped", &[], 0)] {
        rig.publish(batch, verbs).await;
        let archive = rig.archived().await;
        assert_eq!((archive.batch.as_str(), archive.matches.len()), (batch, 0));
        let expected = ArchiveCounts { evaluated, ignored: evaluated, ..ArchiveCounts::default() };
        assert_eq!((archive.counts, archive.ingest), (Some(expected), Some(counts(evaluated))));
        assert_eq!(rig.alerted().await.counts.unwrap().evaluated, evaluated);
    }
    rig.drained().await;
    evaluator.stop().await;
}

/// Whatever is full or dead behind the archive's consumer, alerts go on; and nothing of the archive's is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_archive_does_not_stop_alerts() {
    let rig = Rig::start_with(|config| config.limits.results_bytes = 64 << 10).await;
    let evaluator = rig.evaluator().await;
    // Kept events of noise: some dozen results fill the stream.
    let verbs = ["create", "delete"];
    for number in 0..60 {
        let id = format!("n{number}");
        let mut events: Vec<_> = verbs.iter().enumerate().map(|(index, verb)| event(&id, index, verb)).collect();
        let noise: String =
            (0..8_000_u32).map(|n| char::from(b'a' + (n.wrapping_mul(n ^ number) >> 3) as u8 % 26)).collect();
        let json = String::from_utf8(events[0].json.to_vec()).unwrap();
        events[0].json = json.replace("\"/x\"", &format!("\"/x?{number}{noise}\"")).into();
        rig.publish_events(&id, events).await;
    }
    for _ in 0..60 {
        assert_eq!(rig.alerted().await.alerts.len(), 1);
    }
    until("the archive's back-pressure", async || {
        evaluator.metric("vedette_evaluator_retries_total{consumer=\"archive\"}") > 0.0
    })
    .await;
    assert!(rig.messages("VEDETTE_EVENTS_0").await > 0, "the archive's results cannot all have fitted");
    for _ in 0..60 {
        assert_eq!(rig.archived().await.matches.len(), 1);
    }
    rig.drained().await;
    evaluator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_what_is_in_hand_and_loses_nothing() {
    let rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    for number in 0..100 {
        rig.publish(&format!("s{number}"), &["create"]).await;
    }
    until("the first results", async || rig.messages("VEDETTE_RESULTS_ARCHIVE").await > 5).await;
    evaluator.stop().await;
    let evaluator = rig.evaluator().await;
    rig.drained().await;
    assert_eq!(rig.messages("VEDETTE_RESULTS_ARCHIVE").await, 100);
    assert_eq!(rig.messages("VEDETTE_RESULTS_ALERT").await, 100);
    evaluator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_is_told_by_readiness_and_worked_with_when_it_is_back() {
    let mut rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    rig.server.kill();
    until("the broker to be missed", async || !evaluator.ctx.health.is_ready()).await;
    rig.server.start_again();
    until("the broker to be back", async || evaluator.ctx.health.is_ready()).await;
    until("the test's own connection", async || rig.bus.connected()).await;
    rig.publish("back", &["create"]).await;
    assert_eq!(rig.archived().await.batch, "back");
    evaluator.stop().await;
}

#[test]
fn the_example_is_a_configuration() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let config: vedette_evaluator::Config = vedette_service::config::parse(file, &text).unwrap();
    assert_eq!((config.nats.url.as_str(), config.batches_in_hand), ("nats://127.0.0.1:4222", 4));
}
