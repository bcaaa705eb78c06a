//! Messages as they are delivered: decoded, with what is needed to acknowledge them.

use std::future::Future;
use std::time::Duration;

use async_nats::Request;
use async_nats::jetstream::{self, AckKind};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use vedette_proto::bus::v1::{AlertResult, ArchiveResult, EventBatch, IngestCounts};

use crate::connect::went_down;
use crate::counts::parse_requeued;
use crate::publish::{COUNTS, MESSAGE_ID, REQUEUED, is_batch_id};
use crate::pull::{Pulled, Puller, give_back};
use crate::topology::{events_stream, is_label};
use crate::{Bus, DecodeError, Kind, MAX_RAW_BYTES, Trace, decode, parse_counts};

/// Bytes that are asked for at once over all partitions, where none of them needs more for its largest message: each asks
/// for at least [`MAX_PAYLOAD`](crate::MAX_PAYLOAD), and up to twice what it asks for may wait to be taken.
const PREFETCH_BYTES: usize = 16 * 1024 * 1024;

/// How long a confirmation is waited for …
const CONFIRMED: Duration = Duration::from_secs(5);
/// … and for a message that came by an earlier connection.
const CONFIRMED_LATE: Duration = Duration::from_secs(1);

/// One delivery of one message. Dropped without [`ack`](Self::ack), it comes again after `ack_wait`.
#[derive(Debug)]
pub struct Delivery<T> {
    /// The message, or what could not be decoded.
    pub message: Result<T, Undecodable>,
    /// The id of the event message that this is, or is the result of: the key of its books. A message without a usable one is
    /// undecodable, and called after its place in the stream.
    pub batch: String,
    /// The cluster, as the subject names it. A message whose subject names none, or another than it does itself, is
    /// undecodable; the former are all of the cluster `unknown`.
    pub cluster: String,
    /// What ingest counted; only event messages carry it (results hold it themselves).
    pub counts: IngestCounts,
    /// How many times this message has been delivered, this time included.
    pub delivered: i64,
    /// The stream that it is in.
    pub stream: String,
    /// Its place there.
    pub sequence: u64,
    /// Messages that this consumer has not been given yet.
    pub pending: u64,
    /// Bytes of the message as the broker has it.
    pub bytes: usize,
    /// What it was published in.
    pub trace: Trace,
    acker: Acker,
}

/// A message that could not be decoded.
#[derive(Debug)]
pub struct Undecodable {
    /// Why.
    pub error: DecodeError,
    /// The message as the broker has it.
    pub payload: Bytes,
}

/// Why a delivery is not known to be acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// There is no connection, or it broke before the broker confirmed.
    #[error("acknowledge message {sequence} of {stream}: the broker is away")]
    Away {
        /// The stream.
        stream: String,
        /// The message.
        sequence: u64,
    },
    /// The broker did not confirm.
    #[error("acknowledge message {sequence} of {stream}")]
    Unconfirmed {
        /// The stream.
        stream: String,
        /// The message.
        sequence: u64,
        /// Why.
        source: async_nats::RequestError,
    },
    /// The broker could not be told.
    #[error("report on message {sequence} of {stream}")]
    Unsent {
        /// The stream.
        stream: String,
        /// The message.
        sequence: u64,
        /// Why.
        source: async_nats::PublishError,
    },
}

#[derive(Debug, Clone)]
struct Acker {
    bus: Bus,
    subject: async_nats::Subject,
    /// Of the connection that the message came by.
    epoch: u64,
}

impl<T> Delivery<T> {
    /// Acknowledges the message, and waits until the broker has confirmed that: it does not come again.
    ///
    /// # Errors
    /// If the connection is down or breaks, or no confirmation comes: within 5 seconds, or within one for a message that came by
    /// an earlier connection. The message may then be delivered again.
    pub async fn ack(&self) -> Result<(), AckError> {
        let Acker { bus, subject, epoch } = &self.acker;
        let mut link = bus.link();
        let known = *link.borrow();
        if !known.up {
            return Err(self.away());
        }
        // A broker that was killed may not know of the delivery any more, and says nothing then.
        let patience = if known.epoch == *epoch { CONFIRMED } else { CONFIRMED_LATE };
        let request = Request::new().payload(AckKind::Ack.into()).timeout(Some(patience));
        tokio::select! {
            biased;
            answer = bus.client().send_request(subject.clone(), request) => match answer {
                Ok(_) => Ok(()),
                Err(source) => {
                    Err(AckError::Unconfirmed { stream: self.stream.clone(), sequence: self.sequence, source })
                }
            },
            () = went_down(&mut link, known) => Err(self.away()),
        }
    }

