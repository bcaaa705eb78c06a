//! The administrator's side door of a service: whether it lives, whether it is ready, and its metrics.

use std::future::Future;
use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::ComponentState;
use crate::{Context, Health, metrics};

/// Where a service answers its administrator.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdminConfig {
    /// The address of `/healthz`, `/readyz` and `/metrics`. They say nothing of events, but need no password: without an
    /// address they are not served.
    pub listen: Option<SocketAddr>,
}

/// Why the administrator is not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("listen on {address} for the administrator")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// The side door, open.
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Sources {
    registry: prometheus::Registry,
    healths: Vec<(&'static str, Health)>,
}

#[derive(serde::Serialize)]
struct Readiness {
    ready: bool,
    services: Vec<ServiceState>,
}

#[derive(serde::Serialize)]
struct ServiceState {
    name: &'static str,
    ready: bool,
    components: Vec<ComponentState>,
}

/// Opens the side door of these services, which share a registry (the first one's is shown), until `stop` is cancelled.
/// Without an address there is nothing to open.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(
    config: &AdminConfig,
    contexts: &[Context],
    stop: CancellationToken,
) -> Result<Option<AdminServer>, AdminError> {
    let (Some(address), Some(first)) = (config.listen, contexts.first()) else { return Ok(None) };
    let failed = |source| AdminError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let registry = first.registry.clone();
    metrics::register_process(&registry);
    let healths = contexts.iter().map(|context| (context.name, context.health.clone())).collect();
    let app = router(Sources { registry, healths });
    let task = tokio::spawn(async move {
        let stopped = async move { stop.cancelled().await };
        if let Err(error) = run(listener, app, stopped).await {
            tracing::error!(%error, "the administrator's server failed");
        }
    });
    tracing::info!(listen = %address, "serving health and metrics");
    Ok(Some(AdminServer { address, task }))
}

impl AdminServer {
    /// The address with its port, also where port 0 was configured.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has stopped.
    pub async fn stopped(self) {
        let _ = self.task.await;
    }
}

async fn run(
    listener: TcpListener,
    app: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, app).with_graceful_shutdown(stopped).await
}

fn router(sources: Sources) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(sources)
}

async fn readyz(State(sources): State<Sources>) -> Response {
    let services: Vec<ServiceState> = sources
        .healths
        .iter()
        .map(|(name, health)| ServiceState { name, ready: health.is_ready(), components: health.components() })
        .collect();
    let ready = services.iter().all(|service| service.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, services })).into_response()
}

async fn render(State(sources): State<Sources>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&sources.registry)).into_response()
}

#[cfg(test)]
mod tests;
