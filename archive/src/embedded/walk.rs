//! Finding values without regard to case: a walk through a term dictionary.
//!
//! Every distinct value of a segment is folded and tested once, however many documents have it; a million of them take
//! a fraction of a second. Tests are linear in the value's length, whatever the caller asks for.

use std::fmt;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use regex::RegexSet;
use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field as Slot, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader, TantivyError};

use super::stop::Stop;
use crate::filter::{Pattern, Piece};
use crate::fold::fold_into;

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

    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Part(text) => text.find(value.as_bytes()).is_some(),
            Self::Contains(texts) => texts.is_match(value),
            Self::Begins(texts) => texts.iter().any(|text| value.starts_with(text)),
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
        let mut found = BitSet::with_max_value(reader.max_doc());
        let inverted = reader.inverted_index(self.slot)?;
        let mut terms = inverted.terms().stream()?;
        let mut folded = String::new();
        let mut walked = 0_u32;
        while terms.advance() {
            walked = walked.wrapping_add(1);
            if walked.is_multiple_of(LOOK) {
                self.stop.check()?;
            }
            let Ok(value) = std::str::from_utf8(terms.key()) else { continue };
            folded.clear();
            fold_into(value, &mut folded);
            if !self.test.holds(&folded) {
                continue;
            }
            let mut postings = inverted.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while !postings.docs().is_empty() {
                for doc in postings.docs() {
                    found.insert(*doc);
                }
                postings.advance();
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found), boost)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        if self.scorer(reader, 1.0)?.seek(doc) == doc {
            Ok(Explanation::new("Walk", 1.0))
        } else {
            Err(TantivyError::InvalidArgument("the document does not match".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Test, expression};
    use crate::filter::{Pattern, Piece};

    #[test]
    fn tests_hold_where_they_should() {
        let check = |test: &Test, value: &str, expected: bool| assert_eq!(test.holds(value), expected, "{value}");
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
