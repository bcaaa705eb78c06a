//! The broker's topology: streams, subjects, envelopes, acknowledgement.