    /// Tells the broker that the message is being worked on: its `ack_wait` starts again.
    ///
    /// # Errors
    /// If the broker cannot be told.
    pub async fn progress(&self) -> Result<(), AckError> {
        self.tell(AckKind::Progress).await
    }

    /// Gives the message back, to be delivered again after `delay`.
    ///
    /// # Errors
    /// If the broker cannot be told. It then comes again after `ack_wait`.
    pub async fn retry(&self, delay: Duration) -> Result<(), AckError> {
        self.tell(AckKind::Nak(Some(delay))).await
    }

    /// Runs `work`, and reports progress as often as needed to keep the message from being delivered to someone else.
    pub async fn during<F: Future>(&self, work: F) -> F::Output {
        let mut ticks = tokio::time::interval(self.acker.bus.config().ack_wait() / 3);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.reset();
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                output = &mut work => return output,
                _ = ticks.tick() => {
                    if let Err(error) = self.progress().await {
                        tracing::debug!(%error, "could not report progress");
                    }
                }
            }
        }
    }

    fn away(&self) -> AckError {
        AckError::Away { stream: self.stream.clone(), sequence: self.sequence }
    }

    async fn tell(&self, kind: AckKind) -> Result<(), AckError> {
        let bus = &self.acker.bus;
        if !bus.connected() {
            // Said after a reconnection, it would be late: queued until then, it would only be in the way.
            return Err(self.away());
        }
        bus.client().publish(self.acker.subject.clone(), kind.into()).await.map_err(|source| AckError::Unsent {
            stream: self.stream.clone(),
            sequence: self.sequence,
            source,
        })
    }
}

impl Bus {
    /// The events that `kind`'s durable has not been through, from all partitions in fair order. Never ends; survives the
    /// broker's restarts. Fetches ahead by the configured number of messages.
    pub fn events(&self, kind: Kind) -> BoxStream<'static, Delivery<EventBatch>> {
        let partitions = self.config().partitions;
        let share = (self.config().prefetch / usize::from(partitions)).max(1);
        let bytes = PREFETCH_BYTES / usize::from(partitions);
        let pulls = (0..partitions).map(|partition| {
            let puller = Puller::new(self, &events_stream(partition), kind.as_str(), share, bytes).giving_back();
            messages(puller)
        });
        let bus = self.clone();
        stream::select_all(pulls)
            .then(move |message| deliver(bus.clone(), message, read_events))
            .filter_map(std::future::ready)
            .boxed()
    }

    /// The archive results, as [`events`](Self::events).
    pub fn archive_results(&self) -> BoxStream<'static, Delivery<ArchiveResult>> {
        self.results(Kind::Archive, |result| (&result.batch, &result.cluster))
    }

    /// The alert results, as [`events`](Self::events).
    pub fn alert_results(&self) -> BoxStream<'static, Delivery<AlertResult>> {
        self.results(Kind::Alert, |result| (&result.batch, &result.cluster))
    }

    fn results<T>(&self, kind: Kind, names: Names<T>) -> BoxStream<'static, Delivery<T>>
    where
        T: prost::Message + Default + 'static,
    {
        let puller =
            Puller::new(self, kind.results_stream(), kind.results_durable(), self.config().prefetch, PREFETCH_BYTES)
                .giving_back();
        let bus = self.clone();
        messages(puller)
            .then(move |message| deliver(bus.clone(), message, move |message| read_result::<T>(message, names)))
            .filter_map(std::future::ready)
            .boxed()
    }
}

fn messages(puller: Puller) -> BoxStream<'static, (async_nats::Message, u64)> {
    stream::unfold(puller, |mut puller| async move {
        loop {
            if let Pulled::Message(message, epoch) = puller.next().await {
                return Some(((*message, epoch), puller));
            }
        }
    })
    .boxed()
}

/// A message, its batch and ingest's counts.
type Read<T> = (Result<T, DecodeError>, String, IngestCounts);

/// The batch and the cluster that a result names itself.
type Names<T> = fn(&T) -> (&String, &String);

