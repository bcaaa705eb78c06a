//! What may be held, and how fast a cluster may send.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use prometheus::IntGauge;

/// Clusters that are remembered at most: without credentials, anybody on this machine may make names up.
const MOST_CLUSTERS: usize = 10_000;

/// The bytes that all bodies together may hold.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    limit: usize,
    used: Arc<AtomicUsize>,
    gauge: IntGauge,
}

/// What one body holds of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    bytes: usize,
}

/// Why a body may not hold more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Others hold too much now.
    Busy,
    /// It alone is more than everything.
    Never,
}

impl Budget {
    pub(crate) fn new(limit: usize, gauge: IntGauge) -> Self {
        Self { limit, used: Arc::default(), gauge }
    }

    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Holds `bytes` in all from now on.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Denied> {
        let budget = &self.budget;
        if bytes > budget.limit {
            return Err(Denied::Never);
        }
        if let Some(more) = bytes.checked_sub(self.bytes) {
            let taken = budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|used| *used <= budget.limit)
            });
            if taken.is_err() {
                return Err(Denied::Busy);
            }
        } else {
            budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        budget.gauge.add(i64::try_from(bytes).unwrap_or(0) - i64::try_from(self.bytes).unwrap_or(0));
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Giving everything back can't be denied.
        let _ = self.hold(0);
    }
}

/// A token bucket for each cluster, in bytes.
#[derive(Debug)]
pub(crate) struct Rates {
    bytes_per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    bytes: f64,
    at: Instant,
}

impl Rates {
    /// Without `bytes_per_second` nothing is limited.
    pub(crate) fn new(bytes_per_second: u64, burst: u64) -> Self {
        Self { bytes_per_second: bytes_per_second as f64, burst: burst as f64, buckets: Mutex::default() }
    }

    /// Takes `bytes` for `cluster`.
    ///
    /// # Errors
    /// How long to wait where there are not as many; nothing is taken then.
    pub(crate) fn take(&self, cluster: &str, bytes: usize, now: Instant) -> Result<(), Duration> {
        if self.bytes_per_second <= 0.0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_CLUSTERS && !buckets.contains_key(cluster) {
            // A full bucket is as good as none.
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.burst);
        }
        if !buckets.contains_key(cluster) {
            if buckets.len() >= MOST_CLUSTERS {
                return Err(Duration::from_secs(1));
            }
            buckets.insert(cluster.to_owned(), Bucket { bytes: self.burst, at: now });
        }
        let Some(bucket) = buckets.get_mut(cluster) else { return Ok(()) };
        *bucket = Bucket { bytes: self.filled(bucket, now), at: now };
        // More than a bucket holds would never be there: it empties a full one.
        let wanted = (bytes as f64).min(self.burst);
        if bucket.bytes < wanted {
            let wait = (wanted - bucket.bytes) / self.bytes_per_second;
            return Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::from_secs(60)));
        }
        bucket.bytes -= wanted;
        Ok(())
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * self.bytes_per_second;
        (bucket.bytes + gained).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_together_and_given_back() {
        let gauge = IntGauge::new("held", "held").unwrap();
        let budget = Budget::new(100, gauge.clone());
        let (mut one, mut two) = (budget.share(), budget.share());
        assert_eq!(one.hold(60), Ok(()));
        assert_eq!(two.hold(41), Err(Denied::Busy));
        assert_eq!(two.hold(40), Ok(()));
        assert_eq!(gauge.get(), 100);
        assert_eq!(one.hold(101), Err(Denied::Never));
        assert_eq!(one.hold(10), Ok(()));
        assert_eq!(two.hold(90), Ok(()));
        drop(one);
        assert_eq!((two.hold(100), gauge.get()), (Ok(()), 100));
        drop(two);
        assert_eq!((gauge.get(), budget.used.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_flood_is_slowed_and_others_are_not() {
        let rates = Rates::new(1000, 5000);
        let start = Instant::now();
        assert_eq!(rates.take("flood", 4000, start), Ok(()));
        assert_eq!(rates.take("flood", 2000, start), Err(Duration::from_secs(1)));
        assert_eq!(rates.take("calm", 2000, start), Ok(()));
        assert_eq!(rates.take("flood", 2000, start + Duration::from_secs(1)), Ok(()));
        assert!(rates.take("flood", 1, start + Duration::from_secs(1)).is_err());
        assert_eq!(rates.take("flood", 1_000_000, start + Duration::from_secs(60)), Ok(()), "a full bucket is enough");
        assert_eq!(Rates::new(0, 1).take("any", usize::MAX, start), Ok(()));
    }

    #[test]
    fn made_up_clusters_are_not_remembered_for_ever() {
        let rates = Rates::new(1000, 10);
        let start = Instant::now();
        for index in 0..MOST_CLUSTERS {
            rates.take(&index.to_string(), 1, start).unwrap();
        }
        assert!(rates.take("one-more", 1, start).is_err());
        assert_eq!(rates.take("one-more", 1, start + Duration::from_secs(1)), Ok(()));
    }
}
