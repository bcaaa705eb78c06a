//! Several evaluators, and one that is killed: each batch has one result.

use std::collections::BTreeSet;

use futures::StreamExt;
use vedette_bus::Kind;
use vedette_proto::bus::v1::ArchiveResult;

use crate::rig::{Rig, until, within};

/// An evaluator that is killed between publishing and acknowledging leaves a message that comes again. Its result has the
/// same id then, so that the first one stays the only one, with the generation that decided it.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_comes_again_makes_no_second_result() {
    let rig = Rig::start().await;
    rig.publish("b1", &["create"]).await;
    {
        let delivery = within("the batch", rig.bus.events(Kind::Archive).next()).await.unwrap();
        let first = ArchiveResult {
            batch: delivery.batch.clone(),
            cluster: "east".to_owned(),
            generation: 1,
            ..ArchiveResult::default()
        };
        rig.bus.publish_archive_result(&first).await.unwrap();
        // Killed here.
    }
    let evaluator = rig.evaluator().await;
    rig.drained().await;
    assert_eq!(rig.messages("VEDETTE_RESULTS_ARCHIVE").await, 1);
    assert_eq!(
        evaluator.metric("vedette_evaluator_batches_total{consumer=\"archive\"}"),
        1.0,
        "it did decide the batch"
    );
    let stream = rig.plain().await.get_stream("VEDETTE_RESULTS_ARCHIVE").await.unwrap();
    let stored = stream.get_raw_message(1).await.unwrap();
    assert_eq!(stored.headers.get("Nats-Msg-Id").unwrap().as_str(), "b1/archive");
    assert_eq!(rig.archived().await.generation, 1, "the first generation wins");
    assert_eq!(rig.alerted().await.batch, "b1");
    evaluator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluators_share_the_consumers_and_double_nothing() {
    let rig = Rig::start().await;
    let evaluators = [rig.evaluator().await, rig.evaluator().await];
    for number in 0..200 {
        rig.publish(&format!("b{number}"), &["create", "delete"]).await;
    }
    rig.drained().await;
    assert_eq!(rig.messages("VEDETTE_RESULTS_ARCHIVE").await, 200);
    assert_eq!(rig.messages("VEDETTE_RESULTS_ALERT").await, 200);
    let batches: BTreeSet<String> = rig.bus.archive_results().take(200).map(|delivery| delivery.batch).collect().await;
    assert_eq!(batches.len(), 200);
    let done = |at: usize| evaluators[at].metric("vedette_evaluator_batches_total{consumer=\"archive\"}");
    assert!(done(0) > 0.0 && done(1) > 0.0, "{} and {}", done(0), done(1));
    for evaluator in evaluators {
        evaluator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_evaluator_had_in_hand_another_one_does() {
    let rig = Rig::start().await;
    let (killed, left) = (rig.evaluator().await, rig.evaluator().await);
    for number in 0..100 {
        rig.publish(&format!("b{number}"), &["create"]).await;
        if number == 50 {
            until("both to be at work", async || rig.messages("VEDETTE_RESULTS_ARCHIVE").await > 10).await;
        }
    }
    killed.kill();
    rig.drained().await;
    assert_eq!(rig.messages("VEDETTE_RESULTS_ARCHIVE").await, 100);
    assert_eq!(rig.messages("VEDETTE_RESULTS_ALERT").await, 100);
    left.stop().await;
}
