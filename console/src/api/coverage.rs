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
use vedette_archive::{Archive, DaySize, Field, Filter, Page, Query};
use vedette_audit::Level;
use vedette_rules::Policy;
use vedette_rules::policy::RuleKind;

use super::count::time;
use super::event::Event;
use super::params::{Params, Question, Select};
use crate::document::Sums;
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
    /// The time of the oldest event that is kept of the clusters asked for, among those that the caller may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
    /// The time of the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// Days after which events are dropped; 0: never.
    #[schema(required)]
    pub retention_days: u32,
    /// Whether the query begins before `oldest`: what happened before that is not here, whatever it was.
    #[schema(required)]
    pub begins_before: bool,
    /// UTC days without any event (2026-11-22), between others and of the time asked for. Told to those who may see everything.
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
    #[schema(required)]
    pub dropped: u64,
    /// Unreadable, or refused by the archive: they are dead letters.
    #[schema(required)]
    pub dead_lettered: u64,
    /// Messages on their way to the archive.
    #[schema(required)]
    pub in_flight: u64,
}

/// Whether the rules in force store an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Kept {
    /// The event in words, as in `get secrets payments/db`.
    #[schema(required)]
    pub event: String,
    /// Whether it is stored.
    #[schema(required)]
    pub kept: bool,
    /// The rules that store it, `<Rule resource>.<rule>`. Told to those who may see everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Why it is not, or what it depends on.
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
    let clusters = clusters(&question.own.filter);
    let ends = |newest_first| end(archive.as_ref(), scope, &clusters, newest_first);
    let (oldest, newest) = tokio::join!(ends(false), ends(true));
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
        gaps: gaps(&days, question.own.start_micros, question.own.end_micros),
        losses: if scope.is_everything() { Some(losses(shared).await) } else { None },
        rules: match shared.policy() {
            Some(policy) => kept(&policy, scope, &question.asked),
            None => Vec::new(),
        },
    })
}

/// The time of the first or the last event in the scope.
async fn end(
    archive: &dyn Archive,
    scope: &Scope,
    clusters: &Filter,
    newest_first: bool,
) -> Result<Option<i64>, Failure> {
    let query = scope.narrow(&Query::of(clusters.clone()));
    let page = Page { size: 1, newest_first, total: false, ..Page::default() };
    let hits = archive.search(&query, &page).await?;
    let found = hits.documents.first().map(|document| Event::of(document));
    Ok(found.and_then(|event| event.time.parse::<Timestamp>().ok()).map(Timestamp::as_microsecond))
}

/// What of a condition, all of which must hold, is about the cluster.
fn clusters(filter: &Filter) -> Filter {
    let about = |filter: &&Filter| {
        matches!(
            filter,
            Filter::Is(Field::Cluster, _) | Filter::Like(Field::Cluster, _) | Filter::Contains(Field::Cluster, _)
        )
    };
    match filter {
        Filter::All(filters) => Filter::All(filters.iter().filter(about).cloned().collect()),
        other => Filter::All(Some(other).filter(about).cloned().into_iter().collect()),
    }
}

/// Days without events between others, of the time asked for.
fn gaps(days: &[DaySize], start: Option<i64>, end: Option<i64>) -> Vec<String> {
    let asked = |day: i64| start.is_none_or(|start| start < day + DAY_MICROS) && end.is_none_or(|end| end >= day);
    let held = days.iter().filter(|day| day.events > 0).map(|day| day.start_micros);
    let mut gaps = Vec::new();
    let mut next = None;
    for day in held {
        let mut missing = next.unwrap_or(day);
        while missing < day && gaps.len() < MOST_GAPS {
            if asked(missing) {
                gaps.push(time(missing).chars().take(10).collect());
            }
            missing += DAY_MICROS;
        }
        next = Some(day + DAY_MICROS);
    }
    gaps
}

async fn losses(shared: &Shared) -> Losses {
    let books = crate::status::books_now(shared).await;
    let total = &books.total;
    Losses {
        dropped: total.ingest.dropped.values().sum(),
        dead_lettered: still_dead(total),
        in_flight: books.in_flight.map_or(0, |flight| flight.archive_events + flight.archive_results),
    }
}

