//! The gate between the broker and the archive: closed while the archive is away.
//!
//! An archiver that can't reach its archive must not sit on batches that another one could write. After some attempts its
//! gate closes: what is in hand goes back to the broker, nothing more is taken, and after a pause one batch is let through
//! to see whether the archive is back. Only what commits moves the gate, and it says so after each commit.

use std::time::Duration;

/// The first pause before a batch is let through; twice as long each time that the archive is still away …
const SHORTEST: Duration = Duration::from_secs(1);
/// … up to this.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether batches are taken from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The archive takes what it is given.
    Open,
    /// It may: one batch is let through.
    Ajar,
    /// It does not.
    Closed,
}

/// How long the gate stays closed.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: SHORTEST }
    }
}

impl Pauses {
    /// The next pause; half of it by chance, so that several archivers don't come back together.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause.mul_f64(0.5 + 0.5 * fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pauses;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        let mut pauses = Pauses::default();
        for longest in [1, 2, 4, 8, 16, 30, 30].map(Duration::from_secs) {
            let pause = pauses.next();
            assert!(longest / 2 <= pause && pause <= longest, "{pause:?} of {longest:?}");
        }
    }
}
