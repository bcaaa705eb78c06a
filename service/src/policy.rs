//! The policy in force: a directory of rules and settings, watched.
//!
//! A change of the files is in force without a restart; one that does not compile is reported and changes nothing. Whatever
//! replaces the files in whatever way (an editor, `kubectl`, a ConfigMap's links) is seen: by the system's notification at once, by
//! looking again every few seconds where that fails.
//!
//! **Invariants.** There is always a policy in force. Its generation only grows, over restarts too where there is a state
//! directory. Files that were refused are reported once, not with every look; files on which the compiler panics are refused
//! like any others, so that the watch goes on.

mod files;
mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use prometheus::{IntCounter, IntGauge};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use vedette_rules::{Built, Diagnostic, Policy, Receiver, SourceFile};

use crate::metrics::MetricError;
use crate::{Context, chain};
use files::{FileSet, Places};
use state::LastGood;

/// How often the files are looked at without being told of a change.
const POLL: Duration = Duration::from_secs(5);
/// Several files are written one after the other: a change counts when it has been quiet for this long …
const QUIET: Duration = Duration::from_millis(100);
/// … or this long after it began.
const PATIENCE: Duration = Duration::from_secs(2);
/// Diagnostics of one change that are logged.
const LOGGED: usize = 50;

/// Where the policy comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// A directory of YAML files with `Rule` resources and at most one `Webhook`; or one such file.
    pub dir: PathBuf,
    /// Further ones; the files of all make one set.
    pub more: Vec<PathBuf>,
    /// Where the last good set is kept, so that a service starts although the files are broken or gone.
    pub state_dir: Option<PathBuf>,
    /// Receivers besides those of the `Webhook`, for a program that is told of one on its command line. No file sets them.
    #[serde(skip)]
    pub receivers: Vec<Receiver>,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { dir: PathBuf::from("/etc/vedette/rules"), more: Vec::new(), state_dir: None, receivers: Vec::new() }
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
/// If the files cannot be used and no last good set is kept.
pub async fn watch(config: &PolicyConfig, ctx: &Context) -> Result<PolicyWatch, PolicyError> {
    watch_with(config, ctx, POLL, compile).await
}

async fn watch_with(
    config: &PolicyConfig,
    ctx: &Context,
    poll: Duration,
    compile: Compile,
) -> Result<PolicyWatch, PolicyError> {
    let metrics = Metrics::new(ctx)?;
    let store = config.state_dir.as_ref().map(|folder| folder.join(format!("{}-policy.json", ctx.name)));
    // Watched before they are read: a change in between is then seen twice rather than never.
    let (told, changes) = mpsc::channel(1);
    let places = Places::new(&config.dir, &config.more);
    let source = Source { places, receivers: config.receivers.clone(), compile };
    let mut bell = Bell { places: source.places.clone(), told, watcher: None };
    bell.arm();
    let started = {
        let (source, store) = (source.clone(), store.clone());
        blocking(move || start(&source, store.as_deref())).await?
    };
    let policy = Arc::new(ArcSwap::from_pointee(started.policy));
    let (sender, receiver) = watch::channel(policy.load().generation);
    metrics.generation.set(i64::try_from(policy.load().generation).unwrap_or(i64::MAX));
    metrics.refused.set(i64::from(started.refused));
    let component = ctx.health.component("policy");
    component.ready();
    let Started { seen, in_force, .. } = started;
    let keeper = Keeper { source, store, seen, in_force, policy: Arc::clone(&policy), sender, metrics };
    let shutdown = ctx.shutdown.clone();
    ctx.spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = keep(keeper, bell, changes, poll) => {}
        }
    });
    Ok(PolicyWatch { current: policy, changes: receiver })
}

/// What the policy is made of.
#[derive(Debug, Clone)]
struct Source {
    places: Places,
    receivers: Vec<Receiver>,
    compile: Compile,
}

/// What makes a policy of files; apart so that tests can make it fail.
type Compile = fn(&[SourceFile], u64, &[Receiver]) -> Result<Built, Vec<Diagnostic>>;

