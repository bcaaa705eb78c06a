//! A filter that says of most new ids at once that they are new.
//!
//! Every document written has to be looked up, since the same event can come in another POST at any time, and a look-up in
//! each segment's term dictionary costs more than indexing. This is a Bloom filter over the ids of a day: what it does
//! not know is new; what it knows (one new id in some 200, and every id that is there) is looked up. It grows by adding
//! filters of four times the size; a day of ten million events takes 20 MB.

const FIRST_CAPACITY: usize = 1 << 16;
const BITS_PER_KEY: usize = 12;
const PROBES: u64 = 6;

#[derive(Default)]
pub(super) struct Filter {
    layers: Vec<Layer>,
}

struct Layer {
    words: Vec<u64>,
    capacity: usize,
    len: usize,
}

impl Filter {
    /// Adds a key; keys are the first halves of ids and as good as random already.
    pub(super) fn insert(&mut self, key: u64) {
        if self.layers.last().is_none_or(|layer| layer.len == layer.capacity) {
            let capacity = self.layers.last().map_or(FIRST_CAPACITY, |layer| layer.capacity.saturating_mul(4));
            self.layers.push(Layer { words: vec![0; capacity * BITS_PER_KEY / 64], capacity, len: 0 });
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(key);
        }
    }

    /// Whether the key may have been added; never false for one that was.
    pub(super) fn may_contain(&self, key: u64) -> bool {
        self.layers.iter().any(|layer| layer.may_contain(key))
    }
}

impl Layer {
    fn insert(&mut self, key: u64) {
        let count = self.words.len() as u64;
        for (word, bit) in probes(key, count) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
        self.len += 1;
    }

    fn may_contain(&self, key: u64) -> bool {
        probes(key, self.words.len() as u64).all(|(word, bit)| self.words.get(word).is_none_or(|word| word & bit != 0))
    }
}

/// The word and the bit of each probe, by double hashing.
fn probes(key: u64, words: u64) -> impl Iterator<Item = (usize, u64)> {
    let bits = words.max(1) * 64;
    let step = (key ^ (key >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..PROBES).map(move |probe| {
        let at = key.wrapping_add(probe.wrapping_mul(step)) % bits;
        ((at / 64) as usize, 1 << (at % 64))
    })
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::{FIRST_CAPACITY, Filter};

    #[test]
    fn knows_what_was_added_and_little_else() {
        let mut filter = Filter::default();
        let count = 3 * FIRST_CAPACITY as u64;
        let key = |n: u64| xxh3_64(&n.to_le_bytes());
        (0..count).for_each(|n| filter.insert(key(n)));
        assert!((0..count).all(|n| filter.may_contain(key(n))));
        let wrong = (count..2 * count).filter(|n| filter.may_contain(key(*n))).count() as u64;
        assert!(wrong * 50 < count, "{wrong} of {count}");
    }
}
