//! The subscribers of all operators: each writes down its own, the leader counts them together.
//!
//! A note, ConfigMap `vedette-subscribers-<operator>`, is written when something changed and every half minute otherwise. One that is
//! seen unchanged for longer is of an operator that is gone; time is the reader's own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::subscribers::{Subscriber, Subscribers};

const LABEL: &str = "auditing.vedette.io/subscribers";
const FIELD: &str = "subscribers";
/// How often an unchanged note is written again.
const RENEWAL: Duration = Duration::from_secs(30);
/// When a note that is not renewed counts no more.
const STALE: Duration = Duration::from_secs(75);
/// How long changes are gathered before they are written.
const PAUSE: Duration = Duration::from_millis(250);

/// What the other operators have written down. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    notes: Arc<Mutex<HashMap<String, Note>>>,
    changes: watch::Sender<u64>,
}

/// What an operator has written down, and when that was seen.
type Note = (Vec<Subscriber>, Instant);

impl Fleet {
    /// The subscribers of this operator, `own`, and of all others, each once.
    pub fn all(&self, own: &Subscribers) -> Vec<Subscriber> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = notes.values().filter(|(_, seen)| seen.elapsed() < STALE).flat_map(|(all, _)| all.iter().cloned());
        let mut latest: BTreeMap<(String, String), Subscriber> = BTreeMap::new();
        for subscriber in fresh.chain(own.all()) {
            let key = (subscriber.service.clone(), subscriber.name.clone());
            let newer = latest.get(&key).is_none_or(|it| it.connected_ms <= subscriber.connected_ms);
            if newer {
                latest.insert(key, subscriber);
            }
        }
        latest.into_values().collect()
    }

    /// Changes whenever another operator has written something.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn note(&self, operator: &str, subscribers: Option<Vec<Subscriber>>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = match subscribers {
            Some(all) => notes.insert(operator.to_owned(), (all.clone(), Instant::now())).is_none_or(|it| it.0 != all),
            None => notes.remove(operator).is_some(),
        };
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }
}

/// Writes down who subscribes at this operator, `identity`, until `shutdown`, and then that nobody does.
pub async fn write(maps: Api<ConfigMap>, identity: String, own: Subscribers, shutdown: CancellationToken) {
    let name = format!("vedette-subscribers-{identity}");
    let mut changes = own.changes();
    while !shutdown.is_cancelled() {
        if let Err(error) = put(&maps, &name, &own.all()).await {
            tracing::debug!(%error, "could not write down the subscribers");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = tokio::time::timeout(RENEWAL, changes.changed()) => tokio::time::sleep(PAUSE).await,
        }
    }
    let params = DeleteParams::default();
    let _ = tokio::time::timeout(PAUSE * 4, maps.delete(&name, &params)).await;
}

async fn put(maps: &Api<ConfigMap>, name: &str, subscribers: &[Subscriber]) -> Result<(), kube::Error> {
    let text = serde_json::to_string(subscribers).map_err(kube::Error::SerdeError)?;
    let note = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([(LABEL.to_owned(), "true".to_owned())])),
            // An unchanged object is not written at all, and nobody would see that it was renewed.
            annotations: Some(BTreeMap::from([(
                "auditing.vedette.io/renewed".to_owned(),
                jiff::Timestamp::now().to_string(),
            )])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(FIELD.to_owned(), text)])),
        ..ConfigMap::default()
    };
    let params = PatchParams::apply("vedette-operator").force();
    maps.patch(name, &params, &Patch::Apply(&note)).await.map(|_| ())
}

/// Reads what the other operators write down until `shutdown`; `identity` is this one.
pub async fn read(maps: Api<ConfigMap>, identity: String, fleet: Fleet, shutdown: CancellationToken) {
    let own = format!("vedette-subscribers-{identity}");
    let config = watcher::Config::default().labels(LABEL);
    let mut stream = Box::pin(watcher(maps, config).default_backoff().take_until(shutdown.cancelled_owned()));
    loop {
        match stream.try_next().await {
            Ok(Some(watcher::Event::Apply(map) | watcher::Event::InitApply(map))) => {
                let name = map.metadata.name.unwrap_or_default();
                let text = map.data.and_then(|mut data| data.remove(FIELD)).unwrap_or_default();
                if name != own {
                    fleet.note(&name, serde_json::from_str(&text).ok());
                }
            }
            Ok(Some(watcher::Event::Delete(map))) => fleet.note(&map.metadata.name.unwrap_or_default(), None),
            Ok(Some(watcher::Event::Init | watcher::Event::InitDone)) => {}
            Ok(None) => return,
            Err(error) => tracing::warn!(%error, "could not watch the other operators; trying again"),
        }
    }
}
