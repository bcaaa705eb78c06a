//! The policy in force: rules and settings, kept up to date.
//!
//! They come from a directory that is watched, or from the operator that distributes them; a service sees the same
//! [`PolicyWatch`] either way. A change is in force without a restart; one that does not compile is reported and changes nothing.
//!
//! **Invariants.** There is always a policy in force. Its generation only grows, over restarts too where there is a state
//! directory. What was refused is reported once, however often it is offered; rules on which the compiler panics are refused
//! like any others, so that the watch goes on.

mod compiler;
mod directory;
mod files;
mod in_force;
mod state;
mod subscribe;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::Deserialize;
use tokio::sync::watch;
use vedette_rules::{Diagnostic, Policy, Receiver};

use crate::Context;
use crate::metrics::MetricError;
use crate::operator::{OperatorConfig, OperatorError, Pace};
use crate::snapshot::SnapshotError;

/// Where rules are unless told otherwise.
const DIR: &str = "/etc/vedette/rules";

/// Where the policy comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// A directory of YAML files with `Rule` resources and at most one `Webhook`; or one such file.
    pub dir: PathBuf,
    /// Further ones; the files of all make one set.
    pub more: Vec<PathBuf>,
    /// The operator, where that distributes the rules: the directory is not read then.
    pub operator: Option<OperatorConfig>,
    /// Where the last good set is kept, so that a service starts although the files are broken or gone, or the operator away.
    pub state_dir: Option<PathBuf>,
    /// Receivers besides those of the `Webhook`, for a program that is told of one on its command line. No file sets them.
    #[serde(skip)]
    pub receivers: Vec<Receiver>,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { dir: PathBuf::from(DIR), more: Vec::new(), operator: None, state_dir: None, receivers: Vec::new() }
    }
}

impl PolicyConfig {
    /// # Errors
    /// If it names two sources of rules, or the operator's settings make no sense.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let Some(operator) = &self.operator else { return Ok(()) };
        if self.dir != *DIR || !self.more.is_empty() {
            return Err(PolicyError::TwoSources);
        }
        operator.validate().map_err(|source| PolicyError::Operator { url: operator.url.clone(), source })
    }
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The files cannot be read.
    #[error("read the rules from {}", path.display())]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is not one YAML file.
    #[error("there is no .yaml or .yml file in {}", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// There is too much to be rules.
    #[error("the rules in {} are more than {limit}", path.display())]
    TooLarge {
        /// The directory or file.
        path: PathBuf,
        /// The limit.
        limit: &'static str,
    },
    /// The files do not compile.
    #[error("the rules in {} have errors:\n{}", path.display(), list(diagnostics))]
    Rejected {
        /// The directory or file.
        path: PathBuf,
        /// Everything that was found.
        diagnostics: Vec<Diagnostic>,
    },
    /// The compiler panicked, which is a mistake in it.
    #[error("the compiler failed on the rules in {}: please report them", path.display())]
    Panicked {
        /// The directory or file.
        path: PathBuf,
    },
    /// The state directory cannot be used.
    #[error("keep the rules in {}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Rules are to come from two places.
    #[error("rules come from `operator` or from `dir` and `more`, not from both")]
    TwoSources,
    /// The operator gives none.
    #[error("get the rules from {url}")]
    Operator {
        /// The operator.
        url: String,
        /// Why.
        source: OperatorError,
    },
    /// What the operator sent is none.
    #[error("use the rules from {}", path.display())]
    Snapshot {
        /// The operator.
        path: PathBuf,
        /// Why.
        source: SnapshotError,
    },
    /// The service was stopped before there were any.
    #[error("stopped before there were rules")]
    Stopped,
    /// The metrics cannot be made.
    #[error("measure the policy")]
    Metric(#[from] MetricError),
}

/// The policy in force. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PolicyWatch {
    current: Arc<ArcSwap<Policy>>,
    changes: watch::Receiver<u64>,
}

impl PolicyWatch {
    /// The policy in force at this moment.
    pub fn current(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// Returns when the policy has changed since this handle was made or last asked. Never, once the service is stopping.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// A policy that never changes, for tests and one-shot programs.
    pub fn fixed(policy: Policy) -> Self {
        let (_, changes) = watch::channel(policy.generation);
        Self { current: Arc::new(ArcSwap::from_pointee(policy)), changes }
    }
}

/// Loads the policy and keeps it up to date until the service stops.
///
/// # Errors
/// If the rules cannot be had, or have errors, and no last good set is kept.
pub async fn watch(config: &PolicyConfig, ctx: &Context) -> Result<PolicyWatch, PolicyError> {
    config.validate()?;
    match &config.operator {
        Some(operator) => subscribe::watch_with(config, operator, ctx, Pace::default(), compiler::compile).await,
        None => directory::watch_with(config, ctx, directory::POLL, compiler::compile).await,
    }
}

/// The file in which a service keeps `what`, if it keeps any.
fn kept(config: &PolicyConfig, ctx: &Context, what: &str) -> Option<PathBuf> {
    config.state_dir.as_ref().map(|folder| folder.join(format!("{}-{what}.json", ctx.name)))
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
