//! The rules, as whoever asks may see and change them: the operator's rule management over HTTP.
//!
//! Nothing is decided here. A rule travels as the YAML that kubectl would apply, beside what the operator says about it; places in that
//! text are made of the fields that the compiler names, so that an editor can show them.

mod diagnostic;
mod shape;
mod source;
pub(super) mod trial;

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vedette_service::manifest::full_name;

pub use diagnostic::{Diagnostic, Severity};
pub use shape::{Entry, EntryKind, Evaluator, Rule, RuleState, Rules};
pub use trial::{AlertText, Trial, TrialToRun, Tried};

use super::body::Body;
use super::params::{Params, filled};
use crate::failure::{Failure, Problem};
use crate::management::{Applicant, Manager};

/// A rule to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleToPut {
    /// YAML of one `Rule`. Its name and its namespace, if it says one, are those of the path.
    pub source: String,
    /// The `etag` of the rule that is to be changed: it is refused if the rule is another one by now. Without one a rule is changed
    /// whatever it is, and made where there is none.
    #[serde(default)]
    pub etag: Option<String>,
}

/// Rules to be checked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RulesToCheck {
    /// YAML of one or more resources.
    pub source: String,
}

/// What the compiler says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Whether the rules, and what uses them, would come into force.
    pub accepted: bool,
    /// Of the text, whose document is `source`, and the errors that it would make elsewhere.
    pub diagnostics: Vec<Diagnostic>,
}

/// How a rule is written.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Writing {
    /// `true`: everything is checked, and nothing changes.
    #[param(default = false)]
    #[param(rename = "validateOnly")]
    validate_only: Option<bool>,
}

/// What is deleted.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Deleting {
    /// The rule's `etag`: it is not deleted if it is another one by now.
    etag: Option<String>,
}

/// All rules
#[utoipa::path(
    get, path = "/api/v1/rules", operation_id = "listRules", tag = "rules",
    responses((status = 200, body = Rules), (status = 404, body = Problem)),
)]
pub(crate) async fn list(applicant: Applicant, params: Params) -> Result<Json<Rules>, Failure> {
    params.end()?;
    let mut manager = applicant.connect().await?;
    let rules = manager.list().await?;
    let appliers = manager.appliers().await?;
    Ok(Json(Rules {
        items: aside(|| rules.into_iter().map(Rule::of).collect()).await?,
        evaluators: appliers.evaluators.into_iter().map(Evaluator::of).collect(),
        generation: appliers.generation,
    }))
}

/// A rule
#[utoipa::path(
    get, path = "/api/v1/rules/{namespace}/{name}", operation_id = "getRule", tag = "rules",
    params(("namespace" = String, Path, description = "Its namespace"), ("name" = String, Path, description = "Its name")),
    responses((status = 200, body = Rule), (status = 404, body = Problem)),
)]
pub(crate) async fn get(
    applicant: Applicant,
    Path((namespace, name)): Path<(String, String)>,
    params: Params,
) -> Result<Json<Rule>, Failure> {
    params.end()?;
    let rule = applicant.connect().await?.get(full_name(&namespace, &name)).await?;
    aside(|| Rule::of(rule)).await.map(Json)
}

