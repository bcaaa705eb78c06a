//! Regular expressions that only say whether they match: linear in the text, bounded in memory.
//!
//! A pattern is parsed once, for the program that matches it and for the literal that every match holds, by which many patterns are
//! looked for at once. Nothing is built that only serves to say where a match stands, which takes a third of the time otherwise.

use regex_automata::meta::{BuildError, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

/// How much memory one compiled pattern may take, in bytes.
const SIZE_LIMIT: usize = 1 << 20;
/// How deep a pattern may nest.
const NEST_LIMIT: u32 = 64;

/// A compiled regular expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    required: Box<[u8]>,
    weight: usize,
}

/// Why a pattern cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("{0}")]
    Syntax(Box<regex_syntax::Error>),
    #[error("it takes more than {0} bytes of memory")]
    TooBig(usize),
    #[error("{0}")]
    Build(Box<BuildError>),
}

impl Pattern {
    /// Compiles a pattern; `automaton` is how many bytes the automaton may take that is built while matching. A pattern that needs more
    /// does without one, which is slower and no less linear.
    pub(crate) fn new(pattern: &str, automaton: usize) -> Result<Self, PatternError> {
        let hir = ParserBuilder::new().nest_limit(NEST_LIMIT).build().parse(pattern);
        let hir = hir.map_err(|error| PatternError::Syntax(error.into()))?;
        let config = Regex::config()
            .nfa_size_limit(Some(SIZE_LIMIT))
            .hybrid_cache_capacity(automaton)
            .which_captures(WhichCaptures::None)
            .onepass(false)
            .dfa(false);
        let regex =
            Regex::builder().configure(config).build_from_hir(&hir).map_err(|error| match error.size_limit() {
                Some(limit) => PatternError::TooBig(limit),
                None => PatternError::Build(error.into()),
            })?;
        let mut required = Vec::new();
        require(&hir, &mut required);
        let weight = regex.memory_usage() + required.len() + pattern.len() + automaton;
        Ok(Self { regex, required: required.into(), weight })
    }

    /// Whether the pattern matches somewhere in a text.
    #[inline]
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The longest literal that every match holds; empty if none is known.
    pub(crate) fn required(&self) -> &[u8] {
        &self.required
    }

    /// How much memory it may take, in bytes, its automaton with it.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

/// The expression nests no deeper than the parser lets it.
fn require(hir: &Hir, longest: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Literal(literal) if literal.0.len() > longest.len() => *longest = literal.0.to_vec(),
        HirKind::Concat(parts) => parts.iter().for_each(|part| require(part, longest)),
        HirKind::Capture(capture) => require(&capture.sub, longest),
        HirKind::Repetition(repetition) if repetition.min > 0 => require(&repetition.sub, longest),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    #[test]
    fn the_literal_of_a_pattern_is_in_every_match() {
        for (pattern, literal) in [
            (r"^/api(s/[a-z.]+)?/v1/namespaces/team-3/pods(/|$)", "/v1/namespaces/team-3/pods"),
            ("abc|abcd", ""),
            ("(?i)secrets", ""),
            ("x(abc){2,}", "abc"),
            ("(abc)*", ""),
            (r"a\.b", "a.b"),
        ] {
            let required = Pattern::new(pattern, 1 << 17).unwrap().required().to_vec();
            assert_eq!(String::from_utf8(required).unwrap(), literal, "{pattern}");
        }
    }

    proptest! {
        /// What is left out for speed changes no answer.
        #[test]
        fn a_pattern_matches_what_the_regex_crate_matches(
            pattern in r"([ab.]|\(a\|b\)|\[ab\]|\\b|\^|\$|ä|(a|\(ba\)|\.)(\*|\+|\?|\{2\}|\*\?)){0,8}",
            text in "[abä\n ]{0,12}",
            automaton in prop_oneof![Just(0_usize), Just(1 << 13), Just(1 << 17)],
        ) {
            let theirs = regex::Regex::new(&pattern).unwrap();
            prop_assert_eq!(Pattern::new(&pattern, automaton).unwrap().is_match(&text), theirs.is_match(&text));
        }
    }
}
