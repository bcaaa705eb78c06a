//! What is wrong with a query, and where: people find the place faster than they read the message.

use std::fmt;

/// The most characters of a query that are shown around a mistake.
const WIDTH: usize = 100;

/// A query that can't be understood.
///
/// `start..end` are bytes of the query's text, on the boundaries of characters; they are equal where something is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at {}{}", .start + 1, Help(.help.as_deref()))]
pub struct SearchError {
    /// What is wrong.
    pub message: String,
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What can be done about it.
    pub help: Option<String>,
}

/// A part of the query's text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    /// From the beginning of this one to the end of the other.
    pub(super) fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end.max(self.start) }
    }
}

impl SearchError {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), start: span.start, end: span.end, help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error with the query's text and the place marked in it, for a terminal; `text` is what was parsed.
    ///
    /// ```text
    /// unknown key `vrb`
    ///   | user:alice vrb:get
    ///   |            ^^^
    ///   = help: did you mean `verb`?
    /// ```
    pub fn render(&self, text: &str) -> String {
        let (before, rest) = text.split_at_checked(self.start).unwrap_or((text, ""));
        let (marked, after) = rest.split_at_checked(self.end.saturating_sub(self.start)).unwrap_or((rest, ""));
        let marked: String = marked.chars().take(WIDTH).collect();
        let skipped = before.chars().count().saturating_sub(WIDTH / 2);
        let before: String = before.chars().skip(skipped).collect();
        let after: String = after.chars().take(WIDTH / 2).collect();
        let indent = " ".repeat(before.chars().count());
        let carets = "^".repeat(marked.chars().count().max(1));
        let line = visible(&[before, marked, after].concat());
        let mut out = format!("{}\n  | {}\n  | {indent}{carets}\n", visible(&self.message), line.trim_end_matches(' '));
        if let Some(help) = &self.help {
            out.push_str(&format!("  = help: {}\n", visible(help)));
        }
        out
    }
}

/// A text as a terminal may be given it, character for character: no control characters, nothing that turns the direction
/// of text around.
fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

struct Help<'a>(Option<&'a str>);

impl fmt::Display for Help<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |help| write!(out, ": {help}"))
    }
}

/// The beginning of a text that somebody typed, for a message.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
