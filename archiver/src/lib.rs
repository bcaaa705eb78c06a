//! Archive matches to the archive.
//!
//! The archiver takes archive results from the broker, makes documents of them and writes many at once. The order is what keeps
//! the promise across kill -9: first the archive has the documents, then the dead letters and the books are stored,
//! then the results are acknowledged. Whatever is killed in between comes again; an event's id makes the second write of it no
//! write, and the archive remembers which batch stored an event, so that the books say the same the second time.
//!
//! `commit` gathers what is written together, `prepare` makes documents, books and letters, `sink` takes a commit through its
//! steps, `retention` drops old days.
//!
//! **Invariants.** A result is acknowledged after its books are stored, never before. While the archive is away nothing is
//! dropped: results wait here up to one commit and in the broker beyond.

mod commit;
mod config;
mod metrics;
mod prepare;
mod retention;
mod sink;

use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_archive::{Archive, Mode, OpenError};
use vedette_bus::Bus;
use vedette_service::{Context, chain};

pub use config::{CommitConfig, Config};

use commit::Gatherer;
use metrics::Metrics;
use sink::Sink;

/// Why the archiver can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting can't be.
    #[error("`{key}` must be at least 1")]
    Setting {
        /// The setting.
        key: &'static str,
    },
    /// The archive can't be opened.
    #[error("open the archive")]
    Open(#[source] OpenError),
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

/// Opens the archive that the configuration names and runs until `ctx.shutdown` is cancelled and what is in hand is applied
/// or given back to the broker.
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    let archive = vedette_archive::open(&config.archive, Mode::Write).await.map_err(Error::Open)?;
    run_with(archive, config, ctx).await
}

/// The same with an archive that is open already: `vedette up` shares an embedded one with the console.
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run_with(archive: Arc<dyn Archive>, config: Config, ctx: Context) -> Result<(), Error> {
    for (key, value) in [("commit.documents", config.commit.documents), ("commit.bytes", config.commit.bytes)] {
        if value == 0 {
            return Err(Error::Setting { key });
        }
    }
    let metrics = Metrics::register(&ctx.registry).map_err(Error::Metrics)?;
    let broker = ctx.health.component("broker");
    broker.unready("connecting");
    let bus = tokio::select! {
        () = ctx.shutdown.cancelled() => return Ok(()),
        bus = Bus::connect("vedette-archiver", &config.nats) => bus.map_err(Error::Connect)?,
    };
    bus.ensure().await.map_err(Error::Ensure)?;
    broker.ready();
    let announced = bus.announce("vedette-archiver", env!("CARGO_PKG_VERSION"), BTreeMap::new()).await;
    let _announced =
        announced.inspect_err(|error| tracing::warn!(error = %chain(error), "the service can't be announced")).ok();
    ctx.spawn(retention::run(Arc::clone(&archive), config.archive.retention_days, metrics.clone(), ctx.clone()));
    let component = ctx.health.component("archive");
    let health = archive.health().await;
    if health.ready { component.ready() } else { component.unready(health.detail) }
    let sink = Sink::new(archive, bus.clone(), metrics, component, ctx.shutdown.clone());
    let mut gatherer = Gatherer::new(bus.archive_results(), config.commit, ctx.shutdown.clone());
    while let Some(commit) = gatherer.next().await {
        sink.apply(commit).await;
    }
    bus.flush().await;
    Ok(())
}
