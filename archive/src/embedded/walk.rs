//! Finding values without regard to case: a walk through a dictionary.
//!
//! Every distinct value of a segment is folded and tested once, however many documents have it; a million of them take
//! some hundred milliseconds of one core. It is the column's dictionary that is walked: it has the same values as the
//! terms', whose automaton takes three times as long to be read from front to back. Tests are linear in the value's length,
//! whatever the caller asks for.

use std::fmt;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use regex::bytes::RegexSet;
use tantivy::postings::TermInfo;
use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field as Slot, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, InvertedIndexReader, Score, SegmentReader, TantivyError};

use super::stop::Stop;
use crate::filter::{Pattern, Piece};
use crate::fold::fold;

/// Terms between two looks at whether anybody still waits.
const LOOK: u32 = 4_096;

/// Matches the documents with a value of the field that satisfies the test.
#[derive(Clone)]
pub(super) struct Walk {
    slot: Slot,
    test: Arc<Test>,
    stop: Stop,
}

/// What is asked of a folded value.
pub(super) enum Test {
    /// It contains this text.
    Part(Box<Finder<'static>>),
    /// It contains one of some texts.
    Contains(AhoCorasick),
    /// It begins with one of these.
    Begins(Vec<String>),
    /// It is like one of some patterns.
    Like(RegexSet),
}

impl Test {
    /// A value contains one of these folded texts; `None` if they are too much.
    pub(super) fn contains(texts: &[String]) -> Option<Self> {
        if let [text] = texts {
            return Some(Self::Part(Box::new(Finder::new(text).into_owned())));
        }
        AhoCorasick::new(texts).ok().map(Self::Contains)
    }

    /// A value is like one of these; `None` if they are too much.
    pub(super) fn like(patterns: &[Pattern]) -> Option<Self> {
        RegexSet::new(patterns.iter().map(expression)).ok().map(Self::Like)
    }

    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Part(text) => text.find(value).is_some(),
            Self::Contains(texts) => texts.is_match(value),
            Self::Begins(texts) => texts.iter().any(|text| value.starts_with(text.as_bytes())),
            Self::Like(patterns) => patterns.is_match(value),
        }
    }
}

/// A regular expression for a pattern.
fn expression(pattern: &Pattern) -> String {
    let mut expression = String::from("(?s)^");
    for piece in pattern.pieces() {
        match piece {
            Piece::Text(text) => expression.push_str(&regex::escape(text)),
            Piece::One => expression.push('.'),
            Piece::Any => expression.push_str(".*"),
        }
    }
    expression.push('$');
    expression
}

impl Walk {
    pub(super) fn new(slot: Slot, test: Test, stop: Stop) -> Self {
        Self { slot, test: Arc::new(test), stop }
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl Query for Walk {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Walk {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let inverted = reader.inverted_index(self.slot)?;
        let dictionary = inverted.terms();
        let mut found = Found::new(self, &inverted, reader.max_doc());
        // The tenant has no column. What is in a column and no term is too long to be found.
        let field = reader.schema().get_field_entry(self.slot);
        let column = if field.is_fast() { reader.fast_fields().str(field.name())? } else { None };
        match column {
            Some(column) => {
                let mut terms = column.dictionary().stream()?;
                while terms.advance() {
                    if found.holds(terms.key())?
                        && let Some(value) = dictionary.get(terms.key())?
                    {
                        found.add(&value)?;
                    }
                }
            }
            None => {
                let mut terms = dictionary.stream()?;
                while terms.advance() {
                    if found.holds(terms.key())? {
                        found.add(terms.value())?;
                    }
                }
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found.documents), boost)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        if self.scorer(reader, 1.0)?.seek(doc) == doc {
            Ok(Explanation::new("Walk", 1.0))
        } else {
            Err(TantivyError::InvalidArgument("the document does not match".to_owned()))
        }
    }
}

/// The documents that a walk has found so far.
struct Found<'a> {
    walk: &'a Walk,
    inverted: &'a InvertedIndexReader,
    documents: BitSet,
    folded: Vec<u8>,
    walked: u32,
}

impl<'a> Found<'a> {
    fn new(walk: &'a Walk, inverted: &'a InvertedIndexReader, documents: DocId) -> Self {
        Self { walk, inverted, documents: BitSet::with_max_value(documents), folded: Vec::new(), walked: 0 }
    }

    /// Whether the next value satisfies the test.
    fn holds(&mut self, value: &[u8]) -> tantivy::Result<bool> {
        self.walked = self.walked.wrapping_add(1);
        if self.walked.is_multiple_of(LOOK) {
            self.walk.stop.check()?;
        }
        self.folded.clear();
        if value.is_ascii() {
            self.folded.extend(value.iter().map(u8::to_ascii_lowercase));
        } else {
            let Ok(value) = std::str::from_utf8(value) else { return Ok(false) };
            self.folded.extend_from_slice(fold(value).as_bytes());
        }
        Ok(self.walk.test.holds(&self.folded))
    }

    /// Adds the documents that have a value.
    fn add(&mut self, value: &TermInfo) -> tantivy::Result<()> {
        let mut postings = self.inverted.read_block_postings_from_terminfo(value, IndexRecordOption::Basic)?;
        while !postings.docs().is_empty() {
            for doc in postings.docs() {
                self.documents.insert(*doc);
            }
            postings.advance();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Test, expression};
    use crate::filter::{Pattern, Piece};

    #[test]
    fn tests_hold_where_they_should() {
        let check =
            |test: &Test, value: &str, expected: bool| assert_eq!(test.holds(value.as_bytes()), expected, "{value}");
        let parts = Test::contains(&["system".to_owned(), "syssys".to_owned()]).unwrap();
        check(&parts, "kube-system", true);
        check(&parts, "asyssyssy", true);
        check(&parts, "kube", false);
        let part = Test::contains(&["ärg".to_owned()]).unwrap();
        check(&part, "der ärger", true);
        check(&part, "aerger", false);
        let pattern = |pieces: &[Piece]| Test::like(&[Pattern::new(pieces.iter().cloned())]).unwrap();
        let dot = pattern(&[Piece::Text("A.b".to_owned()), Piece::Any]);
        check(&dot, "a.b\nc", true);
        check(&dot, "axbc", false);
        check(&pattern(&[Piece::One]), "ä", true);
        check(&pattern(&[Piece::One]), "", false);
    }

    #[test]
    fn a_pattern_is_no_regular_expression() {
        let pattern = Pattern::text("(a+)+$[");
        assert_eq!(expression(&pattern), r"(?s)^\(a\+\)\+\$\[$");
    }
}
