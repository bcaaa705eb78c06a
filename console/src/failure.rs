//! What a client is told when it gets no answer.
//!
//! The message is written for it and names what it can change. What went wrong inside (an engine's error, an address, a
//! path) goes to the log alone, once, where the failure is made.

use std::borrow::Cow;
use std::fmt;

use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_archive::ArchiveError;

use crate::api::Diagnostic;
use crate::pager::End;
use crate::search::SearchError;

/// A refusal or a failure.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    problem: Box<Problem>,
    header: Option<(HeaderName, &'static str)>,
}

/// Why there is no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub code: u16,
    /// The same in words.
    pub reason: String,
    /// What is wrong, and what can be done; for people.
    pub message: String,
    /// The parameter that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The place in the parameter that is wrong: the first byte, and the one after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<usize>>)]
    pub place: Option<(usize, usize)>,
    /// What may be meant instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What the compiler says, where it refuses rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let problem = Problem {
            code: status.as_u16(),
            reason: status.canonical_reason().unwrap_or("Error").to_owned(),
            message: message.into().into_owned(),
            ..Problem::default()
        };
        Self { status, problem: Box::new(problem), header: None }
    }

    /// With the parameter, or the field of the body, that is wrong.
    pub(crate) fn about(mut self, parameter: impl Into<String>) -> Self {
        self.problem.parameter = Some(parameter.into());
        self
    }

    /// With what the compiler says.
    pub(crate) fn with_diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.problem.diagnostics = diagnostics;
        self
    }

    fn with(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// 400: the question is wrong.
    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400: a parameter is wrong; the message says what is allowed.
    pub(crate) fn bad(parameter: impl Into<String>, message: impl fmt::Display) -> Self {
        let parameter = parameter.into();
        Self::bad_request(format!("bad `{parameter}`: {message}")).about(parameter)
    }

    /// 401: nobody knows who asks.
    pub(crate) fn unauthorised(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message).with(WWW_AUTHENTICATE, "Bearer realm=\"vedette\"")
    }

    /// 403: it is known who asks, and they may not.
    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here")
    }

    /// 404: there is no such event, or it is not for the caller to see, which is not told apart.
    pub(crate) fn no_event() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no event of this id is kept, or it is not yours to see")
    }

    /// 404: there is no such dead letter.
    pub(crate) fn no_letter() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no dead letter of this sequence, or it was dealt with already")
    }

    /// 409: the thing is not in a state for this.
    pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 404: rules are not managed here.
    pub(crate) fn no_management() -> Self {
        let message = "rules are not managed here: the console's setting `management` names no operator";
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 405: the thing can't be done here.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "this can't be done here: docs/api/openapi.json says what can";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message).with(ALLOW, "GET, HEAD")
    }

    /// 500: what is kept is broken.
    pub(crate) fn broken(message: &'static str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// 503: not now.
    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).with(RETRY_AFTER, "5")
    }

    /// 504: it took too long.
    pub(crate) fn timed_out() -> Self {
        let message = "the answer took too long: ask for less time or fewer records";
        Self::new(StatusCode::GATEWAY_TIMEOUT, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.problem.message)
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        match &error {
            ArchiveError::Invalid { parameter, message } => Self::bad(*parameter, message),
            ArchiveError::Unavailable { .. } => {
                tracing::warn!(error = %vedette_service::chain(&error), "the archive is unavailable");
                Self::unavailable("the archive is unavailable at the moment")
            }
            ArchiveError::Refused { .. } => {
                tracing::error!(error = %vedette_service::chain(&error), "the archive refuses a query");
                Self::new(StatusCode::BAD_GATEWAY, "the archive refused the query: see the console's log")
            }
        }
    }
}

impl From<SearchError> for Failure {
    fn from(error: SearchError) -> Self {
        let mut failure = Self::bad("q", &error);
        failure.problem.place = Some((error.start, error.end));
        failure.problem.help = error.help;
        failure
    }
}

impl From<End> for Failure {
    fn from(end: End) -> Self {
        match end {
            End::Archive(error) => error.into(),
            End::Slow => Self::timed_out(),
            End::Failed(failure) => failure,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
