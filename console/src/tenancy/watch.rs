//! Watching a cluster's objects so that it shows when nothing comes any more.
//!
//! A watch that hears nothing may be one of a quiet cluster, or of a connection that died without a word; an hour-long one can't tell. So
//! a watch is asked for a short window only. That it ends when it was to end, or that the apiserver sends a bookmark in it, comes behind
//! everything that the apiserver knew when the window began: this is the proof that [`Cluster::prove`] notes. The next window goes on from
//! the last version that was seen, so nothing is lost between them, and a window that does not end is given up. A probe reads from storage
//! beside it, since an apiserver that is cut off from its storage goes on with what it has.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryFutureExt};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, WatchEvent, WatchParams};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use vedette_service::chain;

use super::cluster::Cluster;
use super::objects::{self, Kind};

/// Until a question must be answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much later than told a window may end.
const GRACE: Duration = Duration::from_secs(5);
/// Objects of one page of a list.
const PAGE: u32 = 500;
/// Before what failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Before a kind that is not there is looked for again.
const ABSENT: Duration = Duration::from_secs(60);

const RBAC: &str = "rbac.authorization.k8s.io";
const IAM: &str = "iam.kubesphere.io";
const TENANT: &str = "tenant.kubesphere.io";

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Kind {
    /// Group, versions in the order in which they are tried, kind and plural.
    fn resources(self) -> Vec<ApiResource> {
        let (group, versions, kind, plural): (_, &[&str], _, _) = match self {
            Self::Namespace => ("", &["v1"], "Namespace", "namespaces"),
            Self::ClusterRole => (RBAC, &["v1"], "ClusterRole", "clusterroles"),
            Self::ClusterRoleBinding => (RBAC, &["v1"], "ClusterRoleBinding", "clusterrolebindings"),
            Self::Role => (RBAC, &["v1"], "Role", "roles"),
            Self::RoleBinding => (RBAC, &["v1"], "RoleBinding", "rolebindings"),
            Self::Workspace => (TENANT, &["v1beta1", "v1alpha1"], "Workspace", "workspaces"),
            Self::WorkspaceRole => (IAM, &["v1beta1", "v1alpha2"], "WorkspaceRole", "workspaceroles"),
            Self::WorkspaceRoleBinding => {
                (IAM, &["v1beta1", "v1alpha2"], "WorkspaceRoleBinding", "workspacerolebindings")
            }
        };
        let resource =
            |version: &&str| ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        versions.iter().map(resource).collect()
    }

    fn optional(self) -> bool {
        Self::KUBESPHERE.contains(&self)
    }
}

/// How a window ended.
enum Ended {
    /// As it was to, or a little early: the next one goes on.
    Over,
    /// What came after the last version is not there any more.
    Gone,
    Failed(Failure),
}

/// Keeps what is known of `kind` up to date until `stop`.
pub(super) async fn follow(cluster: Arc<Cluster>, kind: Kind, window: Duration, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = follow_on(&cluster, kind, window) => {}
    }
}

