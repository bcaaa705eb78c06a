//! Requeuing a dead letter: what is in it is published once more, as the message that its service could not do with.
//!
//! The message has one event, match or alert, and counts of its own: whatever it was received, evaluated or raised with stays in the
//! books of the message that it first came in, so here it counts as requeued, and every equation of the books has that on the
//! side of what came in. Its name is made of the letter's, so that it is one message however often this is done: first the
//! broker has it, then the letter goes. Killed in between, the letter stays, and requeuing it again is found out by the broker,
//! or, later than it remembers, by whoever knows the event or the batch.

use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{
    AlertCounts, AlertResult, ArchiveCounts, ArchiveMatch, ArchiveResult, DeadLetter, Event, EventBatch, IngestCounts,
};

use super::{Letter, LetterError};
use crate::publish::is_batch_id;
use crate::{Bus, PublishError, Published, encode};

/// What is kept of the name of the letter's message: a letter of a requeued message has a longer one each time.
const NAME: usize = 100;

impl Bus {
    /// Publishes what is in a letter once more, and removes the letter. Gives the letter back.
    ///
    /// # Errors
    /// See [`LetterError`]. The letter is then still there, or was dealt with already.
    pub async fn requeue_letter(&self, sequence: u64) -> Result<Letter, LetterError> {
        let read = self.letter(sequence).await?;
        let Some(origin) = read.letter.origin.clone().filter(|_| read.stays.is_none()) else {
            return Err(LetterError::Stays { sequence, why: read.stays.unwrap_or(INCOMPLETE) });
        };
        if matches!(origin, Origin::Event(_)) {
            self.ready().await.map_err(LetterError::NotReady)?;
        }
        let published = self.publish_again(sequence, &read.letter, origin).await;
        published.map_err(|source| LetterError::Publish { sequence, source })?;
        // As its subject and its header have it.
        let kind = (read.letter.service.clone(), read.letter.reason.clone());
        match self.remove_letter(&self.dead_stream().await?, sequence, kind).await {
            // Somebody else requeued it at the same time.
            Ok(()) | Err(LetterError::Missing(_)) => Ok(read),
            Err(error) => Err(error),
        }
    }

    async fn publish_again(
        &self,
        sequence: u64,
        letter: &DeadLetter,
        origin: Origin,
    ) -> Result<Published, PublishError> {
        let (cluster, batch) = (letter.cluster.clone(), name(&letter.batch, sequence));
        match origin {
            Origin::Event(event) => {
                let events = EventBatch {
                    cluster: cluster.clone(),
                    received_unix_nanos: event.received_unix_nanos,
                    generation: event.generation,
                    events: vec![Event { id: event.id, json: letter.payload.clone() }],
                };
                let counts = IngestCounts {
                    published: 1,
                    requeued: 1,
                    requeued_alert_only: event.alert_only.into(),
                    ..IngestCounts::default()
                };
                let timeout = self.config().publish_timeout();
                self.publish_events(&cluster, &batch, &counts, encode(&events), timeout).await
            }
            Origin::Match(found) => {
                self.publish_archive_result(&ArchiveResult {
                    batch,
                    cluster,
                    received_unix_nanos: found.received_unix_nanos,
                    generation: found.generation,
                    counts: Some(ArchiveCounts { requeued: 1, ..ArchiveCounts::default() }),
                    matches: vec![ArchiveMatch { id: found.id, json: letter.payload.clone(), rules: found.rules }],
                    ..ArchiveResult::default()
                })
                .await
            }
            Origin::Alert(raised) => {
                self.publish_alert_result(&AlertResult {
                    batch,
                    cluster,
                    received_unix_nanos: raised.received_unix_nanos,
                    generation: raised.generation,
                    counts: Some(AlertCounts { requeued: 1, ..AlertCounts::default() }),
                    alerts: raised.alert.into_iter().collect(),
                })
                .await
            }
        }
    }
}

const INCOMPLETE: &str = "it does not hold all that it takes: its payload was cut, or an earlier version wrote it";

/// Why a letter can't be requeued, if it can't.
pub(super) fn stays(letter: &DeadLetter) -> Option<&'static str> {
    match &letter.origin {
        Some(Origin::Alert(raised)) if raised.alert.is_none() => Some(INCOMPLETE),
        Some(_) => None,
        None if letter.service == "ingest" => {
            Some("ingest could not read it as an event: it must be put right where it came from, and sent again")
        }
        None if letter.reason.starts_with("undecodable") => Some("nobody could read the message that it is"),
        None => Some(INCOMPLETE),
    }
}

/// The batch of a requeued letter: of its own name and the name of its message.
fn name(batch: &str, sequence: u64) -> String {
    let batch = if is_batch_id(batch) { batch.get(..NAME).unwrap_or(batch) } else { "letter" };
    format!("{batch}+{sequence}")
}

#[cfg(test)]
mod tests {
    use super::{is_batch_id, name};

    #[test]
    fn the_name_of_a_requeued_letter_is_the_name_of_a_batch() {
        assert_eq!(name("b1", 7), "b1+7");
        assert_eq!(name("", 7), "letter+7");
        assert_eq!(name("a\nb", 7), "letter+7");
        let mut longest = "b".repeat(128);
        for sequence in [u64::MAX, 1, u64::MAX] {
            longest = name(&longest, sequence);
            assert!(is_batch_id(&longest) && longest.ends_with(&format!("+{sequence}")), "{longest}");
        }
    }
}
