//! An event as the rules see it: the values at the paths that a program names, and nothing else of it.
//!
//! Reading takes two passes, neither of which allocates once its buffers have grown, escaped names aside. [`blocks`] marks where strings and collections
//! begin and end, without a branch; [`walk`] follows the names that paths know, notes where the values at their ends stand, and skips
//! the rest by its marks. The two bodies, which are most of a big event, are skipped at first and walked when a rule comes to them.
//!
//! Names are compared without regard to case, and a name with dots counts as the steps that its dots part, as it would in a path.
//! Members that several spellings name are all kept: a comparison holds if it holds for any. What is made of other fields is made when
//! the event has been read, and is a value like any other.
//!
//! **What is checked.** The event is an object in UTF-8 that nests no deeper than [`DEPTH_LIMIT`], and what is walked is well formed
//! up to the spelling of scalars. What is skipped has its strings and brackets matched and no more: ingest takes in nothing that is
//! not JSON, and a second check of every byte would cost more than all the rules. Bytes that are no JSON make an error or no
//! difference; they never make a panic, and never more than one pass.

mod blocks;
mod escape;
mod layout;
mod names;
mod range;
mod shapes;
mod values;
mod walk;

#[cfg(test)]
mod tests;

use blocks::Blocks;
use layout::Trail;
use range::Asker;
use shapes::Shapes;
use walk::{Deferred, Source, Stop, Walk};

use crate::DecideError;
use crate::program::{FieldId, PathStep};

pub(crate) use layout::{Body, Layout, SlotId, Universal};
pub(crate) use values::{Entry, Kind, Scalar, Values};

/// How deep an event may nest.
pub(crate) const DEPTH_LIMIT: usize = 128;

/// One event after the other; what it holds of one is forgotten with the next.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    blocks: Blocks,
    pub(crate) values: Values,
    deferred: Vec<Deferred>,
    trail: Vec<Trail>,
    shapes: Shapes,
}

/// What is wrong with an event, and where.
#[derive(Debug, Clone, Copy)]
struct Fault {
    at: usize,
    message: &'static str,
}

impl Reader {
    /// Reads all of an event but its bodies; gives its text.
    pub(crate) fn read<'e>(&mut self, event: &'e [u8], layout: &Layout) -> Result<&'e str, DecideError> {
        let fault = |at, message: &str| DecideError { offset: at, message: message.to_owned() };
        let text =
            simdutf8::compat::from_utf8(event).map_err(|error| fault(error.valid_up_to(), "the event is not UTF-8"))?;
        if u32::try_from(event.len()).is_err() {
            return Err(fault(0, "the event is longer than 4 GiB"));
        }
        self.blocks.read(event);
        self.values.start(layout.slots());
        self.deferred.clear();
        self.deferred.shrink_to(1 << 6);
        self.trail.clear();
        self.shapes.start(layout.owner, layout.fields());
        let mut walk = self.walk(text, layout);
        if let Err(Stop) = walk.event() {
            return Err(error(&walk.source));
        }
        for field in &layout.derived {
            self.values.derive(text, field);
        }
        Ok(text)
    }

    /// Whether the event has this body, and it is not `null`.
    pub(crate) fn has(&self, body: Body) -> bool {
        self.deferred.iter().any(|deferred| deferred.body == body && deferred.there)
    }

    /// Walks a body, or what there is of it; its values follow those that have been read.
    pub(crate) fn read_body(&mut self, text: &str, layout: &Layout, body: Body) -> Result<(), DecideError> {
        for place in 0..self.deferred.len() {
            let Some(deferred) = self.deferred.get(place).copied().filter(|deferred| deferred.body == body) else {
                continue;
            };
            let mut walk = self.walk(text, layout);
            if let Err(Stop) = walk.later(deferred) {
                return Err(error(&walk.source));
            }
        }
        Ok(())
    }

    fn walk<'a>(&'a mut self, text: &'a str, layout: &'a Layout) -> Walk<'a> {
        let source = Source { text, blocks: &self.blocks, depth: 0, fault: None };
        let Self { values, deferred, trail, shapes, .. } = self;
        Walk { source, layout, values, deferred, trail, shapes }
    }

    /// Whether a list that was read holds by what is at `steps` in it, the first of which is a range.
    pub(crate) fn holds(
        &self,
        text: &str,
        layout: &Layout,
        (list, field): (Entry, FieldId),
        steps: &[PathStep],
        whole_lists: bool,
        satisfies: &mut dyn FnMut(Scalar<'_>) -> bool,
    ) -> bool {
        let mut source = Source { text, blocks: &self.blocks, depth: 0, fault: None };
        let mut asker = Asker { source: &mut source, names: &layout.names, whole_lists, satisfies };
        // It has been walked, so that it is well formed but for what the walk skipped.
        asker.holds(Values::start_of(list), field, steps).is_ok_and(|(holds, _)| holds)
    }
}

#[cold]
fn error(source: &Source<'_>) -> DecideError {
    let Fault { at, message } = source.fault.unwrap_or(Fault { at: 0, message: "the event cannot be read" });
    DecideError { offset: at, message: message.to_owned() }
}
