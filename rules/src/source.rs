//! Source files and the way from a byte to a line and a column.

use std::ops::Range;

/// A file of rules as it was read; `name` is what diagnostics call it, normally its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The name that diagnostics show.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(crate) struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    /// Notes where each line of `text` begins.
    pub(crate) fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The line (from 1) and the column (from 1, in characters) of byte `offset` of `text`.
    pub(crate) fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = text.get(start..offset.min(text.len())).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    /// The bytes of line `line` (from 1), without its line break; an empty range past the end.
    pub(crate) fn line(&self, text: &str, line: usize) -> Range<usize> {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(text.len());
        let end = self.starts.get(line).copied().unwrap_or(text.len());
        let kept = text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']);
        start..start + kept.len()
    }
}
