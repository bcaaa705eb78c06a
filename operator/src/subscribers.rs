//! Who subscribes to the rules at this operator, and what is in force there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The service that holds events against rules, whose copies the resources' status counts.
pub const EVALUATOR: &str = "evaluator";

/// A subscriber as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscriber {
    /// What tells it from others of its service.
    pub name: String,
    /// `ingest`, `evaluator`, `alerter`, `console` …
    pub service: String,
    /// Of its program.
    pub version: String,
    /// In force there; 0 if nothing is.
    pub generation: u64,
    /// How many rules are in force there.
    pub rules: u64,
    /// Milliseconds since the Unix epoch since when it lacks a generation that there is; `None` while it does not.
    pub behind_since_ms: Option<i64>,
    /// Why it refused what it was sent last; empty if it did not.
    pub last_error: String,
    /// Milliseconds since the Unix epoch.
    pub connected_ms: i64,
}

/// The subscribers that are connected to this operator. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Subscribers {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    connected: Mutex<BTreeMap<u64, Subscriber>>,
    next: AtomicU64,
    changes: watch::Sender<u64>,
}

/// A connected subscriber; dropping it says that it is gone.
#[derive(Debug)]
pub struct Connected {
    id: u64,
    all: Subscribers,
}

impl Subscribers {
    /// Notes that one has connected.
    pub fn connect(&self, subscriber: Subscriber) -> Connected {
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        self.change(|connected| {
            connected.insert(id, subscriber);
        });
        Connected { id, all: self.clone() }
    }

    /// All that are connected. One that has come back before its old connection was seen to be gone is there once.
    pub fn all(&self) -> Vec<Subscriber> {
        let connected = self.inner.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latest: BTreeMap<(&str, &str), &Subscriber> = BTreeMap::new();
        for subscriber in connected.values() {
            latest.insert((&subscriber.service, &subscriber.name), subscriber);
        }
        latest.into_values().cloned().collect()
    }

    /// Changes whenever something does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<u64, Subscriber>)) {
        change(&mut self.inner.connected.lock().unwrap_or_else(PoisonError::into_inner));
        self.inner.changes.send_modify(|count| *count += 1);
    }
}

impl Connected {
    /// Reads what is known of it.
    pub fn read<T: Default>(&self, read: impl FnOnce(&Subscriber) -> T) -> T {
        let connected = self.all.inner.connected.lock().unwrap_or_else(PoisonError::into_inner);
        connected.get(&self.id).map(read).unwrap_or_default()
    }

    /// Notes what is new about it.
    pub fn update(&self, update: impl FnOnce(&mut Subscriber)) {
        self.all.change(|connected| {
            if let Some(subscriber) = connected.get_mut(&self.id) {
                update(subscriber);
            }
        });
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.all.change(|connected| {
            connected.remove(&self.id);
        });
    }
}

/// How many evaluators there are, and how many of them have at least `generation` in force.
pub fn evaluators<'a>(all: impl IntoIterator<Item = &'a Subscriber>, generation: u64) -> (usize, usize) {
    let evaluators = all.into_iter().filter(|it| it.service == EVALUATOR);
    evaluators.fold((0, 0), |(total, have), it| (total + 1, have + usize::from(it.generation >= generation)))
}
