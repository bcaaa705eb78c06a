//! One message's worth of events.

use std::{cell::RefCell, collections::BTreeMap};

use bytes::Bytes;
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint},
};
use vedette_audit::{EventId, MAX_EVENT_BYTES, event::BadCode, identity::BatchHasher};
use vedette_proto::bus::v1::{EventBatch, IngestCounts};

use super::{PART_BYTES, Terms};

/// Bad events of one body that become a letter each: a kube-apiserver's batch. Those of one reason beyond share letters,
/// so that a body of millions of them makes no millions of messages.
const SINGLE_LETTERS: usize = 400;

/// What [`vedette_bus::encode`] uses: higher levels cost more than they save.
const LEVEL: i32 = 1;

/// The numbers of the fields in `bus.proto`.
const BATCH_EVENTS: u32 = 4;
const EVENT_ID: u32 = 1;
const EVENT_JSON: u32 = 2;

/// A part that is being filled.
#[derive(Debug)]
pub(super) struct Part {
    received_bytes: usize,
    names: BatchHasher,
    counts: IngestCounts,
    /// The message so far, encoded.
    message: Vec<u8>,
    letters: Vec<Letter>,
}

/// A part that is ready to be published.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its name: the message's id.
    pub(crate) batch: String,
    pub(crate) counts: IngestCounts,
    /// The compressed message.
    pub(crate) message: Bytes,
    pub(crate) letters: Vec<Letter>,
}

/// What can't go on as an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Which item of its part it is, or the first of those that share it.
    pub(crate) index: u64,
    pub(crate) code: BadCode,
    pub(crate) detail: String,
    /// The item verbatim; several with a comma between, as they stood in the list.
    pub(crate) payload: Vec<u8>,
    shared: bool,
}

impl Part {
    pub(super) fn new(terms: &Terms) -> Self {
        let head = EventBatch {
            cluster: terms.cluster.to_string(),
            received_unix_nanos: terms.received_unix_nanos,
            generation: terms.generation,
            events: Vec::new(),
        };
        Self {
            received_bytes: 0,
            names: BatchHasher::new(),
            counts: IngestCounts::default(),
            message: head.encode_to_vec(),
            letters: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.received == 0
    }

    /// The bytes of the items cut into it, as received.
    pub(super) fn received_bytes(&self) -> usize {
        self.received_bytes
    }

    pub(super) fn held(&self) -> usize {
        self.message.capacity() + self.letters.iter().map(Letter::held).sum::<usize>()
    }

    /// Cuts the next item into the part, whatever becomes of it.
    pub(super) fn receive(&mut self, id: EventId, bytes: usize) {
        self.received_bytes += bytes;
        self.counts.received += 1;
        self.names.push(id);
    }

    /// The item just received goes on as this event.
    pub(super) fn publish(&mut self, id: EventId, json: &[u8], oversize: bool) {
        self.counts.published += 1;
        self.counts.oversize += u64::from(oversize);
        // Written by hand: an event's own message would be allocated and copied only to be copied once more.
        let (id, out) = (id.as_bytes(), &mut self.message);
        let field = |bytes: usize| 1 + encoded_len_varint(bytes as u64) + bytes;
        encode_key(BATCH_EVENTS, WireType::LengthDelimited, out);
        encode_varint((field(id.len()) + field(json.len())) as u64, out);
        encode_key(EVENT_ID, WireType::LengthDelimited, out);
        encode_varint(id.len() as u64, out);
        out.extend_from_slice(id);
        encode_key(EVENT_JSON, WireType::LengthDelimited, out);
        encode_varint(json.len() as u64, out);
        out.extend_from_slice(json);
    }

    /// The item just received is dropped.
    pub(super) fn drop_event(&mut self, reason: &'static str) {
        count(&mut self.counts.dropped, reason);
    }

    /// The item just received is the body's `number`th bad one, counted from 1.
    pub(super) fn dead_letter(&mut self, code: BadCode, detail: &str, item: &[u8], number: usize) {
        count(&mut self.counts.dead_lettered, code.as_str());
        let shared = number > SINGLE_LETTERS;
        if shared
            && let Some(letter) = self.letters.iter_mut().rev().find(|letter| letter.shared && letter.code == code)
            && letter.payload.len() + item.len() < PART_BYTES
        {
            letter.payload.push(b',');
            letter.payload.extend_from_slice(item);
            return;
        }
        let mut detail = detail.to_owned();
        let payload = match item.get(..MAX_EVENT_BYTES) {
            // The broker takes no more.
            Some(start) if item.len() > MAX_EVENT_BYTES => {
                detail.push_str(&format!("; only the first {MAX_EVENT_BYTES} of its {} bytes are kept", item.len()));
                start.to_vec()
            }
            _ => item.to_vec(),
        };
        self.letters.push(Letter { index: self.counts.received - 1, code, detail, payload, shared });
    }

    pub(super) fn finish(self) -> Finished {
        Finished {
            batch: self.names.finish(),
            counts: self.counts,
            message: compress(&self.message),
            letters: self.letters,
        }
    }
}

impl Finished {
    pub(crate) fn held(&self) -> usize {
        self.message.len() + self.letters.iter().map(Letter::held).sum::<usize>()
    }
}

impl Letter {
    fn held(&self) -> usize {
        size_of::<Self>() + self.payload.capacity() + self.detail.capacity()
    }
}

fn count(counts: &mut BTreeMap<String, u64>, reason: &str) {
    match counts.get_mut(reason) {
        Some(count) => *count += 1,
        None => {
            counts.insert(reason.to_owned(), 1);
        }
    }
}

/// Compresses as [`vedette_bus::encode`] does. A thread's compressor is used again: making one costs as much as
/// compressing a small part.
fn compress(message: &[u8]) -> Bytes {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        #[expect(
            clippy::expect_used,
            reason = "into a buffer of the bound's size, compressing fails only without memory"
        )]
        let mut packed =
            slot.as_mut().and_then(|compressor| compressor.compress(message).ok()).expect("memory for the compressor");
        packed.shrink_to_fit();
        Bytes::from(packed)
    })
}
