//! The walk over an event: follows the names that paths know, takes the values at their ends, and skips the rest by its bits.
//!
//! It recurses only into what is read, which the depth limit bounds. `Err(Stop)` means that the fault is noted.

use super::blocks::{Blocks, Unclosed};
use super::layout::{Body, Field, Layout, Trail};
use super::names::Names;
use super::shapes::{Seen, Shapes};
use super::values::{Kind, Values};
use super::{DEPTH_LIMIT, Fault};
use crate::program::FieldId;

/// A body that is walked when a rule asks for it, or a part of one that a name with dots leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deferred {
    pub(super) body: Body,
    /// Whether it is the body itself and not `null`.
    pub(super) there: bool,
    field: FieldId,
    parts: usize,
    at: usize,
}

/// The walk cannot go on.
#[derive(Debug)]
pub(super) struct Stop;

type Walked<T> = Result<T, Stop>;

/// Where the walk is.
pub(super) struct Walk<'a> {
    pub(super) source: Source<'a>,
    pub(super) layout: &'a Layout,
    pub(super) values: &'a mut Values,
    pub(super) deferred: &'a mut Vec<Deferred>,
    pub(super) trail: &'a mut Vec<Trail>,
    pub(super) shapes: &'a mut Shapes,
}

/// The bytes of an event and their bits: what any walk over it needs.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) blocks: &'a Blocks,
    pub(super) depth: usize,
    pub(super) fault: Option<Fault>,
}

/// A string between its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Walk<'_> {
    /// The whole event but its bodies.
    pub(super) fn event(&mut self) -> Walked<()> {
        let at = self.source.space(0);
        if self.source.byte(at) != b'{' {
            return self.source.stop(at, "expected an object");
        }
        let end = self.object(at, FieldId::ROOT, true)?;
        let end = self.source.space(end);
        if end < self.source.text.len() {
            return self.source.stop(end, "something follows the event");
        }
        Ok(())
    }

    /// What was deferred.
    pub(super) fn later(&mut self, deferred: Deferred) -> Walked<()> {
        self.source.depth = 1;
        self.trail.clear();
        self.trail.push(Trail::Member(deferred.parts));
        self.value(deferred.at, deferred.field, self.layout.field(deferred.field)).map(drop)
    }

    fn object(&mut self, at: usize, field: FieldId, root: bool) -> Walked<usize> {
        let mut next = self.source.enter(at)?;
        let mut first = true;
        let mut cursor = self.shapes.enter(field);
        loop {
            let expected = if first { Some(next) } else { (self.source.byte(next) == b',').then_some(next + 1) };
            let (at, leads) = match expected.and_then(|at| self.shapes.guess(&mut cursor, self.source.text, at)) {
                Some(Seen { leads, value }) => (self.source.space(value), leads),
                None => {
                    let Some((name, at)) = self.source.member(&mut next, first)? else { return Ok(next) };
                    let leads = self.find(field, name);
                    // Behind a space none is expected, so that learning it would be in vain with every event.
                    if expected == Some(name.start - 1) {
                        let quoted = self.source.text.as_bytes().get(name.start - 1..name.end + 2);
                        self.shapes.learn(&mut cursor, quoted.unwrap_or_default(), leads);
                    }
                    (at, leads)
                }
            };
            first = false;
            next = match leads {
                Some((child, parts)) => self.member(at, child, parts, root)?,
                None => self.source.skip(at)?,
            };
        }
    }

    #[inline]
    fn member(&mut self, at: usize, child: FieldId, parts: usize, root: bool) -> Walked<usize> {
        let field = self.layout.field(child);
        if root && let Some(body) = field.body {
            let there = field.whole && self.source.byte(at) != b'n';
            self.deferred.push(Deferred { body, there, field: child, parts, at });
            return self.source.skip(at);
        }
        self.trail.push(Trail::Member(parts));
        let end = self.value(at, child, field)?;
        self.trail.pop();
        Ok(end)
    }

    fn value(&mut self, at: usize, id: FieldId, field: Field) -> Walked<usize> {
        if self.values.is_full() {
            return self.source.stop(at, "the rules ask for more values of the event than there is room for");
        }
        let (kind, start, end, after) = match self.source.byte(at) {
            b'"' => {
                let Span { start, end } = self.source.string(at)?;
                if self.source.blocks.escaped(start, end) {
                    let raw = self.source.slice(start, end);
                    let (start, stop) = self.values.decode(raw);
                    (Kind::Decoded, start, stop, end + 1)
                } else {
                    (Kind::Text, start, end, end + 1)
                }
            }
            b'{' if field.inner => {
                let (mark, count) = (self.values.mark(), self.take(field, Kind::Object, at, at));
                let end = self.object(at, id, false)?;
                self.values.set_end(mark, count, end);
                return Ok(end);
            }
            b'{' => {
                let end = self.source.skip(at)?;
                (Kind::Object, at, end, end)
            }
            b'[' => return self.list(at, id, field),
            b't' => self.word(at, "true", Kind::True)?,
            b'f' => self.word(at, "false", Kind::False)?,
            b'n' => self.word(at, "null", Kind::Null)?,
            b'-' | b'0'..=b'9' => {
                let end = self.source.token(at);
                (Kind::Number, at, end, end)
            }
            _ => return self.source.stop(at, "expected a value"),
        };
        self.take(field, kind, start, end);
        Ok(after)
    }

    /// The elements of a list are values of the list's own field.
    fn list(&mut self, at: usize, id: FieldId, field: Field) -> Walked<usize> {
        let (mark, taken) = (self.values.mark(), self.take(field, Kind::List, at, at));
        let mut next = self.source.enter(at)?;
        let around = match self.trail.last() {
            Some(Trail::Element { around, .. }) => around + 1,
            _ => 0,
        };
        let mut index = 0;
        while let Some(at) = self.source.element(&mut next, index == 0)? {
            self.trail.push(Trail::Element { index, around });
            next = self.value(at, id, field)?;
            self.trail.pop();
            index += 1;
        }
        self.values.set_end(mark, taken, next);
        Ok(next)
    }

    /// Takes a value into the slots of its field; gives how many took it.
    #[inline]
    fn take(&mut self, field: Field, kind: Kind, start: usize, end: usize) -> usize {
        let mut count = 0;
        for place in self.layout.places(field) {
            if self.layout.takes(*place, self.trail) {
                self.values.add(place.slot, kind, start, end);
                count += 1;
            }
        }
        count
    }

    fn word(&mut self, at: usize, word: &str, kind: Kind) -> Walked<(Kind, usize, usize, usize)> {
        let end = at + word.len();
        if self.source.text.as_bytes().get(at..end) != Some(word.as_bytes()) {
            return self.source.stop(at, "expected a value");
        }
        Ok((kind, at, end, end))
    }

    #[inline]
    fn find(&mut self, field: FieldId, name: Span) -> Option<(FieldId, usize)> {
        self.source.find(&self.layout.names, field, name)
    }
}

