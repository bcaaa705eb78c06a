//! What became of a rule, as the compiler's last verdict says: the same for whoever asks, whatever keeps the resources.

use std::sync::Arc;

use tokio::sync::watch;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_status::State as Stage;
use vedette_service::snapshot::Snapshot;

use super::backend::name_of;
use super::convert;
use super::filter::Seen;
use crate::api::Rule;
use crate::index::{Outcome, State};

/// How many findings a status shows.
const FINDINGS: usize = 100;

/// What is known of the rules in force.
#[derive(Debug, Clone)]
pub struct Verdicts {
    /// What became of the resources.
    pub outcome: watch::Receiver<Option<Arc<Outcome>>>,
    /// What is served.
    pub snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
}

impl Verdicts {
    /// The rule with its status, as a message.
    pub fn message(&self, rule: &Rule) -> proto::Rule {
        let outcome = self.outcome.borrow().clone();
        proto::Rule { status: Some(self.status(rule, outcome.as_deref())), ..convert::message(rule) }
    }

    fn status(&self, rule: &Rule, outcome: Option<&Outcome>) -> proto::RuleStatus {
        let pending = proto::RuleStatus { state: Stage::Pending.into(), ..proto::RuleStatus::default() };
        let verdict = name_of(rule).and_then(|name| outcome?.verdicts.get(&name.key()));
        let Some(verdict) = verdict.filter(|it| Some(it.generation) == rule.metadata.generation) else {
            return pending;
        };
        let stage = match verdict.state {
            State::InForce => Stage::InForce,
            State::LastGood(_) => Stage::LastGoodInForce,
            State::Refused => Stage::Refused,
            State::NotSelected => Stage::NotSelected,
        };
        let held = matches!(verdict.state, State::InForce | State::LastGood(_));
        let generation = self.snapshot.borrow().as_ref().map_or(0, |it| it.generation());
        proto::RuleStatus {
            state: stage.into(),
            rules_in_force: u32::try_from(verdict.rules).unwrap_or(u32::MAX),
            diagnostics: verdict.diagnostics.iter().take(FINDINGS).map(convert::diagnostic).collect(),
            snapshot_generation: if held { generation } else { 0 },
        }
    }

    /// The generation that is served; 0, if none is.
    pub fn generation(&self) -> u64 {
        self.snapshot.borrow().as_ref().map_or(0, |it| it.generation())
    }
}

/// A message as a filter sees it.
pub(super) fn seen(rule: &proto::Rule) -> Seen<'_> {
    let state = rule.status.as_ref().map_or(Stage::Pending, proto::RuleStatus::state);
    let state = state.as_str_name();
    Seen { name: &rule.name, labels: &rule.labels, state }
}
