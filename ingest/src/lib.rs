//! HTTPS audit webhook to JetStream.
