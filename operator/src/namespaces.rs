//! The namespaces of the clusters and the workspaces that they belong to, for services that must tell whose an event is.
//!
//! Who follows gets all that there are, then each change. One that can't keep up gets all of them again rather than a gap.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use vedette_proto::rules::v1 as proto;

/// The label that says which workspace a namespace belongs to.
const WORKSPACE: &str = "kubesphere.io/workspace";
/// How many namespaces one message tells at most.
const BATCH: usize = 1000;
/// How many changes a follower may be behind.
const BACKLOG: usize = 1024;

/// What is known of the namespaces. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Namespaces {
    inner: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Whether all are known: until then nobody is told that there are none.
    complete: bool,
    known: BTreeMap<(String, String), proto::Namespace>,
    changes: broadcast::Sender<Arc<proto::NamespaceChanges>>,
}

impl Default for Namespaces {
    fn default() -> Self {
        let state = State { complete: false, known: BTreeMap::new(), changes: broadcast::channel(BACKLOG).0 };
        Self { inner: Arc::new(Mutex::new(state)) }
    }
}

impl Namespaces {
    /// Notes a namespace as it is now.
    pub fn set(&self, namespace: proto::Namespace) {
        let mut state = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (namespace.cluster.clone(), namespace.name.clone());
        if state.known.insert(key, namespace.clone()).as_ref() != Some(&namespace) {
            state.tell(proto::NamespaceChanges { set: vec![namespace], ..Default::default() });
        }
    }

    /// Notes that a namespace is gone.
    pub fn remove(&self, cluster: &str, name: &str) {
        let mut state = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gone) = state.known.remove(&(cluster.to_owned(), name.to_owned())) {
            state.tell(proto::NamespaceChanges { removed: vec![gone], ..Default::default() });
        }
    }

    /// These are all namespaces of `cluster`.
    pub fn replace(&self, cluster: &str, all: Vec<proto::Namespace>) {
        let mut state = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now: BTreeMap<_, _> = all.into_iter().map(|it| ((it.cluster.clone(), it.name.clone()), it)).collect();
        let old = state.known.iter().filter(|((of, _), _)| of == cluster);
        let removed: Vec<_> = old.filter(|(key, _)| !now.contains_key(*key)).map(|(_, it)| it.clone()).collect();
        let set: Vec<_> =
            now.iter().filter(|(key, it)| state.known.get(*key) != Some(it)).map(|(_, it)| it.clone()).collect();
        state.known.retain(|(of, _), _| of != cluster);
        state.known.extend(now);
        let first = !std::mem::replace(&mut state.complete, true);
        if first {
            // Whoever follows already asks for all of them now.
            state.tell(proto::NamespaceChanges { complete: true, ..Default::default() });
            return;
        }
        for set in set.chunks(BATCH) {
            state.tell(proto::NamespaceChanges { set: set.to_vec(), ..Default::default() });
        }
        for removed in removed.chunks(BATCH) {
            state.tell(proto::NamespaceChanges { removed: removed.to_vec(), ..Default::default() });
        }
    }

    /// All namespaces of `clusters` (of all, if it is empty), then what changes.
    pub fn follow(
        &self,
        clusters: Vec<String>,
    ) -> impl Stream<Item = Result<proto::NamespaceChanges, Status>> + Send + use<> {
        let (all, changes) = self.all(&clusters);
        let start = (all.into_iter(), changes, self.clone(), clusters);
        futures::stream::unfold(start, |(mut ready, mut changes, namespaces, clusters)| async move {
            loop {
                if let Some(next) = ready.next() {
                    return Some((Ok(next), (ready, changes, namespaces, clusters)));
                }
                match changes.recv().await {
                    Ok(change) if !change.complete => {
                        let wanted = |it: &&proto::Namespace| clusters.is_empty() || clusters.contains(&it.cluster);
                        let change = proto::NamespaceChanges {
                            set: change.set.iter().filter(wanted).cloned().collect(),
                            removed: change.removed.iter().filter(wanted).cloned().collect(),
                            ..Default::default()
                        };
                        if !change.set.is_empty() || !change.removed.is_empty() {
                            ready = vec![change].into_iter();
                        }
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {
                        let (all, fresh) = namespaces.all(&clusters);
                        (ready, changes) = (all.into_iter(), fresh);
                    }
                    Err(RecvError::Closed) => return None,
                }
            }
        })
    }

    /// All of them in batches, the first of which voids what was told before, and the changes from here on.
    fn all(
        &self,
        clusters: &[String],
    ) -> (Vec<proto::NamespaceChanges>, broadcast::Receiver<Arc<proto::NamespaceChanges>>) {
        let state = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = state.known.values().filter(|it| clusters.is_empty() || clusters.contains(&it.cluster));
        let batches = if state.complete { complete(&wanted.cloned().collect::<Vec<_>>()) } else { Vec::new() };
        (batches, state.changes.subscribe())
    }
}

/// A complete list, in parts.
fn complete(all: &[proto::Namespace]) -> Vec<proto::NamespaceChanges> {
    let mut parts: Vec<_> = all
        .chunks(BATCH)
        .map(|set| proto::NamespaceChanges { set: set.to_vec(), more: true, ..Default::default() })
        .collect();
    if parts.is_empty() {
        parts.push(proto::NamespaceChanges::default());
    }
    if let Some(first) = parts.first_mut() {
        first.complete = true;
    }
    if let Some(last) = parts.last_mut() {
        last.more = false;
    }
    parts
}

impl State {
    fn tell(&self, changes: proto::NamespaceChanges) {
        // Nobody may be listening.
        let _ = self.changes.send(Arc::new(changes));
    }
}

/// Keeps the namespaces of the apiserver's cluster, which is called `cluster`, up to date until `shutdown`.
pub async fn watch(client: kube::Client, cluster: String, namespaces: Namespaces, shutdown: CancellationToken) {
    let api = Api::<PartialObjectMeta<Namespace>>::all(client);
    let stream = watcher(api, watcher::Config::default()).default_backoff();
    let mut stream = Box::pin(stream.take_until(shutdown.cancelled_owned()));
    let mut listed = Vec::new();
    loop {
        match stream.try_next().await {
            Ok(Some(watcher::Event::Init)) => listed.clear(),
            Ok(Some(watcher::Event::InitApply(namespace))) => listed.push(read(&cluster, namespace)),
            Ok(Some(watcher::Event::InitDone)) => namespaces.replace(&cluster, std::mem::take(&mut listed)),
            Ok(Some(watcher::Event::Apply(namespace))) => namespaces.set(read(&cluster, namespace)),
            Ok(Some(watcher::Event::Delete(namespace))) => {
                namespaces.remove(&cluster, namespace.metadata.name.as_deref().unwrap_or_default());
            }
            Ok(None) => return,
            Err(error) => tracing::warn!(%error, "could not watch the namespaces; trying again"),
        }
    }
}

fn read(cluster: &str, namespace: PartialObjectMeta<Namespace>) -> proto::Namespace {
    let metadata = namespace.metadata;
    let created = metadata
        .creation_timestamp
        .map(|it| prost_types::Timestamp { seconds: it.0.as_second(), nanos: it.0.subsec_nanosecond() });
    proto::Namespace {
        cluster: cluster.to_owned(),
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        workspace: metadata.labels.and_then(|mut labels| labels.remove(WORKSPACE)).unwrap_or_default(),
        created,
    }
}
