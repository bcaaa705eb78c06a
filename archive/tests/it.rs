//! One conformance suite for every engine: the same real events, the same questions, the same answers as a naive filter
//! over all documents gives. And what each engine alone has to stand: being killed, refused, locked out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests report by panicking"
)]

#[path = "it/corpus.rs"]
mod corpus;
#[path = "it/embedded.rs"]
mod embedded;
#[path = "it/oracle.rs"]
mod oracle;
#[path = "it/questions.rs"]
mod questions;
#[path = "it/search.rs"]
mod search;
#[path = "it/secured.rs"]
mod secured;
#[path = "it/stand_in.rs"]
mod stand_in;
#[path = "it/suite.rs"]
mod suite;
#[path = "it/upkeep.rs"]
mod upkeep;
