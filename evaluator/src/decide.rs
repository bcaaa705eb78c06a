//! A batch of events becomes one result: pure, and total whatever the events hold.
//!
//! Every event is counted exactly once, under archived, alerted only, ignored or dead-lettered, by whichever of the two
//! consumers asks; an event that cannot be decided, or whose part finds no room in the result any more, is a culprit, and
//! never takes the others with it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use vedette_audit::event::Event;
use vedette_proto::bus::v1::{
    Alert, AlertCounts, AlertResult, ArchiveCounts, ArchiveMatch, ArchiveResult, Blind, EventBatch, IngestCounts,
};
use vedette_rules::{DecideError, Decision, RuleSet};

use crate::fit::{self, Room};

/// The reason where an event's part finds no room in the result.
const TOO_LARGE: &str = "result_too_large";

/// The batch and the rules that decide it.
pub(crate) struct Case<'a> {
    /// The event message's id.
    pub(crate) batch: &'a str,
    pub(crate) events: &'a EventBatch,
    pub(crate) ingest: &'a IngestCounts,
    pub(crate) rules: &'a RuleSet,
    pub(crate) generation: u64,
    /// A panic is one event's, not the batch's. Costs a little; for batches that have failed before.
    pub(crate) careful: bool,
    /// The most bytes that the parts of the result may have.
    pub(crate) max_bytes: usize,
}

/// An event that could not be decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Culprit {
    /// Its place in the batch.
    pub(crate) index: usize,
    /// A code of a bounded set.
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
    pub(crate) json: Bytes,
}

impl Culprit {
    /// Whether it is one for this consumer's result, whatever the other one finds.
    pub(crate) fn is_of_the_result(&self) -> bool {
        self.reason == TOO_LARGE
    }
}

/// What came of a batch for one consumer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decided<R> {
    pub(crate) result: R,
    /// The event of each of the result's parts, by its place in the batch.
    pub(crate) places: Vec<usize>,
    pub(crate) culprits: Vec<Culprit>,
    /// Comparisons of values of other types than the rules expect.
    pub(crate) mismatches: u64,
}

/// What decides one event; apart so that tests can make it fail.
type Judge<'a> = dyn Fn(&[u8]) -> Result<Decision, DecideError> + 'a;

/// What is stored of a batch.
pub(crate) fn archive(case: &Case<'_>) -> Decided<ArchiveResult> {
    archive_by(case, &|json| case.rules.decide(json))
}

/// What is alerted of a batch.
pub(crate) fn alert(case: &Case<'_>) -> Decided<AlertResult> {
    alert_by(case, &|json| case.rules.decide(json))
}

fn archive_by(case: &Case<'_>, judge: &Judge<'_>) -> Decided<ArchiveResult> {
    let mut counts = ArchiveCounts { evaluated: case.events.events.len() as u64, ..ArchiveCounts::default() };
    let (mut matches, mut places, mut room) = (Vec::new(), Vec::new(), Room::new(case.max_bytes));
    let mut blind: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    let (mut culprits, mut mismatches) = (Vec::new(), 0);
    for (index, event) in case.events.events.iter().enumerate() {
        let decision = match judged(case, judge, index, &event.json) {
            Ok(decision) => decision,
            Err(culprit) => {
                counts.dead_lettered += 1;
                culprits.push(culprit);
                continue;
            }
        };
        mismatches += u64::from(decision.mismatches);
        let kept = decision.archive.then(|| {
            let rules = decision.matched.iter().map(|rule| case.rules.rule(*rule).qualified.clone()).collect();
            ArchiveMatch { id: event.id.clone(), json: event.json.clone(), rules }
        });
        let misses = misses(case.rules, &decision, &event.json);
        let unknown = misses.iter().filter(|miss| !blind.contains_key(*miss));
        // The level is the client's: what is told of it takes room too.
        let told: usize = unknown.map(|(rule, field, level)| 32 + rule.len() + field.len() + level.len()).sum();
        if !room.take(told + kept.as_ref().map_or(0, fit::size)) {
            counts.dead_lettered += 1;
            culprits.push(too_large(index, &event.json));
            continue;
        }
        for miss in misses {
            *blind.entry(miss).or_default() += 1;
        }
        if let Some(kept) = kept {
            counts.archived += 1;
            places.push(index);
            matches.push(kept);
        } else if decision.alerts.is_empty() {
            counts.ignored += 1;
        } else {
            counts.alerted_only += 1;
        }
    }
    let blind = blind.into_iter().map(|((rule, field, level), events)| Blind { rule, field, level, events }).collect();
    let result = ArchiveResult {
        batch: case.batch.to_owned(),
        cluster: case.events.cluster.clone(),
        received_unix_nanos: case.events.received_unix_nanos,
        generation: case.generation,
        ingest: Some(case.ingest.clone()),
        counts: Some(counts),
        matches,
        blind,
    };
    Decided { result, places, culprits, mismatches }
}

