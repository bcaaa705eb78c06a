//! One spelling, one order, one of each.

use std::{borrow::Cow, collections::HashSet, ops::Range};

use crate::{
    members::{Member, ObjectMember, StatusMember, Top, UserMember},
    scan::{Fault, Scanner},
    text,
};

/// Appends a valid event's members as an object without its closing brace; there is at least one.
pub(super) fn event(json: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let members = Members::collect::<Top>(json)?;
    let mut list = List::open(out);
    for (name, value) in Top::NAMES.iter().zip(&members.known) {
        let value = value.clone().and_then(|range| json.get(range)).filter(|value| *value != b"null");
        match (*name, value) {
            // Ours follows; whatever a sender puts there is not.
            ("Vedette", _) => {}
            ("Workspace", None) => list.member(name).extend_from_slice(b"\"\""),
            ("ObjectRef", value) => object_ref(value.unwrap_or(b"{}"), list.member(name))?,
            (_, None) => {}
            ("User" | "ImpersonatedUser", Some(value)) => object::<UserMember>(value, list.member(name))?,
            ("ResponseStatus", Some(value)) => object::<StatusMember>(value, list.member(name))?,
            (_, Some(value)) => list.member(name).extend_from_slice(value),
        }
    }
    members.others(json, &mut list);
    Ok(())
}

/// Appends an object with the names of `M`.
fn object<M: Member>(json: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let members = Members::collect::<M>(json)?;
    let mut list = List::open(out);
    for (name, value) in M::NAMES.iter().zip(&members.known) {
        if let Some(value) = value.clone().and_then(|range| json.get(range)) {
            list.member(name).extend_from_slice(value);
        }
    }
    members.others(json, &mut list);
    list.close();
    Ok(())
}

/// Appends the object's reference, with a namespace even where there is none.
fn object_ref(json: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let members = Members::collect::<ObjectMember>(json)?;
    let mut list = List::open(out);
    for (name, value) in ObjectMember::NAMES.iter().zip(&members.known) {
        match value.clone().and_then(|range| json.get(range)).filter(|value| *value != b"null") {
            Some(value) => list.member(name).extend_from_slice(value),
            None if *name == "Namespace" => list.member(name).extend_from_slice(b"\"\""),
            None => {}
        }
    }
    members.others(json, &mut list);
    list.close();
    Ok(())
}

/// The members of one object: where their values stand.
struct Members {
    /// By place in [`Member::NAMES`]; the last of duplicates.
    known: Vec<Option<Range<usize>>>,
    /// Name, without quotes, and value of the others.
    unknown: Vec<(Range<usize>, Range<usize>)>,
}

impl Members {
    fn collect<M: Member>(json: &[u8]) -> Result<Self, Fault> {
        let mut members = Self { known: vec![None; M::NAMES.len()], unknown: Vec::new() };
        let mut scanner = Scanner::new(json);
        scanner.peek();
        scanner.open(true)?;
        while scanner.peek() != Some(b'}') {
            let span = scanner.name()?;
            let name = text::decode(span.of(json), span.escaped);
            scanner.peek();
            let start = scanner.pos();
            scanner.value()?;
            let value = start..scanner.pos();
            match M::find(name.as_bytes()).and_then(|member| members.known.get_mut(member.index())) {
                Some(slot) => *slot = Some(value),
                None => members.unknown.push((span.start..span.end, value)),
            }
            if scanner.peek() == Some(b',') {
                scanner.take(b',', "`,`")?;
            }
        }
        Ok(members)
    }

    /// Appends the unknown members as they came, the last alone of those of one name, since some engines refuse an
    /// object that names a member twice.
    fn others(&self, json: &[u8], list: &mut List<'_>) {
        let name = |range: &Range<usize>| json.get(range.clone()).unwrap_or_default();
        let mut last = vec![true; self.unknown.len()];
        if self.unknown.len() > 1 {
            let mut seen: HashSet<Cow<'_, str>> = HashSet::with_capacity(self.unknown.len());
            for ((range, _), last) in self.unknown.iter().zip(&mut last).rev() {
                *last = seen.insert(text::decode(name(range), true));
            }
        }
        for ((range, value), _) in self.unknown.iter().zip(last).filter(|(_, last)| *last) {
            list.raw_member(name(range)).extend_from_slice(json.get(value.clone()).unwrap_or_default());
        }
    }
}

/// An object that is being written.
struct List<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> List<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Begins a member; the caller appends its value.
    fn member(&mut self, name: &str) -> &mut Vec<u8> {
        self.raw_member(name.as_bytes())
    }

    fn raw_member(&mut self, name: &[u8]) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn close(self) {
        self.out.push(b'}');
    }
}
