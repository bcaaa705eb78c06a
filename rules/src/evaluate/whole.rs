//! Values as KubeSphere's engine takes them: parsed and printed once for an event, however many tests ask.
//!
//! Text is taken as it stands; it is lists, objects and numbers that are made into something else first.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::satisfied::parsed;
use crate::event::Scalar;
use crate::hash::FoldState;
use crate::kubesphere::{Given, printed};

/// The values of one event that were made so far; what they are made of is forgotten with the event.
#[derive(Debug, Default)]
pub(super) struct Wholes {
    /// By the number of the value; `None` for what turned out to be no JSON.
    made: HashMap<u32, Option<Whole>, FoldState>,
}

#[derive(Debug)]
struct Whole {
    json: Json,
    /// `None` of an object and of nothing.
    printed: Option<Box<str>>,
}

impl Wholes {
    /// Forgets the last event.
    pub(super) fn start(&mut self) {
        self.made.clear();
        self.made.shrink_to(1 << 8);
    }

    /// Makes value `place`, unless it is text or has been made.
    pub(super) fn make(&mut self, place: u32, value: Scalar<'_>) {
        if !matches!(value, Scalar::Text(_)) {
            self.made.entry(place).or_insert_with(|| Whole::new(value));
        }
    }

    /// Value `place` as the engine takes it, which has been made; `None` for what is no JSON.
    pub(super) fn given<'w>(&'w self, place: u32, value: Scalar<'w>) -> Option<Given<'w>> {
        if let Scalar::Text(text) = value {
            return Some(Given::Text(text));
        }
        let Whole { json, printed } = self.made.get(&place)?.as_ref()?;
        Some(Given::Json(json, printed.as_deref()))
    }
}

impl Whole {
    fn new(value: Scalar<'_>) -> Option<Self> {
        let json = parsed(value)?;
        let printed = printed(&json).map(|text| text.into());
        Some(Self { json, printed })
    }
}
