//! The Kubernetes audit event: both wire spellings, identity, levels.
//!
//! Everything that Vedette knows of an event without asking anybody is here: how a list is cut into items while it
//! still streams in ([`list`]), what makes an item an event ([`event`]), which event it is ([`EventId`]), how much of it
//! a level lets through ([`event::Event::rewrite`]), what of it is a secret ([`redact`]) and how it is stored ([`document`]).
//!
//! Invariants: no I/O, no clock, no async, and no tree of the JSON is ever built. Time is linear in the bytes, memory
//! is bounded by the largest item, and no input can panic or recurse without bound.

pub mod command;
pub mod document;
pub mod event;
pub mod identity;
mod instant;
mod level;
pub mod list;
mod members;
pub mod redact;
mod scan;
mod text;

pub use document::Document;
pub use event::{Event, EventError};
pub use identity::EventId;
pub use instant::Instant;
pub use level::{Dialect, Level, ParseLevelError};
pub use redact::Redactor;

/// The largest event, in bytes as received, that keeps its request and response bodies.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// How deep an event may nest; the event's own object is the first level.
pub const MAX_DEPTH: u32 = scan::MAX_DEPTH;
