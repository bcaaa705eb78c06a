//! Searches that a caller has saved: their own alone.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_bus::{Bus, ShelfError};

use super::body::Body;
use super::params::Params;
use crate::failure::{Failure, Problem};
use crate::scope::Scope;
use crate::search::Search;
use crate::serve::Shared;

/// Searches of one caller.
const MOST: usize = 200;
/// Characters of a name.
const NAME: usize = 200;
/// How often a change is tried again that another one got ahead of.
const TRIES: u32 = 5;

/// A saved search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedSearch {
    /// What it is called in its path.
    pub id: String,
    /// What it is called, at most 200 characters.
    pub name: String,
    /// The condition, in the search language.
    pub q: String,
    /// When it was made.
    pub created: String,
    /// When it was last changed.
    pub updated: String,
}

/// What is saved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchToSave {
    /// What it is called, at most 200 characters.
    pub name: String,
    /// The condition, in the search language.
    pub q: String,
}

/// A caller's searches.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SavedSearches {
    /// In the order in which they were made.
    pub items: Vec<SavedSearch>,
}

/// The caller's searches
#[utoipa::path(
    get, path = "/api/v1/searches", operation_id = "listSearches", tag = "searches",
    responses((status = 200, body = SavedSearches)),
)]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    params: Params,
) -> Result<Json<SavedSearches>, Failure> {
    params.end()?;
    let (items, _) = read(&bus(&shared)?, &owner(&scope)).await?;
    Ok(Json(SavedSearches { items }))
}

/// Save a search
#[utoipa::path(
    post, path = "/api/v1/searches", operation_id = "createSearch", tag = "searches",
    request_body = SearchToSave,
    responses(
        (status = 201, body = SavedSearch), (status = 400, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem),
    ),
)]
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    params: Params,
    Body(wanted): Body<SearchToSave>,
) -> Result<(StatusCode, Json<SavedSearch>), Failure> {
    params.end()?;
    check(&wanted)?;
    let now = format!("{:.3}", Timestamp::now());
    let made = SavedSearch { id: fresh_id(), name: wanted.name, q: wanted.q, created: now.clone(), updated: now };
    change(&bus(&shared)?, &owner(&scope), |items| {
        if items.len() >= MOST {
            return Err(Failure::bad_request(format!("at most {MOST} searches: delete one first")));
        }
        items.push(made.clone());
        Ok(())
    })
    .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// A saved search
#[utoipa::path(
    get, path = "/api/v1/searches/{id}", operation_id = "getSearch", tag = "searches",
    params(("id" = String, Path, description = "The search's id")),
    responses((status = 200, body = SavedSearch), (status = 404, body = Problem)),
)]
pub(crate) async fn get(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<SavedSearch>, Failure> {
    params.end()?;
    let (items, _) = read(&bus(&shared)?, &owner(&scope)).await?;
    items.into_iter().find(|search| search.id == id).map(Json).ok_or_else(Failure::not_found)
}

/// Change a saved search
#[utoipa::path(
    put, path = "/api/v1/searches/{id}", operation_id = "updateSearch", tag = "searches",
    params(("id" = String, Path, description = "The search's id")),
    request_body = SearchToSave,
    responses(
        (status = 200, body = SavedSearch), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem),
    ),
)]
pub(crate) async fn update(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    Path(id): Path<String>,
    params: Params,
    Body(wanted): Body<SearchToSave>,
) -> Result<Json<SavedSearch>, Failure> {
    params.end()?;
    check(&wanted)?;
    let mut changed = None;
    change(&bus(&shared)?, &owner(&scope), |items| {
        let search = items.iter_mut().find(|search| search.id == id).ok_or_else(Failure::not_found)?;
        search.name.clone_from(&wanted.name);
        search.q.clone_from(&wanted.q);
        search.updated = format!("{:.3}", Timestamp::now());
        changed = Some(search.clone());
        Ok(())
    })
    .await?;
    changed.map(Json).ok_or_else(Failure::not_found)
}

/// Delete a saved search
#[utoipa::path(
    delete, path = "/api/v1/searches/{id}", operation_id = "deleteSearch", tag = "searches",
    params(("id" = String, Path, description = "The search's id")),
    responses((status = 204), (status = 404, body = Problem)),
)]
pub(crate) async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    Path(id): Path<String>,
    params: Params,
) -> Result<StatusCode, Failure> {
    params.end()?;
    change(&bus(&shared)?, &owner(&scope), |items| {
        let before = items.len();
        items.retain(|search| search.id != id);
        if items.len() == before { Err(Failure::not_found()) } else { Ok(()) }
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the caller's entry is called.
fn owner(scope: &Scope) -> String {
    format!("searches-{}", scope.owner())
}

fn fresh_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn bus(shared: &Shared) -> Result<Bus, Failure> {
    shared.bus().ok_or_else(|| Failure::unavailable("the broker is away"))
}

fn check(wanted: &SearchToSave) -> Result<(), Failure> {
    if wanted.name.trim().is_empty() || wanted.name.chars().nth(NAME).is_some() {
        return Err(Failure::bad("name", format!("1 to {NAME} characters")));
    }
    Search::parse(&wanted.q, Timestamp::now())?;
    Ok(())
}

async fn read(bus: &Bus, owner: &str) -> Result<(Vec<SavedSearch>, u64), Failure> {
    let shelf = bus.shelf(owner).await.map_err(unreachable)?;
    if shelf.content.is_empty() {
        return Ok((Vec::new(), shelf.revision));
    }
    let items = serde_json::from_slice(&shelf.content).map_err(|error| {
        tracing::error!(%error, "saved searches can't be read");
        Failure::broken("the saved searches can't be read")
    })?;
    Ok((items, shelf.revision))
}

/// Changes the caller's searches; again from their new state if another change got ahead.
async fn change(
    bus: &Bus,
    owner: &str,
    mut how: impl FnMut(&mut Vec<SavedSearch>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let (mut items, revision) = read(bus, owner).await?;
        how(&mut items)?;
        let content = serde_json::to_vec(&items).map_err(|_| Failure::broken("the saved searches can't be written"))?;
        match bus.change_shelf(owner, content.into(), revision).await {
            Ok(()) => return Ok(()),
            Err(ShelfError::Changed) => {}
            Err(ShelfError::TooLarge) => return Err(Failure::bad_request("the saved searches are too long together")),
            Err(error) => return Err(unreachable(error)),
        }
    }
    Err(Failure::unavailable("the searches are being changed elsewhere"))
}

fn unreachable(error: ShelfError) -> Failure {
    tracing::warn!(error = %vedette_service::chain(&error), "saved searches are out of reach");
    Failure::unavailable("the broker is away")
}
