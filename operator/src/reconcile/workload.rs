//! The Deployment of a service.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::component::{Component, MOUNTS, STATE};
use super::objects::{self, Kind, Object};
use super::secrets::{CONSOLE_TOKEN, REDACTION_KEY};
use super::{Settings, image};
use crate::api;

/// Nobody on the node.
const USER: u32 = 65532;
/// A service takes 25 seconds at most to finish what it has in hand.
const GRACE_SECONDS: u32 = 40;

pub(crate) fn deployment(component: Component, webhook: &api::Webhook, settings: &Settings) -> Object {
    let own = component.own(webhook);
    let replicas = own.and_then(|it| it.replicas).or(webhook.spec.replicas).unwrap_or(2);
    let spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": objects::selector(component)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": objects::labels(Some(component))},
            "spec": pod(component, webhook, settings),
        },
    });
    objects::object(Kind::Deployment, &component.program(), Some(component), webhook, settings, json!({"spec": spec}))
}

fn pod(component: Component, webhook: &api::Webhook, settings: &Settings) -> Value {
    let (spec, own) = (&webhook.spec, component.own(webhook));
    let mut pod = Fields::default();
    pod.set("serviceAccountName", component.program());
    pod.set("automountServiceAccountToken", component.asks_kubernetes());
    // Variables named after other people's Services are none of ours.
    pod.set("enableServiceLinks", false);
    pod.set("terminationGracePeriodSeconds", GRACE_SECONDS);
    pod.set(
        "securityContext",
        json!({
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        }),
    );
    pod.set("containers", [container(component, webhook, settings)]);
    let (volumes, _) = mounts(component, webhook, settings);
    pod.set("volumes", volumes);
    pod.set_some("imagePullSecrets", spec.image_pull_secrets.as_ref());
    match own.and_then(|it| it.affinity.as_ref()) {
        Some(affinity) => pod.set("affinity", affinity),
        None => pod.set_some("affinity", spec.affinity.as_ref()),
    }
    match own.and_then(|it| it.tolerations.as_ref()) {
        Some(tolerations) => pod.set("tolerations", tolerations),
        None => pod.set_some("tolerations", spec.tolerations.as_ref()),
    }
    pod.set_some("nodeSelector", own.and_then(|it| it.node_selector.as_ref()).or(spec.node_selector.as_ref()));
    // Two pods on one node are one node's failure away from none; but better there than nowhere.
    pod.set(
        "topologySpreadConstraints",
        [json!({
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": objects::selector(component)},
        })],
    );
    pod.into()
}

fn container(component: Component, webhook: &api::Webhook, settings: &Settings) -> Value {
    let (spec, own) = (&webhook.spec, component.own(webhook));
    let variables = component.variables(webhook, settings);
    let env: Vec<_> = variables.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut container = Fields::default();
    container.set("name", component.name());
    container.set("image", image::of(component, webhook, settings));
    container.set_some("imagePullPolicy", spec.image_pull_policy.as_ref().or(settings.image_pull_policy.as_ref()));
    // An image may hold one program or all.
    container.set("command", [component.program()]);
    container.set("env", env);
    if let (Component::Archiver | Component::Console, Some(name)) = (component, &settings.archive_secret) {
        let prefix = format!("{}ARCHIVE__", component.prefix());
        container.set("envFrom", [json!({"prefix": prefix, "secretRef": {"name": name}})]);
    }
    container.set("ports", objects::container_ports(component, webhook));
    container.set_some("resources", own.and_then(|it| it.resources.as_ref()).or(spec.resources.as_ref()));
    container.set(
        "securityContext",
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        }),
    );
    let probe = |path: &str, period: u32, failures: u32| {
        json!({
            "httpGet": {"path": path, "port": "admin", "scheme": "HTTP"},
            "periodSeconds": period,
            "timeoutSeconds": 3,
            "failureThreshold": failures,
        })
    };
    // A service waits a minute for a broker that is slow to come before it gives up itself.
    container.set("startupProbe", probe("/healthz", 2, 60));
    container.set("livenessProbe", probe("/healthz", 10, 6));
    container.set("readinessProbe", probe("/readyz", 5, 2));
    let (_, mounts) = mounts(component, webhook, settings);
    container.set("volumeMounts", mounts);
    container.into()
}

/// Volumes and where they are mounted.
fn mounts(component: Component, webhook: &api::Webhook, settings: &Settings) -> (Vec<Value>, Vec<Value>) {
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    volumes.push(json!({"name": "state", "emptyDir": {"sizeLimit": "256Mi"}}));
    mounts.push(json!({"name": "state", "mountPath": STATE}));
    let mut secret = |name: &str, secret: &str| {
        volumes.push(json!({"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}));
        mounts.push(json!({"name": name, "mountPath": format!("{MOUNTS}/{name}"), "readOnly": true}));
    };
    let plain = component == Component::Ingest && !super::component::Ports::of(webhook).https;
    if let Some(name) = component.server_secret().filter(|_| !plain) {
        secret("tls", name);
    }
    if let Some(name) = component.client_secret() {
        secret("client", name);
    }
    match component {
        Component::Console => {
            secret("token", CONSOLE_TOKEN);
            if let Some(name) = &settings.console_secret {
                secret("console", name);
            }
        }
        Component::Ingest => secret("redaction", REDACTION_KEY),
        _ => {}
    }
    if let Some(name) = &settings.nats_secret {
        secret("nats", name);
    }
    (volumes, mounts)
}

/// Fields that are ours; what is not set is left to others.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, name: &str, value: impl Serialize) {
        // Everything here is made of strings, numbers and maps with text for keys, which are always JSON.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.0.insert(name.to_owned(), value);
    }

    fn set_some(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields.0)
    }
}
