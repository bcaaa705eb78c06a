//! JSON values one after the other out of a file, whatever white space is between them and however large the file.
//!
//! Only one value is held at a time and nothing is parsed: a value is handed on as the bytes that it was.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// The largest value that is read, in bytes.
pub(crate) const MAX_VALUE_BYTES: usize = 256 * 1024 * 1024;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const BUFFER: usize = 256 * 1024;
/// Objects and arrays within each other that are followed for the sake of what comes behind them: far more than an event
/// may have.
const DEEPEST: u64 = 256;

/// One JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// Its bytes, from the first brace to the last.
    pub(crate) bytes: Vec<u8>,
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
}

/// Why no further value can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValuesError {
    #[error("reading")]
    Read(#[source] io::Error),
    #[error("line {line}: an object was expected, `{found}` stands there")]
    NotObject { line: u64, found: char },
    #[error("line {line}: the object that begins here does not end")]
    Unended { line: u64 },
    #[error("line {line}: the object that begins here is larger than {max} bytes")]
    TooLarge { line: u64, max: usize },
}

impl ValuesError {
    /// A permanent code of a small set.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "unreadable",
            Self::NotObject { .. } => "not_object",
            Self::Unended { .. } => "syntax",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// The line that it is about, from 1; 0 where there is none.
    pub(crate) fn line(&self) -> u64 {
        match self {
            Self::Read(_) => 0,
            Self::NotObject { line, .. } | Self::Unended { line } | Self::TooLarge { line, .. } => *line,
        }
    }
}

/// The values of a file.
pub(crate) struct Values<R> {
    from: Input<R>,
    line: u64,
    over: bool,
}

/// The values of a file, or of standard input for `-`; gzip is recognised by its first bytes.
pub(crate) fn open(path: &Path) -> io::Result<Values<Box<dyn BufRead + Send>>> {
    reader(path).map(Values::new)
}

/// What a file holds, unpacked.
pub(crate) fn reader(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let raw: Box<dyn Read + Send> =
        if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut raw = BufReader::with_capacity(BUFFER, raw);
    let gzip = raw.fill_buf()?.starts_with(&GZIP);
    Ok(if gzip { Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(raw))) } else { Box::new(raw) })
}

impl<R: BufRead> Values<R> {
    /// The values that `from` has.
    pub(crate) fn new(from: R) -> Self {
        Self { from: Input { from, again: Vec::new(), at: 0 }, line: 1, over: false }
    }

    /// Goes on after an error: behind the word or the array that was no object, or, where an object did not end, at the
    /// first line in it that begins another one.
    pub(crate) fn recover(&mut self) {
        self.over = self.skip_other().is_err();
    }

    fn skip_other(&mut self) -> io::Result<()> {
        let mut scan = Scan::default();
        loop {
            let chunk = self.from.fill()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let bracketed = scan.depth > 0 || chunk.starts_with(b"[");
            let end = if bracketed {
                scan.end(chunk).map(|(End::Whole(end) | End::Cut(end))| end)
            } else {
                chunk.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'['))
            };
            let skipped = end.unwrap_or(chunk.len());
            self.line += newlines(chunk.get(..skipped).unwrap_or_default());
            self.from.consume(skipped);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    fn read(&mut self) -> Result<Option<Value>, ValuesError> {
        let Some(line) = self.skip_space()? else { return Ok(None) };
        let mut bytes = Vec::new();
        let mut scan = Scan::default();
        loop {
            let chunk = self.from.fill().map_err(ValuesError::Read)?;
            if chunk.is_empty() {
                return Err(self.unended(&bytes, line));
            }
            let end = scan.end(chunk);
            let length = match end {
                Some(End::Whole(end) | End::Cut(end)) => end,
                None => chunk.len(),
            };
            let taken = chunk.get(..length).unwrap_or_default();
            if bytes.len() + taken.len() > MAX_VALUE_BYTES {
                return Err(ValuesError::TooLarge { line, max: MAX_VALUE_BYTES });
            }
            bytes.extend_from_slice(taken);
            self.line += newlines(taken);
            self.from.consume(length);
            match end {
                Some(End::Whole(_)) => return Ok(Some(Value { bytes, line })),
                Some(End::Cut(_)) => return Err(self.unended(&bytes, line)),
                None => {}
            }
        }
    }

