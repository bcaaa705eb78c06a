//! Rules whose conditions come down to the same question.
//!
//! Rules are often written one like the other, but for an exception: `… and User.Username != "…"`. What such a rule excepts is taken out
//! of its condition where the index finds out that it is so: then the index keeps the rule from being given out. What is left is the
//! same for all of these rules, and is evaluated once.

use std::collections::{BTreeMap, HashMap};

use super::sets::Posting;
use crate::program::{Node, NodeId, PredicateId, Program};

/// More rules than this ask for themselves whether a predicate denies them: to keep them back one by one would cost more.
const MOST_VETOED: usize = 4;
/// More literals than this that are joined by themselves stay one part.
const MOST_JOINED: usize = 4;

/// Rules by what is left of their conditions.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// All that must hold for the rules of each class.
    pub(super) parts: Vec<Box<[NodeId]>>,
    /// The rules of each class.
    pub(super) rules: Vec<Posting>,
    /// The rules that do not hold if a predicate does.
    pub(super) vetoed: BTreeMap<PredicateId, Vec<u32>>,
}

impl Classes {
    /// Classes of rules with these conditions; `quick` says which nodes are known once an event has been read.
    pub(super) fn new(program: &Program, roots: &[NodeId], quick: impl Fn(NodeId) -> bool) -> Self {
        let denied =
            |part: NodeId| literal(program, part).filter(|(_, negated)| *negated && quick(part)).map(|it| it.0);
        let all: Vec<_> = roots.iter().map(|root| parts(program, *root, &quick)).collect();
        let mut vetoed: BTreeMap<PredicateId, Vec<u32>> = BTreeMap::new();
        for (rule, parts) in (0..).zip(&all) {
            for predicate in parts.iter().filter_map(|part| denied(*part)) {
                vetoed.entry(predicate).or_default().push(rule);
            }
        }
        vetoed.retain(|_, rules| rules.len() <= MOST_VETOED);
        let mut places: HashMap<Box<[NodeId]>, usize> = HashMap::new();
        let mut rules: Vec<Vec<u32>> = Vec::new();
        for (rule, mut left) in (0..).zip(all) {
            left.retain(|part| denied(*part).is_none_or(|predicate| !vetoed.contains_key(&predicate)));
            left.sort_unstable();
            left.dedup();
            let place = *places.entry(left.into()).or_insert(rules.len());
            match rules.get_mut(place) {
                Some(rules) => rules.push(rule),
                None => rules.push(vec![rule]),
            }
        }
        let mut parts: Vec<_> = places.into_iter().map(|(parts, place)| (place, parts)).collect();
        parts.sort_unstable();
        let parts = parts.into_iter().map(|(_, parts)| parts).collect();
        Self { parts, rules: rules.into_iter().map(Posting::new).collect(), vetoed }
    }
}

/// All of these must hold for a condition to hold. A few literals that are known as soon as an event has been read stand for themselves,
/// wherever they are joined.
fn parts(program: &Program, root: NodeId, quick: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
    let joined = |node: NodeId| match program.nodes.get(node.index()) {
        Some(Node::And(parts)) => Some(parts),
        _ => None,
    };
    let Some(all) = joined(root) else { return vec![root] };
    let mut parts = Vec::with_capacity(all.len() + 1);
    for part in all {
        let is_known = |inner: &NodeId| literal(program, *inner).is_some() && quick(*inner);
        match joined(*part).filter(|inner| inner.len() <= MOST_JOINED && inner.iter().all(is_known)) {
            Some(inner) => parts.extend(inner),
            None => parts.push(*part),
        }
    }
    parts
}

/// The predicate that a node is, and whether negated.
pub(super) fn literal(program: &Program, node: NodeId) -> Option<(PredicateId, bool)> {
    match program.nodes.get(node.index())? {
        Node::Predicate(predicate) => Some((*predicate, false)),
        Node::Not(inner) => match program.nodes.get(inner.index())? {
            Node::Predicate(predicate) => Some((*predicate, true)),
            _ => None,
        },
        _ => None,
    }
}
