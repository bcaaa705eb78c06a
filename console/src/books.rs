//! The books: sums over everything that was applied, and whether they balance.
//!
//! Archiver and alerter write down each batch that they applied, with all its counts, once a commit. The sums of those
//! entries are the truth about every event that came in; they survive any kill, since an entry is written before its batch
//! is acknowledged. What is killed in between writes its entry again: an entry counts once for its service, cluster and
//! batch. To know them again, the last [`REMEMBERED`] keys are kept. A second entry comes when a batch is delivered again,
//! which is at most an outage of its service after the first; at ten POSTs a second, a million keys are half a day of both
//! services' entries, in some 30 MB.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vedette_proto::bus::v1::{AlertEntry, ArchiveEntry, Blind, Books, IngestCounts, book_entry::Applied};

use crate::document::{BlindRule, Equation, IngestSums, Sums};

/// Keys of entries that are known again.
const REMEMBERED: usize = 1_000_000;
/// Clusters with sums of their own; the rest share one.
const CLUSTERS: usize = 4_096;
/// Reasons told apart in one cluster and kind; the rest share one.
const REASONS: usize = 256;
/// Rules with field and level told apart; further ones are left out, and that is said.
const BLIND: usize = 10_000;
const OTHERS: &str = "(others)";

/// The running sums.
#[derive(Debug)]
pub(crate) struct Ledger {
    clusters: BTreeMap<String, Sums>,
    blind: BTreeMap<BlindKey, u64>,
    blind_left_out: bool,
    keys: RandomState,
    seen: HashSet<u64>,
    order: VecDeque<u64>,
    remembered: usize,
    /// Messages of the broker read.
    pub(crate) messages: u64,
    /// Entries that had been counted before.
    pub(crate) repeated: u64,
}

