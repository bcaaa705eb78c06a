//! A program held against an event, in three values.
//!
//! A comparison on a body that the event's level did not record is neither true nor false: it is unknown, and so is a condition that
//! comes down to it. Every node and every predicate is evaluated at most once for an event, and a predicate visits every value at
//! most once: the work is bounded by the size of the event times the number of predicates.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

use vedette_audit::Level;

use crate::event::Value;
use crate::kubesphere::Given;
use crate::program::{
    Comparison, FieldId, Items, Literal, Matcher, Node, NodeId, PathId, PathStep, Predicate, PredicateId, Program, Test,
};
use crate::text::fold;
use crate::value::{Instant, Number};

/// What an event says to a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    False,
    True,
    /// The path whose values would have decided it.
    Unknown(PathId),
}

/// One event under evaluation.
pub(crate) struct Evaluation<'p, 'e> {
    program: &'p Program,
    event: &'p Value<'e>,
    /// What the event's level recorded.
    recorded: Recorded,
    nodes: Vec<Option<Truth>>,
    predicates: Vec<Option<Truth>>,
    /// Comparisons that were false because of a value's type.
    pub(crate) mismatches: u32,
}

/// Which bodies the event's level recorded, or the event holds whatever it says of its level, or cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) request: bool,
    pub(crate) response: bool,
}

impl Recorded {
    fn covers(self, needed: Option<Level>) -> bool {
        match needed {
            Some(Level::Request) => self.request,
            Some(Level::RequestResponse) => self.response,
            _ => true,
        }
    }
}

impl<'p, 'e> Evaluation<'p, 'e> {
    pub(crate) fn new(program: &'p Program, event: &'p Value<'e>, recorded: Recorded) -> Self {
        let (nodes, predicates) = (vec![None; program.nodes.len()], vec![None; program.predicates.len()]);
        Self { program, event, recorded, nodes, predicates, mismatches: 0 }
    }

    /// The truth of a condition.
    pub(crate) fn node(&mut self, id: NodeId) -> Truth {
        if let Some(known) = self.nodes.get(id.index()).copied().flatten() {
            return known;
        }
        let truth = match self.program.nodes.get(id.index()) {
            Some(Node::Constant(value)) => of(*value),
            Some(Node::Predicate(predicate)) => self.predicate(*predicate),
            Some(Node::Not(inner)) => match self.node(*inner) {
                Truth::False => Truth::True,
                Truth::True => Truth::False,
                unknown => unknown,
            },
            Some(Node::And(parts)) => self.join(parts, Truth::False, Truth::True),
            Some(Node::Or(parts)) => self.join(parts, Truth::True, Truth::False),
            None => Truth::False,
        };
        if let Some(slot) = self.nodes.get_mut(id.index()) {
            *slot = Some(truth);
        }
        truth
    }

    /// `decisive` if a part is that; else the first unknown; else `neutral`.
    fn join(&mut self, parts: &'p [NodeId], decisive: Truth, neutral: Truth) -> Truth {
        let mut joined = neutral;
        for part in parts {
            let truth = self.node(*part);
            if truth == decisive {
                return decisive;
            }
            if joined == neutral {
                joined = truth;
            }
        }
        joined
    }

    fn predicate(&mut self, id: PredicateId) -> Truth {
        if let Some(known) = self.predicates.get(id.index()).copied().flatten() {
            return known;
        }
        let truth = self.program.predicates.get(id.index()).map_or(Truth::False, |predicate| self.ask(predicate));
        if let Some(slot) = self.predicates.get_mut(id.index()) {
            *slot = Some(truth);
        }
        truth
    }

    fn ask(&mut self, predicate: &'p Predicate) -> Truth {
        let Some(path) = self.program.paths.get(predicate.path.index()) else { return Truth::False };
        if !self.recorded.covers(path.needs) {
            return Truth::Unknown(predicate.path);
        }
        let mut unknown = None;
        let mut others = HashSet::new();
        if let Test::OneOf(items) = &predicate.test {
            for field in &items.fields {
                match self.program.paths.get(field.index()) {
                    Some(path) if self.recorded.covers(path.needs) => collect(self.event, &path.steps, &mut others),
                    Some(_) => unknown = unknown.or(Some(*field)),
                    None => {}
                }
            }
        }
        let mut asked = Asked { predicate, whole: path.whole, others, mismatched: false };
        let holds = asked.holds(self.event, &path.steps);
        let mismatched = asked.mismatched;
        // What is not among the known values may be among the unknown ones.
        if let Some(field) = unknown.filter(|_| !holds) {
            let mut asks = false;
            for_each(self.event, &path.steps, &mut |value| asks |= *value != Value::Null);
            return if asks { Truth::Unknown(field) } else { Truth::False };
        }
        if !holds && mismatched {
            self.mismatches = self.mismatches.saturating_add(1);
        }
        of(holds)
    }
}

