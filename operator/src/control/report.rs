//! Writes what became of the resources into their statuses, and Events where that changed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::watch::Observed;
use crate::api::{Condition, ConditionStatus, GROUP, Rule, VERSION, Webhook};
use crate::document::Key;
use crate::index::{Outcome, Verdict};
use crate::reconcile::said;
use crate::status::{self, Circumstances};
use crate::subscribers::{Subscriber, evaluators};

/// How many statuses are written at once.
const AT_ONCE: usize = 8;
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest note of an Event, in bytes.
const NOTE: usize = 1000;

/// Statuses that are others than those that the resources have.
pub(super) type Batch = Vec<Report>;

/// A status to be written.
#[derive(Debug)]
pub(super) struct Report {
    key: Key,
    uid: String,
    status: Value,
    /// What is told as an Event: whether all is well, a word and a sentence.
    event: Option<(bool, String, String)>,
}

/// What has to be written.
pub(super) fn batch(
    observed: &BTreeMap<Key, Observed>,
    outcome: &Outcome,
    since: &HashMap<Key, (blake3::Hash, u64)>,
    subscribers: &[Subscriber],
) -> Batch {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let reports = observed.iter().filter_map(|(key, seen)| {
        let since = since.get(key).map(|(_, generation)| *generation);
        let around = Circumstances {
            now: &now,
            since,
            evaluators: evaluators(subscribers, since.unwrap_or(0)),
            unreadable: None,
        };
        report(key, seen, outcome.verdicts.get(key), &around)
    });
    reports.collect()
}

fn report(key: &Key, seen: &Observed, verdict: Option<&Verdict>, around: &Circumstances<'_>) -> Option<Report> {
    let before = match (&seen.rule, &seen.webhook) {
        (Some(rule), _) => json!(rule),
        (_, webhook) => json!(webhook),
    };
    let conditions = |value: &Value| {
        serde_json::from_value::<Vec<Condition>>(value.get("conditions").cloned().unwrap_or_default()).ok()
    };
    let old = conditions(&before).unwrap_or_default();
    let unread = seen.unreadable.as_ref().map(|_| status::unread(seen.generation, verdict));
    let around = &Circumstances { unreadable: seen.unreadable.as_deref(), ..*around };
    let status = match (unread.as_ref().or(verdict), &seen.rule, &seen.webhook) {
        (Some(verdict), Some(rule), _) => json!(status::rule(verdict, around, rule)),
        (Some(verdict), _, Some(webhook)) => {
            // Conditions that others apply are neither compared nor written.
            let ours = status::webhook(verdict, around, webhook);
            let same = ours.conditions.iter().all(|it| webhook.conditions.contains(it));
            let fields = (ours.observed_generation, ours.snapshot_generation);
            if same && fields == (webhook.observed_generation, webhook.snapshot_generation) {
                return None;
            }
            json!(ours)
        }
        _ => return None,
    };
    if status == before {
        return None;
    }
    let accepted = |all: &[Condition]| all.iter().find(|it| it.kind == "Accepted").cloned();
    let now = accepted(&conditions(&status)?)?;
    let unchanged = accepted(&old).is_some_and(|old| {
        (old.status, &old.reason, old.observed_generation) == (now.status, &now.reason, now.observed_generation)
    });
    let event = (!unchanged).then_some((now.status == ConditionStatus::True, now.reason, now.message));
    Some(Report { key: key.clone(), uid: seen.uid.clone(), status, event })
}

/// Writes what it is given until there is no more.
pub(super) async fn run(client: Client, mut batches: mpsc::Receiver<Batch>) {
    let recorder = Recorder::new(client.clone(), Reporter::from("vedette-operator"));
    while let Some(batch) = batches.recv().await {
        let writes = batch.into_iter().map(|report| write(&client, &recorder, report));
        futures::stream::iter(writes).buffer_unordered(AT_ONCE).collect::<()>().await;
    }
}

async fn write(client: &Client, recorder: &Recorder, report: Report) {
    let written = tokio::time::timeout(TIMEOUT, put(client, &report)).await;
    match written {
        Ok(Ok(())) => {}
        // Deleted meanwhile.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => return,
        Ok(Err(error)) => {
            tracing::warn!(
                error = said(&error),
                resource = report.key.document(),
                "could not write the status; trying again later"
            );
            return;
        }
        Err(_) => {
            tracing::warn!(resource = report.key.document(), "the status was not written in time; trying again later");
            return;
        }
    }
    let Some((well, reason, mut note)) = report.event.clone() else { return };
    note.truncate(note.floor_char_boundary(NOTE));
    let event = Event {
        type_: if well { EventType::Normal } else { EventType::Warning },
        reason,
        note: Some(note),
        action: "Compile".to_owned(),
        secondary: None,
    };
    match tokio::time::timeout(TIMEOUT, recorder.publish(&event, &reference(&report))).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = said(&error), "could not tell the event"),
        Err(_) => tracing::debug!("the event was not told in time"),
    }
}

async fn put(client: &Client, report: &Report) -> Result<(), kube::Error> {
    let params = PatchParams::apply("vedette-operator").force();
    let patch = |kind: &str| json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "status": report.status});
    match &report.key {
        Key::Rule { namespace, name } => {
            let api = Api::<Rule>::namespaced(client.clone(), namespace);
            api.patch_status(name, &params, &Patch::Apply(patch("Rule"))).await.map(|_| ())
        }
        Key::Webhook { name } => {
            let api = Api::<Webhook>::all(client.clone());
            api.patch_status(name, &params, &Patch::Apply(patch("Webhook"))).await.map(|_| ())
        }
    }
}

fn reference(report: &Report) -> ObjectReference {
    let (kind, namespace, name) = match &report.key {
        Key::Rule { namespace, name } => (Rule::kind(&()), Some(namespace.clone()), name.clone()),
        Key::Webhook { name } => (Webhook::kind(&()), None, name.clone()),
    };
    ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(kind.into_owned()),
        name: Some(name),
        namespace,
        uid: Some(report.uid.clone()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RuleStatus;
    use crate::index::State;

    #[test]
    fn an_unreadable_resource_is_reported_once() {
        let key = Key::Rule { namespace: "n".to_owned(), name: "r".to_owned() };
        let name = "namespaces/n/rules/r".to_owned();
        let good =
            Verdict { name, generation: 3, state: State::InForce, rules: 2, diagnostics: vec![], leans_on: vec![] };
        let mut seen = Observed {
            generation: 4,
            unreadable: Some("no list".to_owned()),
            rule: Some(RuleStatus::default()),
            ..Observed::default()
        };
        for (verdict, since) in [(Some(&good), Some(9)), (None, None)] {
            let at = |now| Circumstances { now, since, evaluators: (1, 1), unreadable: None };
            let first = report(&key, &seen, verdict, &at("2026-11-25T12:00:00Z")).unwrap();
            seen.rule = serde_json::from_value(first.status).unwrap();
            assert!(report(&key, &seen, verdict, &at("2026-11-25T13:00:00Z")).is_none());
        }
    }
}