fn compile(files: &[SourceFile], generation: u64, receivers: &[Receiver]) -> Result<Built, Vec<Diagnostic>> {
    Policy::build_with(files, generation, |settings| settings.receivers.extend_from_slice(receivers))
}

impl Source {
    fn build(&self, files: &[SourceFile], generation: u64) -> Result<Built, PolicyError> {
        // The files are only read, so that a panic leaves nothing half done behind.
        let built = catch_unwind(AssertUnwindSafe(|| (self.compile)(files, generation, &self.receivers)));
        let built = built.map_err(|_| PolicyError::Panicked { path: self.places.name() })?;
        built.map_err(|diagnostics| PolicyError::Rejected { path: self.places.name(), diagnostics })
    }
}

struct Metrics {
    generation: IntGauge,
    changes: IntCounter,
    rejections: IntCounter,
    refused: IntGauge,
}

impl Metrics {
    fn new(ctx: &Context) -> Result<Self, MetricError> {
        Ok(Self {
            generation: ctx.gauge("policy_generation", "Generation of the policy in force")?,
            changes: ctx.counter("policy_changes_total", "Policies that came into force after the start")?,
            rejections: ctx.counter("policy_rejections_total", "Changed files that were refused")?,
            refused: ctx.gauge(
                "policy_refused",
                "1 while the files are others than those in force, because they were refused",
            )?,
        })
    }
}

/// Rings when the files may have changed.
struct Bell {
    places: Places,
    told: mpsc::Sender<()>,
    watcher: Option<RecommendedWatcher>,
}