fn of(value: bool) -> Truth {
    if value { Truth::True } else { Truth::False }
}

/// A scalar of the event to compare with.
#[derive(PartialEq, Eq, Hash)]
enum Scalar<'v> {
    Text(&'v str),
    Number(Number),
    Bool(bool),
}

/// A predicate on its way through an event.
struct Asked<'p, 'v> {
    predicate: &'p Predicate,
    /// Whether a list is one value.
    whole: bool,
    /// The values of the fields on the right.
    others: HashSet<Scalar<'v>>,
    mismatched: bool,
}

impl Asked<'_, '_> {
    /// Whether the values of `value` at `steps` satisfy the predicate.
    fn holds(&mut self, value: &Value<'_>, steps: &[PathStep]) -> bool {
        match (steps.split_first(), value) {
            (Some((PathStep::Key(_), _)), Value::Object(members, _)) => {
                members.iter().any(|(member, value)| behind(steps, *member).is_some_and(|rest| self.holds(value, rest)))
            }
            (Some((PathStep::Any, rest)), Value::List(elements)) => {
                elements.iter().any(|element| self.holds(element, rest))
            }
            (Some((PathStep::Index(index), rest)), Value::List(elements)) => {
                elements.get(*index).is_some_and(|element| self.holds(element, rest))
            }
            (Some((PathStep::Range(from, to), rest)), Value::List(elements)) => {
                let elements = range(elements, *from, *to);
                !elements.is_empty() && elements.iter().all(|element| self.holds(element, rest))
            }
            // A list where no step asks for one: any element.
            (Some((PathStep::Key(_), _)), Value::List(elements)) if !self.whole => {
                elements.iter().any(|element| self.holds(element, steps))
            }
            (Some(_), _) => false,
            (None, Value::List(elements)) if !self.whole && !matches!(self.predicate.test, Test::Exists) => {
                elements.iter().any(|element| self.holds(element, steps))
            }
            (None, value) => self.satisfied(value),
        }
    }

    /// Whether a value at the end of the path satisfies the test.
    fn satisfied(&mut self, value: &Value<'_>) -> bool {
        if let Value::Null = value {
            return false;
        }
        let judged = self.judge(&self.predicate.test, value);
        self.mismatched |= judged.is_none();
        judged.unwrap_or(false)
    }

