//! The policy that is in force: replaced as a whole, kept on disk, measured.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus::{IntCounter, IntGauge};
use tokio::sync::watch;
use vedette_rules::{Policy, SourceFile};

use super::PolicyWatch;
use super::state::LastGood;
use crate::metrics::MetricError;
use crate::{Context, chain};

/// Whoever puts policies in force holds this; whoever goes by them, the [`PolicyWatch`].
pub(super) struct InForce {
    policy: Arc<ArcSwap<Policy>>,
    /// Of its documents.
    hash: blake3::Hash,
    sender: watch::Sender<u64>,
    store: Option<PathBuf>,
    metrics: Metrics,
}

/// What is measured of it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Metrics {
    generation: IntGauge,
    changes: IntCounter,
    rejections: IntCounter,
    refused: IntGauge,
}

impl InForce {
    /// The first one. It is on disk already, if it is to be.
    pub(super) fn new(
        policy: Policy,
        hash: blake3::Hash,
        store: Option<PathBuf>,
        metrics: Metrics,
    ) -> (Self, PolicyWatch) {
        metrics.generation(policy.generation);
        let (sender, changes) = watch::channel(policy.generation);
        let policy = Arc::new(ArcSwap::from_pointee(policy));
        let watch = PolicyWatch { current: Arc::clone(&policy), changes };
        (Self { policy, hash, sender, store, metrics }, watch)
    }

    pub(super) fn generation(&self) -> u64 {
        self.policy.load().generation
    }

    pub(super) fn hash(&self) -> blake3::Hash {
        self.hash
    }

    pub(super) fn rules(&self) -> usize {
        self.policy.load().rules.rules().count()
    }

    /// Puts another in its place.
    pub(super) fn replace(&mut self, policy: Policy, files: &[SourceFile], hash: blake3::Hash) {
        self.hash = hash;
        if let Some(store) = &self.store
            && let Err(error) = LastGood::of(policy.generation, files).write(store)
        {
            tracing::error!(error = %chain(&error), "could not keep the rules for the next start");
        }
        let generation = policy.generation;
        self.policy.store(Arc::new(policy));
        self.metrics.generation(generation);
        self.metrics.changes.inc();
        self.metrics.refused(false);
        self.sender.send_replace(generation);
    }

    /// What was offered is what is in force.
    pub(super) fn confirm(&self) {
        self.metrics.refused(false);
    }

    /// What was offered is refused, for the first time.
    pub(super) fn refuse(&self) {
        self.metrics.refuse();
    }
}

impl Metrics {
    pub(super) fn new(ctx: &Context) -> Result<Self, MetricError> {
        Ok(Self {
            generation: ctx.gauge("policy_generation", "Generation of the policy in force")?,
            changes: ctx.counter("policy_changes_total", "Policies that came into force after the start")?,
            rejections: ctx.counter("policy_rejections_total", "Changed rules that were refused")?,
            refused: ctx.gauge(
                "policy_refused",
                "1 while the rules offered last are others than those in force, because they were refused",
            )?,
        })
    }

    fn generation(&self, generation: u64) {
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
    }

    pub(super) fn refused(&self, refused: bool) {
        self.refused.set(i64::from(refused));
    }

    pub(super) fn refuse(&self) {
        self.rejections.inc();
        self.refused(true);
    }
}
