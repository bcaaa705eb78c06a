//! All that is asked of the values at one path, answered by looking a value up: which predicates are true, and by silence, which not.
//!
//! An index answers tests for equality, existence and numeric order, and by one automaton the tests for parts of a text. What it does
//! not know how to answer stays out of it and is asked value by value; what it answers, [`super::satisfied`] would answer too.

use std::collections::HashMap;

use super::patterns::Patterns;
use super::satisfied::satisfied;
use crate::event::Scalar;
use crate::hash::FoldState;
use crate::kubesphere::Question;
use crate::program::{Comparison, Items, Literal, Predicate, PredicateId, Test};
use crate::value::Number;

/// What is asked of the values at one path.
#[derive(Debug, Default)]
pub(super) struct Index {
    texts: HashMap<Box<str>, Vec<PredicateId>, FoldState>,
    /// The lengths of `texts`, from 63 on all as one bit.
    lengths: u64,
    numbers: HashMap<Number, Vec<PredicateId>, FoldState>,
    /// By a text, the predicates that it does not make false: those that are true if no text at the path does.
    only: HashMap<Box<str>, Vec<PredicateId>, FoldState>,
    falses: Vec<PredicateId>,
    trues: Vec<PredicateId>,
    /// True of whatever is not null; where values are compared by what is printed of them, of whatever has a text.
    exists: Vec<PredicateId>,
    bounds: Bounds,
    /// Whether values are compared by what KubeSphere's engine prints of them: a path has such tests alone, or none.
    pub(super) printed: bool,
    pub(super) patterns: Option<Patterns>,
    /// The types of values that some predicate has no answer for, as [`kind`] numbers them.
    strange: u8,
    /// All predicates that are answered here.
    pub(super) all: Vec<PredicateId>,
}

/// Comparisons of numbers by order: those that hold come first in each.
#[derive(Debug, Default)]
struct Bounds {
    /// `value > bound` and `value >= bound`, ascending.
    above: Vec<Bound>,
    /// `value < bound` and `value <= bound`, descending.
    below: Vec<Bound>,
}

#[derive(Debug, Clone, Copy)]
struct Bound {
    number: Number,
    /// Whether the bound itself holds.
    equal: bool,
    predicate: PredicateId,
}

/// How a predicate is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// Whenever a value is read.
    Index,
    /// By the automaton, when it is asked for.
    Pattern,
    /// Value by value.
    Singly,
}

