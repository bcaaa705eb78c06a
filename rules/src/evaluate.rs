//! A program held against an event, in three values.
//!
//! A comparison on a body that the event's level did not record is neither true nor false: it is unknown, and so is a condition that
//! comes down to it.
//!
//! Evaluating goes from the event to the rules, not the other way. [`index`] says of each value that was read which predicates it
//! makes true; [`guards`] says which rules those could concern; only these are visited, and evaluated no further than it takes to
//! decide them. What an index does not answer, [`satisfied`] does, value by value and when a rule asks. Every node and every predicate
//! is evaluated at most once for an event, and a predicate asks every value at most once: the work is bounded by the size of the event
//! times the number of predicates.
//!
//! **Mismatches.** A comparison is counted once for an event if it was made, was false, and met a value of a type that it has no answer
//! for. An index makes all its comparisons at once when a value of their path is read: with the event, or in a body with the body. Any
//! other comparison is made if a rule comes to it. So the count follows from the rules and the event alone.

mod classes;
mod engine;
mod fold;
mod guards;
mod index;
mod patterns;
mod satisfied;
mod sets;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use vedette_audit::Level;

use crate::DecideError;
use crate::event::{Body, Entry, Kind, Reader, Scalar, SlotId, Universal};
use crate::program::{FieldId, Node, NodeId, PathId, PathStep, Predicate, PredicateId, Test};
use crate::value::Number;

pub(crate) use engine::Engine;
use engine::{Condition, How};
use satisfied::satisfied;
use sets::Set;

/// What an event says to a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    False,
    True,
    Unknown,
}

/// What evaluating needs to write to; reused from event to event, and by any engine.
///
/// INVARIANT: what is known of a predicate or a node counts only with the stamp of the event under evaluation, so that nothing needs to
/// be wiped between two events, or two engines.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    reader: Reader,
    /// A stamp with a [`Truth`] in its two lowest bits.
    predicates: Vec<u32>,
    nodes: Vec<u32>,
    /// The stamp with which each slot's automaton ran last.
    patterns: Vec<u32>,
    /// The number of the text that each predicate of an automaton was asked of last.
    asked: Vec<u64>,
    texts: u64,
    /// The classes of rules that the event may concern.
    classes: Set,
    /// The rules that hold.
    holding: Set,
    /// The rules that are unknown.
    unknown: Set,
    /// Rules that do not hold whatever their class does.
    vetoed: Vec<u32>,
    /// Slots with values for which a predicate of their index has no answer.
    strange: Vec<SlotId>,
    stamp: u32,
}

/// One event under evaluation.
pub(crate) struct Evaluation<'a> {
    engine: &'a Engine,
    scratch: &'a mut Scratch,
    text: &'a str,
    /// Which bodies the event's level recorded, or the event holds whatever it says of its level.
    recorded: [bool; 2],
    /// Which bodies have been read.
    read: [bool; 2],
    /// How many values have been looked up.
    looked_up: usize,
    mismatches: u32,
    /// What is wrong with a body.
    fault: Option<DecideError>,
}

impl Scratch {
    fn start(&mut self, engine: &Engine) {
        fn grow<T: Clone + Default>(cells: &mut Vec<T>, count: usize) {
            if cells.len() < count {
                cells.resize(count, T::default());
            }
        }
        grow(&mut self.predicates, engine.program.predicates.len());
        grow(&mut self.nodes, engine.program.nodes.len());
        grow(&mut self.patterns, engine.layout.slots());
        grow(&mut self.asked, engine.program.predicates.len());
        self.stamp = self.stamp.wrapping_add(4);
        if self.stamp == 0 {
            self.predicates.fill(0);
            self.nodes.fill(0);
            self.patterns.fill(0);
            self.stamp = 4;
        }
        let rules = engine.rules();
        [&mut self.classes, &mut self.holding, &mut self.unknown].into_iter().for_each(|set| set.start(rules));
        self.vetoed.clear();
        self.strange.clear();
    }

    #[inline]
    fn known(&self, cell: Option<&u32>) -> Option<Truth> {
        let cell = *cell?;
        match cell ^ self.stamp {
            1 => Some(Truth::False),
            2 => Some(Truth::True),
            3 => Some(Truth::Unknown),
            _ => None,
        }
    }

