//! From the resources to what is in force: the loop that watches, compiles, publishes and says what became of each.
//!
//! Every operator watches and knows; the one that leads publishes and writes statuses. What is served is what the head of the
//! [`Store`] names, so that all operators serve the same.

mod report;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kube::Client;
use kube::api::Api;
use prometheus::{IntCounter, IntGauge};
use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;
use vedette_service::metrics::MetricError;
use vedette_service::snapshot::Snapshot;
use vedette_service::{Component, Context, chain};

use crate::document::Key;
use crate::fleet::Fleet;
use crate::index::{Index, Outcome};
use crate::store::{Kept, PATIENCE, Store, StoreError};
use crate::subscribers::Subscribers;

pub use watch::{Change, Observed};

/// How long changes are gathered before they are compiled: several files are applied one after the other.
const QUIET: Duration = Duration::from_millis(10);
/// How long publishing waits after it failed.
const AGAIN: Duration = Duration::from_secs(1);
const A_DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How often statuses are compared with who is connected, while that changes.
const PACE: Duration = Duration::from_millis(200);
/// How often they are compared anyway, for what could not be written.
const RECHECK: Duration = Duration::from_secs(30);

/// What the loop works with.
#[derive(Clone)]
pub struct Control {
    /// The cluster's apiserver.
    pub client: Client,
    /// Where the snapshot is kept.
    pub namespace: String,
    /// Shared with admission and management, which ask what would be.
    pub index: Arc<RwLock<Index>>,
    /// Whether this operator leads.
    pub leads: channel::Receiver<bool>,
    /// Who subscribes here.
    pub subscribers: Subscribers,
    /// And at the others.
    pub fleet: Fleet,
    /// What is in force, for those who serve it.
    pub snapshot: channel::Sender<Option<Arc<Snapshot>>>,
    /// What became of the resources, for those who show it.
    pub outcome: channel::Sender<Option<Arc<Outcome>>>,
}

struct Metrics {
    generation: IntGauge,
    resources: IntGauge,
    broken: IntGauge,
    rules: IntGauge,
    published: IntCounter,
    failures: IntCounter,
}

impl Metrics {
    fn new(ctx: &Context) -> Result<Self, MetricError> {
        Ok(Self {
            generation: ctx.gauge("snapshot_generation", "Generation of the rules that are served")?,
            resources: ctx.gauge("resources", "Rule and Webhook resources that are seen")?,
            broken: ctx.gauge("resources_refused", "Resources that have errors")?,
            rules: ctx.gauge("rules_in_force", "Rules in force")?,
            published: ctx.counter("snapshots_published_total", "Snapshots that this operator put in force")?,
            failures: ctx
                .counter("publish_failures_total", "Snapshots that could not be put in force, and were tried again")?,
        })
    }
}

/// Why resources are not turned into rules any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Metrics can't be made.
    #[error("make the metrics")]
    Metric(#[from] MetricError),
    /// What was published is there no more, but something older: the cluster's store was restored. What was seen may be void too.
    #[error("the cluster was set back: generation {found} is in force, and {served} was; starting anew")]
    SetBack {
        /// What is kept now.
        found: u64,
        /// What this operator has served.
        served: u64,
    },
}

/// Watches and publishes until the context's shutdown.
///
/// # Errors
/// If the metrics can't be made, or the cluster was set back to an earlier state.
pub async fn run(control: Control, ctx: &Context) -> Result<(), ControlError> {
    let metrics = Metrics::new(ctx)?;
    let component = ctx.health.component("rules");
    let (sender, changes) = mpsc::channel(1024);
    let store = Store::new(Api::namespaced(control.client.clone(), &control.namespace));
    let watching = watch::all(control.client.clone(), control.namespace.clone(), sender, ctx.shutdown.clone());
    let (reports, to_write) = mpsc::channel(1);
    let writing = report::run(control.client.clone(), to_write);
    let desk = Desk {
        observed: BTreeMap::new(),
        listed: (false, false),
        head: None,
        outcome: None,
        since: HashMap::new(),
        dirty: false,
        store,
        metrics,
        reports,
        control,
        component,
    };
    let shutdown = ctx.shutdown.clone();
    let around = async { tokio::join!(watching, writing) };
    tokio::pin!(around);
    tokio::select! {
        ended = desk.run(changes, shutdown) => ended,
        _ = &mut around => Ok(()),
    }
}

/// The state of the loop.
struct Desk {
    control: Control,
    store: Store,
    metrics: Metrics,
    component: Component,
    reports: mpsc::Sender<report::Batch>,
    observed: BTreeMap<Key, Observed>,
    /// Whether all `Rule`s, and all `Webhook`s, have been seen.
    listed: (bool, bool),
    /// What is in force; the outer `None` until it has been looked for.
    head: Option<Option<Kept>>,
    outcome: Option<Arc<Outcome>>,
    /// Of each document in force, the hash of its text and the generation since which it is.
    since: HashMap<Key, (blake3::Hash, u64)>,
    /// Whether resources have changed since they were compiled.
    dirty: bool,
}

