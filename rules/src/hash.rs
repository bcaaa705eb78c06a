//! A hash that is quick on short things.
//!
//! Looking up what an event holds among what rules ask for takes no key: an event can only ask for what is there, and so cannot make
//! a table slow. What rules are compiled with takes one, since whoever writes rules chooses all that is there.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Makes hashers that all begin alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoldState(u64);

/// Multiplies eight bytes at a time to twice their length and folds the product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold(u64);

impl FoldState {
    /// With a key that nobody knows beforehand.
    pub(crate) fn keyed() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl Default for FoldState {
    /// Without a key.
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3)
    }
}

impl BuildHasher for FoldState {
    type Hasher = Fold;

    #[inline]
    fn build_hasher(&self) -> Fold {
        Fold(self.0)
    }
}

impl Fold {
    #[inline]
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Fold {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = rest.len() as u64;
        for byte in rest {
            last = last << 8 | u64::from(*byte);
        }
        self.add(last);
    }

    /// What ends a string: its length is in its last word.
    #[inline]
    fn write_u8(&mut self, _: u8) {}

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.add(u64::from(number));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
