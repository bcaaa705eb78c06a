//! What the console counts.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

/// The console's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) seconds: Histogram,
    pub(crate) spot_checks: IntCounterVec,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            requests: IntCounterVec::new(
                Opts::new("vedette_console_requests_total", "Requests to the API, by status code."),
                &["code"],
            )?,
            seconds: Histogram::with_opts(HistogramOpts::new(
                "vedette_console_request_seconds",
                "Seconds until a request's answer began.",
            ))?,
            spot_checks: IntCounterVec::new(
                Opts::new(
                    "vedette_console_spot_checks_total",
                    "Decisions on what a caller may see that were compared with Kubernetes' own, by result.",
                ),
                &["result"],
            )?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.spot_checks.clone()))?;
        Ok(metrics)
    }
}
