//! The operator on a real kube-apiserver.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a panic is how a failure is reported"
)]

mod admission;
mod chart;
mod definitions;
mod distribution;
mod evaluator;
mod lab;
mod manage;
mod permissions;
mod reconcile;
mod rules;
mod running;
mod services;
