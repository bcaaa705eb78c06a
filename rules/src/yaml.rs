//! YAML as nodes that know where they stand.
//!
//! Built from the parser's events, so that size, depth and what aliases unfold to are bounded while reading. Aliases are resolved
//! to the node that they stand for; a node can so be reached twice, but never through itself.

mod field;
mod json;
mod place;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::codes;
use crate::syntax::Problem;

pub(crate) use field::{field, find};
pub(crate) use place::place;

/// The largest file, in bytes.
pub(crate) const FILE_LIMIT: usize = 4 * 1024 * 1024;
/// How deep collections may nest once aliases are unfolded.
const DEPTH_LIMIT: usize = 64;
/// How many nodes a file may have once its aliases are unfolded.
const NODE_LIMIT: usize = 1_000_000;
/// How many bytes of a text weigh as much as a node.
const NODE_BYTES: usize = 64;

/// The place of a node in its [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(usize);

/// All documents of a file.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// The root of each document that is not empty.
    pub(crate) documents: Vec<NodeId>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// The bytes of the file, quotes included.
    pub(crate) span: Range<usize>,
    /// How many nodes it unfolds to, a long text counted as several.
    weight: usize,
    /// How deep it nests, unfolded; 0 for a scalar.
    height: usize,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    Scalar { text: String, style: Style },
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: may be a number, a boolean or null.
    Plain,
    /// In quotes, or with the tag of a string.
    Quoted,
    /// `|` or `>`
    Block,
}

/// What a node is to the one who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Null,
    Bool(bool),
    Number,
    Text,
    Sequence,
    Mapping,
}

impl Tree {
    pub(crate) const EMPTY: Self = Self { nodes: Vec::new(), documents: Vec::new() };

    /// The node at `id`.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        static NOTHING: Node = Node {
            kind: NodeKind::Scalar { text: String::new(), style: Style::Plain },
            span: 0..0,
            weight: 1,
            height: 0,
        };
        self.nodes.get(id.0).unwrap_or(&NOTHING)
    }

    /// The text of a scalar.
    pub(crate) fn text(&self, id: NodeId) -> Option<&str> {
        match &self.node(id).kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// What the node is, by the core schema.
    pub(crate) fn shape(&self, id: NodeId) -> Shape {
        match &self.node(id).kind {
            NodeKind::Sequence(_) => Shape::Sequence,
            NodeKind::Mapping(_) => Shape::Mapping,
            NodeKind::Scalar { text, style: Style::Plain } => match text.as_str() {
                "" | "~" | "null" | "Null" | "NULL" => Shape::Null,
                "true" | "True" | "TRUE" => Shape::Bool(true),
                "false" | "False" | "FALSE" => Shape::Bool(false),
                text if is_number(text) => Shape::Number,
                _ => Shape::Text,
            },
            NodeKind::Scalar { .. } => Shape::Text,
        }
    }
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Sequence => "a list",
            Self::Mapping => "a mapping",
        }
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    unsigned.starts_with(|it: char| it.is_ascii_digit() || it == '.')
        && unsigned.contains(|it: char| it.is_ascii_digit())
        && unsigned.parse::<f64>().is_ok()
}

