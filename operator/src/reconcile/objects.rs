//! The objects that a `Webhook` asks for: a pure function, so that what an administrator gets can be read off a test.
//!
//! They are apply configurations: an object here names the fields that are ours and no others, which a type with defaults could not
//! say. What does not fit a schema is refused by the API server, which is asked to be strict.

use serde_json::{Value, json};

use super::component::{ADMIN_PORT, CONSOLE_PORT, Component, Ports};
use super::condition::Finding;
use super::{MANAGER, Settings, files, image, workload};
use crate::api::{self, GROUP, VERSION, WEBHOOK};

/// What every object is labelled with.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// What the objects of the `Webhook` are labelled with; the operator's own are not.
pub const OF_WEBHOOK: &str = "auditing.vedette.io/webhook";
/// The Service of the audit webhook, as KubeSphere's documents know it.
pub const SERVICE: &str = "kube-auditing-webhook-svc";
/// The ConfigMap with the files for an administrator's kube-apiserver.
pub const FILES: &str = "vedette-apiserver-files";

/// A kind of object that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `v1`
    ServiceAccount,
    /// `v1`
    Service,
    /// `v1`
    ConfigMap,
    /// `apps/v1`
    Deployment,
    /// `policy/v1`
    PodDisruptionBudget,
    /// `v1`
    Secret,
}

impl Kind {
    /// Those that are watched and cleaned up by their labels. Secrets are not: nobody need see other people's.
    pub const LABELLED: [Self; 5] =
        [Self::ServiceAccount, Self::Service, Self::ConfigMap, Self::Deployment, Self::PodDisruptionBudget];

    /// Group, version, kind and plural.
    pub(crate) fn resource(self) -> kube::core::ApiResource {
        let (group, kind, plural) = match self {
            Self::ServiceAccount => ("", "ServiceAccount", "serviceaccounts"),
            Self::Service => ("", "Service", "services"),
            Self::ConfigMap => ("", "ConfigMap", "configmaps"),
            Self::Deployment => ("apps", "Deployment", "deployments"),
            Self::PodDisruptionBudget => ("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
            Self::Secret => ("", "Secret", "secrets"),
        };
        kube::core::ApiResource::from_gvk_with_plural(&kube::core::GroupVersionKind::gvk(group, "v1", kind), plural)
    }
}

/// An object as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The fields that are ours.
    pub body: Value,
}

/// What is only known from the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The address of the audit webhook's Service.
    pub cluster_ip: Option<String>,
    /// The authorities to trust, PEM.
    pub bundle: String,
}

/// What a `Webhook` asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The objects, in the order in which they are applied.
    pub objects: Vec<Object>,
    /// What is to be said about it.
    pub findings: Vec<Finding>,
}

/// Everything but the Secrets, whose content is not for a pure function to make up.
pub fn wanted(webhook: &api::Webhook, settings: &Settings, observed: &Observed) -> Wanted {
    let mut objects =
        vec![service(webhook, settings), console(webhook, settings), apiserver_files(webhook, settings, observed)];
    for component in Component::ALL {
        objects.push(account(component, webhook, settings));
        objects.push(budget(component, webhook, settings));
        objects.push(workload::deployment(component, webhook, settings));
    }
    Wanted { objects, findings: image::findings(webhook, settings).into() }
}

/// The audit webhook's Service, whose address the others need.
pub fn service(webhook: &api::Webhook, settings: &Settings) -> Object {
    let ports = Ports::of(webhook);
    let scheme = if ports.https { "https" } else { "http" };
    let listed: Vec<_> = ports
        .served()
        .into_iter()
        .map(|port| json!({"name": format!("{scheme}-{port}"), "port": port, "protocol": "TCP", "targetPort": "webhook"}))
        .collect();
    let spec = json!({"type": "ClusterIP", "selector": selector(Component::Ingest), "ports": listed});
    object(Kind::Service, SERVICE, Some(Component::Ingest), webhook, settings, json!({"spec": spec}))
}

fn console(webhook: &api::Webhook, settings: &Settings) -> Object {
    let port = json!({"name": "https", "port": 443, "protocol": "TCP", "targetPort": "console"});
    let spec = json!({"type": "ClusterIP", "selector": selector(Component::Console), "ports": [port]});
    let name = Component::Console.program();
    object(Kind::Service, &name, Some(Component::Console), webhook, settings, json!({"spec": spec}))
}