    #[inline]
    fn cell(&self, truth: Truth) -> u32 {
        self.stamp | match truth {
            Truth::False => 1,
            Truth::True => 2,
            Truth::Unknown => 3,
        }
    }

    /// Whether a predicate has been found true.
    #[inline]
    fn is_true(&self, predicate: PredicateId) -> bool {
        self.predicates.get(predicate.index()) == Some(&(self.stamp | 2))
    }
}

impl<'a> Evaluation<'a> {
    /// Reads an event.
    pub(crate) fn new(engine: &'a Engine, scratch: &'a mut Scratch, event: &'a [u8]) -> Result<Self, DecideError> {
        let text = scratch.reader.read(event, &engine.layout)?;
        scratch.start(engine);
        let (recorded, read) = ([true; 2], [false; 2]);
        Ok(Self { engine, scratch, text, recorded, read, looked_up: 0, mismatches: 0, fault: None })
    }

    /// Takes the event's word for what it recorded, and decides all rules.
    pub(crate) fn start(&mut self, level: Option<Level>) {
        let has = |body| self.scratch.reader.has(body);
        self.recorded = [
            level >= Some(Level::Request) || has(Body::Request),
            level >= Some(Level::RequestResponse) || has(Body::Response),
        ];
        let engine = self.engine;
        self.look_up(true);
        for (body, guarded) in [Body::Request, Body::Response].into_iter().zip(&engine.guards.of_body) {
            match guarded {
                Some(_) if self.recorded(body) => self.read_body(body),
                Some(classes) => self.scratch.classes.insert(classes),
                None => {}
            }
        }
        for slot in &engine.guards.patterns {
            self.run_patterns(*slot);
        }
        self.scratch.classes.insert(&engine.guards.always);
        for group in &engine.guards.groups {
            if self.node(group.node) != Truth::False {
                self.scratch.classes.insert(&group.classes);
            }
        }
        while let Some((word, mut bits)) = self.scratch.classes.next_word() {
            while bits != 0 {
                self.visit(word * 64 + bits.trailing_zeros());
                bits &= bits.wrapping_sub(1);
            }
        }
        let Scratch { holding, unknown, vetoed, .. } = &mut *self.scratch;
        for rule in vetoed.drain(..) {
            holding.remove(rule);
            unknown.remove(rule);
        }
    }

    /// Evaluates a class, and notes its rules.
    fn visit(&mut self, class: u32) {
        let Some((condition, rules)) = self.engine.class(class) else { return };
        match self.condition(condition) {
            Truth::False => {}
            Truth::True => self.scratch.holding.insert(rules),
            Truth::Unknown => self.scratch.unknown.insert(rules),
        }
    }

    /// How many rules hold.
    pub(crate) fn count(&self) -> usize {
        self.scratch.holding.count()
    }

    /// The rules that hold, a word of bits at a time: the first of the 64, and which of them.
    #[inline]
    pub(crate) fn next_holding(&mut self) -> Option<(u32, u64)> {
        self.scratch.holding.next_word().map(|(word, bits)| (word * 64, bits))
    }

    /// The rules of which nothing is known, in the same way.
    #[inline]
    pub(crate) fn next_unknown(&mut self) -> Option<(u32, u64)> {
        self.scratch.unknown.next_word().map(|(word, bits)| (word * 64, bits))
    }

