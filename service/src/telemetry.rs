//! Logs and traces.
//!
//! Logs go to the standard error, for people or as JSON. Traces go to an OpenTelemetry collector where the standard variable
//! `OTEL_EXPORTER_OTLP_ENDPOINT` names one.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

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
    let trace_layer =
        traces.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("vedette")));
    let text = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let registry = tracing_subscriber::registry().with(filter).with(trace_layer);
    if json { registry.with(text.json().flatten_event(true)).try_init() } else { registry.with(text).try_init() }
        .map_err(TelemetryError::Twice)?;
    Ok(Telemetry { traces })
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
