//! What is to be replaced in a text: the second of two walks, which knows what every object is.

use aho_corasick::AhoCorasick;

use super::{
    Edit, Found, Growth, Keyed, MAX_NESTED, New, is_named,
    kinds::Kinds,
    role::{Place, Roles, State},
};
use crate::{
    scan::{self, FaultKind, Scanner, Span, Visit},
    text,
};

/// An object or array around what is walked through.
#[derive(Clone, Copy)]
struct Frame {
    state: State,
    object: bool,
    /// In an operation of a patch: its value.
    patched: State,
}

pub(super) struct Walk<'a> {
    keyed: &'a Keyed<'a>,
    json: &'a [u8],
    place: &'a Place<'a>,
    kinds: &'a Kinds,
    nested: u32,
    /// At most as many as JSON may nest.
    frames: Vec<Frame>,
    /// The value that comes, if it is a member's.
    next: State,
    found: Found,
    growth: Growth,
    /// All of the text is to be replaced.
    whole: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        keyed: &'a Keyed<'a>,
        json: &'a [u8],
        place: &'a Place<'a>,
        kinds: &'a Kinds,
        nested: u32,
    ) -> Self {
        let next = place.start(kinds.is_other);
        let (frames, found) = (Vec::new(), Found::default());
        Self { keyed, json, place, kinds, nested, frames, next, found, growth: Growth::default(), whole: false }
    }

    /// What was found; `None` if all of the text is to be replaced.
    pub(super) fn finish(self) -> Option<Found> {
        (!self.whole).then_some(self.found)
    }

    /// What the value that comes is.
    fn value(&self) -> State {
        match self.frames.last() {
            Some(frame) if !frame.object => self.place.element(frame.state),
            _ => self.next,
        }
    }

    fn replace(&mut self, start: usize, end: usize, new: New, values: u64) {
        if self.whole {
            return;
        }
        let edit = Edit { start, end, new };
        self.growth.add(std::slice::from_ref(&edit));
        self.found.edits.push(edit);
        self.found.values += values;
        if self.growth.is_over(self.json.len()) {
            self.whole = true;
            self.found = Found::default();
        }
    }

    /// Replaces a string as a whole, unless it is empty.
    fn hide(&mut self, string: Span, base64: bool) {
        if let Some(hash) = self.keyed.hash_text(string.of(self.json), string.escaped, base64) {
            self.replace(string.start - 1, string.end + 1, New::Hash(hash), 1);
        }
    }

    /// Replaces what is to be replaced in a string that may be JSON; with `must`, all of it if it is none.
    fn look_into(&mut self, string: Span, place: &Place<'_>, must: bool) {
        if self.nested == MAX_NESTED {
            return self.hide(string, false);
        }
        let decoded = text::decode(string.of(self.json), string.escaped);
        let found = match scan::check(decoded.as_bytes()) {
            Ok(()) => self.keyed.find(decoded.as_bytes(), place, self.nested + 1),
            Err(fault) if must || fault.kind == FaultKind::TooDeep => None,
            Err(_) => return,
        };
        let Some(found) = found else { return self.hide(string, false) };
        if found.edits.is_empty() {
            return;
        }
        let mut inner = Vec::with_capacity(decoded.len());
        let mut from = 0;
        for edit in &found.edits {
            inner.extend_from_slice(decoded.as_bytes().get(from..edit.start).unwrap_or_default());
            edit.push(&mut inner);
            from = edit.end;
        }
        inner.extend_from_slice(decoded.as_bytes().get(from..).unwrap_or_default());
        let mut encoded = Vec::with_capacity(inner.len() + inner.len() / 4);
        text::push_string(&mut encoded, &String::from_utf8_lossy(&inner));
        self.replace(string.start - 1, string.end + 1, New::Text(encoded), found.values);
    }

    /// What the operation whose brace is at `at` puts in place: all that it may be, if it names several places or none.
    fn patched(&self, at: usize) -> State {
        let bytes = self.json.get(at..).unwrap_or_default();
        let mut paths = Paths { json: bytes, depth: 0, expecting: false, place: self.place, state: None };
        // It was walked through before.
        let _ = Scanner::new(bytes).visit(&mut paths);
        paths.state.unwrap_or(State { roles: Roles::ALL, fields: 0 })
    }
}

