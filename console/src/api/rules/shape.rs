//! Rules and those who apply them, as they are shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::entry::Kind;
use vedette_proto::rules::v1::rule_status::State;

use super::diagnostic::{self, Diagnostic};
use super::source;

/// All rules, and who applies them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// By namespace and name.
    pub items: Vec<Rule>,
    /// Who applies them.
    pub evaluators: Vec<Evaluator>,
    /// The generation that should be in force everywhere.
    pub generation: u64,
}

/// A `Rule` resource: rules, and the macros, lists and aliases that they use.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `namespaces/<namespace>/rules/<name>`
    pub name: String,
    /// Changes with every change of labels, annotations and entries.
    pub etag: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// What became of it.
    pub state: RuleState,
    /// How many of its rules are in force.
    pub rules_in_force: u32,
    /// The generation that holds it; 0, if none does.
    pub generation: u64,
    /// What the compiler says of it.
    pub diagnostics: Vec<Diagnostic>,
    /// What it consists of.
    pub entries: Vec<Entry>,
    /// Its YAML, as kubectl would apply it.
    pub source: String,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum RuleState {
    /// In force as written.
    InForce,
    /// It has errors; its last version without is in force.
    LastGoodInForce,
    /// It has errors, and there never was a version without.
    Refused,
    /// No selector takes it.
    NotSelected,
    /// Not looked at yet.
    Pending,
}

/// A part of a rule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is for; empty, if it does not say.
    pub desc: String,
    /// What it is.
    pub kind: EntryKind,
    /// Of a rule: when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Of a rule: conditions that excuse an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<Vec<String>>,
    /// Of a rule: the message of an alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Of a rule: `DEBUG`, `INFO` or `WARNING`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Of a rule: whether it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Of a macro: its condition.
    #[serde(default, rename = "macro", skip_serializing_if = "Option::is_none")]
    pub macro_: Option<String>,
    /// Of a list: its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<String>>,
    /// Of an alias: the path of a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum EntryKind {
    /// A condition by which events are archived or raise alerts.
    Rule,
    /// A condition with a name.
    Macro,
    /// Values with a name.
    List,
    /// A field with a name.
    Alias,
}

/// Who applies rules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evaluator {
    /// The instance.
    pub name: String,
    /// The service that it is one of.
    pub service: String,
    /// Its version.
    pub version: String,
    /// The generation that is in force there.
    pub generation: u64,
    /// How many rules are.
    pub rules: u64,
    /// Since when it is behind; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_since: Option<String>,
    /// Why it refused the last rules that it was sent; empty, if it did not.
    pub last_error: String,
}

impl Rule {
    /// It takes its time: the text is written, and read where there are findings to be placed in it.
    pub(super) fn of(rule: proto::Rule) -> Self {
        let source = source::write(&rule).unwrap_or_else(|error| {
            tracing::warn!(error = %vedette_service::chain(&error), "a rule can't be shown as YAML");
            String::new()
        });
        let status = rule.status.unwrap_or_default();
        Self {
            state: RuleState::of(status.state()),
            rules_in_force: status.rules_in_force,
            generation: status.snapshot_generation,
            diagnostics: diagnostic::of_rule(status.diagnostics, &rule.name, &source),
            name: rule.name,
            etag: rule.etag,
            labels: rule.labels,
            annotations: rule.annotations,
            created: rule.create_time.as_ref().and_then(time),
            entries: rule.entries.into_iter().map(Entry::of).collect(),
            source,
        }
    }
}

impl RuleState {
    fn of(state: State) -> Self {
        match state {
            State::InForce => Self::InForce,
            State::LastGoodInForce => Self::LastGoodInForce,
            State::Refused => Self::Refused,
            State::NotSelected => Self::NotSelected,
            State::Pending | State::Unspecified => Self::Pending,
        }
    }
}

impl Entry {
    fn of(entry: proto::Entry) -> Self {
        let read = Self {
            name: entry.name,
            desc: entry.desc,
            kind: EntryKind::Rule,
            condition: None,
            exceptions: None,
            output: None,
            priority: None,
            enabled: None,
            macro_: None,
            list: None,
            alias: None,
        };
        match entry.kind {
            Some(Kind::Macro(text)) => Self { kind: EntryKind::Macro, macro_: Some(text), ..read },
            Some(Kind::List(list)) => Self { kind: EntryKind::List, list: Some(list.values), ..read },
            Some(Kind::Alias(text)) => Self { kind: EntryKind::Alias, alias: Some(text), ..read },
            Some(Kind::Rule(rule)) => Self {
                condition: Some(rule.condition),
                exceptions: Some(rule.exceptions).filter(|all| !all.is_empty()),
                output: Some(rule.output).filter(|text| !text.is_empty()),
                priority: Some(rule.priority).filter(|text| !text.is_empty()),
                enabled: Some(rule.enable.unwrap_or(true)),
                ..read
            },
            None => read,
        }
    }
}

impl Evaluator {
    pub(super) fn of(evaluator: proto::Evaluator) -> Self {
        Self {
            name: evaluator.name,
            service: evaluator.service,
            version: evaluator.version,
            generation: evaluator.generation,
            rules: evaluator.rules,
            behind_since: evaluator.behind_since.as_ref().and_then(time),
            last_error: evaluator.last_error,
        }
    }
}

fn time(of: &prost_types::Timestamp) -> Option<String> {
    let at = Timestamp::new(of.seconds, of.nanos).ok()?;
    Some(format!("{at:.3}"))
}
