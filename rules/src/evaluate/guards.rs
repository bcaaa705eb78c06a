//! Which rules an event can concern at all.
//!
//! A guard of a condition is a set of predicates of which one must be true, or unknown, for the condition to be so: of `a and b` that
//! of either part, of `a or b` those of both. A rule is visited if a predicate of its guard turns out true. Of the guards that a rule
//! could have, the one is chosen that will be true least often: by what is known of a Kubernetes audit event's fields, and by how many
//! rules ask for the same values. A condition without a guard, `verb not in (…)`, is put with those that share a part of it, and the
//! part is evaluated once for all of them.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::classes::{Classes, literal};
use super::engine::{Ask, How};
use super::index::Index;
use super::sets::Posting;
use crate::event::{Body, SlotId};
use crate::program::{Node, NodeId, PredicateId, Program};

/// A guard of more predicates than this is none: what rules have to say about predicates stays linear in the rules, however many
/// share a wide macro. Such rules are put together by it, and it is evaluated once.
const WIDEST: usize = 64;
/// Which classes are visited when.
#[derive(Debug, Default)]
pub(super) struct Guards {
    /// The place of each predicate in `guarded` and one more; 0 for one that concerns nothing.
    places: Vec<u32>,
    guarded: Vec<Guarded>,
    /// Classes that have no guard, by a part that they share.
    pub(super) groups: Vec<Group>,
    /// Classes of which nothing is left to ask.
    pub(super) always: Posting,
    /// Classes whose guard asks for a body, by body; `None` if there are none.
    pub(super) of_body: [Option<Posting>; 2],
    /// The slots whose automaton finds out which guards are true.
    pub(super) patterns: Vec<SlotId>,
}

/// What a predicate that is true says.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// These classes may hold.
    pub(super) classes: Posting,
    /// These rules do not.
    pub(super) vetoed: Vec<u32>,
}

/// Classes that hold only if a node does.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) node: NodeId,
    pub(super) classes: Posting,
}

#[derive(Debug, Clone)]
struct Guard {
    predicates: Rc<[PredicateId]>,
    cost: u64,
}

/// Chooses guards.
struct Choice<'a> {
    program: &'a Program,
    asks: &'a [Ask],
    /// What it costs to guard by each predicate.
    costs: Vec<u64>,
    /// The guard of each node as it stands, and negated.
    known: HashMap<(NodeId, bool), Option<Guard>>,
}

impl Guards {
    /// Chooses guards for classes; says which of its parts each class was visited for, and need not be asked for again.
    pub(super) fn new(
        program: &Program,
        classes: &mut Classes,
        asks: &[Ask],
        indexes: &[(SlotId, Index)],
        slow: &[bool],
    ) -> (Self, Vec<Option<NodeId>>) {
        let costs = costs(program, classes, asks, indexes);
        let mut choice = Choice { program, asks, costs, known: HashMap::new() };
        let mut guards = Self { places: vec![0; asks.len()], ..Self::default() };
        let mut visited_for = vec![None; classes.parts.len()];
        let mut guarded: BTreeMap<PredicateId, Vec<u32>> = BTreeMap::new();
        let (mut unguarded, mut always, mut of_body) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        for ((class, parts), visited_for) in (0..).zip(&classes.parts).zip(&mut visited_for) {
            if parts.is_empty() {
                always.push(class);
                continue;
            }
            let Some(guard) = choice.least(parts, true) else {
                unguarded.push((class, &**parts));
                continue;
            };
            for predicate in guard.predicates.iter() {
                guarded.entry(*predicate).or_default().push(class);
                let Some(ask) = asks.get(predicate.index()) else { continue };
                if let Some(of_body) = ask.body.and_then(|body| of_body.get_mut(body as usize)) {
                    of_body.push(class);
                }
                if ask.how == How::Pattern {
                    guards.patterns.push(ask.slot);
                }
            }
            // A guard on a body may be unknown, which a visit does not tell.
            if let [only] = &*guard.predicates
                && asks.get(only.index()).is_some_and(|ask| ask.body.is_none() && ask.needs.is_none())
            {
                *visited_for = parts.iter().copied().find(|part| literal(program, *part) == Some((*only, false)));
            }
        }
        guards.patterns.sort_unstable();
        guards.patterns.dedup();
        guards.always = Posting::new(always);
        guards.of_body = of_body.map(|mut classes| {
            classes.dedup();
            (!classes.is_empty()).then(|| Posting::new(classes))
        });
        for (predicate, classes) in guarded {
            guards.set(predicate, |guarded| guarded.classes = Posting::new(classes));
        }
        for (predicate, rules) in std::mem::take(&mut classes.vetoed) {
            guards.set(predicate, |guarded| guarded.vetoed = rules);
        }
        guards.groups = groups(&unguarded, slow, &mut visited_for);
        (guards, visited_for)
    }

    fn set(&mut self, predicate: PredicateId, set: impl FnOnce(&mut Guarded)) {
        let Some(place) = self.places.get_mut(predicate.index()) else { return };
        if *place == 0 {
            self.guarded.push(Guarded::default());
            *place = self.guarded.len() as u32;
        }
        if let Some(guarded) = self.guarded.get_mut(*place as usize - 1) {
            set(guarded);
        }
    }

    /// What a predicate says when it is true.
    #[inline]
    pub(super) fn of(&self, predicate: PredicateId) -> Option<&Guarded> {
        let place = (*self.places.get(predicate.index())? as usize).checked_sub(1)?;
        self.guarded.get(place)
    }
}

