//! An entry of a `Rule`, as files and resources hold it, and as the messages of rule management do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::entry::Kind;

/// The longest name, in bytes.
const NAME: usize = 253;

/// A rule, macro, list or alias.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.type != 'rule' || has(self.condition)", "message": "an entry of type `rule` needs a `condition`"},
    {"rule": "self.type != 'macro' || has(self.macro)", "message": "an entry of type `macro` needs a `macro`"},
    {"rule": "self.type != 'list' || has(self.list)", "message": "an entry of type `list` needs a `list`"},
    {"rule": "self.type != 'alias' || has(self.alias)", "message": "an entry of type `alias` needs an `alias`"},
]))]
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

/// What is wrong with an entry of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct EntryError {
    /// The field of the entry, as `rule.priority`; empty, if it is the entry as a whole.
    pub field: &'static str,
    /// One sentence.
    pub what: &'static str,
}

impl Entry {
    /// As a message.
    pub fn message(&self) -> proto::Entry {
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let kind = match self.kind {
            EntryType::Rule => Kind::Rule(proto::Condition {
                condition: text(&self.condition),
                exceptions: self.exceptions.clone().unwrap_or_default(),
                output: text(&self.output),
                priority: self.priority.map(Priority::text).unwrap_or_default().to_owned(),
                enable: self.enable,
            }),
            EntryType::Macro => Kind::Macro(text(&self.macro_)),
            EntryType::List => Kind::List(proto::List { values: self.list.clone().unwrap_or_default() }),
            EntryType::Alias => Kind::Alias(text(&self.alias)),
        };
        proto::Entry { name: self.name.clone(), desc: text(&self.desc), kind: Some(kind) }
    }

    /// Of a message.
    ///
    /// # Errors
    /// If it is no entry.
    pub fn read(message: proto::Entry) -> Result<Self, EntryError> {
        if message.name.is_empty() || message.name.len() > NAME {
            return Err(EntryError { field: "name", what: "a name has 1 to 253 bytes" });
        }
        let read = Self { name: message.name, desc: some(message.desc), ..Self::default() };
        match message.kind {
            None => Err(EntryError { field: "", what: "it is none of `rule`, `macro`, `list` and `alias`" }),
            Some(Kind::Macro(text)) => Ok(Self { kind: EntryType::Macro, macro_: Some(text), ..read }),
            Some(Kind::Alias(text)) => Ok(Self { kind: EntryType::Alias, alias: Some(text), ..read }),
            Some(Kind::List(list)) => Ok(Self { kind: EntryType::List, list: Some(list.values), ..read }),
            Some(Kind::Rule(rule)) => Ok(Self {
                kind: EntryType::Rule,
                condition: Some(rule.condition),
                exceptions: if rule.exceptions.is_empty() { None } else { Some(rule.exceptions) },
                output: some(rule.output),
                priority: Priority::read(&rule.priority)?,
                enable: rule.enable,
                ..read
            }),
        }
    }
}

impl Priority {
    fn text(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
        }
    }

    fn read(text: &str) -> Result<Option<Self>, EntryError> {
        match text {
            "" => Ok(None),
            "DEBUG" => Ok(Some(Self::Debug)),
            "INFO" => Ok(Some(Self::Info)),
            "WARNING" => Ok(Some(Self::Warning)),
            _ => Err(EntryError { field: "rule.priority", what: "it is DEBUG, INFO or WARNING" }),
        }
    }
}

fn some(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}