async fn follow_on(cluster: &Cluster, kind: Kind, window: Duration) {
    loop {
        match list(cluster, kind).await {
            Ok(Some((api, mut version))) => while !watch(cluster, kind, &api, &mut version, window).await {},
            Ok(None) => {
                cluster.absent(kind);
                tokio::time::sleep(ABSENT).await;
            }
            Err(error) => {
                tracing::warn!(cluster = &*cluster.name, ?kind, error = %chain(error.as_ref()), "could not list; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Notes all objects of a kind, and gives where and from which version on they can be watched; `None` if there is no such kind, where it
/// may be missing.
async fn list(cluster: &Cluster, kind: Kind) -> Result<Option<(Api<DynamicObject>, String)>, Failure> {
    for resource in kind.resources() {
        let api = Api::<DynamicObject>::all_with(cluster.client.clone(), &resource);
        match list_all(cluster, kind, &api).await {
            Ok(version) => return Ok(Some((api, version))),
            Err(error) if kind.optional() && is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether there is no such kind. Who may not read it can't know, and is told so before.
fn is_absent(error: &Failure) -> bool {
    matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 404 || status.code == 403)
}

/// Page by page, of which little is kept: a large cluster's bindings at once would take more memory than everything else here.
async fn list_all(cluster: &Cluster, kind: Kind, api: &Api<DynamicObject>) -> Result<String, Failure> {
    let asked = Instant::now();
    let mut all = HashSet::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = tokio::time::timeout(PATIENCE, api.list(&params)).await??;
        cluster.change(|known| page.items.iter().for_each(|object| known.set(kind, object)));
        all.extend(page.items.iter().map(|object| objects::key(kind, object)));
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => params.continue_token = Some(next),
            None => {
                cluster.listed(kind, &all, asked);
                return Ok(page.metadata.resource_version.unwrap_or_default());
            }
        }
    }
}

/// Watches for one window; says whether everything must be listed again.
async fn watch(
    cluster: &Cluster,
    kind: Kind,
    api: &Api<DynamicObject>,
    version: &mut String,
    window: Duration,
) -> bool {
    let begun = Instant::now();
    match watch_until(cluster, kind, api, version, window).await {
        Ended::Over => {
            // One that ended at once would end at once again.
            if begun.elapsed() < PAUSE / 2 {
                tokio::time::sleep(PAUSE / 2).await;
            }
            false
        }
        Ended::Gone => true,
        Ended::Failed(error) => {
            tracing::warn!(cluster = &*cluster.name, ?kind, error = %chain(error.as_ref()), "a watch broke off");
            tokio::time::sleep(PAUSE).await;
            // A kind of KubeSphere may be gone altogether, which listing tells.
            kind.optional()
        }
    }
}

async fn watch_until(
    cluster: &Cluster,
    kind: Kind,
    api: &Api<DynamicObject>,
    version: &mut String,
    window: Duration,
) -> Ended {
    let asked = Instant::now();
    let params = WatchParams::default().timeout(u32::try_from(window.as_secs()).unwrap_or(u32::MAX));
    let stream = tokio::time::timeout(PATIENCE, api.watch(&params, version)).map_err(Failure::from).await;
    let stream = match stream {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return failed(error),
        Err(error) => return Ended::Failed(error),
    };
    let mut stream = std::pin::pin!(stream);
    loop {
        let next = match tokio::time::timeout_at(asked + window + GRACE, stream.next()).await {
            Ok(next) => next,
            Err(_) => return Ended::Failed("it does not end: the connection is dead".into()),
        };
        match next {
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                cluster.change(|known| known.set(kind, &object));
                advance(version, object);
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                cluster.change(|known| known.remove(kind, &object));
                advance(version, object);
            }
            Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                *version = bookmark.metadata.resource_version;
                cluster.prove(kind, asked);
            }
            Some(Ok(WatchEvent::Error(status))) => return failed(kube::Error::Api(status)),
            Some(Err(error)) => return failed(error),
            None => {
                // A connection that something else closed ends like one that the apiserver did, but not at that time.
                if asked.elapsed() + PAUSE / 2 >= window {
                    cluster.prove(kind, asked);
                }
                return Ended::Over;
            }
        }
    }
}

fn advance(version: &mut String, object: DynamicObject) {
    if let Some(seen) = object.metadata.resource_version {
        *version = seen;
    }
}

fn failed(error: kube::Error) -> Ended {
    match &error {
        kube::Error::Api(status) if status.code == 410 => Ended::Gone,
        _ => Ended::Failed(error.into()),
    }
}

/// Asks the apiserver every now and then for something that it must read from its storage.
pub(super) async fn probe(cluster: Arc<Cluster>, every: Duration, stop: CancellationToken) {
    let Some(namespaces) = Kind::Namespace.resources().pop() else { return };
    let api = Api::<DynamicObject>::all_with(cluster.client.clone(), &namespaces);
    // Without a version the answer is of now, and not of what the apiserver remembers.
    let one = ListParams::default().limit(1);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let asked = Instant::now();
        match tokio::time::timeout(PATIENCE, api.list(&one)).await {
            Ok(Ok(_)) => cluster.probed(asked),
            Ok(Err(error)) => {
                tracing::warn!(cluster = &*cluster.name, error = %chain(&error), "the cluster does not answer");
            }
            Err(_) => tracing::warn!(cluster = &*cluster.name, "the cluster does not answer in time"),
        }
    }
}
