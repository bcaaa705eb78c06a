//! What a caller's questions are narrowed to: their [`View`] as a condition on documents.
//!
//! A document says the uid of its namespace where ingest knew it (`tenant`), so that one list of these is nearly all of the
//! condition, however many namespaces there are. What has no uid goes by cluster, name and the time at which the namespace was made:
//! for that, namespaces made within a while of each other stand together, and count as made when the last of them was. So
//! a caller may miss records of a namespace's first moments, and never sees those of an earlier one of its name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use vedette_archive::{Field, Filter, MAX_TERMS, Query};
use vedette_audit::Document;

use crate::auth::{Caller, Kind};
use crate::tenancy::{View, Visible};

/// Conditions on names and times, over all clusters: engines bound how many they take.
const MOST: usize = 64;
const MICROS: i64 = 1_000_000;

/// The documents that a caller may see.
#[derive(Debug)]
pub(crate) struct Scope {
    caller: Arc<str>,
    via: Kind,
    owner: String,
    filter: Filter,
    everything: bool,
    clusters: HashSet<Arc<str>>,
    /// `<cluster>/<uid>` of namespaces.
    tenants: HashSet<String>,
    /// When they were made, in microseconds, by cluster and name.
    namespaces: HashMap<(Arc<str>, Arc<str>), i64>,
    workspaces: HashMap<(Arc<str>, Arc<str>), i64>,
}

impl Scope {
    /// What the caller may see. What was made before `old_micros` stands together in any case: hardly a record is older.
    pub(crate) fn of(caller: &Caller, view: &View, old_micros: i64) -> Self {
        let by_name = |list: &[Visible]| {
            let made = |it: &Visible| it.created_unix_seconds.saturating_mul(MICROS);
            list.iter().map(|it| ((Arc::clone(&it.cluster), Arc::clone(&it.name)), made(it))).collect()
        };
        Self {
            caller: caller.name.as_str().into(),
            via: caller.via.clone(),
            owner: owner(caller),
            filter: filter(view, old_micros),
            everything: view.everything,
            clusters: view.clusters.iter().cloned().collect(),
            tenants: view.namespaces.iter().map(tenant).collect(),
            namespaces: by_name(&view.namespaces),
            workspaces: by_name(&view.workspaces),
        }
    }

    /// Whose it is.
    pub(crate) fn caller(&self) -> &str {
        &self.caller
    }

    /// How they became known.
    pub(crate) fn via(&self) -> &Kind {
        &self.via
    }

    /// What the caller's own things are kept under.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether the caller may see a namespace of this name in some cluster.
    pub(crate) fn knows_namespace(&self, name: &str) -> bool {
        self.everything || !self.clusters.is_empty() || self.namespaces.keys().any(|(_, known)| **known == *name)
    }

    /// Whether it is all documents.
    pub(crate) fn is_everything(&self) -> bool {
        self.everything
    }

    /// The query for what of it the caller may see.
    pub(crate) fn narrow(&self, query: &Query) -> Query {
        Query { filter: query.filter.clone().and(self.filter.clone()), ..query.clone() }
    }

    /// Whether the caller may see a document: as [`View::allows`] says, without going through lists.
    pub(crate) fn allows(&self, document: &Document) -> bool {
        let fields = &document.fields;
        if self.everything || self.clusters.contains(fields.cluster.as_str()) {
            return true;
        }
        if !fields.tenant.is_empty() {
            return self.tenants.contains(&fields.tenant);
        }
        let (places, name) = match (fields.namespace.as_str(), fields.workspace.as_str()) {
            ("", "") => return false,
            ("", workspace) => (&self.workspaces, workspace),
            (namespace, _) => (&self.namespaces, namespace),
        };
        let place = (Arc::from(fields.cluster.as_str()), Arc::from(name));
        places.get(&place).is_some_and(|made| document.time_micros >= *made)
    }
}

/// What a caller's own things are kept under: by how they became known, since one name can be another's elsewhere.
pub(crate) fn owner(caller: &Caller) -> String {
    let hash = blake3::hash(format!("{:?}\0{}", caller.via, caller.name).as_bytes());
    hash.to_hex().chars().take(32).collect()
}

fn tenant(it: &Visible) -> String {
    format!("{}/{}", it.cluster, it.uid)
}

/// The condition that holds for the visible documents.
fn filter(view: &View, old_micros: i64) -> Filter {
    if view.everything {
        return Filter::everything();
    }
    let mut any = Vec::new();
    if !view.clusters.is_empty() {
        any.push(Filter::is(Field::Cluster, view.clusters.iter().map(|cluster| &**cluster)));
    }
    let tenants: Vec<String> = view.namespaces.iter().filter(|it| !it.uid.is_empty()).map(tenant).collect();
    any.extend(tenants.chunks(MAX_TERMS).map(|some| Filter::is(Field::Tenant, some)));
    let without = |field| Filter::is(field, [""]);
    let namespaces = by_time(Field::Namespace, &view.namespaces, old_micros);
    if !namespaces.is_empty() {
        any.push(Filter::All(vec![without(Field::Tenant), Filter::Any(namespaces)]));
    }
    let workspaces = by_time(Field::Workspace, &view.workspaces, old_micros);
    if !workspaces.is_empty() {
        let neither = vec![without(Field::Tenant), without(Field::Namespace), Filter::Any(workspaces)];
        any.push(Filter::All(neither));
    }
    Filter::Any(any)
}

/// Names in a cluster, from a time on.
fn by_time(field: Field, places: &[Visible], old_micros: i64) -> Vec<Filter> {
    let mut clusters: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
    for it in places {
        clusters.entry(&it.cluster).or_default().push((it.created_unix_seconds.saturating_mul(MICROS), &it.name));
    }
    let most = (MOST / clusters.len().max(1)).max(1);
    let mut filters = Vec::new();
    for (cluster, mut places) in clusters {
        places.sort_unstable();
        let old = places.partition_point(|(made, _)| *made < old_micros);
        let (old, young) = places.split_at(old);
        for together in old.chunks(MAX_TERMS).chain(young.chunks(young.len().div_ceil(most).clamp(1, MAX_TERMS))) {
            let since = together.iter().map(|(made, _)| *made).max().unwrap_or(i64::MAX);
            filters.push(Filter::All(vec![
                Filter::is(Field::Cluster, [cluster]),
                Filter::is(field, together.iter().map(|(_, name)| *name)),
                Filter::Since(since),
            ]));
        }
    }
    filters
}

#[cfg(test)]
pub(crate) mod tests;
