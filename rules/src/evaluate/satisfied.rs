//! One value held against one test: the meaning of every comparison, which all faster ways of answering must agree with.

use std::cmp::Ordering;

use serde_json::Value as Json;

use crate::event::Scalar;
use crate::kubesphere::{Given, printed};
use crate::program::{Comparison, Items, Literal, Matcher, Predicate, Test};
use crate::text::fold;
use crate::value::Number;
use vedette_audit::Instant;

/// Whether a value satisfies a predicate's test; `None` if it is of a type for which the test has no answer.
///
/// The values of fields on the right are not among the items: whoever knows the event asks for those.
pub(super) fn satisfied(predicate: &Predicate, value: Scalar<'_>) -> Option<bool> {
    match value {
        Scalar::Null => Some(false),
        value => judge(&predicate.test, &predicate.matcher, value),
    }
}

fn judge(test: &Test, matcher: &Matcher, value: Scalar<'_>) -> Option<bool> {
    match (test, value) {
        (Test::Exists, _) => Some(true),
        (Test::Judged(judgement), Scalar::Text(text)) => judgement.holds(Given::Text(text), matcher),
        (Test::Judged(judgement), value) => {
            let json = parsed(value)?;
            judgement.holds(Given::Json(&json, printed(&json).as_deref()), matcher)
        }
        // The elements of a list are asked one by one.
        (_, Scalar::List(_)) => Some(false),
        (Test::Folded(test), Scalar::Text(text)) => judge(test, matcher, Scalar::Text(&fold(text))),
        (Test::Folded(test), value) => judge(test, matcher, value),
        (Test::True, Scalar::Bool(value)) => Some(value),
        (Test::Compare(comparison, literal), value) => compare(value, literal).map(|order| comparison.accepts(order)),
        (Test::OneOf(items), value) => one_of(value, items),
        (Test::Contains(part), Scalar::Text(text)) => Some(text.contains(part.as_str())),
        (Test::StartsWith(part), Scalar::Text(text)) => Some(text.starts_with(part.as_str())),
        (Test::EndsWith(part), Scalar::Text(text)) => Some(text.ends_with(part.as_str())),
        (Test::Within(networks), Scalar::Text(text)) => networks.hold(text),
        (Test::Like(_) | Test::Regex(_), Scalar::Text(text)) => match matcher {
            Matcher::Glob(glob) => Some(glob.matches(text)),
            Matcher::Regex(regex) => Some(regex.is_match(text)),
            Matcher::None => None,
        },
        (
            Test::True
            | Test::Contains(_)
            | Test::StartsWith(_)
            | Test::EndsWith(_)
            | Test::Within(_)
            | Test::Like(_)
            | Test::Regex(_),
            _,
        ) => None,
    }
}

/// A value that stands at a path, as KubeSphere's engine takes what is no text; `None` for what turns out to be no JSON.
pub(super) fn parsed(value: Scalar<'_>) -> Option<Json> {
    match value {
        Scalar::Null => Some(Json::Null),
        Scalar::Bool(value) => Some(value.into()),
        Scalar::Text(text) => Some(text.into()),
        Scalar::Number(text) | Scalar::List(text) | Scalar::Object(text) => serde_json::from_str(text).ok(),
    }
}

/// The order of a value and a literal; `None` if they are of different types.
fn compare(value: Scalar<'_>, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        // What is no timestamp is neither before nor after one.
        (Scalar::Text(text), Literal::Text(_, Some(instant))) => Some(Instant::parse(text)?.cmp(instant)),
        (Scalar::Text(text), Literal::Text(other, None)) => Some(text.cmp(other.as_str())),
        (Scalar::Number(number), Literal::Number(other)) => Some(Number::parse(number)?.cmp(other)),
        (Scalar::Bool(value), Literal::Bool(other)) => Some(value.cmp(other)),
        _ => None,
    }
}

/// Whether a value is in the list; `None` if nothing in the list is of its type.
fn one_of(value: Scalar<'_>, items: &Items) -> Option<bool> {
    let fields = !items.fields.is_empty();
    match value {
        Scalar::Text(text) => {
            let instant = if items.instants.is_empty() { None } else { Instant::parse(text) };
            let found = items.texts.binary_search_by(|item| (**item).cmp(text)).is_ok()
                || instant.is_some_and(|instant| items.instants.binary_search(&instant).is_ok());
            // What is no timestamp is not of the type of one.
            (instant.is_some() || fields || !items.texts.is_empty()).then_some(found)
        }
        Scalar::Number(number) => {
            let found = !items.numbers.is_empty()
                && Number::parse(number).is_some_and(|number| items.numbers.binary_search(&number).is_ok());
            (fields || !items.numbers.is_empty()).then_some(found)
        }
        Scalar::Bool(value) => (fields || !items.bools.is_empty()).then(|| items.bools.contains(&value)),
        Scalar::Null | Scalar::List(_) | Scalar::Object(_) => None,
    }
}

impl Comparison {
    pub(crate) fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }
}
