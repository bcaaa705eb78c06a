//! Deciding an event.

use vedette_audit::Level;

use super::{AlertMatch, BlindMatch, DecideError, Decision, RuleIndex, RuleInfo, RuleKind};
use crate::Priority;
use crate::derived;
use crate::evaluate::{Evaluation, Recorded, Truth, for_each};
use crate::event::{self, Value};
use crate::lower::Template;
use crate::message::DefaultMessage;
use crate::program::{FieldId, NodeId, PathId, Program};

/// The enabled and selected rules, compiled.
#[derive(Debug)]
pub struct RuleSet {
    program: Program,
    rules: Vec<RuleInfo>,
    plans: Vec<Plan>,
    default_message: DefaultMessage,
    level: PathId,
    /// The paths of the two bodies' own members, where a rule reads them.
    bodies: [Option<FieldId>; 2],
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

#[derive(Debug)]
struct Plan {
    root: NodeId,
    output: Option<Template>,
    effect: Effect,
}

impl RuleSet {
    /// Takes entries sorted by qualified name.
    pub(super) fn new(program: Program, entries: Vec<Entry>, default_message: DefaultMessage, level: PathId) -> Self {
        let body = |name| program.fields.child(FieldId::ROOT, name);
        let bodies = [body("requestobject"), body("responseobject")];
        let (mut rules, mut plans) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        for Entry { info, root, output, effect } in entries {
            rules.push(info);
            plans.push(Plan { root, output, effect });
        }
        Self { program, rules, plans, default_message, level, bodies }
    }

    /// Decides one event: its JSON as it goes on from ingest, in either spelling.
    ///
    /// # Errors
    /// Only if `event` is no JSON object in UTF-8, or nests deeper than 128.
    pub fn decide(&self, event: &[u8]) -> Result<Decision, DecideError> {
        let mut event = event::read(event, &self.program.fields)?;
        derived::add(&mut event, &self.program.fields);
        let level = self.level_of(&event);
        let mut decision = Decision::default();
        if level == Some(Level::None) {
            return Ok(decision);
        }
        let mut evaluation = Evaluation::new(&self.program, &event, self.recorded(&event, level));
        for (index, (plan, info)) in (0_u32..).zip(self.plans.iter().zip(&self.rules)) {
            let rule = RuleIndex(index);
            // A rule that both selectors take follows itself.
            let again = |last: RuleIndex| self.rule(last).id == info.id;
            match evaluation.node(plan.root) {
                Truth::False => continue,
                Truth::Unknown(path) => {
                    if decision.blind.last().is_some_and(|last| again(last.rule)) {
                        continue;
                    }
                    let field =
                        self.program.paths.get(path.index()).map(|path| path.spelled.clone()).unwrap_or_default();
                    decision.blind.push(BlindMatch { rule, field });
                    continue;
                }
                Truth::True => {}
            }
            if !decision.matched.last().is_some_and(|last| again(*last)) {
                decision.matched.push(rule);
            }
            match plan.effect {
                Effect::Nothing => {}
                Effect::Archive => decision.archive = true,
                Effect::Alert => {
                    let message = match &plan.output {
                        Some(output) => output.fill(&self.program, &event),
                        None => self.default_message.fill(&self.program, &event),
                    };
                    decision.alerts.push(AlertMatch { rule, message });
                }
            }
        }
        decision.mismatches = evaluation.mismatches;
        Ok(decision)
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
        self.program.predicates.len()
    }

    /// The level that the event says of itself, if it is one: the last of duplicates, as for ingest, which null ends.
    fn level_of(&self, event: &Value<'_>) -> Option<Level> {
        let path = self.program.paths.get(self.level.index())?;
        let mut level = None;
        for_each(event, &path.steps, &mut |value| {
            level = if let Value::Text(text) = value { text.parse().ok() } else { None };
        });
        level
    }

    /// Which bodies are known: those that the event's level records, and those that are there all the same. A request that is about
    /// no resource has none, which is known too.
    fn recorded(&self, event: &Value<'_>, level: Option<Level>) -> Recorded {
        let known = Recorded { request: true, response: true };
        let Value::Object(members, _) = event else { return known };
        let mut about_a_resource = false;
        if let Some(path) = self.program.paths.get(self.default_message.resource.index()) {
            for_each(event, &path.steps, &mut |value| {
                about_a_resource |= matches!(value, Value::Text(text) if !text.is_empty())
            });
        }
        if !about_a_resource {
            return known;
        }
        let there = |body: Option<FieldId>| {
            body.is_some_and(|body| members.iter().any(|(id, value)| *id == body && *value != Value::Null))
        };
        let [request, response] = self.bodies;
        Recorded {
            request: level >= Some(Level::Request) || there(request),
            response: level >= Some(Level::RequestResponse) || there(response),
        }
    }
}