    /// The object that begins on `line` does not end. What it took of the lines behind is given back, from the first that
    /// begins an object on.
    fn unended(&mut self, bytes: &[u8], line: u64) -> ValuesError {
        let next = bytes.windows(2).position(|pair| pair == b"\n{").map_or(bytes.len(), |at| at + 1);
        let rest = bytes.get(next..).unwrap_or_default();
        self.line -= newlines(rest);
        self.from.give_back(rest);
        ValuesError::Unended { line }
    }

    /// Goes to the next object and gives its line.
    fn skip_space(&mut self) -> Result<Option<u64>, ValuesError> {
        loop {
            let chunk = self.from.fill().map_err(ValuesError::Read)?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let space = chunk.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
            self.line += newlines(chunk.get(..space).unwrap_or_default());
            let next = chunk.get(space).copied();
            self.from.consume(space);
            match next {
                None => {}
                Some(b'{') => return Ok(Some(self.line)),
                Some(other) => {
                    let found = if other.is_ascii_graphic() { char::from(other) } else { char::REPLACEMENT_CHARACTER };
                    return Err(ValuesError::NotObject { line: self.line, found });
                }
            }
        }
    }
}

impl<R: BufRead> Iterator for Values<R> {
    type Item = Result<Value, ValuesError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.read().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// A reader to which something can be given back.
struct Input<R> {
    from: R,
    /// What was given back, and how much of it was read again.
    again: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Input<R> {
    fn fill(&mut self) -> io::Result<&[u8]> {
        match self.again.get(self.at..) {
            Some(again) if !again.is_empty() => Ok(again),
            _ => self.from.fill_buf(),
        }
    }

    fn consume(&mut self, bytes: usize) {
        if self.at < self.again.len() {
            self.at += bytes;
        } else {
            self.from.consume(bytes);
        }
    }

    /// Gives back the last bytes that were read.
    fn give_back(&mut self, bytes: &[u8]) {
        match self.at.checked_sub(bytes.len()) {
            // They were given back before.
            Some(at) if self.at < self.again.len() => self.at = at,
            _ => {
                self.again = bytes.to_vec();
                self.at = 0;
            }
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Where an object ends: brackets are counted outside strings.
#[derive(Default)]
struct Scan {
    depth: u64,
    string: bool,
    escape: bool,
    /// The last byte outside strings that is no white space.
    last: u8,
    /// A line begins here.
    line_begins: bool,
}

/// How an object ends.
enum End {
    /// Before this offset.
    Whole(usize),
    /// It breaks off before this offset, at which a line begins with a brace that can't belong to it: a log whose writer
    /// was killed has such lines.
    Cut(usize),
}

impl Scan {
    /// Where the object ends, if it does in `chunk`.
    fn end(&mut self, chunk: &[u8]) -> Option<End> {
        for (offset, &byte) in chunk.iter().enumerate() {
            let line_begins = std::mem::replace(&mut self.line_begins, byte == b'\n');
            if line_begins && byte == b'{' && !self.expects_value() {
                return Some(End::Cut(offset));
            }
            if self.string {
                match byte {
                    _ if self.escape => self.escape = false,
                    b'\\' => self.escape = true,
                    b'"' => self.string = false,
                    _ => {}
                }
                continue;
            }
            if !byte.is_ascii_whitespace() {
                self.last = byte;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(End::Whole(offset + 1));
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether an object may begin here. What is in a string has no line breaks.
    fn expects_value(&self) -> bool {
        !self.string && self.depth < DEEPEST && matches!(self.last, b':' | b',' | b'[')
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{Values, open};

    fn check(input: &str, expected: &[&str]) {
        // A buffer of one byte: every value lies across chunks.
        for size in [1, 3, 4096] {
            let got: Vec<String> = Values::new(BufReader::with_capacity(size, input.as_bytes()))
                .map(|value| match value {
                    Ok(value) => format!("{}:{}", value.line, String::from_utf8_lossy(&value.bytes)),
                    Err(error) => format!("! {error}"),
                })
                .collect();
            assert_eq!(got, expected, "with a buffer of {size}");
        }
    }

    #[test]
    fn values_are_cut_whatever_is_between_them() {
        check("", &[]);
        check(" \n\t ", &[]);
        check("{}{}", &["1:{}", "1:{}"]);
        check("\n{\"a\":[1,{\"b\":\"}]\\\"{\"}]}\n\n\r\n {\n}\n", &["2:{\"a\":[1,{\"b\":\"}]\\\"{\"}]}", "5:{\n}"]);
    }

    /// The values with their lines; for errors, their codes.
    fn recovered(input: &str, expected: &[(u64, &str)]) {
        for size in [1, 3, 4096] {
            let mut values = Values::new(BufReader::with_capacity(size, input.as_bytes()));
            let mut got = Vec::new();
            while let Some(value) = values.next() {
                match value {
                    Ok(value) => got.push((value.line, String::from_utf8_lossy(&value.bytes).into_owned())),
                    Err(error) => {
                        got.push((error.line(), error.code().to_owned()));
                        values.recover();
                    }
                }
            }
            let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
            assert_eq!(got, expected, "{input} with a buffer of {size}");
        }
    }

    #[test]
    fn after_what_was_no_object_reading_goes_on() {
        recovered(
            "1 {\"a\":1}[2, {}\n]\"x\"\n{}{",
            &[(1, "not_object"), (1, "{\"a\":1}"), (1, "not_object"), (2, "not_object"), (3, "{}"), (3, "syntax")],
        );
    }

    #[test]
    fn a_line_that_breaks_off_takes_no_other_with_it() {
        for cut in [
            "{\"a\":\"x",
            "{\"a\":\"x\\",
            "{\"a\":1",
            "{\"a\":[{}",
            "{\"a\":",
            "{\"a\":[1,",
            "{",
            "{\"a\":{\"b\":\"c\"}",
        ] {
            let good = [(2, "{\"b\":\"}\"}"), (3, "{\"c\":2}"), (4, "{}")];
            let all = [&[(1, "syntax")][..], &good].concat();
            recovered(&format!("{cut}\n{{\"b\":\"}}\"}}\n{{\"c\":2}}\n{{}}"), &all);
            let twice = [&[(1, "syntax"), (2, "syntax")][..], &good.map(|(line, text)| (line + 1, text))].concat();
            recovered(&format!("{cut}\n{cut}\r\n{{\"b\":\"}}\"}}\n{{\"c\":2}}\n{{}}"), &twice);
        }
        let whole = "{\"items\":[\n{\"a\":1},\n{\"b\":\n{}}]}";
        recovered(whole, &[(1, whole)]);
    }

    #[test]
    fn lines_without_end_are_read_in_little_time() {
        let input = "{\"a\":[\n".repeat(20_000);
        let mut values = Values::new(input.as_bytes());
        let mut errors = 0;
        while let Some(value) = values.next() {
            assert!(value.is_err());
            errors += 1;
            values.recover();
        }
        assert_eq!(errors, 20_000);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_line() {
        check("{}\n[1]", &["1:{}", "! line 2: an object was expected, `[` stands there"]);
        check("\n\n{\"a\":", &["! line 3: the object that begins here does not end"]);
        check("{}\nnull {}", &["1:{}", "! line 2: an object was expected, `n` stands there"]);
    }

    #[test]
    fn gzip_is_recognised_and_may_have_several_members() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no-suffix");
        let mut file = std::fs::File::create(&path).unwrap();
        for text in ["{\"a\":1}\n", "{\"b\":2}"] {
            let mut member = GzEncoder::new(Vec::new(), Compression::fast());
            member.write_all(text.as_bytes()).unwrap();
            file.write_all(&member.finish().unwrap()).unwrap();
        }
        let values: Vec<_> = open(&path).unwrap().map(|value| value.unwrap().bytes).collect();
        assert_eq!(values, [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()]);
    }
}
