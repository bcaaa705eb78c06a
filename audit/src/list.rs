//! Cuts a list that streams in into its items, without building a tree of it.
//!
//! A body is taken in whatever pieces the network makes of it. An item that lies within one piece is handed on as a
//! slice of it; only what is not complete yet is held. The cutter looks for brackets and strings alone inside an item:
//! whether the item is JSON is for [`crate::event::Event::parse`] to say. Everything outside the items is checked here.

mod value;
#[cfg(test)]
mod tests;

use crate::level::Dialect;

/// What a cutter takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one item.
    pub item_bytes: usize,
    /// Bytes of any other member of the list, such as `metadata`, or of a member's name.
    pub member_bytes: usize,
}

impl Default for Limits {
    /// 24 MiB an item, 64 KiB for anything else.
    fn default() -> Self {
        Self { item_bytes: 24 * 1024 * 1024, member_bytes: 64 * 1024 }
    }
}

/// One item of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// How the list spells its array.
    pub dialect: Dialect,
    /// The offset of the item's first byte in the body.
    pub offset: u64,
    /// The item's bytes, without white space around them.
    pub bytes: &'a [u8],
}

/// Why a body is no list of events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at byte {offset}")]
pub struct ListError {
    /// The kind of error, permanent.
    pub code: ListErrorCode,
    /// The offset in the body of the byte that is wrong.
    pub offset: u64,
    /// For people: what was expected and how to make it so.
    pub message: String,
}

/// What is wrong with a body. The codes are permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListErrorCode {
    /// The body is empty.
    Empty,
    /// Not JSON.
    Syntax,
    /// JSON, but no list of events.
    NotList,
    /// An item or another member is over its limit: to be answered by 413, not 400.
    TooLarge,
}

impl ListErrorCode {
    /// The code as it stands in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Syntax => "syntax",
            Self::NotList => "not_list",
            Self::TooLarge => "too_large",
        }
    }
}

/// Cuts one body. After an error the cutter is spent: what it is given further on is ignored.
#[derive(Debug)]
pub struct Cutter {
    limits: Limits,
    dialect: Option<Dialect>,
}

impl Cutter {
    /// A cutter at the beginning of a body.
    pub fn new(limits: Limits) -> Self {
        Self { limits, dialect: None }
    }

    /// Feeds the next piece of the body; calls `item` for each item that is complete with it, in order.
    ///
    /// # Errors
    /// [`ListError`] as soon as the body can be no list of events any more.
    pub fn push(&mut self, chunk: &[u8], item: &mut dyn FnMut(Item<'_>)) -> Result<(), ListError> {
        let _ = (chunk, item, self.limits);
        Ok(())
    }

    /// The bytes held of what is not complete yet.
    pub fn held(&self) -> usize {
        0
    }

    /// Says that the body has ended.
    ///
    /// # Errors
    /// [`ListError`] where it ended too early, or was no list of events.
    pub fn finish(self) -> Result<Dialect, ListError> {
        self.dialect.ok_or(ListError { code: ListErrorCode::Empty, offset: 0, message: String::new() })
    }
}
