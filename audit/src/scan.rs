//! A strict RFC 8259 scanner that validates JSON without building anything.
//!
//! The grammar is walked with an explicit stack of one bit a level, so that neither depth nor size can exhaust the
//! thread's stack. Strings are looked through eight bytes at a time. The caller has checked that the bytes are UTF-8.

/// See [`crate::MAX_DEPTH`].
pub(crate) const MAX_DEPTH: u32 = 128;

/// What stopped the scanner, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// The offset of the offending byte, from the start of the scanned bytes.
    pub(crate) at: usize,
}

/// Why the scanner stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Not JSON: what the grammar wants here.
    Expected(&'static str),
    /// The bytes end inside a value: what the grammar wants here.
    Ends(&'static str),
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
}

/// A string's content between its quotes, as it stands in the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// There are escapes to decode.
    pub(crate) escaped: bool,
}

impl Span {
    /// The raw content in `bytes`.
    pub(crate) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// Who is told what a value is made of while it is taken. Offsets are from the start of the scanned bytes.
pub(crate) trait Visit {
    /// An object or array begins with the bracket at `at`.
    #[inline]
    fn open(&mut self, _object: bool, _at: usize) {}
    /// The innermost object or array has ended.
    #[inline]
    fn close(&mut self) {}
    /// A member's name; its value comes next.
    #[inline]
    fn name(&mut self, _name: Span) {}
    /// A string that is no name.
    #[inline]
    fn string(&mut self, _string: Span) {}
    /// A number.
    #[inline]
    fn number(&mut self, _start: usize, _end: usize) {}
}

/// Nobody.
impl Visit for () {}

/// A cursor over one JSON text.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    pos: usize,
    depth: u32,
    /// One bit a level, the innermost lowest: set for an object.
    stack: u128,
    /// White space stood outside strings.
    pub(crate) spaced: bool,
    /// An escaped UTF-16 surrogate stood without its other half.
    pub(crate) lone_surrogate: bool,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pos: 0, depth: 0, stack: 0, spaced: false, lone_surrogate: false }
    }

    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    /// The next byte that is not white space, without taking it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.pos)?;
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.spaced = true;
            self.pos += 1;
        }
    }

    /// Takes exactly `byte` after any white space.
    pub(crate) fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.pos += 1;
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("nothing after the value")),
        }
    }

    /// Takes the bracket under the cursor and goes one level down.
    #[inline]
    pub(crate) fn open(&mut self, object: bool) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault { kind: FaultKind::TooDeep, at: self.pos });
        }
        self.depth += 1;
        self.stack = (self.stack << 1) | u128::from(object);
        self.pos += 1;
        Ok(())
    }

    /// Takes the bracket under the cursor and goes one level up.
    #[inline]
    pub(crate) fn close(&mut self) {
        self.depth -= 1;
        self.stack >>= 1;
        self.pos += 1;
    }

    /// Takes a member's name and its colon.
    #[inline]
    pub(crate) fn name(&mut self) -> Result<Span, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a member's name in double quotes"));
        }
        let name = self.string()?;
        self.take(b':', "`:` after a member's name")?;
        Ok(name)
    }

    /// Takes a whole value of any kind.
    pub(crate) fn value(&mut self) -> Result<(), Fault> {
        self.visit(&mut ())
    }

    /// The same, telling `visitor` what it is made of.
    pub(crate) fn visit(&mut self, visitor: &mut impl Visit) -> Result<(), Fault> {
        let base = self.depth;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let string = self.string()?;
                    visitor.string(string);
                }
                Some(b'{') => {
                    visitor.open(true, self.pos);
                    self.open(true)?;
                    if self.peek() != Some(b'}') {
                        visitor.name(self.name()?);
                        continue;
                    }
                    self.close();
                    visitor.close();
                }
                Some(b'[') => {
                    visitor.open(false, self.pos);
                    self.open(false)?;
                    if self.peek() != Some(b']') {
                        continue;
                    }
                    self.close();
                    visitor.close();
                }
                Some(b'-' | b'0'..=b'9') => {
                    let start = self.pos;
                    self.number()?;
                    visitor.number(start, self.pos);
                }
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return Err(self.expected("a value")),
            }
            // A value has ended; what it ends in may end with it.
            loop {
                if self.depth == base {
                    return Ok(());
                }
                let object = self.stack & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.pos += 1;
                        if object {
                            visitor.name(self.name()?);
                        }
                        break;
                    }
                    Some(b'}') if object => {
                        self.close();
                        visitor.close();
                    }
                    Some(b']') if !object => {
                        self.close();
                        visitor.close();
                    }
                    _ if object => return Err(self.expected("`,` or `}`")),
                    _ => return Err(self.expected("`,` or `]`")),
                }
            }
        }
    }

    /// Takes the string whose opening quote is under the cursor.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Span, Fault> {
        let start = self.pos + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = special(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.pos = at + 1;
                    return Ok(Span { start, end: at, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                Some(_) => {
                    let kind = FaultKind::Expected("control characters in strings to be escaped");
                    return Err(Fault { kind, at });
                }
                None => return Err(Fault { kind: FaultKind::Ends("a closing double quote"), at }),
            }
        }
    }

    /// Checks the escape whose backslash is at `at`, returns where it ends.
    fn escape(&mut self, at: usize) -> Result<usize, Fault> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                let unit = self.unit(at)?;
                match unit {
                    0xD800..=0xDBFF => {
                        let low = self.bytes.get(at + 6..at + 8) == Some(b"\\u")
                            && matches!(self.unit(at + 6), Ok(0xDC00..=0xDFFF));
                        if low {
                            return Ok(at + 12);
                        }
                        self.lone_surrogate = true;
                    }
                    0xDC00..=0xDFFF => self.lone_surrogate = true,
                    _ => {}
                }
                Ok(at + 6)
            }
            Some(_) => Err(Fault { kind: FaultKind::Expected("one of `\"\\/bfnrtu` after a backslash"), at: at + 1 }),
            None => Err(Fault { kind: FaultKind::Ends("an escape"), at: at + 1 }),
        }
    }

    /// The four hexadecimal digits of the escape whose backslash is at `at`.
    fn unit(&self, at: usize) -> Result<u16, Fault> {
        let mut unit = 0u16;
        for digit in at + 2..at + 6 {
            let value = match self.bytes.get(digit) {
                Some(byte) => char::from(*byte).to_digit(16).and_then(|value| u16::try_from(value).ok()),
                None => return Err(Fault { kind: FaultKind::Ends("four hexadecimal digits"), at: digit }),
            };
            let Some(value) = value else {
                return Err(Fault { kind: FaultKind::Expected("four hexadecimal digits after `\\u`"), at: digit });
            };
            unit = (unit << 4) | value;
        }
        Ok(unit)
    }

    /// Takes the number under the cursor.
    fn number(&mut self) -> Result<(), Fault> {
        if self.bytes.get(self.pos) == Some(&b'-') {
            self.pos += 1;
        }
        match self.bytes.get(self.pos) {
            Some(b'0') => self.pos += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.pos) == Some(&b'.') {
            self.pos += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.pos), Some(b'e' | b'E')) {
            self.pos += 1;
            if matches!(self.bytes.get(self.pos), Some(b'+' | b'-')) {
                self.pos += 1;
            }
            self.digits()?;
        }
        // `01` and `1x` are caught by what must follow a value.
        Ok(())
    }

    /// Takes at least one digit.
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.pos;
        while matches!(self.bytes.get(self.pos), Some(b'0'..=b'9')) {
            self.pos += 1;
        }
        if self.pos == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    /// Takes the word whose first letter is under the cursor.
    pub(crate) fn literal(&mut self, word: &'static [u8]) -> Result<(), Fault> {
        for letter in word {
            if self.bytes.get(self.pos) != Some(letter) {
                return Err(self.expected("`true`, `false` or `null`"));
            }
            self.pos += 1;
        }
        Ok(())
    }

    /// The fault at the cursor.
    pub(crate) fn expected(&self, what: &'static str) -> Fault {
        let kind = if self.pos < self.bytes.len() { FaultKind::Expected(what) } else { FaultKind::Ends(what) };
        Fault { kind, at: self.pos }
    }
}

/// The offset, from `at` on, of the first byte that is not plain inside a string (a quote, a backslash, a control
/// character), or the bytes' end.
#[inline]
pub(crate) fn special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        // Each term has the high bit of every byte that is zero, or below 0x20; borrows only spoil later bytes.
        let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES) & !(word ^ (ONES * b'"' as u64));
        let slash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES) & !(word ^ (ONES * b'\\' as u64));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quote | slash | control) & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if *byte < 0x20 || *byte == b'"' || *byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

/// Whether `bytes` are one JSON value and nothing else.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let mut scanner = Scanner::new(bytes);
    scanner.value()?;
    scanner.end()
}
