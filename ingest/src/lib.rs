//! The audit webhook: takes event lists over HTTPS and publishes them to JetStream.
//!
//! A 200 means that the broker has stored every event of the body that the settings let through, and a dead letter for
//! every item that was no event. Nothing is published before the whole body has been read; nothing is answered 200
//! before everything is stored; and the sender's retry makes the same messages under the same names.
//!
//! The way of a body: [`server`] → [`handler`] (path, [`auth`]) → [`body`] (deadlines, unpacking) → [`intake`] (cutting,
//! reading, stripping, redacting, collecting into parts) → [`publish`].
//!
//! **Invariants.** Memory is bounded by `limits.inFlightBytes`, whoever sends whatever. The intake knows no I/O. No
//! event is logged.

mod auth;
mod body;
mod budget;
pub mod config;
mod durability;
mod handler;
mod intake;
mod label;
mod loss;
mod metrics;
mod publish;
mod redaction;
mod refusal;
mod server;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use vedette_bus::{Announcement, Bus, NotReady};
use vedette_service::{
    Component, Context, Settings, admin::AdminConfig, chain, metrics::MetricError, namespaces, policy, tls,
};

pub use auth::TokenError;
pub use config::Config;
use config::TlsMode;
pub use redaction::RedactionError;

/// How often the broker is asked whether events may be published.
const PROBE: Duration = Duration::from_secs(2);

const NOT_READY: &str = "the broker is not ready for events";

