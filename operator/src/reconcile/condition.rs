//! The conditions that reconciling writes into a `Webhook`'s status. `Accepted` is written by another manager.

use jiff::Timestamp;

use crate::api::{Condition, ConditionStatus, set_condition};

/// Whether the services are as described.
pub const RECONCILED: &str = "Reconciled";
/// Whether an image is not run.
pub const IMAGE_IGNORED: &str = "ImageIgnored";
/// Whether arguments are without effect.
pub const ARGS_IGNORED: &str = "ArgsIgnored";
/// Whether KubeSphere's own events are sent.
pub const KUBESPHERE_AUDITING: &str = "KubeSphereAuditing";

/// The API server takes no more.
const MESSAGE_BYTES: usize = 32 * 1024;

/// What is found out about a `Webhook`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The condition's type.
    pub kind: &'static str,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word why.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
}

impl Finding {
    pub(crate) fn new(
        kind: &'static str,
        status: impl Into<ConditionStatus>,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, status: status.into(), reason, message: message.into() }
    }
}

/// The findings as conditions; what did not change keeps its time of transition from `before`.
pub(crate) fn conditions(
    findings: Vec<Finding>,
    mut before: Vec<Condition>,
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let kinds: Vec<_> = findings.iter().map(|it| it.kind).collect();
    before.retain(|it| kinds.contains(&it.kind.as_str()));
    for Finding { kind, status, reason, mut message } in findings {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        let last_transition_time = whole_seconds(now).to_string();
        let condition = Condition {
            kind: kind.to_owned(),
            status,
            observed_generation: generation,
            last_transition_time,
            reason: reason.to_owned(),
            message,
        };
        set_condition(&mut before, condition);
    }
    before
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
