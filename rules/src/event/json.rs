//! A reader of JSON that gives out slices, skips without building anything, and never recurses by itself.

use std::borrow::Cow;

use super::DEPTH_LIMIT;
use crate::DecideError;

pub(super) struct Reader<'e> {
    text: &'e str,
    at: usize,
    depth: usize,
}

impl<'e> Reader<'e> {
    pub(super) fn new(text: &'e str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn error(&self, message: &str) -> DecideError {
        DecideError { offset: self.at, message: message.to_owned() }
    }

    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<(), DecideError> {
        if self.peek() != Some(byte) {
            return Err(self.error(&format!("expected `{}`", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes the bracket that opens a collection.
    pub(super) fn enter(&mut self) -> Result<(), DecideError> {
        if self.depth >= DEPTH_LIMIT {
            return Err(self.error("the event nests too deep"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Takes what stands before the next element of a collection: its end, which gives true, or the comma after an element.
    pub(super) fn leave(&mut self, close: u8, first: bool) -> Result<bool, DecideError> {
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            self.depth -= 1;
            return Ok(true);
        }
        if !first {
            self.take(b',')?;
            self.space();
        }
        Ok(false)
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), DecideError> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    pub(super) fn number(&mut self) -> Result<&'e str, DecideError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let zero = self.peek() == Some(b'0');
        if self.digits() == 0 {
            self.at = start;
            return Err(self.error("expected a value"));
        }
        if zero && self.at - start > 1 + usize::from(self.text.as_bytes().get(start) == Some(&b'-')) {
            return Err(self.error("a number has no leading zero"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.error("expected a digit"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.error("expected a digit"));
            }
        }
        Ok(self.since(start))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|it| it.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    pub(super) fn since(&self, start: usize) -> &'e str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A string, decoded where it has escapes.
    pub(super) fn string(&mut self) -> Result<Cow<'e, str>, DecideError> {
        let start = self.at + 1;
        let escaped = self.skip_string()?;
        let raw = self.text.get(start..self.at - 1).unwrap_or_default();
        Ok(if escaped { Cow::Owned(decode(raw)) } else { Cow::Borrowed(raw) })
    }

    /// Skips a string; says whether it has escapes, all of which are well formed.
    fn skip_string(&mut self) -> Result<bool, DecideError> {
        self.take(b'"')?;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    let length = match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
                        Some(b'u') if hex(self.text.get(self.at + 1..self.at + 5)).is_some() => 5,
                        _ => return Err(self.error("this escape does not exist")),
                    };
                    self.at += length;
                }
                Some(..=0x1f) => return Err(self.error("a control character stands in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("the event ends in a string")),
            }
        }
    }

    /// Skips one value, whatever it is, and gives its text.
    ///
    /// The open collections are bits, 1 for an object: as many as an event may nest.
    pub(super) fn skip(&mut self) -> Result<&'e str, DecideError> {
        self.space();
        let start = self.at;
        let outer = self.depth;
        let mut objects = 0_u128;
        loop {
            // One value, or the start of one.
            self.space();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    self.enter()?;
                    objects = objects << 1 | u128::from(open == b'{');
                    self.space();
                    let close = if open == b'{' { b'}' } else { b']' };
                    if self.peek() == Some(close) {
                        self.at += 1;
                        self.depth -= 1;
                        objects >>= 1;
                    } else {
                        if open == b'{' {
                            self.name()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => {
                    self.skip_string()?;
                }
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                _ => {
                    self.number()?;
                }
            }
            // What follows a value: the ends of collections, then a comma.
            loop {
                if self.depth == outer {
                    return Ok(self.since(start));
                }
                self.space();
                let close = if objects & 1 == 1 { b'}' } else { b']' };
                if self.peek() != Some(close) {
                    break;
                }
                self.at += 1;
                self.depth -= 1;
                objects >>= 1;
            }
            self.take(b',')?;
            if objects & 1 == 1 {
                self.space();
                self.name()?;
            }
        }
    }

    /// Skips the name of a member and its colon.
    fn name(&mut self) -> Result<(), DecideError> {
        self.skip_string()?;
        self.space();
        self.take(b':')
    }
}

fn hex(digits: Option<&str>) -> Option<u32> {
    let digits = digits.filter(|digits| digits.bytes().all(|it| it.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

/// Decodes the escapes of a string whose escapes are well formed; half of a surrogate pair becomes U+FFFD.
fn decode(raw: &str) -> String {
    let mut decoded = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, escape)) = rest.split_once('\\') {
        decoded.push_str(before);
        let (it, length) = match escape.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => unicode(escape),
            Some(other) => (char::from(*other), 1),
            None => break,
        };
        decoded.push(it);
        rest = escape.get(length..).unwrap_or_default();
    }
    decoded.push_str(rest);
    decoded
}

/// The character of `uXXXX` or `uXXXX\uXXXX` and the length of that.
fn unicode(escape: &str) -> (char, usize) {
    let first = hex(escape.get(1..5)).unwrap_or(0xfffd);
    if (0xd800..0xdc00).contains(&first)
        && escape.get(5..7) == Some("\\u")
        && let Some(second @ 0xdc00..0xe000) = hex(escape.get(7..11))
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 11);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5)
}
