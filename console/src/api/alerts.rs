//! Alerts: what was alerted, by which rule, and what became of it.
//!
//! They are those of the alert log that are held in memory ([`crate::alerts`]), and not of the archive: an event may be alerted and
//! not archived. A caller sees the alerts of the events that they may see.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vedette_archive::{Bucket, Interval};
use vedette_audit::EventId;
use vedette_proto::bus::v1::AlertOutcome;

use super::count::{Histogram, filled, slot, time};
use super::params::{Params, span};
use crate::alerts::{Entry, Found, Place, Wanted};
use crate::failure::{Failure, Problem};
use crate::scope::Scope;
use crate::serve::Shared;

/// The priorities that a rule can have, the gravest first.
const PRIORITIES: [&str; 3] = ["WARNING", "INFO", "DEBUG"];
/// Rules, or priorities, that are asked for at most.
const MOST_NAMED: usize = 64;

/// An alert: that a rule held for an event. Members that the event does not have are absent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Its identity: the event and the rule.
    pub id: String,
    /// The event. It may not be archived, or not any more.
    pub event_id: String,
    /// The event's time: when the apiserver received the request.
    pub time: String,
    /// When nothing more was to be done about the alert.
    pub alerted_time: String,
    /// The cluster.
    pub cluster: String,
    /// The rule, `<Rule resource>.<rule>`.
    pub rule: String,
    /// The same with the namespace of the `Rule` resource, `<namespace>/<Rule resource>/<rule>`.
    pub rule_id: String,
    /// `WARNING`, `INFO` or `DEBUG`.
    pub priority: String,
    /// What the rule says of the event.
    pub message: String,
    /// The authenticated user.
    pub user: String,
    /// The user acted as.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub impersonated_user: String,
    /// The verb.
    pub verb: String,
    /// The kind of resource, in its plural.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The subresource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// The object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The object's namespace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// KubeSphere's workspace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workspace: String,
    /// The address that the request came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// The request's URI.
    #[serde(rename = "requestURI", default, skip_serializing_if = "String::is_empty")]
    pub request_uri: String,
    /// The command that was executed in a container.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The request's id, which its client may have chosen.
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The receivers that took it, by name. Told to those who may see everything; empty for others.
    pub receivers: Vec<String>,
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AlertOutcome)]
pub enum Outcome {
    /// Every receiver took it.
    Sent,
    /// There was no receiver.
    Unrouted,
    /// A receiver refused it for good, or was away for too long: it is a dead letter. Others may have taken it.
    Rejected,
}

/// A page of alerts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Alerts {
    /// By the times of their events, the newest first.
    pub items: Vec<Alert>,
    /// Where the next page begins: give it as `cursor`. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many alerts match in all; on the first page alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is kept of the alerts that there were.
    pub kept: AlertsKept,
}

/// What is kept of the alerts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertsKept {
    /// The time of the oldest alert's event; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Whether the console holds the whole alert log, of which the caller may see a part. It does not while that is read, after the
    /// console's start or while the broker is away, and where there are more alerts than it holds.
    pub complete: bool,
}

/// Alerts by their rules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertGroups {
    /// Those with the most recent alerts first.
    pub items: Vec<AlertGroup>,
}

/// The alerts of one rule and priority.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertGroup {
    /// The rule, `<Rule resource>.<rule>`.
    pub rule: String,
    /// Their priority.
    pub priority: String,
    /// How many there are.
    pub count: u64,
    /// The time of the first one's event.
    pub first_seen: String,
    /// The time of the last one's event.
    pub last_seen: String,
    /// How many users there are among them.
    pub users: u64,
    /// The last one.
    pub latest: Alert,
}

/// Which alerts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Select {
    /// Text that the message, a user, the object's name or its namespace contains, in capitals or not.
    q: Option<String>,
    /// Rules, `<Rule resource>.<rule>`: more than once, or with commas between them; at most 64.
    rule: Option<String>,
    /// Priorities, likewise.
    priority: Option<String>,
    /// The id of an event.
    event: Option<String>,
    /// The earliest time of an event, inclusive: RFC 3339, or seconds since 1970.
    start: Option<String>,
    /// The latest time, inclusive, likewise.
    end: Option<String>,
}

