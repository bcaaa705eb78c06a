//! The `Webhook` resource.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, LocalObjectReference, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Priority;
use super::status::Condition;

/// What is recorded, by which rules, who is told, and how the services that do it run.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "auditing.kubesphere.io",
    version = "v1alpha1",
    kind = "Webhook",
    plural = "webhooks",
    shortname = "awh",
    category = "auditing",
    derive = "Default",
    derive = "PartialEq",
    status = "WebhookStatus",
    doc = "What is recorded, by which rules, who is told, and how the services that do it run. The one named `kube-auditing-webhook` is in force.",
    printcolumn = r#"{"name":"Level","type":"string","jsonPath":".spec.auditLevel","description":"What an event may hold when rules see it"}"#,
    printcolumn = r#"{"name":"Kubernetes","type":"boolean","jsonPath":".spec.k8sAuditingEnabled","description":"Whether the events of a kube-apiserver count"}"#,
    printcolumn = r#"{"name":"Replicas","type":"integer","jsonPath":".spec.replicas"}"#,
    printcolumn = r#"{"name":"Reconciled","type":"string","jsonPath":".status.conditions[?(@.type==\"Reconciled\")].status","description":"Whether the services are as described"}"#,
    printcolumn = r#"{"name":"Accepted","type":"string","jsonPath":".status.conditions[?(@.type==\"Accepted\")].status","description":"Whether the settings are in force"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSpec {
    /// The image of the services. One that is meant for KubeSphere's own webhook is not run; a condition says which runs instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When nodes pull the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// The secrets by which nodes may pull it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Arguments for KubeSphere's webhook: without effect, as a condition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// How many of each service run.
    #[serde(default = "two", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// What each container may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where pods should run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// The labels of the nodes where pods may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// The taints of nodes that pods do not mind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Toleration>>,
    /// What an event may hold when rules see it.
    #[serde(default = "metadata")]
    pub audit_level: AuditLevel,
    /// Which `Rule`s archive and which alert, by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_sink_policy: Option<AuditSinkPolicy>,
    /// An archiving rule below this priority stores nothing; `DEBUG` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archiving_priority: Option<Priority>,
    /// An alerting rule below this priority stores instead of alerting; `WARNING` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerting_priority: Option<Priority>,
    /// Whether the events of a kube-apiserver count; not, by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k8s_auditing_enabled: Option<bool>,
    /// What some of KubeSphere's documents write here; `k8sAuditingEnabled` is mirrored into `spec` and back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auditing: Option<Auditing>,
    /// Whether ingest speaks HTTPS: it does, by default.
    #[serde(rename = "useHTTPS", default, skip_serializing_if = "Option::is_none")]
    pub use_https: Option<bool>,
    /// Where ingest listens: 6443 with HTTPS and 8080 without, by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub port: Option<i32>,
    /// Who gets the alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receivers: Option<Vec<Receiver>>,
    /// What is different for one of the services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Components>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
fn two() -> Option<i32> {
    Some(2)
}

fn metadata() -> AuditLevel {
    AuditLevel::Metadata
}

/// What an event may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuditLevel {
    /// No event at all.
    None,
    /// Who did what when; no bodies.
    #[default]
    Metadata,
    /// The request's body too, of requests for resources.
    Request,
    /// Both bodies, of requests for resources.
    RequestResponse,
}

/// Which `Rule`s count for what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditSinkPolicy {
    /// The `Rule`s that alert; those labelled `type: alerting`, if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerting_rule_selector: Option<LabelSelector>,
    /// The `Rule`s that archive; those labelled `type: archiving` or `type: persistence`, if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archiving_rule_selector: Option<LabelSelector>,
}

/// What some of KubeSphere's documents write below `auditing`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auditing {
    /// As `spec.k8sAuditingEnabled`, which counts where both are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k8s_auditing_enabled: Option<bool>,
}

/// Who gets alerts.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receiver {
    /// Its name, unique among the receivers.
    #[schemars(length(min = 1))]
    pub name: String,
    /// What it speaks.
    #[serde(rename = "type")]
    pub kind: ReceiverType,
    /// Where it is.
    pub config: ReceiverConfig,
}

/// What a receiver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReceiverType {
    /// Alertmanager's API.
    Alertmanager,
    /// A POST of JSON.
    Webhook,
}

/// Where a receiver is.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.url) != has(self.service)").message("a receiver has either a `url` or a `service`"))]
pub struct ReceiverConfig {
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ReceiverService>,
    /// Certificates in PEM, in base64, that the receiver's must chain to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<String>,
}

/// A Service that takes alerts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its port: 9093 of an Alertmanager, 443 with `caBundle`, else 80, by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// The path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What a container may take, as in a pod; quantities may be numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "quantities")]
    pub limits: Option<BTreeMap<String, IntOrString>>,
    /// At least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "quantities")]
    pub requests: Option<BTreeMap<String, IntOrString>>,
}

fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "additionalProperties": {"x-kubernetes-int-or-string": true},
    })
}

// Five more copies of a pod's schema would make the definition larger than what `kubectl apply` can note down about it. The Deployment
// that it becomes part of is validated anyway.
fn as_in_a_pod(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "nullable": true, "x-kubernetes-preserve-unknown-fields": true})
}

fn tolerations(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "nullable": true, "items": as_in_a_pod(generator)})
}

/// What is different for one of the services.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Components {
    /// The audit webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest: Option<Component>,
    /// What holds events against rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluator: Option<Component>,
    /// What stores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archiver: Option<Component>,
    /// What sends alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerter: Option<Component>,
    /// The query API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<Component>,
}

/// What is different for a service; what is not said is as in `spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// How many of it run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// What its container may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where its pods should run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "as_in_a_pod")]
    pub affinity: Option<serde_json::Value>,
    /// The labels of the nodes where its pods may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// The taints of nodes that its pods do not mind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tolerations")]
    pub tolerations: Option<Vec<serde_json::Value>>,
    /// Variables `VEDETTE_<SERVICE>_…` for it, as `docs/running.md` lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
}

/// What became of a `Webhook`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookStatus {
    /// The generation of the resource that this is about.
    #[serde(default)]
    pub observed_generation: i64,
    /// The generation of the rules and settings as distributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_generation: Option<i64>,
    /// `Accepted`, `Reconciled`, and one for each thing that is not done as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
