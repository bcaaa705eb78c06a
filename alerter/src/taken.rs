//! Which batches were begun here, and which receivers have their alerts already.
//!
//! A batch that one receiver could not take comes again for that one; the others have it and need it no second time, and
//! its alerts are counted. This is a memory of this process alone, bounded, and only spares repetitions: what was forgotten
//! is sent again, which the promise of at least once allows and Alertmanager does not notice. More batches are remembered
//! than the broker has out at a time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use vedette_rules::Receiver;

/// Batches remembered.
const LIMIT: usize = 16_384;

/// The memory.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    keys: RandomState,
    receivers: HashMap<String, Vec<u64>>,
    order: VecDeque<String>,
}

impl Taken {
    /// Whether this receiver has this batch. One that is reached differently now counts as another.
    pub(crate) fn has(&self, batch: &str, receiver: &Receiver) -> bool {
        self.receivers.get(batch).is_some_and(|receivers| receivers.contains(&self.key(receiver)))
    }

    /// Remembers a batch. False if it was remembered already.
    pub(crate) fn begin(&mut self, batch: &str) -> bool {
        if self.receivers.contains_key(batch) {
            return false;
        }
        if self.order.len() >= LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.receivers.remove(&oldest);
        }
        self.order.push_back(batch.to_owned());
        self.receivers.insert(batch.to_owned(), Vec::new());
        true
    }

    /// Remembers that this receiver has this batch, which was begun.
    pub(crate) fn note(&mut self, batch: &str, receiver: &Receiver) {
        let key = self.key(receiver);
        if let Some(receivers) = self.receivers.get_mut(batch)
            && !receivers.contains(&key)
        {
            receivers.push(key);
        }
    }

    fn key(&self, receiver: &Receiver) -> u64 {
        self.keys.hash_one((&receiver.name, receiver.kind, &receiver.url))
    }
}

#[cfg(test)]
mod tests {
    use vedette_rules::{Receiver, ReceiverKind};

    use super::{LIMIT, Taken};

    fn receiver(url: &str) -> Receiver {
        Receiver { name: "r".to_owned(), kind: ReceiverKind::Webhook, url: url.to_owned(), ca_bundle: None }
    }

    #[test]
    fn what_a_receiver_has_is_known_for_that_receiver_and_batch_alone() {
        let mut taken = Taken::default();
        assert!(taken.begin("b1"));
        taken.note("b1", &receiver("http://a"));
        taken.note("b1", &receiver("http://b"));
        assert!(taken.has("b1", &receiver("http://a")));
        assert!(taken.has("b1", &receiver("http://b")));
        assert!(!taken.has("b1", &receiver("http://c")), "moved elsewhere");
        assert!(!taken.has("b2", &receiver("http://a")));
        assert!(!taken.begin("b1"), "it is known, and what was noted stays");
        assert!(taken.has("b1", &receiver("http://a")));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut taken = Taken::default();
        for batch in 0..=LIMIT {
            taken.begin(&batch.to_string());
            taken.note(&batch.to_string(), &receiver("http://a"));
        }
        assert!(!taken.has("0", &receiver("http://a")));
        assert!(taken.has("1", &receiver("http://a")));
        assert_eq!((taken.receivers.len(), taken.order.len()), (LIMIT, LIMIT));
    }
}
