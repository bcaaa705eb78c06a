//! The same under fire: each service and the broker are killed (-9) and started again in turn while events come in.
//!
//! Nothing that was answered 200 may be missing, nothing may be stored twice, and the books must balance. What is killed when
//! comes from a seed that is printed; `VEDETTE_CHAOS_SEED` sets it, `VEDETTE_CHAOS_ROUNDS` says how many rounds there are.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, interval, sleep};
use vedette_e2e::Engine;

use crate::sample::{self, Alert, Expected, List};
use crate::sender::Sender;
use crate::stack::Stack;
use crate::{alerts, pipeline};

const SEED: u64 = 20_261_122;
/// Between two lists: about the 4,000 events a second that a kube-apiserver sends at most.
const PACE: Duration = Duration::from_millis(23);
const CONCURRENT: usize = 4;
const ROUND: Duration = Duration::from_secs(240);
const SETTLE: Duration = Duration::from_secs(180);
/// Between two looks at the Alertmanager, which tells no more of an alert five minutes after it was sent.
const LOOK: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_loses_nothing_and_stores_nothing_twice_with_a_search_engine() {
    for seed in seeds() {
        let engine = if seed % 2 == 0 { Engine::OpenSearch } else { Engine::Es9 };
        round(Some(engine), seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_loses_nothing_and_stores_nothing_twice_with_the_embedded_archive() {
    for seed in seeds() {
        round(None, seed).await;
    }
}

fn seeds() -> impl Iterator<Item = u64> {
    let number =
        |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap());
    let first = number("VEDETTE_CHAOS_SEED").unwrap_or(SEED);
    first..first + number("VEDETTE_CHAOS_ROUNDS").unwrap_or(1)
}

async fn round(engine: Option<Engine>, seed: u64) {
    eprintln!("chaos: seed {seed}, {}", engine.map_or("embedded", Engine::name));
    let (lists, expected) = (Arc::new(sample::lists()), Expected::load("demo"));
    let mut stack = Stack::start(engine, &expected.settings);
    let sender = Sender::new(stack.ingest_urls());
    let (done, clusters) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = tokio::spawn(load(sender.clone(), lists.clone(), done.clone(), clusters.clone()));
    let held = Arc::new(Mutex::new(BTreeSet::new()));
    let mut background = tokio::task::JoinSet::new();
    background.spawn(look(stack.client.clone(), stack.alertmanager.url(), held.clone()));

    kill_each_in_turn(&mut stack, &sender, &load, seed).await;
    done.store(true, Ordering::Release);
    load.await.unwrap();

    let count = clusters.load(Ordering::Acquire) as u64;
    let names: Vec<_> = (1..=count).map(cluster).collect();
    eprintln!(
        "chaos: {} events answered 200, {} attempts not, {} kills",
        count * expected.received,
        sender.refused.load(Ordering::Relaxed),
        stack.services.len() + 1
    );
    let total = stack.settled(count * expected.received, SETTLE).await;
    assert_eq!(total["archive"]["stored"], count * expected.stored, "{total:#}");
    assert_eq!(total["archive"]["ignored"], count * expected.ignored, "{total:#}");
    assert_eq!((&total["archive"]["duplicate"], &total["archive"]["rejected"]), (&0.into(), &0.into()), "{total:#}");
    assert_eq!(total["alert"]["sent"], count * expected.alerts_sent(), "{total:#}");

    pipeline::holds_exactly(&stack, &expected.stored_events(&lists), &names).await;
    let wanted = names.iter().flat_map(|name| expected.alerts.iter().flatten().map(|alert| of_cluster(alert, name)));
    let wanted = pipeline::sorted(wanted.collect());
    background.shutdown().await;
    let mut held = std::mem::take(&mut *held.lock().unwrap());
    held.extend(alerts::held(&stack.client, &stack.alertmanager.url()).await);
    assert_eq!(held.into_iter().collect::<Vec<_>>(), wanted);
}

/// Gathers the alerts that the Alertmanager holds over time; dropped at the end.
async fn look(client: reqwest::Client, url: String, held: Arc<Mutex<BTreeSet<Alert>>>) {
    loop {
        let now = alerts::held(&client, &url).await;
        held.lock().unwrap().extend(now);
        sleep(LOOK).await;
    }
}

/// Kills every service and the broker once each, in an order and at moments that the seed says.
async fn kill_each_in_turn(stack: &mut Stack, sender: &Sender, load: &tokio::task::JoinHandle<()>, seed: u64) {
    let mut random = Random(seed);
    let broker = stack.services.len();
    let mut targets: Vec<_> = (0..=broker).collect();
    random.shuffle(&mut targets);
    let end = Instant::now() + ROUND;
    let attempts = || sender.accepted.load(Ordering::Relaxed) + sender.refused.load(Ordering::Relaxed);
    for target in targets {
        // Moments are measured in the sender's progress, so that every kill meets load.
        let alive_for = attempts() + 4 + random.below(12);
        progress(attempts, alive_for, load, end).await;
        let name = stack.names.get(target).map_or("nats-server", String::as_str);
        eprintln!("chaos: kill {name} after {} lists", sender.accepted.load(Ordering::Relaxed));
        tokio::task::block_in_place(|| match stack.services.get_mut(target) {
            Some(service) => service.kill(),
            None => stack.nats.kill(),
        });
        progress(attempts, attempts() + random.below(12), load, end).await;
        tokio::task::block_in_place(|| match stack.services.get_mut(target) {
            Some(service) => {
                service.start_again();
                service.wait_ready();
            }
            None => stack.nats.start_again(),
        });
    }
}

/// Waits until the sender has made so many attempts.
async fn progress(attempts: impl Fn() -> usize, wanted: usize, load: &tokio::task::JoinHandle<()>, end: Instant) {
    while attempts() < wanted {
        assert!(!load.is_finished(), "the sender gave up");
        assert!(Instant::now() < end, "the sender makes no progress");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Sends the whole sample for one cluster after the other, until told to stop after the one that it is at.
async fn load(sender: Sender, lists: Arc<Vec<List>>, done: Arc<AtomicBool>, clusters: Arc<AtomicUsize>) {
    let end = Instant::now() + ROUND;
    let permits = Arc::new(Semaphore::new(CONCURRENT));
    let mut pace = interval(PACE);
    let mut tasks = tokio::task::JoinSet::new();
    let mut number = 0;
    while !done.load(Ordering::Acquire) {
        number += 1;
        for i in 0..lists.len() {
            pace.tick().await;
            let permit = permits.clone().acquire_owned().await.unwrap();
            let (sender, lists) = (sender.clone(), lists.clone());
            tasks.spawn(async move {
                let path = format!("/audit/webhook/event/{}", cluster(number));
                sender.deliver(&path, &lists[i].body, end).await;
                drop(permit);
            });
            while let Some(ended) = tasks.try_join_next() {
                ended.unwrap();
            }
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    clusters.store(number as usize, Ordering::Release);
}

fn cluster(number: u64) -> String {
    format!("cluster-{number}")
}

fn of_cluster(alert: &Alert, cluster: &str) -> Alert {
    let mut alert = alert.clone();
    alert.labels.insert("cluster".to_owned(), cluster.to_owned());
    alert
}

/// Splitmix64: the same numbers for a seed everywhere and always.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
