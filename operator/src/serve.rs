//! The gRPC server: distribution and whatever else is added to its routes, with health and reflection.
//!
//! TLS is by files that are read again when they change, so that certificates are rotated without a restart. Without TLS the server
//! listens on loopback only.

pub mod access;
pub mod distribution;
mod listen;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use vedette_proto::rules::v1::rule_distribution_server::RuleDistributionServer;
use vedette_proto::rules::v1::rule_management_server::RuleManagementServer;
use vedette_proto::rules::v1::{self as proto};

pub use listen::{TlsFiles, TlsListener};

use crate::manage::Management;
use access::Access;
use distribution::Distribution;

/// What a subscriber may send at once: names, and the compiler's findings.
const REQUEST_LIMIT: usize = 1024 * 1024;
/// How often a connection is asked whether it still is one, and how long it may take to answer.
const PING: Duration = Duration::from_secs(10);
const PONG: Duration = Duration::from_secs(5);

/// Where the server listens and how connections are protected.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServeConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// A PEM certificate with its chain; without it the server speaks plain gRPC, on loopback only.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// PEM certificates of the authority of subscribers' certificates.
    pub client_ca: Option<PathBuf>,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9443)), certificate: None, key: None, client_ca: None }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Not on loopback, and no certificate.
    #[error("{0} is not loopback: set `certificate` and `key`, and `clientCa`")]
    Plain(SocketAddr),
    /// One of several that go together is missing.
    #[error("`certificate`, `key` and `clientCa` are set together or not at all")]
    Partial,
    /// The certificate can't be used.
    #[error("set up TLS")]
    Tls(#[from] vedette_service::tls::TlsError),
    /// The address can't be listened on.
    #[error("listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The descriptors can't be shown.
    #[error("set up reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The server broke.
    #[error("serve gRPC")]
    Serve(#[from] tonic::transport::Error),
}

/// A server that listens.
#[derive(Debug)]
pub struct Listening {
    config: ServeConfig,
    listener: TcpListener,
    address: SocketAddr,
}

impl ServeConfig {
    /// Who may subscribe, as this protects connections.
    ///
    /// # Errors
    /// If the settings don't go together.
    pub fn access(&self) -> Result<Access, ServeError> {
        match (&self.certificate, &self.key, &self.client_ca) {
            (Some(_), Some(_), Some(_)) => Ok(Access::Certificate),
            (None, None, None) if self.listen.ip().is_loopback() => Ok(Access::Open),
            (None, None, None) => Err(ServeError::Plain(self.listen)),
            _ => Err(ServeError::Partial),
        }
    }

    /// Where the certificate is.
    pub fn folder(&self) -> Option<&Path> {
        self.certificate.as_deref().and_then(Path::parent)
    }

    fn files(&self) -> Option<TlsFiles> {
        let (certificate, key) = (self.certificate.clone()?, self.key.clone()?);
        Some(TlsFiles { certificate, key, client_ca: self.client_ca.clone() })
    }

    /// Listens. Connections wait until [`Listening::serve`].
    ///
    /// # Errors
    /// If the settings don't go together, or the address is taken.
    pub async fn listen(&self) -> Result<Listening, ServeError> {
        self.access()?;
        let failed = |source| ServeError::Listen { address: self.listen, source };
        let listener = TcpListener::bind(self.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listening { config: self.clone(), listener, address })
    }
}

impl Listening {
    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`.
    ///
    /// # Errors
    /// If certificates can't be read, or the server breaks.
    pub async fn serve(
        self,
        distribution: Distribution,
        more: impl FnOnce(Routes) -> Routes,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let (health, service) = tonic_health::server::health_reporter();
        health.set_serving::<RuleDistributionServer<Distribution>>().await;
        // Of what `more` adds, this is always there outside tests.
        health.set_serving::<RuleManagementServer<Management>>().await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that tools can show the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .build_v1()?;
        let distribution = RuleDistributionServer::new(distribution).max_decoding_message_size(REQUEST_LIMIT);
        let routes = more(Routes::new(distribution).add_service(service).add_service(reflection));
        let server = Server::builder()
            .http2_keepalive_interval(Some(PING))
            .http2_keepalive_timeout(Some(PONG))
            .tcp_nodelay(true)
            .add_routes(routes);
        let ended = shutdown.clone().cancelled_owned();
        match self.config.files() {
            Some(files) => {
                let connections = TlsListener::new(files, self.listener, shutdown)?;
                server.serve_with_incoming_shutdown(connections, ended).await?;
            }
            None => {
                let connections = TcpListenerStream::new(self.listener);
                server.serve_with_incoming_shutdown(connections, ended).await?;
            }
        }
        Ok(())
    }
}
