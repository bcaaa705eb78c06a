//! The memory that evaluating works in.

use super::Truth;
use super::engine::Engine;
use super::sets::Set;
use super::whole::Wholes;
use crate::event::{Reader, SlotId};
use crate::program::{NodeId, PathId, PredicateId};

/// What evaluating needs to write to; reused from event to event, and by any engine.
///
/// INVARIANT: what is known of a predicate or a node counts only with the stamp of the event under evaluation, so that nothing needs to
/// be wiped between two events, or two engines.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(super) reader: Reader,
    /// A stamp with a [`Truth`] in its two lowest bits.
    pub(super) predicates: Vec<u32>,
    pub(super) nodes: Vec<u32>,
    /// A stamp, and the field for want of which each node is unknown; grows when a rule first is.
    missing: Vec<(u32, PathId)>,
    /// The stamp with which each slot's automaton ran last.
    pub(super) patterns: Vec<u32>,
    /// The number of the text that each predicate of an automaton was asked of last.
    pub(super) asked: Vec<u64>,
    pub(super) texts: u64,
    /// The values of paths that KubeSphere's tests are about.
    pub(super) wholes: Wholes,
    /// The classes of rules that the event may concern.
    pub(super) classes: Set,
    /// The rules that hold.
    pub(super) holding: Set,
    /// The rules that are unknown.
    pub(super) unknown: Set,
    /// Rules that do not hold whatever their class does.
    pub(super) vetoed: Vec<u32>,
    /// Slots with values for which a predicate of their index has no answer.
    pub(super) strange: Vec<SlotId>,
    pub(super) stamp: u32,
}

impl Scratch {
    /// Makes room for an engine, and forgets the last event.
    pub(super) fn start(&mut self, engine: &Engine) {
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
            self.missing.clear();
            self.stamp = 4;
        }
        let rules = engine.rules();
        [&mut self.classes, &mut self.holding, &mut self.unknown].into_iter().for_each(|set| set.start(rules));
        self.wholes.start();
        self.vetoed.clear();
        self.strange.clear();
        self.strange.shrink_to(1 << 12);
    }

    /// What a cell says, if it is of this event.
    #[inline]
    pub(super) fn known(&self, cell: Option<&u32>) -> Option<Truth> {
        let cell = *cell?;
        match cell ^ self.stamp {
            1 => Some(Truth::False),
            2 => Some(Truth::True),
            3 => Some(Truth::Unknown),
            _ => None,
        }
    }

    /// What a cell holds that says `truth`.
    #[inline]
    pub(super) fn cell(&self, truth: Truth) -> u32 {
        self.stamp
            | match truth {
                Truth::False => 1,
                Truth::True => 2,
                Truth::Unknown => 3,
            }
    }

    /// The field for want of which a node is unknown, if it was looked for.
    pub(super) fn missing(&self, node: NodeId) -> Option<PathId> {
        self.missing.get(node.index()).filter(|(stamp, _)| *stamp == self.stamp).map(|(_, path)| *path)
    }

    pub(super) fn note_missing(&mut self, node: NodeId, path: PathId) {
        if self.missing.len() < self.nodes.len() {
            self.missing.resize(self.nodes.len(), (0, path));
        }
        if let Some(cell) = self.missing.get_mut(node.index()) {
            *cell = (self.stamp, path);
        }
    }

    /// Whether a predicate has been found true.
    #[inline]
    pub(super) fn is_true(&self, predicate: PredicateId) -> bool {
        self.predicates.get(predicate.index()) == Some(&(self.stamp | 2))
    }
}
