//! Events to match results.
