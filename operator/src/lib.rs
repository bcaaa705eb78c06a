//! The operator: the resources as the source of truth.

pub mod api;
pub mod document;
pub mod index;
