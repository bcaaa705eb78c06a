//! A directory of rules and settings, watched.
//!
//! Whatever replaces the files in whatever way (an editor, `kubectl`, a ConfigMap's links) is seen: by the system's
//! notification at once, by looking again every few seconds where that fails.

use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use vedette_rules::{Built, Policy};

use super::compiler::{Compile, Compiler};
use super::files::{FileSet, Places};
use super::in_force::{InForce, Metrics};
use super::state::LastGood;
use super::{PolicyConfig, PolicyError, PolicyWatch, kept};
use crate::Context;
use crate::blocking::blocking;

/// How often the files are looked at without being told of a change.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// Several files are written one after the other: a change counts when it has been quiet for this long …
const QUIET: Duration = Duration::from_millis(100);
/// … or this long after it began.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn watch_with(
    config: &PolicyConfig,
    ctx: &Context,
    poll: Duration,
    compile: Compile,
) -> Result<PolicyWatch, PolicyError> {
    let metrics = Metrics::new(ctx)?;
    let store = kept(config, ctx, "policy");
    // Watched before they are read: a change in between is then seen twice rather than never.
    let (told, changes) = mpsc::channel(1);
    let places = Places::new(&config.dir, &config.more);
    let compiler = Compiler { origin: places.name(), receivers: config.receivers.clone(), compile };
    let source = Source { places, compiler };
    let mut bell = Bell { places: source.places.clone(), told, watcher: None };
    bell.arm();
    let started = {
        let (source, store) = (source.clone(), store.clone());
        blocking(move || start(&source, store.as_deref())).await?
    };
    metrics.refused(started.refused);
    let (in_force, watch) = InForce::new(started.policy, started.in_force, store, metrics);
    ctx.health.component("policy").ready();
    let keeper = Keeper { source, seen: started.seen, in_force };
    let shutdown = ctx.shutdown.clone();
    ctx.spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = keep(keeper, bell, changes, poll) => {}
        }
    });
    Ok(watch)
}

/// What the policy is made of.
#[derive(Debug, Clone)]
struct Source {
    places: Places,
    compiler: Compiler,
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
                let policy = source.compiler.accept(built);
                if let Some(store) = store {
                    LastGood::of(policy.generation, &set.files).write(store)?;
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
    let Ok(built) = source.compiler.build(&last_good.files, last_good.generation) else { return Err(error) };
    source.compiler.report(&error);
    tracing::warn!(policy.generation = last_good.generation, "starting with the last good rules");
    Ok(Started { policy: built.policy, refused: true, seen, in_force: last_good.hash() })
}

fn build(source: &Source, set: &FileSet, last_good: Option<&LastGood>) -> Result<Built, PolicyError> {
    let generation = match last_good {
        Some(last) if last.hash() == set.hash => last.generation,
        Some(last) => set.modified_ms.max(last.generation + 1),
        None => set.modified_ms,
    };
    source.compiler.build(&set.files, generation)
}

/// Puts changed files in force, or reports them.
struct Keeper {
    source: Source,
    seen: Seen,
    in_force: InForce,
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
        if set.hash == self.in_force.hash() {
            // A broken change was taken back.
            self.in_force.confirm();
            return true;
        }
        let generation = set.modified_ms.max(self.in_force.generation() + 1);
        match self.source.compiler.build(&set.files, generation) {
            Ok(built) => self.in_force.replace(self.source.compiler.accept(built), &set.files, set.hash),
            Err(error) => self.refuse(&error),
        }
        true
    }

    fn refuse(&self, error: &PolicyError) {
        self.in_force.refuse();
        self.source.compiler.report(error);
        tracing::warn!(policy.generation = self.in_force.generation(), "keeping the rules that are in force");
    }
}

#[cfg(test)]
mod tests;
