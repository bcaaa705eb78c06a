//! Cuts a list that streams in into its items, without building a tree of it.
//!
//! A body is taken in whatever pieces the network makes of it. An item that lies within one piece is handed on as a
//! slice of it; only what is not complete yet is held, and of an item over its limit only the beginning, so that one of
//! them spoils no list. The cutter looks for brackets and strings alone inside an item:
//! whether the item is JSON is for [`crate::event::Event::parse`] to say. Everything outside the items is checked here.

#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;

use crate::{
    MAX_EVENT_BYTES,
    event::EventError,
    level::Dialect,
    scan::{self, Fault, FaultKind},
    text,
};
use value::Finder;

/// A buffer of at most so many bytes is kept for the next item.
const KEPT_BYTES: usize = 64 * 1024;

const SINGLE: &str = "expected a list and found a single event: send it as `{\"kind\":\"EventList\",\"items\":[…]}`";

/// What a cutter takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one item; a larger one is handed on as [`Over`]. With 0, items are counted and nothing of them is held.
    pub item_bytes: usize,
    /// Bytes of any other member of the list, such as `metadata`, or of a member's name.
    pub member_bytes: usize,
}

impl Default for Limits {
    /// 20 MiB an item, 64 KiB for anything else.
    fn default() -> Self {
        Self { item_bytes: 20 * 1024 * 1024, member_bytes: 64 * 1024 }
    }
}

/// One item of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// How the list spells its array.
    pub dialect: Dialect,
    /// The offset of the item's first byte in the body.
    pub offset: u64,
    /// The item's bytes, without white space around them; the first ones alone of an item over its limit.
    pub bytes: &'a [u8],
    /// What is known of an item over its limit.
    pub over: Option<Over>,
}

/// The whole of an item of which only the beginning was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Its bytes.
    pub length: usize,
    /// The BLAKE3 hash of all of them.
    pub hash: [u8; 32],
}

impl Item<'_> {
    /// The bytes of the whole item, as received.
    pub fn length(&self) -> usize {
        self.over.map_or(self.bytes.len(), |over| over.length)
    }
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
    /// A member beside the items is over its limit: to be answered by 413, not 400.
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

/// Cuts one body. After an error the cutter is spent: it must not be given more.
#[derive(Debug)]
pub struct Cutter {
    limits: Limits,
    state: State,
    finder: Option<Finder>,
    /// The beginning of the name, value or item that `finder` follows, from pieces before.
    held: Vec<u8>,
    /// The item that `finder` follows is over its limit; `held` are its first bytes.
    over: Option<Beyond>,
    /// The offset in the body of the next byte, and of the first one of what `finder` follows.
    offset: u64,
    start: u64,
    dialect: Option<Dialect>,
    /// There are members of an event where a list has its items.
    looks_single: bool,
}

/// An item whose end has not come yet, over its limit.
#[derive(Debug)]
struct Beyond {
    length: usize,
    hasher: Box<blake3::Hasher>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// A name, or the brace that ends an empty list.
    FirstName,
    Name,
    Colon(Role),
    Value(Role),
    AfterValue,
    /// An item, or the bracket that ends an empty array.
    FirstItem,
    Item,
    AfterItem,
    End,
}

/// What a member is to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Items,
    Kind,
    Other,
}

