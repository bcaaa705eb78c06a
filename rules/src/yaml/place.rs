//! From a byte of a scalar's content to the byte of the file that it came from.
//!
//! A plain scalar is verbatim in the file. Others are not: quotes, escapes, folded lines, indentation. Their source is walked beside
//! their content; where the two cannot be brought together, everything is at the scalar's start.

use std::ops::Range;

use super::{NodeId, NodeKind, Style, Tree};

/// Where the content of a scalar stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The content is verbatim from this byte on.
    At(usize),
    /// The source byte of each byte of the content, and of its end.
    Map(Vec<usize>),
    /// Only the whole is known.
    Whole(Range<usize>),
}

impl Place {
    /// The bytes of the file for `span` of the content.
    pub(crate) fn range(&self, span: &Range<usize>) -> Range<usize> {
        match self {
            Self::At(base) => base + span.start..base + span.end,
            Self::Whole(range) => range.clone(),
            Self::Map(map) => {
                let last = map.last().copied().unwrap_or(0);
                let start = map.get(span.start).copied().unwrap_or(last);
                // The end follows the last byte inside, since the next one may stand on another line.
                let end = match span.end.checked_sub(1).and_then(|inside| map.get(inside)) {
                    Some(inside) if span.end > span.start => inside + 1,
                    _ => start,
                };
                start..end.max(start)
            }
        }
    }
}

/// The place of scalar `id` of `tree`, which was read from `file`.
pub(crate) fn place(file: &str, tree: &Tree, id: NodeId) -> Place {
    let node = tree.node(id);
    let whole = Place::Whole(node.span.start..node.span.start);
    let NodeKind::Scalar { text, style } = &node.kind else { return whole };
    let Some(source) = file.get(node.span.clone()) else { return whole };
    if source == text {
        return Place::At(node.span.start);
    }
    let (offset, quote) = match style {
        Style::Block => {
            (source.find('\n').map_or(0, |end| if source.starts_with(['|', '>']) { end + 1 } else { 0 }), None)
        }
        Style::Plain => (0, None),
        Style::Quoted => (1, source.chars().next().filter(|quote| matches!(quote, '"' | '\''))),
    };
    align(source, offset, quote, text).map_or(whole, |map| {
        let map = map.into_iter().map(|at| node.span.start + at).collect();
        Place::Map(map)
    })
}

/// The offset in `source` of each byte of `content` and of its end; `None` if they do not match.
fn align(source: &str, offset: usize, quote: Option<char>, content: &str) -> Option<Vec<usize>> {
    let mut map = Vec::with_capacity(content.len() + 1);
    let mut at = offset;
    for it in content.chars() {
        let rest = source.get(at..)?;
        let next = rest.chars().next();
        if next == Some(it) && !(it == '\'' && quote == Some('\'')) && it != '\\' {
            map.extend(at..at + it.len_utf8());
            at += it.len_utf8();
            continue;
        }
        if it.is_whitespace() && next.is_none_or(char::is_whitespace) {
            // A line break folded to a space, or a last line break that the source lacks.
            map.extend(std::iter::repeat_n(at, it.len_utf8()));
            at += rest.len() - rest.trim_start().len();
            continue;
        }
        // Indentation and folded lines have no counterpart in the content.
        let skipped = rest.len() - rest.trim_start().len();
        let (at_it, rest) = (at + skipped, rest.get(skipped..)?);
        let length = match quote {
            Some('\'') if it == '\'' => rest.starts_with("''").then_some(2)?,
            Some('"') if rest.starts_with('\\') => escape(rest, it)?,
            _ if rest.starts_with(it) => it.len_utf8(),
            _ => return None,
        };
        map.extend(std::iter::repeat_n(at_it, it.len_utf8()));
        at = at_it + length;
    }
    map.push(at);
    Some(map)
}

/// The length of the escape at the start of `rest`, if it stands for `it`.
fn escape(rest: &str, it: char) -> Option<usize> {
    let escaped = match rest.chars().nth(1)? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        plain @ ('"' | '\\' | '/' | ' ') => plain,
        _ => return None,
    };
    (escaped == it).then_some(2)
}
