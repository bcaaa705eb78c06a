//! What the archiver counts. The books are kept elsewhere: these counters are lost with the process.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use vedette_service::metrics::SECONDS;

/// The archiver's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) batches: IntCounter,
    pub(crate) events: IntCounterVec,
    pub(crate) dead_lettered: IntCounterVec,
    pub(crate) failures: IntCounterVec,
    pub(crate) purged: IntCounter,
    pub(crate) write_seconds: Histogram,
    pub(crate) commit_documents: Histogram,
    pub(crate) lag_seconds: Histogram,
    pub(crate) pending: IntGauge,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let name = |short: &str| format!("vedette_archiver_{short}");
        let counter = |short: &str, help: &str| {
            let counter = IntCounter::new(name(short), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let by = |short: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name(short), help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let histogram = |short: &str, help: &str, buckets: &[f64]| {
            let histogram = Histogram::with_opts(HistogramOpts::new(name(short), help).buckets(buckets.to_vec()))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let pending = IntGauge::new(name("pending_batches"), "Archive results that wait in the broker.")?;
        registry.register(Box::new(pending.clone()))?;
        Ok(Self {
            batches: counter("batches_total", "Archive results applied: stored, in the books, acknowledged.")?,
            events: by("events_total", "Events applied, by outcome: stored, duplicate, rejected.", "outcome")?,
            dead_lettered: by("dead_letters_total", "Dead letters written, by reason.", "reason")?,
            failures: by("write_failures_total", "Writes that failed: unavailable is tried again, refused too, later.", "kind")?,
            purged: counter("purged_events_total", "Events dropped because they were older than the retention.")?,
            write_seconds: histogram("write_seconds", "Seconds for one commit to the archive.", SECONDS)?,
            commit_documents: histogram(
                "commit_documents",
                "Documents in one commit.",
                &[0.0, 10.0, 100.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 50_000.0],
            )?,
            lag_seconds: histogram("lag_seconds", "Seconds from an event's arrival at ingest until it is stored.", SECONDS)?,
            pending,
        })
    }
}
