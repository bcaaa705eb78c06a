//! The webhook as its senders meet it: a real client over HTTPS on one side, a real nats-server on the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests alone, where a panic is how a failure is reported"
)]

mod accepts;
mod authenticates;
mod broker;
mod operator;
mod redacts;
mod rejects;
mod rig;
