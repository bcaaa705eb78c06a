//! Looking at dead letters, newest first, and discarding them.
//!
//! JetStream goes through a stream from the oldest message on, so a page is looked for in windows that go back from where the
//! last one ended: the headers of a window say which letters are meant, and only the bodies of those cross the wire. How much a
//! window holds is known before it is read; one that holds too much is made smaller, and where little is found the next is
//! larger, so that neither a dense stream nor one with long gaps costs much. A page costs a bounded amount of work: it may
//! be short or empty and still say where to go on.

use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use futures::StreamExt;
use vedette_proto::bus::v1::DeadLetter;

use super::{headers_from, kind, requeue};
use crate::counts::is_reason;
use crate::publish::REASON;
use crate::topology::{DEAD, NotReady, is_label};
use crate::{Bus, MAX_RAW_BYTES, PublishError, decode};

/// Letters of one window at most …
const WINDOW: u64 = 4_096;
/// … and sequence numbers of the first one at least.
const NARROW: u64 = 64;
/// Headers that one page reads at most, but for the last window …
const READ: usize = 20_000;
/// … and windows that it tries.
const TRIES: u32 = 48;
/// Bodies of one page as the broker has them; a single one may have more.
const BODIES: usize = 32 << 20;
/// Headers that are asked for at a time.
const FETCH: u64 = 512;
/// What `headers_only` says of the body.
const SIZE: &str = "Nats-Msg-Size";

/// Which letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Of this service alone.
    pub service: Option<String>,
    /// For this reason alone.
    pub reason: Option<String>,
    /// Of this cluster alone.
    pub cluster: Option<String>,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Its place in the stream, which is its name.
    pub sequence: u64,
    /// As the service wrote it. One that can't be read holds its bytes as the payload.
    pub letter: DeadLetter,
    /// Why it can't be requeued.
    pub stays: Option<&'static str>,
}

/// A dead letter without what is in it: pages of those would take gigabytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterSummary {
    /// Its place in the stream, which is its name.
    pub sequence: u64,
    /// Who wrote it.
    pub service: String,
    /// The cluster that it is of.
    pub cluster: String,
    /// Why it is one: a code of a bounded set.
    pub reason: String,
    /// The same in words.
    pub detail: String,
    /// When it was written.
    pub unix_nanos: i64,
    /// The message that it came in.
    pub batch: String,
    /// Bytes of its payload.
    pub bytes: u64,
    /// Why it can't be requeued.
    pub stays: Option<&'static str>,
}

/// Some letters, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LetterPage {
    /// The letters.
    pub letters: Vec<LetterSummary>,
    /// Where to go on: below this sequence. None after the oldest.
    pub next: Option<u64>,
}