impl Cutter {
    /// A cutter at the beginning of a body.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Start,
            finder: None,
            held: Vec::new(),
            over: None,
            offset: 0,
            start: 0,
            dialect: None,
            looks_single: false,
        }
    }

    /// Feeds the next piece of the body; calls `item` for each item that is complete with it, in order.
    ///
    /// # Errors
    /// [`ListError`] as soon as the body can be no list of events any more.
    pub fn push(&mut self, chunk: &[u8], item: &mut dyn FnMut(Item<'_>)) -> Result<(), ListError> {
        let mut rest = chunk;
        while let Some(first) = rest.first() {
            let Some(finder) = &mut self.finder else {
                if !matches!(first, b' ' | b'\n' | b'\r' | b'\t') {
                    self.step(*first)?;
                    if self.finder.is_some() {
                        self.start = self.offset;
                        continue;
                    }
                }
                rest = self.advance(rest, 1);
                continue;
            };
            let Some(length) = finder.feed(rest) else {
                self.hold(rest)?;
                self.advance(rest, rest.len());
                return Ok(());
            };
            self.finder = None;
            let part = rest.get(..length).unwrap_or_default();
            if self.held.is_empty() && self.over.is_none() && length <= self.limit() {
                self.complete(part, item)?;
            } else {
                self.hold(part)?;
                let mut whole = std::mem::take(&mut self.held);
                self.complete(&whole, item)?;
                if whole.capacity() <= KEPT_BYTES {
                    whole.clear();
                    self.held = whole;
                }
            }
            rest = self.advance(rest, length);
        }
        Ok(())
    }

    /// The bytes of memory held for what is not complete yet.
    pub fn held(&self) -> usize {
        self.held.capacity()
    }

    /// From now on items are counted alone: nothing of them is held.
    pub fn hold_no_items(&mut self) {
        self.limits.item_bytes = 0;
        if self.state == State::Item && self.finder.is_some() {
            self.held = Vec::new();
        }
    }

    /// Says that the body has ended.
    ///
    /// # Errors
    /// [`ListError`] where it ended too early, or was no list of events.
    pub fn finish(self) -> Result<Dialect, ListError> {
        match (self.state, self.dialect) {
            (State::End, Some(dialect)) => Ok(dialect),
            (State::End, None) if self.looks_single => Err(self.not_list(SINGLE)),
            (State::End, None) => {
                Err(self.not_list("expected an array of events, `items` or `Items`, and found neither"))
            }
            (State::Start, _) => {
                Err(self.error(ListErrorCode::Empty, "expected a list of events and found an empty body"))
            }
            _ => Err(self.syntax("expected the rest of the list, and the body ends")),
        }
    }

    fn advance<'a>(&mut self, rest: &'a [u8], by: usize) -> &'a [u8] {
        self.offset += by as u64;
        rest.get(by..).unwrap_or_default()
    }

    /// Takes one byte between names, values and items; where one of those begins, sets the finder on it.
    fn step(&mut self, byte: u8) -> Result<(), ListError> {
        match (self.state, byte) {
            (State::Start, b'{') => self.state = State::FirstName,
            (State::FirstName | State::Name, b'"') => self.finder = Finder::start(byte),
            (State::FirstName, b'}') | (State::AfterValue, b'}') => self.state = State::End,
            (State::Colon(role), b':') => self.state = State::Value(role),
            (State::Value(Role::Items), b'[') => self.state = State::FirstItem,
            (State::Value(Role::Items), _) => {
                return Err(self.not_list("expected the list's items to be an array; an empty one is `[]`"));
            }
            (State::FirstItem, b']') | (State::AfterItem, b']') => self.state = State::AfterValue,
            (State::FirstItem | State::Item | State::Value(_), _) => {
                self.finder = Finder::start(byte);
                if self.finder.is_none() {
                    return Err(self.syntax("expected a value"));
                }
                if self.state == State::FirstItem {
                    self.state = State::Item;
                }
            }
            (State::AfterValue, b',') => self.state = State::Name,
            (State::AfterItem, b',') => self.state = State::Item,
            (State::Start, _) => return Err(self.no_object(byte)),
            (State::FirstName | State::Name, _) => {
                return Err(self.syntax("expected a member's name in double quotes"));
            }
            (State::Colon(_), _) => return Err(self.syntax("expected `:` after a member's name")),
            (State::AfterValue, _) => return Err(self.syntax("expected `,` or `}`")),
            (State::AfterItem, _) => return Err(self.syntax("expected `,` or `]`")),
            (State::End, _) => {
                return Err(self.syntax("expected nothing after the list: one list makes one body"));
            }
        }
        Ok(())
    }

    /// Takes what the finder has found whole.
    fn complete(&mut self, bytes: &[u8], item: &mut dyn FnMut(Item<'_>)) -> Result<(), ListError> {
        self.state = match self.state {
            State::Item => {
                let over =
                    self.over.take().map(|over| Over { length: over.length, hash: over.hasher.finalize().into() });
                if let Some(dialect) = self.dialect {
                    item(Item { dialect, offset: self.start, bytes, over });
                }
                State::AfterItem
            }
            State::Value(role) => {
                self.check(bytes)?;
                if role == Role::Kind {
                    self.kind(bytes)?;
                }
                State::AfterValue
            }
            _ => State::Colon(self.name(bytes)?),
        };
        Ok(())
    }

    /// The role of the member of this name, quotes included.
    fn name(&mut self, quoted: &[u8]) -> Result<Role, ListError> {
        self.check(quoted)?;
        let name = unquote(quoted);
        let dialect = match &*name {
            "items" => Dialect::Kubernetes,
            "Items" => Dialect::KubeSphere,
            "kind" => return Ok(Role::Kind),
            name => {
                self.looks_single |= ["auditID", "verb", "requestURI"].iter().any(|own| own.eq_ignore_ascii_case(name));
                return Ok(Role::Other);
            }
        };
        if self.dialect.replace(dialect).is_some() {
            return Err(self.not_list_at(self.start, "expected one array of events and found a second one"));
        }
        Ok(Role::Items)
    }

    fn kind(&self, value: &[u8]) -> Result<(), ListError> {
        match value {
            b"null" => Ok(()),
            _ if value.first() == Some(&b'"') => match &*unquote(value) {
                "EventList" => Ok(()),
                "Event" => Err(self.not_list_at(self.start, SINGLE)),
                kind => {
                    let kind: String = kind.chars().take(64).collect();
                    Err(self.not_list_at(self.start, &format!("expected the kind `EventList` and found `{kind}`")))
                }
            },
            _ => Err(self.not_list_at(self.start, "expected `kind` to be the string `EventList`")),
        }
    }

    /// Holds the beginning of what is not complete yet. The buffer grows by quarters and to no more than the limit: a
    /// large item must not take twice its size.
    fn hold(&mut self, bytes: &[u8]) -> Result<(), ListError> {
        let (length, limit) = (self.held.len() + bytes.len(), self.limit());
        if self.over.is_some() || length > limit {
            return self.pass(bytes);
        }
        if length > self.held.capacity() {
            let quarter = self.held.capacity() + self.held.capacity() / 4;
            self.held.reserve_exact(length.max(quarter.min(limit)) - self.held.len());
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes more of an item than may be held: only its beginning stays, the rest is counted and hashed.
    fn pass(&mut self, bytes: &[u8]) -> Result<(), ListError> {
        if self.state != State::Item {
            let limit = self.limits.member_bytes;
            let message = format!("expected a member beside the events to have at most {limit} bytes");
            return Err(ListError { code: ListErrorCode::TooLarge, offset: self.start, message });
        }
        let over = self.over.get_or_insert_with(|| {
            let mut hasher = Box::new(blake3::Hasher::new());
            hasher.update(&self.held);
            Beyond { length: self.held.len(), hasher }
        });
        over.length += bytes.len();
        over.hasher.update(bytes);
        let kept = self.limits.item_bytes.min(MAX_EVENT_BYTES);
        if self.held.len() > kept {
            self.held.truncate(kept);
            self.held.shrink_to_fit();
        }
        let more = bytes.get(..kept - self.held.len()).unwrap_or(bytes);
        self.held.reserve_exact(more.len());
        self.held.extend_from_slice(more);
        Ok(())
    }

    /// The bytes that what `finder` follows may have.
    fn limit(&self) -> usize {
        if self.state == State::Item { self.limits.item_bytes } else { self.limits.member_bytes }
    }

    /// What stands beside the items must be JSON too.
    fn check(&self, bytes: &[u8]) -> Result<(), ListError> {
        let (at, message) = match std::str::from_utf8(bytes) {
            Err(error) => (error.valid_up_to(), "expected UTF-8"),
            Ok(_) => match scan::check(bytes) {
                Ok(()) => return Ok(()),
                Err(Fault { kind: FaultKind::Expected(what) | FaultKind::Ends(what), at }) => {
                    let offset = self.start + at as u64;
                    return Err(ListError { code: ListErrorCode::Syntax, offset, message: format!("expected {what}") });
                }
                Err(Fault { kind: FaultKind::TooDeep, at }) => (at, "expected at most 128 levels of nesting"),
            },
        };
        Err(ListError { code: ListErrorCode::Syntax, offset: self.start + at as u64, message: message.to_owned() })
    }

    /// The body's first byte is not an object's.
    fn no_object(&self, byte: u8) -> ListError {
        match byte {
            b'[' => self.not_list("expected an object with an array `items`, and found an array alone"),
            b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.not_list("expected an object with an array `items`, and found another value")
            }
            0x1f => self.syntax("expected JSON and found what may be gzip: say so in `Content-Encoding`"),
            0xef => self.syntax("expected JSON without a byte order mark"),
            _ => self.syntax("expected JSON: an object with an array `items`"),
        }
    }

    fn syntax(&self, message: &str) -> ListError {
        self.error(ListErrorCode::Syntax, message)
    }

    fn not_list(&self, message: &str) -> ListError {
        self.error(ListErrorCode::NotList, message)
    }

    fn not_list_at(&self, offset: u64, message: &str) -> ListError {
        ListError { code: ListErrorCode::NotList, offset, message: message.to_owned() }
    }

    fn error(&self, code: ListErrorCode, message: &str) -> ListError {
        ListError { code, offset: self.offset, message: message.to_owned() }
    }
}

impl ListError {
    /// The error of a list whose item is no JSON.
    pub fn in_item(item_offset: u64, error: &EventError) -> Self {
        Self { code: ListErrorCode::Syntax, offset: item_offset + error.offset as u64, message: error.kind.to_string() }
    }
}

/// The text of a string that [`scan::check`] has accepted.
fn unquote(quoted: &[u8]) -> Cow<'_, str> {
    text::decode(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default(), true)
}
