//! What a resource's status says: the compiler's verdict and who has it in force, as conditions.
//!
//! Pure: the same verdict and the same subscribers give the same status; a condition's time of transition stays where its status
//! stayed.

use vedette_rules::{Diagnostic, Severity, codes};

use crate::api::{Condition, ConditionStatus, RuleStatus, StatusDiagnostic, WebhookStatus, set_condition};
use crate::index::{State, Verdict};

/// How many findings a status shows.
const FINDINGS: usize = 100;

/// What is known about a resource beside its verdict.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Now, RFC 3339.
    pub now: &'a str,
    /// The generation of the snapshot since which the version in force is; `None` before the first.
    pub since: Option<u64>,
    /// How many evaluators are connected, and how many have that generation.
    pub evaluators: (usize, usize),
    /// Why the present version can't be read, if it can't.
    pub unreadable: Option<&'a str>,
}

/// The status of a `Rule`, given the one that it has.
pub fn rule(verdict: &Verdict, around: &Circumstances<'_>, before: &RuleStatus) -> RuleStatus {
    let mut conditions = before.conditions.clone();
    set_condition(&mut conditions, accepted(verdict, around));
    set_condition(&mut conditions, distributed(verdict, around));
    RuleStatus {
        observed_generation: verdict.generation,
        snapshot_generation: around.since.and_then(|it| i64::try_from(it).ok()),
        rules_in_force: i32::try_from(verdict.rules).unwrap_or(i32::MAX),
        last_good_generation: match verdict.state {
            State::LastGood(generation) => Some(generation),
            _ => None,
        },
        conditions,
        diagnostics: findings(&verdict.diagnostics),
    }
}

/// The status of a `Webhook`: what is ours of it.
pub fn webhook(verdict: &Verdict, around: &Circumstances<'_>, before: &WebhookStatus) -> WebhookStatus {
    // The conditions of others are theirs to apply.
    let ours = |it: &&Condition| matches!(it.kind.as_str(), "Accepted" | "Distributed" | "RulesSelected");
    let mut conditions: Vec<_> = before.conditions.iter().filter(ours).cloned().collect();
    set_condition(&mut conditions, accepted(verdict, around));
    set_condition(&mut conditions, distributed(verdict, around));
    let idle: Vec<_> = verdict.diagnostics.iter().filter(|it| it.code == codes::SELECTS_NOTHING.id).collect();
    let (status, reason, message) = match verdict.state {
        // What a version with errors would select nobody has looked at.
        State::Refused | State::LastGood(_) => {
            (ConditionStatus::Unknown, "NotAccepted", "what it selects is not known: it has errors".to_owned())
        }
        _ if idle.is_empty() => {
            (ConditionStatus::True, "Selected", "every selector takes at least one `Rule`".to_owned())
        }
        _ => {
            let fields: Vec<_> = idle.iter().map(|it| format!("`{}`", it.field)).collect();
            let message = format!("{} takes no `Rule`: check the labels", fields.join(" and "));
            (ConditionStatus::False, "SelectsNothing", message)
        }
    };
    set_condition(&mut conditions, condition("RulesSelected", status, reason, message, verdict, around));
    WebhookStatus {
        observed_generation: verdict.generation,
        snapshot_generation: around.since.and_then(|it| i64::try_from(it).ok()),
        conditions,
    }
}

/// The verdict about a version that can't even be read, given the one about the version before it, if there is one that could.
pub fn unread(generation: i64, before: Option<&Verdict>) -> Verdict {
    let state = match before.map(|it| (it.state, it.generation)) {
        Some((State::InForce, good) | (State::LastGood(good), _)) => State::LastGood(good),
        Some((State::Refused | State::NotSelected, _)) | None => State::Refused,
    };
    let rules = before.map_or(0, |it| it.rules);
    let name = before.map(|it| it.name.clone()).unwrap_or_default();
    Verdict { name, generation, state, rules, diagnostics: Vec::new(), leans_on: Vec::new() }
}

