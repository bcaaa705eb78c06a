//! What a client is told when it gets no answer.
//!
//! The message is written for it and names what it can change. What went wrong inside (an engine's error, an address, a
//! path) goes to the log alone, once, where the failure is made.

use std::borrow::Cow;
use std::fmt;

use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;
use vedette_archive::ArchiveError;

/// A refusal or a failure.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    message: Cow<'static, str>,
    header: Option<(HeaderName, &'static str)>,
}

impl Failure {
    /// 400: the question is wrong.
    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into(), header: None }
    }

    /// 401: nobody knows who asks.
    pub(crate) fn unauthorised(message: &'static str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            message: message.into(),
            header: Some((WWW_AUTHENTICATE, "Bearer realm=\"vedette\"")),
        }
    }

    /// 403: it is known who asks, and they may not.
    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::FORBIDDEN, message: message.into(), header: None }
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, message: "there is nothing here".into(), header: None }
    }

    /// 405: the thing can only be read.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "this can only be read, with GET".into();
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message, header: Some((ALLOW, "GET, HEAD")) }
    }

    /// 503: not now.
    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message: message.into(), header: Some((RETRY_AFTER, "5")) }
    }

    /// 504: it took too long.
    pub(crate) fn timed_out() -> Self {
        let message = "the answer took too long: ask for less time or fewer records".into();
        Self { status: StatusCode::GATEWAY_TIMEOUT, message, header: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        match &error {
            ArchiveError::Invalid { parameter, message } => Self::bad_request(format!("bad `{parameter}`: {message}")),
            ArchiveError::Unavailable { .. } => {
                tracing::warn!(error = %vedette_service::chain(&error), "the archive is unavailable");
                Self::unavailable("the archive is unavailable at the moment")
            }
            ArchiveError::Refused { .. } => {
                tracing::error!(error = %vedette_service::chain(&error), "the archive refuses a query");
                Self {
                    status: StatusCode::BAD_GATEWAY,
                    message: "the archive refused the query: see the console's log".into(),
                    header: None,
                }
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let reason = self.status.canonical_reason().unwrap_or("Error");
        let body = Json(json!({ "code": self.status.as_u16(), "reason": reason, "message": self.message }));
        let mut response = (self.status, body).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
