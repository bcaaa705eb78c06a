//! From the `Webhook` to what runs: Deployments, Services, certificates, and the files for a kube-apiserver.
//!
//! What should be is a pure function ([`objects::wanted`]); what is gets changed by server-side apply alone, so that every field has an
//! owner: those that are named here are ours and are put right when somebody changes them, and those that are not (a label, a
//! sidecar's annotation, a horizontal autoscaler's own) are left alone.
//!
//! It is level-triggered: a change of anything wakes it, and a pass looks at everything. Nothing is remembered from one pass to the
//! next, so a leader that has just become one knows as much as one that has been for a year.
//!
//! **Invariants.** Only the leader writes. What a `Webhook` had made goes with it, save the authority that control planes were told to
//! trust. A `Webhook` that cannot be read, or an object that is refused, changes nothing about the others.

mod cluster;
pub mod component;
pub mod condition;
mod files;
mod image;
mod kubesphere;
pub mod objects;
mod own;
mod pass;
pub mod permissions;
mod said;
pub mod secrets;
mod settings;
mod watch;
pub mod webhook;
mod workload;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;
use tokio::sync::{Notify, watch as channel};
use tokio_util::sync::CancellationToken;

pub use own::{certificate, keep_certificate};
pub use pass::pass;
pub(crate) use said::said;
pub use settings::{OperatorAddress, Settings};

use crate::authority::AuthorityError;

/// Who owns the fields that are applied.
pub const MANAGER: &str = "vedette-operator";
/// Who owns the conditions.
pub const STATUS_MANAGER: &str = "vedette-operator-reconcile";

/// Changes come in bursts: a pass begins when it has been quiet for so long.
const QUIET: Duration = Duration::from_millis(200);
/// After a failure, the first and the longest wait.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Why things are not as they should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API server refuses, or is away.
    #[error("{verb} {resource} {name}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On what.
        resource: String,
        /// Its name.
        name: String,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// There is no certificate.
    #[error("keep the certificate authority")]
    Authority(#[from] AuthorityError),
    /// A certificate cannot be kept.
    #[error("write certificates to {}", folder.display())]
    Write {
        /// Where.
        folder: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The embedded archive lies in one machine's directory, which pods do not share.
    #[error("the setting `archive.engine` must be `search`: pods share no directory")]
    Archive,
    /// Some of what was to be done failed.
    #[error("{}", all(problems))]
    Incomplete {
        /// Each thing that failed.
        problems: Vec<Error>,
    },
}

impl Error {
    fn api(verb: &'static str, resource: &str, name: &str) -> impl Fn(kube::Error) -> Self {
        let (resource, name) = (resource.to_owned(), name.to_owned());
        move |source| Self::Api { verb, resource: resource.clone(), name: name.clone(), source: Box::new(source) }
    }

    /// Whether another was faster.
    fn is_conflict(&self) -> bool {
        match self {
            Self::Api { source, .. } => matches!(source.as_ref(), kube::Error::Api(status) if status.code == 409),
            _ => false,
        }
    }
}

fn all(problems: &[Error]) -> String {
    problems.iter().map(|it| said(it)).collect::<Vec<_>>().join("; ")
}

/// Reconciles as long as `leader` holds, until `shutdown`.
///
/// # Errors
/// If the settings make no sense. Whatever else fails is logged, written into the `Webhook`'s status and tried again.
pub async fn run(
    client: Client,
    settings: Settings,
    mut leader: channel::Receiver<bool>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    settings.check()?;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            led = leader.wait_for(|it| *it) => if led.is_err() { return Ok(()) },
        }
        tracing::info!("reconciling begins");
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            // A sender that is gone leads no more.
            _ = leader.wait_for(|it| !*it) => tracing::info!("reconciling ends: another one leads"),
            () = lead(&client, &settings) => {}
        }
    }
}

async fn lead(client: &Client, settings: &Settings) {
    let (wake, blind) = (Notify::new(), AtomicBool::new(false));
    let listen = async {
        let mut changes = watch::changes(client, &settings.namespace);
        while let Some(change) = changes.next().await {
            if let Err(error) = change {
                blind.store(true, Ordering::Relaxed);
                tracing::debug!(error = said(&error), "watch");
            }
            wake.notify_one();
        }
    };
    tokio::join!(listen, work(client, settings, &wake, &blind));
}

async fn work(client: &Client, settings: &Settings, wake: &Notify, blind: &AtomicBool) {
    let mut failures = 0;
    let mut ask = true;
    let mut told = Vec::new();
    loop {
        let missing =
            if ask | blind.swap(false, Ordering::Relaxed) { missing(client, settings).await } else { Vec::new() };
        if missing != told && !missing.is_empty() {
            let list: Vec<_> = missing.iter().map(ToString::to_string).collect();
            tracing::error!(missing = list.join(", "), "the operator's account may not do all that it must");
        }
        let result = pass(client, settings, &missing, Timestamp::now()).await;
        ask = !missing.is_empty() || result.is_err();
        told = missing;
        let (first, then) = match result {
            Ok(next) => {
                failures = 0;
                (Duration::ZERO, if ask { next.min(LONGEST_WAIT) } else { next })
            }
            Err(error) => {
                failures += 1;
                let wait = FIRST_WAIT.saturating_mul(1 << failures.min(6)).min(LONGEST_WAIT);
                tracing::warn!(error = said(&error), wait_seconds = wait.as_secs(), "reconcile");
                (FIRST_WAIT, wait)
            }
        };
        tokio::time::sleep(first).await;
        tokio::select! {
            () = tokio::time::sleep(then) => {}
            () = wake.notified() => tokio::time::sleep(QUIET).await,
        }
    }
}

async fn missing(client: &Client, settings: &Settings) -> Vec<permissions::Permission> {
    match permissions::missing(client, &settings.namespace, &permissions::all()).await {
        Ok(missing) => missing,
        Err(error) => {
            tracing::warn!(error = said(&error), "ask what the operator's account may do");
            Vec::new()
        }
    }
}