impl Choice<'_> {
    /// The best guard of a node, or of its negation.
    fn guard(&mut self, node: NodeId, positive: bool) -> Option<Guard> {
        if let Some(known) = self.known.get(&(node, positive)) {
            return known.clone();
        }
        let program = self.program;
        let guard = match (program.nodes.get(node.index())?, positive) {
            (Node::Constant(value), _) if *value == positive => None,
            (Node::Constant(_), _) => Some(Guard { predicates: Rc::new([]), cost: 0 }),
            (Node::Predicate(predicate), true) => self.predicate(*predicate),
            (Node::Predicate(_), false) => None,
            (Node::Not(inner), _) => self.guard(*inner, !positive),
            (Node::And(parts), true) | (Node::Or(parts), false) => self.least(parts, positive),
            (Node::Or(parts), true) | (Node::And(parts), false) => self.union(parts, positive),
        };
        self.known.insert((node, positive), guard.clone());
        guard
    }

    /// The best guard of nodes all of which must hold.
    fn least(&mut self, parts: &[NodeId], positive: bool) -> Option<Guard> {
        let all = parts.iter().filter_map(|part| self.guard(*part, positive));
        all.min_by_key(|guard| guard.cost)
    }

    fn union(&mut self, parts: &[NodeId], positive: bool) -> Option<Guard> {
        let (mut predicates, mut cost) = (Vec::new(), 0_u64);
        for part in parts {
            let guard = self.guard(*part, positive)?;
            predicates.extend(guard.predicates.iter().copied());
            cost = cost.saturating_add(guard.cost);
        }
        predicates.sort_unstable();
        predicates.dedup();
        (predicates.len() <= WIDEST).then(|| Guard { predicates: predicates.into(), cost })
    }

    fn predicate(&self, predicate: PredicateId) -> Option<Guard> {
        let ask = self.asks.get(predicate.index())?;
        let cost = self.costs.get(predicate.index()).copied()?;
        matches!(ask.how, How::Index | How::Pattern).then(|| Guard { predicates: Rc::new([predicate]), cost })
    }
}

/// What it costs to guard by a predicate: how many rules are visited in vain, more or less.
fn costs(program: &Program, classes: &Classes, asks: &[Ask], indexes: &[(SlotId, Index)]) -> Vec<u64> {
    let mut uses = vec![0_u64; program.predicates.len()];
    let mut note = |node: NodeId| {
        if let Some(Node::Predicate(predicate)) = program.nodes.get(node.index())
            && let Some(uses) = uses.get_mut(predicate.index())
        {
            *uses += 1;
        }
    };
    classes.parts.iter().flatten().copied().for_each(&mut note);
    for node in &program.nodes {
        if let Node::And(parts) | Node::Or(parts) = node {
            parts.iter().copied().for_each(&mut note);
        }
    }
    let used = |predicate: PredicateId| uses.get(predicate.index()).copied().unwrap_or(0);
    let weight = |slot: SlotId, body: Option<Body>| {
        let spelled = program.paths.get(slot.index()).map(|path| path.spelled.to_ascii_lowercase());
        if body.is_some() { 100_000 } else { frequency(spelled.as_deref().unwrap_or_default()) }
    };
    // A predicate that is not looked up by its value is true of many.
    let mut costs = vec![0_u64; asks.len()];
    for (cost, (ask, predicate)) in costs.iter_mut().zip(asks.iter().zip(0..)) {
        let factor = if ask.how == How::Pattern { 1 } else { 16 };
        *cost = weight(ask.slot, ask.body) * used(PredicateId(predicate)) * factor;
    }
    for (slot, index) in indexes {
        let body = index.all.first().and_then(|first| asks.get(first.index())).and_then(|ask| ask.body);
        let weight = weight(*slot, body);
        index.keys(|predicates| {
            for predicate in predicates {
                if let Some(cost) = costs.get_mut(predicate.index()) {
                    *cost = 0;
                }
            }
        });
        index.keys(|predicates| {
            let load: u64 = predicates.iter().map(|predicate| used(*predicate)).sum();
            for predicate in predicates {
                if let Some(cost) = costs.get_mut(predicate.index()) {
                    *cost = cost.saturating_add(load * weight);
                }
            }
        });
    }
    costs
}

/// How often two events have the same value there, more or less.
fn frequency(field: &str) -> u64 {
    match field {
        "level" | "stage" | "objectref.apiversion" => 64,
        "verb" => 24,
        "responsestatus.code" | "user.groups" => 16,
        "objectref.resource" | "objectref.apigroup" => 8,
        "objectref.namespace" | "useragent" | "workspace" | "cluster" => 3,
        _ => 2,
    }
}

/// Classes by a part that as many of them as possible share.
fn groups(unguarded: &[(u32, &[NodeId])], slow: &[bool], visited_for: &mut [Option<NodeId>]) -> Vec<Group> {
    let mut shares: HashMap<NodeId, usize> = HashMap::new();
    for (_, parts) in unguarded {
        parts.iter().for_each(|part| *shares.entry(*part).or_default() += 1);
    }
    let quick = |part: &NodeId| slow.get(part.index()) == Some(&false);
    let mut groups: BTreeMap<NodeId, Vec<u32>> = BTreeMap::new();
    for (class, parts) in unguarded {
        let rank = |part: &&NodeId| (quick(part), shares.get(part).copied(), std::cmp::Reverse(**part));
        let Some(node) = parts.iter().max_by_key(rank).copied() else { continue };
        groups.entry(node).or_default().push(*class);
        // What is not quick may be unknown, which a visit does not tell.
        if let Some(visited_for) = visited_for.get_mut(*class as usize).filter(|_| quick(&node)) {
            *visited_for = Some(node);
        }
    }
    groups.into_iter().map(|(node, classes)| Group { node, classes: Posting::new(classes) }).collect()
}
