//! What the console counts.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

/// The console's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) seconds: Histogram,
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
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        Ok(metrics)
    }
}
