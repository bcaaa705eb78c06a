//! Publishing with acknowledgement.
//!
//! What a full or absent broker means for the sender is decided by the kind of error, so JetStream's error codes are read
//! here once. While the broker is away nothing is queued: a publish fails at once, and the bytes of those that are under
//! way are counted until the client has let go of them, not merely until their time is up.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{HeaderMap, Request};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{AlertLog, AlertResult, ArchiveResult, Books, DeadLetter, IngestCounts};

use crate::connect::went_down;
use crate::counts::{format_requeued, is_reason};
use crate::topology::{alerts_subject, books_subject, dead_subject, events_subject, is_label, results_subject};
use crate::{Bus, CountsError, Kind, encode, format_counts, trace};

pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";
pub(crate) const COUNTS: &str = "Vedette-Counts";
pub(crate) const REQUEUED: &str = "Vedette-Requeued";
pub(crate) const REASON: &str = "Vedette-Reason";
/// A message id and what services hang on it.
const MAX_ID_BYTES: usize = 256;
/// What a dead letter may have before it is cut: room is left for its headers and envelope.
const MAX_LETTER: usize = crate::MAX_PAYLOAD - 64 * 1024;

/// A message that the broker has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The broker already had a message of this id and kept that one.
    pub duplicate: bool,
}

/// Why a message was not stored, or not known to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The stream is full.
    #[error("the stream of {subject} is full: {detail}")]
    Full {
        /// The subject.
        subject: String,
        /// Only this cluster's share of it is full; others may go on.
        cluster_only: bool,
        /// What JetStream said.
        detail: String,
    },
    /// The broker is away, too slow, or has too much of ours to write already. It may still store the message.
    #[error("the broker did not take the message for {subject}: {reason}")]
    Unavailable {
        /// The subject.
        subject: String,
        /// What is known.
        reason: Unavailable,
    },
    /// The message is larger than the broker takes.
    #[error("the message for {subject} has {bytes} bytes, more than the broker takes")]
    TooLarge {
        /// The subject.
        subject: String,
        /// Its payload.
        bytes: usize,
    },
    /// A name in the message makes no subject or header.
    #[error("the message names {what} that cannot be sent")]
    Name {
        /// What it is.
        what: &'static str,
    },
    /// The counts make no header.
    #[error("write the counts of the message")]
    Counts(#[source] CountsError),
    /// JetStream refused the message for another reason.
    #[error("the broker refused the message for {subject}")]
    Refused {
        /// The subject.
        subject: String,
        /// Why.
        source: async_nats::jetstream::Error,
    },
}

/// How the broker is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unavailable {
    /// There is no connection, or it broke before the answer came.
    Away,
    /// No answer in time.
    TimedOut,
    /// There is no such stream.
    NoStream,
    /// Too many bytes are waiting to be written already.
    Busy,
    /// The answer makes no sense.
    Garbled,
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Away => "it is away",
            Self::TimedOut => "it did not answer in time",
            Self::NoStream => "it has no stream for it",
            Self::Busy => "too much is waiting to be written already",
            Self::Garbled => "its answer makes no sense",
        })
    }
}

impl PublishError {
    /// When trying again may help, and how soon.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Full { .. } => Some(Duration::from_secs(5)),
            Self::Unavailable { .. } => Some(Duration::from_secs(1)),
            Self::Refused { source, .. } if (500..600).contains(&source.code()) => Some(Duration::from_secs(1)),
            Self::Refused { .. } | Self::TooLarge { .. } | Self::Name { .. } | Self::Counts(_) => None,
        }
    }

    /// Whether there is no broker at all at the moment.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable { reason: Unavailable::Away, .. })
    }

    /// A code of a bounded set, for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full { cluster_only: true, .. } => "cluster_full",
            Self::Full { .. } => "full",
            Self::Unavailable { .. } => "unavailable",
            Self::TooLarge { .. } => "too_large",
            Self::Name { .. } | Self::Counts(_) => "malformed",
            Self::Refused { .. } => "refused",
        }
    }
}

/// Packs a dead letter. A payload that neither fits nor compresses is cut, and the letter's detail says so: better than one
/// that can never be delivered nor put away. Nothing can be made of a part of an event, so what goes with it is left out.
pub fn pack_letter(letter: &DeadLetter) -> Bytes {
    let packed = encode(letter);
    if packed.len() <= MAX_LETTER {
        return packed;
    }
    let (bytes, kept) = (letter.payload.len(), MAX_LETTER / 2);
    let detail = format!("{} (the payload is cut: {kept} of {bytes} bytes)", letter.detail);
    let payload = letter.payload.slice(..kept.min(bytes));
    let origin = letter.origin.clone().filter(|origin| matches!(origin, Origin::Alert(_)));
    encode(&DeadLetter { detail, payload, origin, ..letter.clone() })
}

