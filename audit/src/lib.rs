//! The Kubernetes audit event: both wire spellings, identity, levels.
