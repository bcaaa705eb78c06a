//! Making metrics, and those of the process itself.
//!
//! Names are `vedette_<service>_<name>`; labels take values of small fixed sets only.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::Context;

/// The content type of [`render`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Seconds, from half a millisecond to half a minute.
pub const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A metric that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("register metric {name}")]
pub struct MetricError {
    name: String,
    source: prometheus::Error,
}

impl Context {
    /// A counter `vedette_<service>_<name>`; `name` ends in `_total`.
    ///
    /// # Errors
    /// If the name is malformed or taken.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricError> {
        let name = self.metric(name);
        self.register(&name, IntCounter::new(&name, help))
    }

    /// Counters `vedette_<service>_<name>` told apart by labels.
    ///
    /// # Errors
    /// If the name is malformed or taken.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, MetricError> {
        let name = self.metric(name);
        self.register(&name, IntCounterVec::new(Opts::new(&name, help), labels))
    }

    /// A gauge `vedette_<service>_<name>`.
    ///
    /// # Errors
    /// If the name is malformed or taken.
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricError> {
        let name = self.metric(name);
        self.register(&name, IntGauge::new(&name, help))
    }

    /// A histogram `vedette_<service>_<name>` with these upper bounds; `name` ends in its unit.
    ///
    /// # Errors
    /// If the name is malformed or taken.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, MetricError> {
        let name = self.metric(name);
        self.register(&name, Histogram::with_opts(HistogramOpts::new(&name, help).buckets(buckets.to_vec())))
    }

    fn metric(&self, name: &str) -> String {
        format!("vedette_{}_{name}", self.name.replace('-', "_"))
    }

    fn register<M>(&self, name: &str, metric: Result<M, prometheus::Error>) -> Result<M, MetricError>
    where
        M: Collector + Clone + 'static,
    {
        let failed = |source| MetricError { name: name.to_owned(), source };
        let metric = metric.map_err(failed)?;
        self.registry.register(Box::new(metric.clone())).map_err(failed)?;
        Ok(metric)
    }
}

/// Everything in `registry` as Prometheus reads it.
pub fn render(registry: &Registry) -> Vec<u8> {
    let mut page = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&registry.gather(), &mut page) {
        tracing::warn!(%error, "could not render the metrics");
    }
    page
}

/// Adds what the system knows of this process: resident memory, processor time, open files. A registry that has them
/// already is left as it is.
pub fn register_process(registry: &Registry) {
    if let Ok(process) = Process::new() {
        let _ = registry.register(Box::new(process));
    }
}

/// Reads `/proc/self` when asked, so that nothing is measured that nobody looks at.
#[derive(Debug)]
struct Process {
    resident: Gauge,
    processor: Counter,
    files: Gauge,
}

impl Process {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            resident: Gauge::new("process_resident_memory_bytes", "Resident memory of the process")?,
            processor: Counter::new("process_cpu_seconds_total", "Processor time of the process, user and system")?,
            files: Gauge::new("process_open_fds", "Open file descriptors of the process")?,
        })
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        [self.resident.desc(), self.processor.desc(), self.files.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(bytes) = resident_bytes() {
            self.resident.set(bytes as f64);
        }
        if let Some(seconds) = processor_seconds() {
            self.processor.inc_by((seconds - self.processor.get()).max(0.0));
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.files.set(files.count() as f64);
        }
        [self.resident.collect(), self.processor.collect(), self.files.collect()].concat()
    }
}

/// The resident memory of this process in bytes, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Linux counts processor time for user space in hundredths of a second, on every architecture.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; the fields after it are numbers.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
    Some((user + system) / 100.0)
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[test]
    fn metrics_are_named_after_their_service() {
        let context = Context::new("test", Registry::new(), CancellationToken::new());
        context.counters("dropped_total", "Dropped.", &["reason"]).unwrap().with_label_values(&["full"]).inc();
        context.histogram("wait_seconds", "Waited.", SECONDS).unwrap().observe(0.3);
        let page = String::from_utf8(render(&context.registry)).unwrap();
        assert!(page.contains("vedette_test_dropped_total{reason=\"full\"} 1"), "{page}");
        assert!(page.contains("vedette_test_wait_seconds_bucket{le=\"0.5\"} 1"), "{page}");
        let error = context.gauge("dropped_total", "Again.").unwrap_err();
        assert_eq!(error.to_string(), "register metric vedette_test_dropped_total");
    }

    #[test]
    fn the_process_is_measured() {
        let registry = Registry::new();
        register_process(&registry);
        register_process(&registry);
        let page = String::from_utf8(render(&registry)).unwrap();
        let value = |name: &str| -> f64 {
            let line = page.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1_000_000.0, "{page}");
        assert!(value("process_open_fds") >= 3.0, "{page}");
        assert!(value("process_cpu_seconds_total") >= 0.0, "{page}");
    }
}
