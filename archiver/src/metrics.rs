//! What the archiver counts. The books are kept elsewhere: these counters are lost with the process.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use vedette_service::Context;
use vedette_service::metrics::{MetricError, SECONDS};

/// Documents, batches: from one to ten thousand.
const SIZES: &[f64] = &[1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0];
/// A lag can be a night.
const LAGS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 36_000.0];

/// The archiver's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// By outcome: stored, duplicate, rejected.
    pub(crate) events: IntCounterVec,
    /// By reason.
    pub(crate) dead_letters: IntCounterVec,
    pub(crate) batches: IntCounter,
    pub(crate) retries: IntCounter,
    pub(crate) given_back: IntCounter,
    pub(crate) write_seconds: Histogram,
    pub(crate) commit_documents: Histogram,
    pub(crate) commit_batches: Histogram,
    pub(crate) lag_seconds: Histogram,
    pub(crate) pending: IntGauge,
    pub(crate) purged_days: IntCounter,
    pub(crate) purge_failures: IntCounter,
    pub(crate) trimmed_days: IntCounter,
    pub(crate) trimmed_events: IntCounter,
    pub(crate) archive_warnings: IntGauge,
}

impl Metrics {
    pub(crate) fn register(ctx: &Context) -> Result<Self, MetricError> {
        Ok(Self {
            events: ctx.counters(
                "events_total",
                "Events by what became of them: stored, duplicate (in the archive already), rejected.",
                &["outcome"],
            )?,
            dead_letters: ctx.counters("dead_letters_total", "Dead letters written, by reason.", &["reason"])?,
            batches: ctx.counter("batches_total", "Batches that are in the archive and in the books.")?,
            retries: ctx.counter("retries_total", "Writes, books and dead letters tried again.")?,
            given_back: ctx.counter("batches_given_back_total", "Batches given back to the broker, to come again.")?,
            write_seconds: ctx.histogram("write_seconds", "Seconds of one write to the archive.", SECONDS)?,
            commit_documents: ctx.histogram("commit_documents", "Documents in one commit.", SIZES)?,
            commit_batches: ctx.histogram("commit_batches", "Batches in one commit.", SIZES)?,
            lag_seconds: ctx.histogram(
                "lag_seconds",
                "Seconds from a batch's arrival at ingest until it is in the archive.",
                LAGS,
            )?,
            pending: ctx.gauge("pending_batches", "Batches that wait at the broker.")?,
            purged_days: ctx.counter("purged_days_total", "Days dropped for their age.")?,
            purge_failures: ctx.counter("purge_failures_total", "Purges that failed; the next one makes up for it.")?,
            trimmed_days: ctx.counter("trimmed_days_total", "Days dropped before their time, for want of room.")?,
            trimmed_events: ctx.counter("trimmed_events_total", "Events of days dropped for want of room.")?,
            archive_warnings: ctx.gauge(
                "archive_warnings",
                "What people should know of the archive: policies of the engine's that delete, days that can't be shown.",
            )?,
        })
    }
}
