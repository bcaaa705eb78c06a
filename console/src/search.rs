//! The search box's language: what a person types, as a query of the archive.
//!
//! `actor:alice change:yes -ns:kube-* 12:05..14:05`. The manual, `docs/search.md`, has every key. This module knows neither
//! archive nor clock: [`Search::parse`] is a function of the text and of what time it is.
//!
//! **Invariants.** Every text is understood or refused at a place of its own; none panics, and the work is linear in the
//! text. What a text becomes is within the archive's bounds, with room for the conditions that callers add. Values stay
//! data: nothing that is typed becomes text of an engine's language.

mod address;
mod asked;
mod error;
mod key;
mod lex;
mod number;
mod parse;
mod resource;
mod term;
#[cfg(test)]
mod tests;
mod time;
mod value;

use jiff::Timestamp;
use vedette_archive::{By, Field, Filter, MAX_TEXT, Number};

pub use asked::Asked;
pub use error::SearchError;
pub use value::quote;

use error::Span;
use key::Key;

/// Bytes of a query: no longer than a value that can be found, so that no value is too long.
const MAX_BYTES: usize = MAX_TEXT;
/// Values in a query, each word without a key being one.
const MAX_VALUES: usize = 256;
/// Wildcards in a value: what one compares with may be long, and each costs a walk through it.
const MAX_WILDCARDS: usize = 32;
/// Parentheses within parentheses.
const MAX_NESTING: usize = 8;

/// What a text asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The condition on documents.
    pub filter: Filter,
    /// The earliest time, inclusive, in microseconds since the Unix epoch.
    pub start_micros: Option<i64>,
    /// The latest time, inclusive, in microseconds since the Unix epoch.
    pub end_micros: Option<i64>,
    /// The kinds of events that the text names, at most 16; none where it names none in particular. Where nothing is found,
    /// the rules can be asked whether such events are kept at all.
    pub asked: Vec<Asked>,
}

/// The length of a duration as it stands behind `last:`, in microseconds.
pub fn length_micros(text: &str) -> Option<i64> {
    time::duration(text).and_then(|length| i64::try_from(length.as_micros()).ok())
}

/// The field that events are grouped by under one of the language's keys, as the API names it; `None` for what is no key, or none
/// of a field.
pub fn grouped_by(key: &str) -> Option<&'static str> {
    match Key::named(key)? {
        Key::Text(field) | Key::Address(field) => Some(field.name()),
        Key::Resource => Some(Field::Resource.name()),
        Key::Number(Number::Code) => Some(By::Code.name()),
        _ => None,
    }
}

impl Search {
    /// Understands a text; `now` is what its times are reckoned from. A text of white space alone asks for everything.
    ///
    /// # Errors
    /// When the text is none of the language's, or is too much; the error says where.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, SearchError> {
        if text.len() > MAX_BYTES {
            let message = format!("the query is longer than {MAX_BYTES} bytes");
            return Err(SearchError::new(Span { start: 0, end: text.len() }, message));
        }
        parse::query(&lex::tokens(text)?, text.len(), now)
    }
}
