//! Users' own tests of their rules: `RuleTest` resources, each case an event and the rules that hold for it.
//!
//! A case's event is one of the test's named events or its own, perhaps changed by a merge patch (RFC 7386). It goes the way of an
//! event that was received: read, stripped to the level, decided.

mod read;

#[cfg(test)]
mod tests;

use serde_json::Value as Json;
use vedette_audit::{Event, Level};

use crate::source::Sources;
use crate::{Diagnostic, Policy, SourceFile};

/// The group and version of a `RuleTest`.
pub(crate) const API_VERSION: &str = "auditing.vedette.io/v1alpha1";
/// The kind of the resource.
pub(crate) const KIND: &str = "RuleTest";

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    /// The name of its `RuleTest`.
    pub test: String,
    /// Its own name.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// How a case failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Its event is none.
    BadEvent(String),
    /// Other rules held than were expected.
    Rules {
        /// Expected, and did not hold.
        missing: Vec<String>,
        /// Held, and were not expected.
        unexpected: Vec<String>,
        /// Could not be decided, each with the field that the event's level left out.
        undecided: Vec<(String, String)>,
    },
}

/// A case as it was read.
#[derive(Debug)]
struct Case {
    test: String,
    name: String,
    file: String,
    line: usize,
    event: Json,
    rules: Vec<String>,
}

/// Runs the cases among `files` against `policy`, which was built of them.
///
/// # Errors
/// Every diagnostic about the cases, if one of them cannot be read.
pub fn run(files: &[SourceFile], policy: &Policy) -> Result<Vec<CaseResult>, Vec<Diagnostic>> {
    let mut sources = Sources::read(files);
    let cases = read::read(&mut sources, policy);
    let diagnostics = sources.finish();
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    let ran = cases.into_iter().map(|case| {
        let failure = case.failure(policy);
        let Case { test, name, file, line, .. } = case;
        CaseResult { test, name, file, line, failure }
    });
    Ok(ran.collect())
}

impl Case {
    fn failure(&self, policy: &Policy) -> Option<Failure> {
        let bytes = self.event.to_string();
        let event = match Event::parse(bytes.as_bytes()) {
            Ok(event) => event,
            Err(error) => return Some(Failure::BadEvent(error.to_string())),
        };
        let level = policy.settings.audit_level;
        let (mut held, mut undecided) = (Vec::new(), Vec::new());
        if level != Level::None && event.recorded_level() != Some(Level::None) {
            let mut stripped = Vec::new();
            event.rewrite(level, "default", &mut stripped);
            let name = |rule| policy.rules.rule(rule).qualified.clone();
            match policy.rules.decide(&stripped) {
                Ok(decision) => {
                    held.extend(decision.matched.iter().map(|rule| name(*rule)));
                    undecided
                        .extend(decision.blind.into_iter().map(|blind| (name(blind.rule), blind.field.to_string())));
                }
                Err(error) => return Some(Failure::BadEvent(error.to_string())),
            }
        }
        let without = |these: &[String], others: &[String]| -> Vec<String> {
            these.iter().filter(|rule| !others.contains(rule)).cloned().collect()
        };
        let (missing, unexpected) = (without(&self.rules, &held), without(&held, &self.rules));
        (!missing.is_empty() || !unexpected.is_empty()).then_some(Failure::Rules { missing, unexpected, undecided })
    }
}

/// Changes `target` as a merge patch says: an object member by member, null takes away, anything else replaces.
fn merge(target: &mut Json, patch: Json) {
    let Json::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Json::Object(serde_json::Map::new());
    }
    let Json::Object(members) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Json::Null), value);
        }
    }
}
