//! Which event an event is.
//!
//! The identity is the first 16 bytes of BLAKE3 over the cluster's name, a zero byte, and the item as received without
//! white space outside strings and without its top-level members `kind` and `apiVersion` (spelled exactly so) and the
//! comma after each, or before it where it is the last. So it survives pretty-printing and the way from a list into a
//! file of single events, and nothing that a client chooses can make two events one: `Audit-ID` is the client's, and a
//! request has several stages.
//!
//! `testdata/identity.json` holds vectors, `testdata/identity.py` computes them on its own.

use std::{fmt, ops::Range, str::FromStr};

use crate::scan::Scanner;

/// The identity of an event: 16 bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

/// Text that is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 hexadecimal digits")]
pub struct ParseEventIdError;

/// The identity of a batch: computed from what was received alone, so that a resent list has the same whatever the
/// settings have become. It is the BLAKE3-128 of the ids of all the batch's events in order, dropped ones included.
#[derive(Clone, Debug, Default)]
pub struct BatchHasher(blake3::Hasher);

impl EventId {
    /// The id of these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// What stands for an item that is no event in the identity of its batch: as an event's, over the item verbatim.
    pub fn of_bad(cluster: &str, item: &[u8]) -> Self {
        Self::of(cluster, item, false, std::iter::empty())
    }

    /// The id of a valid item. `types` are the members to leave out, from the separator before each, in order.
    pub(crate) fn of(cluster: &str, item: &[u8], spaced: bool, types: impl Iterator<Item = Range<usize>>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(cluster.as_bytes());
        hasher.update(&[0]);
        let mut types = types.peekable();
        if spaced || types.peek().is_some() {
            hasher.update(&normal(item, types));
        } else {
            hasher.update(item);
        }
        Self(finish(&hasher))
    }
}

impl BatchHasher {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next event of the batch.
    pub fn push(&mut self, id: EventId) {
        self.0.update(&id.0);
    }

    /// The batch's identity: 32 hexadecimal digits.
    pub fn finish(&self) -> String {
        hex::encode(finish(&self.0))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

impl FromStr for EventId {
    type Err = ParseEventIdError;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| ParseEventIdError)?;
        Ok(Self(bytes))
    }
}

/// The first 16 bytes of the hash.
fn finish(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// A valid item without white space outside strings and without `types`.
fn normal(item: &[u8], types: impl Iterator<Item = Range<usize>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(item.len());
    let mut from = 0;
    for gap in types {
        compact(item.get(from..gap.start).unwrap_or_default(), &mut out);
        if out.is_empty() {
            // The first member goes: its brace stays, and the next member's comma goes below.
            out.push(b'{');
        }
        from = gap.end;
    }
    compact(item.get(from..).unwrap_or_default(), &mut out);
    if out.get(1) == Some(&b',') {
        out.remove(1);
    }
    out
}

/// Appends a piece of valid JSON, cut between tokens, without white space outside strings.
fn compact(piece: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(byte) = piece.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            b'"' => {
                let string = piece.get(at..).unwrap_or_default();
                let mut scanner = Scanner::new(string);
                // A valid item's strings end.
                let length = scanner.string().map_or(string.len(), |span| span.end + 1);
                out.extend_from_slice(string.get(..length).unwrap_or_default());
                at += length;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
