//! The broker is killed and comes back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use vedette_bus::{Bus, Kind};
use vedette_e2e::NatsServer;

use super::{bus, config, publish, until};

type Ids = Arc<Mutex<BTreeSet<String>>>;

/// Publishes until told to stop; an id stays until it is known to be stored, as a sender does that retries.
async fn publisher(bus: Bus, acknowledged: Ids, stop: Arc<AtomicBool>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = format!("b{number}");
        if publish(&bus, "default", &id).await.is_ok() {
            acknowledged.lock().unwrap().insert(id);
            number += 1;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

async fn puller(bus: Bus, kind: Kind, seen: Ids) {
    let mut deliveries = bus.events(kind);
    while let Some(delivery) = deliveries.next().await {
        seen.lock().unwrap().insert(delivery.batch.clone());
        // Not confirmed, it comes again.
        let _ = delivery.ack().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_again_and_again_loses_nothing_acknowledged() {
    let mut server = NatsServer::start();
    let bus = bus(&config(&server)).await;
    let (acknowledged, stop) = (Ids::default(), Arc::new(AtomicBool::new(false)));
    let (alert, archive) = (Ids::default(), Ids::default());
    let publishing = tokio::spawn(publisher(bus.clone(), Arc::clone(&acknowledged), Arc::clone(&stop)));
    let pulling = [(Kind::Alert, &alert), (Kind::Archive, &archive)]
        .map(|(kind, seen)| tokio::spawn(puller(bus.clone(), kind, Arc::clone(seen))));
    let count = |ids: &Ids| ids.lock().unwrap().len();
    for _ in 0..3 {
        let (before, seen) = (count(&acknowledged), count(&alert));
        until("traffic", async || count(&acknowledged) > before + 20 && count(&alert) > seen + 20).await;
        server = tokio::task::spawn_blocking(move || {
            server.kill();
            server.start_again();
            server
        })
        .await
        .unwrap();
    }
    let before = count(&acknowledged);
    until("traffic after the last kill", async || count(&acknowledged) > before + 20).await;
    stop.store(true, Ordering::Relaxed);
    publishing.await.unwrap();
    let sent = acknowledged.lock().unwrap().clone();
    for seen in [&alert, &archive] {
        until("all that was acknowledged", async || seen.lock().unwrap().is_superset(&sent)).await;
    }
    for task in pulling {
        task.abort();
    }
}

/// Requests of a connection die with it. Waiting for them to run out would hold up alerts for ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_puller_goes_on_at_once_after_a_restart() {
    let mut server = NatsServer::start();
    let bus = bus(&config(&server)).await;
    let seen = Ids::default();
    let pulling = {
        let (bus, seen) = (bus.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let mut deliveries = bus.events(Kind::Alert);
            while let Some(delivery) = deliveries.next().await {
                // Both may come twice: an acknowledgement may be lost with the broker, or come too late for it.
                seen.lock().unwrap().insert(delivery.batch.clone());
                let _ = delivery.ack().await;
            }
        })
    };
    publish(&bus, "default", "before").await.unwrap();
    assert!(bus.connection_other_than(false).await);
    until("the first", async || seen.lock().unwrap().contains("before")).await;
    server.kill();
    assert!(!super::within("the connection to be missed", bus.connection_other_than(true)).await);
    server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    })
    .await
    .unwrap();
    assert!(super::within("the connection", bus.connection_other_than(false)).await);
    until("the broker to take messages", async || publish(&bus, "default", "after").await.is_ok()).await;
    let second = until("the second", async || seen.lock().unwrap().contains("after"));
    assert!(tokio::time::timeout(Duration::from_secs(5), second).await.is_ok(), "it waited for a request to run out");
    pulling.abort();
    drop(server);
}
