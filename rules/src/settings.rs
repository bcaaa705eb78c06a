//! What a `Webhook` resource sets: levels, priorities, which rules count, and who is told.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use vedette_audit::Level;

use crate::Dialect;

/// The weight of a rule, `DEBUG` < `INFO` < `WARNING`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// `DEBUG`
    Debug,
    /// `INFO`
    Info,
    /// `WARNING`
    Warning,
}

/// A word that is no priority.
#[derive(Debug, thiserror::Error)]
#[error("a priority is `DEBUG`, `INFO` or `WARNING`")]
pub struct PriorityError;

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What an event may hold at most when rules see it; `None` drops all events.
    pub audit_level: Level,
    /// Whether events from a kube-apiserver count.
    pub k8s_auditing_enabled: bool,
    /// An archiving rule below this priority stores nothing.
    pub archiving_priority: Priority,
    /// An alerting rule below this priority stores instead of alerting.
    pub alerting_priority: Priority,
    /// Which `Rule` resources archive.
    pub archiving: Selector,
    /// Which `Rule` resources alert.
    pub alerting: Selector,
    /// How conditions are read where the resource says nothing of it.
    pub dialect: Dialect,
    /// Who gets the alerts, in the order of the file.
    pub receivers: Vec<Receiver>,
}

/// A label selector: every requirement must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// The requirements; none at all takes everything.
    pub requirements: Vec<Requirement>,
}

/// One requirement of a [`Selector`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What is asked of the label.
    pub operator: RequirementOperator,
    /// The values of `In` and `NotIn`.
    pub values: Vec<String>,
}

/// What a [`Requirement`] asks of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequirementOperator {
    /// The label is there with one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name, unique among the receivers.
    pub name: String,
    /// What it speaks.
    pub kind: ReceiverKind,
    /// `http` or `https`; a service reference has become `http[s]://name.namespace.svc:port/path`.
    pub url: String,
    /// PEM certificates that the receiver's must chain to; `None`: the system's.
    pub ca_bundle: Option<Vec<u8>>,
}

/// What a receiver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiverKind {
    /// Alertmanager's API.
    Alertmanager,
    /// A POST of JSON.
    Webhook,
}

impl Priority {
    /// The word that the resources use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Priority {
    type Err = PriorityError;

    fn from_str(text: &str) -> Result<Self, PriorityError> {
        [Self::Debug, Self::Info, Self::Warning].into_iter().find(|it| it.as_str() == text).ok_or(PriorityError)
    }
}

impl Default for Settings {
    /// KubeSphere's defaults as its manual states them.
    fn default() -> Self {
        Self {
            audit_level: Level::Metadata,
            k8s_auditing_enabled: false,
            archiving_priority: Priority::Debug,
            alerting_priority: Priority::Warning,
            archiving: Selector::any_of("type", &["archiving", "persistence"]),
            alerting: Selector::any_of("type", &["alerting"]),
            dialect: Dialect::default(),
            receivers: Vec::new(),
        }
    }
}

impl Selector {
    /// Takes what has label `key` with one of `values`.
    pub fn any_of(key: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Self { requirements: vec![Requirement { key: key.to_owned(), operator: RequirementOperator::In, values }] }
    }

    /// Whether something with these labels is taken.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(labels.get(&requirement.key)))
    }
}

impl Requirement {
    fn holds(&self, label: Option<&String>) -> bool {
        let listed = label.is_some_and(|value| self.values.contains(value));
        match self.operator {
            RequirementOperator::In => listed,
            RequirementOperator::NotIn => !listed,
            RequirementOperator::Exists => label.is_some(),
            RequirementOperator::DoesNotExist => label.is_none(),
        }
    }
}
