//! Generations: which snapshot is newer, whoever made it and whenever.

/// Now, in milliseconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// A generation above `floor`: the time of day where that is larger still, so that one who has lost what was given before gives
/// nothing twice.
pub(crate) fn above(floor: u64) -> u64 {
    now().max(floor.saturating_add(1))
}
