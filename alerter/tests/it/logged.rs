//! What the alert log holds of alerts that were settled.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use vedette_proto::bus::v1::{AlertOutcome, LoggedAlert};

use super::hook::{Hook, Reply, names_of};
use super::rig::Rig;

type Told = BTreeMap<String, (AlertOutcome, Vec<String>)>;

/// All that the log holds, oldest first.
async fn log(rig: &Rig) -> Vec<LoggedAlert> {
    let mut log = rig.bus.alert_log();
    let mut held = Vec::new();
    loop {
        let step = tokio::time::timeout(Duration::from_secs(30), log.next()).await.expect("the log in time").unwrap();
        if let Some(message) = step.message {
            assert_eq!(message.cluster, "member");
            held.extend(message.alerts);
        }
        if step.behind == Some(0) {
            return held;
        }
    }
}

/// Outcome and receivers by the object's name; each is there once.
fn told(held: Vec<LoggedAlert>) -> Told {
    let mut told = Told::new();
    for logged in held {
        let outcome = logged.outcome();
        assert!(logged.settled_unix_nanos >= logged.received_unix_nanos && logged.received_unix_nanos > 0);
        let before = told.insert(logged.alert.unwrap().name, (outcome, logged.receivers));
        assert_eq!(before, None);
    }
    told
}

fn entry(name: &str, outcome: AlertOutcome, receivers: &[&str]) -> (String, (AlertOutcome, Vec<String>)) {
    (name.to_owned(), (outcome, receivers.iter().map(|name| (*name).to_owned()).collect()))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alert_is_logged_with_its_outcome_before_it_is_acknowledged() {
    let (picky, mut away) = (Hook::start().await, Hook::start().await);
    picky.script(|body| Reply::Status(if names_of(body).iter().any(|name| name == "bad") { 400 } else { 200 }));
    // It has the batch when that comes again.
    let mut left = vec![503];
    away.script(move |_| Reply::Status(left.pop().unwrap_or(200)));
    let mut rig = Rig::with(vec![picky.receiver("picky"), away.receiver("away")]).await;
    rig.publish("b1", &["bad", "good"]).await;
    rig.publish("b2", &[]).await;
    rig.books(&["b1", "b2"]).await;
    assert_eq!(away.taken(2).await, ["bad", "good"]);
    let mut expected = Told::from([
        entry("bad", AlertOutcome::Rejected, &["away"]),
        entry("good", AlertOutcome::Sent, &["away", "picky"]),
    ]);
    let held = log(&rig).await;
    assert_eq!(held[0].alert.as_ref().unwrap(), &rig.alert("bad"), "the alert is whole");
    assert_eq!(told(held), expected);

    rig.stop().await;
    rig.start(Vec::new(), super::rig::quick());
    rig.publish("b3", &["lost"]).await;
    rig.books(&["b3"]).await;
    expected.extend([entry("lost", AlertOutcome::Unrouted, &[])]);
    assert_eq!(told(log(&rig).await), expected);
    rig.settled().await;
    assert_eq!(rig.metric("vedette_alerter_alerts_unlogged_total", ""), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_again_is_logged_once() {
    let mut hook = Hook::start().await;
    let mut rig = Rig::with(vec![hook.receiver("hook")]).await;
    rig.publish("b1", &["a", "b"]).await;
    rig.books(&["b1"]).await;
    rig.settled().await;
    // As if the acknowledgement had been lost, with the alerter that sent it: another one gets the same message.
    rig.stop().await;
    rig.start(vec![hook.receiver("another")], super::rig::quick());
    rig.publish_again("b1", &["a", "b"]).await;
    assert_eq!(hook.taken(4).await, ["a", "a", "b", "b"]);
    rig.settled().await;
    let expected = [entry("a", AlertOutcome::Sent, &["hook"]), entry("b", AlertOutcome::Sent, &["hook"])];
    assert_eq!(told(log(&rig).await), expected.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_go_on_without_the_log() {
    let mut hook = Hook::start().await;
    let rig = Rig::with(vec![hook.receiver("hook")]).await;
    let client = async_nats::connect(rig.nats.url()).await.unwrap();
    async_nats::jetstream::new(client).delete_stream("VEDETTE_ALERTS").await.unwrap();
    rig.publish("b1", &["a", "b"]).await;
    assert_eq!(hook.taken(2).await, ["a", "b"]);
    assert_eq!(rig.books(&["b1"]).await.sent, 2);
    rig.publish("b2", &["c"]).await;
    assert_eq!(rig.books(&["b2"]).await.sent, 1);
    rig.settled().await;
    assert_eq!(rig.metric("vedette_alerter_alerts_unlogged_total", "unavailable"), Some(2.0));
    // With a short wait for acknowledgements the first batch may have come again meanwhile.
    assert!(rig.metric("vedette_alerter_alerts_unlogged_total", "paused") >= Some(1.0));
    assert!(rig.health.is_ready());
    rig.bus.ensure().await.unwrap();
    // It is tried again after a while.
    let logged = async {
        for batch in 0.. {
            let name = format!("d{batch}");
            rig.publish(&name, &[&name]).await;
            rig.books(&[&name]).await;
            let held = told(log(&rig).await);
            if !held.is_empty() {
                assert_eq!(held, Told::from([entry(&name, AlertOutcome::Sent, &["hook"])]));
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), logged).await.expect("the log is written again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_cannot_hold_takes_no_patience_from_what_comes_after_it() {
    let mut hook = Hook::start().await;
    let rig = Rig::with(vec![hook.receiver("hook")]).await;
    let client = async_nats::connect(rig.nats.url()).await.unwrap();
    let plain = async_nats::jetstream::new(client.clone());
    let mut stream = plain.get_stream("VEDETTE_ALERTS").await.unwrap();
    let mut config = stream.info().await.unwrap().config.clone();
    config.max_message_size = 4_096;
    plain.update_stream(config).await.unwrap();
    let mut seed = fastrand::Rng::with_seed(7);
    let mut large = |number: u32| {
        let message: String = std::iter::repeat_with(|| seed.alphanumeric()).take(500).collect();
        vedette_proto::bus::v1::Alert { message, ..rig.alert(&format!("large-{number:02}")) }
    };
    rig.publish_alerts("b1", (0..20).map(&mut large).collect()).await;
    assert_eq!(rig.books(&["b1"]).await.sent, 20);
    rig.settled().await;
    assert_eq!(rig.metric("vedette_alerter_alerts_unlogged_total", "too_large"), Some(20.0));

    // The log is away for a moment: the next alert waits for it, as if nothing had been.
    let mut tried = client.subscribe("vedette.alerts.member").await.unwrap();
    client.flush().await.unwrap();
    plain.delete_stream("VEDETTE_ALERTS").await.unwrap();
    rig.publish("b2", &["small"]).await;
    tokio::time::timeout(Duration::from_secs(30), tried.next()).await.expect("an attempt in time").unwrap();
    rig.bus.ensure().await.unwrap();
    assert_eq!(rig.books(&["b2"]).await.sent, 1);
    assert_eq!(told(log(&rig).await), [entry("small", AlertOutcome::Sent, &["hook"])].into());
    assert_eq!(hook.taken(21).await.len(), 21);
}
