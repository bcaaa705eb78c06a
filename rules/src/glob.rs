//! `like`: `*` is any text, `?` one character, anything else itself; the whole text must match.
//!
//! Without `?` the pieces between the stars are looked for one after the other, each at its first place: greedy from the left is
//! exact for globs and takes one pass. With `?` it becomes a regular expression, which is linear too.

use std::sync::Arc;

use crate::pattern::{Pattern, PatternError};
use crate::program::{Builder, TooBig};

#[derive(Debug)]
pub(crate) enum Glob {
    Exact(Box<str>),
    Pieces { first: Box<str>, middle: Vec<Box<str>>, last: Box<str> },
    Regex(Arc<Pattern>),
}

impl Glob {
    /// Compiles a pattern; fails only if it is too big, by itself or together with the others of `builder`.
    pub(crate) fn new(pattern: &str, builder: &mut Builder) -> Result<Result<Self, PatternError>, TooBig> {
        if pattern.contains('?') {
            let mut translated = String::from(r"(?s)\A");
            for it in pattern.chars() {
                match it {
                    '*' => translated.push_str(".*"),
                    '?' => translated.push('.'),
                    it => translated.push_str(&regex_syntax::escape(it.encode_utf8(&mut [0; 4]))),
                }
            }
            translated.push_str(r"\z");
            return Ok(builder.regex(&translated)?.map(Self::Regex));
        }
        let Some((first, rest)) = pattern.split_once('*') else { return Ok(Ok(Self::Exact(pattern.into()))) };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let middle = middle.split('*').filter(|piece| !piece.is_empty()).map(Box::from).collect();
        Ok(Ok(Self::Pieces { first: first.into(), middle, last: last.into() }))
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *text,
            Self::Regex(regex) => regex.is_match(text),
            Self::Pieces { first, middle, last } => {
                let Some(mut rest) = text.strip_prefix(&**first) else { return false };
                for piece in middle {
                    let Some((_, after)) = rest.split_once(&**piece) else { return false };
                    rest = after;
                }
                rest.ends_with(&**last)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Builder, Glob};

    /// The definition, by trying everything.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => naive(rest, text) || !text.is_empty() && naive(pattern, &text[1..]),
            (['?', rest @ ..], [_, after @ ..]) => naive(rest, after),
            ([one, rest @ ..], [it, after @ ..]) => one == it && naive(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn globs_match_as_defined(pattern in "[ab.*?ü\n]{0,7}", text in "[ab.ü\n]{0,9}") {
            let (of_pattern, of_text): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(Glob::new(&pattern, &mut Builder::new()).unwrap().unwrap().matches(&text), naive(&of_pattern, &of_text));
        }
    }
}
