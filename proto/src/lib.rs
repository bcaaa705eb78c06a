//! The message contracts of Vedette and their generated code.
//!
//! The `.proto` files beside this crate are the contract; nothing here is written by hand, so that a reader of the
//! broker or a client of the gRPC services in any language starts from the same text.

/// What travels over the broker.
pub mod bus {
    /// Version 1: `proto/vedette/bus/v1/bus.proto`.
    #[allow(missing_docs, clippy::doc_markdown)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/vedette.bus.v1.rs"));
    }
}

/// How rules are distributed and managed.
pub mod rules {
    /// Version 1: `proto/vedette/rules/v1/*.proto`.
    #[allow(missing_docs, clippy::doc_markdown, clippy::all)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/vedette.rules.v1.rs"));

        /// The descriptors of these files and of what they import, for server reflection.
        pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vedette.rules.v1.bin"));
    }
}
