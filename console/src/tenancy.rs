//! What a caller may see, decided here from each cluster's own RBAC.
//!
//! Records are shown to whoever may `list events` where they happened: the question that KubeSphere asks too. Asking Kubernetes for each
//! of ten thousand namespaces is too slow, so roles, bindings, namespaces and workspaces are watched and the question is decided here, as
//! Kubernetes' RBAC authorizer decides it. `objects` holds what is known, `rbac` reads it, `watch` keeps it up to date, `cluster` says how
//! old it is, and `review` compares with Kubernetes' own decisions.
//!
//! **Invariants.** What is older than allowed shows nothing to anybody: a revoked right is gone after `maxAgeSeconds`, whatever breaks.
//! Where Kubernetes was seen to deny what is allowed here, it is asked itself. A namespace that was deleted and made again is another one:
//! who may see the new one does not see the old one's records.

mod cluster;
mod config;
mod objects;
mod rbac;
mod review;
mod view;
mod watch;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_service::Context;

pub use config::{Administrators, TenancyCluster, TenancyConfig};
pub(crate) use view::{View, Visible};

use crate::auth::{self, AuthError, Caller, Kind as Via};
use crate::metrics::Metrics;
use cluster::{Cluster, Trust};
use objects::{Kind, Objects, Seen};
use review::Sample;

/// How many windows a view's age has: what is known is proven several times before it would be too old.
const WINDOWS: u32 = 4;
/// How many views are kept, and how many namespaces and workspaces they may list together.
const VIEWS: usize = 256;
const LISTED: usize = 1_000_000;
/// How often a decision is compared with Kubernetes' own at most.
const COMPARE: Duration = Duration::from_secs(1);
const MASTERS: &str = "system:masters";

/// Why a caller sees nothing at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// No cluster is watched.
    #[error(
        "what you may see can't be told: `tenancy.clusters` is not configured, so that records are for administrators alone"
    )]
    NotConfigured,
    /// What is known of a cluster is too old.
    #[error("what you may see can't be told at the moment: cluster `{cluster}` does not answer")]
    Stale {
        /// The cluster.
        cluster: Arc<str>,
    },
    /// A cluster that must be asked does not answer.
    #[error("what you may see can't be told at the moment: cluster `{cluster}` can't be asked")]
    Unavailable {
        /// The cluster.
        cluster: Arc<str>,
    },
    /// A cluster that must be asked would have to be asked too much.
    #[error(
        "what you may see can't be told: RBAC alone does not decide in cluster `{cluster}`, and it can be asked for {most} namespaces \
         at most"
    )]
    TooMany {
        /// The cluster.
        cluster: Arc<str>,
        /// How many namespaces can be asked for.
        most: usize,
    },
}

/// Who may see what.
pub(crate) struct Tenancy {
    clusters: Vec<Arc<Cluster>>,
    administrators: HashSet<String>,
    max_age: Duration,
    views: Mutex<Views>,
    compared: Mutex<Instant>,
    samples: Vec<mpsc::Sender<Sample>>,
}

/// Views that were made, as long as nothing changes.
#[derive(Default)]
struct Views {
    kept: HashMap<Caller, (Vec<u64>, Arc<View>)>,
    listed: usize,
}

impl Tenancy {
    /// Watches the configured clusters until `stop`.
    pub(crate) async fn start(
        config: &TenancyConfig,
        metrics: &Metrics,
        ctx: &Context,
        stop: &CancellationToken,
    ) -> Result<Self, AuthError> {
        let mut clusters = Vec::new();
        for settings in &config.clusters {
            let client = auth::client(&settings.name, settings.kubeconfig.as_deref()).await?;
            clusters.push(Arc::new(Cluster::new(&settings.name, client)));
        }
        let mut tenancy = Self::over(clusters, config);
        let window = (config.max_age() / WINDOWS).clamp(Duration::from_secs(1), Duration::from_secs(15));
        for cluster in &tenancy.clusters {
            for kind in Kind::KUBERNETES.into_iter().chain(Kind::KUBESPHERE) {
                ctx.spawn(watch::follow(Arc::clone(cluster), kind, window, stop.clone()));
            }
            ctx.spawn(watch::probe(Arc::clone(cluster), window, stop.clone()));
            let (sender, samples) = mpsc::channel(1);
            let metrics = metrics.clone();
            ctx.spawn(review::compare(Arc::clone(cluster), samples, metrics, config.fallback, stop.clone()));
            tenancy.samples.push(sender);
        }
        Ok(tenancy)
    }

    fn over(clusters: Vec<Arc<Cluster>>, config: &TenancyConfig) -> Self {
        Self {
            clusters,
            administrators: config.administrators.groups.iter().cloned().collect(),
            max_age: config.max_age(),
            views: Mutex::default(),
            compared: Mutex::new(Instant::now()),
            samples: Vec::new(),
        }
    }