fn accepted(verdict: &Verdict, around: &Circumstances<'_>) -> Condition {
    if let Some(error) = around.unreadable {
        let stays = match verdict.state {
            State::LastGood(generation) => format!("generation {generation} stays in force"),
            _ => "nothing of it is in force".to_owned(),
        };
        let message = format!("the resource can't be read: {error}; {stays}");
        return condition("Accepted", ConditionStatus::False, "Unreadable", message, verdict, around);
    }
    let errors = verdict.diagnostics.iter().filter(|it| it.is_error()).count();
    let first = verdict.diagnostics.iter().find(|it| it.is_error());
    let why = match first {
        Some(first) if first.file == verdict.name => format!("{}: {}", count(errors), sentence(first)),
        // Good by itself.
        Some(first) => format!("with it, {} would be wrong: {}", first.file, sentence(first)),
        None => "it does not go together with the other resources".to_owned(),
    };
    let (holds, reason, message) = match verdict.state {
        State::InForce => {
            let mut message = match verdict.rules {
                1 => "1 rule is in force".to_owned(),
                rules => format!("{rules} rules are in force"),
            };
            for gone in &verdict.leans_on {
                message += &format!("; it still uses `{}`, which was deleted", gone.document());
            }
            (true, "InForce", message)
        }
        State::NotSelected => {
            let why = verdict.diagnostics.iter().find(|it| it.code == codes::NOT_SELECTED.id);
            let why = why.map_or_else(|| "only `kube-auditing-webhook` is in force".to_owned(), sentence);
            (true, "NotSelected", why)
        }
        State::LastGood(generation) => {
            let message = format!("{why}; generation {generation} stays in force");
            (false, "LastGoodInForce", message)
        }
        State::Refused => (false, "Refused", format!("{why}; nothing of it is in force")),
    };
    condition("Accepted", holds.into(), reason, message, verdict, around)
}

fn count(errors: usize) -> String {
    if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") }
}

fn sentence(found: &Diagnostic) -> String {
    let Diagnostic { field, code, message, .. } = found;
    if field.is_empty() { format!("{code}: {message}") } else { format!("{code} in {field}: {message}") }
}

fn distributed(verdict: &Verdict, around: &Circumstances<'_>) -> Condition {
    let (total, have) = around.evaluators;
    let (status, reason, message) = match verdict.state {
        State::Refused | State::NotSelected => {
            (ConditionStatus::Unknown, "NotInForce", "there is nothing to distribute".to_owned())
        }
        _ if around.since.is_none() => (ConditionStatus::Unknown, "Pending", "not in force anywhere yet".to_owned()),
        _ if total == 0 => (ConditionStatus::Unknown, "NoEvaluators", "no evaluator is connected".to_owned()),
        State::LastGood(_) => {
            let message = format!("the last good version is in force on {have} of {total} evaluators");
            ((have >= total).into(), "LastGood", message)
        }
        _ if have < total => (ConditionStatus::False, "Pending", format!("in force on {have} of {total} evaluators")),
        _ => (ConditionStatus::True, "Everywhere", format!("in force on {have} of {total} evaluators")),
    };
    condition("Distributed", status, reason, message, verdict, around)
}

fn condition(
    kind: &str,
    status: ConditionStatus,
    reason: &str,
    message: String,
    verdict: &Verdict,
    around: &Circumstances<'_>,
) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status,
        observed_generation: verdict.generation,
        last_transition_time: around.now.to_owned(),
        reason: reason.to_owned(),
        message,
    }
}

fn findings(diagnostics: &[Diagnostic]) -> Vec<StatusDiagnostic> {
    let mut sorted: Vec<_> = diagnostics.iter().collect();
    sorted.sort_by_key(|it| std::cmp::Reverse(it.severity));
    sorted.into_iter().take(FINDINGS).map(finding).collect()
}

/// A finding as a status shows it.
pub fn finding(diagnostic: &Diagnostic) -> StatusDiagnostic {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    StatusDiagnostic {
        code: diagnostic.code.to_owned(),
        severity: severity.to_owned(),
        message: diagnostic.message.clone(),
        field: diagnostic.field.clone(),
        offset: i32::try_from(diagnostic.offset).unwrap_or(i32::MAX),
        help: diagnostic.help.clone(),
    }
}

#[cfg(test)]
mod tests;
