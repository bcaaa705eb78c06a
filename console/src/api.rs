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
mod parts;
mod searches;
mod settings;
mod tail;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::response::{IntoResponse, Json, Response};
use axum::{Router, middleware};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use change::{Change, ChangeKind, Place};
pub use count::{Facet, FacetValue, Facets, Group, Groups, Histogram, Slot, Statistics};
pub use coverage::{Coverage, Kept, Losses};
pub use event::Event;
pub use events::{Events, Whole};
pub use me::{Me, Via};
pub use searches::{SavedSearch, SavedSearches, SearchToSave};
pub use settings::{Settings, SignIn};

use crate::access::administrators;
pub use crate::failure::Problem;
use crate::serve::Shared;
use crate::status;

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
        use utoipa::openapi::path::Operation;
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
            // What anybody may ask is told from what is known already, and nobody is refused.
            let refusable = |it: &&mut Operation| it.security.as_ref().is_none_or(|needed| !needed.is_empty());
            for operation in operations.into_iter().flatten().filter(refusable) {
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

/// The endpoints for those who are known.
pub(crate) fn router() -> Router<Arc<Shared>> {
    let (router, _) = for_callers().split_for_parts();
    let (all_seeing, _) = for_administrators().split_for_parts();
    let router = router.merge(all_seeing.route_layer(middleware::from_fn(administrators)));
    router.route("/api/v1/openapi.json", axum::routing::get(openapi))
}

/// The endpoints for those of whom nothing is known.
pub(crate) fn open_router() -> Router<Arc<Shared>> {
    for_anybody().split_for_parts().0
}

/// The description of the API, as JSON.
pub fn description() -> String {
    document().to_pretty_json().unwrap_or_default() + "\n"
}

fn for_callers() -> OpenApiRouter<Arc<Shared>> {
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
        .routes(routes!(me::me))
}

fn for_administrators() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(status::answer))
}

fn for_anybody() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(settings::settings))
}

async fn openapi() -> Response {
    Json(document()).into_response()
}

fn document() -> utoipa::openapi::OpenApi {
    let mut document = Description::openapi();
    for part in [for_callers(), for_administrators(), for_anybody()] {
        let (_, paths) = part.split_for_parts();
        document.merge(paths);
    }
    Security.modify(&mut document);
    Refusals.modify(&mut document);
    document
}
