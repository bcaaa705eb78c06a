//! Answers that are no 200, in the manner of a Kubernetes `Status`.
//!
//! A kube-apiserver sends a refused body again whatever the code, and logs what it was told: the message says what is
//! wrong and where, and never repeats what was sent.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;
use vedette_audit::list::{ListError, ListErrorCode};
use vedette_bus::PublishError;

/// The body of an answer.
pub(crate) type Body = Full<Bytes>;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// When the same may be sent again, where that may help.
    pub(crate) retry_after: Option<Duration>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None, header: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The sender is not known.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        let header = (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"vedette\""));
        Self { header: Some(header), ..Self::new(StatusCode::UNAUTHORIZED, message) }
    }

    pub(crate) fn method_not_allowed() -> Self {
        let header = (ALLOW, HeaderValue::from_static("POST"));
        Self { header: Some(header), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "expected the method POST") }
    }

    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, message)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// This sender is to slow down.
    pub(crate) fn too_many(message: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, message) }
    }

    /// Nobody can be served now.
    pub(crate) fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    /// Whole seconds of [`Self::retry_after`], rounded up.
    fn retry_seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }

    pub(crate) fn response(&self) -> Response<Body> {
        let status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": reason(self.status),
            "code": self.status.as_u16(),
        });
        let mut response = response(self.status, &status);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some((name, value)) = &self.header {
            headers.insert(name, value.clone());
        }
        response
    }
}

/// An answer in JSON.
pub(crate) fn response(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The reason as Kubernetes names it.
fn reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
        StatusCode::REQUEST_TIMEOUT => "Timeout",
        StatusCode::PAYLOAD_TOO_LARGE => "RequestEntityTooLarge",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UnsupportedMediaType",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        _ => "InternalError",
    }
}

impl From<ListError> for Refusal {
    fn from(error: ListError) -> Self {
        let message = format!("{error} of the body");
        match error.code {
            ListErrorCode::TooLarge => Self::too_large(message),
            ListErrorCode::Empty | ListErrorCode::Syntax | ListErrorCode::NotList => Self::bad_request(message),
        }
    }
}

impl From<&PublishError> for Refusal {
    fn from(error: &PublishError) -> Self {
        match (error, error.retry_after()) {
            (PublishError::Full { cluster_only: true, .. }, Some(wait)) => {
                Self::too_many("too many events of this cluster are waiting to be evaluated", wait)
            }
            (PublishError::Full { .. }, Some(wait)) => Self::unavailable("the broker is full", wait),
            (_, Some(wait)) => Self::unavailable("the broker did not store the events in time", wait),
            (_, None) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the broker refused the events"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_whole_seconds_and_never_none() {
        let seconds = |wait| Refusal::unavailable("", wait).response().headers()[RETRY_AFTER].clone();
        assert_eq!(seconds(Duration::ZERO), "1");
        assert_eq!(seconds(Duration::from_millis(1001)), "2");
        assert_eq!(seconds(Duration::from_secs(5)), "5");
    }

    #[test]
    fn a_lists_error_says_what_and_where() {
        let error = ListError { code: ListErrorCode::Syntax, offset: 17, message: "expected `:`".into() };
        let refusal = Refusal::from(error);
        assert_eq!((refusal.status.as_u16(), &*refusal.message), (400, "expected `:` at byte 17 of the body"));
        let error = ListError { code: ListErrorCode::TooLarge, offset: 0, message: "x".into() };
        assert_eq!(Refusal::from(error).status.as_u16(), 413);
    }
}
