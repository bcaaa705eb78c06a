//! Logs and traces.
//!
//! Logs go to the standard error, for people or as JSON. Traces go to an OpenTelemetry collector where the standard variable
//! `OTEL_EXPORTER_OTLP_ENDPOINT` names one. Neither holds the other: spans are never logged, and `RUST_LOG` takes none
//! away; without a collector they are switched off where they are made.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// The target of every span of ours, which tells them from those of libraries: only these are exported. Their numbers are
/// recorded as `i64`, as OpenTelemetry has them; others become text.
pub const SPANS: &str = "vedette::span";

/// What is logged when `RUST_LOG` says nothing: our own doings, and what others warn of.
const DEFAULT_FILTER: &str = "info,async_nats=warn,hyper=warn,rustls=warn,tantivy=warn,opentelemetry=warn";

/// Flushes traces when it is dropped. Keep it until the end of the program.
#[derive(Debug)]
#[must_use = "traces that have not been sent are lost without it"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Why there are no logs or traces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// `VEDETTE_LOG_FORMAT` is neither `text` nor `json`.
    #[error("VEDETTE_LOG_FORMAT is `{0}`, expected `text` or `json`")]
    Format(String),
    /// `RUST_LOG` cannot be understood.
    #[error("read RUST_LOG")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// The exporter of traces cannot be made.
    #[error("set up the export of traces to OTEL_EXPORTER_OTLP_ENDPOINT")]
    Traces(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Logging was set up before.
    #[error("set up logging")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up logs and traces of this process as `service`, by `VEDETTE_LOG_FORMAT` (`text`, the default, or `json`),
/// `RUST_LOG` and `OTEL_EXPORTER_OTLP_ENDPOINT`. Call it once, inside the runtime.
///
/// # Errors
/// If one of the variables cannot be understood, or logging was set up before.
pub fn init(service: &'static str) -> Result<Telemetry, TelemetryError> {
    let json = match std::env::var("VEDETTE_LOG_FORMAT").as_deref() {
        Err(_) | Ok("" | "text") => false,
        Ok("json") => true,
        Ok(other) => return Err(TelemetryError::Format(other.to_owned())),
    };
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(filter).map_err(TelemetryError::Filter)?,
        _ => EnvFilter::new(DEFAULT_FILTER),
    };
    let traces = traces(service)?;
    tracing_subscriber::registry()
        .with(layers(filter, json, traces.as_ref()))
        .try_init()
        .map_err(TelemetryError::Twice)?;
    Ok(Telemetry { traces })
}

type Output = Box<dyn Layer<Registry> + Send + Sync>;

/// Events to the log, spans to the collector. Each has its own filter, so that a span without a collector is disabled.
fn layers(filter: EnvFilter, json: bool, traces: Option<&SdkTracerProvider>) -> Vec<Output> {
    let text = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let events = filter.and(filter_fn(|metadata| metadata.is_event()).with_max_level_hint(LevelFilter::TRACE));
    let log = if json {
        text.json().flatten_event(true).with_filter(events).boxed()
    } else {
        text.with_filter(events).boxed()
    };
    let ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == SPANS);
    // Without a hint, whatever any library traces would be looked at.
    let ours = ours.with_max_level_hint(LevelFilter::INFO);
    let spans = traces.map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("vedette"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(ours)
            .boxed()
    });
    std::iter::once(log).chain(spans).collect()
}

fn traces(service: &'static str) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").is_ok_and(|endpoint| !endpoint.is_empty()) {
        let exporter = SpanExporter::builder().with_tonic().build().map_err(TelemetryError::Traces)?;
        let resource = Resource::builder().with_service_name(service).build();
        Ok(Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    } else {
        Ok(None)
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = &self.traces
            && let Err(error) = traces.shutdown_with_timeout(Duration::from_secs(3))
        {
            tracing::debug!(%error, "could not send the last traces");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled(traces: Option<&SdkTracerProvider>, filter: &str) -> (bool, bool) {
        let subscriber = tracing_subscriber::registry().with(layers(EnvFilter::new(filter), false, traces));
        tracing::subscriber::with_default(subscriber, || {
            let ours = tracing::info_span!(target: SPANS, "ours");
            let a_library_s = tracing::info_span!("a library's");
            (!ours.is_disabled(), !a_library_s.is_disabled())
        })
    }

    #[test]
    fn spans_are_disabled_without_a_collector_whatever_is_logged() {
        assert_eq!(enabled(None, DEFAULT_FILTER), (false, false));
        assert_eq!(enabled(None, "trace"), (false, false));
    }

    #[test]
    fn only_our_spans_are_exported_whatever_is_logged() {
        let traces = SdkTracerProvider::builder().build();
        assert_eq!(enabled(Some(&traces), DEFAULT_FILTER), (true, false));
        assert_eq!(enabled(Some(&traces), "off"), (true, false));
        assert_eq!(enabled(Some(&traces), "trace"), (true, false));
    }
}
