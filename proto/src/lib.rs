//! The message contracts of Vedette and their generated code.
//!
//! The `.proto` files beside this crate are the contract; nothing here is written by hand, so that a reader of the
//! broker in any language starts from the same text.

/// What travels over the broker.
pub mod bus {
    /// Version 1: `proto/vedette/bus/v1/bus.proto`.
    #[allow(missing_docs, clippy::doc_markdown)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/vedette.bus.v1.rs"));
    }
}
