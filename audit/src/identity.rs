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

    /// What stands for an item over its limit, by the BLAKE3 hash of its bytes. No item begins with a zero byte, so none
    /// has such an id by chance.
    pub fn of_over(cluster: &str, hash: &[u8; 32]) -> Self {
        let mut hasher = named(cluster);
        hasher.update(&[0]);
        hasher.update(hash);
        Self(finish(&hasher))
    }

    /// The id of a valid item. `types` are the members to leave out, from the separator before each, in order.
    pub(crate) fn of(cluster: &str, item: &[u8], spaced: bool, types: impl Iterator<Item = Range<usize>>) -> Self {
        let mut types = types.peekable();
        if !spaced && types.peek().is_none() {
            let mut hasher = named(cluster);
            hasher.update(item);
            return Self(finish(&hasher));
        }
        let mut normal = Normal { hasher: named(cluster), buffer: [0; BUFFER], filled: 0, begun: 0 };
        let mut from = 0;
        for gap in types {
            normal.take(item.get(from..gap.start).unwrap_or_default(), spaced);
            if normal.begun == 0 {
                // The first member goes: its brace stays, and the next member's comma goes.
                normal.push(b"{");
            }
            from = gap.end;
        }
        normal.take(item.get(from..).unwrap_or_default(), spaced);
        normal.flush();
        Self(finish(&normal.hasher))
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

/// A hasher that has been given what every id of the cluster begins with.
fn named(cluster: &str) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(cluster.as_bytes());
    hasher.update(&[0]);
    hasher
}

/// Bytes that are gathered before they are hashed: BLAKE3 is fast on runs alone.
const BUFFER: usize = 2048;

/// Hashes a valid item as its identity wants it, without a copy of it.
struct Normal {
    hasher: blake3::Hasher,
    buffer: [u8; BUFFER],
    filled: usize,
    /// How many bytes of the item were hashed, up to 2.
    begun: u8,
}

impl Normal {
    /// Takes a piece of the item, cut between tokens.
    fn take(&mut self, piece: &[u8], spaced: bool) {
        if !spaced {
            return self.push(piece);
        }
        let mut at = 0;
        while let Some(byte) = piece.get(at) {
            let length = match byte {
                b' ' | b'\n' | b'\r' | b'\t' => {
                    at += 1;
                    continue;
                }
                b'"' => {
                    let string = piece.get(at..).unwrap_or_default();
                    // A valid item's strings end.
                    Scanner::new(string).string().map_or(string.len(), |span| span.end + 1)
                }
                _ => 1,
            };
            self.push(piece.get(at..at + length).unwrap_or_default());
            at += length;
        }
    }

    /// Takes what is hashed as it is, but for a comma right after the first brace: that of a member that went.
    fn push(&mut self, mut bytes: &[u8]) {
        while self.begun < 2 {
            let Some((first, rest)) = bytes.split_first() else { return };
            if self.begun == 0 || *first != b',' {
                self.begun += 1;
                self.gather(std::slice::from_ref(first));
            }
            bytes = rest;
        }
        self.gather(bytes);
    }

    fn gather(&mut self, bytes: &[u8]) {
        if self.filled + bytes.len() > BUFFER {
            self.flush();
        }
        match self.buffer.get_mut(self.filled..self.filled + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => {
                self.hasher.update(bytes);
            }
        }
    }

    fn flush(&mut self) {
        self.hasher.update(self.buffer.get(..self.filled).unwrap_or_default());
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests;
