//! Rules tried on what happened: what they decide about the caller's own most recent events, and why.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_archive::{Page, Query};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::entry::Kind;
use vedette_proto::rules::v1::rule_status::State as Stage;
use vedette_service::manifest::{self, Manifest};

use super::diagnostic::{self, Diagnostic};
use super::{aside, source};
use crate::api::body::Body;
use crate::api::event::Event;
use crate::api::params::Params;
use crate::failure::{Failure, Problem};
use crate::management::{Applicant, Manager, Refusal};
use crate::pager::fitting;
use crate::scope::Scope;
use crate::search::Search;
use crate::serve::Shared;

/// Events that are tried at most, and unless it is said.
const MOST: u64 = 200;
const DEFAULT: u64 = 100;
/// Of them together, in bytes.
const EVENTS: usize = 6 << 20;
/// Of what other resources define, in bytes: with the rest it is within what an operator takes.
const DEFINITIONS: usize = 1 << 20;
/// Which events, unless it is said.
const RECENT: &str = "last:12h";

/// The namespace of a text that names none, as kubectl has it.
const NAMESPACE: &str = "default";

/// Rules to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrialToRun {
    /// YAML of one or more resources.
    pub source: String,
    /// Which events, in the search language; `last:12h` unless given.
    #[serde(default)]
    pub q: Option<String>,
    /// The rule whose decisions are explained: `name`, `resource.name` or `namespace/resource/name`.
    #[serde(default)]
    pub rule: Option<String>,
    /// Events at most, 1 to 200; 100 unless given.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// What rules decide about events.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// Whether the rules, and what uses them, would come into force.
    pub accepted: bool,
    /// Of the text, whose document is `source`, and the errors that it would make elsewhere. With errors in the text nothing is tried.
    pub diagnostics: Vec<Diagnostic>,
    /// How many events were tried.
    pub events: usize,
    /// How many were left out, since all together they are too large: those that fit are tried, the newest first.
    pub left_out: usize,
    /// What is decided about each, the newest first.
    pub items: Vec<Tried>,
}

/// An event, and what the rules of the text decide about it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// The event.
    pub event: Event,
    /// Whether it would be archived.
    pub archived: bool,
    /// The rules that held, `<Rule resource>.<rule>`.
    pub rules: Vec<String>,
    /// What would be alerted.
    pub alerts: Vec<AlertText>,
    /// Rules that could not be decided, since a body that they look at was not recorded.
    pub blind: Vec<String>,
    /// Why the rule that was named holds, or does not, as `vedette rules explain` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// Why nothing could be decided about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An alert as it would be sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertText {
    /// The rule, `<Rule resource>.<rule>`.
    pub rule: String,
    /// Its message.
    pub message: String,
}

/// Try rules on recent events
///
/// The rules of the text alone are held against the caller's own most recent events; what others define is there for them to use. Nothing
/// changes.
#[utoipa::path(
    post, path = "/api/v1/rules/try", operation_id = "tryRules", tag = "rules",
    request_body = TrialToRun,
    responses(
        (status = 200, body = Trial), (status = 400, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem),
    ),
)]
pub(crate) async fn try_rules(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    applicant: Applicant,
    params: Params,
    Body(wanted): Body<TrialToRun>,
) -> Result<Json<Trial>, Failure> {
    params.end()?;
    let limit = wanted.limit.unwrap_or(DEFAULT);
    if !(1..=MOST).contains(&limit) {
        return Err(Failure::bad("limit", format!("a number from 1 to {MOST}")));
    }
    let q = wanted.q.as_deref().filter(|q| !q.trim().is_empty()).unwrap_or(RECENT);
    let search = Search::parse(q, Timestamp::now())?;
    let own = Query { filter: search.filter, start_micros: search.start_micros, end_micros: search.end_micros };
    let mut manager = applicant.connect().await?;
    let draft = source::document(&wanted.source);
    let said = manager.validate(draft.clone()).await?;
    let diagnostics = diagnostic::of_source(said.diagnostics);
    let broken = diagnostics.iter().any(|it| it.is_error() && it.document == source::SOURCE);
    let mut trial = Trial { accepted: said.accepted, diagnostics, events: 0, left_out: 0, items: Vec::new() };
    if broken {
        return Ok(Json(trial));
    }
    let page = Page { size: limit, newest_first: true, total: false, ..Page::default() };
    let hits = fitting(shared.archive()?.as_ref(), &scope.narrow(&own), page).await?;
    let mut room = EVENTS;
    let fits = |document: &Vec<u8>| {
        room.checked_sub(document.len()).is_some_and(|left| {
            room = left;
            true
        })
    };
    let found = hits.documents.len();
    let documents: Vec<Vec<u8>> = hits.documents.into_iter().filter(fits).collect();
    let events: Vec<Event> = documents.iter().map(|document| Event::of(document)).collect();
    let request = proto::EvaluateRulesRequest {
        documents: vec![draft],
        events: documents.into_iter().map(Into::into).collect(),
        explain: wanted.rule.is_some(),
        rules: wanted.rule.into_iter().collect(),
    };
    let evaluations = evaluate(&mut manager, request).await?;
    trial.events = events.len();
    trial.left_out = found - events.len();
    trial.items = events.into_iter().zip(evaluations).map(|(event, evaluation)| Tried::of(event, evaluation)).collect();
    Ok(Json(trial))
}

