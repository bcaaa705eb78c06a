//! How many alerts a rule may tell apart.
//!
//! Each set of labels is an alert of its own in Alertmanager, with memory and a notification; user and name come from
//! clients, who can make up as many as they like. So each rule has, in each cluster, a number of **new** sets a minute.
//! Above it user and name become `(many)` and an annotation says how many alerts that one alert stands for. The sets made
//! coarser so are counted too: above the same number of them, whatever else the event brings becomes `(many)` as well.
//! A value that an event lacks stays lacking, so that this leaves one set for each of the few kinds of events: those with a
//! namespace, a resource, a subresource, a verb, a workspace, and those without, 32 at most.
//!
//! A set is new if none of its alerts was sent within the time for which Alertmanager holds an alert to be firing: a
//! repetition costs it nothing. Records are not touched by any of this: every event is stored as its rules say.
//!
//! The budget is each alerter's own: two that share the work let twice as many sets through.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use jiff::{SignedDuration, Timestamp};
use vedette_proto::bus::v1::Alert;

use crate::notice::{Detail, Labels};

/// New sets are counted in windows as long as this.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// For so long after its last alert a set is not new.
pub(crate) const FIRING: SignedDuration = SignedDuration::from_secs(5 * 60);
/// Sets of one rule and cluster that are remembered, in windows' budgets: whoever keeps this many alive gets no more.
const REMEMBERED: usize = 10;

/// The budget and what was used of it.
#[derive(Debug)]
pub(crate) struct Budget {
    /// New sets a window, for each rule and cluster; 0: no bound.
    limit: u32,
    keys: RandomState,
    uses: HashMap<u64, Uses>,
    swept: Timestamp,
}

/// What one rule used in one cluster.
#[derive(Debug)]
struct Uses {
    fine: Sets,
    coarse: Sets,
}

/// The sets seen lately.
#[derive(Debug)]
struct Sets {
    window_start: Timestamp,
    new_in_window: u32,
    seen: HashMap<u64, Seen>,
}

#[derive(Debug)]
struct Seen {
    last: Timestamp,
    alerts: u64,
}

/// What became of an alert's labels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) labels: Labels,
    pub(crate) detail: Detail,
    /// How many alerts the labels stand for: 1 where they were not made coarser.
    pub(crate) count: u64,
}

impl Budget {
    /// A budget of `limit` new sets a minute; 0: none.
    pub(crate) fn new(limit: u32, now: Timestamp) -> Self {
        Self { limit, keys: RandomState::new(), uses: HashMap::new(), swept: now }
    }

    /// The labels for an alert. `again`: it is in a message that came before, and is counted already.
    pub(crate) fn spend(&mut self, alert: &Alert, cluster: &str, again: bool, now: Timestamp) -> Spent {
        let full = Labels::of(alert, cluster, Detail::Full);
        if self.limit == 0 {
            return Spent { labels: full, detail: Detail::Full, count: 1 };
        }
        self.sweep(now);
        let key = self.keys.hash_one((&alert.rule_id, cluster));
        let uses = self.uses.entry(key).or_insert_with(|| Uses { fine: Sets::new(now), coarse: Sets::new(now) });
        if uses.fine.take(self.keys.hash_one(&full), self.limit, again, now).is_some() {
            return Spent { labels: full, detail: Detail::Full, count: 1 };
        }
        let objects = Labels::of(alert, cluster, Detail::Objects);
        if let Some(count) = uses.coarse.take(self.keys.hash_one(&objects), self.limit, again, now) {
            return Spent { labels: objects, detail: Detail::Objects, count };
        }
        let labels = Labels::of(alert, cluster, Detail::Everything);
        let count = uses.coarse.count(self.keys.hash_one(&labels), again, now);
        Spent { labels, detail: Detail::Everything, count }
    }

    /// Forgets, once a minute, what is no longer firing.
    fn sweep(&mut self, now: Timestamp) {
        if now.duration_since(self.swept) < WINDOW {
            return;
        }
        self.swept = now;
        self.uses.retain(|_, uses| {
            uses.fine.forget(now);
            uses.coarse.forget(now);
            !uses.fine.seen.is_empty() || !uses.coarse.seen.is_empty()
        });
    }
}

impl Sets {
    fn new(now: Timestamp) -> Self {
        Self { window_start: now, new_in_window: 0, seen: HashMap::new() }
    }

    /// Counts an alert of this set and gives how many it had while it was firing; `None` if the set is one too many.
    fn take(&mut self, set: u64, limit: u32, again: bool, now: Timestamp) -> Option<u64> {
        if !self.is_firing(set, now) {
            if now.duration_since(self.window_start) >= WINDOW {
                self.window_start = now;
                self.new_in_window = 0;
            }
            let room = (limit as usize).saturating_mul(REMEMBERED);
            if self.new_in_window >= limit || self.seen.len() >= room {
                return None;
            }
            self.new_in_window += 1;
        }
        Some(self.count(set, again, now))
    }

    fn is_firing(&self, set: u64, now: Timestamp) -> bool {
        self.seen.get(&set).is_some_and(|seen| now.duration_since(seen.last) < FIRING)
    }

    fn count(&mut self, set: u64, again: bool, now: Timestamp) -> u64 {
        let firing = self.is_firing(set, now);
        let seen = self.seen.entry(set).or_insert(Seen { last: now, alerts: 0 });
        seen.last = now;
        let before = if firing { seen.alerts } else { 0 };
        seen.alerts = (before + u64::from(!again)).max(1);
        seen.alerts
    }

    fn forget(&mut self, now: Timestamp) {
        self.seen.retain(|_, seen| now.duration_since(seen.last) < FIRING);
    }
}

#[cfg(test)]
mod tests;