impl<'a> Source<'a> {
    #[cold]
    pub(super) fn stop<T>(&mut self, at: usize, message: &'static str) -> Walked<T> {
        self.fault = Some(Fault { at, message });
        Err(Stop)
    }

    /// The byte at `at`; 0 behind the end, which begins nothing.
    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The first byte at or after `at` that is no white space.
    #[inline]
    pub(super) fn space(&self, mut at: usize) -> usize {
        while let b' ' | b'\n' | b'\r' | b'\t' = self.byte(at) {
            at += 1;
        }
        at
    }

    /// Enters the collection whose bracket stands at `at`.
    #[inline]
    pub(super) fn enter(&mut self, at: usize) -> Walked<usize> {
        if self.depth >= DEPTH_LIMIT {
            return self.stop(at, "the event nests too deep");
        }
        self.depth += 1;
        Ok(at + 1)
    }

    /// The next member of an object: its name, and where its value starts. `None` behind the last, and `next` is behind the object.
    #[inline]
    pub(super) fn member(&mut self, next: &mut usize, first: bool) -> Walked<Option<(Span, usize)>> {
        let Some(at) = self.item(next, first, b'}')? else { return Ok(None) };
        if self.byte(at) != b'"' {
            return self.stop(at, "expected a name");
        }
        let name = self.string(at)?;
        let at = self.space(name.end + 1);
        if self.byte(at) != b':' {
            return self.stop(at, "expected `:`");
        }
        Ok(Some((name, self.space(at + 1))))
    }

    /// Where the next element of a list starts. `None` behind the last, and `next` is behind the list.
    #[inline]
    pub(super) fn element(&mut self, next: &mut usize, first: bool) -> Walked<Option<usize>> {
        self.item(next, first, b']')
    }

    #[inline]
    fn item(&mut self, next: &mut usize, first: bool, close: u8) -> Walked<Option<usize>> {
        let at = self.space(*next);
        let byte = self.byte(at);
        if byte == close {
            self.depth -= 1;
            *next = at + 1;
            return Ok(None);
        }
        if first {
            return Ok(Some(at));
        }
        if byte != b',' {
            return self.stop(at, "expected `,`");
        }
        Ok(Some(self.space(at + 1)))
    }

    /// The string whose quote stands at `at`.
    #[inline]
    pub(super) fn string(&mut self, at: usize) -> Walked<Span> {
        match self.blocks.quote(at + 1) {
            Some(end) => Ok(Span { start: at + 1, end }),
            None => self.stop(self.text.len(), "the event ends in a string"),
        }
    }

    /// Where a number or a word ends that starts at `at`.
    #[inline]
    pub(super) fn token(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b':' | b'"');
        at + rest.iter().position(is_end).unwrap_or(rest.len())
    }

    /// Skips a value.
    #[inline]
    pub(super) fn skip(&mut self, at: usize) -> Walked<usize> {
        match self.byte(at) {
            b'"' => self.string(at).map(|string| string.end + 1),
            b'{' | b'[' => self.skip_collection(at),
            b't' | b'f' | b'n' | b'-' | b'0'..=b'9' => Ok(self.token(at)),
            _ => self.stop(at, "expected a value"),
        }
    }

    fn skip_collection(&mut self, at: usize) -> Walked<usize> {
        let next = self.enter(at)?;
        let closed = self.blocks.close(next, DEPTH_LIMIT - self.depth);
        self.depth -= 1;
        match closed {
            Ok(end) => Ok(end),
            Err(Unclosed::Open) => self.stop(self.text.len(), "the event ends in a collection"),
            Err(Unclosed::Deep) => self.stop(at, "the event nests too deep"),
        }
    }

    /// The field that a member leads to, and how many parts its name has.
    #[inline]
    pub(super) fn find(&self, names: &Names, field: FieldId, name: Span) -> Option<(FieldId, usize)> {
        if self.blocks.escaped(name.start, name.end) {
            let mut decoded = String::new();
            super::escape::decode(self.slice(name.start, name.end), &mut decoded);
            return names.find(field, decoded.as_bytes());
        }
        names.find(field, self.text.as_bytes().get(name.start..name.end)?)
    }
}
