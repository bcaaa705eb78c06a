//! Events to match results.
//!
//! The evaluator pulls every event message twice, once for each of the broker's consumers `archive` and `alert`: matching is cheap,
//! and so a dead archive does not stop alerts. Each time it decides the whole batch with the policy in force and publishes
//! exactly one result, empty or not, whose message id is the event message's own with the kind behind it. Whichever
//! evaluator does so first, the broker keeps that one, with the generation of the rules that decided.
//!
//! `lane` takes a delivery through its steps, `decide` is the pure part, `fit` keeps results within a message.
//!
//! **Invariants.** An event message is acknowledged after its result is stored, never before. Every event of a batch is counted
//! once. One event that cannot be decided becomes a dead letter and does not hold up the others.

mod config;
mod decide;
mod fit;
mod lane;
mod metrics;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use vedette_bus::{Bus, Kind};
use vedette_service::policy::PolicyWatch;
use vedette_service::{Context, chain};

pub use config::Config;

use lane::Lane;
use metrics::Metrics;

/// Why the evaluator can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting can't be.
    #[error("`{key}` must be at least 1")]
    Setting {
        /// The setting.
        key: &'static str,
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

/// Runs until `ctx.shutdown` is cancelled and what is in hand is decided or given back to the broker.
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    for (key, value) in [("workers", config.workers), ("batchesInHand", config.batches_in_hand)] {
        if value == 0 {
            return Err(Error::Setting { key });
        }
    }
    let metrics = Metrics::register(&ctx.registry).map_err(Error::Metrics)?;
    let policy = vedette_service::policy::watch(&config.policy, &ctx).await.map_err(Error::Policy)?;
    let broker = ctx.health.component("broker");
    broker.unready("connecting");
    let bus = tokio::select! {
        () = ctx.shutdown.cancelled() => return Ok(()),
        bus = Bus::connect("vedette-evaluator", &config.nats) => bus.map_err(Error::Connect)?,
    };
    bus.ensure().await.map_err(Error::Ensure)?;
    broker.ready();
    let (link, shutdown) = (bus.clone(), ctx.shutdown.clone());
    ctx.spawn(async move { broker.follow(|up| link.connection_other_than(up), shutdown).await });
    ctx.spawn(announce(bus.clone(), policy.clone(), metrics.clone(), ctx.clone()));
    let workers = Arc::new(Semaphore::new(config.workers));
    let lane = |kind| {
        Lane::new(kind, bus.clone(), policy.clone(), Arc::clone(&workers), metrics.clone(), ctx.shutdown.clone())
            .run(config.batches_in_hand)
    };
    tokio::join!(lane(Kind::Archive), lane(Kind::Alert));
    bus.flush().await;
    Ok(())
}

/// Makes the service and the generation in force known while it runs. That it can't be is no reason not to work.
async fn announce(bus: Bus, mut policy: PolicyWatch, metrics: Metrics, ctx: Context) {
    let generation = |policy: &PolicyWatch| policy.current().generation;
    let metadata = BTreeMap::from([("generation".to_owned(), generation(&policy).to_string())]);
    let announced = bus.announce("vedette-evaluator", env!("CARGO_PKG_VERSION"), metadata).await;
    let announced =
        announced.inspect_err(|error| tracing::warn!(error = %chain(error), "the service can't be announced")).ok();
    loop {
        let current = generation(&policy);
        metrics.generation.set(i64::try_from(current).unwrap_or(i64::MAX));
        if let Some(announced) = &announced {
            announced.set("generation", current.to_string());
        }
        tokio::select! {
            () = ctx.shutdown.cancelled() => return,
            () = policy.changed() => {}
        }
    }
}
