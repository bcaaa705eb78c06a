//! Ranges: the one kind of step of which every element must hold, which no list of values can answer.
//!
//! Such a path is followed over the bytes again, from the list that its first range is about; every byte of that list is passed once.

use super::escape;
use super::names::Names;
use super::values::Scalar;
use super::walk::{Source, Stop};
use crate::program::{FieldId, PathStep};

/// A question about the values at the end of a path.
pub(super) struct Asker<'s, 'a> {
    pub(super) source: &'s mut Source<'a>,
    pub(super) names: &'s Names,
    /// Whether a list at the end is a value as a whole.
    pub(super) whole_lists: bool,
    pub(super) satisfies: &'s mut dyn FnMut(Scalar<'_>) -> bool,
}

impl Asker<'_, '_> {
    /// Whether the value at `at`, which is one of `field`, holds by what is at `steps` in it; and where it ends.
    pub(super) fn holds(&mut self, at: usize, field: FieldId, steps: &[PathStep]) -> Result<(bool, usize), Stop> {
        match (self.source.byte(at), steps.first()) {
            (b'{', Some(PathStep::Key(_))) => self.object(at, field, steps),
            (b'[', Some(_)) => self.list(at, field, steps),
            (b'[', None) if !self.whole_lists => self.list(at, field, steps),
            (_, None) => self.value(at),
            (_, Some(_)) => Ok((false, self.source.skip(at)?)),
        }
    }

    fn object(&mut self, at: usize, field: FieldId, steps: &[PathStep]) -> Result<(bool, usize), Stop> {
        let mut next = self.source.enter(at)?;
        let (mut first, mut held) = (true, false);
        while let Some((name, at)) = self.source.member(&mut next, first)? {
            first = false;
            let child = self.source.find(self.names, field, name).filter(|_| !held);
            next = match child.and_then(|(child, _)| Some((child, behind(steps, child)?))) {
                Some((child, rest)) => {
                    let (holds, end) = self.holds(at, child, rest)?;
                    held = holds;
                    end
                }
                None => self.source.skip(at)?,
            };
        }
        Ok((held, next))
    }

    fn list(&mut self, at: usize, field: FieldId, steps: &[PathStep]) -> Result<(bool, usize), Stop> {
        let rest = steps.get(1..).unwrap_or_default();
        // Which elements are asked, with which steps, and whether all of them must hold.
        let (from, to, steps, all) = match steps.first() {
            Some(PathStep::Range(from, to)) => (*from, to.unwrap_or(usize::MAX), rest, true),
            Some(PathStep::Index(index)) => (*index, index.saturating_add(1), rest, false),
            Some(PathStep::Any) => (0, usize::MAX, rest, false),
            Some(PathStep::Key(_)) | None => (0, usize::MAX, steps, false),
        };
        let mut next = self.source.enter(at)?;
        let (mut index, mut asked, mut held) = (0, false, all);
        while let Some(at) = self.source.element(&mut next, index == 0)? {
            // What one element decides is decided.
            if (from..to).contains(&index) && held == all {
                let (holds, end) = self.holds(at, field, steps)?;
                (asked, held, next) = (true, holds, end);
            } else {
                next = self.source.skip(at)?;
            }
            index += 1;
        }
        Ok((asked && held, next))
    }

    fn value(&mut self, at: usize) -> Result<(bool, usize), Stop> {
        let end = self.source.skip(at)?;
        let text = self.source.slice(at, end);
        let mut decoded = String::new();
        let value = match self.source.byte(at) {
            b'{' => Scalar::Object(text),
            b'[' => Scalar::List(text),
            b'"' => {
                let raw = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
                if raw.contains('\\') {
                    escape::decode(raw, &mut decoded);
                    Scalar::Text(&decoded)
                } else {
                    Scalar::Text(raw)
                }
            }
            b't' => Scalar::Bool(true),
            b'f' => Scalar::Bool(false),
            b'n' => Scalar::Null,
            _ => Scalar::Number(text),
        };
        Ok(((self.satisfies)(value), end))
    }
}

/// The steps behind the one that leads to `member`, which a name with dots may reach in one go.
fn behind(steps: &[PathStep], member: FieldId) -> Option<&[PathStep]> {
    let keys = steps.iter().take_while(|step| matches!(step, PathStep::Key(_)));
    let place = keys.enumerate().find(|(_, step)| **step == PathStep::Key(member))?.0;
    steps.get(place + 1..)
}
