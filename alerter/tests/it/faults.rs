//! Receivers that are away, slow, picky or gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use vedette_proto::bus::v1::Alert;
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_rules::{Receiver, ReceiverKind};

use super::hook::{Hook, Reply, names_of};
use super::rig::{Rig, quick, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_tried_again_until_it_takes_them() {
    let mut hook = Hook::start().await;
    let mut left = vec![429, 503, 500];
    hook.script(move |_| Reply::Status(left.pop().unwrap_or(200)));
    let mut rig = Rig::new().await;
    let mut config = quick();
    config.delivery.hold_seconds = 15;
    rig.start(vec![hook.receiver("hook")], config);
    rig.publish("b1", &["a", "b"]).await;
    let mut codes = Vec::new();
    while codes.last() != Some(&200) {
        let (code, body) = hook.next().await;
        assert_eq!(names_of(&body), ["a", "b"]);
        codes.push(code);
    }
    assert_eq!(codes, [500, 503, 429, 200]);
    assert_eq!(rig.books(&["b1"]).await.sent, 2);
    rig.settled().await;
    assert_eq!(rig.metric("vedette_alerter_alerts_failed_total", "server_error"), Some(4.0));
    assert_eq!(rig.metric("vedette_alerter_alerts_failed_total", "busy"), Some(2.0));
    assert_eq!(rig.metric("vedette_alerter_alerts_sent_total", "hook"), Some(2.0));
    assert_eq!(rig.metric("vedette_alerter_receiver_up", "hook"), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_is_refused_for_good_is_found_among_others_and_buried() {
    let mut hook = Hook::start().await;
    hook.script(|body| Reply::Status(if names_of(body).iter().any(|name| name == "bad") { 400 } else { 200 }));
    let rig = Rig::with(vec![hook.receiver("hook")]).await;
    rig.publish("b1", &["a", "b", "bad", "c", "d", "e", "f"]).await;
    assert_eq!(hook.taken(6).await, ["a", "b", "c", "d", "e", "f"]);
    let sum = rig.books(&["b1"]).await;
    assert_eq!((sum.sent, sum.rejected), (6, 1));
    assert_eq!(rig.dead(1).await, [("receiver_refused".to_owned(), 1)]);
    rig.settled().await;

    // Requeued once the receiver has been put right, it is the same alert.
    let Some(Origin::Alert(origin)) = rig.bus.letter(1).await.unwrap().letter.origin else { panic!("no alert") };
    let alert = origin.alert.unwrap();
    assert_eq!(Alert { stage_timestamp: alert.stage_timestamp.clone(), ..rig.alert("bad") }, alert);
    hook.rest();
    hook.script(|_| Reply::Status(200));
    rig.bus.requeue_letter(1).await.unwrap();
    let (_, body) = hook.next().await;
    assert_eq!(names_of(&body), ["bad"]);
    assert_eq!(body["alerts"][0]["annotations"]["message"], alert.message.as_str());
    let sum = rig.books(&["b1+1"]).await;
    assert_eq!((sum.sent, sum.rejected), (1, 0));
    assert_eq!(rig.dead(0).await, []);
    rig.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_forgotten_while_another_receiver_is_away() {
    let (mut picky, mut away) = (Hook::start().await, Hook::start().await);
    picky.script(|body| Reply::Status(if names_of(body).iter().any(|name| name == "bad") { 400 } else { 200 }));
    let mut left = vec![503];
    away.script(move |_| Reply::Status(left.pop().unwrap_or(200)));
    let rig = Rig::with(vec![picky.receiver("picky"), away.receiver("away")]).await;
    rig.publish("b1", &["bad", "good"]).await;
    assert_eq!(picky.taken(1).await, ["good"]);
    assert_eq!(away.taken(2).await, ["bad", "good"], "when the batch came again");
    let sum = rig.books(&["b1"]).await;
    assert_eq!((sum.sent, sum.rejected), (1, 1));
    assert_eq!(rig.dead(1).await, [("receiver_refused".to_owned(), 1)]);
    rig.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_keeps_nobody_else_waiting() {
    let (mut good, mut bad) = (Hook::start().await, Hook::start().await);
    bad.script(|_| Reply::Hang);
    let rig = Rig::with(vec![bad.receiver("bad"), good.receiver("good")]).await;
    let names: Vec<String> = (0..20).map(|n| format!("pod-{n:02}")).collect();
    for name in &names {
        rig.publish(name, &[name]).await;
    }
    assert_eq!(good.taken(20).await, names, "while the other has none");
    assert_eq!(rig.metric("vedette_alerter_alerts_sent_total", "bad"), None);
    assert_eq!(rig.metric("vedette_alerter_batches_total", ""), Some(0.0), "nothing is done before both have it");

    bad.script(|_| Reply::Status(200));
    assert_eq!(bad.taken(20).await, names);
    let batches: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(rig.books(&batches).await.sent, 20);
    rig.settled().await;
    assert_eq!(rig.metric("vedette_alerter_alerts_in_flight", ""), Some(0.0));
    assert_eq!(good.rest(), [""; 0], "what one lacked was not sent to the other again");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_that_nobody_takes_in_time_are_given_up_and_kept() {
    let hook = Hook::start().await;
    let away = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&away);
    hook.script(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Reply::Status(404)
    });
    let rig = Rig::with(vec![hook.receiver("hook")]).await;
    let alerts = vec![rig.alert("a"), rig.alert("b")];
    rig.clock.advance(-SignedDuration::from_hours(23));
    rig.publish_alerts("young", vec![rig.alert("c")]).await;
    rig.clock.advance(-SignedDuration::from_hours(2));
    rig.publish_alerts("old", alerts).await;
    rig.clock.advance(SignedDuration::from_hours(25));
    let sum = rig.books(&["old"]).await;
    assert_eq!((sum.sent, sum.rejected), (0, 2));
    assert_eq!(rig.dead(2).await, [("receiver_unavailable".to_owned(), 2)]);
    assert!(away.load(Ordering::Relaxed) > 0, "it was tried");
    hook.script(|_| Reply::Status(200));
    assert_eq!(rig.books(&["young"]).await.sent, 1, "a wrong path is a matter of configuration: they wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_trusted_by_its_own_certificates_alone() {
    let (mut hook, other) = (Hook::start_tls().await, Hook::start_tls().await);
    let mut rig = Rig::with(vec![hook.receiver("tls")]).await;
    rig.publish("b1", &["a"]).await;
    assert_eq!(hook.taken(1).await, ["a"]);
    assert_eq!(rig.books(&["b1"]).await.sent, 1);
    rig.stop().await;

    let wrong = Receiver { ca_bundle: other.receiver("tls").ca_bundle, ..hook.receiver("tls") };
    let none = Receiver { ca_bundle: None, name: "none".to_owned(), ..hook.receiver("tls") };
    let mut right = Hook::start().await;
    rig.start(vec![wrong, none, right.receiver("right")], quick());
    rig.publish("b2", &["b"]).await;
    rig.publish("b3", &["c"]).await;
    assert_eq!(right.taken(2).await, ["b", "c"]);
    rig.stop().await;
    assert!(rig.metric("vedette_alerter_alerts_failed_total", "tls") >= Some(1.0));
    assert!(rig.metric("vedette_alerter_alerts_failed_total", "none") >= Some(1.0));
    assert_eq!(hook.rest(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_cannot_be_used_keeps_nobody_else_waiting() {
    let mut hook = Hook::start().await;
    let broken = Receiver { ca_bundle: Some(b"no certificate".to_vec()), ..hook.receiver("broken") };
    let kind = ReceiverKind::Alertmanager;
    let nowhere = Receiver { name: "nowhere".to_owned(), kind, url: "nowhere".to_owned(), ca_bundle: None };
    let rig = Rig::with(vec![broken, nowhere, hook.receiver("hook")]).await;
    rig.publish("b1", &["a"]).await;
    assert_eq!(hook.taken(1).await, ["a"]);
    for name in ["broken", "nowhere"] {
        until("the receiver is told down", || rig.metric("vedette_alerter_receiver_up", name) == Some(0.0)).await;
    }
}
