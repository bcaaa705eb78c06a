//! Many tests for parts of one text, by one automaton.
//!
//! Of each test a literal is known that every text which satisfies it must hold: a glob's longest piece, a regular expression's longest
//! run of characters outside of choices and repetitions. One pass over the text finds all of them; only the tests whose literal is
//! there are asked themselves. A test without such a literal is not taken in.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

use crate::kubesphere::Question;
use crate::program::{Matcher, Predicate, PredicateId, Test};

/// Fewer tests than this are asked one by one.
const WORTHWHILE: usize = 4;
/// A shorter literal is in too many texts.
const SHORTEST: usize = 3;

/// An automaton over the literals of tests.
#[derive(Debug)]
pub(super) struct Patterns {
    automaton: AhoCorasick,
    /// The test of each literal, and whether the literal alone satisfies it.
    tests: Vec<(PredicateId, bool)>,
}

impl Patterns {
    /// Takes in the predicates that have a literal, if they are enough.
    pub(super) fn new(predicates: &[(PredicateId, &Predicate)]) -> Option<Self> {
        let (mut literals, mut tests) = (Vec::new(), Vec::new());
        for (id, predicate) in predicates {
            let (literal, whole) = match &predicate.test {
                Test::Contains(text) => (text.clone().into_bytes(), true),
                Test::StartsWith(text) | Test::EndsWith(text) => (text.clone().into_bytes(), false),
                Test::Like(glob) => {
                    (glob.split(['*', '?']).max_by_key(|piece| piece.len()).unwrap_or_default().into(), false)
                }
                Test::Regex(_) => match &predicate.matcher {
                    Matcher::Regex(pattern) => (pattern.required().to_vec(), false),
                    Matcher::None | Matcher::Glob(_) => continue,
                },
                Test::Judged(judgement) => match (judgement.plain(), &predicate.matcher) {
                    (Some(Question::Contains(text)), _) => (text.clone().into_bytes(), true),
                    (Some(Question::Pattern(_)), Matcher::Regex(pattern)) => (pattern.required().to_vec(), false),
                    _ => continue,
                },
                _ => continue,
            };
            if literal.len() >= SHORTEST {
                literals.push(literal);
                tests.push((*id, whole));
            }
        }
        if tests.len() < WORTHWHILE {
            return None;
        }
        let automaton = AhoCorasickBuilder::new().match_kind(MatchKind::Standard).build(literals).ok()?;
        Some(Self { automaton, tests })
    }

    /// Whether a predicate was taken in; they are in the order of their ids.
    pub(super) fn has(&self, predicate: PredicateId) -> bool {
        self.tests.binary_search_by_key(&predicate, |(id, _)| *id).is_ok()
    }

    /// Calls `found` for every literal in a text, perhaps more than once: with its predicate, and whether that is true already.
    pub(super) fn find(&self, text: &str, mut found: impl FnMut(PredicateId, bool)) {
        for literal in self.automaton.find_overlapping_iter(text) {
            if let Some((predicate, whole)) = self.tests.get(literal.pattern().as_usize()) {
                found(*predicate, *whole);
            }
        }
    }
}
