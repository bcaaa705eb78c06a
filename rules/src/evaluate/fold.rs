//! A hash for looking up what an event holds among what rules ask for.
//!
//! It takes no key: what is in a table comes from the rules, and an event can only ask for it. So an event cannot make a table slow.

use std::hash::{BuildHasher, Hasher};

/// Makes hashers that all begin alike.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FoldState;

/// Multiplies eight bytes at a time to twice their length and folds the product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fold(u64);

impl BuildHasher for FoldState {
    type Hasher = Fold;

    #[inline]
    fn build_hasher(&self) -> Fold {
        Fold(0x243f_6a88_85a3_08d3)
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
    fn finish(&self) -> u64 {
        self.0
    }
}
