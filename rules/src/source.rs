//! Source files and the way from a byte to a line and a column.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use crate::codes::Code;
use crate::syntax::Problem;
use crate::yaml::{self, NodeId, Tree, field, place};
use crate::{Diagnostic, Severity};

/// A file of rules as it was read; `name` is what diagnostics call it, normally its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The name that diagnostics show.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A text that can't be read to its end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct Unreadable {
    /// The permanent code, as listed in [`crate::codes`].
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What to do about it.
    pub help: Option<String>,
    /// The documents before the one that can't be read.
    pub before: Vec<Value>,
}

/// The documents of a YAML text that are not empty, as JSON. Nobody needs to trust it: its size, its depth and what its aliases unfold to
/// are bounded before anything is unfolded.
///
/// # Errors
/// If it is no YAML, or holds too much.
pub fn values(text: &str) -> Result<Vec<Value>, Unreadable> {
    let mut problems = Vec::new();
    let tree = yaml::parse(text, &mut problems);
    let documents = tree.documents.iter().map(|root| tree.json(*root)).collect();
    let Some(problem) = problems.into_iter().next() else { return Ok(documents) };
    let (line, column) = LineIndex::new(text).position(text, problem.span.start);
    let (code, message, help) = (problem.code.id, problem.message, problem.help);
    Err(Unreadable { code, message, line, column, help, before: documents })
}

/// A text in which findings about another text of the same resource are looked up.
#[derive(Debug)]
pub struct Locator<'a> {
    text: &'a str,
    tree: Tree,
    lines: LineIndex,
}

impl<'a> Locator<'a> {
    /// Of this text, which is read once.
    pub fn new(text: &'a str) -> Self {
        Self { text, tree: yaml::parse(text, &mut Vec::new()), lines: LineIndex::new(text) }
    }

    /// Where a finding is: the line and the column, from 1, of the character `offset` of the field that [`Diagnostic::field`] names.
    pub fn locate(&self, path: &str, offset: usize) -> Option<(usize, usize)> {
        let node = yaml::find(&self.tree, path)?;
        let content = self.tree.text(node).unwrap_or_default();
        let start = content.char_indices().nth(offset).map_or(content.len(), |(at, _)| at);
        Some(self.lines.position(self.text, place(self.text, &self.tree, node).range(&(start..start)).start))
    }
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
}

/// A place in one of the files of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) file: usize,
    pub(crate) span: Range<usize>,
}

/// A file with what was made of it.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a SourceFile,
    pub(crate) tree: Tree,
    lines: LineIndex,
}

/// All files of a set, and where diagnostics about them go.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    sources: Vec<Source<'a>>,
    diagnostics: Vec<Diagnostic>,
    /// How many errors were reported, kept or not: as many are kept as there were, up to the limit.
    errors: usize,
    dropped: usize,
}

/// A scalar of a file: its content, and the way back to its place.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) file: usize,
    pub(crate) node: NodeId,
}

/// How many diagnostics of one set are kept.
const DIAGNOSTIC_LIMIT: usize = 1000;

