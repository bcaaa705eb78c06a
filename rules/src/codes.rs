//! The registry of diagnostic codes. A code is permanent: it is never renumbered, and never used again once retired.