/// Decodes off the reactor, since a message may unpack to megabytes.
async fn deliver<T, R>(bus: Bus, (message, epoch): (async_nats::Message, u64), read: R) -> Option<Delivery<T>>
where
    T: Send + 'static,
    R: Fn(&async_nats::Message) -> Read<T> + Send + 'static,
{
    let subject = message.reply.clone()?;
    let unread = Unread { bus, subject, held: true };
    let message = jetstream::Message { message, context: unread.bus.jetstream().clone() };
    let (stream, sequence, delivered, pending) = match message.info() {
        Ok(info) => (info.stream.to_owned(), info.stream_sequence, info.delivered, info.pending),
        Err(error) => {
            tracing::warn!(%error, "a message from the broker is no delivery");
            return None;
        }
    };
    let message = message.message;
    let decoded = tokio::task::spawn_blocking(move || {
        let read = read(&message);
        (message, read)
    });
    // Fails only when the runtime ends; reading does not panic.
    let (message, (result, batch, counts)) = decoded.await.ok()?;
    // Without a name of their own, two such messages would be taken for one.
    let batch = if is_batch_id(&batch) { batch } else { format!("{stream}-{sequence}") };
    let cluster = cluster(&message).unwrap_or("unknown").to_owned();
    let bytes = message.payload.len();
    let trace = Trace::of(message.headers.as_ref());
    let payload = message.payload;
    let (bus, subject) = unread.taken();
    Some(Delivery {
        message: result.map_err(|error| Undecodable { error, payload }),
        batch,
        cluster,
        counts,
        delivered,
        stream,
        sequence,
        pending,
        bytes,
        trace,
        acker: Acker { bus, subject, epoch },
    })
}

/// A message that is being decoded: where the stream is dropped meanwhile, it goes back.
struct Unread {
    bus: Bus,
    subject: async_nats::Subject,
    held: bool,
}

impl Unread {
    /// The message goes on to whoever acknowledges it.
    fn taken(mut self) -> (Bus, async_nats::Subject) {
        self.held = false;
        (self.bus.clone(), self.subject.clone())
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if self.held {
            let (bus, subject) = (self.bus.clone(), self.subject.clone());
            self.bus.leave(async move { give_back(&bus, subject).await });
        }
    }
}

/// The cluster that the subject names.
fn cluster(message: &async_nats::Message) -> Result<&str, DecodeError> {
    message.subject.as_str().rsplit('.').next().filter(|name| is_label(name)).ok_or(DecodeError::Subject)
}

fn header<'a>(message: &'a async_nats::Message, name: &'static str) -> Result<&'a str, DecodeError> {
    let headers = message.headers.as_ref();
    headers
        .and_then(|headers| headers.get(name))
        .map(async_nats::HeaderValue::as_str)
        .ok_or(DecodeError::Header { name })
}

/// The message's id, if it can be one.
fn message_id(message: &async_nats::Message) -> Result<&str, DecodeError> {
    let id = header(message, MESSAGE_ID)?;
    let batch = id.rsplit_once('/').map_or(id, |(batch, _)| batch);
    if is_batch_id(batch) { Ok(id) } else { Err(DecodeError::Header { name: MESSAGE_ID }) }
}

fn read_events(message: &async_nats::Message) -> Read<EventBatch> {
    let id = message_id(message);
    let batch = id.as_ref().map(|id| (*id).to_owned()).unwrap_or_default();
    let counts = header(message, COUNTS).and_then(|counts| {
        let counts = parse_counts(counts).map_err(DecodeError::Counts)?;
        match header(message, REQUEUED) {
            Ok(requeued) => parse_requeued(requeued, counts).map_err(DecodeError::Counts),
            Err(_) => Ok(counts),
        }
    });
    let known = counts.as_ref().map(Clone::clone).unwrap_or_default();
    let read = || {
        id?;
        counts?;
        let events = decode::<EventBatch>(&message.payload, MAX_RAW_BYTES)?;
        if events.cluster == cluster(message)? { Ok(events) } else { Err(DecodeError::Subject) }
    };
    (read(), batch, known)
}

fn read_result<T: prost::Message + Default>(message: &async_nats::Message, names: Names<T>) -> Read<T> {
    let read = || {
        let result = decode::<T>(&message.payload, MAX_RAW_BYTES)?;
        let (batch, named) = names(&result);
        if !is_batch_id(batch) {
            return Err(DecodeError::Header { name: MESSAGE_ID });
        }
        if named != cluster(message)? { Err(DecodeError::Subject) } else { Ok(result) }
    };
    let result = read();
    let batch = match &result {
        Ok(result) => names(result).0.clone(),
        // Then the id is all there is: `<batch>/<kind>`.
        Err(_) => {
            let id = message_id(message).unwrap_or_default();
            id.rsplit_once('/').map_or(id, |(batch, _)| batch).to_owned()
        }
    };
    (result, batch, IngestCounts::default())
}
