//! What the operator says when it refuses a call, as an answer over HTTP.
//!
//! Only what an operator of ours says reaches the caller; what a connection says when it breaks goes to the log.

use axum::http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::api::{Diagnostic, Severity};
use crate::failure::Failure;

/// The domain of an operator's reasons.
const DOMAIN: &str = "vedette.io";
/// The reason for which a rule is refused that does not compile.
const BROKEN: &str = "BROKEN_RULE";

/// A call that was refused, or failed.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: Box<Status>,
    details: Box<ErrorDetails>,
}

impl Refusal {
    /// Whether there is no such rule.
    pub(crate) fn is_not_found(&self) -> bool {
        self.status.code() == Code::NotFound
    }

    /// Whether a rule does not compile.
    pub(crate) fn is_broken(&self) -> bool {
        self.reason() == Some(BROKEN)
    }

    /// Whether this field of the request is to blame.
    pub(crate) fn is_about(&self, field: &str) -> bool {
        self.status.code() == Code::InvalidArgument && self.field() == Some(field)
    }

    fn reason(&self) -> Option<&str> {
        let info = self.details.error_info().filter(|info| info.domain == DOMAIN)?;
        Some(info.reason.as_str())
    }

    fn field(&self) -> Option<&str> {
        let request = self.details.bad_request()?;
        request.field_violations.first().map(|violation| violation.field.as_str())
    }

    /// What the compiler says, as far as it is in the answer: its code and its words, and the field.
    fn diagnostics(&self) -> Vec<Diagnostic> {
        let violations = self.details.bad_request().map(|it| it.field_violations.as_slice()).unwrap_or_default();
        let found = violations.iter().filter(|it| !it.reason.is_empty());
        let diagnostic = |it: &tonic_types::FieldViolation| Diagnostic {
            severity: Severity::Error,
            code: it.reason.clone(),
            message: it.description.clone(),
            path: Some(it.field.clone()),
            ..Diagnostic::default()
        };
        found.map(diagnostic).collect()
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let details = Box::new(status.get_error_details());
        Self { status: Box::new(status), details }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (code, message) = (refusal.status.code(), refusal.status.message().to_owned());
        if refusal.reason().is_none() {
            return unknown(&refusal.status);
        }
        match code {
            Code::InvalidArgument => {
                let diagnostics = refusal.diagnostics();
                match refusal.field() {
                    Some(field) if !refusal.is_broken() => Self::new(StatusCode::BAD_REQUEST, message).about(field),
                    _ => Self::new(StatusCode::BAD_REQUEST, message).with_diagnostics(diagnostics),
                }
            }
            // They are known here all the same: a 401 would end a session in which nothing else is wrong.
            Code::Unauthenticated => Self::forbidden(format!("the operator does not know you: {message}")),
            Code::PermissionDenied => Self::forbidden(message),
            Code::NotFound => Self::new(StatusCode::NOT_FOUND, message),
            Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => Self::new(StatusCode::CONFLICT, message),
            Code::ResourceExhausted => Self::new(StatusCode::TOO_MANY_REQUESTS, message),
            Code::Unavailable => Self::unavailable(message),
            _ => unknown(&refusal.status),
        }
    }
}

/// What no operator of ours has said, or what it says of its own mistakes.
fn unknown(status: &Status) -> Failure {
    tracing::warn!(code = ?status.code(), message = status.message(), "a call to the operator failed");
    match status.code() {
        Code::Unavailable | Code::Cancelled => {
            Failure::unavailable("rule management is unavailable at the moment: the operator does not answer")
        }
        Code::DeadlineExceeded => Failure::timed_out(),
        Code::Unimplemented => {
            let message = "what `management.url` names is no operator, or one of another version";
            Failure::new(StatusCode::BAD_GATEWAY, message)
        }
        _ => Failure::new(StatusCode::BAD_GATEWAY, "rule management failed: see the console's log"),
    }
}