/// Which part of the alerts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Paging {
    /// Alerts on a page at most.
    #[param(default = 50, minimum = 0, maximum = 1000)]
    limit: Option<u64>,
    /// Where the page begins: `next` of the page before. The other parameters must be the same.
    cursor: Option<String>,
}

/// How alerts are counted over time.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Cut {
    /// The length of an interval: a number and one of s, m, h, d, w, M, q, y.
    #[param(default = "15m")]
    interval: Option<String>,
}

/// Alerts that match
#[utoipa::path(
    get, path = "/api/v1/alerts", operation_id = "listAlerts", tag = "alerts",
    params(Select, Paging),
    responses((status = 200, body = Alerts), (status = 400, body = Problem)),
)]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<Alerts>, Failure> {
    let wanted = wanted(&mut params)?;
    let limit = usize::try_from(params.number("limit", 50, 0..=1_000)?).unwrap_or(0);
    let after = params.text("cursor").map(|text| place(&text)).transpose()?;
    params.end()?;
    let Found { entries, since_micros, complete } = find(shared, &scope, wanted).await?;
    let total = after.is_none().then_some(entries.len() as u64);
    let mut rest = entries.iter().filter(|entry| after.as_ref().is_none_or(|after| entry.place < *after));
    let page: Vec<&Arc<Entry>> = rest.by_ref().take(limit).collect();
    let next = page.last().filter(|_| rest.next().is_some()).map(|last| cursor(&last.place));
    Ok(Json(Alerts {
        items: page.into_iter().map(|entry| Alert::of(entry, &scope)).collect(),
        next,
        total,
        kept: AlertsKept { since: since_micros.map(time), complete },
    }))
}

/// Alerts by their rules
#[utoipa::path(
    get, path = "/api/v1/alerts/groups", operation_id = "groupAlerts", tag = "alerts",
    params(Select),
    responses((status = 200, body = AlertGroups), (status = 400, body = Problem)),
)]
pub(crate) async fn groups(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<AlertGroups>, Failure> {
    let wanted = wanted(&mut params)?;
    params.end()?;
    let found = find(shared, &scope, wanted).await?;
    let mut groups: BTreeMap<(&str, &str), Together<'_>> = BTreeMap::new();
    // The newest first: the first of a group is its latest.
    for entry in &found.entries {
        let group = groups.entry((&entry.rule, &entry.alert.priority));
        let group = group.or_insert_with(|| Together { latest: entry, first: entry, count: 0, users: HashSet::new() });
        group.first = entry;
        group.count += 1;
        group.users.insert(&entry.alert.user);
    }
    let mut groups: Vec<Together<'_>> = groups.into_values().collect();
    groups.sort_by(|one, other| other.latest.place.cmp(&one.latest.place));
    Ok(Json(AlertGroups { items: groups.iter().map(|group| group.told(&scope)).collect() }))
}

/// Alerts over time
#[utoipa::path(
    get, path = "/api/v1/alerts/histogram", operation_id = "getAlertHistogram", tag = "alerts",
    params(Select, Cut),
    responses(
        (status = 200, body = Histogram, description = "Alerts instead of events; the series are priorities"),
        (status = 400, body = Problem),
    ),
)]
pub(crate) async fn histogram(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<Histogram>, Failure> {
    let wanted = wanted(&mut params)?;
    let interval: Interval = params.parsed("interval")?.unwrap_or(Interval::seconds(900));
    params.end()?;
    let (start, end) = (wanted.start_micros.map(time), wanted.end_micros.map(time));
    let found = find(shared, &scope, wanted).await?;
    let mut intervals: BTreeMap<i64, BTreeMap<&str, u64>> = BTreeMap::new();
    for entry in &found.entries {
        let counts = intervals.entry(interval.floor(entry.place.time_micros.div_euclid(1_000))).or_default();
        *counts.entry(&entry.alert.priority).or_default() += 1;
    }
    let bucket =
        |(time_ms, counts): (&i64, &BTreeMap<_, u64>)| Bucket { time_ms: *time_ms, count: counts.values().sum() };
    let buckets = filled(interval, intervals.iter().map(bucket).collect())?;
    let occurs = |priority: &&str| intervals.values().any(|counts| counts.contains_key(priority));
    let series: Vec<&str> = PRIORITIES.into_iter().filter(occurs).collect();
    let slots = buckets.iter().map(|bucket| {
        let counts = intervals.get(&bucket.time_ms);
        let count = |priority: &&str| counts.and_then(|counts| counts.get(priority)).copied().unwrap_or(0);
        let mut slot = slot(bucket);
        slot.counts = series.iter().map(count).collect();
        slot
    });
    Ok(Json(Histogram {
        start,
        end,
        total: found.entries.len() as u64,
        buckets: slots.collect(),
        series: series.iter().map(|priority| (*priority).to_owned()).collect(),
    }))
}

/// Alerts of one group.
struct Together<'a> {
    latest: &'a Entry,
    first: &'a Entry,
    count: u64,
    users: HashSet<&'a str>,
}

