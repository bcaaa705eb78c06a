//! What the broker is set up as.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{
    Config as StreamConfig, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};
use vedette_bus::{Bus, ConnectError, EnsureError, Kind, NotReady, PublishError, Unavailable};
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::AlertLog;

use super::{bus, config, plain, publish, started};

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_durables_are_what_the_design_says() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.partitions = 3;
    config.ack_wait_seconds = 30;
    config.limits.cluster_messages = 77;
    bus(&config).await;
    let plain = plain(&server).await;
    let stream = async |name: &str| plain.get_stream(name).await.unwrap().cached_info().config.clone();
    let common = |stream: &StreamConfig| {
        assert_eq!(stream.storage, StorageType::File, "{}", stream.name);
        assert_eq!(stream.duplicate_window, Duration::from_secs(600), "{}", stream.name);
        assert!(stream.max_bytes > 0, "{}", stream.name);
    };
    for partition in 0..3 {
        let events = stream(&format!("VEDETTE_EVENTS_{partition}")).await;
        common(&events);
        assert_eq!(events.subjects, [format!("vedette.events.{partition}.*")]);
        assert_eq!(events.retention, RetentionPolicy::Interest);
        assert_eq!(events.discard, DiscardPolicy::New);
        assert!(events.discard_new_per_subject);
        assert_eq!(events.max_messages_per_subject, 77);
        for name in ["alert", "archive"] {
            durable(&plain, &events.name, name, 1024).await;
        }
    }
    for (name, subject, durable_name) in [
        ("VEDETTE_RESULTS_ALERT", "vedette.results.alert.*", "alerter"),
        ("VEDETTE_RESULTS_ARCHIVE", "vedette.results.archive.*", "archiver"),
    ] {
        let results = stream(name).await;
        common(&results);
        assert_eq!(results.subjects, [subject]);
        assert_eq!(results.retention, RetentionPolicy::WorkQueue);
        assert_eq!(results.discard, DiscardPolicy::New);
        durable(&plain, name, durable_name, 8192).await;
    }
    let dead = stream("VEDETTE_DEAD").await;
    common(&dead);
    assert_eq!((dead.retention, dead.discard), (RetentionPolicy::Limits, DiscardPolicy::New));
    assert_eq!(dead.subjects, ["vedette.dead.*.*"]);
    let books = stream("VEDETTE_BOOKS").await;
    common(&books);
    assert_eq!((books.retention, books.max_age), (RetentionPolicy::Limits, Duration::from_secs(30 * 24 * 3600)));
    assert_eq!(books.subjects, ["vedette.books.*.*"]);
    let alerts = stream("VEDETTE_ALERTS").await;
    common(&alerts);
    assert_eq!((alerts.retention, alerts.discard), (RetentionPolicy::Limits, DiscardPolicy::Old));
    assert_eq!((alerts.max_age, alerts.max_bytes), (Duration::from_secs(30 * 24 * 3600), 8 << 20));
    assert_eq!(alerts.subjects, ["vedette.alerts.*"]);
}

