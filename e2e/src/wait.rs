//! Bounded waiting on another process.

use std::thread;
use std::time::{Duration, Instant};

/// Asks `probe` again and again until it gives a value.
///
/// # Panics
/// If it gives none within `limit`; the message names `what` was waited for.
pub fn until<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < end, "waited {} s in vain for {what}", limit.as_secs());
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