impl Index {
    /// An index of predicates on one path; says of each how it is answered.
    pub(super) fn new(
        predicates: &[(PredicateId, &Predicate)],
        answered: &mut dyn FnMut(PredicateId, Answered),
    ) -> Self {
        let mut index = Self::default();
        let mut texts = Vec::new();
        for (id, predicate) in predicates {
            if index.add(*id, predicate) {
                answered(*id, Answered::Index);
                index.note(*id, predicate);
            } else {
                answered(*id, Answered::Singly);
                texts.push((*id, *predicate));
            }
        }
        index.bounds.sort();
        if let Some(patterns) = Patterns::new(&texts) {
            for (id, predicate) in texts.iter().filter(|(id, _)| patterns.has(*id)) {
                answered(*id, Answered::Pattern);
                index.note(*id, predicate);
            }
            index.patterns = Some(patterns);
        }
        index
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn note(&mut self, id: PredicateId, predicate: &Predicate) {
        self.all.push(id);
        for sample in [Scalar::Text(""), Scalar::Number("0"), Scalar::Bool(false), Scalar::Object("{}")] {
            if satisfied(predicate, sample).is_none() {
                self.strange |= 1 << kind(sample);
            }
        }
    }

    /// Takes a predicate in, if it is one that can be looked up.
    fn add(&mut self, id: PredicateId, predicate: &Predicate) -> bool {
        match &predicate.test {
            Test::Exists => self.exists.push(id),
            Test::True => self.trues.push(id),
            Test::Compare(Comparison::Equal, Literal::Text(text, None)) => self.text(text, id),
            Test::Compare(Comparison::Equal, Literal::Bool(value)) => self.boolean(*value, id),
            Test::Compare(Comparison::Equal, Literal::Number(number)) => {
                self.numbers.entry(*number).or_default().push(id);
            }
            Test::Compare(comparison, Literal::Number(number)) => {
                let (above, equal) = match comparison {
                    Comparison::Greater => (true, false),
                    Comparison::GreaterEqual => (true, true),
                    Comparison::Less => (false, false),
                    Comparison::LessEqual => (false, true),
                    Comparison::Equal => return false,
                };
                let bounds = if above { &mut self.bounds.above } else { &mut self.bounds.below };
                bounds.push(Bound { number: *number, equal, predicate: id });
            }
            Test::OneOf(items) if items.fields.is_empty() && items.instants.is_empty() => self.one_of(items, id),
            Test::Judged(judgement) => {
                self.printed = true;
                match judgement.plain() {
                    Some(Question::Text(Comparison::Equal, text)) => self.text(text, id),
                    Some(Question::OneOf(texts)) => texts.iter().for_each(|text| self.text(text, id)),
                    Some(Question::Printed) => self.exists.push(id),
                    Some(Question::Only(texts)) => {
                        texts.iter().for_each(|text| self.only.entry((**text).into()).or_default().push(id));
                    }
                    _ => return false,
                }
            }
            _ => return false,
        }
        true
    }

    fn one_of(&mut self, items: &Items, id: PredicateId) {
        for text in &items.texts {
            self.text(text, id);
        }
        for number in &items.numbers {
            self.numbers.entry(*number).or_default().push(id);
        }
        for value in &items.bools {
            self.boolean(*value, id);
        }
    }

    fn text(&mut self, text: &str, id: PredicateId) {
        self.lengths |= 1 << text.len().min(63);
        match self.texts.get_mut(text) {
            Some(predicates) => predicates.push(id),
            None => {
                self.texts.insert(text.into(), vec![id]);
            }
        }
    }

    fn boolean(&mut self, value: bool, id: PredicateId) {
        if value { self.trues.push(id) } else { self.falses.push(id) }
    }

    /// Calls `holds` for every predicate that a value makes true, patterns aside.
    ///
    /// Says whether the value is of a type that some predicate has no answer for.
    #[inline]
    pub(super) fn look_up(&self, value: Scalar<'_>, mut holds: impl FnMut(PredicateId)) -> bool {
        if value == Scalar::Null {
            return false;
        }
        self.exists.iter().for_each(|id| holds(*id));
        match value {
            Scalar::Text(text) => self.text_is(text, &mut holds),
            Scalar::Number(text) => self.number(text, &mut holds),
            Scalar::Bool(value) => {
                let predicates = if value { &self.trues } else { &self.falses };
                predicates.iter().for_each(|id| holds(*id));
            }
            Scalar::Null | Scalar::List(_) => return false,
            Scalar::Object(_) => {}
        }
        self.strange >> kind(value) & 1 == 1
    }

    /// Calls `holds` for every predicate that a value makes true of which this is printed, patterns aside.
    #[inline]
    pub(super) fn printed_is(&self, text: &str, holds: &mut impl FnMut(PredicateId)) {
        self.exists.iter().for_each(|id| holds(*id));
        self.text_is(text, holds);
    }

    /// Whether predicates are about all values at the path together.
    pub(super) fn asks_all(&self) -> bool {
        !self.only.is_empty()
    }

    /// Calls `holds` for every predicate that all texts at the path make true together.
    pub(super) fn all_are<'t, T>(&self, texts: impl Fn() -> T, holds: &mut impl FnMut(PredicateId))
    where
        T: Iterator<Item = &'t str>,
    {
        let Some(first) = texts().next() else { return };
        for id in self.only.get(first).into_iter().flatten() {
            let allows = |text| self.only.get(text).is_some_and(|allowed| allowed.binary_search(id).is_ok());
            if texts().all(|text| text == first || allows(text)) {
                holds(*id);
            }
        }
    }

    #[inline]
    fn text_is(&self, text: &str, holds: &mut impl FnMut(PredicateId)) {
        if self.lengths >> text.len().min(63) & 1 == 1
            && let Some(predicates) = self.texts.get(text)
        {
            predicates.iter().for_each(|id| holds(*id));
        }
    }

    fn number(&self, text: &str, holds: &mut impl FnMut(PredicateId)) {
        if self.numbers.is_empty() && self.bounds.above.is_empty() && self.bounds.below.is_empty() {
            return;
        }
        let Some(number) = Number::parse(text) else { return };
        if let Some(predicates) = self.numbers.get(&number) {
            predicates.iter().for_each(|id| holds(*id));
        }
        let reached = |bound: &&Bound| number > bound.number || bound.equal && number == bound.number;
        self.bounds.above.iter().take_while(reached).for_each(|bound| holds(bound.predicate));
        let below = |bound: &&Bound| number < bound.number || bound.equal && number == bound.number;
        self.bounds.below.iter().take_while(below).for_each(|bound| holds(bound.predicate));
    }

    /// Calls `key` with the predicates that one value would make true, for each such value.
    pub(super) fn keys(&self, mut key: impl FnMut(&[PredicateId])) {
        self.texts.values().chain(self.numbers.values()).for_each(|predicates| key(predicates));
        key(&self.falses);
        key(&self.trues);
    }
}

impl Bounds {
    /// Of two that bound alike, the one that holds sooner comes first.
    fn sort(&mut self) {
        self.above.sort_by(|one, other| one.number.cmp(&other.number).then(other.equal.cmp(&one.equal)));
        self.below.sort_by(|one, other| other.number.cmp(&one.number).then(other.equal.cmp(&one.equal)));
    }
}

/// A bit for the type of a value.
fn kind(value: Scalar<'_>) -> u32 {
    match value {
        Scalar::Text(_) => 0,
        Scalar::Number(_) => 1,
        Scalar::Bool(_) => 2,
        Scalar::Object(_) => 3,
        Scalar::Null | Scalar::List(_) => 4,
    }
}
