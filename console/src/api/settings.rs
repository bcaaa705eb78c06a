//! What whoever opens the console must know to sign in.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::params::Params;
use crate::config::Config;
use crate::failure::{Failure, Problem};
use crate::serve::Shared;

/// How this console is set up, as far as anybody may know.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Of the console.
    pub version: String,
    /// The identity provider, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<SignIn>,
}

/// How to sign in with the identity provider: by authorization code with PKCE, as a public client. The ID token is the API's token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// Its URL: `/.well-known/openid-configuration` under it says the rest.
    pub issuer: String,
    /// The console's client id.
    pub client_id: String,
    /// What to ask for.
    pub scopes: Vec<String>,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Self {
        let oidc = config.auth.oidc.as_ref().map(|oidc| SignIn {
            issuer: oidc.issuer.clone(),
            client_id: oidc.client_id.clone(),
            scopes: oidc.scopes.clone(),
        });
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), oidc }
    }
}

/// How this console is set up
///
/// For anybody, known or not: what must be known to sign in.
#[utoipa::path(
    get, path = "/api/v1/settings", operation_id = "getSettings", tag = "access", security(),
    responses((status = 200, body = Settings), (status = 400, body = Problem)),
)]
pub(crate) async fn settings(State(shared): State<Arc<Shared>>, params: Params) -> Result<Json<Settings>, Failure> {
    params.end()?;
    Ok(Json(shared.settings.clone()))
}
