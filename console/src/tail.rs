//! The results that pass by, for those who watch.
//!
//! One subscription serves all who watch, and there is none while nobody does. It takes nothing from the archiver: results are
//! published once, and a plain subscriber sees them pass.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::StreamExt;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use vedette_audit::{Document, EventId};
use vedette_bus::Bus;
use vedette_proto::bus::v1::ArchiveResult;

use crate::failure::Failure;

/// Results that wait for the slowest who watches.
const WAITING: usize = 64;
/// Who may watch at a time.
const MOST: usize = 64;
/// Of them, one caller.
const MOST_OF_ONE: usize = 8;

/// The documents of one result.
pub(crate) type Passed = Arc<Vec<Document>>;

/// Where to watch.
pub(crate) struct Tail {
    bus: watch::Receiver<Option<Bus>>,
    stop: CancellationToken,
    /// While somebody watches.
    open: Mutex<Weak<Open>>,
    /// How many are watching for each owner.
    owners: Owners,
}

type Owners = Arc<Mutex<HashMap<String, usize>>>;

struct Open {
    results: broadcast::Sender<Passed>,
    _reader: DropGuard,
}

/// Somebody who watches.
pub(crate) struct Watching {
    results: broadcast::Receiver<Passed>,
    stop: CancellationToken,
    _open: Arc<Open>,
    owner: String,
    owners: Owners,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = owners.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                owners.remove(&self.owner);
            }
        }
    }
}

impl Tail {
    pub(crate) fn new(bus: watch::Receiver<Option<Bus>>, stop: CancellationToken) -> Self {
        Self { bus, stop, open: Mutex::new(Weak::new()), owners: Owners::default() }
    }

    /// Begins to watch.
    pub(crate) fn watch(&self, owner: &str) -> Result<Watching, Failure> {
        let Some(bus) = self.bus.borrow().clone() else { return Err(Failure::unavailable("the broker is away")) };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let there = open.upgrade().unwrap_or_else(|| {
            let (results, _) = broadcast::channel(WAITING);
            let reading = self.stop.child_token();
            tokio::spawn(read(bus, results.clone(), reading.clone()));
            Arc::new(Open { results, _reader: reading.drop_guard() })
        });
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let own = owners.get(owner).copied().unwrap_or_default();
        if there.results.receiver_count() >= MOST || own >= MOST_OF_ONE {
            return Err(Failure::unavailable("too many are watching: close another tail"));
        }
        owners.insert(owner.to_owned(), own + 1);
        drop(owners);
        *open = Arc::downgrade(&there);
        let (results, stop, owners) = (there.results.subscribe(), self.stop.clone(), Arc::clone(&self.owners));
        Ok(Watching { results, stop, _open: there, owner: owner.to_owned(), owners })
    }
}

impl Watching {
    /// The next documents; how many results were missed; or the end.
    pub(crate) async fn next(&mut self) -> Result<Passed, RecvError> {
        tokio::select! {
            () = self.stop.cancelled() => Err(RecvError::Closed),
            next = self.results.recv() => next,
        }
    }
}

async fn read(bus: Bus, results: broadcast::Sender<Passed>, stop: CancellationToken) {
    let mut passing = bus.passing_archive_results();
    loop {
        let result = tokio::select! {
            () = stop.cancelled() => return,
            result = passing.next() => result,
        };
        let Some(result) = result else { return };
        let documents = tokio::task::spawn_blocking(move || documents(result)).await;
        // Nobody may be watching by now.
        let _ = documents.map(|documents| results.send(Arc::new(documents)));
    }
}

fn documents(result: ArchiveResult) -> Vec<Document> {
    let document = |event: vedette_proto::bus::v1::ArchiveMatch| {
        let id = EventId::from_bytes(event.id.as_ref().try_into().ok()?);
        Document::build(id, &event.json, &event.rules, result.received_unix_nanos).ok()
    };
    result.matches.into_iter().filter_map(document).collect()
}