/// Why nothing could be done with letters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LetterError {
    /// There is no letter of this sequence, any more.
    #[error("there is no dead letter {0}")]
    Missing(u64),
    /// It can't be requeued.
    #[error("dead letter {sequence} can't be requeued: {why}")]
    Stays {
        /// The letter.
        sequence: u64,
        /// Why.
        why: &'static str,
    },
    /// JetStream could not be asked.
    #[error("ask the broker about dead letters")]
    Ask(#[source] async_nats::Error),
    /// Events can't be published yet.
    #[error("wait for the event streams")]
    NotReady(#[source] NotReady),
    /// What was in it could not be published.
    #[error("publish what is in dead letter {sequence}")]
    Publish {
        /// The letter.
        sequence: u64,
        /// Why.
        source: PublishError,
    },
}

/// What the header tells of a letter.
struct Head {
    sequence: u64,
    bytes: usize,
}

/// The letters of the filter's subject from a place on.
struct Window {
    consumer: Consumer<pull::Config>,
    /// How many there are.
    pending: u64,
}

impl LetterFilter {
    fn subject(&self) -> String {
        let token = |name: &Option<String>| name.clone().unwrap_or_else(|| "*".to_owned());
        format!("vedette.dead.{}.{}", token(&self.service), token(&self.cluster))
    }

    /// Whether there can be such letters: no service, cluster or reason is called otherwise.
    fn is_possible(&self) -> bool {
        let names = [&self.service, &self.cluster];
        names.into_iter().flatten().all(|name| is_label(name)) && self.reason.iter().all(|reason| is_reason(reason))
    }

    fn takes(&self, message: &async_nats::Message) -> bool {
        let Some(wanted) = &self.reason else { return true };
        header(message, REASON).is_some_and(|reason| reason == wanted)
    }
}

impl Letter {
    fn read(message: StreamMessage) -> Self {
        let letter = decode::<DeadLetter>(&message.payload, MAX_RAW_BYTES).unwrap_or_else(|error| {
            let mut names = message.subject.as_str().split('.').skip(2).map(str::to_owned);
            DeadLetter {
                service: names.next().unwrap_or_default(),
                cluster: names.next().unwrap_or_default(),
                reason: message.headers.get(REASON).map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
                detail: format!("the letter itself can't be read: {error}"),
                unix_nanos: i64::try_from(message.time.unix_timestamp_nanos()).unwrap_or_default(),
                payload: message.payload.clone(),
                ..DeadLetter::default()
            }
        });
        Self { sequence: message.sequence, stays: requeue::stays(&letter), letter }
    }

    /// The letter without what is in it.
    pub fn summary(&self) -> LetterSummary {
        let Self { sequence, letter, stays } = self;
        LetterSummary {
            sequence: *sequence,
            service: letter.service.clone(),
            cluster: letter.cluster.clone(),
            reason: letter.reason.clone(),
            detail: letter.detail.clone(),
            unix_nanos: letter.unix_nanos,
            batch: letter.batch.clone(),
            bytes: letter.payload.len() as u64,
            stays: *stays,
        }
    }
}

impl Bus {
    /// Letters below a sequence, newest first, at most `limit`. May be fewer, even none, where more are to come.
    ///
    /// # Errors
    /// [`LetterError::Ask`].
    pub async fn letters(
        &self,
        filter: &LetterFilter,
        below: Option<u64>,
        limit: usize,
    ) -> Result<LetterPage, LetterError> {
        if !filter.is_possible() {
            return Ok(LetterPage::default());
        }
        let stream = self.dead_stream().await?;
        let (heads, next) = heads(&stream, filter, below, limit).await.map_err(LetterError::Ask)?;
        let mut page = LetterPage { letters: Vec::with_capacity(heads.len()), next };
        for head in heads {
            match read(&stream, head.sequence, |letter| letter.summary()).await {
                Ok(letter) => page.letters.push(letter),
                // Somebody dealt with it meanwhile.
                Err(LetterError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// The letter of this sequence.
    ///
    /// # Errors
    /// [`LetterError::Missing`] or [`LetterError::Ask`].
    pub async fn letter(&self, sequence: u64) -> Result<Letter, LetterError> {
        read(&self.dead_stream().await?, sequence, |letter| letter).await
    }

    /// Removes a letter for good: the broker writes over its bytes.
    ///
    /// # Errors
    /// [`LetterError::Missing`] or [`LetterError::Ask`].
    pub async fn discard_letter(&self, sequence: u64) -> Result<(), LetterError> {
        let stream = self.dead_stream().await?;
        let message = stream.get_raw_message(sequence).await.map_err(|error| unread(sequence, error))?;
        let kind = kind(message.subject.as_str(), Some(&message.headers));
        self.remove_letter(&stream, sequence, kind).await
    }

    /// Removes a letter of this kind from the stream and from what was counted.
    pub(super) async fn remove_letter(
        &self,
        stream: &Stream,
        sequence: u64,
        kind: (String, String),
    ) -> Result<(), LetterError> {
        // Nobody may count between the two.
        let mut tally = self.dead_tally().lock().await;
        let Err(error) = stream.delete_message(sequence).await else {
            tally.take(sequence, kind);
            return Ok(());
        };
        drop(tally);
        // The broker has one code for what is not there and what it can't remove.
        stream.get_raw_message(sequence).await.map_err(|error| unread(sequence, error))?;
        Err(LetterError::Ask(error.into()))
    }

    pub(super) async fn dead_stream(&self) -> Result<Stream, LetterError> {
        self.jetstream().get_stream(DEAD).await.map_err(|error| LetterError::Ask(error.into()))
    }
}

/// Reads a letter, and keeps of it what is wanted.
async fn read<T: Send + 'static>(stream: &Stream, sequence: u64, kept: fn(Letter) -> T) -> Result<T, LetterError> {
    let message = stream.get_raw_message(sequence).await.map_err(|error| unread(sequence, error))?;
    // Off the reactor, since a letter may unpack to megabytes.
    let letter = tokio::task::spawn_blocking(move || kept(Letter::read(message))).await;
    letter.map_err(|error| LetterError::Ask(error.into()))
}

fn unread(sequence: u64, error: async_nats::jetstream::stream::RawMessageError) -> LetterError {
    match error.kind() {
        LastRawMessageErrorKind::NoMessageFound => LetterError::Missing(sequence),
        _ => LetterError::Ask(error.into()),
    }
}

/// The heads of a page, and where the next one begins.
async fn heads(
    stream: &Stream,
    filter: &LetterFilter,
    below: Option<u64>,
    limit: usize,
) -> Result<(Vec<Head>, Option<u64>), async_nats::Error> {
    let state = &stream.cached_info().state;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    if state.messages == 0 {
        return Ok((found, None));
    }
    let end = state.last_sequence.saturating_add(1);
    let mut below = below.unwrap_or(end).min(end);
    // What lies beyond the windows: letters that came or went since make it a guess, on which only the windows' size depends.
    let mut beyond = if below < end { window(stream, filter, below).await?.close(stream).await } else { 0 };
    let (mut span, mut headers, mut tries) = ((limit as u64).clamp(NARROW, WINDOW), 0, 0);
    while below > state.first_sequence && headers < READ && tries < TRIES {
        tries += 1;
        let from = below.saturating_sub(span).max(state.first_sequence);
        let window = window(stream, filter, from).await?;
        let held = window.pending.saturating_sub(beyond);
        if held > WINDOW && span > WINDOW {
            window.close(stream).await;
            span = (span / 4).max(WINDOW);
            continue;
        }
        let read = window.read(filter, below, held).await?;
        headers += read.headers;
        beyond = window.close(stream).await;
        for head in read.heads.into_iter().rev() {
            if found.len() == limit || (bytes.saturating_add(head.bytes) > BODIES && !found.is_empty()) {
                return Ok((found, Some(below)));
            }
            bytes = bytes.saturating_add(head.bytes);
            below = head.sequence;
            found.push(head);
        }
        below = from;
        span = span.saturating_mul(4);
    }
    Ok((found, Some(below).filter(|below| *below > state.first_sequence)))
}

async fn window(stream: &Stream, filter: &LetterFilter, from: u64) -> Result<Window, async_nats::Error> {
    let config = pull::Config { filter_subject: filter.subject(), ..headers_from(from) };
    let consumer = stream.create_consumer(config).await?;
    let pending = consumer.cached_info().num_pending;
    Ok(Window { consumer, pending })
}

/// What a window held.
struct Read {
    /// Those that the filter takes, oldest first.
    heads: Vec<Head>,
    headers: usize,
}

impl Window {
    /// Reads what is below this sequence, supposedly `held` letters.
    async fn read(&self, filter: &LetterFilter, below: u64, held: u64) -> Result<Read, async_nats::Error> {
        let mut read = Read { heads: Vec::new(), headers: 0 };
        let mut left = self.pending;
        // One more than is supposed to be there: it says that there is no other.
        let mut wanted = held.saturating_add(1).min(FETCH);
        while left > 0 {
            let batch = usize::try_from(wanted).unwrap_or(1);
            let mut messages =
                self.consumer.fetch().max_messages(batch).expires(Duration::from_secs(2)).messages().await?;
            let before = read.headers;
            while let Some(message) = messages.next().await {
                let message = message?;
                let info = message.info()?;
                read.headers += 1;
                if info.stream_sequence >= below {
                    return Ok(read);
                }
                left = info.pending;
                if filter.takes(&message) {
                    let bytes = header(&message, SIZE).and_then(|size| size.parse().ok()).unwrap_or(0);
                    read.heads.push(Head { sequence: info.stream_sequence, bytes });
                }
                if left == 0 {
                    return Ok(read);
                }
            }
            if read.headers == before {
                // They went meanwhile, or the broker is slow: a window that is read in part would hide letters.
                let left = self.consumer.get_info().await?.num_pending;
                if left > 0 {
                    return Err("the broker did not deliver the headers in time".into());
                }
                return Ok(read);
            }
            wanted = FETCH;
        }
        Ok(read)
    }

    /// Lets the broker forget it; gives how many letters there were from it on.
    async fn close(self, stream: &Stream) -> u64 {
        // It goes by itself after a while.
        let _ = stream.delete_consumer(&self.consumer.cached_info().name).await;
        self.pending
    }
}

fn header<'a>(message: &'a async_nats::Message, name: &'static str) -> Option<&'a str> {
    message.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
}
