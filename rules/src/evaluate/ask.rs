//! Predicates held against what was read: looked up where an index can answer, asked value by value where none can.

use std::collections::HashSet;

use super::engine::{How, others};
use super::satisfied::satisfied;
use super::scratch::Scratch;
use super::{Evaluation, Truth, of};
use crate::event::{Body, Entry, Kind, Scalar, SlotId, Universal};
use crate::kubesphere::{Given, Judgement};
use crate::program::{FieldId, PathId, PathStep, Predicate, PredicateId, Test};
use crate::value::Number;

impl Evaluation<'_> {
    /// The truth of a predicate.
    pub(super) fn predicate(&mut self, id: PredicateId) -> Truth {
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
        let (Some(ask), Some(predicate)) = (engine.asks.get(id.index()), engine.program.predicates.get(id.index()))
        else {
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
        let fields = others(predicate);
        fields.iter().for_each(|field| self.read_path(*field));
        if let Test::Judged(judgement) = &predicate.test {
            return self.ask_whole(predicate, judgement, slot);
        }
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

    /// Asks every value at the predicate's path as KubeSphere's engine takes it.
    fn ask_whole(&mut self, predicate: &Predicate, judgement: &Judgement, slot: SlotId) -> Truth {
        let Scratch { reader, wholes, .. } = &mut *self.scratch;
        let (mut holds, mut mismatched) = (false, false);
        for (place, entry) in reader.values.placed(slot).filter(|(_, entry)| entry.kind != Kind::Null) {
            let value = reader.values.scalar(self.text, entry);
            wholes.make(place, value);
            let judged = wholes.given(place, value).and_then(|given| judgement.holds(given, &predicate.matcher));
            mismatched |= judged.is_none();
            if judged == Some(true) {
                holds = true;
                break;
            }
        }
        self.conclude(predicate, holds, mismatched)
    }

    /// Asks the elements of the ranges that the predicate is about.
    fn ask_range(&mut self, predicate: &Predicate, slot: SlotId, universal: Universal) -> Truth {
        let engine = self.engine;
        let fields = others(predicate);
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
        if !holds && others(predicate).iter().any(|field| !self.covers(*field)) {
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
    pub(super) fn read_path(&mut self, path: PathId) {
        if let Some(body) = self.engine.layout.body(SlotId::of(path)) {
            self.read_body(body);
        }
    }

    pub(super) fn read_body(&mut self, body: Body) {
        if std::mem::replace(self.read.of(body), true) {
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
    pub(super) fn look_up(&mut self, recorded: bool) {
        let engine = self.engine;
        while let Some(entry) = self.scratch.reader.values.entry(self.looked_up as usize) {
            let place = self.looked_up;
            self.looked_up += 1;
            let Some(index) = engine.index_of(entry.slot) else { continue };
            if !recorded && !self.covers(PathId(entry.slot.0)) {
                continue;
            }
            let Scratch { reader, predicates, wholes, classes, vetoed, strange, stamp, .. } = &mut *self.scratch;
            let truth = *stamp | 2;
            let value = reader.values.scalar(self.text, entry);
            let mut holds = |predicate: PredicateId| {
                if let Some(cell) = predicates.get_mut(predicate.index())
                    && *cell != truth
                {
                    *cell = truth;
                    if let Some(guarded) = engine.guards.of(predicate) {
                        classes.insert(&guarded.classes);
                        vetoed.extend_from_slice(&guarded.vetoed);
                    }
                }
            };
            if index.printed {
                wholes.make(place, value);
                if let Some(text) = wholes.given(place, value).and_then(Given::text) {
                    index.printed_is(text, &mut holds);
                }
                let values = &reader.values;
                if index.asks_all() && values.is_first(place, entry.slot) {
                    for (place, entry) in values.placed(entry.slot) {
                        wholes.make(place, values.scalar(self.text, entry));
                    }
                    let text = |(place, entry)| wholes.given(place, values.scalar(self.text, entry))?.text();
                    index.all_are(|| values.placed(entry.slot).filter_map(text), &mut holds);
                }
                continue;
            }
            let is_strange = index.look_up(value, holds);
            if is_strange && strange.last() != Some(&entry.slot) {
                strange.push(entry.slot);
            }
        }
    }

    /// Lets the automaton of a slot find which predicates its values make true, unless it has.
    pub(super) fn run_patterns(&mut self, slot: SlotId) {
        let engine = self.engine;
        let Some(patterns) = engine.index_of(slot).and_then(|index| index.patterns.as_ref()) else { return };
        let Some(ran) = self.scratch.patterns.get_mut(slot.index()) else { return };
        if std::mem::replace(ran, self.scratch.stamp) == self.scratch.stamp {
            return;
        }
        let Scratch { reader, predicates, wholes, asked, texts, classes, stamp, .. } = &mut *self.scratch;
        let (truth, printed) = (*stamp | 2, engine.index_of(slot).is_some_and(|index| index.printed));
        for (place, entry) in reader.values.placed(slot) {
            let value = reader.values.scalar(self.text, entry);
            let text = match value {
                Scalar::Text(text) => text,
                value if printed => {
                    wholes.make(place, value);
                    let Some(text) = wholes.given(place, value).and_then(Given::text) else { continue };
                    text
                }
                _ => continue,
            };
            *texts += 1;
            patterns.find(text, |id, whole| {
                let (Some(cell), Some(asked)) = (predicates.get_mut(id.index()), asked.get_mut(id.index())) else {
                    return;
                };
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
    pub(super) fn count_strange(&mut self) {
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
        Scalar::Null | Scalar::List(_) | Scalar::Object(_) => None,
    }
}
