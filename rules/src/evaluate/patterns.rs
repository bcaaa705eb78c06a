//! Many tests for parts of one text, by one automaton.
//!
//! Of each test a literal is known that every text which satisfies it must hold: a glob's longest piece, a regular expression's longest
//! run of characters outside of choices and repetitions. One pass over the text finds all of them; only the tests whose literal is
//! there are asked themselves. A test without such a literal is not taken in.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use regex_syntax::hir::{Hir, HirKind};

use crate::program::{Predicate, PredicateId, Test};

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
                Test::Regex(pattern) => (of_regex(pattern), false),
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

/// The longest literal that every match of a regular expression holds; empty if none is known.
fn of_regex(pattern: &str) -> Vec<u8> {
    let mut longest = Vec::new();
    if let Ok(hir) = regex_syntax::parse(pattern) {
        required(&hir, &mut longest);
    }
    longest
}

/// The expression nests no deeper than the parser lets it.
fn required(hir: &Hir, longest: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Literal(literal) if literal.0.len() > longest.len() => *longest = literal.0.to_vec(),
        HirKind::Concat(parts) => parts.iter().for_each(|part| required(part, longest)),
        HirKind::Capture(capture) => required(&capture.sub, longest),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub, longest),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::of_regex;

    #[test]
    fn the_literal_of_a_regex_is_in_every_match() {
        for (pattern, literal) in [
            (r"^/api(s/[a-z.]+)?/v1/namespaces/team-3/pods(/|$)", "/v1/namespaces/team-3/pods"),
            ("abc|abcd", ""),
            ("(?i)secrets", ""),
            ("x(abc){2,}", "abc"),
            ("(abc)*", ""),
            (r"a\.b", "a.b"),
            ("[", ""),
        ] {
            assert_eq!(String::from_utf8(of_regex(pattern)).unwrap(), literal, "{pattern}");
        }
    }
}
