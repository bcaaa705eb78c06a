//! The subscribers of all operators: each writes down its own, the leader counts them together.
//!
//! A note, ConfigMap `vedette-subscribers-<operator>`, is written when something changed and every ten seconds otherwise. One that is
//! seen unchanged for longer is of an operator that is gone, and is deleted by whoever sees that; time is the reader's own. A note holds
//! what fits: reasons are cut, and subscribers beyond its size left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::reconcile::said;
use crate::subscribers::{Subscriber, Subscribers};

const LABEL: &str = "auditing.vedette.io/subscribers";
const FIELD: &str = "subscribers";
const PREFIX: &str = "vedette-subscribers-";
/// The most that a note holds, in bytes; a ConfigMap holds 1 MiB.
const NOTE: usize = 768 * 1024;
/// How much of a reason is noted, in bytes.
const REASON: usize = 200;
/// How often an unchanged note is written again.
const RENEWAL: Duration = Duration::from_secs(10);
/// When a note that is not renewed counts no more.
const STALE: Duration = Duration::from_secs(25);
/// When it is deleted, and how often that is looked at.
const GONE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_secs(60);
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
    let name = format!("{PREFIX}{identity}");
    let mut changes = own.changes();
    let mut left_out = 0;
    let mut failing = false;
    while !shutdown.is_cancelled() {
        let (text, left) = note(own.all());
        if left > 0 && left_out == 0 {
            tracing::warn!(
                subscribers = left,
                "there are more subscribers than can be written down for other operators"
            );
        }
        left_out = left;
        match put(&maps, &name, text).await {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!(error = said(&error), "could not write down the subscribers"),
            Err(error) => {
                failing = true;
                tracing::warn!(error = said(&error), "could not write down the subscribers; trying again");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = tokio::time::timeout(RENEWAL, changes.changed()) => tokio::time::sleep(PAUSE).await,
        }
    }
    let params = DeleteParams::default();
    let _ = tokio::time::timeout(PAUSE * 4, maps.delete(&name, &params)).await;
}

/// What is written down, and how many subscribers do not fit into it.
fn note(subscribers: Vec<Subscriber>) -> (String, usize) {
    let mut text = String::from("[");
    let mut left_out = 0;
    for mut subscriber in subscribers {
        subscriber.last_error.truncate(subscriber.last_error.floor_char_boundary(REASON));
        match serde_json::to_string(&subscriber) {
            Ok(one) if text.len() + one.len() < NOTE => {
                if text.len() > 1 {
                    text.push(',');
                }
                text += &one;
            }
            _ => left_out += 1,
        }
    }
    text.push(']');
    (text, left_out)
}

async fn put(maps: &Api<ConfigMap>, name: &str, text: String) -> Result<(), kube::Error> {
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
    let own = format!("{PREFIX}{identity}");
    let mut seen = Seen::default();
    let mut look = tokio::time::interval(LOOK);
    let config = watcher::Config::default().labels(LABEL);
    let mut stream = Box::pin(watcher(maps.clone(), config).default_backoff().take_until(shutdown.cancelled_owned()));
    loop {
        let event = tokio::select! {
            event = stream.try_next() => event,
            _ = look.tick() => {
                clear(&maps, &mut seen).await;
                continue;
            }
        };
        match event {
            Ok(Some(watcher::Event::Apply(map) | watcher::Event::InitApply(map))) => {
                let name = map.metadata.name.unwrap_or_default();
                if name == own || !seen.is_new(&name, &map.metadata.resource_version.unwrap_or_default()) {
                    continue;
                }
                let text = map.data.and_then(|mut data| data.remove(FIELD)).unwrap_or_default();
                fleet.note(&name, serde_json::from_str(&text).ok());
            }
            Ok(Some(watcher::Event::Delete(map))) => {
                let name = map.metadata.name.unwrap_or_default();
                seen.0.remove(&name);
                fleet.note(&name, None);
            }
            Ok(Some(watcher::Event::Init | watcher::Event::InitDone)) => {}
            Ok(None) => return,
            Err(error) => tracing::warn!(error = said(&error), "could not watch the other operators; trying again"),
        }
    }
}

/// Of each note of another operator its version, and when that was first seen.
#[derive(Debug, Default)]
struct Seen(HashMap<String, (String, Instant)>);

impl Seen {
    /// Whether this version was not seen before: a watch that begins again tells of all.
    fn is_new(&mut self, name: &str, version: &str) -> bool {
        if self.0.get(name).is_some_and(|(known, _)| known == version) {
            return false;
        }
        self.0.insert(name.to_owned(), (version.to_owned(), Instant::now()));
        true
    }

    /// Those of operators that are gone.
    fn gone(&self) -> Vec<(String, String)> {
        let gone = self.0.iter().filter(|(name, (_, since))| name.starts_with(PREFIX) && since.elapsed() >= GONE);
        gone.map(|(name, (version, _))| (name.clone(), version.clone())).collect()
    }
}

/// Deletes notes of operators that are gone, as they were seen: one that has come back has another version.
async fn clear(maps: &Api<ConfigMap>, seen: &mut Seen) {
    for (name, version) in seen.gone() {
        let preconditions = Some(Preconditions { resource_version: Some(version), uid: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        match tokio::time::timeout(PAUSE * 20, maps.delete(&name, &params)).await {
            Ok(Ok(_)) => tracing::info!(note = name, "deleted what an operator that is gone wrote down"),
            // Somebody else was faster, or the operator is back.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = said(&error), note = name, "could not delete it");
                continue;
            }
            Err(_) => continue,
        }
        seen.0.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusing(index: usize) -> Subscriber {
        Subscriber {
            name: format!("evaluator-{index}"),
            service: "evaluator".to_owned(),
            version: "1.0.0".to_owned(),
            generation: 1,
            rules: 1,
            behind_since_ms: Some(0),
            last_error: "ö".repeat(1024),
            connected_ms: 0,
        }
    }

    #[test]
    fn a_note_fits_however_many_refuse() {
        let (text, left_out) = note((0..500).map(refusing).collect());
        let read: Vec<Subscriber> = serde_json::from_str(&text).unwrap();
        assert_eq!((read.len(), left_out), (500, 0));
        assert_eq!(read[0].last_error, "ö".repeat(100));
        let (text, left_out) = note((0..5000).map(refusing).collect());
        let read: Vec<Subscriber> = serde_json::from_str(&text).unwrap();
        assert_eq!(read.len() + left_out, 5000);
        assert!(left_out > 0 && text.len() <= NOTE);
        assert_eq!(note(Vec::new()), ("[]".to_owned(), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_note_that_does_not_change_is_of_an_operator_that_is_gone() {
        let mut seen = Seen::default();
        let (one, two) = (format!("{PREFIX}one"), format!("{PREFIX}two"));
        assert!(seen.is_new(&one, "1") && seen.is_new(&two, "1"));
        tokio::time::advance(GONE / 2).await;
        assert!(!seen.is_new(&one, "1") && seen.is_new(&two, "2"));
        tokio::time::advance(GONE / 2).await;
        assert_eq!(seen.gone(), [(one, "1".to_owned())]);
    }
}
