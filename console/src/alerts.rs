//! The newest alerts, in memory: what was alerted, by which rule, and what became of it.
//!
//! The alert log is read from its beginning at each start, as the books are, and then followed. What is held is bounded, in number
//! and in bytes: past that, what was logged first goes, whatever time its event claims, so that no clock that runs ahead keeps others
//! out. So does what was settled before the time that the log reaches back.
//!
//! An alert is logged again when its message came again; by its event and its rule it is one, and what was logged first counts. But
//! where a receiver had refused it, what was settled later counts: it is what became of it when its dead letter was requeued.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use vedette_audit::EventId;
use vedette_bus::Followed;
use vedette_proto::bus::v1::{Alert, AlertLog, AlertOutcome, LoggedAlert};

use crate::scope::{Record, Scope};

/// Alerts that are held.
const MOST: usize = 20_000;
/// About the bytes of what is held.
const MOST_BYTES: usize = 64 << 20;
/// Bytes of an alert beside its texts.
const OVERHEAD: usize = 1_024;
/// How far back the log reaches, as the broker is told.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The alerts.
#[derive(Debug)]
pub(crate) struct Alerts {
    entries: BTreeMap<Place, Arc<Entry>>,
    known: HashMap<(EventId, Arc<str>), Known>,
    /// As they were logged, the first one first.
    order: BTreeMap<u64, Place>,
    /// The number of the next one that is logged.
    next: u64,
    bytes: usize,
    most: usize,
    most_bytes: usize,
    /// When the last of those was settled that found no room, in microseconds.
    left_out: Option<i64>,
    /// Whether the log was read to its end, and reading has not broken off since.
    read: bool,
}

/// Where an alert that is known by its event and its rule is held.
#[derive(Clone, Copy, Debug)]
struct Known {
    time_micros: i64,
    /// In the order of logging.
    number: u64,
}

/// The alerts, with their reader on one side and the answers on the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedAlerts(Arc<Mutex<Alerts>>);

/// An alert's place in the order of alerts, which is that of their events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The event's time, as the archive has it.
    pub(crate) time_micros: i64,
    pub(crate) event: EventId,
    /// `<namespace>/<Rule resource>/<rule>`.
    pub(crate) rule_id: Arc<str>,
}

/// What is held of an alert.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) settled_micros: i64,
    pub(crate) cluster: Arc<str>,
    /// `<Rule resource>.<rule>`.
    pub(crate) rule: String,
    pub(crate) outcome: AlertOutcome,
    pub(crate) receivers: Vec<String>,
    /// The rest, without the event's id.
    pub(crate) alert: Alert,
    /// What is looked for in it, in lower case.
    text: String,
}

/// What alerts are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// In lower case.
    pub(crate) text: String,
    /// `<Rule resource>.<rule>`; none: any.
    pub(crate) rules: HashSet<String>,
    /// None: any.
    pub(crate) priorities: HashSet<String>,
    pub(crate) event: Option<EventId>,
    pub(crate) start_micros: Option<i64>,
    pub(crate) end_micros: Option<i64>,
}

/// Alerts as they were at one moment.
#[derive(Debug)]
pub(crate) struct Found {
    /// The newest event first.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// The time of the oldest alert that is held and that the caller may see.
    pub(crate) since_micros: Option<i64>,
    /// Whether all that were logged are held.
    pub(crate) complete: bool,
}

impl Default for Alerts {
    fn default() -> Self {
        Self::holding(MOST, MOST_BYTES)
    }
}

impl Alerts {
    fn holding(most: usize, most_bytes: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            known: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            bytes: 0,
            most,
            most_bytes,
            left_out: None,
            read: false,
        }
    }

    /// Takes in a step through the log.
    pub(crate) fn apply(&mut self, step: Followed<AlertLog>, now: Timestamp) {
        self.read = match step.behind {
            None => false,
            Some(0) => true,
            // What has just been written is behind for a moment, and no reason to doubt the rest.
            Some(_) => self.read,
        };
        self.take(step.message);
        self.forget(now);
    }

    fn take(&mut self, log: Option<AlertLog>) {
        let Some(log) = log else { return };
        let cluster: Arc<str> = log.cluster.into();
        for logged in log.alerts {
            match Entry::of(&cluster, logged) {
                Some(entry) => self.add(entry),
                None => tracing::warn!("skipped an alert of the log that cannot be read"),
            }
        }
    }

    fn add(&mut self, entry: Entry) {
        if let Some(known) = self.known.get(&entry.place.key()).copied() {
            let held = Place { time_micros: known.time_micros, ..entry.place.clone() };
            if self.entries.get(&held).is_some_and(|held| !held.gives_way_to(&entry)) {
                return;
            }
            self.remove(known.number);
        }
        let (place, number) = (entry.place.clone(), self.next);
        self.next += 1;
        self.bytes += entry.weight();
        self.known.insert(place.key(), Known { time_micros: place.time_micros, number });
        self.order.insert(number, place.clone());
        self.entries.insert(place, Arc::new(entry));
        while self.entries.len() > self.most || self.bytes > self.most_bytes {
            let Some((first, _)) = self.order.first_key_value() else { return };
            let settled = self.remove(*first).map(|gone| gone.settled_micros);
            self.left_out = self.left_out.max(settled);
        }
    }

    /// Lets go of what the log does not have any more.
    fn forget(&mut self, now: Timestamp) {
        let since = now.saturating_sub(KEPT).map_or(i64::MIN, Timestamp::as_microsecond);
        while let Some((first, place)) = self.order.first_key_value() {
            if self.entries.get(place).is_some_and(|entry| entry.settled_micros >= since) {
                break;
            }
            self.remove(*first);
        }
        self.left_out = self.left_out.filter(|settled| *settled >= since);
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Entry>> {
        let place = self.order.remove(&number)?;
        self.known.remove(&place.key());
        let entry = self.entries.remove(&place)?;
        self.bytes -= entry.weight();
        Some(entry)
    }
}

