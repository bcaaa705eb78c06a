//! Where an event's strings end and its collections open and close, as bits: one for each byte, 64 to a block.
//!
//! One pass without branches finds them, in the manner of simdjson; whatever is skipped afterwards is skipped by looking for the next
//! bit. Only what skipping needs is found: commas, colons and scalars are seen by whoever walks. Nothing here fails: of bytes that
//! are no JSON the bits mean little, but they are there.

use wide::u8x16;

/// What stands in 64 bytes of an event, the first in the lowest bit.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    /// Quotes that begin or end a string.
    quotes: u64,
    /// Backslashes.
    escapes: u64,
    /// `{` and `[` outside of strings.
    opens: u64,
    /// `}` and `]` outside of strings.
    closes: u64,
}

/// The blocks of an event; reused from event to event.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
}

/// Why no end of a collection was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unclosed {
    /// It does not end.
    Open,
    /// It nests deeper than was allowed.
    Deep,
}

/// What one block leaves to the next.
#[derive(Default)]
struct Carry {
    /// 1 if the first byte is escaped.
    escaped: u64,
    /// All ones within a string.
    string: u64,
}

/// More blocks than this are given back after the event that needed them: 2 MiB of text.
const KEPT: usize = 1 << 15;

impl Blocks {
    /// Reads an event; what was read before is forgotten.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        self.blocks.clear();
        self.blocks.shrink_to(KEPT);
        let (whole, rest) = bytes.as_chunks::<64>();
        self.blocks.reserve(whole.len() + 1);
        let mut carry = Carry::default();
        self.blocks.extend(whole.iter().map(|bytes| block(bytes, &mut carry)));
        let mut last = [b' '; 64];
        if let Some(start) = last.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
            self.blocks.push(block(&last, &mut carry));
        }
    }

    /// The first quote at or after `from`.
    #[inline]
    pub(super) fn quote(&self, from: usize) -> Option<usize> {
        let index = from / 64;
        let mut quotes = self.blocks.get(index)?.quotes & (u64::MAX << (from % 64));
        let mut start = index * 64;
        let mut rest = self.blocks.get(index + 1..)?.iter();
        while quotes == 0 {
            quotes = rest.next()?.quotes;
            start += 64;
        }
        Some(start + quotes.trailing_zeros() as usize)
    }

    /// Whether a backslash stands from `from` to before `to`.
    #[inline]
    pub(super) fn escaped(&self, from: usize, to: usize) -> bool {
        let (first, last) = (from / 64, to / 64);
        let before = !(u64::MAX << (to % 64));
        let mut after = u64::MAX << (from % 64);
        let Some(blocks) = self.blocks.get(first..self.blocks.len().min(last + 1)) else { return false };
        blocks.iter().zip(first..).any(|(block, index)| {
            let wanted = std::mem::replace(&mut after, u64::MAX) & if index == last { before } else { u64::MAX };
            block.escapes & wanted != 0
        })
    }

    /// Where the collection ends whose bracket stands right before `from`: behind its last bracket.
    ///
    /// Up to `room` more may be open at once in it.
    pub(super) fn close(&self, from: usize, room: usize) -> Result<usize, Unclosed> {
        let index = from / 64;
        let mut wanted = u64::MAX << (from % 64);
        let mut depth = 1;
        for (block, index) in self.blocks.get(index..).unwrap_or_default().iter().zip(index..) {
            let (opens, closes) = (block.opens & wanted, block.closes & wanted);
            wanted = u64::MAX;
            let (opening, closing) = (opens.count_ones() as usize, closes.count_ones() as usize);
            if closing < depth && depth + opening <= room + 1 {
                depth = depth + opening - closing;
                continue;
            }
            let mut brackets = opens | closes;
            while brackets != 0 {
                let bracket = brackets & brackets.wrapping_neg();
                brackets ^= bracket;
                if opens & bracket != 0 {
                    depth += 1;
                    if depth > room + 1 {
                        return Err(Unclosed::Deep);
                    }
                } else {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(index * 64 + bracket.trailing_zeros() as usize + 1);
                    }
                }
            }
        }
        Err(Unclosed::Open)
    }
}