/// The ledger, with its reader on one side and the answers on the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedLedger(Arc<Mutex<Ledger>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BlindKey {
    rule: String,
    field: String,
    level: String,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl Ledger {
    fn remembering(remembered: usize) -> Self {
        Self {
            clusters: BTreeMap::new(),
            blind: BTreeMap::new(),
            blind_left_out: false,
            keys: RandomState::new(),
            seen: HashSet::new(),
            order: VecDeque::new(),
            remembered,
            messages: 0,
            repeated: 0,
        }
    }

    /// Counts what one commit applied.
    pub(crate) fn apply(&mut self, books: Books) {
        self.messages += 1;
        for entry in books.entries {
            let Some(applied) = entry.applied else { continue };
            if !self.is_new(&books.service, &books.cluster, &entry.batch) {
                self.repeated += 1;
                continue;
            }
            let cluster = match self.clusters.len() < CLUSTERS || self.clusters.contains_key(&books.cluster) {
                true => books.cluster.as_str(),
                false => OTHERS,
            };
            let sums = self.clusters.entry(cluster.to_owned()).or_default();
            match applied {
                Applied::Archive(entry) => {
                    sums.count_archive(&entry);
                    for blind in entry.blind {
                        self.count_blind(blind);
                    }
                }
                Applied::Alert(entry) => sums.count_alert(&entry),
            }
        }
    }

    fn is_new(&mut self, service: &str, cluster: &str, batch: &str) -> bool {
        let key = self.keys.hash_one((service, cluster, batch));
        if !self.seen.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.remembered
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    fn count_blind(&mut self, blind: Blind) {
        let key = BlindKey { rule: blind.rule, field: blind.field, level: blind.level };
        if let Some(events) = self.blind.get_mut(&key) {
            *events += blind.events;
        } else if self.blind.len() < BLIND {
            self.blind.insert(key, blind.events);
        } else {
            self.blind_left_out = true;
        }
    }

    /// The sums by cluster.
    pub(crate) fn clusters(&self) -> &BTreeMap<String, Sums> {
        &self.clusters
    }

    /// The sums over all clusters.
    pub(crate) fn total(&self) -> Sums {
        self.clusters.values().fold(Sums::default(), |mut total, sums| {
            total.add(sums);
            total
        })
    }

    /// The rules that could not decide, by name.
    pub(crate) fn blind(&self) -> Vec<BlindRule> {
        let rule = |(key, events): (&BlindKey, &u64)| BlindRule {
            rule: key.rule.clone(),
            field: key.field.clone(),
            level: key.level.clone(),
            events: *events,
        };
        self.blind.iter().map(rule).collect()
    }

    /// Whether [`Ledger::blind`] lists them all.
    pub(crate) fn blind_is_complete(&self) -> bool {
        !self.blind_left_out
    }
}

impl SharedLedger {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sums {
    fn count_archive(&mut self, entry: &ArchiveEntry) {
        self.ingest.count(&entry.ingest.clone().unwrap_or_default());
        let counts = entry.counts.unwrap_or_default();
        let sums = &mut self.archive;
        sums.batches += 1;
        sums.evaluated += counts.evaluated;
        sums.archived += counts.archived;
        sums.alerted_only += counts.alerted_only;
        sums.ignored += counts.ignored;
        sums.dead_lettered += counts.dead_lettered;
        sums.requeued += counts.requeued;
        sums.stored += entry.stored;
        sums.duplicate += entry.duplicate;
        sums.rejected += entry.rejected;
    }

    fn count_alert(&mut self, entry: &AlertEntry) {
        let counts = entry.counts.unwrap_or_default();
        let sums = &mut self.alert;
        sums.batches += 1;
        sums.evaluated += counts.evaluated;
        sums.alerted += counts.alerted;
        sums.alerts += counts.alerts;
        sums.dead_lettered += counts.dead_lettered;
        sums.requeued += counts.requeued;
        sums.sent += entry.sent;
        sums.unrouted += entry.unrouted;
        sums.rejected += entry.rejected;
    }

    fn add(&mut self, other: &Self) {
        let Self { ingest, archive, alert } = other;
        self.ingest.received += ingest.received;
        self.ingest.published += ingest.published;
        self.ingest.oversize += ingest.oversize;
        self.ingest.requeued += ingest.requeued;
        self.ingest.requeued_alert_only += ingest.requeued_alert_only;
        add_reasons(&mut self.ingest.dropped, &ingest.dropped);
        add_reasons(&mut self.ingest.dead_lettered, &ingest.dead_lettered);
        self.archive.batches += archive.batches;
        self.archive.evaluated += archive.evaluated;
        self.archive.archived += archive.archived;
        self.archive.alerted_only += archive.alerted_only;
        self.archive.ignored += archive.ignored;
        self.archive.dead_lettered += archive.dead_lettered;
        self.archive.requeued += archive.requeued;
        self.archive.stored += archive.stored;
        self.archive.duplicate += archive.duplicate;
        self.archive.rejected += archive.rejected;
        self.alert.batches += alert.batches;
        self.alert.evaluated += alert.evaluated;
        self.alert.alerted += alert.alerted;
        self.alert.alerts += alert.alerts;
        self.alert.dead_lettered += alert.dead_lettered;
        self.alert.requeued += alert.requeued;
        self.alert.sent += alert.sent;
        self.alert.unrouted += alert.unrouted;
        self.alert.rejected += alert.rejected;
    }

    /// What must be equal within what each service applied, at any time.
    pub(crate) fn equations(&self) -> Vec<Equation> {
        let Self { ingest, archive, alert } = self;
        let equation = |name: &str, left, right| Equation { name: name.to_owned(), left, right, holds: left == right };
        let dropped: u64 = ingest.dropped.values().sum();
        let dead: u64 = ingest.dead_lettered.values().sum();
        vec![
            equation(
                "received + requeued = published + dropped + dead-lettered",
                ingest.received + ingest.requeued,
                ingest.published + dropped + dead,
            ),
            equation("published = evaluated", ingest.published, archive.evaluated),
            equation(
                "evaluated = archived + alerted only + ignored + dead-lettered",
                archive.evaluated,
                archive.archived + archive.alerted_only + archive.ignored + archive.dead_lettered,
            ),
            equation(
                "archived + requeued = stored + duplicate + rejected",
                archive.archived + archive.requeued,
                archive.stored + archive.duplicate + archive.rejected,
            ),
            equation(
                "alerts + requeued = sent + unrouted + rejected",
                alert.alerts + alert.requeued,
                alert.sent + alert.unrouted + alert.rejected,
            ),
        ]
    }

    /// What must be equal once nothing is in flight between the two evaluations.
    pub(crate) fn settled_equation(&self) -> Equation {
        let (left, right) = (self.archive.evaluated, self.alert.evaluated);
        let name = "evaluated for the archive = evaluated for alerts".to_owned();
        Equation { name, left, right, holds: left == right }
    }
}

impl IngestSums {
    fn count(&mut self, counts: &IngestCounts) {
        self.received += counts.received;
        self.published += counts.published;
        self.oversize += counts.oversize;
        self.requeued += counts.requeued;
        self.requeued_alert_only += counts.requeued_alert_only;
        add_reasons(&mut self.dropped, &counts.dropped);
        add_reasons(&mut self.dead_lettered, &counts.dead_lettered);
    }
}

fn add_reasons(sums: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (reason, count) in more {
        let reason = match sums.len() < REASONS || sums.contains_key(reason) {
            true => reason.as_str(),
            false => OTHERS,
        };
        *sums.entry(reason.to_owned()).or_default() += count;
    }
}

#[cfg(test)]
mod tests;
