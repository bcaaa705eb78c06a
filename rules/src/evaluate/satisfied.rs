//! One value held against one test: the meaning of every comparison, which all faster ways of answering must agree with.

use std::cmp::Ordering;

use crate::event::Scalar;
use crate::program::{Comparison, Items, Literal, Matcher, Predicate, Test};
use crate::value::{Instant, Number};

/// Whether a value satisfies a predicate's test; `None` if it is of a type for which the test has no answer.
///
/// The values of fields on the right are not among the items: whoever knows the event asks for those.
pub(super) fn satisfied(predicate: &Predicate, value: Scalar<'_>) -> Option<bool> {
    match (&predicate.test, value) {
        (_, Scalar::Null) => Some(false),
        (Test::Exists, _) => Some(true),
        // The elements of a list are asked one by one.
        (_, Scalar::List) => Some(false),
        (Test::True, Scalar::Bool(value)) => Some(value),
        (Test::Compare(comparison, literal), value) => compare(value, literal).map(|order| comparison.accepts(order)),
        (Test::OneOf(items), value) => one_of(value, items),
        (Test::Contains(part), Scalar::Text(text)) => Some(text.contains(part.as_str())),
        (Test::Like(_) | Test::Regex(_), Scalar::Text(text)) => match &predicate.matcher {
            Matcher::Glob(glob) => Some(glob.matches(text)),
            Matcher::Regex(regex) => Some(regex.is_match(text)),
            Matcher::None => None,
        },
        (Test::True | Test::Contains(_) | Test::Like(_) | Test::Regex(_), _) => None,
    }
}

/// The order of a value and a literal; `None` if they are of different types.
fn compare(value: Scalar<'_>, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        // What is no timestamp is neither before nor after one.
        (Scalar::Text(text), Literal::Text(_, Some(instant))) => Some(Instant::parse(text)?.cmp(instant)),
        (Scalar::Text(text), Literal::Text(other, None)) => Some(text.cmp(other.as_str())),
        (Scalar::Number(number), Literal::Number(other)) => Number::parse(number)?.order(*other),
        (Scalar::Bool(value), Literal::Bool(other)) => Some(value.cmp(other)),
        _ => None,
    }
}

/// Whether a value is in the list; `None` if nothing in the list is of its type.
fn one_of(value: Scalar<'_>, items: &Items) -> Option<bool> {
    let fields = !items.fields.is_empty();
    match value {
        Scalar::Text(text) => {
            let found = items.texts.binary_search_by(|item| item.as_str().cmp(text)).is_ok()
                || !items.instants.is_empty()
                    && Instant::parse(text).is_some_and(|instant| items.instants.binary_search(&instant).is_ok());
            (found || fields || !items.texts.is_empty()).then_some(found)
        }
        Scalar::Number(number) => {
            let found = !items.numbers.is_empty()
                && Number::parse(number).is_some_and(|number| items.numbers.contains(&number));
            (fields || !items.numbers.is_empty()).then_some(found)
        }
        Scalar::Bool(value) => (fields || !items.bools.is_empty()).then(|| items.bools.contains(&value)),
        Scalar::Null | Scalar::List | Scalar::Object(_) => None,
    }
}

impl Comparison {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }
}