/// Make or change a rule
///
/// Labels, annotations and entries become those of the text, apart from what others keep in annotations for themselves.
#[utoipa::path(
    put, path = "/api/v1/rules/{namespace}/{name}", operation_id = "putRule", tag = "rules",
    params(
        ("namespace" = String, Path, description = "Its namespace"), ("name" = String, Path, description = "Its name"),
        Writing,
    ),
    request_body = RuleToPut,
    responses(
        (status = 200, body = Rule),
        (status = 400, description = "The text is no such rule, or has errors: `diagnostics` are the compiler's", body = Problem),
        (status = 404, body = Problem),
        (status = 409, description = "The rule is another one by now", body = Problem),
        (status = 413, body = Problem),
        (status = 415, body = Problem),
    ),
)]
pub(crate) async fn put(
    applicant: Applicant,
    Path((namespace, name)): Path<(String, String)>,
    mut params: Params,
    Body(wanted): Body<RuleToPut>,
) -> Result<Json<Rule>, Failure> {
    let validate_only = params.word("validateOnly", false, &[("true", true), ("false", false)])?;
    params.end()?;
    let etag = filled("etag", wanted.etag)?;
    let mut manager = applicant.connect().await?;
    // Before the text is looked at: by this the operator has let the caller through, who may be anybody.
    let there = match manager.get(full_name(&namespace, &name)).await {
        Ok(there) => Some(there),
        Err(refusal) if refusal.is_not_found() && etag.is_none() => None,
        Err(refusal) => return Err(refusal.into()),
    };
    let text = Arc::<str>::from(wanted.source);
    let read = {
        let (text, namespace, name) = (Arc::clone(&text), namespace.clone(), name.clone());
        aside(move || source::read(&text, (&namespace, &name))).await?
    };
    let mut rule = match read {
        Ok(rule) => rule,
        Err(failure) => {
            let found = said(&mut manager, &text).await;
            // Whoever may not ask about all rules has what was found here.
            return Err(if found.is_empty() { failure } else { failure.with_diagnostics(found) });
        }
    };
    let written = match there {
        None => manager.create((&namespace, &name), rule, validate_only).await,
        Some(there) => {
            source::keep_hidden(&mut rule, &there);
            // What is kept was read with this one.
            rule.etag = etag.unwrap_or(there.etag);
            manager.replace(rule, validate_only).await
        }
    };
    match written {
        Ok(rule) => aside(|| Rule::of(rule)).await.map(Json),
        Err(refusal) if refusal.is_broken() => {
            let found = said(&mut manager, &text).await;
            let failure = Failure::from(refusal);
            // Whoever may not ask about all rules has what the refusal says.
            Err(if found.iter().any(Diagnostic::is_error) { failure.with_diagnostics(found) } else { failure })
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Delete a rule
#[utoipa::path(
    delete, path = "/api/v1/rules/{namespace}/{name}", operation_id = "deleteRule", tag = "rules",
    params(
        ("namespace" = String, Path, description = "Its namespace"), ("name" = String, Path, description = "Its name"),
        Deleting,
    ),
    responses(
        (status = 204),
        (status = 404, body = Problem),
        (status = 409, description = "The rule is another one by now", body = Problem),
    ),
)]
pub(crate) async fn delete(
    applicant: Applicant,
    Path((namespace, name)): Path<(String, String)>,
    mut params: Params,
) -> Result<StatusCode, Failure> {
    let etag = params.filled("etag")?.unwrap_or_default();
    params.end()?;
    applicant.connect().await?.delete(full_name(&namespace, &name), etag).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Check rules
///
/// They are compiled among the rules in force, in the place of those of the same names. Nothing changes.
#[utoipa::path(
    post, path = "/api/v1/rules/check", operation_id = "checkRules", tag = "rules",
    request_body = RulesToCheck,
    responses(
        (status = 200, body = Check), (status = 400, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem),
    ),
)]
pub(crate) async fn check(
    applicant: Applicant,
    params: Params,
    Body(wanted): Body<RulesToCheck>,
) -> Result<Json<Check>, Failure> {
    params.end()?;
    let answer = applicant.connect().await?.validate(source::document(&wanted.source)).await?;
    Ok(Json(Check { accepted: answer.accepted, diagnostics: diagnostic::of_source(answer.diagnostics) }))
}

/// Does `work` beside what serves others, since a text may be large.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::broken("the rules could not be read"))
}

/// What the compiler says of a text; nothing, where the caller may not ask.
async fn said(manager: &mut Manager, source: &str) -> Vec<Diagnostic> {
    let answer = manager.validate(source::document(source)).await;
    answer.map(|answer| diagnostic::of_source(answer.diagnostics)).unwrap_or_default()
}
