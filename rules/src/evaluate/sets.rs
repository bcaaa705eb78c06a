//! Sets of small numbers as bits, and lists of numbers to put into them.

/// Numbers that are put into a set together: as a list, or as bits where those take less room.
#[derive(Debug)]
pub(super) enum Posting {
    List(Box<[u32]>),
    /// From the first word on.
    Bits(Box<[u64]>),
}

impl Default for Posting {
    fn default() -> Self {
        Self::List(Box::default())
    }
}

impl Posting {
    /// Of `numbers`, which are sorted.
    pub(super) fn new(numbers: Vec<u32>) -> Self {
        let words = numbers.last().map_or(0, |last| *last as usize / 64 + 1);
        if numbers.len() <= words * 2 {
            return Self::List(numbers.into());
        }
        let mut bits = vec![0; words];
        for number in numbers {
            if let Some(word) = bits.get_mut(number as usize / 64) {
                *word |= 1 << (number % 64);
            }
        }
        Self::Bits(bits.into())
    }
}

/// A set that gives its numbers out in order.
///
/// INVARIANT: a word that is not 0 has its bit in the summary, so that an empty set is found empty at once.
#[derive(Debug, Default)]
pub(super) struct Set {
    bits: Vec<u64>,
    summary: Vec<u64>,
}

impl Set {
    /// Empties the set and makes room for the numbers before `end`.
    pub(super) fn start(&mut self, end: usize) {
        while self.next_word().is_some() {}
        let words = end.div_ceil(64);
        if self.bits.len() < words {
            self.bits.resize(words, 0);
            self.summary.resize(words.div_ceil(64), 0);
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, posting: &Posting) {
        match posting {
            Posting::List(numbers) => {
                numbers.iter().for_each(|number| self.add(*number as usize / 64, 1 << (number % 64)))
            }
            Posting::Bits(words) => words.iter().enumerate().for_each(|(word, bits)| self.add(word, *bits)),
        }
    }

    #[inline]
    fn add(&mut self, word: usize, bits: u64) {
        let (Some(all), Some(summary)) = (self.bits.get_mut(word), self.summary.get_mut(word / 64)) else { return };
        *all |= bits;
        *summary |= u64::from(bits != 0) << (word % 64);
    }

    #[inline]
    pub(super) fn remove(&mut self, number: u32) {
        if let Some(word) = self.bits.get_mut(number as usize / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        let words = self.summary.iter().filter(|summary| **summary != 0).count();
        if words == 0 { 0 } else { self.bits.iter().map(|bits| bits.count_ones() as usize).sum() }
    }

    /// Takes out the first word that is not 0: its place, and its bits.
    #[inline]
    pub(super) fn next_word(&mut self) -> Option<(u32, u64)> {
        for (high, summary) in (0..).zip(&mut self.summary) {
            while *summary != 0 {
                let word = high * 64 + summary.trailing_zeros();
                *summary &= summary.wrapping_sub(1);
                let bits = self.bits.get_mut(word as usize).map(std::mem::take).unwrap_or_default();
                if bits != 0 {
                    return Some((word, bits));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(set: &mut Set) -> Vec<u32> {
        let words = std::iter::from_fn(|| set.next_word());
        let numbers = words
            .flat_map(|(word, bits)| (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit));
        numbers.collect()
    }

    #[test]
    fn numbers_come_out_in_order_and_once() {
        let mut set = Set::default();
        set.start(10_000);
        set.insert(&Posting::new(vec![0, 63, 64, 4_095, 9_999]));
        set.insert(&Posting::new(vec![64, 4_096, 5_000]));
        set.remove(4_095);
        set.remove(7);
        assert_eq!(set.count(), 6);
        assert_eq!(drained(&mut set), [0, 63, 64, 4_096, 5_000, 9_999]);
        set.insert(&Posting::new(vec![70]));
        set.start(100);
        assert_eq!((set.count(), drained(&mut set)), (0, vec![]));
        let dense = Posting::new((0..90).filter(|number| number % 3 == 0).collect());
        assert!(matches!(dense, Posting::Bits(_)));
        set.insert(&dense);
        assert_eq!(drained(&mut set), (0..30).map(|number| number * 3).collect::<Vec<_>>());
    }
}
