//! What goes on between the alerter and the broker: books, restarts, policies, messages that are none.

use std::fs;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vedette_service::Context;
use vedette_service::policy::{self, PolicyConfig};

use super::hook::{Hook, Reply};
use super::rig::{Rig, quick, until};

#[tokio::test(flavor = "multi_thread")]
async fn alerts_without_a_receiver_are_counted_and_done() {
    let rig = Rig::with(Vec::new()).await;
    rig.publish("b1", &["a", "b"]).await;
    rig.publish("b2", &[]).await;
    let sum = rig.books(&["b1", "b2"]).await;
    assert_eq!((sum.sent, sum.unrouted, sum.rejected), (0, 2, 0));
    rig.settled().await;
    assert_eq!(rig.metric("vedette_alerter_alerts_unrouted_total", ""), Some(2.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_none_becomes_a_dead_letter() {
    let mut hook = Hook::start().await;
    let rig = Rig::with(vec![hook.receiver("hook")]).await;
    let client = async_nats::connect(rig.nats.url()).await.unwrap();
    client.publish("vedette.results.alert.member", "no zstd".into()).await.unwrap();
    client.flush().await.unwrap();
    rig.publish("b1", &["a"]).await;
    assert_eq!(hook.taken(1).await, ["a"]);
    assert_eq!(rig.dead(1).await, [("undecodable_zstd".to_owned(), 1)]);
    rig.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_alerter_did_not_deliver_the_next_one_does() {
    let mut hook = Hook::start().await;
    hook.script(|_| Reply::Hang);
    let mut rig = Rig::new().await;
    let mut config = quick();
    config.delivery.timeout_seconds = 60;
    rig.start(vec![hook.receiver("hook")], config);
    rig.publish("b1", &["a"]).await;
    hook.next().await;
    rig.stop().await;
    hook.script(|_| Reply::Status(200));
    rig.start(vec![hook.receiver("hook")], quick());
    assert_eq!(hook.taken(1).await, ["a"]);
    assert_eq!(rig.books(&["b1"]).await.sent, 1);
    rig.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_alerter_had_is_counted_by_the_one_that_sends_it() {
    let mut hook = Hook::start().await;
    hook.script(|_| Reply::Hang);
    let mut rig = Rig::new().await;
    let mut config = quick();
    config.label_sets_per_minute = 1;
    config.delivery.timeout_seconds = 60;
    rig.start(vec![hook.receiver("hook")], config.clone());
    rig.publish("b1", &["a", "b", "c", "d"]).await;
    hook.next().await;
    rig.stop().await;
    hook.script(|_| Reply::Status(200));
    rig.start(vec![hook.receiver("hook")], config);
    let (code, body) = hook.next().await;
    let many = body["alerts"].as_array().unwrap().iter().find(|alert| alert["labels"]["name"] == "(many)").unwrap();
    assert_eq!((code, &many["annotations"]["count"]), (200, &serde_json::json!("3")));
    rig.books(&["b1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_killed_is_found_again() {
    let mut hook = Hook::start().await;
    let mut rig = Rig::with(vec![hook.receiver("hook")]).await;
    rig.publish("b1", &["a"]).await;
    assert_eq!(hook.taken(1).await, ["a"]);
    rig.books(&["b1"]).await;
    assert!(rig.health.is_ready());
    rig.nats.kill();
    until("the broker is missed", || !rig.health.is_ready()).await;
    rig = tokio::task::spawn_blocking(move || {
        rig.nats.start_again();
        rig
    })
    .await
    .unwrap();
    until("the broker is back", || rig.bus.connected() && rig.health.is_ready()).await;
    rig.publish("b2", &["b"]).await;
    assert_eq!(hook.taken(1).await.last().map(String::as_str), Some("b"));
    assert_eq!(rig.books(&["b1", "b2"]).await.sent, 2);
    rig.settled().await;
}

/// A `Webhook` resource with these receivers.
fn webhook(receivers: &str) -> String {
    format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata:\n  name: kube-auditing-webhook\n\
         spec:\n  receivers: [{receivers}]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_change_without_a_restart() {
    let (mut one, mut other) = (Hook::start().await, Hook::start().await);
    one.script(|_| Reply::Hang);
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("webhook.yaml");
    let entry =
        |hook: &Hook| format!("{{ name: pager, type: webhook, config: {{ url: {:?} }} }}", hook.receiver("").url);
    fs::write(&file, webhook(&entry(&one))).unwrap();
    let stop = CancellationToken::new();
    let ctx = Context::new("alerter", prometheus::Registry::new(), stop.clone());
    let config = PolicyConfig { dir: files.path().to_owned(), ..PolicyConfig::default() };
    let policy = policy::watch(&config, &ctx).await.unwrap();
    let mut rig = Rig::new().await;
    let mut config = quick();
    config.delivery.timeout_seconds = 60;
    rig.start_on(policy, config);
    rig.publish("b1", &["a"]).await;
    one.next().await;
    fs::write(&file, webhook(&entry(&other))).unwrap();
    assert_eq!(other.taken(1).await, ["a"], "what the old address did not take goes to the new one");
    assert_eq!(rig.books(&["b1"]).await.sent, 1);
    fs::write(&file, webhook("")).unwrap();
    let moved = async {
        for batch in 0.. {
            rig.publish(&format!("c{batch}"), &["c"]).await;
            if rig.metric("vedette_alerter_alerts_unrouted_total", "") > Some(0.0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), moved).await.expect("no receiver is left");
    rig.settled().await;
    stop.cancel();
}