async fn durable(plain: &async_nats::jetstream::Context, stream: &str, name: &str, max_ack_pending: i64) {
    let consumer = plain.get_consumer_from_stream::<pull::Config, _, _>(name, stream).await.unwrap();
    let config = &consumer.cached_info().config;
    assert_eq!(config.durable_name.as_deref(), Some(name));
    assert_eq!(config.ack_policy, AckPolicy::Explicit);
    assert_eq!(config.ack_wait, Duration::from_secs(30));
    assert_eq!(config.max_deliver, -1);
    assert_eq!(config.max_ack_pending, max_ack_pending);
    assert_eq!(config.deliver_policy, DeliverPolicy::All);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_may_set_up_the_broker_at_once_and_again() {
    let server = NatsServer::start();
    let config = config(&server);
    let one = Bus::connect("one", &config).await.unwrap();
    let two = Bus::connect("two", &config).await.unwrap();
    let (first, second) = tokio::join!(one.ensure(), two.ensure());
    first.unwrap();
    second.unwrap();
    publish(&one, "default", "kept").await.unwrap();
    two.ensure().await.unwrap();
    assert_eq!(one.overview().await.unwrap().streams[0].messages, 1, "setting up again lost a message");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_drifted_come_back() {
    let (server, bus) = started().await;
    let plain = plain(&server).await;
    let found = plain.get_stream("VEDETTE_EVENTS_0").await.unwrap().cached_info().config.clone();
    let drifted = StreamConfig { max_bytes: 1 << 20, max_messages_per_subject: 9, ..found.clone() };
    plain.update_stream(drifted).await.unwrap();
    let consumer = plain.get_consumer_from_stream::<pull::Config, _, _>("alert", "VEDETTE_EVENTS_0").await.unwrap();
    let consumer = pull::Config {
        durable_name: Some("alert".to_owned()),
        ack_wait: Duration::from_secs(999),
        ack_policy: consumer.cached_info().config.ack_policy,
        max_deliver: -1,
        max_ack_pending: 1,
        ..pull::Config::default()
    };
    plain.create_consumer_on_stream(consumer, "VEDETTE_EVENTS_0").await.unwrap();
    bus.ensure().await.unwrap();
    let now = plain.get_stream("VEDETTE_EVENTS_0").await.unwrap().cached_info().config.clone();
    assert_eq!((now.max_bytes, now.max_messages_per_subject), (found.max_bytes, found.max_messages_per_subject));
    let now = plain.get_consumer_from_stream::<pull::Config, _, _>("alert", "VEDETTE_EVENTS_0").await.unwrap();
    let now = &now.cached_info().config;
    assert_eq!((now.ack_wait, now.max_ack_pending), (Duration::from_secs(2), 1024));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jetstream_cannot_change_is_said() {
    let server = NatsServer::start();
    let plain = plain(&server).await;
    let foreign = StreamConfig {
        name: "VEDETTE_RESULTS_ALERT".to_owned(),
        subjects: vec!["vedette.results.alert.*".to_owned()],
        ..StreamConfig::default()
    };
    plain.create_stream(foreign).await.unwrap();
    let bus = Bus::connect("test", &config(&server)).await.unwrap();
    let error = bus.ensure().await.unwrap_err();
    assert!(matches!(&error, EnsureError::Update { stream, .. } if stream == "VEDETTE_RESULTS_ALERT"), "{error:?}");
    assert!(error.to_string().contains("retention: Limits → WorkQueue"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_room_says_which_stream_does_not_fit() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.limits.events_bytes = 1 << 50;
    let bus = Bus::connect("test", &config).await.unwrap();
    let error = bus.ensure().await.unwrap_err();
    assert!(matches!(&error, EnsureError::Create { stream, .. } if stream == "VEDETTE_EVENTS_0"), "{error:?}");
}

/// As one that was set up before there was an alert log.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_room_for_the_alert_log_does_all_else() {
    let server = NatsServer::start();
    let mut config = config(&server);
    let fits = config.limits.alerts_bytes;
    config.limits.alerts_bytes = 1 << 50;
    let bus = super::bus(&config).await;
    bus.ready().await.unwrap();
    publish(&bus, "default", "b1").await.unwrap();
    let streams = bus.overview().await.unwrap().streams;
    assert!(!streams.iter().any(|stream| stream.name == "VEDETTE_ALERTS"), "{streams:?}");
    let log = AlertLog { cluster: "default".to_owned(), alerts: Vec::new() };
    let error = bus.log_alerts(&log, &["b1"], 0).await.unwrap_err();
    assert!(matches!(error, PublishError::Unavailable { reason: Unavailable::NoStream, .. }), "{error:?}");
    bus.ensure().await.unwrap();
    // Once there is room, whoever starts next makes it.
    config.limits.alerts_bytes = fits;
    super::bus(&config).await;
    bus.log_alerts(&log, &["b1"], 0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_is_not_ready_before_both_durables_wait() {
    let server = NatsServer::start();
    let bus = Bus::connect("test", &config(&server)).await.unwrap();
    assert!(matches!(bus.ready().await, Err(NotReady::Consumer { .. })));
    bus.ensure().await.unwrap();
    bus.ready().await.unwrap();
    let plain = plain(&server).await;
    plain.delete_consumer_from_stream(Kind::Archive.as_str(), "VEDETTE_EVENTS_0").await.unwrap();
    let error = bus.ready().await.unwrap_err();
    assert!(matches!(&error, NotReady::Consumer { consumer, .. } if consumer == "archive"), "{error:?}");
    bus.ensure().await.unwrap();
    bus.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_partitions_are_refused_while_one_that_is_left_over_holds_events() {
    let server = NatsServer::start();
    let mut wide = config(&server);
    wide.partitions = 2;
    let wide = bus(&wide).await;
    let cluster = (0..).map(|n| format!("c{n}")).find(|name| vedette_bus::partition(name, 2) == 1).unwrap();
    let narrow = Bus::connect("narrow", &config(&server)).await.unwrap();
    narrow.ensure().await.unwrap();
    publish(&wide, &cluster, "left").await.unwrap();
    let error = narrow.ensure().await.unwrap_err();
    assert!(matches!(&error, EnsureError::LeftOver { messages: 1, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_will_not_do_is_refused_with_what_to_do() {
    let without = NatsServer::start_with("jetstream: disabled");
    let error = Bus::connect("test", &config(&without)).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoJetStream { .. }), "{error:?}");
    assert!(error.to_string().contains("jetstream { store_dir"), "{error}");

    let small = NatsServer::start_with("max_payload: 1MB");
    let error = Bus::connect("test", &config(&small)).await.unwrap_err();
    assert!(error.to_string().contains("max_payload: 9MiB"), "{error}");

    let mut nobody = config(&small);
    nobody.url = format!("nats://127.0.0.1:{}", vedette_e2e::ports::free());
    nobody.connect_timeout_seconds = 1;
    let error = Bus::connect("test", &nobody).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_waits_for_a_broker_that_is_still_starting() {
    let mut server = NatsServer::start();
    let config = config(&server);
    server.kill();
    let connecting = tokio::spawn(async move { Bus::connect("test", &config).await });
    let _server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    })
    .await
    .unwrap();
    super::within("a connection", connecting).await.unwrap().unwrap();
}

/// An interest stream acknowledges what no durable waits for, and forgets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_made_again_drops_nothing_that_it_acknowledges() {
    let (server, bus) = started().await;
    let plain = plain(&server).await;
    for round in 0..5 {
        plain.delete_stream("VEDETTE_EVENTS_0").await.unwrap();
        let stop = AtomicBool::new(false);
        let publisher = |name: usize| {
            let (bus, stop) = (&bus, &stop);
            async move {
                let mut acknowledged = 0_u64;
                for number in 0.. {
                    if publish(bus, "default", &format!("r{round}-{name}-{number}")).await.is_ok() {
                        acknowledged += 1;
                    }
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                acknowledged
            }
        };
        let ensuring = async {
            bus.ensure().await.unwrap();
            // At least one is published once all is there.
            publish(&bus, "default", &format!("r{round}-last")).await.unwrap();
            stop.store(true, Ordering::Relaxed);
            1
        };
        let publishers = futures::future::join_all((0..8).map(publisher));
        let (last, others) = super::within("a round", futures::future::join(ensuring, publishers)).await;
        let acknowledged = last + others.into_iter().sum::<u64>();
        assert_eq!(bus.overview().await.unwrap().streams[0].messages, acknowledged, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_acknowledges_before_it_writes_is_refused() {
    let server = NatsServer::start();
    let plain = plain(&server).await;
    let hasty = StreamConfig {
        name: "VEDETTE_DEAD".to_owned(),
        subjects: vec!["vedette.dead.*.*".to_owned()],
        persist_mode: Some(PersistenceMode::Async),
        ..StreamConfig::default()
    };
    plain.create_stream(hasty).await.unwrap();
    let bus = Bus::connect("test", &config(&server)).await.unwrap();
    let error = bus.ensure().await.unwrap_err();
    assert!(matches!(&error, EnsureError::Update { stream, .. } if stream == "VEDETTE_DEAD"), "{error:?}");
    assert!(error.to_string().contains("persist_mode: Async → Default"), "{error}");
}