/// Events that are dead letters on their way to the archive. What was requeued is none any more, or one that is counted a second
/// time; of the alert evaluation it was none.
fn still_dead(total: &Sums) -> u64 {
    let Sums { ingest, archive, .. } = total;
    let dead = ingest.dead_lettered.values().sum::<u64>() + archive.dead_lettered + archive.rejected;
    dead.saturating_sub(ingest.requeued.saturating_sub(ingest.requeued_alert_only) + archive.requeued)
}

/// What the rules in force would do with such events. Rules go by the verb more than by anything else: where it is left open, each
/// that there may be is asked about, and those with the same answer are told together.
///
/// What rules do tells of rules: so those alone are told of a namespace who may see its events, and only those are told a rule's
/// name who may see everything.
fn kept(policy: &Policy, scope: &Scope, asked: &[Asked]) -> Vec<Kept> {
    let may_know = |asked: &&Asked| match asked.namespace.as_deref() {
        Some(namespace) if !namespace.is_empty() => scope.knows_namespace(namespace),
        _ => scope.is_everything(),
    };
    let mut told: Vec<Told> = Vec::new();
    for asked in asked.iter().filter(may_know) {
        let asked = with_resource(asked);
        let verbs = match &asked.verb {
            Some(verb) => vec![verb.as_str()],
            None => verbs(&asked).to_vec(),
        };
        let of = Asked { verb: None, ..asked.clone() };
        for verb in verbs {
            let one = decided(policy, &Asked { verb: Some(verb.to_owned()), ..asked.clone() });
            let same = |told: &&mut Told| told.of == of && told.kept.kept == one.kept && told.kept.reason == one.reason;
            match told.iter_mut().find(same) {
                None => told.push(Told { of: of.clone(), verbs: vec![verb.to_owned()], kept: one }),
                Some(told) => {
                    told.verbs.push(verb.to_owned());
                    let more = one.rules.into_iter().filter(|rule| !told.kept.rules.contains(rule));
                    let more: Vec<String> = more.collect();
                    told.kept.rules.extend(more);
                }
            }
        }
    }
    if !scope.is_everything() {
        told.iter_mut().for_each(|told| told.kept.rules.clear());
    }
    told.into_iter().map(Told::in_words).collect()
}

/// Events that are alike in all but the verb, and that have the same answer.
struct Told {
    of: Asked,
    verbs: Vec<String>,
    kept: Kept,
}

impl Told {
    fn in_words(self) -> Kept {
        let all = verbs(&self.of).iter().all(|verb| self.verbs.iter().any(|own| own == verb));
        let verbs = if all { String::new() } else { self.verbs.join(", ") };
        Kept { event: words(&self.of, &verbs), ..self.kept }
    }
}

/// With the resource that the subresource is of, where there is only one.
fn with_resource(asked: &Asked) -> Asked {
    let resource = match asked.subresource.as_deref() {
        Some("exec" | "attach" | "portforward" | "log" | "eviction" | "binding") => Some("pods".to_owned()),
        _ => None,
    };
    Asked { resource: asked.resource.clone().or(resource), ..asked.clone() }
}

/// The verbs that a request may have.
fn verbs(asked: &Asked) -> &'static [&'static str] {
    match asked.subresource.as_deref() {
        _ if asked.path.is_some() => &["get", "post"],
        Some("exec" | "attach" | "portforward") => &["create", "get"],
        _ => &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
    }
}

