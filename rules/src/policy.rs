//! A policy: the settings and the compiled rules of a set of files, and what they decide about an event.

mod build;
mod explain;
mod rule_set;

use std::sync::Arc;

use crate::{Diagnostic, Priority, Settings, SourceFile};

pub use explain::{Answer, ExplainError, Explainer, Explanation, Found};
pub use rule_set::RuleSet;

/// Settings and rules that came from one set of files and are in force together.
#[derive(Debug)]
pub struct Policy {
    /// Grows with every change; chosen by whoever distributes the files.
    pub generation: u64,
    /// What the `Webhook` says, or the defaults.
    pub settings: Settings,
    /// The rules that are enabled and selected.
    pub rules: RuleSet,
}

/// A policy and what was noticed on the way.
#[derive(Debug)]
pub struct Built {
    /// The policy.
    pub policy: Policy,
    /// Warnings and notes, by file and place.
    pub warnings: Vec<Diagnostic>,
}

/// A rule's place in its [`RuleSet`]; means nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub(crate) u32);

/// What a rule is called and how much it weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// The namespace of its `Rule` resource; `default` if the file names none.
    pub namespace: String,
    /// The name of its `Rule` resource.
    pub resource: String,
    /// Its own name.
    pub name: String,
    /// `resource.rule`
    pub qualified: String,
    /// `namespace/resource/rule`
    pub id: String,
    /// Its priority.
    pub priority: Priority,
    /// Which selector took it.
    pub kind: RuleKind,
}

/// Which selector took a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// The archiving selector.
    Archiving,
    /// The alerting selector.
    Alerting,
}

/// What the rules say about one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Whether the event is stored.
    pub archive: bool,
    /// Every rule whose condition held, whatever its priority, sorted by qualified name.
    pub matched: Vec<RuleIndex>,
    /// The alerts that it raises, sorted by qualified name.
    pub alerts: Vec<AlertMatch>,
    /// The rules that could not be decided because the event's level left out a body.
    pub blind: Vec<BlindMatch>,
    /// Comparisons that were false because the event held a value of another type than the rule expects, each counted once.
    ///
    /// Only what was compared counts, which depends on the rules and the event alone. Equality, lists, existence and the order of
    /// numbers are compared whenever the event has the field, or in a body, once a rule comes to that body; the rest is once a rule
    /// comes to it.
    pub mismatches: u32,
}

/// An alert to raise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertMatch {
    /// The rule.
    pub rule: RuleIndex,
    /// The rule's output, filled in; at most [`crate::policy::MESSAGE_LIMIT`] bytes.
    pub message: String,
}

/// A rule that could not be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindMatch {
    /// The rule.
    pub rule: RuleIndex,
    /// The first field that was missing, as the rule spells it.
    pub field: Arc<str>,
}

/// The longest message of an alert, in bytes.
pub const MESSAGE_LIMIT: usize = 4096;

/// Why an event could not be decided.
#[derive(Debug, thiserror::Error)]
#[error("read the event at byte {offset}: {message}")]
pub struct DecideError {
    /// The byte of the event.
    pub offset: usize,
    /// What is wrong there.
    pub message: String,
}

impl Policy {
    /// Compiles `files`; the settings come from the `Webhook` resource among them.
    ///
    /// # Errors
    /// Every diagnostic, if at least one is an error.
    pub fn build(files: &[SourceFile], generation: u64) -> Result<Built, Vec<Diagnostic>> {
        Self::build_with(files, generation, |_| {})
    }

    /// Like [`Policy::build`], and lets `adjust` change the settings before rules are selected.
    ///
    /// # Errors
    /// Every diagnostic, if at least one is an error.
    pub fn build_with(
        files: &[SourceFile],
        generation: u64,
        adjust: impl FnOnce(&mut Settings),
    ) -> Result<Built, Vec<Diagnostic>> {
        build::build(files, generation, adjust)
    }
}
