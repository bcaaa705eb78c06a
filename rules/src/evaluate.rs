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

mod ask;
mod classes;
mod engine;
mod guards;
mod index;
mod patterns;
mod satisfied;
mod scratch;
mod sets;
mod whole;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use vedette_audit::Level;

use crate::DecideError;
use crate::event::{Body, Scalar, SlotId};
use crate::program::{Node, NodeId, PathId};

use engine::Condition;
pub(crate) use engine::Engine;
pub(crate) use scratch::Scratch;

/// What an event says to a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    False,
    True,
    Unknown,
}

/// One event under evaluation.
pub(crate) struct Evaluation<'a> {
    engine: &'a Engine,
    scratch: &'a mut Scratch,
    text: &'a str,
    /// Which bodies the event's level recorded, or the event holds whatever it says of its level.
    recorded: Bodies,
    /// Which bodies have been read.
    read: Bodies,
    /// How many values have been looked up.
    looked_up: u32,
    mismatches: u32,
    /// What is wrong with a body.
    fault: Option<DecideError>,
}

/// Something that is so of a body or not.
#[derive(Debug, Clone, Copy, Default)]
struct Bodies {
    request: bool,
    response: bool,
}

impl Bodies {
    #[inline]
    fn of(&mut self, body: Body) -> &mut bool {
        match body {
            Body::Request => &mut self.request,
            Body::Response => &mut self.response,
        }
    }
}

impl<'a> Evaluation<'a> {
    /// Reads an event.
    pub(crate) fn new(engine: &'a Engine, scratch: &'a mut Scratch, event: &'a [u8]) -> Result<Self, DecideError> {
        let text = scratch.reader.read(event, &engine.layout)?;
        scratch.start(engine);
        let (recorded, read) = (Bodies::default(), Bodies::default());
        Ok(Self { engine, scratch, text, recorded, read, looked_up: 0, mismatches: 0, fault: None })
    }

    /// Decides all rules on what `level` records, and on the bodies that are there all the same.
    pub(crate) fn start(&mut self, level: Option<Level>) {
        let has = |body| self.scratch.reader.has(body);
        self.recorded = Bodies {
            request: level >= Some(Level::Request) || has(Body::Request),
            response: level >= Some(Level::RequestResponse) || has(Body::Response),
        };
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
        path.and_then(|path| self.engine.program.paths.get(path.index()))
            .map(|path| path.spelled.clone())
            .unwrap_or_default()
    }

    /// The field for want of which a node is unknown: looked for once, since many rules may share the node.
    fn missing_in(&mut self, node: NodeId) -> Option<PathId> {
        if let Some(known) = self.scratch.missing(node) {
            return Some(known);
        }
        let missing = self.find_missing(node)?;
        self.scratch.note_missing(node, missing);
        Some(missing)
    }

    fn find_missing(&mut self, node: NodeId) -> Option<PathId> {
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
        *{ self.recorded }.of(body)
    }

    /// Whether the event's level records the values at a path.
    fn covers(&self, path: PathId) -> bool {
        let needs = self.engine.program.paths.get(path.index()).and_then(|path| engine::needed(path.needs));
        needs.is_none_or(|body| self.recorded(body))
    }

    /// Whether the values at a path are durations, numbers of seconds.
    pub(crate) fn is_duration(&self, path: PathId) -> bool {
        self.engine.layout.is_duration(path)
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