/// Why ingest does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration makes no sense.
    #[error("check the configuration")]
    Config(#[from] config::Invalid),
    /// Tokens can't be read.
    #[error("read the senders' tokens")]
    Tokens(#[from] TokenError),
    /// There is no key to redact with.
    #[error("set up redaction")]
    Redaction(#[from] RedactionError),
    /// There is no certificate.
    #[error("set up TLS")]
    Tls(#[from] tls::TlsError),
    /// There is no policy.
    #[error("load the policy")]
    Policy(#[from] policy::PolicyError),
    /// The broker can't be reached.
    #[error("reach the broker")]
    Connect(#[from] vedette_bus::ConnectError),
    /// The broker can't be set up.
    #[error("set up the broker")]
    Ensure(#[from] vedette_bus::EnsureError),
    /// The broker has not what was just set up.
    #[error("find the broker set up")]
    Ready(#[from] vedette_bus::NotReady),
    /// The service can't make itself known.
    #[error("announce the service")]
    Announce(#[from] vedette_bus::AnnounceError),
    /// Metrics can't be made.
    #[error("make the metrics")]
    Metric(#[from] MetricError),
    /// An address can't be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Ingest, ready to serve.
pub struct Ingest {
    server: server::Server,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    ca: Option<PathBuf>,
    guard: Arc<auth::Guard>,
    probe: Probe,
    context: Context,
    _announcement: Announcement,
}

impl Settings for Config {
    fn admin(&self) -> &AdminConfig {
        &self.admin
    }
}

/// Runs ingest until the context's shutdown, then lets requests in hand end.
///
/// # Errors
/// If it can't start: see [`Ingest::start`].
pub async fn run(config: Config, context: Context) -> Result<(), Error> {
    Ingest::start(config, context).await?.serve().await;
    Ok(())
}

impl Ingest {
    /// Connects to the broker, sets up its streams, loads policy, tokens and certificate, and listens. Connections wait
    /// until [`Self::serve`].
    ///
    /// # Errors
    /// If any of it fails.
    pub async fn start(config: Config, context: Context) -> Result<Self, Error> {
        config.validate()?;
        let broker = context.health.component("broker");
        let metrics = metrics::Metrics::new(&context)?;
        let guard = Arc::new(auth::Guard::new(&config)?);
        let redactor = redaction::load(&config.redaction)?;
        let (tls, ca) = tls_of(&config)?;
        let policy = policy::watch(&config.policy, &context).await?;
        let namespaces = namespaces::watch(&config.policy, &context).await?;
        let bus = Bus::connect("vedette-ingest", &config.nats).await?;
        bus.ensure().await?;
        bus.ready().await?;
        broker.ready();
        let (listeners, addresses) = listen(&config.listen).await?;
        let announcement = announce(&bus, &config, &guard, &addresses).await?;
        let (closed_sender, closed) = watch::channel(None);
        let handler = handler::Handler {
            cluster: config.cluster.as_str().into(),
            limits: config.limits.clone(),
            guard: Arc::clone(&guard),
            policy,
            namespaces,
            redactor,
            bus: bus.clone(),
            closed,
            budget: budget::Budget::new(config.limits.in_flight_bytes, metrics.in_flight.clone()),
            rates: budget::Rates::new(config.limits.cluster_bytes_per_second, config.limits.cluster_burst_bytes),
            metrics,
            tasks: TaskTracker::new(),
        };
        let server = server::Server::new(handler, tls, config.limits, context.shutdown.clone());
        let probe = Probe { bus, broker, closed: closed_sender };
        Ok(Self { server, listeners, addresses, ca, guard, probe, context, _announcement: announcement })
    }

    /// Where it listens, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The authority of a self-signed certificate, for senders to trust.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// Serves until the context's shutdown, then lets requests in hand end.
    pub async fn serve(self) {
        let shutdown = self.context.shutdown.clone();
        self.context.spawn(self.guard.keep_fresh(self.context.clone()));
        self.context.spawn(async move {
            shutdown.run_until_cancelled_owned(self.probe.run()).await;
        });
        self.server.serve(self.listeners).await;
    }
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ingest").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Watches whether events may be published. A stream without its consumers acknowledges what it then drops: nothing is
/// taken until they are there again.
struct Probe {
    bus: Bus,
    broker: Component,
    closed: watch::Sender<Option<&'static str>>,
}

impl Probe {
    async fn run(self) {
        loop {
            tokio::time::sleep(PROBE).await;
            let closed = match self.bus.ready().await {
                Ok(()) => {
                    self.broker.ready();
                    None
                }
                Err(error) => {
                    self.broker.unready(chain(&error).to_string());
                    self.closed.send_replace(Some(NOT_READY));
                    self.set_up_again(&error).await
                }
            };
            self.closed.send_replace(closed);
        }
    }

    /// Sets the broker up again where that may help; returns why events may still not be published.
    async fn set_up_again(&self, error: &NotReady) -> Option<&'static str> {
        if matches!(error, NotReady::Away) {
            return Some(NOT_READY);
        }
        if let Err(error) = self.bus.ensure().await {
            tracing::debug!(error = %chain(&error), "set up the broker again");
            return Some(NOT_READY);
        }
        if self.bus.ready().await.is_err() {
            return Some(NOT_READY);
        }
        self.broker.ready();
        None
    }
}

/// The acceptor, and the authority of a self-signed certificate.
fn tls_of(config: &Config) -> Result<(Option<TlsAcceptor>, Option<PathBuf>), Error> {
    let client_ca = config.tls.client_ca.as_deref();
    let (certificate, key, ca) = match (config.tls.mode(), &config.tls.certificate, &config.tls.key) {
        (TlsMode::Off, ..) => {
            tracing::warn!("serving plain HTTP: events and credentials can be read on the way");
            return Ok((None, None));
        }
        (TlsMode::Files, Some(certificate), Some(key)) => (certificate.clone(), key.clone(), None),
        _ => {
            let files = tls::self_signed(&config.tls.directory, &config.tls.names_for(&config.listen))?;
            (files.certificate, files.key, Some(files.ca))
        }
    };
    // Certificates are asked for, not demanded: a token may do instead.
    let server = tls::server_config_with(&certificate, &key, client_ca, true)?;
    Ok((Some(TlsAcceptor::from(server)), ca))
}

async fn listen(wanted: &[SocketAddr]) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Error> {
    let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
    for address in wanted {
        let failed = |source| Error::Listen { address: *address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        addresses.push(listener.local_addr().map_err(failed)?);
        listeners.push(listener);
    }
    Ok((listeners, addresses))
}

/// Says at start, in the log and to `vedette status`, who may send and what a 200 is worth.
async fn announce(
    bus: &Bus,
    config: &Config,
    guard: &auth::Guard,
    addresses: &[SocketAddr],
) -> Result<Announcement, Error> {
    let durability = durability::find(config.monitor_url.as_deref(), config.durability).await;
    let listen: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let listen = listen.join(",");
    tracing::info!(listen, authentication = guard.method(), "listening");
    if guard.method() == "none" {
        tracing::warn!("taking events from anyone: set tokens, tokenFiles or tls.clientCa to know senders");
    }
    durability.tell();
    let metadata = BTreeMap::from([
        ("authentication".to_owned(), guard.method().to_owned()),
        ("durability".to_owned(), durability.as_str().to_owned()),
        ("redaction".to_owned(), if config.redaction.enabled { "on" } else { "off" }.to_owned()),
        ("listen".to_owned(), listen),
        ("cluster".to_owned(), config.cluster.clone()),
    ]);
    Ok(bus.announce("vedette-ingest", env!("CARGO_PKG_VERSION"), metadata).await?)
}