impl Bell {
    /// (Re-)attaches to the directory, which may be another one of the same name by now.
    fn arm(&mut self) {
        let told = self.told.clone();
        let ring = move |event: notify::Result<notify::Event>| {
            // Reading the files is an event too.
            if !matches!(&event, Ok(event) if event.kind.is_access()) {
                let _ = told.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(ring).and_then(|mut watcher| {
            for place in self.places.all() {
                // Of a single file, the directory: an editor puts another file in its place.
                let folder = if place.is_dir() { Some(place.as_path()) } else { place.parent() };
                let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                watcher.watch(folder, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        self.watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::debug!(%error, path = %self.places, "no notification of changes, looking regularly instead");
                None
            }
        };
    }
}

struct Started {
    policy: Policy,
    /// The files were refused, and the last good set is in force.
    refused: bool,
    seen: Seen,
    /// Of the files that are in force.
    in_force: blake3::Hash,
}

/// The files as last looked at.
enum Seen {
    /// These, in force or refused.
    Files(blake3::Hash),
    /// They could not be read, because of this.
    Unreadable(String),
}

fn start(source: &Source, store: Option<&Path>) -> Result<Started, PolicyError> {
    let last_good = match store {
        Some(store) => LastGood::read(store)?,
        None => None,
    };
    let (error, seen) = match source.places.read() {
        Ok(set) => match build(source, &set, last_good.as_ref()) {
            Ok(built) => {
                let policy = accept(source, built);
                if let Some(store) = store {
                    LastGood::of(&policy, &set).write(store)?;
                }
                return Ok(Started { policy, refused: false, seen: Seen::Files(set.hash), in_force: set.hash });
            }
            Err(error) => (error, Seen::Files(set.hash)),
        },
        Err(error) => {
            let seen = Seen::Unreadable(error.to_string());
            (error, seen)
        }
    };
    let Some(last_good) = last_good else { return Err(error) };
    let Ok(built) = source.build(&last_good.files, last_good.generation) else { return Err(error) };
    report(source, &error);
    tracing::warn!(policy.generation = last_good.generation, "starting with the last good rules");
    Ok(Started { policy: built.policy, refused: true, seen, in_force: last_good.hash() })
}

fn build(source: &Source, set: &FileSet, last_good: Option<&LastGood>) -> Result<Built, PolicyError> {
    let generation = match last_good {
        Some(last) if last.hash() == set.hash => last.generation,
        Some(last) => set.modified_ms.max(last.generation + 1),
        None => set.modified_ms,
    };
    source.build(&set.files, generation)
}

fn accept(source: &Source, built: Built) -> Policy {
    for warning in built.warnings.iter().take(LOGGED) {
        tracing::warn!(diagnostic = %warning, "noticed in the rules");
    }
    let policy = built.policy;
    tracing::info!(
        path = %source.places,
        policy.generation = policy.generation,
        policy.rules = policy.rules.rules().count(),
        policy.warnings = built.warnings.len(),
        "rules are in force"
    );
    policy
}

fn report(source: &Source, error: &PolicyError) {
    if let PolicyError::Rejected { diagnostics, .. } = error {
        for diagnostic in diagnostics.iter().take(LOGGED) {
            tracing::error!(diagnostic = %diagnostic, "refused in the rules");
        }
        tracing::error!(path = %source.places, diagnostics = diagnostics.len(), "the rules have errors");
    } else {
        tracing::error!(path = %source.places, error = %chain(error), "the rules cannot be used");
    }
}

/// Puts changed files in force, or reports them.
struct Keeper {
    source: Source,
    store: Option<PathBuf>,
    seen: Seen,
    in_force: blake3::Hash,
    policy: Arc<ArcSwap<Policy>>,
    sender: watch::Sender<u64>,
    metrics: Metrics,
}

async fn keep(mut keeper: Keeper, mut bell: Bell, mut changes: mpsc::Receiver<()>, poll: Duration) {
    let mut looks = tokio::time::interval(poll);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let rung = tokio::select! {
            rung = changes.recv() => rung.is_some(),
            _ = looks.tick() => false,
        };
        if rung {
            settle(&mut changes).await;
        }
        let (looked, changed) = blocking(move || {
            let changed = keeper.look();
            (keeper, changed)
        })
        .await;
        keeper = looked;
        if !rung && (changed || bell.watcher.is_none()) {
            // It should have been told.
            bell.arm();
        }
    }
}

/// Waits until nothing changes any more.
async fn settle(changes: &mut mpsc::Receiver<()>) {
    let end = Instant::now() + PATIENCE;
    while let Ok(Some(())) = tokio::time::timeout_at(end.min(Instant::now() + QUIET), changes.recv()).await {}
}

impl Keeper {
    /// Looks at the files. Returns whether they are others than last time.
    fn look(&mut self) -> bool {
        let set = match self.source.places.read() {
            Ok(set) => set,
            Err(error) => {
                let why = error.to_string();
                if matches!(&self.seen, Seen::Unreadable(seen) if *seen == why) {
                    return false;
                }
                self.seen = Seen::Unreadable(why);
                self.refuse(&error);
                return true;
            }
        };
        if matches!(&self.seen, Seen::Files(seen) if *seen == set.hash) {
            return false;
        }
        self.seen = Seen::Files(set.hash);
        if set.hash == self.in_force {
            // A broken change was taken back.
            self.metrics.refused.set(0);
            return true;
        }
        let generation = set.modified_ms.max(self.policy.load().generation + 1);
        match self.source.build(&set.files, generation) {
            Ok(built) => self.put_in_force(accept(&self.source, built), &set),
            Err(error) => self.refuse(&error),
        }
        true
    }

    fn put_in_force(&mut self, policy: Policy, set: &FileSet) {
        self.in_force = set.hash;
        if let Some(store) = &self.store
            && let Err(error) = LastGood::of(&policy, set).write(store)
        {
            tracing::error!(error = %chain(&error), "could not keep the rules for the next start");
        }
        let generation = policy.generation;
        self.policy.store(Arc::new(policy));
        self.metrics.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.metrics.changes.inc();
        self.metrics.refused.set(0);
        self.sender.send_replace(generation);
    }

    fn refuse(&self, error: &PolicyError) {
        self.metrics.rejections.inc();
        self.metrics.refused.set(1);
        report(&self.source, error);
        tracing::warn!(policy.generation = self.policy.load().generation, "keeping the rules that are in force");
    }
}

/// Reading files and compiling rules would hold up everything else on the reactor.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is ending: nobody waits for this any more.
        Err(_) => std::future::pending().await,
    }
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
