//! What the last events looked like: the members of each object in the order in which they came.
//!
//! Whoever writes events writes their members in one order, of which some are left out at times. So the next name is one of the few
//! that followed last time, and comparing it with those, 32 bytes at once, takes a fraction of the time that finding its end, hashing it
//! and looking it up does. A wrong guess costs the comparisons; what is remembered is bounded, and only ever what [`super::names`] said.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::program::FieldId;

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    owner: Option<Owner>,
    /// The first member of each field that was seen.
    firsts: Vec<u32>,
    members: Vec<Member>,
}

/// Whose fields the members lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(u32);

/// A member by its name and what follows it.
#[derive(Debug, Clone, Copy)]
struct Member {
    /// The name between its quotes, and a colon.
    text: [u64; 4],
    /// Which bits of `text` count.
    mask: [u64; 4],
    length: u8,
    leads: Option<(FieldId, u32)>,
    next: u32,
}

/// Where in the members of an object a walk is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    field: FieldId,
    /// The last member and one more; 0 at the start.
    last: u32,
}

/// A member that was expected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// The field that it leads to, and how many parts its name has; `None` if it is not read.
    pub(super) leads: Option<(FieldId, usize)>,
    /// Where its value starts, if there is no space before it.
    pub(super) value: usize,
}

/// How many members are compared before the next is looked up.
const GUESSES: usize = 4;
/// How many members are remembered in all.
const MOST: usize = 4096;

impl Owner {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Shapes {
    /// Makes ready for events that are read for `owner`.
    #[inline]
    pub(super) fn start(&mut self, owner: Owner, fields: usize) {
        // What is full may be full of names that never come again.
        if self.owner != Some(owner) || self.members.len() >= MOST {
            self.owner = Some(owner);
            self.members.clear();
            self.firsts.clear();
            self.firsts.resize(fields, 0);
        }
    }

    #[inline]
    pub(super) fn enter(&self, field: FieldId) -> Cursor {
        Cursor { field, last: 0 }
    }

    /// The member whose first quote stands at `at`, if it is an expected one.
    #[inline]
    pub(super) fn guess(&self, cursor: &mut Cursor, text: &str, at: usize) -> Option<Seen> {
        let rest = text.as_bytes().get(at..)?;
        let mut last = [0; 32];
        let bytes = match rest.first_chunk::<32>() {
            Some(bytes) => bytes,
            // The event ends sooner.
            None => {
                last.get_mut(..rest.len())?.copy_from_slice(rest);
                &last
            }
        };
        let (words, _) = bytes.as_chunks::<8>();
        let mut next = self.after(*cursor);
        for _ in 0..GUESSES {
            let member = self.members.get((next as usize).checked_sub(1)?)?;
            let pairs = words.iter().zip(member.text.iter().zip(&member.mask));
            let differs = pairs.fold(0, |all, (word, (text, mask))| all | (u64::from_le_bytes(*word) & mask) ^ text);
            if differs == 0 {
                cursor.last = next;
                let leads = member.leads.map(|(field, parts)| (field, parts as usize));
                return Some(Seen { leads, value: at + usize::from(member.length) });
            }
            next = member.next;
        }
        None
    }

    /// Remembers a member that was looked up; `text` is its name between its quotes and the colon, if that follows at once.
    pub(super) fn learn(&mut self, cursor: &mut Cursor, text: &[u8], leads: Option<(FieldId, usize)>) {
        let mut bytes = [0; 32];
        let (Some(start), true) = (bytes.get_mut(..text.len()), self.members.len() < MOST) else { return };
        if text.last() != Some(&b':') {
            return;
        }
        start.copy_from_slice(text);
        let mut mask = [0; 32];
        mask.iter_mut().take(text.len()).for_each(|byte| *byte = u8::MAX);
        let words = |bytes: [u8; 32]| {
            let (words, _) = bytes.as_chunks::<8>();
            let mut out = [0; 4];
            out.iter_mut().zip(words).for_each(|(out, word)| *out = u64::from_le_bytes(*word));
            out
        };
        let next = self.after(*cursor);
        let leads = leads.map(|(field, parts)| (field, parts as u32));
        self.members.push(Member { text: words(bytes), mask: words(mask), length: text.len() as u8, leads, next });
        let place = self.members.len() as u32;
        let before = match (cursor.last as usize).checked_sub(1) {
            Some(last) => self.members.get_mut(last).map(|member| &mut member.next),
            None => self.firsts.get_mut(cursor.field.index()),
        };
        if let Some(before) = before {
            *before = place;
        }
        cursor.last = place;
    }

    /// The place, and one more, of the member that followed the last one.
    #[inline]
    fn after(&self, cursor: Cursor) -> u32 {
        match (cursor.last as usize).checked_sub(1) {
            Some(last) => self.members.get(last).map_or(0, |member| member.next),
            None => self.firsts.get(cursor.field.index()).copied().unwrap_or(0),
        }
    }
}