/// A payload that gives its share of the bytes in flight back when the client has written or dropped it.
struct Tracked {
    payload: Bytes,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl Bus {
    /// Publishes the events of a POST (or one part of it), an [`EventBatch`](vedette_proto::bus::v1::EventBatch) as
    /// [`encode`](crate::encode) packs it, and returns when the broker has stored it.
    ///
    /// # Errors
    /// See [`PublishError`]. After [`PublishError::Unavailable`] the message may be stored all the same; the sender's retry
    /// has the same id.
    pub async fn publish_events(
        &self,
        cluster: &str,
        batch_id: &str,
        counts: &IngestCounts,
        compressed: Bytes,
        timeout: Duration,
    ) -> Result<Published, PublishError> {
        let mut headers = headers(batch_id)?;
        headers.insert(COUNTS, format_counts(counts).map_err(PublishError::Counts)?);
        if let Some(requeued) = format_requeued(counts) {
            headers.insert(REQUEUED, requeued);
        }
        trace::write(&mut headers);
        let subject = events_subject(self.config().partitions, label(cluster)?);
        self.publish(subject, headers, compressed, timeout).await
    }

    /// Publishes the archive result of a batch; the first one of a batch counts.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish_archive_result(&self, result: &ArchiveResult) -> Result<Published, PublishError> {
        self.publish_result(Kind::Archive, &result.cluster, &result.batch, encode(result)).await
    }

    /// Publishes the alert result of a batch; the first one of a batch counts.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish_alert_result(&self, result: &AlertResult) -> Result<Published, PublishError> {
        self.publish_result(Kind::Alert, &result.cluster, &result.batch, encode(result)).await
    }

    /// Publishes a result that is [`encode`](crate::encode)d already, for callers that do so off the reactor.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish_result(
        &self,
        kind: Kind,
        cluster: &str,
        batch: &str,
        compressed: Bytes,
    ) -> Result<Published, PublishError> {
        let mut headers = headers(&format!("{batch}/{kind}"))?;
        trace::write(&mut headers);
        let subject = results_subject(kind, label(cluster)?);
        self.publish(subject, headers, compressed, self.config().publish_timeout()).await
    }

    /// Stores what could not be processed. `msg_id` makes a second attempt no second letter.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn dead_letter(&self, letter: &DeadLetter, msg_id: &str) -> Result<Published, PublishError> {
        self.publish_dead_letter(&letter.service, &letter.cluster, &letter.reason, msg_id, pack_letter(letter)).await
    }

    /// Stores a dead letter that [`pack_letter`] has packed already, for callers that hold many.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish_dead_letter(
        &self,
        service: &str,
        cluster: &str,
        reason: &str,
        msg_id: &str,
        packed: Bytes,
    ) -> Result<Published, PublishError> {
        let mut headers = headers(msg_id)?;
        if !is_reason(reason) {
            return Err(PublishError::Name { what: "a reason" });
        }
        headers.insert(REASON, reason);
        let subject = dead_subject(label(service)?, label(cluster)?);
        self.publish(subject, headers, packed, self.config().publish_timeout()).await
    }

    /// Writes down what was applied with one commit.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn write_books(&self, books: &Books) -> Result<(), PublishError> {
        let subject = books_subject(label(&books.service)?, label(&books.cluster)?);
        self.publish(subject, HeaderMap::new(), encode(books), self.config().publish_timeout()).await.map(|_| ())
    }

    /// Writes down what became of the alerts of these batches, or a part of it by number: a second attempt makes no second
    /// message.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn log_alerts(&self, log: &AlertLog, batches: &[&str], part: usize) -> Result<Published, PublishError> {
        let subject = alerts_subject(label(&log.cluster)?);
        let headers = headers(&log_id(batches, part))?;
        self.publish(subject, headers, encode(log), self.config().publish_timeout()).await
    }

    async fn publish(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<Published, PublishError> {
        let deadline = Instant::now() + timeout;
        let unavailable = |reason| PublishError::Unavailable { subject: subject.clone(), reason };
        let mut link = self.link();
        let known = *link.borrow();
        if !known.up {
            return Err(unavailable(Unavailable::Away));
        }
        let bytes = payload.len();
        if bytes > crate::MAX_PAYLOAD {
            return Err(PublishError::TooLarge { subject, bytes });
        }
        let share = Arc::clone(self.in_flight()).acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
        let share = match tokio::time::timeout_at(deadline, share).await {
            Ok(Ok(share)) => share,
            Ok(Err(_)) | Err(_) => return Err(unavailable(Unavailable::Busy)),
        };
        let payload = Bytes::from_owner(Tracked { payload, _share: share });
        let request = Request::new().headers(headers).payload(payload).timeout(None);
        let answer = tokio::select! {
            biased;
            answer = self.client().send_request(subject.clone(), request) => answer,
            // An answer that was under way when the connection broke never comes.
            () = went_down(&mut link, known) => return Err(unavailable(Unavailable::Away)),
            () = tokio::time::sleep_until(deadline) => return Err(unavailable(Unavailable::TimedOut)),
        };
        match answer {
            Ok(message) => read_answer(subject, bytes, &message.payload),
            Err(error) => Err(match error.kind() {
                async_nats::RequestErrorKind::NoResponders => unavailable(Unavailable::NoStream),
                async_nats::RequestErrorKind::MaxPayloadExceeded => PublishError::TooLarge { subject, bytes },
                async_nats::RequestErrorKind::InvalidSubject => PublishError::Name { what: "a subject" },
                async_nats::RequestErrorKind::TimedOut => unavailable(Unavailable::TimedOut),
                async_nats::RequestErrorKind::Other => unavailable(Unavailable::Away),
            }),
        }
    }
}

