//! What a caller may see while they read on: asked again, so that who loses a right in the middle of a long answer loses it there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::time::Instant;

use crate::auth::Caller;
use crate::failure::Failure;
use crate::scope::Scope;
use crate::serve::Shared;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(10);

/// A caller and what they may see.
pub(crate) struct Standing {
    shared: Arc<Shared>,
    caller: Caller,
    scope: Arc<Scope>,
    asked: Instant,
}

impl Standing {
    /// What the caller may see, as it was at most [`FRESH`] ago.
    pub(crate) async fn scope(&mut self) -> Result<&Scope, Failure> {
        if self.asked.elapsed() >= FRESH {
            self.scope = Arc::new(self.shared.scope_now(&self.caller).await?);
            self.asked = Instant::now();
        }
        Ok(&self.scope)
    }
}

impl FromRequestParts<Arc<Shared>> for Standing {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let (caller, scope) = (parts.extensions.get::<Caller>(), parts.extensions.get::<Arc<Scope>>());
        let (Some(caller), Some(scope)) = (caller, scope) else {
            return Err(Failure::broken("nobody was asked who this is"));
        };
        let (caller, scope) = (caller.clone(), Arc::clone(scope));
        Ok(Self { shared: Arc::clone(shared), caller, scope, asked: Instant::now() })
    }
}