impl Desk {
    async fn run(
        mut self,
        mut changes: mpsc::Receiver<Change>,
        shutdown: CancellationToken,
    ) -> Result<(), ControlError> {
        let mut leads = self.control.leads.clone();
        let (mut here, mut elsewhere) = (self.control.subscribers.changes(), self.control.fleet.changes());
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut recheck = tokio::time::interval(RECHECK);
        recheck.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut report = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                change = changes.recv() => {
                    let Some(change) = change else { return Ok(()) };
                    report |= self.take(change).await?;
                    // A burst is one change; one that does not end is not waited for.
                    let burst = tokio::time::sleep(QUIET);
                    tokio::pin!(burst);
                    loop {
                        tokio::select! {
                            () = &mut burst => break,
                            change = changes.recv() => match change {
                                Some(change) => report |= self.take(change).await?,
                                None => return Ok(()),
                            }
                        }
                    }
                }
                changed = leads.changed() => {
                    if changed.is_err() { return Ok(()) }
                    // Whoever led before may have published.
                    self.dirty = true;
                    self.head = None;
                }
                Ok(()) = here.changed() => report = true,
                Ok(()) = elsewhere.changed() => report = true,
                () = tokio::time::sleep(AGAIN), if self.unfinished() => {}
                _ = recheck.tick() => report = true,
                _ = pace.tick(), if report => {
                    report = !self.report();
                    continue;
                }
            }
            if self.head.is_none() {
                self.find_head().await?;
            }
            if self.unfinished() && self.head.is_some() {
                report = true;
                self.renew().await;
            }
        }
    }

    /// Whether what is seen is not yet in force.
    fn unfinished(&self) -> bool {
        self.head.is_none() || self.dirty && self.listed == (true, true)
    }

    /// Takes note of a change. Whether statuses may have to be written.
    async fn take(&mut self, change: Change) -> Result<bool, ControlError> {
        let mut index = self.control.index.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Applied(key, document, observed) => {
                let changed = match document {
                    Some(document) => index.apply(document),
                    None => index.keep(&key),
                };
                self.dirty |= changed;
                let unreadable = observed.unreadable.clone();
                let before = self.observed.insert(key, *observed);
                return Ok(changed || before.is_none_or(|it| it.unreadable != unreadable));
            }
            Change::Deleted(key) => {
                self.dirty |= index.remove(&key);
                self.observed.remove(&key);
            }
            Change::Listed(kind, keys) => {
                let gone: Vec<_> =
                    self.observed.keys().filter(|key| kind.is_of(key) && !keys.contains(key)).cloned().collect();
                for key in gone {
                    index.remove(&key);
                    self.observed.remove(&key);
                }
                kind.mark(&mut self.listed);
                self.dirty = true;
            }
            Change::Head(head) => {
                drop(index);
                if !self.head.iter().flatten().any(|kept| kept.is(&head)) {
                    // The watch may tell late: what counts is what is there now.
                    self.find_head().await?;
                }
            }
        }
        Ok(true)
    }

    /// Serves what is kept, which another operator may have put in force.
    async fn find_head(&mut self) -> Result<(), ControlError> {
        let loaded = tokio::time::timeout(PATIENCE, self.store.load()).await;
        match loaded.unwrap_or(Err(StoreError::Slow)) {
            Ok(kept) => {
                let served = self.served();
                if let Some(found) = kept.as_ref().map(|it| it.snapshot.generation()).filter(|it| *it < served) {
                    return Err(ControlError::SetBack { found, served });
                }
                let known =
                    self.head.as_ref().is_some_and(|head| generation(head.as_ref()) == generation(kept.as_ref()));
                if !known {
                    self.adopt(kept);
                }
            }
            // It is replaced.
            Err(error) if error.is_damage() => {
                tracing::error!(error = %chain(&error), "the rules that were in force are lost; they are made again");
                self.adopt(None);
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "could not look for the rules in force; trying again");
            }
        }
        Ok(())
    }

    fn adopt(&mut self, kept: Option<Kept>) {
        if let Some(kept) = &kept {
            self.control.index.write().unwrap_or_else(PoisonError::into_inner).adopt(&kept.documents);
            self.serve(kept);
        }
        self.head = Some(kept);
        self.dirty = true;
    }

    /// The generation that this operator serves, 0 before the first.
    fn served(&self) -> u64 {
        self.control.snapshot.borrow().as_ref().map_or(0, |it| it.generation())
    }

    /// What a new generation must be above: what is served, and what is in force anywhere, since a cluster that was restored may be
    /// behind its own evaluators. What no clock can have given is nobody's generation.
    fn floor(&self) -> u64 {
        let now = crate::generation::now();
        let all = self.control.fleet.all(&self.control.subscribers);
        let sane = all.iter().map(|it| it.generation).filter(|it| *it < now.saturating_add(A_DAY_MS));
        sane.max().unwrap_or(0).max(self.served())
    }

    fn serve(&self, kept: &Kept) {
        let generation = kept.snapshot.generation();
        self.metrics.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.control.snapshot.send_if_modified(|current| {
            let newer = current.as_ref().is_none_or(|it| it.generation() < generation);
            if newer {
                *current = Some(Arc::new(kept.snapshot.clone()));
            }
            newer
        });
        self.component.ready();
    }

    /// Compiles what is seen, and puts it in force where this operator leads.
    async fn renew(&mut self) {
        self.dirty = false;
        let leads = *self.control.leads.borrow();
        let index = Arc::clone(&self.control.index);
        let built = tokio::task::spawn_blocking(move || {
            let (outcome, good) = index.read().unwrap_or_else(PoisonError::into_inner).resolve();
            if leads {
                index.write().unwrap_or_else(PoisonError::into_inner).settle(good);
            }
            outcome
        });
        let Ok(outcome) = built.await else {
            self.metrics.failures.inc();
            tracing::error!("the compiler failed on the resources: what is in force stays; please report them");
            return;
        };
        let refused =
            outcome.verdicts.values().filter(|it| it.diagnostics.iter().any(vedette_rules::Diagnostic::is_error));
        self.metrics.broken.set(i64::try_from(refused.count()).unwrap_or(i64::MAX));
        self.metrics.resources.set(i64::try_from(outcome.verdicts.len()).unwrap_or(i64::MAX));
        self.metrics.rules.set(i64::try_from(outcome.rules).unwrap_or(i64::MAX));
        let outcome = Arc::new(outcome);
        // Nobody is told of what could not be put in force.
        if leads && !self.publish(&outcome).await {
            return;
        }
        self.control.outcome.send_replace(Some(Arc::clone(&outcome)));
        self.outcome = Some(outcome);
    }

    /// Whether it is in force.
    async fn publish(&mut self, outcome: &Outcome) -> bool {
        if !outcome.compiled {
            tracing::error!("not one of the resources compiles: what is in force stays");
            return false;
        }
        let before = self.head.clone().flatten();
        let publishing = self.store.publish(before.as_ref(), outcome.documents.clone(), self.floor());
        let published = tokio::time::timeout(PATIENCE, publishing).await;
        match published.unwrap_or(Err(StoreError::Slow)) {
            Ok(kept) => {
                if generation(before.as_ref()) != Some(kept.snapshot.generation()) {
                    self.metrics.published.inc();
                    tracing::info!(
                        policy.generation = kept.snapshot.generation(),
                        policy.rules = outcome.rules,
                        "rules are in force"
                    );
                }
                self.serve(&kept);
                self.head = Some(Some(kept));
                true
            }
            Err(error) => {
                self.metrics.failures.inc();
                tracing::warn!(error = %chain(&error), "could not put the rules in force; trying again");
                self.head = None;
                self.dirty = true;
                false
            }
        }
    }

    /// Has statuses written that are others by now. Whether there is nothing left to do.
    fn report(&mut self) -> bool {
        if !*self.control.leads.borrow() {
            return true;
        }
        let (Some(outcome), Some(Some(head))) = (&self.outcome, &self.head) else { return true };
        let Ok(permit) = self.reports.try_reserve() else { return false };
        let in_force = head.snapshot.generation();
        // A subscriber that is ahead of what is kept refuses it as old.
        self.dirty |= in_force < self.floor();
        let all = self.control.fleet.all(&self.control.subscribers);
        let now: HashMap<_, _> = head
            .documents
            .iter()
            .filter_map(|it| Some((Key::parse(&it.name)?, blake3::hash(it.text.as_bytes()))))
            .collect();
        self.since.retain(|key, (hash, _)| now.get(key) == Some(hash));
        for (key, hash) in now {
            // After a restart: since the generation that the status says, which can't be later than this one.
            let said = self.observed.get(&key).and_then(|it| it.in_force_since(outcome.verdicts.get(&key)?));
            self.since.entry(key).or_insert((hash, said.filter(|it| *it <= in_force).unwrap_or(in_force)));
        }
        permit.send(report::batch(&self.observed, outcome, &self.since, &all));
        true
    }
}

fn generation(kept: Option<&Kept>) -> Option<u64> {
    kept.map(|it| it.snapshot.generation())
}

impl Observed {
    fn in_force_since(&self, verdict: &crate::index::Verdict) -> Option<u64> {
        let same = self.observed_generation == verdict.generation;
        self.snapshot_generation.filter(|_| same).and_then(|it| u64::try_from(it).ok())
    }
}
