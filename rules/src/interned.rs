//! Which number a thing has among the things that were numbered so far.
//!
//! Only numbers are kept here: whoever keeps the things compares them. So a thing that is looked up by what it is need not be there
//! twice, once as a key. The hash is keyed, since what is looked up is written by whoever writes rules.

use std::hash::{BuildHasher, Hash};

use crate::hash::FoldState;

/// Numbers by the hashes of what has them.
#[derive(Debug)]
pub(crate) struct Interned {
    /// The hash, and the number and one more, or 0; a power of two of them, at least half of them free.
    buckets: Vec<(u32, u32)>,
    count: usize,
    state: FoldState,
}

impl Default for Interned {
    fn default() -> Self {
        Self { buckets: vec![(0, 0); 16], count: 0, state: FoldState::keyed() }
    }
}

impl Interned {
    /// The hash of a thing, for [`Self::find`] and [`Self::insert`].
    pub(crate) fn hash(&self, thing: impl Hash) -> u32 {
        let hash = self.state.hash_one(thing);
        (hash ^ hash >> 32) as u32
    }

    /// The number of the thing with this hash; `is` says whether it is that of a number.
    pub(crate) fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let (known, number) = *self.buckets.get(at)?;
            let number = number.checked_sub(1)?;
            if known == hash && is(number) {
                return Some(number);
            }
            at = self.home(at as u32 + 1);
        }
    }

    /// Gives a number to the thing with this hash, which has none.
    pub(crate) fn insert(&mut self, hash: u32, number: u32) {
        self.count += 1;
        if self.count * 2 > self.buckets.len() {
            let grown = vec![(0, 0); self.buckets.len() * 2];
            let old = std::mem::replace(&mut self.buckets, grown);
            old.into_iter().filter(|(_, number)| *number > 0).for_each(|bucket| self.place(bucket));
        }
        self.place((hash, number + 1));
    }

    fn place(&mut self, bucket: (u32, u32)) {
        let mut at = self.home(bucket.0);
        while self.buckets.get(at).is_some_and(|(_, number)| *number > 0) {
            at = self.home(at as u32 + 1);
        }
        if let Some(free) = self.buckets.get_mut(at) {
            *free = bucket;
        }
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Interned;

    #[test]
    fn what_was_numbered_is_found_and_nothing_else() {
        let things: Vec<String> = (0..1_000).map(|number| format!("thing {number}")).collect();
        let mut interned = Interned::default();
        for (number, thing) in (0..).zip(&things) {
            let hash = interned.hash(thing.as_str());
            assert_eq!(interned.find(hash, |known| things[known as usize] == *thing), None);
            interned.insert(hash, number);
        }
        for (number, thing) in (0..).zip(&things) {
            let hash = interned.hash(thing.as_str());
            assert_eq!(interned.find(hash, |known| things[known as usize] == *thing), Some(number));
            assert_eq!(interned.find(hash, |_| false), None);
        }
    }
}
