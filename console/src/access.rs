//! The gate's first half: who asks, and what they may see.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use tokio_util::sync::CancellationToken;
use vedette_service::{Context, chain};

use crate::auth::{AuthError, Authenticator, Caller, Kind, Origin, Peer, Refused};
use crate::config::Config;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::scope::Scope;
use crate::tenancy::{Denied, Tenancy, View};

/// Who may ask, and what they may see.
pub(crate) struct Access {
    authenticator: Authenticator,
    tenancy: Tenancy,
}

impl Access {
    /// As configured; what is watched for it is watched until `stop`.
    pub(crate) async fn start(
        config: &Config,
        metrics: &Metrics,
        ctx: &Context,
        stop: &CancellationToken,
    ) -> Result<Self, AuthError> {
        let authenticator = Authenticator::new(config).await?;
        let tenancy = Tenancy::start(&config.tenancy, metrics, ctx, stop).await?;
        Ok(Self { authenticator, tenancy })
    }

    /// Who shows this, and what they may see now.
    pub(crate) async fn ask(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<(Caller, Arc<View>), Failure> {
        let caller = self.authenticator.caller(headers, peer).await?;
        let view = self.tenancy.view(&caller).await?;
        Ok((caller, view))
    }

    /// The origins that pages ask besides the console's own, when they sign somebody in.
    pub(crate) async fn asked_by_pages(&self) -> Vec<Origin> {
        self.authenticator.asked_by_pages().await
    }
}

/// Refuses what a page of another site has a browser send. Whom a proxy signs in, their browser may show the proxy a cookie whoever
/// asks; a token nobody can make it show.
pub(crate) fn meant(caller: &Caller, request: &Request) -> Result<(), Failure> {
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD);
    if changes_nothing || caller.via != Kind::Proxy || is_of_own_page(request) {
        return Ok(());
    }
    Err(Failure::forbidden("this was sent by a page of another site, and changes nothing here"))
}

/// Whether a page of the console sent it, or none at all. A browser that says how the sites are related knows; one that does not says
/// which page it was.
fn is_of_own_page(request: &Request) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(Authority::as_str).or(host);
    origin.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

/// Lets only those go on who see everything.
pub(crate) async fn administrators(request: Request, next: Next) -> Result<Response, Failure> {
    match request.extensions().get::<Arc<Scope>>() {
        Some(scope) if scope.is_everything() => Ok(next.run(request).await),
        _ => Err(Failure::forbidden("this is for administrators: you may not see everything")),
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown(why) => Self::unauthorised(why),
            Refused::Unavailable { what, ref source } => {
                if let Some(source) = source {
                    tracing::warn!(error = %chain(source.as_ref()), "a caller can't be authenticated");
                }
                Self::unavailable(what)
            }
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotConfigured => Self::forbidden(denied.to_string()),
            // Which clusters there are is not for everybody to know.
            Denied::TooMany { .. } => {
                tracing::warn!(%denied, "a caller is refused");
                Self::forbidden(
                    "what you may see can't be told: RBAC alone does not decide it, and there is too much to ask for",
                )
            }
            Denied::Stale { .. } | Denied::Unavailable { .. } => {
                tracing::warn!(%denied, "a caller is refused for now");
                Self::unavailable("what you may see can't be told at the moment: a cluster does not answer")
            }
        }
    }
}
