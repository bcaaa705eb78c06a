//! The time as messages carry it.

use std::time::SystemTime;

/// Now, in nanoseconds since the Unix epoch.
pub fn unix_nanos() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
