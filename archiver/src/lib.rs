//! Archive matches to the archive.
//!
//! The archiver pulls archive results, gathers them into commits, writes each commit to the archive, then its books to the
//! broker, and acknowledges last. `gather` makes commits, `commit` takes one through its steps (and says what happens
//! when a process is killed between any two of them), `gate` leaves batches to others while the archive is away, `hand` keeps
//! those at work from being delivered to someone else meanwhile, `upkeep` drops old days, makes
//! room, and tells whether the archive works.
//!
//! **Invariants.** A batch is acknowledged after the archive and the books have it, never before. Of a batch's documents
//! each is stored, a duplicate, or rejected with a dead letter, and the books say which. At most two commits are in
//! memory: one being written and one being gathered.

mod batch;
mod commit;
mod config;
mod gate;
mod gather;
mod hand;
mod metrics;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use vedette_archive::{Archive, Mode};
use vedette_bus::Bus;
use vedette_service::{Context, chain};

pub use config::{CommitConfig, Config};

use commit::Committer;
use gate::Gate;
use hand::Hand;
use metrics::Metrics;

/// Why the archiver can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive can't be opened.
    #[error("open the archive")]
    Open(#[source] vedette_archive::OpenError),
    /// The broker can't be reached.
    #[error("connect to the broker")]
    Connect(#[source] vedette_bus::ConnectError),
    /// The broker's streams can't be had.
    #[error("prepare the broker's streams")]
    Ensure(#[source] vedette_bus::EnsureError),
    /// The metrics' names are taken.
    #[error("register the metrics")]
    Metrics(#[source] vedette_service::metrics::MetricError),
    /// A task ended that should not have.
    #[error("go on after a part of the archiver failed")]
    Task(#[source] tokio::task::JoinError),
}

/// Opens the archive that the configuration names, for writing, and runs until `ctx.shutdown` is cancelled and what is in
/// hand is committed or given back to the broker.
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    let archive = vedette_archive::open(&config.archive, Mode::Write).await.map_err(Error::Open)?;
    run_with(archive, config, ctx).await
}

/// The same with an archive that is open for writing already: whoever shares an embedded one with a reader.
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run_with(archive: Arc<dyn Archive>, config: Config, ctx: Context) -> Result<(), Error> {
    let metrics = Metrics::register(&ctx).map_err(Error::Metrics)?;
    let (archive_ready, broker_ready) = (ctx.health.component("archive"), ctx.health.component("broker"));
    broker_ready.unready("connecting");
    let bus = tokio::select! {
        () = ctx.shutdown.cancelled() => return Ok(()),
        bus = Bus::connect("vedette-archiver", &config.nats) => bus.map_err(Error::Connect)?,
    };
    bus.ensure().await.map_err(Error::Ensure)?;
    broker_ready.ready();
    ctx.spawn(announce(bus.clone(), ctx.shutdown.clone()));
    ctx.spawn(upkeep::watch(Arc::clone(&archive), archive_ready.clone(), metrics.clone(), ctx.shutdown.clone()));
    ctx.spawn(upkeep::trim(Arc::clone(&archive), metrics.clone(), ctx.shutdown.clone()));
    let retention = config.archive.retention_days;
    ctx.spawn(upkeep::retain(Arc::clone(&archive), retention, metrics.clone(), ctx.shutdown.clone()));

    // Progress is reported until the last commit is made, also after the shutdown has begun.
    let (hand, done) = (Hand::default(), CancellationToken::new());
    let ack_wait = Duration::from_secs(config.nats.ack_wait_seconds.max(1));
    let report = hand.clone().report(ack_wait, done.clone());
    let (sender, receiver) = mpsc::channel(1);
    let (gate, opens) = watch::channel(Gate::Open);
    let gather =
        gather::gather(bus.clone(), config, hand.clone(), metrics.clone(), ctx.shutdown.clone(), opens, sender);
    let committer =
        Committer { archive, bus: bus.clone(), hand, metrics, archive_ready, broker_ready, shutdown: ctx.shutdown };
    // Tasks of their own, since writing to an embedded archive blocks the task that does it.
    let (report, gather) = (tokio::spawn(report), tokio::spawn(gather));
    let commit = tokio::spawn(async move {
        let _done = done.drop_guard();
        committer.run(receiver, gate).await;
    });
    let ended = tokio::join!(gather, commit, report);
    bus.flush().await;
    ended.0.and(ended.1).and(ended.2).map_err(Error::Task)
}

/// Makes the service known while it runs. That it can't be is no reason not to work.
async fn announce(bus: Bus, stop: CancellationToken) {
    let announced = bus.announce("vedette-archiver", env!("CARGO_PKG_VERSION"), BTreeMap::new()).await;
    if let Err(error) = &announced {
        tracing::warn!(error = %chain(error), "the service can't be announced");
    }
    stop.cancelled().await;
}
