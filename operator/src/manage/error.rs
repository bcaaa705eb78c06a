//! Why a call is refused, and how that travels: a canonical code, one sentence, and `google.rpc` details for programs.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use vedette_rules::Diagnostic;

use super::names::RuleName;
use crate::reconcile::said;

/// The domain of the reasons.
pub const DOMAIN: &str = "vedette.io";
/// How many violations an answer names.
const VIOLATIONS: usize = 100;

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// Fields of the request are wrong.
    #[error("{}", invalid(.0))]
    Invalid(Vec<Violation>),
    /// The compiler does not take the rule.
    #[error("{}", broken(.0))]
    Broken(Vec<Diagnostic>),
    /// There is no such rule.
    #[error("there is no {0}")]
    NotFound(RuleName),
    /// There is no such namespace.
    #[error("there is no namespace `{0}`")]
    NoNamespace(String),
    /// It is there already.
    #[error("{0} is there already")]
    Exists(RuleName),
    /// The caller has seen another version than the present one.
    #[error("{name} has changed since: its etag is `{current}`, not `{given}`")]
    Etag {
        /// Which rule.
        name: RuleName,
        /// What the caller gave.
        given: String,
        /// What it is.
        current: String,
    },
    /// Somebody else wrote at the same time.
    #[error("{0} is being changed by others: try again")]
    Contended(RuleName),
    /// It can't be done as things are.
    #[error("{message}")]
    Precondition {
        /// One word.
        reason: &'static str,
        /// One sentence.
        message: String,
    },
    /// Nobody has said who calls.
    #[error("{0}")]
    Unauthenticated(String),
    /// The caller may not.
    #[error(transparent)]
    Denied(Box<Denied>),
    /// The answer would be too large, or too much is going on.
    #[error("{0}")]
    Exhausted(String),
    /// The rules, or the apiserver, can't be asked now.
    #[error("{what}")]
    Unavailable {
        /// What can't be done now.
        what: String,
        /// Why.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A mistake of ours.
    #[error("{what}")]
    Internal {
        /// What failed.
        what: String,
        /// Why.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// What a caller may not do.
#[derive(Debug, thiserror::Error)]
#[error("user \"{user}\" may not {verb} rules.auditing.kubesphere.io{}{}", place(namespace), because(why))]
pub struct Denied {
    /// Who.
    pub user: String,
    /// What it wants to do.
    pub verb: &'static str,
    /// Where; in all namespaces, if nothing is said.
    pub namespace: Option<String>,
    /// What the authoriser says.
    pub why: String,
}

/// A field of the request, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its path, as `rule.entries[3].rule.condition`.
    pub field: String,
    /// One sentence.
    pub what: String,
}

impl Violation {
    /// About `field`.
    pub fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self { field: field.into(), what: what.into() }
    }
}

impl ManageError {
    /// One field is wrong.
    pub fn invalid(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, what)])
    }

    /// The canonical code and the reason.
    fn code(&self) -> (Code, &'static str) {
        match self {
            Self::Invalid(_) => (Code::InvalidArgument, "INVALID_FIELD"),
            Self::Broken(_) => (Code::InvalidArgument, "BROKEN_RULE"),
            Self::NotFound(_) => (Code::NotFound, "RULE_NOT_FOUND"),
            Self::NoNamespace(_) => (Code::NotFound, "NAMESPACE_NOT_FOUND"),
            Self::Exists(_) => (Code::AlreadyExists, "RULE_EXISTS"),
            Self::Etag { .. } => (Code::Aborted, "ETAG_MISMATCH"),
            Self::Contended(_) => (Code::Aborted, "CONTENDED"),
            Self::Precondition { reason, .. } => (Code::FailedPrecondition, reason),
            Self::Unauthenticated(_) => (Code::Unauthenticated, "UNAUTHENTICATED"),
            Self::Denied(_) => (Code::PermissionDenied, "ACCESS_DENIED"),
            Self::Exhausted(_) => (Code::ResourceExhausted, "LIMIT"),
            Self::Unavailable { .. } => (Code::Unavailable, "UNAVAILABLE"),
            Self::Internal { .. } => (Code::Internal, "INTERNAL"),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Etag { name, given, current } => {
                vec![("name", name.to_string()), ("etag", current.clone()), ("given", given.clone())]
            }
            Self::Denied(denied) => vec![
                ("user", denied.user.clone()),
                ("verb", denied.verb.to_owned()),
                ("resource", "rules.auditing.kubesphere.io".to_owned()),
                ("namespace", denied.namespace.clone().unwrap_or_default()),
            ],
            _ => Vec::new(),
        }
    }
}

