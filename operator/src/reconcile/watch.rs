//! What wakes the reconciler: any change of the `Webhook`, of what was made for it, and of KubeSphere's configuration.
//!
//! Only metadata is watched, which is enough to know that something changed, costs little, and cannot fail on an object that is
//! malformed. The next pass reads what it needs.

use std::fmt::Debug;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};

use super::{kubesphere, permissions, webhook};
use crate::api::{WEBHOOK, Webhook};

/// A change, or why changes are not seen.
pub(super) type Wake = Result<(), watcher::Error>;

/// All changes that matter, as they come.
pub(super) fn changes(client: &Client, namespace: &str) -> BoxStream<'static, Wake> {
    let label = watcher::Config::default().labels(&webhook::selector());
    let named = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut all = vec![
        changes_of(Api::<PartialObjectMeta<Webhook>>::all(client.clone()), named(WEBHOOK)),
        here::<ServiceAccount>(client, namespace, label.clone()),
        here::<Service>(client, namespace, label.clone()),
        here::<ConfigMap>(client, namespace, label.clone()),
        here::<Deployment>(client, namespace, label.clone()),
        here::<PodDisruptionBudget>(client, namespace, label),
        here::<ConfigMap>(client, kubesphere::NAMESPACE, named(kubesphere::CONFIG)),
    ];
    // One by one, so that other people's stay theirs.
    all.extend(permissions::SECRETS.iter().map(|name| here::<Secret>(client, namespace, named(name))));
    stream::select_all(all).boxed()
}

fn here<K>(client: &Client, namespace: &str, config: watcher::Config) -> BoxStream<'static, Wake>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static,
{
    changes_of(Api::<PartialObjectMeta<K>>::namespaced(client.clone(), namespace), config)
}

fn changes_of<K>(api: Api<PartialObjectMeta<K>>, config: watcher::Config) -> BoxStream<'static, Wake>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let changed = |event: &watcher::Event<_>| !matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
    watcher(api, config)
        .default_backoff()
        .filter_map(move |event| {
            let wake = match event {
                Ok(event) if changed(&event) => Some(Ok(())),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            };
            std::future::ready(wake)
        })
        .boxed()
}
