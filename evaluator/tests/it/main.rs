//! The evaluator on a real nats-server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod deciding;
mod poison;
mod policy;
mod rig;
mod sharing;