impl From<ManageError> for Status {
    fn from(error: ManageError) -> Self {
        let (code, reason) = error.code();
        let metadata: Vec<(String, String)> =
            error.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::with_error_info(
            reason,
            DOMAIN,
            metadata.into_iter().collect::<std::collections::HashMap<_, _>>(),
        );
        match &error {
            ManageError::Invalid(violations) => {
                let all = violations.iter().take(VIOLATIONS).map(|it| FieldViolation::new(&it.field, &it.what));
                details.set_bad_request(all.collect::<Vec<_>>());
            }
            ManageError::Broken(findings) => {
                let errors = findings.iter().filter(|it| it.is_error()).take(VIOLATIONS);
                details.set_bad_request(errors.map(violation).collect::<Vec<_>>());
            }
            ManageError::NotFound(name) | ManageError::Exists(name) => {
                details.set_resource_info("vedette.rules.v1/Rule", name.to_string(), "", error.to_string());
            }
            ManageError::NoNamespace(name) => {
                details.set_resource_info("v1/Namespace", format!("namespaces/{name}"), "", error.to_string());
            }
            // What lies behind it is the operator's business, and is written down here once.
            ManageError::Internal { .. } => tracing::error!(error = said(&error), "a call failed"),
            ManageError::Unavailable { .. } => tracing::warn!(error = said(&error), "a call could not be answered"),
            _ => {}
        }
        Self::with_error_details(code, error.to_string(), details)
    }
}

fn violation(found: &Diagnostic) -> FieldViolation {
    let mut text = format!("{}[{}]: {}", found.severity, found.code, found.message);
    if found.offset > 0 {
        text = format!("character {}: {text}", found.offset + 1);
    }
    if let Some(help) = &found.help {
        text = format!("{text}; {help}");
    }
    FieldViolation { reason: found.code.to_owned(), ..FieldViolation::new(field(&found.field), text) }
}

/// The field of the request for one of the resource: `rule.entries[3].rule.condition` for `spec.rules[3].condition`.
pub(super) fn field(of_resource: &str) -> String {
    if let Some(rest) = of_resource.strip_prefix("metadata.") {
        return format!("rule.{rest}");
    }
    let Some(rest) = of_resource.strip_prefix("spec.rules") else { return format!("rule.{of_resource}") };
    let (place, inner) = rest.split_once('.').unwrap_or((rest, ""));
    let word = inner.split(['.', '[']).next().unwrap_or_default();
    match word {
        "" => format!("rule.entries{place}"),
        "condition" | "exceptions" | "output" | "priority" | "enable" => format!("rule.entries{place}.rule.{inner}"),
        "list" => format!("rule.entries{place}.list.{}", inner.replacen("list", "values", 1)),
        _ => format!("rule.entries{place}.{inner}"),
    }
}

fn invalid(violations: &[Violation]) -> String {
    match violations {
        [] => "the request is invalid".to_owned(),
        [only] => format!("`{}`: {}", only.field, only.what),
        [first, rest @ ..] => format!("`{}`: {}; and {} more", first.field, first.what, rest.len()),
    }
}

fn broken(findings: &[Diagnostic]) -> String {
    let errors: Vec<_> = findings.iter().filter(|it| it.is_error()).collect();
    let first = errors
        .first()
        .map_or_else(String::new, |it| format!("`{}`: {}[{}]: {}", field(&it.field), it.severity, it.code, it.message));
    match errors.len() {
        0 | 1 => format!("the rule has an error: {first}"),
        count => format!("the rule has {count} errors; the first: {first}"),
    }
}

fn place(namespace: &Option<String>) -> String {
    namespace.as_ref().map_or_else(|| " in all namespaces".to_owned(), |it| format!(" in namespace \"{it}\""))
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_field_of_the_resource_is_one_of_the_request() {
        for (resource, request) in [
            ("spec.rules[3].condition", "rule.entries[3].rule.condition"),
            ("spec.rules[0].exceptions[1]", "rule.entries[0].rule.exceptions[1]"),
            ("spec.rules[0].list[2]", "rule.entries[0].list.values[2]"),
            ("spec.rules[0].macro", "rule.entries[0].macro"),
            ("spec.rules[7]", "rule.entries[7]"),
            ("metadata.labels.type", "rule.labels.type"),
        ] {
            assert_eq!(field(resource), request);
        }
    }
}
