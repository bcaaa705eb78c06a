//! A set of rules that gives them out in order: a bit for each, and above 64 bits one that says whether any of them is set.

#[derive(Debug, Default)]
pub(super) struct Candidates {
    bits: Vec<u64>,
    /// A bit for each of `bits` that is not 0.
    summary: Vec<u64>,
}

impl Candidates {
    /// Empties the set and makes room for the rules before `end`.
    pub(super) fn start(&mut self, end: usize) {
        while self.pop().is_some() {}
        let words = end.div_ceil(64);
        if self.bits.len() < words {
            self.bits.resize(words, 0);
            self.summary.resize(words.div_ceil(64), 0);
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, rule: u32) {
        let word = (rule / 64) as usize;
        let Some(bits) = self.bits.get_mut(word) else { return };
        *bits |= 1 << (rule % 64);
        if let Some(summary) = self.summary.get_mut(word / 64) {
            *summary |= 1 << (word % 64);
        }
    }

    /// Takes out the first.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<u32> {
        let (high, summary) = self.summary.iter_mut().enumerate().find(|(_, summary)| **summary != 0)?;
        let word = high * 64 + summary.trailing_zeros() as usize;
        let bits = self.bits.get_mut(word)?;
        let bit = bits.trailing_zeros();
        *bits &= bits.wrapping_sub(1);
        if *bits == 0 {
            *summary &= summary.wrapping_sub(1);
        }
        u32::try_from(word).ok().map(|word| word * 64 + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::Candidates;

    #[test]
    fn rules_come_out_in_order_and_once() {
        let mut candidates = Candidates::default();
        candidates.start(10_000);
        let rules = [9_999, 0, 63, 64, 4_095, 4_096, 64, 5_000];
        rules.iter().for_each(|rule| candidates.insert(*rule));
        let taken: Vec<_> = std::iter::from_fn(|| candidates.pop()).collect();
        assert_eq!(taken, [0, 63, 64, 4_095, 4_096, 5_000, 9_999]);
        candidates.insert(70);
        candidates.start(100);
        assert_eq!(candidates.pop(), None);
    }
}