/// What the draft decides: by itself, or, if that does not suffice, with what others define.
async fn evaluate(
    manager: &mut Manager,
    mut request: proto::EvaluateRulesRequest,
) -> Result<Vec<proto::Evaluation>, Failure> {
    match manager.evaluate(request.clone()).await {
        Err(refusal) if refusal.is_about("documents") => {}
        answer => return answer.map_err(refused),
    }
    let rules = manager.list().await?;
    let drafts = request.documents.clone();
    request.documents.extend(aside(move || others(&drafts, rules)).await??);
    manager.evaluate(request).await.map_err(refused)
}

/// What rules define that are not of the drafts. It takes its time.
fn others(drafts: &[proto::Document], rules: Vec<proto::Rule>) -> Result<Vec<proto::Document>, Failure> {
    let drafted = drafts.iter().filter_map(|draft| manifest::resources(&draft.text).ok()).flatten();
    let drafted: HashSet<String> = drafted.filter_map(named).collect();
    let mut room = DEFINITIONS;
    let mut documents = Vec::new();
    for document in rules.into_iter().filter(|rule| !drafted.contains(&rule.name)).filter_map(definitions) {
        room = room
            .checked_sub(document.text.len())
            .ok_or_else(|| Failure::bad_request("what other rules define is too large to try these among them"))?;
        documents.push(document);
    }
    Ok(documents)
}

/// The name of a rule of the draft.
fn named(resource: serde_json::Value) -> Option<String> {
    Some(Manifest::read(resource).ok()?.message(NAMESPACE).name)
}

/// What a rule defines for others, without the rules in it; nothing of one that is not in force as it stands.
fn definitions(mut rule: proto::Rule) -> Option<proto::Document> {
    rule.entries.retain(|entry| !matches!(entry.kind, Some(Kind::Rule(_))));
    let in_force = rule.status.as_ref().is_some_and(|status| status.state() == Stage::InForce);
    if rule.entries.is_empty() || !in_force {
        return None;
    }
    let text = Manifest::of(&rule).ok()?.yaml().ok()?;
    Some(proto::Document { name: rule.name, text })
}

fn refused(refusal: Refusal) -> Failure {
    let of_rule = refusal.is_about("rules");
    let failure = Failure::from(refusal);
    if of_rule { failure.about("rule") } else { failure }
}

impl Tried {
    fn of(event: Event, evaluation: proto::Evaluation) -> Self {
        Self {
            event,
            archived: evaluation.archived,
            rules: evaluation.rules,
            alerts: evaluation.alerts.into_iter().map(|it| AlertText { rule: it.rule, message: it.message }).collect(),
            blind: evaluation.blind,
            explanation: evaluation.explanations.into_iter().next(),
            error: Some(evaluation.error).filter(|text| !text.is_empty()),
        }
    }
}