    /// How many comparisons were false because of a value's type.
    ///
    /// # Errors
    /// If a body turned out to be broken.
    pub(crate) fn finish(mut self) -> Result<u32, DecideError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if !self.scratch.strange.is_empty() {
            self.count_strange();
        }
        Ok(self.mismatches)
    }

    #[inline]
    fn condition(&mut self, condition: Condition) -> Truth {
        let engine = self.engine;
        let mut joined = Truth::True;
        for literal in engine.literals(condition) {
            if literal.known {
                if self.scratch.is_true(literal.predicate) == literal.negated {
                    return Truth::False;
                }
                continue;
            }
            match (self.predicate(literal.predicate), literal.negated) {
                (Truth::False, false) | (Truth::True, true) => return Truth::False,
                (Truth::Unknown, _) => joined = Truth::Unknown,
                _ => {}
            }
        }
        for node in engine.nodes(condition) {
            match self.node(*node) {
                Truth::False => return Truth::False,
                Truth::Unknown => joined = Truth::Unknown,
                Truth::True => {}
            }
        }
        joined
    }

    /// The truth of a node.
    fn node(&mut self, id: NodeId) -> Truth {
        if let Some(known) = self.scratch.known(self.scratch.nodes.get(id.index())) {
            return known;
        }
        let engine = self.engine;
        let truth = match engine.program.nodes.get(id.index()) {
            Some(Node::Constant(value)) => of(*value),
            Some(Node::Predicate(predicate)) => return self.predicate(*predicate),
            Some(Node::Not(inner)) => match self.node(*inner) {
                Truth::False => Truth::True,
                Truth::True => Truth::False,
                Truth::Unknown => Truth::Unknown,
            },
            Some(Node::And(parts)) => self.join(parts, Truth::False, Truth::True),
            Some(Node::Or(parts)) => self.join(parts, Truth::True, Truth::False),
            None => Truth::False,
        };
        let cell = self.scratch.cell(truth);
        if let Some(slot) = self.scratch.nodes.get_mut(id.index()) {
            *slot = cell;
        }
        truth
    }

    /// `decisive` if a part is that; else unknown if a part is; else `neutral`. The quick parts are asked first.
    fn join(&mut self, parts: &[NodeId], decisive: Truth, neutral: Truth) -> Truth {
        let mut joined = neutral;
        for slow in [false, true] {
            for part in parts.iter().filter(|part| self.engine.slow.get(part.index()) == Some(&slow)) {
                let truth = self.node(*part);
                if truth == decisive {
                    return decisive;
                }
                if truth == Truth::Unknown {
                    joined = truth;
                }
            }
        }
        joined
    }

    /// The field for want of which a rule is unknown: the first, as the rule is read.
    pub(crate) fn missing(&mut self, rule: u32) -> Arc<str> {
        let path = self.engine.root(rule).and_then(|root| self.missing_in(root));
        path.and_then(|path| self.engine.program.paths.get(path.index())).map(|path| path.spelled.clone()).unwrap_or_default()
    }

    fn missing_in(&mut self, node: NodeId) -> Option<PathId> {
        match self.engine.program.nodes.get(node.index())? {
            Node::Not(inner) => self.missing_in(*inner),
            Node::And(parts) | Node::Or(parts) => {
                let first = parts.iter().find(|part| self.node(**part) == Truth::Unknown)?;
                self.missing_in(*first)
            }
            Node::Predicate(predicate) => {
                let predicate = self.engine.program.predicates.get(predicate.index())?;
                let paths = std::iter::once(&predicate.path).chain(engine::others(predicate));
                paths.copied().find(|path| !self.covers(*path))
            }
            Node::Constant(_) => None,
        }
    }

    #[inline]
    fn recorded(&self, body: Body) -> bool {
        self.recorded[body as usize]
    }

    /// Whether the event's level records the values at a path.
    fn covers(&self, path: PathId) -> bool {
        let needs = self.engine.program.paths.get(path.index()).and_then(|path| engine::needed(path.needs));
        needs.is_none_or(|body| self.recorded(body))
    }

    fn predicate(&mut self, id: PredicateId) -> Truth {
        if let Some(known) = self.scratch.known(self.scratch.predicates.get(id.index())) {
            return known;
        }
        let truth = self.ask(id);
        let cell = self.scratch.cell(truth);
        if let Some(slot) = self.scratch.predicates.get_mut(id.index()) {
            *slot = cell;
        }
        truth
    }

    fn ask(&mut self, id: PredicateId) -> Truth {
        let engine = self.engine;
        let (Some(ask), Some(predicate)) = (engine.asks.get(id.index()), engine.program.predicates.get(id.index())) else {
            return Truth::False;
        };
        if ask.needs.is_some_and(|body| !self.recorded(body)) {
            return Truth::Unknown;
        }
        if let Some(body) = ask.body {
            self.read_body(body);
        }
        match ask.how {
            How::Index => of(self.scratch.is_true(id)),
            How::Pattern => {
                self.run_patterns(ask.slot);
                of(self.scratch.is_true(id))
            }
            How::Singly => self.ask_singly(predicate, ask.slot),
            How::Range(universal) => self.ask_range(predicate, ask.slot, universal),
        }
    }

    /// Asks every value at the predicate's path.
    fn ask_singly(&mut self, predicate: &Predicate, slot: SlotId) -> Truth {
        let fields = engine::others(predicate);
        fields.iter().for_each(|field| self.read_path(*field));
        let values = &self.scratch.reader.values;
        let others = self.others(fields);
        let (mut holds, mut mismatched) = (false, false);
        for entry in values.of(slot) {
            let value = values.scalar(self.text, entry);
            let judged = satisfied(predicate, value);
            mismatched |= judged.is_none();
            if judged == Some(true) || key(value).is_some_and(|key| others.contains(&key)) {
                holds = true;
                break;
            }
        }
        self.conclude(predicate, holds, mismatched)
    }

    /// Asks the elements of the ranges that the predicate is about.
    fn ask_range(&mut self, predicate: &Predicate, slot: SlotId, universal: Universal) -> Truth {
        let engine = self.engine;
        let fields = engine::others(predicate);
        fields.iter().for_each(|field| self.read_path(*field));
        let Some(path) = engine.program.paths.get(predicate.path.index()) else { return Truth::False };
        let (before, steps) = path.steps.split_at_checked(universal.start).unwrap_or_default();
        let field = before.iter().rev().find_map(|step| match step {
            PathStep::Key(field) => Some(*field),
            _ => None,
        });
        let others = self.others(fields);
        let mut mismatched = false;
        let mut satisfies = |value: Scalar<'_>| {
            let judged = satisfied(predicate, value);
            mismatched |= judged.is_none();
            judged == Some(true) || key(value).is_some_and(|key| others.contains(&key))
        };
        let whole = predicate.test == Test::Exists;
        let reader = &self.scratch.reader;
        let holds = reader.values.of(slot).filter(|entry| entry.kind == Kind::List).any(|list| {
            let list = (list, field.unwrap_or(FieldId::ROOT));
            reader.holds(self.text, &engine.layout, list, steps, whole, &mut satisfies)
        });
        self.conclude(predicate, holds, mismatched)
    }

    fn conclude(&mut self, predicate: &Predicate, holds: bool, mismatched: bool) -> Truth {
        // What is not among the known values may be among the unknown ones.
        if !holds && engine::others(predicate).iter().any(|field| !self.covers(*field)) {
            let mut asked = self.scratch.reader.values.of(SlotId::of(predicate.path));
            return if asked.any(|entry| !matches!(entry.kind, Kind::Null | Kind::List)) {
                Truth::Unknown
            } else {
                Truth::False
            };
        }
        self.mismatches += u32::from(!holds && mismatched);
        of(holds)
    }

    /// The values at paths, to look others up among.
    fn others(&self, fields: &[PathId]) -> HashSet<Key<'_>> {
        let values = &self.scratch.reader.values;
        let covered = fields.iter().filter(|field| self.covers(**field));
        let all = covered.flat_map(|field| values.of(SlotId::of(*field)));
        all.filter_map(|entry| key(values.scalar(self.text, entry))).collect()
    }

    /// Makes sure that the values at a path have been read.
    fn read_path(&mut self, path: PathId) {
        if let Some(body) = self.engine.layout.body(SlotId::of(path)) {
            self.read_body(body);
        }
    }

    fn read_body(&mut self, body: Body) {
        if std::mem::replace(&mut self.read[body as usize], true) {
            return;
        }
        match self.scratch.reader.read_body(self.text, &self.engine.layout, body) {
            Ok(()) => self.look_up(self.recorded(body)),
            Err(fault) => self.fault = self.fault.take().or(Some(fault)),
        }
    }

    /// Looks up the values that have been read since the last time.
    ///
    /// A name with dots may give a part of a body that was not recorded: an output shows it, but what is asked of it is unknown.
    fn look_up(&mut self, recorded: bool) {
        let engine = self.engine;
        while let Some(entry) = self.scratch.reader.values.entry(self.looked_up) {
            self.looked_up += 1;
            let Some(index) = engine.index_of(entry.slot) else { continue };
            if !recorded && !self.covers(PathId(entry.slot.0)) {
                continue;
            }
            let Scratch { reader, predicates, classes, vetoed, strange, stamp, .. } = &mut *self.scratch;
            let truth = *stamp | 2;
            let is_strange = index.look_up(reader.values.scalar(self.text, entry), |predicate| {
                if let Some(cell) = predicates.get_mut(predicate.index())
                    && *cell != truth
                {
                    *cell = truth;
                    if let Some(guarded) = engine.guards.of(predicate) {
                        classes.insert(&guarded.classes);
                        vetoed.extend_from_slice(&guarded.vetoed);
                    }
                }
            });
            if is_strange && strange.last() != Some(&entry.slot) {
                strange.push(entry.slot);
            }
        }
    }

    /// Lets the automaton of a slot find which predicates its values make true, unless it has.
    fn run_patterns(&mut self, slot: SlotId) {
        let engine = self.engine;
        let Some(patterns) = engine.index_of(slot).and_then(|index| index.patterns.as_ref()) else { return };
        let Some(ran) = self.scratch.patterns.get_mut(slot.index()) else { return };
        if std::mem::replace(ran, self.scratch.stamp) == self.scratch.stamp {
            return;
        }
        let Scratch { reader, predicates, asked, texts, classes, stamp, .. } = &mut *self.scratch;
        let truth = *stamp | 2;
        for entry in reader.values.of(slot) {
            let Scalar::Text(text) = reader.values.scalar(self.text, entry) else { continue };
            *texts += 1;
            patterns.find(text, |id, whole| {
                let (Some(cell), Some(asked)) = (predicates.get_mut(id.index()), asked.get_mut(id.index())) else { return };
                // A literal may stand in a text many times.
                if *cell == truth || std::mem::replace(asked, *texts) == *texts {
                    return;
                }
                let predicate = engine.program.predicates.get(id.index());
                let value = Scalar::Text(text);
                if whole || predicate.is_some_and(|predicate| satisfied(predicate, value) == Some(true)) {
                    *cell = truth;
                    if let Some(guarded) = engine.guards.of(id) {
                        classes.insert(&guarded.classes);
                    }
                }
            });
        }
    }

    /// Counts the predicates of indexes that are false and have no answer for a value.
    #[cold]
    fn count_strange(&mut self) {
        self.scratch.strange.sort_unstable();
        self.scratch.strange.dedup();
        let slots = std::mem::take(&mut self.scratch.strange);
        for slot in &slots {
            let Some(index) = self.engine.index_of(*slot) else { continue };
            for id in &index.all {
                if index.patterns.as_ref().is_some_and(|patterns| patterns.has(*id)) {
                    self.run_patterns(*slot);
                }
                let Some(predicate) = self.engine.program.predicates.get(id.index()) else { continue };
                let values = &self.scratch.reader.values;
                let strange = |entry: Entry| satisfied(predicate, values.scalar(self.text, entry)).is_none();
                self.mismatches += u32::from(!self.scratch.is_true(*id) && values.of(*slot).any(strange));
            }
        }
        self.scratch.strange = slots;
    }

    /// Calls `found` with every value at a path, the elements of lists one by one.
    pub(crate) fn each(&mut self, path: PathId, found: &mut dyn FnMut(Scalar<'_>)) {
        self.read_path(path);
        let values = &self.scratch.reader.values;
        for entry in values.of(SlotId::of(path)) {
            found(values.scalar(self.text, entry));
        }
    }
}

fn of(value: bool) -> Truth {
    if value { Truth::True } else { Truth::False }
}

/// A value to compare with others of the same event.
#[derive(PartialEq, Eq, Hash)]
enum Key<'v> {
    Text(&'v str),
    Number(Number),
    Bool(bool),
}

fn key(value: Scalar<'_>) -> Option<Key<'_>> {
    match value {
        Scalar::Text(text) => Some(Key::Text(text)),
        Scalar::Number(number) => Number::parse(number).map(Key::Number),
        Scalar::Bool(value) => Some(Key::Bool(value)),
        Scalar::Null | Scalar::List | Scalar::Object(_) => None,
    }
}
