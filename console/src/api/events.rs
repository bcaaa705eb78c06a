//! Events: pages of them, and one with everything about it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use vedette_archive::{Archive, Cursor, Field, Filter, Page, Query};
use vedette_audit::EventId;

use super::change::{self, Change};
use super::coverage::{self, Coverage};
use super::event::Event;
use super::params::{Params, Select, newest_first};
use crate::failure::{Failure, Problem};
use crate::pager::fitting;
use crate::scope::Scope;
use crate::serve::Shared;

/// Other stages and requests beside one event that are shown.
const BESIDE: u64 = 50;

/// A page of events.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// In the order asked for.
    pub items: Vec<Event>,
    /// Where the next page begins: give it as `cursor`. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many events match in all; on the first page alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is kept of the time asked for; on the first page alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// Which part of the events.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Paging {
    /// `desc`, the newest first, or `asc`.
    #[param(default = "desc")]
    sort: Option<String>,
    /// Events on a page at most; fewer where they are too large together.
    #[param(default = 50, minimum = 0, maximum = 1000)]
    limit: Option<u64>,
    /// Where the page begins: `next` of the page before. The other parameters must be the same.
    cursor: Option<String>,
}

/// Events that match
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "listEvents", tag = "events",
    params(Select, Paging),
    responses((status = 200, body = Events), (status = 400, body = Problem)),
)]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<Events>, Failure> {
    let select = Select::read(&mut params);
    let newest_first = newest_first(&mut params)?;
    let size = params.number("limit", 50, 0..=1_000)?;
    let after: Option<Cursor> = params.parsed("cursor")?;
    params.end()?;
    let question = select.question(&scope, Timestamp::now())?;
    let first = after.is_none();
    let page = Page { from: 0, size, newest_first, after, total: first };
    let archive = shared.archive()?;
    let hits = fitting(archive.as_ref(), &question.query, page);
    let (hits, coverage) = if first {
        let (hits, coverage) = tokio::join!(hits, coverage::of(&shared, &scope, &question));
        (hits?, Some(coverage?))
    } else {
        (hits.await?, None)
    };
    Ok(Json(Events {
        items: hits.documents.iter().map(|document| Event::of(document)).collect(),
        next: hits.next.map(|cursor| cursor.to_string()),
        total: first.then_some(hits.total),
        coverage,
    }))
}

/// One event with everything about it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Whole {
    /// The event.
    pub event: Event,
    /// The document as it is stored, bodies included.
    #[schema(value_type = Object)]
    pub document: Box<RawValue>,
    /// The other stages of the same request, the oldest first. Clients choose the id that tells them, so that a
    /// request of another may be among them: actor and time say so.
    pub stages: Vec<Event>,
    /// What the request changed, as far as the bodies tell it.
    pub change: Change,
}

/// One event
#[utoipa::path(
    get, path = "/api/v1/events/{id}", operation_id = "getEvent", tag = "events",
    params(("id" = String, Path, description = "The event's id: 32 hexadecimal digits")),
    responses((status = 200, body = Whole), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn one(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Whole>, Failure> {
    params.end()?;
    let id: EventId = id.parse().map_err(|_| Failure::bad("id", "32 hexadecimal digits"))?;
    let archive = shared.archive()?;
    let query = scope.narrow(&Query::of(Filter::Id(vec![id])));
    let hits = archive.search(&query, &Page { size: 1, total: false, ..Page::default() }).await?;
    let json = hits.documents.into_iter().next().ok_or_else(Failure::no_event)?;
    let event = Event::of(&json);
    let (stages, change) =
        tokio::join!(stages(archive.as_ref(), &scope, &event), change::of(archive.as_ref(), &scope, &json));
    let document = String::from_utf8(json).ok().and_then(|json| RawValue::from_string(json).ok());
    let document = document.ok_or_else(|| Failure::broken("a stored document is no JSON"))?;
    Ok(Json(Whole { event, document, stages: stages?, change: change? }))
}

async fn stages(archive: &dyn Archive, scope: &Scope, event: &Event) -> Result<Vec<Event>, Failure> {
    if event.audit_id.is_empty() {
        return Ok(Vec::new());
    }
    let filter = Filter::is(Field::AuditId, [&event.audit_id]).and(Filter::is(Field::Cluster, [&event.cluster]));
    let page = Page { size: BESIDE, newest_first: false, total: false, ..Page::default() };
    let hits = fitting(archive, &scope.narrow(&Query::of(filter)), page).await?;
    let found = hits.documents.iter().map(|document| Event::of(document));
    Ok(found.filter(|found| found.id != event.id).collect())
}
