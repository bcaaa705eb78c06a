//! Alert matches to Alertmanager and webhooks.
//!
//! The alerter takes alert results from the broker and acknowledges one only after **every** configured receiver has taken
//! its alerts: at least once is the promise, whatever is killed. Labels make that harmless, since an Alertmanager that
//! gets an alert twice sees one alert. Nothing is ever held back because of what a client chose, such as its `Audit-ID`.
//!
//! An alert's way: `dispatch` takes a message and spends each alert's labels from the `budget`, which makes `notice`s;
//! each receiver's `lane` sends them, in bodies made by `payload`, to its `target`; `settle` writes dead letters, the
//! alert log and books, and acknowledges.
//!
//! **Invariants.** A receiver that is away holds up nobody else: it has its own lane, and what waits for it goes back to
//! the broker. Nothing is dropped: an alert is taken, or refused and a dead letter, or counted as unrouted, or it comes
//! again. Memory is bounded however long receivers are away.

mod budget;
mod clock;
mod config;
mod dispatch;
mod lane;
mod log;
mod metrics;
mod notice;
mod payload;
mod settle;
mod taken;
mod target;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Certificate;
use tokio::sync::mpsc;
use vedette_bus::Bus;
use vedette_service::policy::PolicyWatch;
use vedette_service::{Context, chain};

pub use clock::{Clock, SystemClock};
pub use config::{Config, Delivery, SettingError};

use dispatch::Dispatcher;
use lane::Surroundings;
use metrics::Metrics;
use settle::Settler;

/// Why the alerter can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting can't be.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The file of certificates can't be read.
    #[error("read the certificates in {}", file.display())]
    CaFile {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of certificates holds something else.
    #[error("parse the certificates in {}", file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The rules can't be read, or have errors.
    #[error("load the policy")]
    Policy(#[source] vedette_service::policy::PolicyError),
    /// The broker can't be reached.
    #[error("connect to the broker")]
    Connect(#[source] vedette_bus::ConnectError),
    /// The broker's streams can't be had.
    #[error("prepare the broker's streams")]
    Ensure(#[source] vedette_bus::EnsureError),
    /// The metrics' names are taken.
    #[error("register the metrics")]
    Metrics(#[source] prometheus::Error),
}

/// Runs until `ctx.shutdown` is cancelled and what is in flight is delivered or given back to the broker.
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    config.check()?;
    let policy = vedette_service::policy::watch(&config.policy, &ctx).await.map_err(Error::Policy)?;
    let broker = ctx.health.component("broker");
    broker.unready("connecting");
    let bus = tokio::select! {
        () = ctx.shutdown.cancelled() => return Ok(()),
        bus = Bus::connect("vedette-alerter", &config.nats) => bus.map_err(Error::Connect)?,
    };
    bus.ensure().await.map_err(Error::Ensure)?;
    run_with(config, bus, policy, Arc::new(SystemClock), ctx).await
}

/// Runs on a connection, a policy and a clock that are there already; otherwise like [`run`].
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run_with(
    config: Config,
    bus: Bus,
    policy: PolicyWatch,
    clock: Arc<dyn Clock>,
    ctx: Context,
) -> Result<(), Error> {
    config.check()?;
    vedette_service::tls::install_provider();
    let metrics = Metrics::register(&ctx.registry).map_err(Error::Metrics)?;
    let roots = roots(config.ca_file.as_deref()).await?;
    let broker = ctx.health.component("broker");
    broker.ready();
    let (link, shutdown) = (bus.clone(), ctx.shutdown.clone());
    ctx.spawn(async move { broker.follow(|up| link.connection_other_than(up), shutdown).await });
    let (done, finished) = mpsc::unbounded_channel();
    let around = Surroundings {
        delivery: config.delivery.clone(),
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        roots,
        external: config.console_url.clone().unwrap_or_default().into(),
        done,
    };
    let (outbox, settler) = Settler::new(bus.clone(), metrics, clock, ctx.shutdown.clone());
    let settler = tokio::spawn(settler.run());
    let announcement = announce(&bus).await;
    let dispatcher = Dispatcher::new(&config, policy, around, finished, outbox, announcement);
    dispatcher.run(bus.alert_results(), ctx.shutdown.clone()).await;
    if let Err(error) = settler.await {
        tracing::error!(error = %error, "the settling task ended badly");
    }
    bus.flush().await;
    Ok(())
}

/// Makes the service known; that it can't be is no reason not to work.
async fn announce(bus: &Bus) -> Option<vedette_bus::Announcement> {
    let announced = bus.announce("vedette-alerter", env!("CARGO_PKG_VERSION"), BTreeMap::new()).await;
    announced.inspect_err(|error| tracing::warn!(error = %chain(error), "the service can't be announced")).ok()
}

/// The certificates that receivers without a caBundle must chain to: the system's, and those of the file.
async fn roots(file: Option<&Path>) -> Result<Arc<[Certificate]>, Error> {
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::debug!(error = %error, "a certificate of the system can't be read");
    }
    let mut roots: Vec<Certificate> =
        system.certs.iter().filter_map(|certificate| Certificate::from_der(certificate).ok()).collect();
    if let Some(file) = file {
        let read = tokio::fs::read(file).await;
        let pem = read.map_err(|source| Error::CaFile { file: file.to_owned(), source })?;
        let own = Certificate::from_pem_bundle(&pem);
        roots.extend(own.map_err(|source| Error::Certificates { file: file.to_owned(), source })?);
    }
    Ok(roots.into())
}
