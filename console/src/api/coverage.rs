//! What is kept: "no hits" is not "not kept".
//!
//! An empty answer means that nothing happened only if the time asked for is kept whole, nothing was lost on the way, and a
//! rule in force stores such events at all. Each of the three is told with the answer. What was lost is counted by
//! cluster, not by namespace, so that it is told to those alone who may see everything.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use vedette_archive::{Archive, DaySize, Filter, Page, Query};
use vedette_audit::Level;
use vedette_rules::Policy;
use vedette_rules::policy::RuleKind;

use super::count::time;
use super::event::Event;
use super::params::{Params, Question, Select};
use crate::failure::{Failure, Problem};
use crate::scope::Scope;
use crate::search::Asked;
use crate::serve::Shared;

const DAY_MICROS: i64 = 86_400_000_000;
/// Days without records that are named.
const MOST_GAPS: usize = 31;

/// What is kept of the events that a query asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Coverage {
    /// The time of the oldest event that is kept, among those that the caller may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
    /// The time of the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// Days after which events are dropped; 0: never.
    pub retention_days: u32,
    /// Whether the query begins at a time of which events are kept. Events before `oldest` are not here, whatever happened.
    pub begins_before: bool,
    /// UTC days between the oldest and the newest event without any (2026-11-22). Told to those who may see everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// Events that came and are not kept although no rule said so. Told to those who may see everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses: Option<Losses>,
    /// Whether the rules in force store such events, for each kind of event that the query names. Empty where it names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Kept>,
}

/// Events that came and are not kept, counted since the books begin (30 days at most).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Losses {
    /// Dropped by settings before rules saw them: the audit level, or events of a kube-apiserver where those don't count.
    pub dropped: u64,
    /// Unreadable, or refused by the archive: they are dead letters.
    pub dead_lettered: u64,
    /// Messages on their way to the archive.
    pub in_flight: u64,
}

/// Whether the rules in force store an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Kept {
    /// The event in words, as in `get secrets payments/db`.
    pub event: String,
    /// Whether it is stored.
    pub kept: bool,
    /// The rules that store it, `<Rule resource>.<rule>`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Why it is not, where it is not for want of a rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What is kept of the events that a query asks for