impl SharedAlerts {
    /// The alerts that are wanted, of those that a caller may see.
    pub(crate) fn find(&self, scope: &Scope, wanted: &Wanted, now: Timestamp) -> Found {
        // Looked through after the lock is gone: the reader goes on meanwhile.
        let (held, complete) = {
            let mut alerts = self.lock();
            alerts.forget(now);
            let held: Vec<Arc<Entry>> = alerts.entries.values().rev().cloned().collect();
            (held, alerts.read && alerts.left_out.is_none())
        };
        let mut visible = held.into_iter().filter(|entry| scope.allows(&entry.record())).peekable();
        let mut since_micros = None;
        let mut entries = Vec::new();
        while let Some(entry) = visible.next() {
            if visible.peek().is_none() {
                since_micros = Some(entry.place.time_micros);
            }
            if wanted.holds(&entry) {
                entries.push(entry);
            }
        }
        Found { entries, since_micros, complete }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Alerts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn key(&self) -> (EventId, Arc<str>) {
        (self.event, Arc::clone(&self.rule_id))
    }
}

impl Entry {
    fn of(cluster: &Arc<str>, logged: LoggedAlert) -> Option<Self> {
        let outcome = Some(logged.outcome()).filter(|outcome| *outcome != AlertOutcome::Unspecified)?;
        let mut alert = logged.alert?;
        let event = EventId::from_bytes(alert.event_id.as_ref().try_into().ok()?);
        // It keeps the whole message in memory.
        alert.event_id.clear();
        let mut names = alert.rule_id.rsplit('/');
        let (rule, resource) = (names.next()?, names.next()?);
        // As the archive reads it.
        let time_micros = micros(&alert.request_received_timestamp)
            .or_else(|| micros(&alert.stage_timestamp))
            .unwrap_or_else(|| logged.received_unix_nanos.div_euclid(1_000));
        let text = [&alert.message, &alert.user, &alert.impersonated_user, &alert.name, &alert.namespace];
        Some(Self {
            place: Place { time_micros, event, rule_id: alert.rule_id.as_str().into() },
            settled_micros: logged.settled_unix_nanos.div_euclid(1_000),
            cluster: Arc::clone(cluster),
            rule: format!("{resource}.{rule}"),
            outcome,
            receivers: logged.receivers,
            text: text.map(|text| text.to_lowercase()).join("\n"),
            alert,
        })
    }

    /// Whether a later word on the same alert is the one that counts.
    fn gives_way_to(&self, later: &Self) -> bool {
        self.outcome == AlertOutcome::Rejected && later.settled_micros > self.settled_micros
    }

    /// What decides who may see it: the same as of its event.
    pub(crate) fn record(&self) -> Record<'_> {
        Record {
            cluster: &self.cluster,
            tenant: &self.alert.tenant,
            namespace: &self.alert.namespace,
            workspace: &self.alert.workspace,
            time_micros: self.place.time_micros,
        }
    }

    fn weight(&self) -> usize {
        let alert = &self.alert;
        let texts = [
            &alert.rule,
            &alert.rule_id,
            &alert.priority,
            &alert.message,
            &alert.audit_id,
            &alert.stage_timestamp,
            &alert.namespace,
            &alert.workspace,
            &alert.user,
            &alert.verb,
            &alert.resource,
            &alert.subresource,
            &alert.name,
            &alert.request_uri,
            &alert.source_ip,
            &alert.tenant,
            &alert.impersonated_user,
            &alert.command,
            &self.text,
        ];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        OVERHEAD + texts + self.receivers.iter().map(|name| name.len() + 24).sum::<usize>()
    }
}

impl Wanted {
    fn holds(&self, entry: &Entry) -> bool {
        let time = entry.place.time_micros;
        self.start_micros.is_none_or(|start| time >= start)
            && self.end_micros.is_none_or(|end| time <= end)
            && self.event.is_none_or(|event| event == entry.place.event)
            && (self.rules.is_empty() || self.rules.contains(&entry.rule))
            && (self.priorities.is_empty() || self.priorities.contains(&entry.alert.priority))
            && entry.text.contains(&self.text)
    }
}

/// The instant of an RFC 3339 text.
fn micros(timestamp: &str) -> Option<i64> {
    timestamp.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

#[cfg(test)]
pub(crate) mod tests;
