//! What the apiserver says about the resources, as changes of the index.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Debug;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource};
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, de};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::api::{Rule, RuleStatus, Webhook, WebhookStatus};
use crate::document::{Document, Key};
use crate::reconcile::said;
use crate::store::HEAD;

/// Something that was seen.
#[derive(Debug)]
pub enum Change {
    /// A resource as it is now; without a document, if it can't be read.
    Applied(Key, Option<Document>, Box<Observed>),
    /// A resource is gone.
    Deleted(Key),
    /// These are all resources of a kind.
    Listed(Kind, BTreeSet<Key>),
    /// The head of the store.
    Head(Box<ConfigMap>),
}

/// What is known of a resource besides its document.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    pub(super) uid: String,
    pub(super) generation: i64,
    /// Why it can't be read.
    pub(super) unreadable: Option<String>,
    pub(super) observed_generation: i64,
    pub(super) snapshot_generation: Option<i64>,
    pub(super) rule: Option<RuleStatus>,
    pub(super) webhook: Option<WebhookStatus>,
}

/// A kind of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `Rule`
    Rule,
    /// `Webhook`
    Webhook,
}

impl Kind {
    /// Whether `key` is of this kind.
    pub(super) fn is_of(self, key: &Key) -> bool {
        matches!((self, key), (Self::Rule, Key::Rule { .. }) | (Self::Webhook, Key::Webhook { .. }))
    }

    /// Notes that all of this kind have been seen.
    pub(super) fn mark(self, listed: &mut (bool, bool)) {
        match self {
            Self::Rule => listed.0 = true,
            Self::Webhook => listed.1 = true,
        }
    }
}

/// What a kind of resources is to the watch.
trait Watched: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static {
    const KIND: Kind;

    fn key(metadata: &ObjectMeta) -> Key;

    fn read(&self) -> (Option<Document>, Observed);

    /// Notes the status of one that can't be read, as far as that can be.
    fn status(observed: &mut Observed, status: Value);
}

/// A resource, or what can be read of it: kube's own guard leaves the status out, which has to be known to be written again.
#[derive(Debug, Clone)]
struct Guarded<K>(Result<K, Unread>);

#[derive(Debug, Clone)]
struct Unread {
    error: String,
    metadata: ObjectMeta,
    status: Value,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(from)?;
        let error = match K::deserialize(&value) {
            Ok(resource) => return Ok(Self(Ok(resource))),
            Err(error) => error.to_string(),
        };
        let mut part = |name| value.get_mut(name).map(Value::take).unwrap_or_default();
        let metadata = serde_json::from_value(part("metadata")).map_err(de::Error::custom)?;
        Ok(Self(Err(Unread { error, metadata, status: part("status") })))
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Guarded<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unread| &unread.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unread| &mut unread.metadata, K::meta_mut)
    }
}

/// Watches the resources and the head until `shutdown`.
pub(super) async fn all(client: Client, namespace: String, changes: mpsc::Sender<Change>, shutdown: CancellationToken) {
    let rules = resources(Api::<Guarded<Rule>>::all(client.clone()), changes.clone(), shutdown.clone());
    let webhooks = resources(Api::<Guarded<Webhook>>::all(client.clone()), changes.clone(), shutdown.clone());
    let head = head(Api::namespaced(client, &namespace), changes, shutdown);
    tokio::join!(rules, webhooks, head);
}

async fn resources<K: Watched>(api: Api<Guarded<K>>, changes: mpsc::Sender<Change>, shutdown: CancellationToken) {
    let stream = watcher(api, watcher::Config::default()).default_backoff();
    let mut stream = Box::pin(stream.take_until(shutdown.cancelled_owned()));
    let mut listed = BTreeSet::new();
    loop {
        let change = match stream.try_next().await {
            Ok(Some(watcher::Event::Init)) => {
                listed.clear();
                continue;
            }
            Ok(Some(watcher::Event::InitApply(object))) => {
                let change = applied(object);
                if let Change::Applied(key, ..) = &change {
                    listed.insert(key.clone());
                }
                change
            }
            Ok(Some(watcher::Event::InitDone)) => Change::Listed(K::KIND, std::mem::take(&mut listed)),
            Ok(Some(watcher::Event::Apply(object))) => applied(object),
            Ok(Some(watcher::Event::Delete(object))) => Change::Deleted(K::key(object.meta())),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(error = said(&error), kind = %K::kind(&()), "could not watch the resources; trying again");
                continue;
            }
        };
        if changes.send(change).await.is_err() {
            return;
        }
    }
}