fn read_answer(subject: String, bytes: usize, answer: &[u8]) -> Result<Published, PublishError> {
    let error = match serde_json::from_slice::<Response<PublishAck>>(answer) {
        Ok(Response::Ok(ack)) => return Ok(Published { duplicate: ack.duplicate }),
        Ok(Response::Err { error }) => error,
        Err(_) => return Err(PublishError::Unavailable { subject, reason: Unavailable::Garbled }),
    };
    let detail = error.to_string();
    Err(match error.error_code() {
        // One code for whatever keeps a message from being stored: only the words tell a full stream.
        ErrorCode::STREAM_STORE_FAILED if detail.contains("per subject") => {
            PublishError::Full { subject, cluster_only: true, detail }
        }
        ErrorCode::STREAM_STORE_FAILED if detail.contains("maximum") => {
            PublishError::Full { subject, cluster_only: false, detail }
        }
        ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED => PublishError::Full { subject, cluster_only: false, detail },
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => PublishError::TooLarge { subject, bytes },
        _ => PublishError::Refused { subject, source: error },
    })
}

/// Whether `text` can be a message id: printable, so that it cannot break out of its header, and short.
fn is_message_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether `text` can be the id of a batch: a message id that leaves room for what is hung on it.
pub(crate) fn is_batch_id(text: &str) -> bool {
    is_message_id(text) && text.len() <= MAX_ID_BYTES / 2
}

/// The message id of a part of the alert log of these batches: many have one that is no longer than that of one.
fn log_id(batches: &[&str], part: usize) -> String {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for batch in batches {
        hash.update(batch.as_bytes());
        // No batch's id has it: they are printable.
        hash.update(b"\n");
    }
    format!("{:032x}/log/{part}", hash.digest128())
}

fn headers(message_id: &str) -> Result<HeaderMap, PublishError> {
    if !is_message_id(message_id) {
        return Err(PublishError::Name { what: "a message id" });
    }
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, message_id);
    Ok(headers)
}

fn label(name: &str) -> Result<&str, PublishError> {
    if is_label(name) { Ok(name) } else { Err(PublishError::Name { what: "a cluster or service" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str) -> Result<Published, PublishError> {
        read_answer("vedette.events.0.default".to_owned(), 10, json.as_bytes())
    }

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(answer(r#"{"stream":"S","seq":1}"#).unwrap(), Published { duplicate: false });
        assert_eq!(answer(r#"{"stream":"S","seq":1,"duplicate":true}"#).unwrap(), Published { duplicate: true });
        let refused =
            |code, words| answer(&format!(r#"{{"error":{{"code":503,"err_code":{code},"description":"{words}"}}}}"#));
        assert_eq!(refused(10077, "maximum bytes exceeded").unwrap_err().code(), "full");
        assert_eq!(refused(10077, "maximum messages per subject exceeded").unwrap_err().code(), "cluster_full");
        assert_eq!(refused(10077, "write failed").unwrap_err().code(), "refused");
        assert_eq!(refused(10023, "insufficient resources").unwrap_err().code(), "full");
        assert_eq!(refused(10054, "message size exceeds maximum allowed").unwrap_err().code(), "too_large");
        assert_eq!(answer("{}").unwrap_err().code(), "unavailable");
    }

    #[test]
    fn the_log_of_other_batches_is_another() {
        let ids = [log_id(&["a", "b"], 0), log_id(&["a", "b"], 1), log_id(&["ab"], 0), log_id(&["b", "a"], 0)];
        assert!(ids.iter().all(|id| is_message_id(id)));
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
        assert_eq!(ids[0], log_id(&["a", "b"], 0));
    }

    #[test]
    fn a_message_id_cannot_break_out_of_its_header() {
        for bad in ["", "a b", "a\r\nNats-Expected-Stream: x", &"a".repeat(257)] {
            assert!(matches!(headers(bad), Err(PublishError::Name { .. })), "{bad:?}");
        }
    }
}
