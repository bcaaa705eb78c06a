//! What the evaluator counts. The books are kept elsewhere: these counters are lost with the process.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};
use vedette_proto::bus::v1::{AlertResult, ArchiveResult};

/// The evaluator's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) batches: IntCounterVec,
    pub(crate) events: IntCounterVec,
    pub(crate) dead_lettered: IntCounterVec,
    pub(crate) retries: IntCounterVec,
    pub(crate) blind: IntCounterVec,
    pub(crate) mismatches: IntCounterVec,
    pub(crate) decide_seconds: HistogramVec,
    pub(crate) lag_seconds: HistogramVec,
    pub(crate) generation: IntGauge,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let by = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let seconds = |name: &str, help: &str| {
            let opts = HistogramOpts::new(name, help).buckets(vedette_service::metrics::SECONDS.to_vec());
            let histogram = HistogramVec::new(opts, &["consumer"])?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let generation = IntGauge::new("vedette_evaluator_generation", "The generation of the rules in force.")?;
        registry.register(Box::new(generation.clone()))?;
        Ok(Self {
            batches: by(
                "vedette_evaluator_batches_total",
                "Batches whose result the broker has stored.",
                &["consumer"],
            )?,
            events: by(
                "vedette_evaluator_events_total",
                "Events decided. archive: archived, alerted_only, ignored; alert: alerted, silent.",
                &["consumer", "decision"],
            )?,
            dead_lettered: by("vedette_evaluator_dead_letters_total", "Dead letters written, by reason.", &["reason"])?,
            retries: by("vedette_evaluator_retries_total", "Batches given back or published again.", &["consumer"])?,
            blind: by(
                "vedette_rule_blind_events_total",
                "Events that the rule could not decide because their level left out a body that it reads.",
                &["rule"],
            )?,
            mismatches: by(
                "vedette_evaluator_mismatches_total",
                "Comparisons that were false because the event held a value of another type than the rule expects.",
                &["consumer"],
            )?,
            decide_seconds: seconds("vedette_evaluator_decide_seconds", "Seconds to decide one batch.")?,
            lag_seconds: seconds(
                "vedette_evaluator_lag_seconds",
                "Seconds from a batch's arrival at ingest until its result is stored.",
            )?,
            generation,
        })
    }

    /// Counts what was decided for the archive.
    pub(crate) fn count_archive(&self, result: &ArchiveResult) {
        let counts = result.counts.unwrap_or_default();
        for (decision, count) in
            [("archived", counts.archived), ("alerted_only", counts.alerted_only), ("ignored", counts.ignored)]
        {
            self.events.with_label_values(&["archive", decision]).inc_by(count);
        }
        for blind in &result.blind {
            self.blind.with_label_values(&[&blind.rule]).inc_by(blind.events);
        }
    }

    /// Counts what was decided for alerts.
    pub(crate) fn count_alert(&self, result: &AlertResult) {
        let counts = result.counts.unwrap_or_default();
        let silent = counts.evaluated.saturating_sub(counts.alerted).saturating_sub(counts.dead_lettered);
        self.events.with_label_values(&["alert", "alerted"]).inc_by(counts.alerted);
        self.events.with_label_values(&["alert", "silent"]).inc_by(silent);
    }
}
