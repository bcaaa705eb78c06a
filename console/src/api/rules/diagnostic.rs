//! What the compiler says, tied to a place in the text that the reader has before them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::diagnostic::Severity as Weight;
use vedette_rules::source::{Locator, Unreadable};

use super::source::SOURCE;

/// A finding of the compiler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// Its permanent code, as `VR0101`, under which the manual explains it.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What it is about: `source`, the text that was sent or is beside this, or another resource, by its name.
    pub document: String,
    /// Where in the resource, as `spec.rules[3].condition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line in `source`, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column of its first character, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The line of its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<usize>,
    /// The column behind its last character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_column: Option<usize>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The rules can't be taken.
    Error,
    /// Probably not what was meant; the rules are taken all the same.
    Warning,
    /// Worth knowing; nothing is wrong.
    #[default]
    Note,
}

impl Diagnostic {
    /// Whether it keeps rules from being taken.
    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Findings about a text that was sent: their places are in it. The places of others are in texts that nobody sees.
pub(super) fn of_source(found: Vec<proto::Diagnostic>) -> Vec<Diagnostic> {
    let number = |it: u32| usize::try_from(it).ok().filter(|it| *it > 0);
    let pair = |line, column| Some((number(line)?, number(column)?));
    let place = |found: &proto::Diagnostic| match found.document == SOURCE {
        true => (pair(found.line, found.column), pair(found.end_line, found.end_column)),
        false => (None, None),
    };
    found.into_iter().map(|found| with_place(place(&found), found)).collect()
}

/// Findings about a rule that is there. The operator read another text of it than the one that is shown, so that the field tells the place.
pub(super) fn of_rule(found: Vec<proto::Diagnostic>, name: &str, source: &str) -> Vec<Diagnostic> {
    // Few rules have any.
    let locator = (!found.is_empty()).then(|| Locator::new(source));
    let here = |found: proto::Diagnostic| {
        let offset = usize::try_from(found.offset).unwrap_or(usize::MAX);
        let locator = locator.as_ref().filter(|_| found.document == name);
        let start = locator.and_then(|locator| locator.locate(&found.field, offset));
        let document = if found.document == name { SOURCE.to_owned() } else { found.document };
        with_place((start, None), proto::Diagnostic { document, ..found })
    };
    found.into_iter().map(here).collect()
}

/// Where a text that was sent can't be read.
pub(super) fn of_unreadable(error: &Unreadable) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: error.code.to_owned(),
        message: error.message.clone(),
        help: error.help.clone(),
        document: SOURCE.to_owned(),
        line: Some(error.line),
        column: Some(error.column),
        ..Diagnostic::default()
    }
}

type Place = Option<(usize, usize)>;

fn with_place((start, end): (Place, Place), found: proto::Diagnostic) -> Diagnostic {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Diagnostic {
        severity: match found.severity() {
            Weight::Error => Severity::Error,
            Weight::Warning => Severity::Warning,
            Weight::Note | Weight::Unspecified => Severity::Note,
        },
        code: found.code,
        message: found.message,
        help: some(found.help),
        document: found.document,
        path: some(found.field),
        line: start.map(|(line, _)| line),
        column: start.map(|(_, column)| column),
        end_line: end.map(|(line, _)| line),
        end_column: end.map(|(_, column)| column),
    }
}
