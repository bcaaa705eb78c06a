//! The clusters' namespaces and the workspaces that they belong to, as the operator tells them.
//!
//! Kubernetes' own events name no workspace: ingest finds it here. A hub knows a million namespaces in a hundred clusters, so
//! that each cluster's are a map of their own behind a pointer: a change copies that one, and whoever reads a body's worth of
//! events holds on to one state of one cluster.
//!
//! The last known ones are kept on disk, a file for each cluster, written some time after a change. Without the operator and
//! without files, events go on without a workspace: that is no reason not to take them.

mod keep;
mod store;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::Context;
use crate::blocking::blocking;
use crate::metrics::MetricError;
use crate::operator::{Link, Pace};
use crate::policy::PolicyConfig;
use keep::Keeper;
use store::Store;
use table::Table;

/// All namespaces that are known. Cheap to clone; all clones see what is known now.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    clusters: Arc<ArcSwap<Clusters>>,
}

type Clusters = HashMap<Arc<str>, Cluster>;

/// The namespaces of one cluster at one moment. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    namespaces: Arc<HashMap<Arc<str>, Namespace>>,
}

/// A namespace. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// What tells it from an earlier one of its name.
    pub uid: Arc<str>,
    /// The workspace that it belongs to.
    pub workspace: Option<Arc<str>>,
    /// When it was made, in seconds since the Unix epoch; 0 where that is not known.
    pub created_unix_seconds: i64,
}

impl Namespaces {
    /// Those of one cluster, as they are now.
    pub fn cluster(&self, cluster: &str) -> Cluster {
        self.clusters.load().get(cluster).cloned().unwrap_or_default()
    }

    /// The workspace that a namespace belongs to.
    pub fn workspace(&self, cluster: &str, namespace: &str) -> Option<Arc<str>> {
        self.clusters.load().get(cluster)?.workspace(namespace).cloned()
    }
}

impl Cluster {
    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// The workspace that a namespace belongs to.
    pub fn workspace(&self, namespace: &str) -> Option<&Arc<str>> {
        self.namespaces.get(namespace)?.workspace.as_ref()
    }

    /// What is known of a namespace.
    pub fn namespace(&self, namespace: &str) -> Option<&Namespace> {
        self.namespaces.get(namespace)
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Namespace)> for Cluster {
    fn from_iter<I: IntoIterator<Item = (N, Namespace)>>(namespaces: I) -> Self {
        let namespaces = namespaces.into_iter().map(|(name, it)| (name.into(), it)).collect();
        Self { namespaces: Arc::new(namespaces) }
    }
}

/// Keeps the namespaces up to date until the service stops; there are none where no operator is configured. Where none are kept on
/// disk, waits a little for the operator's.
///
/// # Errors
/// If the metrics cannot be made.
pub async fn watch(config: &PolicyConfig, ctx: &Context) -> Result<Namespaces, MetricError> {
    watch_with(config, ctx, Pace { first: keep::FIRST, ..Pace::default() }, keep::QUIET).await
}

async fn watch_with(
    config: &PolicyConfig,
    ctx: &Context,
    pace: Pace,
    quiet: std::time::Duration,
) -> Result<Namespaces, MetricError> {
    let all = Namespaces::default();
    let Some(operator) = config.operator.clone() else { return Ok(all) };
    let link = Link::new("namespaces", pace, ctx)?;
    let known = ctx.gauge("namespaces", "Namespaces that are known")?;
    let store = config.state_dir.as_ref().map(|folder| Store::new(folder.join(format!("{}-namespaces", ctx.name))));
    let (store, table) = blocking(move || {
        let clusters = store.as_ref().map(Store::read).unwrap_or_default();
        (store, Table::new(clusters))
    })
    .await;
    let cold = table.is_empty();
    known.set(i64::try_from(table.len()).unwrap_or(i64::MAX));
    all.clusters.store(Arc::new(table.clusters().clone()));
    let (told, mut complete) = tokio::sync::watch::channel(false);
    let keeper = Keeper { operator, link, table, store, all: all.clone(), known, told, quiet };
    let shutdown = ctx.shutdown.clone();
    ctx.spawn(keeper.run(shutdown.clone()));
    if cold {
        tokio::select! {
            _ = complete.wait_for(|told| *told) => {}
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(pace.first) => {
                tracing::warn!("no namespaces are known yet: events go on without their workspace");
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
