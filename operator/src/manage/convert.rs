//! Between the resource and the message.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::diagnostic::Severity as Weight;
use vedette_rules::{Diagnostic, Severity};
use vedette_service::manifest::EntryError;

use super::backend::{etag, name_of};
use super::error::{ManageError, Violation};
use super::names;
use crate::api::{Entry, Rule, RuleSpec};

/// How many entries a rule may have, and how many labels and annotations.
const ENTRIES: usize = 10_000;
const PAIRS: usize = 1000;
/// What Kubernetes takes in annotations, in bytes.
const ANNOTATIONS: usize = 256 * 1024;

/// The resource as a message, without its status.
pub fn message(rule: &Rule) -> proto::Rule {
    let metadata = &rule.metadata;
    proto::Rule {
        name: name_of(rule).map(|it| it.to_string()).unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        etag: etag(rule),
        create_time: metadata.creation_timestamp.as_ref().map(|time| timestamp(time.0.as_millisecond())),
        labels: metadata.labels.clone().unwrap_or_default(),
        annotations: metadata.annotations.clone().unwrap_or_default(),
        entries: rule.spec.rules.iter().map(Entry::message).collect(),
        status: None,
    }
}

/// The entries of a message.
///
/// # Errors
/// Everything that is no entry.
pub fn spec(entries: Vec<proto::Entry>) -> Result<RuleSpec, ManageError> {
    if entries.len() > ENTRIES {
        return Err(ManageError::invalid("rule.entries", format!("there are more than {ENTRIES}")));
    }
    let mut violations = Vec::new();
    let mut rules = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        match Entry::read(entry) {
            Ok(entry) => rules.push(entry),
            Err(EntryError { field, what }) => {
                let dot = if field.is_empty() { "" } else { "." };
                violations.push(Violation::new(format!("rule.entries[{index}]{dot}{field}"), what));
            }
        }
    }
    if violations.is_empty() { Ok(RuleSpec { rules }) } else { Err(ManageError::Invalid(violations)) }
}

/// Labels of a message; `None` if there are none.
///
/// # Errors
/// If Kubernetes would not take them.
pub(super) fn labels(labels: BTreeMap<String, String>) -> Result<Option<BTreeMap<String, String>>, ManageError> {
    check_keys("labels", &labels)?;
    for (key, value) in &labels {
        if !names::is_value(value) {
            let what =
                "a label's value has at most 63 letters, digits, `-`, `_` and `.`, a letter or digit first and last";
            return Err(ManageError::invalid(format!("rule.labels.{key}"), what));
        }
    }
    Ok(if labels.is_empty() { None } else { Some(labels) })
}

/// Annotations of a message; `None` if there are none.
///
/// # Errors
/// If Kubernetes would not take them.
pub(super) fn annotations(pairs: BTreeMap<String, String>) -> Result<Option<BTreeMap<String, String>>, ManageError> {
    check_keys("annotations", &pairs)?;
    if pairs.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > ANNOTATIONS {
        return Err(ManageError::invalid("rule.annotations", "they are larger than 256 KiB"));
    }
    Ok(if pairs.is_empty() { None } else { Some(pairs) })
}

fn check_keys(field: &str, pairs: &BTreeMap<String, String>) -> Result<(), ManageError> {
    if pairs.len() > PAIRS {
        return Err(ManageError::invalid(format!("rule.{field}"), format!("there are more than {PAIRS}")));
    }
    match pairs.keys().find(|key| !names::is_key(key)) {
        Some(_) => Err(ManageError::invalid(format!("rule.{field}"), "a key is a name, or a domain, `/` and a name")),
        None => Ok(()),
    }
}

/// A finding as a message, about what `document` calls it.
pub(super) fn diagnostic(found: &Diagnostic) -> proto::Diagnostic {
    let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    proto::Diagnostic {
        code: found.code.to_owned(),
        severity: match found.severity {
            Severity::Note => Weight::Note,
            Severity::Warning => Weight::Warning,
            Severity::Error => Weight::Error,
        }
        .into(),
        message: found.message.clone(),
        document: found.file.clone(),
        field: found.field.clone(),
        offset: number(found.offset),
        line: number(found.line),
        column: number(found.column),
        end_line: number(found.end.0),
        end_column: number(found.end.1),
        help: found.help.clone().unwrap_or_default(),
    }
}

/// Of milliseconds since the Unix epoch.
pub(super) fn timestamp(milliseconds: i64) -> Timestamp {
    let nanos = i32::try_from(milliseconds.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    Timestamp { seconds: milliseconds.div_euclid(1000), nanos }
}
