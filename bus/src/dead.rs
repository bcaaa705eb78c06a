//! Dead letters: counting them by reason, looking at them, and what ends them.
//!
//! Counting reads no bodies: a letter's reason stands in a header, so that only headers cross the wire. The tally is kept and continued: an overview
//! reads the letters that came since the last one, and at most [`STEP`] of them.

mod letters;
mod requeue;

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::StreamExt;

use crate::Bus;
use crate::counts::is_reason;
use crate::publish::REASON;
use crate::topology::DEAD;

pub use letters::{Letter, LetterError, LetterFilter, LetterPage, LetterSummary};

/// Letters that one overview reads at most.
const STEP: usize = 20_000;
/// Kinds of letters that are told apart at most.
const KINDS: usize = 256;

/// Dead letters in the stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetters {
    /// How many there are.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of each service and reason. Past 256 kinds, the rest is `other`.
    pub reasons: BTreeMap<(String, String), u64>,
    /// Whether `reasons` covers all of them: reading a long stream takes several overviews.
    pub complete: bool,
}

/// The letters counted so far: all that the stream has, up to the last one counted.
#[derive(Debug, Default)]
pub(crate) struct DeadTally {
    /// Messages that had gone from the stream. Where others have gone by now than those that were taken out here, the tally is void.
    removed: u64,
    /// The last message counted.
    last: u64,
    reasons: BTreeMap<(String, String), u64>,
}

impl Bus {
    pub(crate) async fn dead_letters(&self) -> Result<DeadLetters, async_nats::Error> {
        let mut tally = self.dead_tally().lock().await;
        let stream = self.jetstream().get_stream(DEAD).await?;
        let state = &stream.cached_info().state;
        let removed = state.last_sequence.saturating_sub(state.messages);
        if removed != tally.removed || state.last_sequence < tally.last {
            *tally = DeadTally { removed, ..DeadTally::default() };
        }
        let unread = state.messages.saturating_sub(tally.counted());
        if unread > 0 {
            let wanted = usize::try_from(unread).unwrap_or(STEP).min(STEP);
            let consumer = stream.create_consumer(headers_from(tally.last + 1)).await?;
            let mut letters = consumer.fetch().max_messages(wanted).expires(Duration::from_secs(2)).messages().await?;
            while let Some(letter) = letters.next().await {
                let letter = letter?;
                tally.last = letter.info()?.stream_sequence;
                tally.count(&letter);
            }
        }
        Ok(DeadLetters {
            messages: state.messages,
            bytes: state.bytes,
            reasons: tally.reasons.clone(),
            complete: tally.counted() >= state.messages,
        })
    }
}

/// Reads the letters' headers from this sequence on, and leaves nothing at the broker.
fn headers_from(start_sequence: u64) -> pull::Config {
    pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ack_policy: AckPolicy::None,
        headers_only: true,
        inactive_threshold: Duration::from_secs(10),
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    }
}

impl DeadTally {
    fn count(&mut self, letter: &async_nats::Message) {
        let mut key = kind(letter.subject.as_str(), letter.headers.as_ref());
        if self.reasons.len() >= KINDS && !self.reasons.contains_key(&key) {
            key = other();
        }
        *self.reasons.entry(key).or_default() += 1;
    }

    /// Takes a letter out that was removed from the stream.
    fn take(&mut self, sequence: u64, kind: (String, String)) {
        self.removed += 1;
        if sequence > self.last {
            return;
        }
        // Without others it is certain what it was counted as.
        let certain = !self.reasons.contains_key(&other());
        match self.reasons.get_mut(&kind).filter(|_| certain) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => drop(self.reasons.remove(&kind)),
            None => *self = Self::default(),
        }
    }

    fn counted(&self) -> u64 {
        self.reasons.values().sum()
    }
}

/// Service and reason of a letter, as its subject and its header have them.
fn kind(subject: &str, headers: Option<&HeaderMap>) -> (String, String) {
    let service = subject.split('.').nth(2).unwrap_or_default();
    let reason = headers.and_then(|headers| headers.get(REASON)).map(|reason| reason.as_str());
    let reason = reason.filter(|reason| is_reason(reason)).unwrap_or("unknown");
    (service.to_owned(), reason.to_owned())
}

fn other() -> (String, String) {
    ("other".to_owned(), "other".to_owned())
}
