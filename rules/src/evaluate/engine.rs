//! A program made ready to be held against events.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::classes::{Classes, literal};
use super::guards::Guards;
use super::index::{Answered, Index};
use super::sets::Posting;
use crate::event::{Body, Layout, SlotId, Universal};
use crate::program::{Node, NodeId, PathId, PathStep, Predicate, PredicateId, Program, Test};
use vedette_audit::Level;

/// Compiled conditions, and what answers them.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) program: Program,
    pub(super) layout: Layout,
    /// How each predicate is answered.
    pub(super) asks: Vec<Ask>,
    /// The place in `indexes` of each slot and one more; 0 for a slot that nothing is asked of by an index.
    indexed: Vec<u32>,
    indexes: Vec<(SlotId, Index)>,
    pub(super) guards: Guards,
    roots: Box<[NodeId]>,
    /// What each class asks.
    conditions: Vec<Condition>,
    /// The rules of each class.
    rules: Vec<Posting>,
    literals: Vec<Literal>,
    nodes: Vec<NodeId>,
    /// Whether each node may take more than looking up what is known.
    pub(super) slow: Vec<bool>,
}

/// How a predicate is answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// The values that it is about; for a range, the lists.
    pub(super) slot: SlotId,
    /// The body without which it is unknown.
    pub(super) needs: Option<Body>,
    /// The body that its values stand in.
    pub(super) body: Option<Body>,
    pub(super) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// True if a value was looked up that makes it so.
    Index,
    /// The same, once the automaton has run.
    Pattern,
    /// Each value is asked.
    Singly,
    /// All elements of a range are asked.
    Range(Universal),
}

/// What must hold for a class that is visited: all of these literals and all of these nodes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    literals: (u32, u32),
    nodes: (u32, u32),
}

/// A predicate as it stands or negated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal {
    pub(super) predicate: PredicateId,
    pub(super) negated: bool,
    /// Whether it is known without asking.
    pub(super) known: bool,
}

impl Engine {
    /// Of the paths that are `shown`, the values are kept, whatever is asked of them.
    pub(crate) fn new(mut program: Program, roots: &[NodeId], shown: &HashSet<PathId>) -> Self {
        let universals = universals(&program);
        let (lists, ranges) = lists(&program, &universals);
        let unread = unread(&program, &universals, shown);
        let tree = std::mem::take(&mut program.fields);
        let derived = std::mem::take(&mut program.derived);
        let layout = Layout::new(tree, &program.paths, &lists, &unread, derived);
        let mut engine = Self {
            asks: asks(&program, &ranges, &layout),
            indexed: vec![0; layout.slots()],
            indexes: Vec::new(),
            guards: Guards::default(),
            roots: roots.into(),
            conditions: Vec::new(),
            rules: Vec::new(),
            literals: Vec::new(),
            nodes: Vec::new(),
            slow: Vec::new(),
            layout,
            program,
        };
        engine.index();
        engine.slow = engine.slow_nodes();
        let quick = |node: NodeId| engine.slow.get(node.index()) == Some(&false);
        let mut classes = Classes::new(&engine.program, roots, quick);
        let (guards, visited_for) =
            Guards::new(&engine.program, &mut classes, &engine.asks, &engine.indexes, &engine.slow);
        engine.guards = guards;
        for (parts, visited_for) in classes.parts.iter().zip(visited_for) {
            engine.condition(parts, visited_for);
        }
        engine.rules = classes.rules;
        engine
    }

    /// Makes an index for each slot that enough is asked of.
    fn index(&mut self) {
        let mut by_slot: BTreeMap<SlotId, Vec<(PredicateId, &Predicate)>> = BTreeMap::new();
        for (id, (predicate, ask)) in (0..).map(PredicateId).zip(self.program.predicates.iter().zip(&self.asks)) {
            if ask.how == How::Singly {
                by_slot.entry(ask.slot).or_default().push((id, predicate));
            }
        }
        for (slot, predicates) in by_slot {
            let index = Index::new(&predicates, &mut |predicate, answered| {
                if let Some(ask) = self.asks.get_mut(predicate.index()) {
                    ask.how = match answered {
                        Answered::Index => How::Index,
                        Answered::Pattern => How::Pattern,
                        Answered::Singly => How::Singly,
                    };
                }
            });
            if index.is_empty() {
                continue;
            }
            self.indexes.push((slot, index));
            if let Some(place) = self.indexed.get_mut(slot.index()) {
                *place = self.indexes.len() as u32;
            }
        }
    }

    fn slow_nodes(&self) -> Vec<bool> {
        let mut slow = Vec::with_capacity(self.program.nodes.len());
        for node in &self.program.nodes {
            let is_slow = |node: &NodeId| slow.get(node.index()).copied().unwrap_or(true);
            let it = match node {
                Node::Constant(_) => false,
                Node::Predicate(predicate) => !self.is_known(*predicate),
                Node::Not(inner) => is_slow(inner),
                Node::And(parts) | Node::Or(parts) => parts.iter().any(is_slow),
            };
            slow.push(it);
        }
        slow
    }

    /// Whether a predicate is known as soon as an event has been read.
    fn is_known(&self, predicate: PredicateId) -> bool {
        let ask = self.asks.get(predicate.index());
        ask.is_some_and(|ask| ask.how == How::Index && ask.body.is_none() && ask.needs.is_none())
    }

