//! What a caller may see while they read on: asked again, so that who loses a right, or what let them in, in the middle of a long
//! answer loses it there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tokio::time::Instant;

use crate::auth::Peer;
use crate::failure::Failure;
use crate::scope::Scope;
use crate::serve::Shared;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(10);

/// A caller and what they may see.
pub(crate) struct Standing {
    shared: Arc<Shared>,
    /// What the caller showed: a token may be withdrawn, too.
    headers: HeaderMap,
    peer: Option<Peer>,
    scope: Arc<Scope>,
    asked: Instant,
}

impl Standing {
    /// What the caller may see, as it was at most [`FRESH`] ago.
    pub(crate) async fn scope(&mut self) -> Result<Arc<Scope>, Failure> {
        if self.asked.elapsed() >= FRESH {
            self.scope = Arc::new(self.shared.scope_now(&self.headers, self.peer.as_ref()).await?);
            self.asked = Instant::now();
        }
        Ok(Arc::clone(&self.scope))
    }
}

impl FromRequestParts<Arc<Shared>> for Standing {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let scope = parts.extensions.get::<Arc<Scope>>().cloned();
        let scope = scope.ok_or_else(|| Failure::broken("nobody was asked who this is"))?;
        let (headers, peer) = (parts.headers.clone(), parts.extensions.get::<Peer>().cloned());
        Ok(Self { shared: Arc::clone(shared), headers, peer, scope, asked: Instant::now() })
    }
}
