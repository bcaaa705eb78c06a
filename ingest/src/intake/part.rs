//! One message's worth of events.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{BufMut, Bytes};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint},
};
use vedette_audit::{
    EventId, MAX_EVENT_BYTES,
    event::{BadCode, Rewritten},
    identity::BatchHasher,
};
use vedette_proto::bus::v1::{DeadLetter, EventBatch, IngestCounts};

use super::{PART_BYTES, Terms};

/// Bad events of one body that become a letter each: a kube-apiserver's batch. Those of one reason beyond share letters,
/// so that a body of millions of them makes no millions of messages.
const SINGLE_LETTERS: usize = 400;

/// The numbers of the fields in `bus.proto`.
const BATCH_EVENTS: u32 = 4;
const EVENT_ID: u32 = 1;
const EVENT_JSON: u32 = 2;

/// More than [`head`] ever writes: an id of 16 bytes, three keys and three lengths.
const HEAD_BYTES: usize = 64;

/// A part that is being filled.
#[derive(Debug)]
pub(super) struct Part {
    received_bytes: usize,
    names: BatchHasher,
    counts: IngestCounts,
    /// Values that were replaced.
    redacted: u64,
    /// The message so far, encoded.
    message: Vec<u8>,
    letters: Vec<Letter>,
    /// Letters that are shared and have room: one of each reason.
    shared: Vec<Draft>,
    cluster: Arc<str>,
    received_unix_nanos: i64,
}

/// A part that is ready to be published.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its name: the message's id.
    pub(crate) batch: String,
    pub(crate) counts: IngestCounts,
    /// Values that were replaced.
    pub(crate) redacted: u64,
    /// The compressed message.
    pub(crate) message: Bytes,
    pub(crate) letters: Vec<Letter>,
}

/// What can't go on as an event, packed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Which item of its part it is, or the first of those that share it.
    pub(crate) index: u64,
    pub(crate) code: BadCode,
    /// The dead letter as it is stored.
    pub(crate) message: Bytes,
}

/// A letter that is being filled. Its payload is the item verbatim; several with a comma between, as they stood in the
/// list.
#[derive(Debug)]
struct Draft {
    index: u64,
    code: BadCode,
    detail: String,
    payload: Vec<u8>,
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
            redacted: 0,
            message: head.encode_to_vec(),
            letters: Vec::new(),
            shared: Vec::new(),
            cluster: Arc::clone(&terms.cluster),
            received_unix_nanos: terms.received_unix_nanos,
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
        self.message.capacity()
            + self.letters.iter().map(Letter::held).sum::<usize>()
            + self.shared.iter().map(|draft| draft.payload.capacity()).sum::<usize>()
    }

    /// Cuts the next item into the part, whatever becomes of it.
    pub(super) fn receive(&mut self, id: EventId, bytes: usize) {
        self.received_bytes += bytes;
        self.counts.received += 1;
        self.names.push(id);
    }

    /// The item just received, of `length` bytes, goes on as what `write` appends.
    pub(super) fn publish(&mut self, id: EventId, length: usize, write: impl FnOnce(&mut Vec<u8>) -> Rewritten) {
        // Encoded by hand: an event's own message would be allocated and copied only to be copied once more. Lengths stand
        // before what they are of: they are written as if nothing changed, and put right afterwards.
        let out = &mut self.message;
        let start = out.len();
        head(id, length, out);
        let json = out.len();
        let rewritten = write(out);
        let mut right = [0; HEAD_BYTES];
        let mut left = right.as_mut_slice();
        head(id, out.len() - json, &mut left);
        let right_len = HEAD_BYTES - left.len();
        drop(out.splice(start..json, right.into_iter().take(right_len)));
        self.counts.published += 1;
        self.counts.oversize += u64::from(rewritten.oversize);
        self.redacted += rewritten.redacted;
    }

    /// The item just received is dropped.
    pub(super) fn drop_event(&mut self, reason: &'static str) {
        count(&mut self.counts.dropped, reason);
    }

    /// The item just received, of `length` bytes, is the body's `number`th bad one, counted from 1; `item` is it or its
    /// beginning.
    pub(super) fn dead_letter(&mut self, code: BadCode, detail: &str, item: &[u8], length: usize, number: usize) {
        count(&mut self.counts.dead_lettered, code.as_str());
        let index = self.counts.received - 1;
        // The broker takes no more.
        let kept = item.get(..MAX_EVENT_BYTES).unwrap_or(item);
        let mut detail = detail.to_owned();
        if kept.len() < length {
            detail.push_str(&format!("; only the first {} of its {length} bytes are kept", kept.len()));
        }
        if number <= SINGLE_LETTERS || kept.len() >= PART_BYTES {
            self.letters.push(self.pack(Draft { index, code, detail, payload: kept.to_vec() }));
            return;
        }
        let mut draft = Draft { index, code, detail, payload: Vec::new() };
        if let Some(place) = self.shared.iter().position(|shared| shared.code == code) {
            let shared = self.shared.swap_remove(place);
            if shared.payload.len() + kept.len() < PART_BYTES {
                draft = shared;
                draft.payload.push(b',');
            } else {
                self.letters.push(self.pack(shared));
            }
        }
        draft.payload.extend_from_slice(kept);
        self.shared.push(draft);
    }

    /// A letter is packed as soon as it is whole: what can't be read is held no larger than what can.
    fn pack(&self, draft: Draft) -> Letter {
        let letter = DeadLetter {
            service: "ingest".to_owned(),
            cluster: self.cluster.to_string(),
            reason: draft.code.as_str().to_owned(),
            detail: draft.detail,
            unix_nanos: self.received_unix_nanos,
            batch: String::new(),
            payload: draft.payload.into(),
            // Nothing here could be read: only the sender can put it right.
            origin: None,
        };
        Letter { index: draft.index, code: draft.code, message: vedette_bus::pack_letter(&letter) }
    }

    pub(super) fn finish(mut self) -> Finished {
        for draft in std::mem::take(&mut self.shared) {
            self.letters.push(self.pack(draft));
        }
        Finished {
            batch: self.names.finish(),
            counts: self.counts,
            redacted: self.redacted,
            message: vedette_bus::pack(&self.message),
            letters: self.letters,
        }
    }
}

impl Finished {
    pub(crate) fn held(&self) -> usize {
        self.message.len() + self.letters.iter().map(Letter::held).sum::<usize>()
    }

    /// All that is sent of it.
    pub(crate) fn messages(&mut self) -> impl Iterator<Item = &mut Bytes> {
        std::iter::once(&mut self.message).chain(self.letters.iter_mut().map(|letter| &mut letter.message))
    }
}

impl Letter {
    fn held(&self) -> usize {
        size_of::<Self>() + self.message.len()
    }
}

/// What stands before an event's JSON in the message.
fn head(id: EventId, json: usize, out: &mut impl BufMut) {
    let id = id.as_bytes();
    let field = |bytes: usize| 1 + encoded_len_varint(bytes as u64) + bytes;
    encode_key(BATCH_EVENTS, WireType::LengthDelimited, out);
    encode_varint((field(id.len()) + field(json)) as u64, out);
    encode_key(EVENT_ID, WireType::LengthDelimited, out);
    encode_varint(id.len() as u64, out);
    out.put_slice(id);
    encode_key(EVENT_JSON, WireType::LengthDelimited, out);
    encode_varint(json as u64, out);
}

fn count(counts: &mut BTreeMap<String, u64>, reason: &str) {
    match counts.get_mut(reason) {
        Some(count) => *count += 1,
        None => {
            counts.insert(reason.to_owned(), 1);
        }
    }
}
