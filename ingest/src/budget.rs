//! What may be held, and how fast a cluster may send.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use prometheus::IntGauge;

/// Clusters that are remembered at most: without credentials, anybody on this machine may make names up.
const MOST_CLUSTERS: usize = 10_000;

/// The bytes that all bodies together may hold.
///
/// Half of them are a cluster's own at most, so that slow or large bodies of one starve no other. It may pass that with a
/// single body, since one event may be larger, or while nobody else holds anything; an eighth is left to others even then.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    limit: usize,
    held: Arc<Mutex<Held>>,
    gauge: IntGauge,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    clusters: HashMap<Arc<str>, usize>,
}

/// What one body holds of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    cluster: Arc<str>,
    bytes: usize,
}

/// Why a body may not hold more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Others hold too much now.
    Busy,
    /// It alone is more than one may hold.
    Never,
}

/// A message that holds its part of the budget until it is dropped.
struct Kept {
    message: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.message
    }
}

impl Budget {
    pub(crate) fn new(limit: usize, gauge: IntGauge) -> Self {
        Self { limit, held: Arc::default(), gauge }
    }

    pub(crate) fn share(&self, cluster: &Arc<str>) -> Share {
        Share { budget: self.clone(), cluster: Arc::clone(cluster), bytes: 0 }
    }
}

impl Held {
    /// Whether a cluster that holds `own` may hold `after` instead, `alone` by this one body.
    fn fits(&self, limit: usize, own: usize, after: usize, alone: bool) -> bool {
        let all = self.all - own + after;
        if after <= limit / 2 { all <= limit } else { (alone || self.all == own) && all <= most(limit) }
    }
}

/// What a single cluster may hold at most.
pub(crate) fn most(limit: usize) -> usize {
    limit - limit / 8
}

impl Share {
    /// Holds `bytes` in all from now on.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Denied> {
        let budget = &self.budget;
        if bytes > most(budget.limit) {
            return Err(Denied::Never);
        }
        let mut held = budget.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.clusters.get(&self.cluster).copied().unwrap_or(0);
        let after = own - self.bytes + bytes;
        if bytes > self.bytes && !held.fits(budget.limit, own, after, own == self.bytes) {
            return Err(Denied::Busy);
        }
        held.all = held.all - self.bytes + bytes;
        if after == 0 {
            held.clusters.remove(&self.cluster);
        } else {
            held.clusters.insert(Arc::clone(&self.cluster), after);
        }
        budget.gauge.set(i64::try_from(held.all).unwrap_or(i64::MAX));
        self.bytes = bytes;
        Ok(())
    }

    /// The message with its part of what this share holds, which it keeps until it is dropped.
    pub(crate) fn part(&mut self, message: Bytes) -> Bytes {
        let bytes = message.len().min(self.bytes);
        self.bytes -= bytes;
        let share = Self { budget: self.budget.clone(), cluster: Arc::clone(&self.cluster), bytes };
        Bytes::from_owner(Kept { message, _share: share })
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

    /// Bytes of a full bucket.
    pub(crate) fn burst(&self) -> usize {
        self.burst as usize
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

    fn budget(limit: usize) -> (Budget, impl Fn(&str) -> Share) {
        let budget = Budget::new(limit, IntGauge::new("held", "held").unwrap());
        (budget.clone(), move |cluster| budget.share(&cluster.into()))
    }

    #[test]
    fn shares_are_bounded_together_and_given_back() {
        let (budget, share) = budget(160);
        let (mut one, mut two, mut other) = (share("a"), share("a"), share("b"));
        assert_eq!(one.hold(141), Err(Denied::Never));
        assert_eq!(one.hold(100), Ok(()), "nobody else holds anything");
        assert_eq!(two.hold(41), Err(Denied::Busy), "an eighth is left");
        assert_eq!(two.hold(40), Ok(()));
        assert_eq!(other.hold(21), Err(Denied::Busy));
        assert_eq!(other.hold(20), Ok(()), "others find room whatever one cluster does");
        assert_eq!(budget.gauge.get(), 160);
        assert_eq!((one.hold(50), one.hold(51)), (Ok(()), Err(Denied::Busy)), "half, now that another is there");
        assert_eq!((one.hold(30), other.hold(80)), (Ok(()), Ok(())));
        drop(other);
        assert_eq!((one.hold(100), budget.gauge.get()), (Ok(()), 140));
        drop((one, two));
        assert_eq!((budget.gauge.get(), budget.held.lock().unwrap().clusters.len()), (0, 0));
    }

    #[test]
    fn a_single_body_may_pass_its_clusters_half() {
        let (_, share) = budget(160);
        let (mut calm, mut large, mut more) = (share("calm"), share("a"), share("a"));
        assert_eq!((calm.hold(10), large.hold(130)), (Ok(()), Ok(())));
        assert_eq!((large.hold(131), more.hold(1), calm.hold(30)), (Err(Denied::Busy), Err(Denied::Busy), Ok(())));
    }

    #[test]
    fn a_message_holds_its_part_until_it_is_let_go_of() {
        let (budget, share) = budget(160);
        let mut body = share("a");
        body.hold(50).unwrap();
        let message = body.part(Bytes::from_static(&[7; 30]));
        let copy = message.clone();
        drop((body, message));
        assert_eq!((&copy[..], budget.gauge.get()), (&[7; 30][..], 30));
        drop(copy);
        assert_eq!(budget.gauge.get(), 0);
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