    /// What is left to ask of a class that is visited.
    fn condition(&mut self, parts: &[NodeId], visited_for: Option<NodeId>) {
        let (mut literals, mut nodes) = (Vec::new(), Vec::new());
        for part in parts.iter().filter(|part| Some(**part) != visited_for) {
            match literal(&self.program, *part) {
                Some((predicate, negated)) => {
                    literals.push(Literal { predicate, negated, known: self.is_known(predicate) });
                }
                None => nodes.push(*part),
            }
        }
        // What is known is looked at first, and a body last.
        literals.sort_by_key(|literal| (self.is_in_body(literal.predicate), !literal.known));
        nodes.sort_by_key(|node| self.slow.get(node.index()).copied());
        let bounds = |from: usize, count: usize| (from as u32, (from + count) as u32);
        self.conditions.push(Condition {
            literals: bounds(self.literals.len(), literals.len()),
            nodes: bounds(self.nodes.len(), nodes.len()),
        });
        self.literals.extend(literals);
        self.nodes.extend(nodes);
    }

    fn is_in_body(&self, predicate: PredicateId) -> bool {
        self.asks.get(predicate.index()).is_some_and(|ask| ask.body.is_some() || ask.needs.is_some())
    }

    /// A class: its condition and its rules.
    #[inline]
    pub(super) fn class(&self, class: u32) -> Option<(Condition, &Posting)> {
        self.conditions.get(class as usize).copied().zip(self.rules.get(class as usize))
    }

    /// The whole condition of a rule.
    pub(super) fn root(&self, rule: u32) -> Option<NodeId> {
        self.roots.get(rule as usize).copied()
    }

    /// How many rules there are, which is no less than how many classes.
    pub(super) fn rules(&self) -> usize {
        self.roots.len()
    }

    #[inline]
    pub(super) fn literals(&self, condition: Condition) -> &[Literal] {
        self.literals.get(condition.literals.0 as usize..condition.literals.1 as usize).unwrap_or_default()
    }

    #[inline]
    pub(super) fn nodes(&self, condition: Condition) -> &[NodeId] {
        self.nodes.get(condition.nodes.0 as usize..condition.nodes.1 as usize).unwrap_or_default()
    }

    /// The index of a slot.
    #[inline]
    pub(super) fn index_of(&self, slot: SlotId) -> Option<&Index> {
        let place = (*self.indexed.get(slot.index())? as usize).checked_sub(1)?;
        self.indexes.get(place).map(|(_, index)| index)
    }

    /// The program that this was made of.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }
}

/// The paths with ranges that predicates are about.
fn universals(program: &Program) -> Vec<Universal> {
    let mut universals = Vec::new();
    let mut seen = HashMap::new();
    for predicate in &program.predicates {
        let Some(path) = program.paths.get(predicate.path.index()) else { continue };
        let is_range = |step: &PathStep| matches!(step, PathStep::Range(..));
        if let Some(start) = path.steps.iter().position(is_range)
            && seen.insert(predicate.path, ()).is_none()
        {
            universals.push(Universal { path: predicate.path, start });
        }
    }
    universals
}

/// The slots of the lists that ranges are about, of which paths that differ behind their first range share one: the first path of each
/// slot, and where each path finds its lists.
fn lists(program: &Program, universals: &[Universal]) -> (Vec<Universal>, Ranges) {
    let (mut lists, mut ranges) = (Vec::new(), Ranges::new());
    let mut known: HashMap<&[PathStep], SlotId> = HashMap::new();
    for universal in universals {
        let Some(path) = program.paths.get(universal.path.index()) else { continue };
        let slot = *known.entry(path.steps.get(..universal.start).unwrap_or_default()).or_insert_with(|| {
            lists.push(*universal);
            SlotId((program.paths.len() + lists.len() - 1) as u32)
        });
        ranges.insert(universal.path, (slot, *universal));
    }
    (lists, ranges)
}

/// The paths with ranges whose values nobody takes one by one: each range is followed over the bytes. They are given no room, or a long
/// list would take as much of it for each of them.
fn unread(program: &Program, universals: &[Universal], shown: &HashSet<PathId>) -> HashSet<PathId> {
    let mut unread: HashSet<PathId> = universals.iter().map(|universal| universal.path).collect();
    unread.retain(|path| !shown.contains(path));
    for predicate in program.predicates.iter().filter(|predicate| !others(predicate).is_empty()) {
        unread.remove(&predicate.path);
        for other in others(predicate) {
            unread.remove(other);
        }
    }
    unread
}

/// The slot of the lists that the first range of a path is about.
type Ranges = HashMap<PathId, (SlotId, Universal)>;

/// How predicates are answered as long as no index answers them.
fn asks(program: &Program, ranges: &Ranges, layout: &Layout) -> Vec<Ask> {
    let ask = |predicate: &Predicate| {
        let (slot, how) = match ranges.get(&predicate.path) {
            Some((slot, universal)) => (*slot, How::Range(*universal)),
            None => (SlotId::of(predicate.path), How::Singly),
        };
        let needs = program.paths.get(predicate.path.index()).and_then(|path| needed(path.needs));
        Ask { slot, needs, body: layout.body(slot), how }
    };
    program.predicates.iter().map(ask).collect()
}

/// The body that a level adds.
pub(super) fn needed(level: Option<Level>) -> Option<Body> {
    match level {
        Some(Level::Request) => Some(Body::Request),
        Some(Level::RequestResponse) => Some(Body::Response),
        _ => None,
    }
}

/// The paths whose values a test is held against besides its own.
pub(super) fn others(predicate: &Predicate) -> &[PathId] {
    match &predicate.test {
        Test::OneOf(items) => &items.fields,
        _ => &[],
    }
}