/// What the rules in force would do with such an event; it is not named yet.
fn decided(policy: &Policy, asked: &Asked) -> Kept {
    let refused = |reason: &str| Kept { reason: reason.to_owned(), ..Kept::default() };
    if policy.settings.audit_level == Level::None {
        return refused("the audit level is None: nothing is kept");
    }
    let Ok(decision) = policy.rules.decide(example(asked, policy.settings.audit_level).to_string().as_bytes()) else {
        return refused("the rules can't decide it");
    };
    if !decision.archive {
        let open = asked.resource.is_none() && asked.path.is_none();
        return refused(if open {
            "no rule in force stores them whatever the resource"
        } else {
            "no rule in force stores them"
        });
    }
    let named = decision.matched.iter().map(|index| policy.rules.rule(*index));
    let stores = |rule: &&vedette_rules::policy::RuleInfo| {
        rule.kind == RuleKind::Archiving || rule.priority < policy.settings.alerting_priority
    };
    let reason = match policy.settings.k8s_auditing_enabled {
        true => "",
        false => "if it comes through KubeSphere: k8sAuditingEnabled is off",
    };
    let rules = named.filter(stores).map(|rule| rule.qualified.clone()).collect();
    Kept { kept: true, rules, reason: reason.to_owned(), ..Kept::default() }
}

/// Such events in words, as in `get secrets payments/db`; without a verb all of them are meant.
fn words(asked: &Asked, verbs: &str) -> String {
    let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let subresource = text(&asked.subresource);
    let resource = match (text(&asked.resource), subresource) {
        (Some(resource), Some(subresource)) => Some(format!("{resource}/{subresource}")),
        (resource, subresource) => resource.or(subresource),
    };
    let object = match (text(&asked.namespace), text(&asked.name)) {
        (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        (Some(namespace), None) => Some(format!("in {namespace}")),
        (None, name) => name,
    };
    let anything = (verbs.is_empty() && resource.is_none() && asked.path.is_none()).then(|| "requests".to_owned());
    let by = text(&asked.actor).or_else(|| text(&asked.user)).map(|user| format!("by {user}"));
    let code = text(&asked.code).map(|code| format!("with code {code}"));
    let parts = [Some(verbs.to_owned()), anything, resource, text(&asked.path), object, by, code];
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
        "cluster": asked.cluster.as_deref().unwrap_or("default"),
        "workspace": asked.workspace.as_deref().unwrap_or_default(),
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

    use super::{DAY_MICROS, Sums, gaps, still_dead, words};
    use crate::search::Search;

    #[test]
    fn a_requeued_letter_of_the_alert_evaluation_makes_no_loss_of_the_archive_good() {
        let check = |requeued, requeued_alert_only, expected| {
            let mut total = Sums::default();
            (total.ingest.requeued, total.ingest.requeued_alert_only) = (requeued, requeued_alert_only);
            total.ingest.dead_lettered.insert("no_verb".to_owned(), 2);
            (total.archive.dead_lettered, total.archive.rejected, total.archive.requeued) = (3, 4, 1);
            assert_eq!(still_dead(&total), expected);
        };
        check(0, 0, 8);
        check(2, 0, 6);
        check(2, 2, 8);
        check(3, 1, 6);
    }

    #[test]
    fn events_are_told_in_words() {
        let check = |query: &str, verbs: &str, expected: &str| {
            let search = Search::parse(query, jiff::Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(words(&search.asked[0], verbs), expected, "{query}");
        };
        check("reads:payments/secrets/db", "get", "get secrets payments/db");
        check("actor:alice", "", "requests by alice");
        check("actor:alice", "get, list", "get, list by alice");
        check("code:403", "", "requests with code 403");
        check("sub:exec ns:payments", "", "exec in payments");
        check("resource:pods sub:exec", "get", "get pods/exec");
        check("ns:payments", "", "requests in payments");
        check("path:/healthz", "", "/healthz");
    }

    #[test]
    fn days_without_events_between_others_are_gaps() {
        let day = |number: i64, events| DaySize { start_micros: number * DAY_MICROS, events, bytes: 1 };
        assert!(gaps(&[], None, None).is_empty());
        assert!(gaps(&[day(0, 5), day(1, 5)], None, None).is_empty());
        let days = [day(0, 5), day(1, 0), day(3, 5)];
        assert_eq!(gaps(&days, None, None), ["1970-01-02", "1970-01-03"]);
        assert_eq!(gaps(&days, Some(2 * DAY_MICROS), None), ["1970-01-03"]);
        assert_eq!(gaps(&days, None, Some(2 * DAY_MICROS - 1)), ["1970-01-02"]);
        assert_eq!(gaps(&[day(0, 5), day(1_000, 5)], None, None).len(), 31);
    }
}