impl<'a> Sources<'a> {
    /// Reads the YAML of `files`.
    pub(crate) fn read(files: &'a [SourceFile]) -> Self {
        let mut all = Self { sources: Vec::with_capacity(files.len()), diagnostics: Vec::new(), errors: 0, dropped: 0 };
        for (index, file) in files.iter().enumerate() {
            let mut problems = Vec::new();
            let tree = yaml::parse(&file.text, &mut problems);
            all.sources.push(Source { file, tree, lines: LineIndex::new(&file.text) });
            for problem in problems {
                all.report(index, problem);
            }
        }
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether something was said about file `index` already.
    pub(crate) fn has_findings(&self, index: usize) -> bool {
        let name = self.sources.get(index).map(|source| &source.file.name);
        self.diagnostics.iter().any(|diagnostic| Some(&diagnostic.file) == name)
    }

    /// The tree of file `index`, which is one of this set.
    pub(crate) fn tree(&self, index: usize) -> &Tree {
        static NOTHING: Tree = Tree::EMPTY;
        self.sources.get(index).map_or(&NOTHING, |source| &source.tree)
    }

    /// `resource.yaml:3:5`, for a message that names another place.
    pub(crate) fn describe(&self, location: &Location) -> String {
        self.sources.get(location.file).map_or_else(String::new, |source| {
            let (line, column) = source.lines.position(&source.file.text, location.span.start);
            format!("{}:{line}:{column}", source.file.name)
        })
    }

    /// The file of a text, and the line that it begins on.
    pub(crate) fn place_of(&self, text: &Text) -> (String, usize) {
        let span = &self.tree(text.file).node(text.node).span;
        self.sources.get(text.file).map_or_else(Default::default, |source| {
            (source.file.name.clone(), source.lines.position(&source.file.text, span.start).0)
        })
    }

    /// Reports a problem whose span is in bytes of the file. Beyond the limit an error takes the place of something that is none.
    pub(crate) fn report(&mut self, file: usize, problem: Problem) {
        self.report_from(file, problem, 0);
    }

    /// Reports a problem that starts `offset` characters into its field.
    fn report_from(&mut self, file: usize, problem: Problem, offset: usize) {
        let Some(source) = self.sources.get(file) else { return };
        let taken = self.takes(problem.code.severity);
        self.errors += usize::from(problem.code.severity == Severity::Error);
        if self.diagnostics.len() >= DIAGNOSTIC_LIMIT {
            self.dropped += 1;
            if !taken {
                return;
            }
            if let Some(lesser) = self.diagnostics.iter().rposition(|kept| !kept.is_error()) {
                self.diagnostics.swap_remove(lesser);
            }
        }
        let Problem { code, span, message, label, help } = problem;
        let (line, column) = source.lines.position(&source.file.text, span.start);
        let end = source.lines.position(&source.file.text, span.end.max(span.start));
        let field = field(&source.tree, span.start);
        let (code, severity, file) = (code.id, code.severity, source.file.name.clone());
        let found = Diagnostic { code, severity, message, file, span, line, column, end, field, offset, label, help };
        self.diagnostics.push(found);
    }

    /// Reports a problem whose span is in bytes of the content of `text`.
    pub(crate) fn report_in(&mut self, text: &Text, problem: Problem) {
        self.report_within(text.file, text.node, problem);
    }

    /// Reports a problem whose span is in bytes of the content of scalar `node` of `file`.
    pub(crate) fn report_within(&mut self, file: usize, node: NodeId, mut problem: Problem) {
        // A place is looked for only if it will be shown: that takes as long as the scalar is.
        let mut offset = 0;
        if self.takes(problem.code.severity) {
            let before = self.tree(file).text(node).and_then(|text| text.get(..problem.span.start));
            offset = before.map_or(0, |before| before.chars().count());
            problem.span = self.place(file, node, &problem.span);
        }
        self.report_from(file, problem, offset);
    }

    /// Like [`Self::report_within`], for what is found often: it is not made where it would not be kept.
    pub(crate) fn report_made(&mut self, file: usize, node: NodeId, code: Code, make: impl FnOnce() -> Problem) {
        if self.takes(code.severity) {
            return self.report_within(file, node, make());
        }
        self.errors += usize::from(code.severity == Severity::Error);
        self.dropped += 1;
    }

    /// Whether one more finding of this severity would be kept.
    pub(crate) fn takes(&self, severity: Severity) -> bool {
        self.diagnostics.len() < DIAGNOSTIC_LIMIT || severity == Severity::Error && self.errors < DIAGNOSTIC_LIMIT
    }

    /// Reports a problem about the whole of `text`.
    pub(crate) fn report_at(&mut self, text: &Text, mut problem: Problem) {
        problem.span = self.tree(text.file).node(text.node).span.clone();
        self.report(text.file, problem);
    }

    /// The place in the file of a part of a text.
    pub(crate) fn locate(&self, text: &Text, span: &Range<usize>) -> Location {
        Location { file: text.file, span: self.place(text.file, text.node, span) }
    }

    fn place(&self, file: usize, node: NodeId, span: &Range<usize>) -> Range<usize> {
        let place = self.sources.get(file).map(|source| place(&source.file.text, &source.tree, node));
        place.map_or(0..0, |place| place.range(span))
    }

    /// Whether an error was reported.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The diagnostics by file and place, those beyond the limit counted in the last one.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let order: HashMap<_, _> =
            self.sources.iter().enumerate().map(|(index, source)| (source.file.name.as_str(), index)).collect();
        self.diagnostics.sort_by_cached_key(|it| (order.get(it.file.as_str()).copied(), it.span.start, it.code));
        self.diagnostics.dedup();
        if let Some(last) = self.diagnostics.last_mut().filter(|_| self.dropped > 0) {
            let more = format!("{} more findings are not shown", self.dropped);
            last.help = Some(last.help.take().map_or(more.clone(), |help| format!("{help}; {more}")));
        }
        self.diagnostics
    }
}
