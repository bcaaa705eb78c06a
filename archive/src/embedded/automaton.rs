//! Searching a term dictionary for values that contain, or begin with, one of several texts.
//!
//! One Aho-Corasick machine holds all of the texts, and the dictionary is walked with it once: linear in the dictionary
//! for parts, and in the matching range alone for beginnings, since a beginning that fails cuts off its branch.

use std::fmt;
use std::sync::Arc;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, BuildError};
use tantivy::query::{AutomatonWeight, EnableScoring, Query, Weight};
use tantivy::schema::Field;
use tantivy_fst::Automaton;

/// Where in a value the text may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    Beginning,
}

/// Matches the documents with a term of the field that has one of the texts.
#[derive(Clone)]
pub(super) struct TextQuery {
    field: Field,
    machine: Arc<Machine>,
}

impl TextQuery {
    pub(super) fn new(field: Field, machine: Arc<Machine>) -> Self {
        Self { field, machine }
    }
}

impl fmt::Debug for TextQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextQuery").field("field", &self.field).finish_non_exhaustive()
    }
}

impl Query for TextQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(AutomatonWeight::new(self.field, Shared(Arc::clone(&self.machine)))))
    }
}

/// The compiled texts.
pub(super) struct Machine {
    nfa: NFA,
    anchored: Anchored,
}

impl Machine {
    pub(super) fn new(texts: &[String], place: Place) -> Result<Self, BuildError> {
        let anchored = match place {
            Place::Anywhere => Anchored::No,
            Place::Beginning => Anchored::Yes,
        };
        Ok(Self { nfa: NFA::new(texts)?, anchored })
    }
}

struct Shared(Arc<Machine>);

/// How far a value has been read.
#[derive(Clone, Copy)]
enum State {
    Reading(aho_corasick::automaton::StateID),
    /// One of the texts has been read: the value matches whatever follows.
    Found,
    /// None of the texts can come any more.
    Lost,
}

impl Shared {
    fn state(&self, id: aho_corasick::automaton::StateID) -> State {
        if self.0.nfa.is_match(id) {
            State::Found
        } else if self.0.nfa.is_dead(id) {
            State::Lost
        } else {
            State::Reading(id)
        }
    }
}

impl Automaton for Shared {
    type State = State;

    fn start(&self) -> State {
        self.0.nfa.start_state(self.0.anchored).map_or(State::Lost, |id| self.state(id))
    }

    fn is_match(&self, state: &State) -> bool {
        matches!(state, State::Found)
    }

    fn can_match(&self, state: &State) -> bool {
        !matches!(state, State::Lost)
    }

    fn will_always_match(&self, state: &State) -> bool {
        matches!(state, State::Found)
    }

    fn accept(&self, state: &State, byte: u8) -> State {
        match *state {
            State::Reading(id) => self.state(self.0.nfa.next_state(self.0.anchored, id, byte)),
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tantivy_fst::Automaton;

    use super::{Machine, Place, Shared};

    fn check(texts: &[&str], place: Place, value: &str, expected: bool) {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let machine = Shared(Arc::new(Machine::new(&texts, place).unwrap()));
        let end = value.bytes().fold(machine.start(), |state, byte| machine.accept(&state, byte));
        assert_eq!(machine.is_match(&end), expected, "{texts:?} {place:?} {value}");
    }

    #[test]
    fn finds_texts_where_they_may_stand() {
        check(&["system"], Place::Anywhere, "kube-system", true);
        check(&["system"], Place::Beginning, "kube-system", false);
        check(&["x", "kube-"], Place::Beginning, "kube-system", true);
        check(&["syssystem"], Place::Anywhere, "syssyssystem", true);
        check(&["systems"], Place::Anywhere, "kube-system", false);
        check(&["pods", "pod"], Place::Beginning, "pod", true);
        check(&["pods"], Place::Beginning, "pod", false);
    }
}