/// A body's scalar, a patch or an operation that is none, and what a patch puts in place of a Secret are not understood.
const SCALAR: [Roles; 8] = [
    Roles::ALL,
    Roles::ALL_BASE64,
    Roles::BODY,
    Roles::PATCH,
    Roles::OPERATION,
    Roles::WHOLE,
    Roles::STRICT,
    Roles::CHANGE,
];

/// A string of these is JSON with something in it.
const NOTE: Roles = Roles::SECRET_NOTE.or(Roles::OWN_NOTE).or(Roles::WEBHOOK);

impl Visit for Walk<'_> {
    fn open(&mut self, object: bool, at: usize) {
        let mut state = self.value();
        let mut patched = State::default();
        if object {
            let kind = self.kinds.at(at);
            if kind.secret {
                state.roles |= Roles::SECRET;
            }
            if kind.secret_list {
                state.roles |= Roles::SECRET | Roles::BODY;
            }
            if kind.token {
                state.roles |= Roles::TOKEN;
            }
            if state.roles.has(Roles::OPERATION) {
                patched = self.patched(at);
            }
        } else if state.roles.has(Roles::BODY) {
            state.roles |= Roles::PATCH;
        } else if state.roles.has(Roles::OPERATION) {
            state.roles |= Roles::ALL;
        }
        self.frames.push(Frame { state, object, patched });
    }

    fn close(&mut self) {
        self.frames.pop();
    }

    fn name(&mut self, name: Span) {
        let Some(frame) = self.frames.last() else { return };
        if frame.state.roles == Roles::NONE && frame.state.fields == 0 {
            self.next = State::default();
            return;
        }
        let name = text::decode(name.of(self.json), name.escaped);
        self.next = self.place.member(frame.state, &name);
        if frame.state.roles.has(Roles::OPERATION) {
            let State { roles, fields } = match &*name {
                _ if is_named(&name, "value") => frame.patched,
                _ if ["op", "path", "from"].into_iter().any(|it| is_named(&name, it)) => State::default(),
                _ => State { roles: Roles::ALL, fields: 0 },
            };
            self.next.roles |= roles;
            self.next.fields |= fields;
        }
    }

    fn string(&mut self, string: Span) {
        let State { roles, .. } = self.value();
        if SCALAR.into_iter().any(|it| roles.has(it)) {
            self.hide(string, roles.has(Roles::ALL_BASE64));
        } else if roles.has(NOTE) {
            let place = self.place.of_note(roles);
            self.look_into(string, &place, true);
        } else if may_be_json(string.of(self.json), &self.keyed.redactor.words) {
            self.look_into(string, &Place::default(), false);
        }
    }

    fn number(&mut self, start: usize, end: usize) {
        let State { roles, .. } = self.value();
        if SCALAR.into_iter().any(|it| roles.has(it)) || roles.has(NOTE) {
            let hash = self.keyed.hash(self.json.get(start..end).unwrap_or_default());
            self.replace(start, end, New::Hash(hash), 1);
        }
    }
}

/// Whether a string, as it stands in its JSON, may be JSON with something of interest in it.
fn may_be_json(raw: &[u8], words: &AhoCorasick) -> bool {
    matches!(raw.first(), Some(b'{' | b'[' | b'\\' | b' ')) && words.is_match(raw)
}

/// Whether any string of a text may be such.
pub(super) fn may_hold_json(json: &[u8], words: &AhoCorasick) -> bool {
    struct Strings<'a>(&'a [u8], &'a AhoCorasick, bool);
    impl Visit for Strings<'_> {
        fn string(&mut self, string: Span) {
            self.2 = self.2 || may_be_json(string.of(self.0), self.1);
        }
    }
    let mut strings = Strings(json, words, false);
    Scanner::new(json).visit(&mut strings).is_err() || strings.2
}

/// Finds the paths of an operation.
struct Paths<'a> {
    json: &'a [u8],
    depth: u32,
    expecting: bool,
    place: &'a Place<'a>,
    state: Option<State>,
}

impl Visit for Paths<'_> {
    fn open(&mut self, _object: bool, _at: usize) {
        self.depth += 1;
        self.expecting = false;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.expecting = false;
    }

    fn name(&mut self, name: Span) {
        self.expecting = self.depth == 1 && is_named(&text::decode(name.of(self.json), name.escaped), "path");
    }

    fn string(&mut self, string: Span) {
        if std::mem::take(&mut self.expecting) {
            let patched = self.place.patched(&text::decode(string.of(self.json), string.escaped));
            let state = self.state.get_or_insert_default();
            state.roles |= patched.roles;
            state.fields |= patched.fields;
        }
    }
}
