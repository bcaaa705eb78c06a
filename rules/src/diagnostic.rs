//! What the compiler says about a file: one shape for the terminal, the log, a resource's status and an error over the wire.

use std::fmt;
use std::ops::Range;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Probably not what was meant; the rules are in force all the same.
    Warning,
    /// The rules cannot be taken.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One finding, tied to a place in a file.
///
/// `Display` gives the one-line form, `file:line:column: error[VR0001]: message`; [`crate::render`] the form for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The permanent code, as listed in [`crate::codes`].
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// One lowercase sentence without a full stop, input in backticks.
    pub message: String,
    /// The name of the file.
    pub file: String,
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// The line of the span's start, from 1.
    pub line: usize,
    /// The column of the span's start, from 1, in characters.
    pub column: usize,
    /// The line and the column behind the span's last character, likewise.
    pub end: (usize, usize),
    /// The field of the resource that the span starts in, as `spec.rules[3].condition`: what tells the place to those who have the
    /// resource, but not this text of it.
    pub field: String,
    /// Where the span starts in the field's text, in characters from 0; 0 if it is about the field as a whole.
    pub offset: usize,
    /// What stands under the span in a rendering; empty if there is nothing to add.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Whether it keeps the rules from being taken.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, severity, code, message, .. } = self;
        write!(out, "{file}:{line}:{column}: {severity}[{code}]: {message}")
    }
}
