//! Answers that count for a while, so that a busy client does not become the load of whoever is asked.
//!
//! What is kept is bounded in number and in time, and nothing here decides: a question whose answer is not kept is asked again.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Answers for a while, and not more than so many.
#[derive(Debug)]
pub struct Kept<K, V> {
    answers: HashMap<K, (V, Instant)>,
    fresh: Duration,
    most: usize,
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    /// None yet; each counts for `fresh`, and at most `most` are kept.
    pub fn new(fresh: Duration, most: usize) -> Self {
        Self { answers: HashMap::new(), fresh, most }
    }

    /// The answer, if it still counts.
    pub fn get(&self, key: &K) -> Option<V> {
        self.answers.get(key).filter(|(_, since)| since.elapsed() < self.fresh).map(|(value, _)| value.clone())
    }

    /// Keeps an answer, from now on.
    pub fn put(&mut self, key: K, value: V) {
        if self.answers.len() >= self.most {
            let fresh = self.fresh;
            self.answers.retain(|_, (_, since)| since.elapsed() < fresh);
        }
        // So many within that time: they are asked again rather than kept.
        if self.answers.len() < self.most {
            self.answers.insert(key, (value, Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_for_a_while_and_not_without_bound() {
        let fresh = Duration::from_secs(10);
        let mut kept = Kept::new(fresh, 100);
        kept.put(0, "a");
        tokio::time::advance(fresh - Duration::from_secs(1)).await;
        assert_eq!(kept.get(&0), Some("a"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(kept.get(&0), None);
        for key in 0..200 {
            kept.put(key, "b");
        }
        assert_eq!(kept.answers.len(), 100);
    }
}