fn apiserver_files(webhook: &api::Webhook, settings: &Settings, observed: &Observed) -> Object {
    let data = files::data(webhook, settings, observed);
    object(Kind::ConfigMap, FILES, None, webhook, settings, json!({"data": data}))
}

fn account(component: Component, webhook: &api::Webhook, settings: &Settings) -> Object {
    // The pods that need a token say so themselves: what else runs as this account gets none.
    let body = json!({"automountServiceAccountToken": false});
    object(Kind::ServiceAccount, &component.program(), Some(component), webhook, settings, body)
}

fn budget(component: Component, webhook: &api::Webhook, settings: &Settings) -> Object {
    let spec = json!({
        "maxUnavailable": 1,
        // A pod that is not ready protects nothing, and must not keep a node from being drained.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(component)},
    });
    object(Kind::PodDisruptionBudget, &component.program(), Some(component), webhook, settings, json!({"spec": spec}))
}

/// What a service's pods are found by. A Deployment's can't be changed: these two are for ever.
pub(crate) fn selector(component: Component) -> Value {
    json!({"app.kubernetes.io/name": "vedette", "app.kubernetes.io/component": component.name()})
}

/// The labels of an object of ours.
pub(crate) fn labels(component: Option<Component>) -> Value {
    let mut labels = json!({
        "app.kubernetes.io/name": "vedette",
        "app.kubernetes.io/part-of": "vedette",
        MANAGED_BY: MANAGER,
        OF_WEBHOOK: WEBHOOK,
    });
    if let (Some(component), Some(labels)) = (component, labels.as_object_mut()) {
        labels.insert("app.kubernetes.io/component".to_owned(), json!(component.name()));
    }
    labels
}

/// An object of the `Webhook`, which is its owner.
pub(crate) fn object(
    kind: Kind,
    name: &str,
    component: Option<Component>,
    webhook: &api::Webhook,
    settings: &Settings,
    body: Value,
) -> Object {
    let owner = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "Webhook",
        "name": webhook.metadata.name.as_deref().unwrap_or(WEBHOOK),
        "uid": webhook.metadata.uid.as_deref().unwrap_or_default(),
        "controller": true,
    });
    let metadata = json!({
        "name": name,
        "namespace": settings.namespace,
        "labels": labels(component),
        "ownerReferences": [owner],
    });
    assemble(kind, name, metadata, body)
}

/// An object of the operator itself, which stays when the `Webhook` goes.
pub(crate) fn own(kind: Kind, name: &str, settings: &Settings, body: Value) -> Object {
    let metadata = json!({
        "name": name,
        "namespace": settings.namespace,
        "labels": {
            "app.kubernetes.io/name": "vedette",
            "app.kubernetes.io/part-of": "vedette",
            "app.kubernetes.io/component": "operator",
            MANAGED_BY: MANAGER,
        },
    });
    assemble(kind, name, metadata, body)
}

fn assemble(kind: Kind, name: &str, metadata: Value, mut body: Value) -> Object {
    let resource = kind.resource();
    if let Some(members) = body.as_object_mut() {
        members.insert("apiVersion".to_owned(), json!(resource.api_version));
        members.insert("kind".to_owned(), json!(resource.kind));
        members.insert("metadata".to_owned(), metadata);
    }
    Object { kind, name: name.to_owned(), body }
}

/// The ports of a service's container, the administrator's first.
pub(crate) fn container_ports(component: Component, webhook: &api::Webhook) -> Value {
    let mut ports = vec![json!({"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"})];
    match component {
        Component::Ingest => {
            ports.push(json!({"name": "webhook", "containerPort": Ports::of(webhook).listen, "protocol": "TCP"}));
        }
        Component::Console => {
            ports.push(json!({"name": "console", "containerPort": CONSOLE_PORT, "protocol": "TCP"}));
        }
        Component::Evaluator | Component::Archiver | Component::Alerter => {}
    }
    Value::Array(ports)
}

#[cfg(test)]
mod tests;
