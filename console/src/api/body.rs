//! Reading bodies, strictly: bounded, and nothing in them that is not asked for.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// The largest body, in bytes.
const LARGEST: usize = 1 << 20;

/// A body of JSON.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Failure> {
        DefaultBodyLimit::max(LARGEST).apply(&mut request);
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB")
            }
            _ => Failure::bad_request("the body broke off"),
        })?;
        let read = serde_json::from_slice(&bytes);
        read.map(Self).map_err(|error| Failure::bad_request(format!("the body is not what is asked for: {error}")))
    }
}