    /// What `caller` may see.
    pub(crate) async fn view(&self, caller: &Caller) -> Result<Arc<View>, Denied> {
        if self.is_administrator(caller) {
            return Ok(Arc::new(View::everything()));
        }
        if self.clusters.is_empty() {
            return Err(Denied::NotConfigured);
        }
        for cluster in &self.clusters {
            let stale = |_| Denied::Stale { cluster: Arc::clone(&cluster.name) };
            cluster.fresh(self.max_age).map_err(stale)?;
        }
        self.sample(caller);
        let believed = self.clusters.iter().all(|cluster| cluster.trust() == Trust::Whole);
        let generations = || self.clusters.iter().map(|cluster| cluster.objects().generation()).collect();
        let now: Vec<u64> = generations();
        if believed && let Some(view) = self.kept(caller, &now) {
            return Ok(view);
        }
        let mut view = View::default();
        for cluster in &self.clusters {
            let seen = match cluster.trust() {
                Trust::Whole => cluster.seen(caller),
                trust => review::seen(cluster, caller, trust).await?,
            };
            add(&mut view, &cluster.name, &seen, &cluster.objects());
        }
        view.namespaces.sort_unstable();
        view.workspaces.sort_unstable();
        let view = Arc::new(view);
        // One that was made while something changed may be of both states, and is not for later.
        if believed && now == generations() {
            self.keep(caller, now, &view);
        }
        Ok(view)
    }

    /// Whether somebody sees everything, whatever clusters say. That a cluster calls somebody a master makes them that cluster's alone; the
    /// file of tokens is the console's own.
    fn is_administrator(&self, caller: &Caller) -> bool {
        let masters = caller.via == Via::TokenFile && caller.groups.iter().any(|group| group == MASTERS);
        caller.via == Via::Token || masters || caller.groups.iter().any(|group| self.administrators.contains(group))
    }

    fn kept(&self, caller: &Caller, generations: &[u64]) -> Option<Arc<View>> {
        let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views.kept.get(caller).filter(|(of, _)| of == generations).map(|(_, view)| Arc::clone(view))
    }

    fn keep(&self, caller: &Caller, generations: Vec<u64>, view: &Arc<View>) {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = view.namespaces.len() + view.workspaces.len();
        // Making them again costs little.
        if views.kept.len() >= VIEWS || views.listed + listed > LISTED {
            *views = Views::default();
        }
        views.listed += listed;
        if let Some((_, old)) = views.kept.insert(caller.clone(), (generations, Arc::clone(view))) {
            views.listed -= old.namespaces.len() + old.workspaces.len();
        }
    }

    /// Has one decision about `caller` compared with that of Kubernetes, now and then.
    fn sample(&self, caller: &Caller) {
        let Ok(mut compared) = self.compared.try_lock() else { return };
        if compared.elapsed() < COMPARE || self.samples.is_empty() {
            return;
        }
        *compared = Instant::now();
        drop(compared);
        let at = fastrand::usize(..self.samples.len());
        let (Some(samples), Some(cluster)) = (self.samples.get(at), self.clusters.get(at)) else { return };
        if cluster.who(caller).is_none() {
            return;
        }
        let seen = cluster.seen(caller);
        let objects = cluster.objects();
        let pick = |names: &mut dyn ExactSizeIterator<Item = &Arc<str>>| match names.len() {
            0 => None,
            many => names.nth(fastrand::usize(..many)).cloned(),
        };
        let namespace = match (seen.whole, fastrand::bool()) {
            (true, _) => None,
            // Those that are allowed are what may be wrong in the worse way, and few among all.
            (false, true) if !seen.namespaces.is_empty() => pick(&mut seen.namespaces.iter()),
            (false, _) => pick(&mut objects.namespaces().keys()),
        };
        // While one is being looked at, others need not be.
        let _ = samples.try_send(Sample { caller: caller.clone(), namespace });
    }
}

/// Adds what is seen of a cluster to a view: with a workspace all its namespaces, as KubeSphere's authorizer has it.
fn add(view: &mut View, cluster: &Arc<str>, seen: &Seen, objects: &Objects) {
    if seen.whole {
        view.clusters.push(Arc::clone(cluster));
        return;
    }
    let visible = |name: &Arc<str>, place: &objects::Place| Visible {
        cluster: Arc::clone(cluster),
        name: Arc::clone(name),
        uid: Arc::clone(&place.uid),
        created_unix_seconds: place.created_unix_seconds,
    };
    let of_workspaces = seen.workspaces.iter().flat_map(|workspace| objects.members(workspace));
    let of_workspaces = of_workspaces.filter(|name| !seen.namespaces.contains(*name));
    // Of several workspaces there are none in common: a namespace belongs to one.
    let names = seen.namespaces.iter().chain(of_workspaces);
    view.namespaces.extend(names.filter_map(|name| Some(visible(name, objects.namespaces().get(name)?))));
    let workspaces = seen.workspaces.iter();
    view.workspaces.extend(workspaces.filter_map(|name| Some(visible(name, objects.workspaces().get(name)?))));
}

#[cfg(test)]
mod tests;
