//! The `Rule` resource.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// A rule, macro, list or alias.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type != 'rule' || has(self.condition)").message("an entry of type `rule` needs a `condition`"),
    validation = Rule::new("self.type != 'macro' || has(self.macro)").message("an entry of type `macro` needs a `macro`"),
    validation = Rule::new("self.type != 'list' || has(self.list)").message("an entry of type `list` needs a `list`"),
    validation = Rule::new("self.type != 'alias' || has(self.alias)").message("an entry of type `alias` needs an `alias`"),
)]
pub struct Entry {
    /// Its name: `${name}` refers to a macro, list or alias of the same resource, `${resource.name}` to one of another.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: EntryType,
    /// For readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// Of a rule: it holds for an event that satisfies this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Of a rule: conditions that excuse an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<Vec<String>>,
    /// Of a macro: a condition that others use by its name.
    #[serde(rename = "macro", default, skip_serializing_if = "Option::is_none")]
    pub macro_: Option<String>,
    /// Of a list: its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<String>>,
    /// Of an alias: the path of a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Of a rule: whether it counts. It does, if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable: Option<bool>,
    /// Of a rule: the message of an alert; `${…}` shows aliases, lists and fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Of a rule: its weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EntryType {
    /// A condition by which events are archived or raise alerts.
    #[default]
    Rule,
    /// A condition with a name.
    Macro,
    /// Values with a name.
    List,
    /// A field with a name.
    Alias,
}

/// The weight of a rule, `DEBUG` < `INFO` < `WARNING`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Priority {
    /// The lightest.
    Debug,
    /// Between.
    Info,
    /// The heaviest.
    Warning,
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
