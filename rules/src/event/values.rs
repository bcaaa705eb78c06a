//! The values that were taken from an event, by slot: what they are and where they stand, nothing copied but decoded strings.

use super::escape;
use super::layout::SlotId;
use crate::derived::Made;
use crate::program::DerivedPath;

/// The values of one event; reused from event to event.
#[derive(Debug, Default)]
pub(crate) struct Values {
    entries: Vec<Entry>,
    /// The values of each slot, in the order of the event.
    slots: Vec<Chain>,
    /// Which event's chains count.
    stamp: u32,
    decoded: String,
}

/// A value that was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) slot: SlotId,
    next: u32,
    start: u32,
    end: u32,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    Text,
    /// Text that had escapes, or was made of others.
    Decoded,
    /// A number that was made of others.
    Made,
    List,
    Object,
}

#[derive(Debug, Clone, Copy, Default)]
struct Chain {
    stamp: u32,
    first: u32,
    last: u32,
}

/// A value as a test sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar<'v> {
    Null,
    Bool(bool),
    /// Its text.
    Number(&'v str),
    Text(&'v str),
    /// The text of a list as a whole; its elements are values of their own.
    List(&'v str),
    /// Its text.
    Object(&'v str),
}

/// How many values are taken from one event: more than twice what the longest one holds, so that only rules that name very many ways
/// into one long list come to it. What is beyond cannot be decided, and is an error.
const LIMIT: usize = 1 << 23;

/// No entry.
const NONE: u32 = u32::MAX;

impl Values {
    /// Forgets the last event.
    pub(super) fn start(&mut self, slots: usize) {
        self.entries.clear();
        self.decoded.clear();
        self.decoded.shrink_to(1 << 20);
        self.entries.shrink_to(1 << 15);
        if self.slots.len() < slots {
            self.slots.resize(slots, Chain::default());
        }
        self.stamp = match self.stamp.checked_add(1) {
            Some(stamp) => stamp,
            None => {
                self.slots.fill(Chain::default());
                1
            }
        };
    }

    /// Adds a value; `start` and `end` are those of its text.
    #[inline]
    pub(super) fn add(&mut self, slot: SlotId, kind: Kind, start: usize, end: usize) {
        // An event is shorter than 4 GiB, and so are its decoded strings.
        let (start, end, place) = (start as u32, end as u32, self.entries.len() as u32);
        let Some(chain) = self.slots.get_mut(slot.index()) else { return };
        if chain.stamp != self.stamp {
            *chain = Chain { stamp: self.stamp, first: place, last: place };
        } else {
            let last = std::mem::replace(&mut chain.last, place);
            if let Some(last) = self.entries.get_mut(last as usize) {
                last.next = place;
            }
        }
        self.entries.push(Entry { slot, next: NONE, start, end, kind });
    }

    /// Decodes a string; gives where that stands.
    pub(super) fn decode(&mut self, raw: &str) -> (usize, usize) {
        let start = self.decoded.len();
        escape::decode(raw, &mut self.decoded);
        (start, self.decoded.len())
    }

    /// Makes the value of a derived field; `text` is the event's.
    pub(super) fn derive(&mut self, text: &str, field: &DerivedPath) {
        let texts = |source| {
            let slot = field.sources.get(source).copied().map(SlotId::of);
            let values = slot.into_iter().flat_map(|slot| self.of(slot));
            values.filter_map(|entry| match self.scalar(text, entry) {
                Scalar::Text(text) => Some(text),
                _ => None,
            })
        };
        let (made, kind) = match field.derived.derive(texts) {
            Some(Made::Text(text)) => (text, Kind::Decoded),
            Some(Made::Number(text)) => (text, Kind::Made),
            None => return,
        };
        let start = self.decoded.len();
        self.decoded.push_str(&made);
        self.add(SlotId::of(field.path), kind, start, self.decoded.len());
    }

    /// The value that was added as number `place`.
    #[inline]
    pub(crate) fn entry(&self, place: usize) -> Option<Entry> {
        self.entries.get(place).copied()
    }

    /// The values of a slot, in the order of the event.
    pub(crate) fn of(&self, slot: SlotId) -> impl Iterator<Item = Entry> + '_ {
        self.placed(slot).map(|(_, entry)| entry)
    }

    /// The values of a slot with the numbers that they were added as.
    pub(crate) fn placed(&self, slot: SlotId) -> impl Iterator<Item = (u32, Entry)> + '_ {
        let chain = self.slots.get(slot.index()).filter(|chain| chain.stamp == self.stamp);
        let mut next = chain.map_or(NONE, |chain| chain.first);
        std::iter::from_fn(move || {
            let (place, entry) = (next, self.entry(next as usize)?);
            next = entry.next;
            Some((place, entry))
        })
    }

    /// Whether the value that was added as number `place` is the first of its slot.
    pub(crate) fn is_first(&self, place: u32, slot: SlotId) -> bool {
        self.slots.get(slot.index()).is_some_and(|chain| chain.stamp == self.stamp && chain.first == place)
    }

    /// A value; `text` is the event's.
    #[inline]
    pub(crate) fn scalar<'v>(&'v self, text: &'v str, entry: Entry) -> Scalar<'v> {
        let within = |text: &'v str| text.get(entry.start as usize..entry.end as usize).unwrap_or_default();
        match entry.kind {
            Kind::Null => Scalar::Null,
            Kind::True => Scalar::Bool(true),
            Kind::False => Scalar::Bool(false),
            Kind::Number => Scalar::Number(within(text)),
            Kind::Made => Scalar::Number(within(&self.decoded)),
            Kind::Text => Scalar::Text(within(text)),
            Kind::Decoded => Scalar::Text(within(&self.decoded)),
            Kind::List => Scalar::List(within(text)),
            Kind::Object => Scalar::Object(within(text)),
        }
    }

    /// Where the text of a value starts in the event.
    pub(super) fn start_of(entry: Entry) -> usize {
        entry.start as usize
    }

    /// Whether there is no room for another value.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= LIMIT
    }

    /// The number that the next value will have, for [`Self::set_end`].
    pub(super) fn mark(&self) -> usize {
        self.entries.len()
    }

    /// Sets the end of the `count` values from number `mark` on.
    pub(super) fn set_end(&mut self, mark: usize, count: usize, end: usize) {
        for entry in self.entries.iter_mut().skip(mark).take(count) {
            entry.end = end as u32;
        }
    }
}