fn alert_by(case: &Case<'_>, judge: &Judge<'_>) -> Decided<AlertResult> {
    let mut counts = AlertCounts { evaluated: case.events.events.len() as u64, ..AlertCounts::default() };
    let (mut alerts, mut places, mut room) = (Vec::new(), Vec::new(), Room::new(case.max_bytes));
    let (mut culprits, mut mismatches) = (Vec::new(), 0);
    for (index, event) in case.events.events.iter().enumerate() {
        let raised = judged(case, judge, index, &event.json).and_then(|decision| {
            mismatches += u64::from(decision.mismatches);
            if decision.alerts.is_empty() {
                return Ok(Vec::new());
            }
            let fields = Event::parse(&event.json)
                .map_err(|error| culprit(index, "unreadable", error.to_string(), &event.json))?;
            let notice = |raised| notice(case.rules, &event.id, &fields, raised);
            let raised: Vec<Alert> = decision.alerts.into_iter().map(notice).collect();
            if room.take(raised.iter().map(fit::size).sum()) { Ok(raised) } else { Err(too_large(index, &event.json)) }
        });
        match raised {
            Ok(raised) => {
                counts.alerted += u64::from(!raised.is_empty());
                counts.alerts += raised.len() as u64;
                places.extend(raised.iter().map(|_| index));
                alerts.extend(raised);
            }
            Err(culprit) => {
                counts.dead_lettered += 1;
                culprits.push(culprit);
            }
        }
    }
    let result = AlertResult {
        batch: case.batch.to_owned(),
        cluster: case.events.cluster.clone(),
        received_unix_nanos: case.events.received_unix_nanos,
        generation: case.generation,
        counts: Some(counts),
        alerts,
    };
    Decided { result, places, culprits, mismatches }
}

fn judged(case: &Case<'_>, judge: &Judge<'_>, index: usize, json: &Bytes) -> Result<Decision, Culprit> {
    let decided = if case.careful {
        // The rules are immutable, so that a panic leaves nothing half done behind.
        catch_unwind(AssertUnwindSafe(|| judge(json)))
            .map_err(|_| culprit(index, "panicked", "the rules failed on this event".to_owned(), json))?
    } else {
        judge(json)
    };
    decided.map_err(|error| culprit(index, "unreadable", error.to_string(), json))
}

/// An event whose part of the result is too much.
pub(crate) fn too_large(index: usize, json: &Bytes) -> Culprit {
    culprit(index, TOO_LARGE, "the event's part of the result does not fit into a message".to_owned(), json)
}

fn culprit(index: usize, reason: &'static str, detail: String, json: &Bytes) -> Culprit {
    Culprit { index, reason, detail, json: json.clone() }
}

/// Rule, field and level of what the event lacks for its rules.
fn misses(rules: &RuleSet, decision: &Decision, json: &[u8]) -> Vec<(String, String, String)> {
    if decision.blind.is_empty() {
        return Vec::new();
    }
    let level = Event::parse(json).map(|event| event.level().into_owned()).unwrap_or_default();
    let told = |miss: &vedette_rules::BlindMatch| {
        (rules.rule(miss.rule).qualified.clone(), miss.field.to_string(), level.clone())
    };
    decision.blind.iter().map(told).collect()
}

fn notice(rules: &RuleSet, id: &Bytes, event: &Event<'_>, raised: vedette_rules::AlertMatch) -> Alert {
    let rule = rules.rule(raised.rule);
    Alert {
        event_id: id.clone(),
        rule_id: rule.id.clone(),
        rule: rule.name.clone(),
        priority: rule.priority.to_string(),
        message: raised.message,
        audit_id: event.audit_id().into_owned(),
        stage_timestamp: event.stage_timestamp().into_owned(),
        namespace: event.namespace().into_owned(),
        workspace: event.workspace().into_owned(),
        user: event.username().into_owned(),
        verb: event.verb().into_owned(),
        resource: event.resource().into_owned(),
        subresource: event.subresource().into_owned(),
        name: event.name().into_owned(),
        request_uri: event.request_uri().into_owned(),
        source_ip: event.source_ip().into_owned(),
        tenant: event.tenant(),
        impersonated_user: event.impersonated_username().into_owned(),
        command: event.command().unwrap_or_default(),
        request_received_timestamp: event.request_received_timestamp().into_owned(),
    }
}

#[cfg(test)]
mod tests;
