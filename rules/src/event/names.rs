//! The names that paths follow, found by the bytes of a member's name without regard to case.
//!
//! One table for all of them. The hash folds the first and the last eight bytes and the length, which tells apart whatever an event's
//! members are called; a clash costs a comparison more, and how many there can be depends on the rules alone.

use crate::derived::Derived;
use crate::program::{FieldId, FieldTree};

/// Every field below the event by its parent and its name.
#[derive(Debug)]
pub(super) struct Names {
    /// A place in `fields` and one more, or 0; a power of two of them, at least half of them free.
    buckets: Vec<u32>,
    fields: Vec<Named>,
}

#[derive(Debug)]
struct Named {
    parent: FieldId,
    name: Box<[u8]>,
    field: FieldId,
}

impl Names {
    pub(super) fn new(tree: FieldTree) -> Self {
        let named = |(parent, name, field): (_, Box<str>, _)| Named { parent, name: name.into(), field };
        let fields: Vec<_> = tree.into_names().map(named).collect();
        let mut names = Self { buckets: vec![0; (fields.len() * 2 + 1).next_power_of_two()], fields };
        for (place, named) in (1..).zip(&names.fields) {
            // What is made of other fields is never read, whatever an event calls its own.
            if named.parent == FieldId::ROOT && Derived::named(&named.name).is_some() {
                continue;
            }
            let mut at = names.home(named.parent, &named.name);
            while names.buckets.get(at).is_some_and(|bucket| *bucket != 0) {
                at = names.after(at);
            }
            if let Some(bucket) = names.buckets.get_mut(at) {
                *bucket = place;
            }
        }
        names
    }

    /// Every field below the event, each after its parent: its parent, its name in lower case, itself.
    pub(super) fn all(&self) -> impl Iterator<Item = (FieldId, &[u8], FieldId)> {
        self.fields.iter().map(|named| (named.parent, &*named.name, named.field))
    }

    /// The field that a member of `parent` leads to. A name with dots is followed dot by dot, as paths are; `parts` says how many.
    #[inline]
    pub(super) fn find(&self, parent: FieldId, name: &[u8]) -> Option<(FieldId, usize)> {
        match self.child(parent, name) {
            Some(child) => Some((child, 1)),
            None => self.dotted(parent, name),
        }
    }

    fn dotted(&self, parent: FieldId, name: &[u8]) -> Option<(FieldId, usize)> {
        memchr::memchr(b'.', name)?;
        let mut parts = name.split(|byte| *byte == b'.');
        parts.try_fold((parent, 0), |(field, count), part| Some((self.child(field, part)?, count + 1)))
    }

    #[inline]
    fn child(&self, parent: FieldId, name: &[u8]) -> Option<FieldId> {
        let mut at = self.home(parent, name);
        loop {
            let place = (*self.buckets.get(at)? as usize).checked_sub(1)?;
            let named = self.fields.get(place)?;
            if named.parent == parent && named.name.eq_ignore_ascii_case(name) {
                return Some(named.field);
            }
            at = self.after(at);
        }
    }

    #[inline]
    fn home(&self, parent: FieldId, name: &[u8]) -> usize {
        const FOLD: u64 = 0x2020_2020_2020_2020;
        let (first, last) = match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (name.first_chunk(), name.last_chunk()) {
                (Some(first), Some(last)) => {
                    (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
                }
                _ => (name.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
            },
        };
        let mixed = (first | FOLD).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ ((last | FOLD) ^ name.len() as u64).wrapping_mul(0xd6e8_feb8_6659_fd93)
            ^ u64::from(parent.0).wrapping_mul(0xa076_1d64_78bd_642f);
        (mixed ^ mixed >> 32) as usize & (self.buckets.len() - 1)
    }

    #[inline]
    fn after(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.buckets.len() - 1)
    }
}
