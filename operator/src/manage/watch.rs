//! Watching rules: what a watcher was told is compared with what is, so that one that reads slowly misses states in between and
//! never the last one, and costs no more than its own list of what it knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tonic::Status;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_change::Change;

use super::backend::Board;
use super::filter::Filter;
use super::names::RuleName;
use super::status::{Verdicts, seen};
use crate::api::Rule;

/// How long changes are gathered.
const QUIET: Duration = Duration::from_millis(50);

/// A call of `WatchRules`.
pub(super) struct Watch {
    pub(super) namespace: Option<String>,
    pub(super) filter: Filter,
    pub(super) board: watch::Receiver<Board>,
    pub(super) verdicts: Verdicts,
    /// Given back at the end.
    pub(super) permit: OwnedSemaphorePermit,
}

type Sender = mpsc::Sender<Result<proto::RuleChange, Status>>;

impl Watch {
    /// Tells what is and what changes, until nobody listens or nothing is known any more.
    pub(super) async fn run(mut self, sender: Sender) {
        // Of what was told, what it was.
        let mut told: BTreeMap<RuleName, blake3::Hash> = BTreeMap::new();
        let mut complete = false;
        let _permit = &self.permit;
        loop {
            let board = self.board.borrow_and_update().clone();
            self.verdicts.outcome.mark_unchanged();
            if let Some(board) = board {
                if !self.tell(&board, &mut told, &sender).await {
                    return;
                }
                if !complete {
                    complete = true;
                    if !send(&sender, Change::Complete(true)).await {
                        return;
                    }
                }
            }
            tokio::select! {
                () = sender.closed() => return,
                changed = self.board.changed() => if changed.is_err() { return },
                changed = self.verdicts.outcome.changed() => if changed.is_err() { return },
            }
            tokio::time::sleep(QUIET).await;
        }
    }

    /// Whether somebody still listens.
    async fn tell(
        &self,
        board: &BTreeMap<RuleName, Arc<Rule>>,
        told: &mut BTreeMap<RuleName, blake3::Hash>,
        sender: &Sender,
    ) -> bool {
        let mut gone = std::mem::take(told);
        for (name, rule) in board {
            if self.namespace.as_ref().is_some_and(|it| *it != name.namespace) {
                continue;
            }
            let message = self.verdicts.message(rule);
            if !self.filter.takes(seen(&message)) {
                continue;
            }
            let now = hash(&message);
            if gone.remove(name) != Some(now) && !send(sender, Change::Set(message)).await {
                return false;
            }
            told.insert(name.clone(), now);
        }
        for name in gone.into_keys() {
            if !send(sender, Change::Removed(name.to_string())).await {
                return false;
            }
        }
        true
    }
}

/// Of everything that can change, except the number of the snapshot, which does so with every rule.
fn hash(message: &proto::Rule) -> blake3::Hash {
    let mut message = message.clone();
    if let Some(status) = &mut message.status {
        status.snapshot_generation = 0;
    }
    blake3::hash(&prost::Message::encode_to_vec(&message))
}

async fn send(sender: &Sender, change: Change) -> bool {
    sender.send(Ok(proto::RuleChange { change: Some(change) })).await.is_ok()
}
