//! `/api/v1`: our own query API, which the web console and `vedette query` use.
//!
//! Unlike KubeSphere's endpoints it is strict: a parameter that there is not, or a value that can't be, is a 400 that names the
//! parameter and what is allowed. Every endpoint asks the archive with the caller's scope beside the caller's question, so that
//! no count, value or place can tell of records that the caller may not see.
//!
//! Its description is generated from here: `docs/api/openapi.json`.

mod change;
mod columns;
mod count;
mod coverage;
mod event;
mod events;
mod export;
mod me;
mod params;
mod searches;
mod tail;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Json, Response};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use change::{Change, ChangeKind, Place};
pub use count::{Facet, Facets, Group, Groups, Histogram, Slot, Statistics, Value};
pub use coverage::{Coverage, Kept, Losses};
pub use event::Event;
pub use events::{Events, Whole};
pub use me::Me;
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
    modifiers(&Security),
)]
struct Description;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("see docs/access.md")).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
}

/// The endpoints.
pub(crate) fn router() -> Router<Arc<Shared>> {
    let (router, _) = described().split_for_parts();
    router.route("/api/v1/openapi.json", axum::routing::get(openapi))
}

/// The description of the API, as JSON.
pub fn description() -> String {
    let (_, document) = described().split_for_parts();
    document.to_pretty_json().unwrap_or_default() + "\n"
}

fn described() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(Description::openapi())
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
        .routes(routes!(me::me))
}

async fn openapi() -> Response {
    let (_, document) = described().split_for_parts();
    Json(document).into_response()
}