    /// Whether a value passes a test; `None` if it is of another type than the test wants.
    fn judge(&self, test: &Test, value: &Value<'_>) -> Option<bool> {
        let matcher = &self.predicate.matcher;
        match (test, value) {
            (Test::Exists, _) => Some(true),
            (Test::True, Value::Bool(value)) => Some(*value),
            (Test::Compare(comparison, literal), value) => {
                compare(value, literal).map(|order| comparison.accepts(order))
            }
            (Test::OneOf(items), value) => one_of(value, items, matcher, &self.others),
            (Test::Judged(judgement), value) => judgement.holds(&given(value), matcher),
            (Test::Folded(test), Value::Text(text)) => self.judge(test, &Value::Text(fold(text))),
            (Test::Folded(test), value) => self.judge(test, value),
            (Test::Contains(part), Value::Text(text)) => Some(text.contains(part.as_str())),
            (Test::StartsWith(part), Value::Text(text)) => Some(text.starts_with(part.as_str())),
            (Test::EndsWith(part), Value::Text(text)) => Some(text.ends_with(part.as_str())),
            (Test::Within(networks), Value::Text(text)) => networks.hold(text),
            (_, Value::Text(text)) => match matcher {
                Matcher::Glob(glob) => Some(glob.matches(text)),
                Matcher::Regex(regex) => Some(regex.is_match(text)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A value as [`Judgement`](crate::kubesphere::Judgement) takes it.
fn given<'v>(value: &'v Value<'_>) -> Given<'v> {
    match value {
        Value::Text(text) => Given::Text(text),
        value => Given::Json(json(value)),
    }
}

fn json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        // The reader took it for JSON already.
        Value::Number(_, text) => serde_json::from_str(text).unwrap_or_default(),
        Value::Object(_, text) => serde_json::from_str(text).unwrap_or_default(),
        Value::Text(text) => Cow::as_ref(text).into(),
        Value::List(elements) => elements.iter().map(json).collect(),
    }
}

/// The steps behind the one that leads to `member`, which a name with dots may reach in one go.
pub(crate) fn behind(steps: &[PathStep], member: FieldId) -> Option<&[PathStep]> {
    let keys = steps.iter().take_while(|step| matches!(step, PathStep::Key(_)));
    let place = keys.enumerate().find(|(_, step)| **step == PathStep::Key(member))?.0;
    steps.get(place + 1..)
}

pub(crate) fn range<T>(elements: &[T], from: usize, to: Option<usize>) -> &[T] {
    let to = to.unwrap_or(elements.len()).min(elements.len());
    elements.get(from..to).unwrap_or_default()
}

/// All scalars of `value` at `steps`.
fn collect<'v>(value: &'v Value<'_>, steps: &[PathStep], into: &mut HashSet<Scalar<'v>>) {
    for_each(value, steps, &mut |value| {
        into.extend(match value {
            Value::Text(text) => Some(Scalar::Text(text)),
            Value::Number(number, _) => Some(Scalar::Number(*number)),
            Value::Bool(value) => Some(Scalar::Bool(*value)),
            _ => None,
        });
    });
}

/// Calls `found` with every value of `value` at `steps`, the elements of lists one by one.
pub(crate) fn for_each<'v, 'e>(value: &'v Value<'e>, steps: &[PathStep], found: &mut dyn FnMut(&'v Value<'e>)) {
    let Some((step, rest)) = steps.split_first() else {
        match value {
            Value::List(elements) => elements.iter().for_each(|element| for_each(element, steps, found)),
            value => found(value),
        }
        return;
    };
    match (step, value) {
        (PathStep::Key(_), Value::Object(members, _)) => {
            for (member, value) in members {
                if let Some(rest) = behind(steps, *member) {
                    for_each(value, rest, found);
                }
            }
        }
        (PathStep::Key(_), Value::List(elements)) => {
            elements.iter().for_each(|element| for_each(element, steps, found))
        }
        (PathStep::Any, Value::List(elements)) => elements.iter().for_each(|element| for_each(element, rest, found)),
        (PathStep::Index(index), Value::List(elements)) => {
            if let Some(element) = elements.get(*index) {
                for_each(element, rest, found);
            }
        }
        (PathStep::Range(from, to), Value::List(elements)) => {
            range(elements, *from, *to).iter().for_each(|element| for_each(element, rest, found));
        }
        _ => {}
    }
}

/// The order of a value and a literal; `None` if they are of different types.
fn compare(value: &Value<'_>, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        // What is no timestamp is neither before nor after one.
        (Value::Text(text), Literal::Text(_, Some(instant))) => Some(Instant::parse(text)?.cmp(instant)),
        (Value::Text(text), Literal::Text(other, None)) => Some(Cow::as_ref(text).cmp(other.as_str())),
        (Value::Number(number, _), Literal::Number(other)) => Some(number.cmp(other)),
        (Value::Bool(value), Literal::Bool(other)) => Some(value.cmp(other)),
        _ => None,
    }
}

/// Whether a value is in the list; `None` if nothing in the list is of its type.
fn one_of(value: &Value<'_>, items: &Items, matcher: &Matcher, others: &HashSet<Scalar<'_>>) -> Option<bool> {
    match value {
        Value::Text(text) => {
            let text = Cow::as_ref(text);
            let listed = match matcher {
                Matcher::Texts(texts) => texts.contains(text),
                _ => items.texts.iter().any(|item| **item == *text),
            };
            let instant = if items.instants.is_empty() { None } else { Instant::parse(text) };
            let found = listed
                || others.contains(&Scalar::Text(text))
                || instant.is_some_and(|instant| items.instants.binary_search(&instant).is_ok());
            // What is no timestamp is not of the type of one.
            let typed = instant.is_some() || !items.texts.is_empty() || !items.fields.is_empty();
            (found || typed).then_some(found)
        }
        Value::Number(number, _) => {
            let found = items.numbers.binary_search(number).is_ok() || others.contains(&Scalar::Number(*number));
            (found || !items.numbers.is_empty() || !items.fields.is_empty()).then_some(found)
        }
        Value::Bool(value) => {
            let found = items.bools.contains(value) || others.contains(&Scalar::Bool(*value));
            (found || !items.bools.is_empty() || !items.fields.is_empty()).then_some(found)
        }
        _ => None,
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