/// Reads all documents of `text`. After a problem the documents read so far are still there.
pub(crate) fn parse(text: &str, problems: &mut Vec<Problem>) -> Tree {
    let mut reader = Reader::default();
    if text.len() > FILE_LIMIT {
        let message = format!("a file of {} bytes is too large", text.len());
        problems.push(Problem::new(codes::FILE_LIMIT, 0..0, message).help(format!("at most {FILE_LIMIT} bytes")));
        return reader.tree;
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offsets = Offsets::new(body, text.len() - body.len());
    let mut events = Parser::new_from_str(body);
    while let Some(event) = events.next_event() {
        let taken = event.map_err(|error| syntax(&error, &offsets)).and_then(|(event, span)| {
            let span = offsets.range(span);
            reader.event(event, span)
        });
        if let Err(problem) = taken {
            problems.push(*problem);
            break;
        }
    }
    reader.tree
}

fn syntax(error: &ScanError, offsets: &Offsets) -> Box<Problem> {
    let at = offsets.byte(error.marker().index());
    Box::new(Problem::new(codes::YAML, at..at, format!("the file is no YAML: {}", error.info())))
}

/// From the parser's characters to bytes.
struct Offsets {
    base: usize,
    /// The byte of each character, where they differ.
    bytes: Option<Vec<usize>>,
    length: usize,
}

impl Offsets {
    fn new(body: &str, base: usize) -> Self {
        let bytes = (!body.is_ascii()).then(|| body.char_indices().map(|(byte, _)| byte).collect());
        Self { base, bytes, length: body.len() }
    }

    fn byte(&self, character: usize) -> usize {
        let byte = self.bytes.as_ref().map_or(character, |bytes| bytes.get(character).copied().unwrap_or(self.length));
        self.base + byte.min(self.length)
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}

#[derive(Default)]
struct Reader {
    tree: Tree,
    /// The collections that are open, innermost last.
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    /// Of the documents that are finished.
    weight: usize,
}

struct Open {
    start: usize,
    anchor: usize,
    mapping: bool,
    children: Vec<NodeId>,
    weight: usize,
    height: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Box<Problem>> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // An alias of a text is a copy of it once resources are read.
                let weight = 1 + text.len() / NODE_BYTES;
                let kind = NodeKind::Scalar { text: text.into_owned(), style: style_of(style, tag.as_deref()) };
                self.close(Node { kind, span, weight, height: 0 }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(span, anchor, false),
            Event::MappingStart(anchor, _) => self.open(span, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { start, anchor, mapping, children, weight, height }) = self.open.pop() else {
                    return Ok(());
                };
                // A collection in block style ends where its last child does.
                let end = children.last().map_or(span.end, |last| self.tree.node(*last).span.end.max(start));
                let end = if span.is_empty() { end } else { span.end };
                let kind = if mapping {
                    let pairs = children.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)));
                    NodeKind::Mapping(pairs.collect())
                } else {
                    NodeKind::Sequence(children)
                };
                self.close(Node { kind, span: start..end, weight, height }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(id) = self.anchors.get(&anchor).copied() else {
                    return Err(Box::new(Problem::new(
                        codes::YAML,
                        span,
                        "this alias stands inside what it stands for",
                    )));
                };
                self.attach(id, span)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn open(&mut self, span: Range<usize>, anchor: usize, mapping: bool) -> Result<(), Box<Problem>> {
        if self.open.len() >= DEPTH_LIMIT {
            return Err(too_deep(span));
        }
        self.open.push(Open { start: span.start, anchor, mapping, children: Vec::new(), weight: 1, height: 1 });
        Ok(())
    }

    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Box<Problem>> {
        let id = NodeId(self.tree.nodes.len());
        let span = node.span.clone();
        self.tree.nodes.push(node);
        // 0 is the parser's way to say that there is no anchor.
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id, span)
    }

    /// Gives a finished node to the collection around it, or makes it the root of a document.
    fn attach(&mut self, id: NodeId, span: Range<usize>) -> Result<(), Box<Problem>> {
        let Node { weight, height, .. } = *self.tree.node(id);
        if self.open.len() + height > DEPTH_LIMIT {
            return Err(too_deep(span));
        }
        let held = match self.open.last_mut() {
            Some(parent) => {
                parent.children.push(id);
                parent.height = parent.height.max(height + 1);
                &mut parent.weight
            }
            None => &mut self.weight,
        };
        *held = held.saturating_add(weight);
        if *held > NODE_LIMIT {
            let problem = Problem::new(codes::FILE_LIMIT, span, "the file holds too much, its aliases unfolded");
            return Err(Box::new(
                problem.help(format!("at most {NODE_LIMIT} values, a text counted once for each {NODE_BYTES} bytes")),
            ));
        }
        if self.open.is_empty() && !matches!(self.tree.shape(id), Shape::Null) {
            self.tree.documents.push(id);
        }
        Ok(())
    }
}

fn too_deep(span: Range<usize>) -> Box<Problem> {
    let problem = Problem::new(codes::FILE_LIMIT, span, "this nests too deep");
    Box::new(problem.help(format!("at most {DEPTH_LIMIT} levels, aliases unfolded")))
}

fn style_of(style: ScalarStyle, tag: Option<&Tag>) -> Style {
    match style {
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        ScalarStyle::Plain if tag.is_none_or(|tag| tag.suffix != "str") => Style::Plain,
        _ => Style::Quoted,
    }
}
