//! What the alerter counts. Receivers are few and named by administrators, so their names may be labels; a receiver's
//! series end when it is no longer configured.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Seconds; the finest around the goal of 100 ms from POST to receiver.
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The alerter's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) batches: IntCounter,
    pub(crate) sent: IntCounterVec,
    pub(crate) failed: IntCounterVec,
    pub(crate) unrouted: IntCounter,
    pub(crate) collapsed: IntCounter,
    pub(crate) dead_lettered: IntCounterVec,
    pub(crate) unlogged: IntCounterVec,
    pub(crate) deferred: IntCounterVec,
    pub(crate) delivery_seconds: HistogramVec,
    pub(crate) alert_seconds: Histogram,
    pub(crate) receiver_up: IntGaugeVec,
    pub(crate) in_flight: IntGauge,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let name = |name: &str| format!("vedette_alerter_{name}");
        let counter = |short: &str, help: &str| IntCounter::new(name(short), help);
        let by = |short: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name(short), help), labels);
        let seconds = |short: &str, help: &str| HistogramOpts::new(name(short), help).buckets(SECONDS.to_vec());
        let metrics = Self {
            batches: counter("batches_total", "Alert results settled: delivered, written to the books, acknowledged.")?,
            sent: by("alerts_sent_total", "Alerts that a receiver took.", &["receiver"])?,
            failed: by(
                "alerts_failed_total",
                "Attempts to send an alert that failed, by reason; the alert is tried again unless it was refused.",
                &["receiver", "reason"],
            )?,
            unrouted: counter("alerts_unrouted_total", "Alerts for which no receiver was configured.")?,
            collapsed: counter(
                "alerts_collapsed_total",
                "Alerts whose labels were made coarser to bound their number.",
            )?,
            dead_lettered: by("dead_letters_total", "Dead letters written, by reason.", &["reason"])?,
            unlogged: by(
                "alerts_unlogged_total",
                "Alerts that are settled and missing in the alert log, by why the broker did not take it.",
                &["reason"],
            )?,
            deferred: by(
                "batches_deferred_total",
                "Alert results given back to the broker because this receiver was away.",
                &["receiver"],
            )?,
            delivery_seconds: HistogramVec::new(
                seconds("delivery_seconds", "Seconds that a receiver took to answer a POST."),
                &["receiver"],
            )?,
            alert_seconds: Histogram::with_opts(seconds(
                "alert_seconds",
                "Seconds from an event's arrival at ingest until every receiver had its alerts.",
            ))?,
            receiver_up: IntGaugeVec::new(
                Opts::new(name("receiver_up"), "Whether the receiver took the last POST: 1 or 0."),
                &["receiver"],
            )?,
            in_flight: IntGauge::new(name("alerts_in_flight"), "Alerts held in memory.")?,
        };
        registry.register(Box::new(metrics.batches.clone()))?;
        registry.register(Box::new(metrics.sent.clone()))?;
        registry.register(Box::new(metrics.failed.clone()))?;
        registry.register(Box::new(metrics.unrouted.clone()))?;
        registry.register(Box::new(metrics.collapsed.clone()))?;
        registry.register(Box::new(metrics.dead_lettered.clone()))?;
        registry.register(Box::new(metrics.unlogged.clone()))?;
        registry.register(Box::new(metrics.deferred.clone()))?;
        registry.register(Box::new(metrics.delivery_seconds.clone()))?;
        registry.register(Box::new(metrics.alert_seconds.clone()))?;
        registry.register(Box::new(metrics.receiver_up.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        Ok(metrics)
    }

    /// Ends the series of a receiver that is no longer configured.
    pub(crate) fn forget(&self, receiver: &str) {
        // Series that never began can't be removed; that is no error here.
        let _ = self.sent.remove_label_values(&[receiver]);
        let _ = self.deferred.remove_label_values(&[receiver]);
        let _ = self.delivery_seconds.remove_label_values(&[receiver]);
        let _ = self.receiver_up.remove_label_values(&[receiver]);
        for reason in REASONS {
            let _ = self.failed.remove_label_values(&[receiver, reason]);
        }
    }
}

/// Why alerts fail: every value of the label `reason` of `vedette_alerter_alerts_failed_total`.
pub(crate) const REASONS: &[&str] =
    &["unreachable", "timeout", "busy", "unauthorised", "server_error", "misconfigured", "refused", "given_up"];