#[inline]
fn block(bytes: &[u8; 64], carry: &mut Carry) -> Block {
    let parts = parts(bytes);
    let escapes = equal(&parts, b'\\');
    let quotes = equal(&parts, b'"') & !escaped(escapes, carry);
    // A bit is within a string if an odd number of quotes stands before it.
    let mut string = quotes;
    for shift in [1, 2, 4, 8, 16, 32] {
        string ^= string << shift;
    }
    string ^= carry.string;
    carry.string = 0_u64.wrapping_sub(string >> 63);
    // `[` and `{`, and `]` and `}`, differ in one bit.
    let folded = parts.map(|part| part | u8x16::splat(0x20));
    Block { quotes, escapes, opens: equal(&folded, b'{') & !string, closes: equal(&folded, b'}') & !string }
}

#[inline]
fn parts(bytes: &[u8; 64]) -> [u8x16; 4] {
    let (parts, _) = bytes.as_chunks::<16>();
    let part = |index: usize| u8x16::new(parts.get(index).copied().unwrap_or_default());
    [part(0), part(1), part(2), part(3)]
}

/// The bytes that equal `byte`, as bits.
#[inline]
fn equal(parts: &[u8x16; 4], byte: u8) -> u64 {
    let [a, b, c, d] = parts.map(|part| u64::from(part.simd_eq(u8x16::splat(byte)).to_bitmask()));
    a | b << 16 | c << 32 | d << 48
}

/// The bytes that a backslash stands before which is not escaped itself.
///
/// A run of backslashes escapes every other one. Adding carries through a run of ones: whether it began at an even or an odd place
/// shows in where the sum's ones end.
#[inline]
fn escaped(escapes: u64, carry: &mut Carry) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let before = carry.escaped;
    let starting = escapes & !before;
    let follows = (starting << 1 | ODD).wrapping_sub(starting) ^ ODD;
    let escaped = follows ^ (escapes | before);
    carry.escaped = (follows & escapes) >> 63;
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, byte by byte.
    fn naive(bytes: &[u8]) -> Vec<Block> {
        let mut blocks = vec![Block::default(); bytes.len() / 64 + 1];
        let (mut string, mut escaped) = (false, false);
        for (at, byte) in bytes.iter().enumerate() {
            let bit = 1 << (at % 64);
            let block = &mut blocks[at / 64];
            match byte {
                b'"' if !escaped => {
                    block.quotes |= bit;
                    string = !string;
                }
                b'\\' => block.escapes |= bit,
                b'{' | b'[' if !string => block.opens |= bit,
                b'}' | b']' if !string => block.closes |= bit,
                _ => {}
            }
            escaped = *byte == b'\\' && !escaped;
        }
        blocks
    }

    proptest! {
        #[test]
        fn bits_are_as_defined(text in r#"([\\]{0,70}|["{}\[\],:a \x5b\x7b\x02]{0,40}){0,8}"#) {
            let mut blocks = Blocks::default();
            blocks.read(text.as_bytes());
            let shown = |blocks: &[Block]| format!("{blocks:x?}");
            prop_assert_eq!(shown(&blocks.blocks), shown(&naive(text.as_bytes())));
        }

        #[test]
        fn bits_are_found(text in r#"["{}\[\]a\\]{0,200}"#, from in 0..220_usize, length in 0..150_usize, room in 0..5_usize) {
            let mut blocks = Blocks::default();
            blocks.read(text.as_bytes());
            let all = naive(text.as_bytes());
            let bit = |of: fn(&Block) -> u64, at: usize| of(&all[at / 64]) >> (at % 64) & 1 == 1;
            let (from, to) = (from.min(text.len()), (from + length).min(text.len()));
            prop_assert_eq!(blocks.quote(from), (from..text.len()).find(|at| bit(|block| block.quotes, *at)));
            prop_assert_eq!(blocks.escaped(from, to), text.as_bytes()[from..to].contains(&b'\\'));
            let mut depth = 1;
            let mut expected = Err(Unclosed::Open);
            for at in from..text.len() {
                depth += usize::from(bit(|block| block.opens, at));
                depth -= usize::from(bit(|block| block.closes, at));
                if depth == 0 {
                    expected = Ok(at + 1);
                } else if depth > room + 1 {
                    expected = Err(Unclosed::Deep);
                } else {
                    continue;
                }
                break;
            }
            prop_assert_eq!(blocks.close(from, room), expected);
        }
    }
}
