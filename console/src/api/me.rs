//! Who asks.

use std::sync::Arc;

use axum::Extension;
use axum::response::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::params::Params;
use crate::auth::Kind;
use crate::failure::{Failure, Problem};
use crate::scope::Scope;

/// Who asks, and what they see.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The caller's name.
    pub name: String,
    /// Whether they see every event.
    pub everything: bool,
    /// How they became known.
    pub via: Via,
}

/// How a caller became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Via {
    /// By the console's own token.
    Token,
    /// By a token of the administrator's file.
    TokensFile,
    /// By a cluster's word.
    Kubernetes,
    /// By an identity provider's signature.
    Oidc,
    /// By a trusted proxy's word.
    Proxy,
}

impl From<&Kind> for Via {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Token => Self::Token,
            Kind::TokenFile => Self::TokensFile,
            Kind::Kubernetes { .. } => Self::Kubernetes,
            Kind::Oidc => Self::Oidc,
            Kind::Proxy => Self::Proxy,
        }
    }
}

/// Who asks
#[utoipa::path(
    get, path = "/api/v1/me", operation_id = "getMe", tag = "access",
    responses((status = 200, body = Me), (status = 401, body = Problem)),
)]
pub(crate) async fn me(Extension(scope): Extension<Arc<Scope>>, params: Params) -> Result<Json<Me>, Failure> {
    params.end()?;
    Ok(Json(Me { name: scope.caller().to_owned(), everything: scope.is_everything(), via: scope.via().into() }))
}