fn applied<K: Watched>(object: Guarded<K>) -> Change {
    match object.0 {
        Ok(object) => {
            let key = K::key(object.meta());
            let (document, observed) = object.read();
            Change::Applied(key, document, Box::new(observed))
        }
        Err(Unread { error, metadata, status }) => {
            let mut observed = observed(&metadata);
            K::status(&mut observed, status);
            observed.unreadable = Some(error);
            Change::Applied(K::key(&metadata), None, Box::new(observed))
        }
    }
}

fn observed(metadata: &ObjectMeta) -> Observed {
    Observed {
        uid: metadata.uid.clone().unwrap_or_default(),
        generation: metadata.generation.unwrap_or(0),
        ..Observed::default()
    }
}

impl Watched for Rule {
    const KIND: Kind = Kind::Rule;

    fn key(metadata: &ObjectMeta) -> Key {
        let namespace = metadata.namespace.clone().unwrap_or_else(|| "default".to_owned());
        Key::Rule { namespace, name: metadata.name.clone().unwrap_or_default() }
    }

    fn read(&self) -> (Option<Document>, Observed) {
        let status = self.status.clone().unwrap_or_default();
        let mut observed = Observed {
            observed_generation: status.observed_generation,
            snapshot_generation: status.snapshot_generation,
            rule: Some(status),
            ..observed(&self.metadata)
        };
        (document(Document::of_rule(self), &mut observed), observed)
    }

    fn status(observed: &mut Observed, status: Value) {
        let status: RuleStatus = serde_json::from_value(status).unwrap_or_default();
        // What is in force, and the verdict, is of the version before.
        observed.observed_generation = status.last_good_generation.unwrap_or(status.observed_generation);
        observed.snapshot_generation = status.snapshot_generation;
        observed.rule = Some(status);
    }
}

impl Watched for Webhook {
    const KIND: Kind = Kind::Webhook;

    fn key(metadata: &ObjectMeta) -> Key {
        Key::Webhook { name: metadata.name.clone().unwrap_or_default() }
    }

    fn read(&self) -> (Option<Document>, Observed) {
        let status = self.status.clone().unwrap_or_default();
        let mut observed = Observed {
            observed_generation: status.observed_generation,
            snapshot_generation: status.snapshot_generation,
            webhook: Some(status),
            ..observed(&self.metadata)
        };
        (document(Document::of_webhook(self), &mut observed), observed)
    }

    fn status(observed: &mut Observed, status: Value) {
        let status: WebhookStatus = serde_json::from_value(status).unwrap_or_default();
        observed.observed_generation = status.observed_generation;
        observed.snapshot_generation = status.snapshot_generation;
        observed.webhook = Some(status);
    }
}

fn document(document: Result<Document, crate::document::DocumentError>, observed: &mut Observed) -> Option<Document> {
    match document {
        Ok(document) => Some(document),
        Err(error) => {
            observed.unreadable = Some(vedette_service::chain(&error).to_string());
            None
        }
    }
}

async fn head(api: Api<ConfigMap>, changes: mpsc::Sender<Change>, shutdown: CancellationToken) {
    let config = watcher::Config::default().fields(&format!("metadata.name={HEAD}"));
    let mut stream = Box::pin(watcher(api, config).default_backoff().take_until(shutdown.cancelled_owned()));
    loop {
        match stream.try_next().await {
            Ok(Some(watcher::Event::Apply(map) | watcher::Event::InitApply(map))) => {
                if changes.send(Change::Head(Box::new(map))).await.is_err() {
                    return;
                }
            }
            // Deleted by somebody: the leader writes it again with its next change, and goes on serving what it has.
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => tracing::warn!(error = said(&error), "could not watch the rules in force; trying again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Change, Guarded, applied};
    use crate::api::Rule;

    #[test]
    fn what_cannot_be_read_keeps_its_status() {
        let resource: Guarded<Rule> = serde_json::from_value(json!({
            "apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Rule",
            "metadata": {"name": "r", "namespace": "n", "generation": 4},
            "spec": {"rules": "none"},
            "status": {"observedGeneration": 4, "lastGoodGeneration": 3, "snapshotGeneration": 9, "rulesInForce": 2},
        }))
        .unwrap();
        let Change::Applied(_, None, seen) = applied(resource) else { panic!("it can be read") };
        assert!(seen.unreadable.is_some());
        assert_eq!((seen.generation, seen.observed_generation, seen.snapshot_generation), (4, 3, Some(9)));
        assert_eq!(seen.rule.unwrap().rules_in_force, 2);
    }
}
