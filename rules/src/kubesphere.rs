//! A value judged as KubeSphere's engine judges it.
//!
//! That engine flattens an event into names with dots, keeps arrays whole, and compares what Go prints of a value: `403` equals
//! `"403"`, and the groups of a user are the text `[dev ops]`. A negation belongs to the test and not to the condition, so that it is
//! false where the value is missing. Where a path has array steps it walks the array itself, in its own way. What is pinned by its
//! recorded answers and what only by its documentation and published source, `testdata/reference/README.md` tells apart.

mod pattern;
mod print;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::program::{Comparison, Matcher};
use crate::syntax::ast::Step;
use crate::value::Number;

pub(crate) use pattern::{like, regex};

/// A test of KubeSphere's engine on what stands at a path of names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Judgement {
    /// The way into the array at the path, beginning with an array step; empty where the path has none.
    pub(crate) steps: Vec<Step>,
    pub(crate) negated: bool,
    pub(crate) question: Question,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    Exists,
    /// Whether it has a text, which nothing and an object have not.
    Printed,
    Bool(bool),
    Text(Comparison, String),
    Number(Comparison, Number),
    /// Sorted, each once.
    OneOf(Vec<Arc<str>>),
    /// Whether nothing but these texts stands at the path, sorted. A value alone does not say: only an index answers it.
    Only(Vec<Arc<str>>),
    Contains(String),
    /// `like` and `regex`: the matcher is the pattern as this crate's regular expressions have it.
    Pattern(String),
}

/// What stands at a path, a list or an object as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Given<'v> {
    Text(&'v str),
    /// Anything else, and what is [`printed`] of it.
    Json(&'v Json, Option<&'v str>),
}

impl<'v> Given<'v> {
    /// The text that is compared.
    pub(crate) fn text(self) -> Option<&'v str> {
        match self {
            Given::Text(text) => Some(text),
            Given::Json(_, printed) => printed,
        }
    }
}

/// The text of a value that stands at a path; `None` of an object, which is not there itself, and of nothing.
pub(crate) fn printed(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::Null | Json::Object(_) => None,
        value => Some(print::print(value)),
    }
}

impl Judgement {
    /// The question, where the test is that and no more: about the value at a path, and not negated.
    pub(crate) fn plain(&self) -> Option<&Question> {
        (!self.negated && self.steps.is_empty()).then_some(&self.question)
    }

    /// Whether the test holds; `None` where KubeSphere's engine panics.
    pub(crate) fn holds(&self, given: Given<'_>, matcher: &Matcher) -> Option<bool> {
        let Some((step, rest)) = self.steps.split_first() else {
            return match given {
                Given::Text(text) | Given::Json(_, Some(text)) => self.scalar(text, matcher),
                // An object is not there itself: what it holds has names of its own.
                Given::Json(Json::Object(_), _) if self.question != Question::Exists => Some(false),
                Given::Json(object @ Json::Object(_), _) => Some(has_leaf(object) != self.negated),
                Given::Json(value, _) => self.value(value, matcher),
            };
        };
        let Given::Json(Json::Array(list), _) = given else { return None };
        let (elements, all) = part(step, list)?;
        self.elements(elements, all, rest, matcher)
    }

    fn elements(&self, elements: &[Json], all: bool, steps: &[Step], matcher: &Matcher) -> Option<bool> {
        let mut holds_for_all = false;
        for element in elements {
            let holds = match steps.split_first() {
                None => self.value(element, matcher)?,
                Some((Step::Key(name), rest)) => {
                    let member = member(element.as_object()?, name);
                    if member.is_none() && all {
                        return Some(false);
                    }
                    match rest.split_first() {
                        Some((step, rest)) if !matches!(step, Step::Key(_)) => {
                            let (elements, all) = part(step, member?.as_array()?)?;
                            // What is empty ends the search, whatever stands behind it.
                            if elements.is_empty() {
                                return Some(false);
                            }
                            self.elements(elements, all, rest, matcher)?
                        }
                        _ => {
                            let member = member.unwrap_or(&Json::Null);
                            self.elements(std::slice::from_ref(member), false, rest, matcher)?
                        }
                    }
                }
                Some(_) => return None,
            };
            if holds != all {
                return Some(holds);
            }
            holds_for_all = all;
        }
        Some(holds_for_all)
    }

    fn value(&self, value: &Json, matcher: &Matcher) -> Option<bool> {
        match (value, &self.question) {
            (Json::Null, Question::Exists) => Some(self.negated),
            // Nothing is printed as a text of its own here, and has parts.
            (Json::Null, Question::Contains(_)) => self.scalar("<nil>", matcher),
            (Json::Null, _) => Some(false),
            _ => self.scalar(&print::print(value), matcher),
        }
    }

    fn scalar(&self, text: &str, matcher: &Matcher) -> Option<bool> {
        let holds = match &self.question {
            Question::Exists | Question::Printed => true,
            Question::Bool(wanted) => boolean(text)? == *wanted,
            Question::Text(Comparison::Equal, other) => text == other,
            Question::Text(comparison, other) => comparison.accepts(text.cmp(other)),
            Question::Number(comparison, other) => comparison.accepts(number(text)?.cmp(other)),
            Question::OneOf(items) | Question::Only(items) => items.binary_search_by(|item| (**item).cmp(text)).is_ok(),
            Question::Contains(part) => text.contains(part.as_str()),
            Question::Pattern(_) => match matcher {
                Matcher::Regex(regex) => regex.is_match(text),
                _ => return None,
            },
        };
        Some(holds != self.negated)
    }
}

/// The elements that a step takes, and whether all of them have to satisfy a test.
fn part<'l>(step: &Step, list: &'l [Json]) -> Option<(&'l [Json], bool)> {
    Some(match step {
        Step::Any => (list, false),
        Step::Index(index) => (list.get(*index..=*index).unwrap_or_default(), true),
        Step::Range(from, to) => {
            let to = to.unwrap_or(list.len()).min(list.len());
            (list.get((*from).min(list.len())..to)?, true)
        }
        Step::Key(_) => return None,
    })
}

fn member<'o>(object: &'o serde_json::Map<String, Json>, name: &str) -> Option<&'o Json> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Whether something that is not null stands in the value.
fn has_leaf(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Object(members) => members.values().any(has_leaf),
        _ => true,
    }
}

/// A number as Go reads one from a text.
fn number(text: &str) -> Option<Number> {
    Number::parse(text).or_else(|| Number::nearest(text.parse().ok()?))
}

/// A boolean as Go reads one from a text.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
