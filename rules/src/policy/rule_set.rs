//! Deciding an event.

use std::cell::RefCell;

use vedette_audit::Level;

use super::{AlertMatch, BlindMatch, DecideError, Decision, RuleIndex, RuleInfo, RuleKind};
use crate::Priority;
use crate::evaluate::{Engine, Evaluation, Scratch};
use crate::event::Scalar;
use crate::lower::Template;
use crate::message::DefaultMessage;
use crate::program::{NodeId, PathId, Program};

/// The enabled and selected rules, compiled.
#[derive(Debug)]
pub struct RuleSet {
    engine: Engine,
    rules: Vec<RuleInfo>,
    outputs: Vec<Option<Template>>,
    follow: Vec<Follow>,
    default_message: DefaultMessage,
    level: PathId,
}

/// What follows when a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is only reported as matched.
    Nothing,
    Archive,
    Alert,
}

/// A rule on its way into the set.
pub(super) struct Entry {
    pub(super) info: RuleInfo,
    pub(super) root: NodeId,
    pub(super) output: Option<Template>,
    pub(super) effect: Effect,
}

#[derive(Debug, Clone, Copy)]
struct Follow {
    effect: Effect,
    /// Whether it is the rule before it, which the other selector took too.
    twin: bool,
}

thread_local! {
    /// What deciding writes to, kept by the thread. It grows to what rule sets need and stays; what an unusually big event needed
    /// beyond that is given back with the next one.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl RuleSet {
    /// Takes entries sorted by qualified name.
    pub(super) fn new(program: Program, entries: Vec<Entry>, default_message: DefaultMessage, level: PathId) -> Self {
        let shown = entries.iter().filter_map(|entry| entry.output.as_ref()).flat_map(Template::paths).collect();
        let mut set = Self {
            engine: Engine::new(program, &entries.iter().map(|entry| entry.root).collect::<Vec<_>>(), &shown),
            rules: Vec::with_capacity(entries.len()),
            outputs: Vec::with_capacity(entries.len()),
            follow: Vec::with_capacity(entries.len()),
            default_message,
            level,
        };
        for Entry { info, output, effect, .. } in entries {
            let twin = set.rules.last().is_some_and(|last| last.id == info.id);
            set.rules.push(info);
            set.outputs.push(output);
            set.follow.push(Follow { effect, twin });
        }
        set
    }

    /// Decides one event: its JSON as it goes on from ingest, in either spelling.
    ///
    /// # Errors
    /// If `event` is no JSON object in UTF-8, or nests deeper than 128, or is broken where a rule reads it. What no rule reads is not
    /// looked at closer than it takes to skip it.
    pub fn decide(&self, event: &[u8]) -> Result<Decision, DecideError> {
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => self.decide_with(event, &mut scratch),
            Err(_) => self.decide_with(event, &mut Scratch::default()),
        })
    }

    fn decide_with(&self, event: &[u8], scratch: &mut Scratch) -> Result<Decision, DecideError> {
        let mut decision = Decision::default();
        let mut event = Evaluation::new(&self.engine, scratch, event)?;
        let level = self.level_of(&mut event);
        if level == Some(Level::None) {
            return Ok(decision);
        }
        // A request that is about no resource has no bodies, which is known at any level.
        let recorded = if self.is_about_a_resource(&mut event) { level } else { Some(Level::RequestResponse) };
        event.start(recorded);
        decision.matched.reserve_exact(event.count());
        while let Some((first, mut bits)) = event.next_holding() {
            while bits != 0 {
                self.follow(first + bits.trailing_zeros(), &mut event, &mut decision);
                bits &= bits.wrapping_sub(1);
            }
        }
        while let Some((first, mut bits)) = event.next_unknown() {
            while bits != 0 {
                let rule = RuleIndex(first + bits.trailing_zeros());
                if !self.repeats(decision.blind.last().map(|last| last.rule), rule) {
                    decision.blind.push(BlindMatch { rule, field: event.missing(rule.0) });
                }
                bits &= bits.wrapping_sub(1);
            }
        }
        decision.mismatches = event.finish()?;
        Ok(decision)
    }

    /// What follows from a rule that holds.
    #[inline]
    fn follow(&self, rule: u32, event: &mut Evaluation<'_>, decision: &mut Decision) {
        let Some(follow) = self.follow.get(rule as usize) else { return };
        let index = RuleIndex(rule);
        if !self.repeats(decision.matched.last().copied(), index) {
            decision.matched.push(index);
        }
        match follow.effect {
            Effect::Nothing => {}
            Effect::Archive => decision.archive = true,
            Effect::Alert => {
                let message = match self.outputs.get(rule as usize) {
                    Some(Some(output)) => output.fill(event),
                    _ => self.default_message.fill(event),
                };
                decision.alerts.push(AlertMatch { rule: index, message });
            }
        }
    }

    /// Whether a rule is the one before it, which was noted last.
    #[inline]
    fn repeats(&self, last: Option<RuleIndex>, rule: RuleIndex) -> bool {
        last.is_some_and(|last| last.0 + 1 == rule.0) && self.follow.get(rule.0 as usize).is_some_and(|it| it.twin)
    }

    /// The rule at `index`, which this set has given out.
    ///
    /// An index of another set gives some rule of this one, or an empty one if there is none.
    pub fn rule(&self, index: RuleIndex) -> &RuleInfo {
        static NONE: RuleInfo = RuleInfo {
            namespace: String::new(),
            resource: String::new(),
            name: String::new(),
            qualified: String::new(),
            id: String::new(),
            priority: Priority::Debug,
            kind: RuleKind::Archiving,
        };
        self.rules.get(index.0 as usize).unwrap_or(&NONE)
    }

    /// The rules, sorted by qualified name. One that both selectors take is there twice.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &RuleInfo> {
        self.rules.iter()
    }

    /// How many distinct predicates the rules come down to.
    pub fn predicates(&self) -> usize {
        self.engine.program().predicates.len()
    }

    /// The level that the event says of itself, if it is one: the last of duplicates, as for ingest, which null ends.
    fn level_of(&self, event: &mut Evaluation<'_>) -> Option<Level> {
        let mut level = None;
        event.each(self.level, &mut |value| match value {
            Scalar::Text(text) => level = text.parse().ok(),
            // Its elements follow.
            Scalar::List(_) => {}
            _ => level = None,
        });
        level
    }

    /// Whether the event is about a resource.
    fn is_about_a_resource(&self, event: &mut Evaluation<'_>) -> bool {
        let mut is = false;
        event.each(self.default_message.resource, &mut |value| {
            is |= matches!(value, Scalar::Text(text) if !text.is_empty());
        });
        is
    }
}