#[utoipa::path(
    get, path = "/api/v1/coverage", operation_id = "getCoverage", tag = "counts",
    params(Select),
    responses((status = 200, body = Coverage), (status = 400, body = Problem)),
)]
pub(crate) async fn coverage(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<Coverage>, Failure> {
    let select = Select::read(&mut params);
    params.end()?;
    let question = select.question(&scope, Timestamp::now())?;
    of(&shared, &scope, &question).await.map(Json)
}

/// What is kept of what a question asks for.
pub(crate) async fn of(shared: &Shared, scope: &Scope, question: &Question) -> Result<Coverage, Failure> {
    let archive = shared.archive()?;
    let (oldest, newest) = tokio::join!(end(archive.as_ref(), scope, false), end(archive.as_ref(), scope, true));
    let (oldest, newest) = (oldest?, newest?);
    let days = if scope.is_everything() { archive.days().await? } else { Vec::new() };
    let begins_before = match (question.own.start_micros, oldest) {
        (Some(start), Some(oldest)) => start < oldest,
        (None, _) | (_, None) => true,
    };
    Ok(Coverage {
        oldest: oldest.map(time),
        newest: newest.map(time),
        retention_days: shared.retention_days,
        begins_before,
        gaps: gaps(&days),
        losses: if scope.is_everything() { Some(losses(shared).await) } else { None },
        rules: match shared.policy() {
            Some(policy) => question.asked.iter().map(|asked| kept(&policy, asked)).collect(),
            None => Vec::new(),
        },
    })
}

/// The time of the first or the last event in the scope.
async fn end(archive: &dyn Archive, scope: &Scope, newest_first: bool) -> Result<Option<i64>, Failure> {
    let query = scope.narrow(&Query::of(Filter::everything()));
    let page = Page { size: 1, newest_first, total: false, ..Page::default() };
    let hits = archive.search(&query, &page).await?;
    let found = hits.documents.first().map(|document| Event::of(document));
    Ok(found.and_then(|event| event.time.parse::<Timestamp>().ok()).map(Timestamp::as_microsecond))
}

/// Days without events between others.
fn gaps(days: &[DaySize]) -> Vec<String> {
    let held = days.iter().filter(|day| day.events > 0).map(|day| day.start_micros);
    let mut gaps = Vec::new();
    let mut next = None;
    for start in held {
        let mut missing = next.unwrap_or(start);
        while missing < start && gaps.len() < MOST_GAPS {
            gaps.push(time(missing).chars().take(10).collect());
            missing += DAY_MICROS;
        }
        next = Some(start + DAY_MICROS);
    }
    gaps
}

async fn losses(shared: &Shared) -> Losses {
    let status = crate::status::current(shared).await;
    let total = &status.books.total;
    Losses {
        dropped: total.ingest.dropped.values().sum(),
        dead_lettered: total.ingest.dead_lettered.values().sum::<u64>()
            + total.archive.dead_lettered
            + total.archive.rejected,
        in_flight: status.books.in_flight.map_or(0, |flight| flight.archive_events + flight.archive_results),
    }
}

/// What the rules in force would do with such an event.
fn kept(policy: &Policy, asked: &Asked) -> Kept {
    let event = words(asked);
    let refused =
        |reason: &str| Kept { event: event.clone(), kept: false, rules: Vec::new(), reason: reason.to_owned() };
    if policy.settings.audit_level == Level::None {
        return refused("the audit level is None: nothing is kept");
    }
    if !policy.settings.k8s_auditing_enabled {
        return refused("events of a kube-apiserver don't count: k8sAuditingEnabled is off");
    }
    let Ok(decision) = policy.rules.decide(example(asked, policy.settings.audit_level).to_string().as_bytes()) else {
        return refused("the rules can't decide it");
    };
    let named = decision.matched.iter().map(|index| policy.rules.rule(*index));
    let stores = |rule: &&vedette_rules::policy::RuleInfo| {
        rule.kind == RuleKind::Archiving || rule.priority < policy.settings.alerting_priority
    };
    let rules: Vec<String> = named.filter(stores).map(|rule| rule.qualified.clone()).collect();
    let reason = match decision.archive {
        true => String::new(),
        false => "no rule in force stores such an event".to_owned(),
    };
    Kept { event, kept: decision.archive, rules: if decision.archive { rules } else { Vec::new() }, reason }
}

/// The event in words, as in `get secrets payments/db`.
fn words(asked: &Asked) -> String {
    let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let mut resource = text(&asked.resource).unwrap_or_default();
    if let Some(subresource) = text(&asked.subresource) {
        resource = format!("{resource}/{subresource}");
    }
    let object: Vec<String> = [text(&asked.namespace), text(&asked.name)].into_iter().flatten().collect();
    let by = text(&asked.actor).or_else(|| text(&asked.user)).map(|user| format!("by {user}"));
    let code = text(&asked.code);
    let parts = [text(&asked.verb), Some(resource), text(&asked.path), Some(object.join("/")), by, code];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// An event as a kube-apiserver would send it, with what is asked for and nothing else.
fn example(asked: &Asked, level: Level) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (name, value) in [
        ("resource", &asked.resource),
        ("namespace", &asked.namespace),
        ("name", &asked.name),
        ("subresource", &asked.subresource),
        ("apiGroup", &asked.api_group),
    ] {
        object.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
    }
    json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level.as_str(),
        "auditID": "00000000-0000-0000-0000-000000000000",
        "stage": "ResponseComplete",
        "requestURI": asked.path.as_deref().unwrap_or("/"),
        "verb": asked.verb.as_deref().unwrap_or_default(),
        "user": { "username": asked.user.as_deref().or(asked.actor.as_deref()).unwrap_or("someone"), "groups": ["system:authenticated"] },
        "sourceIPs": ["192.0.2.1"],
        "objectRef": object,
        "responseStatus": { "code": asked.code.as_ref().and_then(|code| code.parse::<i64>().ok()).unwrap_or(200) },
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:00.000000Z",
    })
}

#[cfg(test)]
mod tests {
    use vedette_archive::DaySize;

    use super::{DAY_MICROS, gaps};

    #[test]
    fn days_without_events_between_others_are_gaps() {
        let day = |number: i64, events| DaySize { start_micros: number * DAY_MICROS, events, bytes: 1 };
        assert!(gaps(&[]).is_empty());
        assert!(gaps(&[day(0, 5), day(1, 5)]).is_empty());
        assert_eq!(gaps(&[day(0, 5), day(1, 0), day(3, 5)]), ["1970-01-02", "1970-01-03"]);
        assert_eq!(gaps(&[day(0, 5), day(1_000, 5)]).len(), 31);
    }
}
