//! Where a value ends, however the body is cut into pieces.

use crate::scan;

/// Follows one JSON value from its first byte to its last by brackets and strings alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finder {
    kind: Kind,
    /// Open brackets of either kind.
    depth: usize,
    in_string: bool,
    /// The piece before ended with a backslash.
    escaped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Container,
    String,
    /// A number or a word: ends before what can't be part of one.
    Scalar,
}

impl Finder {
    /// A finder for the value that begins with `first`, or `None` where no value begins so.
    pub(super) fn start(first: u8) -> Option<Self> {
        let kind = match first {
            b'{' | b'[' => Kind::Container,
            b'"' => Kind::String,
            b',' | b':' | b'}' | b']' | 0..=0x20 => return None,
            _ => Kind::Scalar,
        };
        Some(Self { kind, depth: 0, in_string: false, escaped: false })
    }

    /// Takes the value's next bytes, the first one included; returns how many of them belong to it once it ends.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.kind == Kind::Scalar {
            return bytes.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
        }
        let mut at = 0;
        loop {
            if self.in_string {
                if self.escaped {
                    bytes.get(at)?;
                    at += 1;
                    self.escaped = false;
                }
                at = scan::special(bytes, at);
                match bytes.get(at)? {
                    b'"' => {
                        self.in_string = false;
                        if self.kind == Kind::String {
                            return Some(at + 1);
                        }
                    }
                    b'\\' => self.escaped = true,
                    _ => {}
                }
            } else {
                match bytes.get(at)? {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
            }
            at += 1;
        }
    }
}