impl Together<'_> {
    fn told(&self, scope: &Scope) -> AlertGroup {
        AlertGroup {
            rule: self.latest.rule.clone(),
            priority: self.latest.alert.priority.clone(),
            count: self.count,
            first_seen: time(self.first.place.time_micros),
            last_seen: time(self.latest.place.time_micros),
            users: self.users.len() as u64,
            latest: Alert::of(self.latest, scope),
        }
    }
}

impl Alert {
    /// As a caller is told of it: what administrators call their endpoints is for them alone.
    fn of(entry: &Entry, scope: &Scope) -> Self {
        let alert = &entry.alert;
        let event_id = entry.place.event.to_string();
        Self {
            id: format!("{event_id}:{}", entry.place.rule_id),
            event_id,
            time: time(entry.place.time_micros),
            alerted_time: time(entry.settled_micros),
            cluster: entry.cluster.to_string(),
            rule: entry.rule.clone(),
            rule_id: alert.rule_id.clone(),
            priority: alert.priority.clone(),
            message: alert.message.clone(),
            user: alert.user.clone(),
            impersonated_user: alert.impersonated_user.clone(),
            verb: alert.verb.clone(),
            resource: alert.resource.clone(),
            subresource: alert.subresource.clone(),
            name: alert.name.clone(),
            namespace: alert.namespace.clone(),
            workspace: alert.workspace.clone(),
            ip: alert.source_ip.clone(),
            request_uri: alert.request_uri.clone(),
            command: alert.command.clone(),
            audit_id: alert.audit_id.clone(),
            outcome: match entry.outcome {
                AlertOutcome::Rejected => Outcome::Rejected,
                AlertOutcome::Unrouted => Outcome::Unrouted,
                AlertOutcome::Sent | AlertOutcome::Unspecified => Outcome::Sent,
            },
            receivers: if scope.is_everything() { entry.receivers.clone() } else { Vec::new() },
        }
    }
}

fn wanted(params: &mut Params) -> Result<Wanted, Failure> {
    let (start_micros, end_micros) = span(params.text("start"), params.text("end"))?;
    let priorities = params.list("priority", MOST_NAMED)?;
    let priorities: HashSet<String> = priorities.iter().map(|priority| priority.to_uppercase()).collect();
    if !priorities.iter().all(|priority| PRIORITIES.contains(&priority.as_str())) {
        return Err(Failure::bad("priority", format!("there are {}", PRIORITIES.join(", "))));
    }
    Ok(Wanted {
        text: params.text("q").unwrap_or_default().to_lowercase(),
        rules: params.list("rule", MOST_NAMED)?.into_iter().collect(),
        priorities,
        event: params.parsed::<EventId>("event")?,
        start_micros,
        end_micros,
    })
}

/// Looks through all that is held, beside the reactor.
async fn find(shared: Arc<Shared>, scope: &Arc<Scope>, wanted: Wanted) -> Result<Found, Failure> {
    let scope = Arc::clone(scope);
    let found = tokio::task::spawn_blocking(move || shared.alerts.find(&scope, &wanted, Timestamp::now())).await;
    found.map_err(|_| Failure::broken("the alerts can't be looked through"))
}

/// `<microseconds>.<event>.<rule>`: it stays the same place whatever comes meanwhile.
fn cursor(place: &Place) -> String {
    format!("{}.{}.{}", place.time_micros, place.event, place.rule_id)
}

fn place(cursor: &str) -> Result<Place, Failure> {
    let mut parts = cursor.splitn(3, '.');
    let mut read = || {
        let time_micros = parts.next()?.parse().ok()?;
        Some(Place { time_micros, event: parts.next()?.parse().ok()?, rule_id: parts.next()?.into() })
    };
    read().ok_or_else(|| Failure::bad("cursor", "not a cursor that was given with an answer"))
}
