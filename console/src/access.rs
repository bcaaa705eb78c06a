//! The gate's first half: who asks, and what they may see.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio_util::sync::CancellationToken;
use vedette_service::{Context, chain};

use crate::auth::{AuthError, Authenticator, Caller, Peer, Refused};
use crate::config::Config;
use crate::failure::Failure;
use crate::metrics::Metrics;
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

    /// Lets a request in: its [`Caller`] and their [`View`] are among its extensions then.
    pub(crate) async fn admit(&self, request: &mut Request) -> Result<(Caller, Arc<View>), Failure> {
        let peer = request.extensions().get::<Peer>().cloned();
        let caller = self.authenticator.caller(request.headers(), peer.as_ref()).await?;
        let view = self.tenancy.view(&caller).await?;
        request.extensions_mut().insert(caller.clone());
        request.extensions_mut().insert(Arc::clone(&view));
        Ok((caller, view))
    }

    /// What a caller may see now.
    pub(crate) async fn view(&self, caller: &Caller) -> Result<Arc<View>, Failure> {
        Ok(self.tenancy.view(caller).await?)
    }
}

/// Lets only those go on who see everything.
pub(crate) async fn administrators(request: Request, next: Next) -> Result<Response, Failure> {
    match request.extensions().get::<Arc<View>>() {
        Some(view) if view.everything => Ok(next.run(request).await),
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
            Denied::NotConfigured | Denied::TooMany { .. } => Self::forbidden(denied.to_string()),
            Denied::Stale { .. } | Denied::Unavailable { .. } => Self::unavailable(denied.to_string()),
        }
    }
}
