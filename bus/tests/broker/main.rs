//! The bus on a real nats-server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod dead;
mod pulling;
mod reading;
mod refusing;
mod restarting;
mod topology;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use vedette_bus::{Bus, Config, Delivery, PublishError, Published, encode};
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::{Event, EventBatch, IngestCounts};

/// Far more than any step should take: what waits this long has failed.
const LIMIT: Duration = Duration::from_secs(60);

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Waits until `check` holds.
async fn until<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    within(what, async {
        while !check().await {
            ticks.tick().await;
        }
    })
    .await;
}

/// Small limits, so that setting room aside never fails, and a short wait for acknowledgements.
fn config(server: &NatsServer) -> Config {
    let mut config = Config { url: server.url(), ack_wait_seconds: 2, ..Config::default() };
    let limits = &mut config.limits;
    (limits.events_bytes, limits.results_bytes) = (64 << 20, 64 << 20);
    (limits.dead_bytes, limits.books_bytes, limits.alerts_bytes) = (16 << 20, 16 << 20, 8 << 20);
    config
}

async fn bus(config: &Config) -> Bus {
    let bus = Bus::connect("test", config).await.unwrap();
    bus.ensure().await.unwrap();
    bus
}

async fn started() -> (NatsServer, Bus) {
    let server = NatsServer::start();
    let bus = bus(&config(&server)).await;
    (server, bus)
}

/// A client that knows nothing of the bus.
async fn plain(server: &NatsServer) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

fn batch(cluster: &str, payload: impl Into<Bytes>) -> EventBatch {
    let event = Event { id: Bytes::from_static(&[1; 16]), json: payload.into() };
    EventBatch { cluster: cluster.to_owned(), received_unix_nanos: 1, generation: 1, events: vec![event] }
}

fn counts() -> IngestCounts {
    let dropped = [("level_none".to_owned(), 2)].into();
    IngestCounts { received: 3, published: 1, dropped, ..IngestCounts::default() }
}

async fn publish(bus: &Bus, cluster: &str, id: &str) -> Result<Published, PublishError> {
    publish_bytes(bus, cluster, id, b"{}".to_vec()).await
}

async fn publish_bytes(bus: &Bus, cluster: &str, id: &str, payload: Vec<u8>) -> Result<Published, PublishError> {
    let packed = encode(&batch(cluster, payload));
    bus.publish_events(cluster, id, &counts(), packed, Duration::from_secs(10)).await
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

async fn next<T>(deliveries: &mut BoxStream<'static, Delivery<T>>) -> Delivery<T> {
    within("a delivery", deliveries.next()).await.unwrap()
}
