//! What can be asked, and the bounds of a question.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use vedette_audit::identity::EventId;

use crate::error::ArchiveError;
use crate::filter::Filter;

/// The last document that a page may reach: `from + size` of a [`Page`].
pub const MAX_WINDOW: u64 = 10_000;
/// Values in one list of a [`Filter`].
pub const MAX_TERMS: usize = 65_536;
/// Characters of a value that is searched for, and of a value that can be found: a longer one is stored and shown, but
/// no filter finds it. So long because it is what the strictest engine can index.
pub const MAX_TEXT: usize = 8_191;
/// Buckets in one histogram.
pub const MAX_BUCKETS: usize = 10_000;
/// Bytes of the documents of one page.
pub const MAX_PAGE_BYTES: usize = 64 << 20;
/// Parts, beginnings or patterns in one list of a [`Filter`].
pub const MAX_PARTS: usize = 256;
/// Conditions in one [`Filter`]; each part, beginning or pattern counts as one, and a list of whole values as one however
/// long it is; those on the actor and on the address count several times, since some documents have them elsewhere. What
/// the strictest engine takes is 1,024 clauses in all.
pub const MAX_CONDITIONS: usize = 1_000;
/// How deep conditions may nest. What the strictest engine takes is 20 levels in all; one condition becomes up to four.
pub const MAX_DEPTH: usize = 16;
/// Different combinations of values that documents are grouped by.
pub const MAX_GROUPS: usize = 65_536;
/// Fields whose facets are asked for at a time.
pub const MAX_FACETS: usize = 8;
/// Groups or values that are given back.
pub const MAX_TOP: usize = 1_000;

/// Which documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The condition that they satisfy.
    pub filter: Filter,
    /// The earliest time, inclusive, in microseconds since the Unix epoch.
    pub start_micros: Option<i64>,
    /// The latest time, inclusive, in microseconds since the Unix epoch.
    pub end_micros: Option<i64>,
}

/// Which part of the documents that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Documents to pass over, counted from the cursor where there is one.
    pub from: u64,
    /// Documents at most.
    pub size: u64,
    /// Newest first, or oldest first.
    pub newest_first: bool,
    /// Only what comes after this place in the order.
    pub after: Option<Cursor>,
    /// Whether to count all documents that match.
    pub total: bool,
}

/// A place in the order of documents: time, then event id. It stays the same place whatever is written meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last document's time in nanoseconds since the Unix epoch: engines that others write to have more than ours.
    pub(crate) time_nanos: i128,
    pub(crate) key: CursorKey,
}

/// What tells documents of one time apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CursorKey {
    /// The event's id.
    Event(EventId),
    /// What a document has that we did not write. The engine's own number for it tells those apart that were written twice.
    Foreign { audit_id: Option<String>, stage: Option<String>, number: i64 },
}

/// Not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a cursor that was given with an answer")]
pub struct CursorError;

impl Default for Page {
    fn default() -> Self {
        Self { from: 0, size: 10, newest_first: true, after: None, total: true }
    }
}

impl Page {
    /// Checks the bounds.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        if self.from.saturating_add(self.size) > MAX_WINDOW {
            return Err(ArchiveError::invalid("size", format!("from + size may be at most {MAX_WINDOW}")));
        }
        Ok(())
    }
}

impl Query {
    /// The documents that satisfy the filter, of any time.
    pub fn of(filter: Filter) -> Self {
        Self { filter, start_micros: None, end_micros: None }
    }

    /// Checks the bounds.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        self.filter.check()
    }
}

impl Cursor {
    /// The place of the document with this time and id.
    pub fn at(time_micros: i64, id: EventId) -> Self {
        Self { time_nanos: i128::from(time_micros) * 1_000, key: CursorKey::Event(id) }
    }

    /// Its time in microseconds since the Unix epoch.
    pub(crate) fn time_micros(&self) -> i64 {
        let micros = self.time_nanos.div_euclid(1_000);
        i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
    }
}

/// `<nanoseconds>.<id>`, or `<nanoseconds>.~<base64url>`: safe in a URL.
impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            CursorKey::Event(id) => write!(out, "{}.{id}", self.time_nanos),
            CursorKey::Foreign { audit_id, stage, number } => {
                let key = serde_json::to_vec(&(audit_id, stage, number)).unwrap_or_default();
                write!(out, "{}.~{}", self.time_nanos, URL_SAFE_NO_PAD.encode(key))
            }
        }
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (time, key) = text.split_once('.').ok_or(CursorError)?;
        let time_nanos = time.parse().map_err(|_| CursorError)?;
        let key = match key.strip_prefix('~') {
            None => CursorKey::Event(key.parse().map_err(|_| CursorError)?),
            Some(key) => {
                let key = URL_SAFE_NO_PAD.decode(key).map_err(|_| CursorError)?;
                let (audit_id, stage, number) = serde_json::from_slice(&key).map_err(|_| CursorError)?;
                CursorKey::Foreign { audit_id, stage, number }
            }
        };
        Ok(Self { time_nanos, key })
    }
}

#[cfg(test)]
mod tests {
    use vedette_audit::identity::EventId;

    use super::{Cursor, CursorKey};

    #[test]
    fn a_cursor_is_read_back_as_it_is_written() {
        let id = EventId::from_bytes([7; 16]);
        let foreign = CursorKey::Foreign { audit_id: Some("a~.b".to_owned()), stage: None, number: 7 };
        for cursor in [Cursor::at(-5, id), Cursor { time_nanos: 12, key: foreign }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "1", "x.y", "1.zz", "1.~x", "1.07070707070707070707070707070707x", "..1"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
