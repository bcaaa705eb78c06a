//! `/api/v1`: our own query API, which the web console and `vedette query` use.
//!
//! Unlike KubeSphere's endpoints it is strict: a parameter that there is not, or a value that can't be, is a 400 that names the
//! parameter and what is allowed. Every endpoint asks the archive with the caller's scope beside the caller's question, so that
//! no count, value or place can tell of records that the caller may not see.
//!
//! Its description is generated from here: `docs/api/openapi.json`.

mod body;
mod change;
mod columns;
mod count;
mod coverage;
mod event;
mod events;
mod export;
mod me;
mod params;
mod rules;
mod searches;
mod tail;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Json, Response};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use change::{Change, ChangeKind, Place};
pub use count::{Facet, FacetValue, Facets, Group, Groups, Histogram, Slot, Statistics};
pub use coverage::{Coverage, Kept, Losses};
pub use event::Event;
pub use events::{Events, Whole};
pub use me::Me;
pub use rules::{
    AlertText, Check, Diagnostic, Entry, EntryKind, Evaluator, Rule, RuleState, RuleToPut, Rules, RulesToCheck,
    Severity, Trial, TrialToRun, Tried,
};
pub use searches::{SavedSearch, SavedSearches, SearchToSave};

pub use crate::failure::Problem;
use crate::serve::Shared;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vedette",
        description = "Queries over the audit events that are kept. Errors are `Problem`s; times are RFC 3339 in UTC.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem)),
    security(("token" = [])),
)]
struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("see docs/access.md")).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
}

/// The answers that every endpoint can give instead.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::{Content, Ref, ResponseBuilder};
        const REFUSALS: [(&str, &str); 6] = [
            ("401", "Nobody knows who asks"),
            ("403", "The caller may not"),
            ("500", "What is kept is broken"),
            ("502", "The archive refuses the question"),
            ("503", "Not now: see Retry-After"),
            ("504", "It took too long"),
        ];
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                for (status, description) in REFUSALS {
                    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
                    let response = ResponseBuilder::new().description(description);
                    let response = response.content("application/json", problem).build();
                    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.into());
                }
            }
        }
    }
}

/// The endpoints.
pub(crate) fn router() -> Router<Arc<Shared>> {
    let (router, _) = described().split_for_parts();
    router.route("/api/v1/openapi.json", axum::routing::get(openapi))
}

/// The description of the API, as JSON.
pub fn description() -> String {
    document().to_pretty_json().unwrap_or_default() + "\n"
}

fn described() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(events::list))
        .routes(routes!(events::one))
        .routes(routes!(count::statistics))
        .routes(routes!(count::histogram))
        .routes(routes!(count::facets))
        .routes(routes!(count::groups))
        .routes(routes!(coverage::coverage))
        .routes(routes!(export::export))
        .routes(routes!(tail::tail))
        .routes(routes!(searches::list, searches::create))
        .routes(routes!(searches::get, searches::update, searches::delete))
        .routes(routes!(rules::list))
        .routes(routes!(rules::get, rules::put, rules::delete))
        .routes(routes!(rules::check))
        .routes(routes!(rules::trial::try_rules))
        .routes(routes!(me::me))
}

async fn openapi() -> Response {
    Json(document()).into_response()
}

fn document() -> utoipa::openapi::OpenApi {
    let (_, paths) = described().split_for_parts();
    let mut document = Description::openapi();
    document.merge(paths);
    Security.modify(&mut document);
    Refusals.modify(&mut document);
    document
}
