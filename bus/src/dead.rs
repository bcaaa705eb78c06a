//! Dead letters: counting them by reason, looking at them, and what ends them.
//!
//! Counting reads no bodies: a letter's reason stands in a header, so that only headers cross the wire. The tally is kept and continued: an overview
//! reads the letters that came since the last one, and at most [`STEP`] of them.

mod letters;
mod requeue;

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::StreamExt;

use crate::Bus;
use crate::counts::is_reason;
use crate::publish::REASON;
use crate::topology::DEAD;

pub use letters::{Letter, LetterError, LetterFilter, LetterPage};

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

/// The letters counted so far.
#[derive(Debug, Default)]
pub(crate) struct DeadTally {
    /// The first message of the stream when counting began, and how many behind it were removed by then: letters that were
    /// removed since make the tally void.
    first: u64,
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
        let (first, removed) = (state.first_sequence, state.deleted_count.unwrap_or(0));
        if (first, removed) != (tally.first, tally.removed) || state.last_sequence < tally.last {
            *tally = DeadTally { first, removed, ..DeadTally::default() };
        }
        let unread = state.last_sequence.saturating_sub(tally.last.max(state.first_sequence.saturating_sub(1)));
        if state.messages > 0 && unread > 0 {
            let wanted = usize::try_from(unread).unwrap_or(STEP).min(STEP);
            let consumer = stream
                .create_consumer(pull::Config {
                    deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: tally.last + 1 },
                    ack_policy: AckPolicy::None,
                    headers_only: true,
                    inactive_threshold: Duration::from_secs(10),
                    memory_storage: true,
                    num_replicas: 1,
                    ..pull::Config::default()
                })
                .await?;
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
            complete: state.messages == 0 || tally.last >= state.last_sequence,
        })
    }
}

impl DeadTally {
    fn count(&mut self, letter: &async_nats::Message) {
        let service = letter.subject.as_str().split('.').nth(2).unwrap_or_default();
        let reason = letter.headers.as_ref().and_then(|headers| headers.get(REASON)).map(|reason| reason.as_str());
        let reason = reason.filter(|reason| is_reason(reason)).unwrap_or("unknown");
        let mut key = (service.to_owned(), reason.to_owned());
        if self.reasons.len() >= KINDS && !self.reasons.contains_key(&key) {
            key = ("other".to_owned(), "other".to_owned());
        }
        *self.reasons.entry(key).or_default() += 1;
    }
}
