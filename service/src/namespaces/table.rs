//! Changes, and what they make of the clusters' namespaces. No I/O.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use vedette_proto::rules::v1 as proto;

use super::{Clusters, Namespace};

/// The longest name, label or uid that Kubernetes has, in bytes. What is longer is none.
const NAME_LIMIT: usize = 253;

/// All namespaces that are known.
#[derive(Debug, Default)]
pub(super) struct Table {
    clusters: Clusters,
    /// Workspaces that were named: thousands of namespaces belong to each.
    workspaces: HashSet<Arc<str>>,
    /// Clusters that changed since these were asked for.
    changed: HashSet<Arc<str>>,
    /// What was known before the complete list that is coming in.
    before: Option<Clusters>,
}

impl Table {
    pub(super) fn new(clusters: Clusters) -> Self {
        Self { clusters, ..Self::default() }
    }

    pub(super) fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    pub(super) fn len(&self) -> usize {
        self.clusters.values().map(|cluster| cluster.namespaces.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }

    /// The clusters that changed since this was last asked for.
    pub(super) fn take_changed(&mut self) -> HashSet<Arc<str>> {
        std::mem::take(&mut self.changed)
    }

    /// These count as changed.
    pub(super) fn note_all(&mut self, clusters: impl Iterator<Item = Arc<str>>) {
        self.changed.extend(clusters);
    }

    /// Applies what the operator said. A complete list may come in several messages, of which each but the last says that there are
    /// more: until then what is known is less than what there is.
    pub(super) fn apply(&mut self, changes: proto::NamespaceChanges) {
        if changes.complete {
            let known = std::mem::take(&mut self.clusters);
            self.before.get_or_insert(known);
            self.workspaces.clear();
        }
        self.remove(changes.removed);
        self.set(changes.set);
        if !changes.more {
            self.settle();
        }
    }

    /// Whether a complete list has begun and goes on.
    pub(super) fn is_unsettled(&self) -> bool {
        self.before.is_some()
    }

    /// The list is whole.
    fn settle(&mut self) {
        let Some(before) = self.before.take() else { return };
        let fresh = self.clusters.keys().filter(|name| !before.contains_key(*name));
        self.changed.extend(fresh.cloned());
        for (name, old) in before {
            match self.clusters.get_mut(&name) {
                // The same list comes with each connection.
                Some(new) if new.namespaces == old.namespaces => *new = old,
                _ => drop(self.changed.insert(name)),
            }
        }
    }

    /// The list will not be whole: what was known before it is all that is known.
    pub(super) fn abandon(&mut self) {
        if let Some(before) = self.before.take() {
            self.clusters = before;
        }
    }

    fn set(&mut self, all: Vec<proto::Namespace>) {
        let mut all: Vec<_> = all.into_iter().filter(is_sane).collect();
        // By cluster, so that each is looked up, and copied, once.
        all.sort_by(|a, b| a.cluster.cmp(&b.cluster));
        for group in all.chunk_by(|a, b| a.cluster == b.cluster) {
            let Some(name) = group.first().map(|first| first.cluster.as_str()) else { continue };
            let mut cluster = self.clusters.remove(name).unwrap_or_default();
            let namespaces = Arc::make_mut(&mut cluster.namespaces);
            for it in group {
                let workspace = (!it.workspace.is_empty()).then(|| intern(&mut self.workspaces, &it.workspace));
                let created_unix_seconds = it.created.as_ref().map_or(0, |created| created.seconds);
                let namespace = Namespace { uid: it.uid.as_str().into(), workspace, created_unix_seconds };
                namespaces.insert(it.name.as_str().into(), namespace);
            }
            let name: Arc<str> = name.into();
            self.note(&name);
            self.clusters.insert(name, cluster);
        }
    }

    fn remove(&mut self, all: Vec<proto::Namespace>) {
        let mut by_cluster: HashMap<&str, Vec<&proto::Namespace>> = HashMap::new();
        for it in &all {
            by_cluster.entry(&it.cluster).or_default().push(it);
        }
        for (name, group) in by_cluster {
            let Some((name, mut cluster)) = self.clusters.remove_entry(name) else { continue };
            let namespaces = Arc::make_mut(&mut cluster.namespaces);
            for it in group {
                // One that was made anew stays: what is gone is the one before it.
                if namespaces.get(&*it.name).is_some_and(|held| it.uid.is_empty() || *held.uid == it.uid) {
                    namespaces.remove(&*it.name);
                }
            }
            self.note(&name);
            if !cluster.namespaces.is_empty() {
                self.clusters.insert(name, cluster);
            }
        }
    }

    /// A cluster has changed; within a complete list, what has is seen at its end.
    fn note(&mut self, cluster: &Arc<str>) {
        if self.before.is_none() {
            self.changed.insert(Arc::clone(cluster));
        }
    }
}

fn intern(words: &mut HashSet<Arc<str>>, word: &str) -> Arc<str> {
    if let Some(known) = words.get(word) {
        return Arc::clone(known);
    }
    let word: Arc<str> = word.into();
    words.insert(Arc::clone(&word));
    word
}

fn is_sane(it: &proto::Namespace) -> bool {
    let fits = [&it.cluster, &it.name, &it.uid, &it.workspace].iter().all(|text| text.len() <= NAME_LIMIT);
    fits && !it.cluster.is_empty() && !it.name.is_empty()
}
