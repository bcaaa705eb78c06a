//! The `Rule` resource.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vedette_service::manifest::Entry;

use super::status::Condition;

/// A group of rules, and the macros, lists and aliases that they use.
///
/// The label `type` says what the rules are for: `archiving` (or `persistence`) or `alerting`.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "auditing.kubesphere.io",
    version = "v1alpha1",
    kind = "Rule",
    plural = "rules",
    shortname = "ar",
    category = "auditing",
    namespaced,
    derive = "Default",
    derive = "PartialEq",
    status = "RuleStatus",
    doc = "A group of rules by which audit events are archived or raise alerts.",
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".metadata.labels.type","description":"What the rules are for"}"#,
    printcolumn = r#"{"name":"Accepted","type":"string","jsonPath":".status.conditions[?(@.type==\"Accepted\")].status","description":"Whether the rules compile"}"#,
    printcolumn = r#"{"name":"In Force","type":"integer","jsonPath":".status.rulesInForce","description":"How many of its rules are in force"}"#,
    printcolumn = r#"{"name":"Distributed","type":"string","jsonPath":".status.conditions[?(@.type==\"Distributed\")].status","description":"Whether every evaluator has them"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Accepted\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RuleSpec {
    /// Rules, macros, lists and aliases, in any order.
    #[serde(default)]
    pub rules: Vec<Entry>,
}

/// What became of a `Rule`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleStatus {
    /// The generation of the resource that this is about.
    #[serde(default)]
    pub observed_generation: i64,
    /// The generation of the rules of all resources, as distributed, that holds this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_generation: Option<i64>,
    /// How many of its rules are in force.
    #[serde(default)]
    pub rules_in_force: i32,
    /// The resource's generation that is in force, while it is an earlier one because the present one has errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_generation: Option<i64>,
    /// `Accepted`: whether it compiles. `Distributed`: whether every connected evaluator has it in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What the compiler says of it, at most 100 findings, errors first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<StatusDiagnostic>,
}

/// A finding of the compiler.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusDiagnostic {
    /// Its permanent code, as `VR0101`, under which the manual explains it.
    pub code: String,
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// What is wrong.
    pub message: String,
    /// Where, as `spec.rules[3].condition`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Characters from the beginning of the field's text, from 0.
    #[serde(default)]
    pub offset: i32,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}
