//! The operator: `Rule` and `Webhook` resources as the source of truth, compiled, distributed, and answered for.
//!
//! The way of a change: `control::watch` sees it → [`index`] compiles everything and says what is to be in force → [`store`] gives
//! that a generation → [`serve::distribution`] sends it to whoever subscribes → [`subscribers`] knows who has it → [`status`]
//! says so in the resource. [`admission`] says beforehand what would come of it.
//!
//! **Invariants.** What is served compiled as a whole. A generation stands for one content, only grows, and outlives restarts and
//! changes of the leader. One bad resource changes nothing about the others.

pub mod admission;
pub mod api;
mod assembly;
pub mod authority;
pub mod config;
pub mod control;
pub mod document;
pub mod fleet;
mod generation;
pub mod index;
pub mod leader;
pub mod manage;
pub mod namespaces;
mod parts;
pub mod reconcile;
pub mod serve;
pub mod standalone;
pub mod status;
pub mod store;
pub mod subscribers;

use vedette_service::Context;
use vedette_service::metrics::MetricError;

pub use assembly::Operator;
pub use config::Config;

/// Why the operator does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no cluster that could be asked.
    #[error("find the cluster")]
    Cluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Rules can't be served.
    #[error("serve the rules")]
    Serve(#[from] serve::ServeError),
    /// Reviews can't be answered.
    #[error("answer the apiserver's reviews")]
    Admission(#[from] admission::AdmissionError),
    /// The directory's rules can't be kept.
    #[error("keep the rules of the directory")]
    Standalone(#[from] standalone::StandaloneError),
    /// What a `Webhook` describes can't be made.
    #[error("reconcile the services")]
    Reconcile(#[from] reconcile::Error),
    /// Resources can't be turned into rules.
    #[error("turn resources into rules")]
    Control(#[from] control::ControlError),
    /// Metrics can't be made.
    #[error("make the metrics")]
    Metric(#[from] MetricError),
    /// A part ended though nobody asked it to.
    #[error("the part `{0}` ended by itself")]
    Ended(&'static str),
}

/// Runs the operator until the context's shutdown.
///
/// # Errors
/// If it can't start, or a part of it fails.
pub async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    if config.rules.is_some() {
        return standalone::Standalone::start(config, ctx).await?.run().await;
    }
    Operator::start(config, ctx).await?.run().await
}
