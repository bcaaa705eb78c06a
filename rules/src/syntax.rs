//! The language of conditions as text: tokens, tree, parser, printer.
//!
//! The parser never fails. It gives a tree for any text, with [`ast::ExprKind::Error`] where nothing could be made of it, and all
//! the problems that it met. Spans are bytes of the text that it was given.

pub mod ast;
mod lexer;
mod parser;
mod path;
mod print;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use parser::{Parsed, parse_condition};
pub(crate) use path::parse_operand;

use crate::codes::Code;

/// The longest text of a condition or macro, in bytes.
pub const TEXT_LIMIT: usize = 64 * 1024;
/// How deep parentheses and `not` may nest in one text.
pub const NESTING_LIMIT: usize = 64;
/// How many problems of one text are reported.
pub const PROBLEM_LIMIT: usize = 50;

/// How often `and` and `or` may follow each other in one text that is read from left to right.
const ALTERNATION_LIMIT: usize = 256;

/// Whose reading of a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// Ours: `not` binds tightest, then `and`, then `or`, and a condition is read to its end.
    #[default]
    Vedette,
    /// That of KubeSphere's engine: `and` and `or` from left to right, `not` over all that follows, and what cannot be read at the end is
    /// left out.
    KubeSphere,
}

/// A problem in a text, before the text's place in a file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem.
    pub code: Code,
    /// The bytes of the text that it is about.
    pub span: Range<usize>,
    /// The message.
    pub message: String,
    /// What stands under the span; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), label: String::new(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
}

/// `text` in a message: in backticks, cut where it is long, control characters and those that turn text around escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(60).flat_map(visible).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

fn visible(it: char) -> impl Iterator<Item = char> {
    let hidden = it.is_control() || turns_text(it);
    let escaped = hidden.then(|| it.escape_default());
    let plain = (!hidden).then_some(it);
    escaped.into_iter().flatten().chain(plain)
}

/// Whether a character only turns the direction of the text around it, or breaks its line: a terminal that is given it shows another
/// text than there is.
pub(crate) fn turns_text(it: char) -> bool {
    matches!(it, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
