//! What is pulled: nothing before it is acknowledged is gone, and nothing more than asked for is fetched.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures::FutureExt;
use vedette_bus::{DecodeError, Kind, encode};
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::{Alert, AlertResult};

use super::{LIMIT, batch, bus, config, counts, next, plain, publish, started, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_stays_until_both_durables_have_acknowledged_it() {
    let (_server, bus) = started().await;
    publish(&bus, "east", "b1").await.unwrap();
    let messages = async || bus.overview().await.unwrap().streams[0].messages;
    let alert = next(&mut bus.events(Kind::Alert)).await;
    assert_eq!((alert.batch.as_str(), alert.cluster.as_str(), alert.delivered), ("b1", "east", 1));
    assert_eq!(alert.counts, counts());
    assert_eq!(alert.message.as_ref().unwrap().events.len(), 1);
    alert.ack().await.unwrap();
    assert_eq!(messages().await, 1);
    let archive = next(&mut bus.events(Kind::Archive)).await;
    assert_eq!(archive.sequence, alert.sequence);
    archive.ack().await.unwrap();
    until("the message to go", async || messages().await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_delivered_with_the_id_of_its_batch() {
    let (_server, bus) = started().await;
    let alert = Alert { rule: "R".to_owned(), ..Alert::default() };
    let result = AlertResult {
        batch: "b7".to_owned(),
        cluster: "west".to_owned(),
        alerts: vec![alert],
        ..AlertResult::default()
    };
    bus.publish_alert_result(&result).await.unwrap();
    let delivery = next(&mut bus.alert_results()).await;
    assert_eq!((delivery.batch.as_str(), delivery.cluster.as_str()), ("b7", "west"));
    assert_eq!(delivery.message.as_ref().unwrap(), &result);
    delivery.ack().await.unwrap();
    until("the work to be done", async || bus.overview().await.unwrap().streams[1].messages == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_comes_again_and_what_is_in_progress_does_not() {
    let server = NatsServer::start();
    let mut config = config(&server);
    // Progress may be late by four seconds before the test takes it for none.
    config.ack_wait_seconds = 6;
    let bus = bus(&config).await;
    publish(&bus, "default", "b1").await.unwrap();
    let mut deliveries = bus.events(Kind::Alert);
    let first = next(&mut deliveries).await;
    // Half as long again as the wait for an acknowledgement.
    first
        .during(async {
            let second = tokio::time::timeout(Duration::from_secs(9), next(&mut deliveries)).await;
            assert!(second.is_err(), "delivered again while it was in progress");
        })
        .await;
    drop(first);
    let second = next(&mut deliveries).await;
    assert_eq!(second.delivered, 2);
    second.retry(Duration::ZERO).await.unwrap();
    let third = next(&mut deliveries).await;
    assert_eq!(third.delivered, 3);
    third.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_much_is_fetched_ahead() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.prefetch = 4;
    // None comes a second time between the others.
    config.ack_wait_seconds = 2 * LIMIT.as_secs();
    let bus = bus(&config).await;
    for number in 0..40 {
        publish(&bus, "default", &format!("b{number}")).await.unwrap();
    }
    let mut deliveries = bus.events(Kind::Alert);
    let taken = [next(&mut deliveries).await, next(&mut deliveries).await];
    let consumer = bus.overview().await.unwrap().consumers[0].clone();
    assert_eq!(consumer.name, "alert");
    assert!(consumer.ack_pending <= taken.len() + 4, "{consumer:?}");
    // And yet all come, in order.
    for number in 2..40 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.batch, format!("b{number}"));
        delivery.ack().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_partition_does_not_hold_up_the_others() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.partitions = 4;
    let bus = bus(&config).await;
    let cluster =
        |partition| (0..).map(|n| format!("c{n}")).find(|name| vedette_bus::partition(name, 4) == partition).unwrap();
    let (loud, quiet) = (cluster(0), cluster(3));
    for number in 0..200 {
        publish(&bus, &loud, &format!("l{number}")).await.unwrap();
    }
    publish(&bus, &quiet, "q0").await.unwrap();
    let mut deliveries = bus.events(Kind::Archive);
    let mut before = 0;
    while next(&mut deliveries).await.cluster != quiet {
        before += 1;
    }
    assert!(before <= 40, "{before} of the loud cluster came first");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stream_delivers_at_once_when_something_comes() {
    let (_server, bus) = started().await;
    let mut deliveries = bus.events(Kind::Alert);
    // Longer than a pull request lives.
    assert!(tokio::time::timeout(Duration::from_secs(13), next(&mut deliveries)).await.is_err());
    publish(&bus, "default", "b1").await.unwrap();
    let delivery = tokio::time::timeout(Duration::from_secs(2), next(&mut deliveries)).await.unwrap();
    assert_eq!(delivery.batch, "b1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_is_delivered_as_it_is() {
    let (server, bus) = started().await;
    let plain = plain(&server).await;
    let send = async |cluster: &str, id: Option<&str>, counts: Option<&str>, payload: Bytes| {
        let mut headers = HeaderMap::new();
        for (name, value) in [("Nats-Msg-Id", id), ("Vedette-Counts", counts)] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        let subject = format!("vedette.events.0.{cluster}");
        plain.publish_with_headers(subject, headers, payload).await.unwrap().await.unwrap();
    };
    let (good, junk) = (encode(&batch("default", b"{}".to_vec())), Bytes::from_static(b"no zstd"));
    let fine = Some("r=7;p=5;d.level_none=2");
    send("default", Some("garbage"), fine, junk.clone()).await;
    send("default", Some("uncounted"), None, good.clone()).await;
    send("default", Some("miscounted"), Some("r=1;p=x"), good.clone()).await;
    send("default", None, fine, good.clone()).await;
    send("default", Some("with space"), fine, good.clone()).await;
    send("other", Some("elsewhere"), fine, good.clone()).await;
    send("NOWHERE", Some("nowhere"), fine, good.clone()).await;
    let mut deliveries = bus.events(Kind::Archive);
    for (id, cluster, published, code) in [
        ("garbage", "default", 5, "undecodable_zstd"),
        ("uncounted", "default", 0, "undecodable_header"),
        ("miscounted", "default", 0, "undecodable_header"),
        ("VEDETTE_EVENTS_0-4", "default", 5, "undecodable_header"),
        ("VEDETTE_EVENTS_0-5", "default", 5, "undecodable_header"),
        ("elsewhere", "other", 5, "undecodable_subject"),
        ("nowhere", "unknown", 5, "undecodable_subject"),
    ] {
        let delivery = next(&mut deliveries).await;
        let bad = delivery.message.as_ref().unwrap_err();
        assert_eq!((delivery.batch.as_str(), delivery.cluster.as_str(), bad.error.code()), (id, cluster, code));
        assert_eq!(bad.payload, if id == "garbage" { junk.clone() } else { good.clone() });
        assert_eq!(delivery.counts.published, published, "what is known of a batch is told: {id}");
        delivery.ack().await.unwrap();
    }
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "b9/archive");
    let sent = plain.publish_with_headers("vedette.results.archive.default", headers, "junk".into()).await.unwrap();
    sent.await.unwrap();
    let elsewhere =
        encode(&AlertResult { batch: "b8".to_owned(), cluster: "east".to_owned(), ..AlertResult::default() });
    plain.publish("vedette.results.alert.west", elsewhere).await.unwrap().await.unwrap();
    let delivery = next(&mut bus.archive_results()).await;
    assert!(matches!(delivery.message.as_ref().unwrap_err().error, DecodeError::Unpack(_)));
    assert_eq!(delivery.batch, "b9");
    let delivery = next(&mut bus.alert_results()).await;
    assert!(matches!(delivery.message.as_ref().unwrap_err().error, DecodeError::Subject));
    assert_eq!((delivery.batch.as_str(), delivery.cluster.as_str()), ("VEDETTE_RESULTS_ALERT-1", "west"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_wait_for_a_delivery_loses_none() {
    let server = NatsServer::start();
    let mut config = config(&server);
    // One that was lost would come again only after the test has given up.
    config.ack_wait_seconds = 2 * LIMIT.as_secs();
    let bus = bus(&config).await;
    let mut deliveries = bus.events(Kind::Alert);
    let mut taken = Vec::new();
    for number in 0..50 {
        publish(&bus, "default", &format!("b{number}")).await.unwrap();
        // Polled once and dropped, as `select!` does.
        taken.extend(futures::StreamExt::next(&mut deliveries).now_or_never().flatten());
    }
    while taken.len() < 50 {
        taken.push(next(&mut deliveries).await);
    }
    for (number, delivery) in taken.iter().enumerate() {
        assert_eq!((delivery.batch.as_str(), delivery.delivered), (format!("b{number}").as_str(), 1));
        delivery.ack().await.unwrap();
    }
}

/// A puller that ends must not keep for `ack_wait` what others could do at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_and_not_taken_goes_back_at_once() {
    let server = NatsServer::start();
    let mut config = config(&server);
    (config.prefetch, config.ack_wait_seconds) = (16, 2 * LIMIT.as_secs());
    let (first, second) = (bus(&config).await, bus(&config).await);
    for number in 0..16 {
        publish(&first, "default", &format!("b{number}")).await.unwrap();
    }
    let mut deliveries = first.events(Kind::Alert);
    let taken = next(&mut deliveries).await;
    let fetched = async || second.overview().await.unwrap().consumers[0].ack_pending;
    until("all to be fetched", async || fetched().await == 16).await;
    drop(deliveries);
    first.flush().await;
    let mut deliveries = second.events(Kind::Alert);
    let mut ids = std::collections::BTreeSet::from([taken.batch.clone()]);
    while ids.len() < 16 {
        let delivery = next(&mut deliveries).await;
        assert_ne!(delivery.batch, taken.batch, "what was taken is not given back");
        delivery.ack().await.unwrap();
        ids.insert(delivery.batch);
    }
    taken.ack().await.unwrap();
    until("nothing to be left", async || fetched().await == 0).await;
}
