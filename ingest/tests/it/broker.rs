//! A broker that is away, slow, full or emptied, and senders that send again.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::timeout;
use vedette_bus::Kind;
use vedette_e2e::NatsServer;
use vedette_ingest::config::Durability;

use crate::rig::{Answer, PATH, PATIENCE, Rig, begin, list};

#[track_caller]
fn check_unavailable(answer: &Answer, words: &str) {
    answer.check(503, words);
    assert_eq!(answer.json["reason"], "ServiceUnavailable");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_sent_again_is_stored_once() {
    let rig = Rig::start(|_, _| {}).await;
    let body = list("items", "a", 30, 100_000);
    assert_eq!(rig.post(body.clone()).await.events("published"), 30);
    let stored = rig.stored().await;
    assert_eq!(stored, 3, "ten events of 100 kB make a message");
    let again = rig.post(body.clone()).await;
    assert_eq!((again.events("received"), again.events("duplicate"), again.events("published")), (30, 30, 0));
    assert_eq!(rig.stored().await, stored);
    assert_eq!(rig.post_to(&format!("{PATH}/member-1"), body).await.events("published"), 30, "another cluster's");
    assert_eq!(rig.metric("duplicate_total", &[]), 30.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_take_effect_at_once_and_move_no_cut() {
    let rig = Rig::start(|_, _| {}).await;
    let body = list("items", "a", 30, 100_000);
    assert_eq!(rig.post(body.clone()).await.events("published"), 30);
    rig.set_policy("None", true);
    let mut probe = 0;
    rig.until("the level None", async |rig| {
        probe += 1;
        rig.post(list("items", &format!("none-{probe}"), 1, 0)).await.events("dropped") == 1
    })
    .await;
    assert_eq!(rig.post(body.clone()).await.events("duplicate"), 30);
    rig.set_policy("Request", false);
    rig.until("Kubernetes' events to be off", async |rig| {
        probe += 1;
        rig.post(list("items", &format!("off-{probe}"), 1, 0)).await;
        rig.metric("dropped_total", &["k8s_auditing_disabled"]) >= 1.0
    })
    .await;
    assert_eq!(rig.post(body).await.events("duplicate"), 30);
    assert_eq!(rig.post(list("Items", "b", 1, 0)).await.events("published"), 1, "KubeSphere's own are not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_said_to_be_and_nothing_is_lost() {
    let mut rig = Rig::start(|config, _| config.limits.publish_milliseconds = 2000).await;
    rig.nats.kill();
    let (kubernetes, kubesphere) = (list("items", "a", 3, 0), list("Items", "b", 2, 0));
    let begun = std::time::Instant::now();
    check_unavailable(&rig.post(kubernetes.clone()).await, "the broker");
    assert!(begun.elapsed() < Duration::from_secs(10), "a sender waits no longer than it must");
    check_unavailable(&rig.post(kubesphere).await, "the broker");
    check_unavailable(&rig.post(r#"{"items":[null]}"#).await, "the broker");
    assert_eq!(rig.metric("sender_lost_total", &[]), 2.0, "KubeSphere never sends again");
    assert_eq!(rig.metric("received_total", &[]), 0.0);
    rig.nats.start_again();
    rig.until("the broker to be taken for there", async |rig| rig.post(kubernetes.clone()).await.status == 200).await;
    assert_eq!(rig.messages(1).await[0].counts.published, 3);
    assert_eq!(rig.stored().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_broker_is_said_to_be_full() {
    let rig = Rig::start(|config, _| config.nats.limits.events_bytes = 100_000).await;
    let mut answers = Vec::new();
    for index in 0..200 {
        // Not to be compressed: every event has an id of its own.
        let answer = rig.post(list("items", &format!("fill-{index}"), 200, 0)).await;
        if answer.status != 200 {
            answers.push(answer);
            break;
        }
    }
    check_unavailable(answers.last().expect("a full stream"), "the broker is full");
    rig.post("{\"items\":[]}").await.check(200, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flooding_cluster_fills_its_own_share_alone() {
    let rig = Rig::start(|config, _| config.nats.limits.cluster_messages = 2).await;
    let path = |cluster: &str| format!("{PATH}/{cluster}");
    for mark in ["a", "b"] {
        rig.post_to(&path("flood"), list("items", mark, 1, 0)).await.check(200, "");
    }
    let answer = rig.post_to(&path("flood"), list("items", "c", 1, 0)).await;
    answer.check(429, "of this cluster");
    assert_ne!(answer.header("retry-after"), "");
    rig.post_to(&path("calm"), list("items", "a", 1, 0)).await.check(200, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_of_dead_letters_stops_bad_events_and_not_good_ones() {
    let rig = Rig::start(|config, _| config.nats.limits.dead_bytes = 2000).await;
    let mut last = None;
    for index in 0..50 {
        let answer = rig.post(format!(r#"{{"items":["bad {index}"]}}"#)).await;
        if answer.status != 200 {
            last = Some(answer);
            break;
        }
    }
    check_unavailable(&last.expect("a full stream"), "the broker is full");
    rig.post(list("items", "good", 1, 0)).await.check(200, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_while_the_consumers_are_gone() {
    let rig = Rig::start(|_, _| {}).await;
    let client = async_nats::connect(rig.nats.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    rig.post(list("items", "before", 1, 0)).await.check(200, "");
    for _ in 0..2 {
        // The streams and durables are made again, and until then nobody is told 200.
        jetstream.delete_stream("VEDETTE_EVENTS_0").await.unwrap();
        check_unavailable(&rig.post(list("items", "gone", 1, 0)).await, "the broker");
        rig.until("the streams to be there again", async |rig| {
            rig.post(list("items", "back", 1, 0)).await.status == 200
        })
        .await;
        assert_eq!(rig.stored().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_gone_comes_back_and_misses_nothing_after() {
    let rig = Rig::start(|_, _| {}).await;
    let client = async_nats::connect(rig.nats.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    jetstream.delete_consumer_from_stream("archive", "VEDETTE_EVENTS_0").await.unwrap();
    let bus = rig.bus().await;
    rig.until("the consumer to be there again", async |_| bus.ready().await.is_ok()).await;
    rig.until("events to be taken", async |rig| rig.post(list("items", "next", 1, 0)).await.status == 200).await;
    for kind in [Kind::Archive, Kind::Alert] {
        let delivery = timeout(PATIENCE, bus.events(kind).next()).await.expect("a message in time").unwrap();
        assert_eq!(delivery.counts.published, 1);
        delivery.ack().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_is_said_to_be_unavailable_in_time() {
    let rig = Rig::start(|config, _| config.limits.publish_milliseconds = 1000).await;
    rig.nats.pause();
    let kubernetes = list("items", "k", 3, 0);
    for (body, lost) in [(kubernetes.clone(), 0.0), (list("Items", "s", 2, 0), 2.0)] {
        let begun = std::time::Instant::now();
        check_unavailable(&rig.post(body).await, "the broker");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(rig.metric("sender_lost_total", &[]), lost, "KubeSphere never sends again");
    }
    assert_eq!(rig.metric("received_total", &[]), 0.0);
    rig.nats.resume();
    rig.until("the broker to answer", async |rig| rig.post(kubernetes.clone()).await.status == 200).await;
    assert_eq!(rig.post(kubernetes).await.events("duplicate"), 3);
    // KubeSphere's list may have been stored after all.
    let stored = usize::try_from(rig.stored().await).unwrap();
    let messages = rig.messages(stored).await;
    let copies = messages.iter().filter(|message| message.counts.published == 3).count();
    assert_eq!(copies, 1, "of {stored} messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_after_its_sender_hung_up_is_not_lost() {
    let rig = Rig::start_plain(|_| {}).await;
    rig.nats.pause();
    let body = list("Items", "a", 4, 200_000);
    let mut stream = rig.connect().await;
    begin(&mut stream, body.len(), "", &body).await;
    // Packed, it is small: nobody else is refused for what it was before.
    let held = async |rig: &Rig| rig.metric("in_flight_bytes", &[]);
    rig.until("the body to be read", async |rig| {
        rig.metric("received_bytes_total", &[]) == body.len() as f64 && held(rig).await < 20_000.0
    })
    .await;
    drop(stream);
    rig.until("the connection to be missed", async |rig| rig.metric("connections", &[]) == 0.0).await;
    rig.nats.resume();
    rig.until("the events to be stored", async |rig| rig.metric("received_total", &[]) == 4.0).await;
    rig.until("all to be given back", async |rig| held(rig).await == 0.0).await;
    assert_eq!((rig.metric("sender_lost_total", &[]), rig.stored().await), (0.0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_sender_does_not_wait_for_is_lost_if_it_is_not_stored() {
    let rig = Rig::start_plain(|config| config.limits.publish_milliseconds = 500).await;
    rig.nats.pause();
    let body = list("Items", "a", 4, 0);
    let mut stream = rig.connect().await;
    begin(&mut stream, body.len(), "", &body).await;
    rig.until("the body to be read", async |rig| rig.metric("received_bytes_total", &[]) == body.len() as f64).await;
    drop(stream);
    rig.until("the loss to be counted", async |rig| rig.metric("sender_lost_total", &[]) == 4.0).await;
    // One that hangs up in the middle of its list has lost what was read of it.
    let mut stream = rig.connect().await;
    begin(&mut stream, body.len(), "", &body[..body.len() - 3]).await;
    rig.until("the body to be read", async |rig| {
        rig.metric("received_bytes_total", &[]) == (2 * body.len() - 3) as f64
    })
    .await;
    drop(stream);
    rig.until("the loss to be counted", async |rig| rig.metric("sender_lost_total", &[]) == 7.0).await;
    rig.nats.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_says_what_a_200_is_worth() {
    let store = tempfile::tempdir().unwrap();
    let later =
        format!("jetstream {{ store_dir: {:?}, sync_interval: \"2m\", max_file: 16GB }}", store.path().join("store"));
    // What it says counts more than what is configured; where it is not there, the latter does.
    for (extra, asked, configured, said) in [
        ("", true, Durability::Interval, "synced"),
        (later.as_str(), true, Durability::Synced, "interval"),
        ("", false, Durability::Interval, "interval"),
    ] {
        let nats = NatsServer::start_with(extra);
        let monitor = if asked { nats.monitor().to_string() } else { "127.0.0.1:1".to_owned() };
        let rig = Rig::start_on(nats, |config, _| {
            config.monitor_url = Some(format!("http://{monitor}/"));
            config.durability = configured;
        })
        .await;
        let services = rig.bus().await.services().await.unwrap();
        assert_eq!((services.len(), services[0].metadata["durability"].as_str()), (1, said), "{extra}");
    }
}
