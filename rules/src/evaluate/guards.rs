//! Which rules an event can concern at all.
//!
//! A guard of a condition is a set of predicates of which one must be true, or unknown, for the condition to be so: of `a and b` that
//! of either part, of `a or b` those of both. A rule is visited if a predicate of its guard turns out true. Of the guards that a rule
//! could have, the one is chosen that will be true least often: by what is known of a Kubernetes audit event's fields, and by how many
//! rules ask for the same values. A condition without a guard, `verb not in (…)`, is put with those that share a part of it, and the
//! part is evaluated once for all of them.

use std::collections::HashMap;
use std::rc::Rc;

use super::engine::{Ask, How};
use super::index::Index;
use crate::event::{Body, SlotId};
use crate::program::{Node, NodeId, PredicateId, Program};

/// A guard of more predicates than this is none: visiting the rule is as good.
const WIDEST: usize = 512;

/// Which rules are visited when.
#[derive(Debug, Default)]
pub(super) struct Guards {
    /// Where the rules of each predicate start in `rules`; one more at the end.
    starts: Vec<u32>,
    rules: Vec<u32>,
    /// Rules that have no guard, by a part that they share.
    pub(super) groups: Vec<Group>,
    /// Rules whose guard asks for a body, by body.
    pub(super) of_body: [Vec<u32>; 2],
    /// The slots whose automaton finds out which guards are true.
    pub(super) patterns: Vec<SlotId>,
}

/// Rules that hold only if a node does.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) node: NodeId,
    pub(super) rules: Vec<u32>,
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
    pub(super) fn new(program: &Program, roots: &[NodeId], asks: &[Ask], indexes: &[(SlotId, Index)], slow: &[bool]) -> Self {
        let costs = costs(program, roots, asks, indexes);
        let mut choice = Choice { program, asks, costs, known: HashMap::new() };
        let mut guards = Self::default();
        let mut pairs: Vec<(PredicateId, u32)> = Vec::new();
        let mut unguarded = Vec::new();
        for (rule, root) in (0..).zip(roots) {
            match choice.guard(*root, true) {
                Some(guard) => pairs.extend(guard.predicates.iter().map(|predicate| (*predicate, rule))),
                None => unguarded.push((rule, *root)),
            }
        }
        pairs.sort_unstable();
        for (predicate, rule) in &pairs {
            let Some(ask) = asks.get(predicate.index()) else { continue };
            if ask.how == How::Pattern && ask.body.is_none() && guards.patterns.last() != Some(&ask.slot) {
                guards.patterns.push(ask.slot);
            }
            if let Some(body) = ask.body {
                guards.of_body[body as usize].push(*rule);
            }
        }
        guards.patterns.sort_unstable();
        guards.patterns.dedup();
        for rules in &mut guards.of_body {
            rules.sort_unstable();
            rules.dedup();
        }
        guards.starts.reserve(asks.len() + 1);
        let mut start = 0;
        for predicate in 0..asks.len() {
            guards.starts.push(start as u32);
            start += pairs.get(start..).unwrap_or_default().iter().take_while(|pair| pair.0.index() == predicate).count();
        }
        guards.starts.push(start as u32);
        guards.rules = pairs.into_iter().map(|(_, rule)| rule).collect();
        guards.groups = groups(program, &unguarded, slow);
        guards
    }

    /// The rules that a predicate guards.
    #[inline]
    pub(super) fn of(&self, predicate: PredicateId) -> &[u32] {
        let bound = |index: usize| self.starts.get(index).map_or(0, |start| *start as usize);
        self.rules.get(bound(predicate.index())..bound(predicate.index() + 1)).unwrap_or_default()
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
            (Node::And(parts), true) | (Node::Or(parts), false) => {
                let all = parts.iter().filter_map(|part| self.guard(*part, positive));
                all.min_by_key(|guard| guard.cost)
            }
            (Node::Or(parts), true) | (Node::And(parts), false) => self.union(parts, positive),
        };
        self.known.insert((node, positive), guard.clone());
        guard
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
fn costs(program: &Program, roots: &[NodeId], asks: &[Ask], indexes: &[(SlotId, Index)]) -> Vec<u64> {
    let mut uses = vec![0_u64; program.predicates.len()];
    let mut note = |node: NodeId| {
        if let Some(Node::Predicate(predicate)) = program.nodes.get(node.index())
            && let Some(uses) = uses.get_mut(predicate.index())
        {
            *uses += 1;
        }
    };
    roots.iter().copied().for_each(&mut note);
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
        "objectref.resource" | "objectref.apigroup" | "objectref.subresource" => 8,
        "objectref.namespace" | "useragent" | "workspace" | "cluster" => 3,
        _ => 2,
    }
}

/// Rules by a part of their condition that as many of them as possible share.
fn groups(program: &Program, unguarded: &[(u32, NodeId)], slow: &[bool]) -> Vec<Group> {
    let parts = |root: &NodeId| match program.nodes.get(root.index()) {
        Some(Node::And(parts)) => parts.to_vec(),
        _ => vec![*root],
    };
    let mut shares: HashMap<NodeId, usize> = HashMap::new();
    for (_, root) in unguarded {
        parts(root).into_iter().for_each(|part| *shares.entry(part).or_default() += 1);
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<NodeId, usize> = HashMap::new();
    for (rule, root) in unguarded {
        let quick = |part: &NodeId| !slow.get(part.index()).copied().unwrap_or(true);
        let best = parts(root).into_iter().max_by_key(|part| (quick(part), shares.get(part).copied(), std::cmp::Reverse(*part)));
        let node = best.unwrap_or(*root);
        let place = *places.entry(node).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.rules.push(*rule),
            None => groups.push(Group { node, rules: vec![*rule] }),
        }
    }
    groups
}
