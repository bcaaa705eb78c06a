//! The vedette program.
