//! Reading bodies, strictly: bounded, and nothing in them that is not asked for.
//!
//! A body says that it is JSON: a page of another site can't make a browser send such a one without asking first.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
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
        if !is_json(request.headers()) {
            let message = "the body must be JSON, and say so: `content-type: application/json`";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
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

fn is_json(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
