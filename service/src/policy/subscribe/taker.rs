//! What becomes of a snapshot. No network.

use std::path::PathBuf;

use prost::bytes::Bytes;
use tokio::sync::oneshot;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::subscribe_request::Message;
use vedette_rules::{Diagnostic, Severity};

use super::super::compiler::Compiler;
use super::super::in_force::{InForce, Metrics};
use super::super::state::LastGood;
use super::super::{PolicyError, PolicyWatch};
use crate::chain;
use crate::snapshot::Snapshot;

/// Diagnostics that a refusal carries: a server takes a mebibyte.
const TOLD: usize = 50;
/// The longest text in one, in bytes: a message quotes what it is about.
const TEXT_LIMIT: usize = 2048;

/// Takes snapshots, or refuses them.
pub(super) struct Taker {
    compiler: Compiler,
    store: Option<PathBuf>,
    metrics: Metrics,
    in_force: Option<InForce>,
    refused: Option<Refusal>,
    /// Whoever waits for the first policy.
    pub(super) first: Option<oneshot::Sender<PolicyWatch>>,
    /// Why there is none yet.
    pub(super) why: Option<PolicyError>,
}

/// The last refusal: the same snapshot comes again with each connection.
struct Refusal {
    generation: u64,
    hash: Bytes,
    /// What was said, if it is the documents' fault and so can be said again unseen.
    answer: Option<proto::Refused>,
}

impl Taker {
    /// Starts with what is kept in `store`, if that is of use.
    pub(super) fn start(
        compiler: Compiler,
        store: Option<PathBuf>,
        metrics: Metrics,
    ) -> Result<(Self, Option<PolicyWatch>), PolicyError> {
        let last_good = match &store {
            Some(store) => LastGood::read(store)?,
            None => None,
        };
        let mut taker = Self { compiler, store, metrics, in_force: None, refused: None, first: None, why: None };
        let Some(last_good) = last_good else { return Ok((taker, None)) };
        match taker.compiler.build(&last_good.files, last_good.generation) {
            Ok(built) => {
                let policy = taker.compiler.accept(built);
                let (store, metrics) = (taker.store.clone(), taker.metrics.clone());
                let (in_force, watch) = InForce::new(policy, last_good.hash(), store, metrics);
                taker.in_force = Some(in_force);
                Ok((taker, Some(watch)))
            }
            Err(error) => {
                // They were good for another version of this program.
                taker.compiler.report(&error);
                Ok((taker, None))
            }
        }
    }

    /// The generation and the hash of what is in force; zero and empty, if nothing is.
    pub(super) fn has(&self) -> (u64, Bytes) {
        match &self.in_force {
            Some(in_force) => (in_force.generation(), Bytes::copy_from_slice(in_force.hash().as_bytes())),
            None => (0, Bytes::new()),
        }
    }

    /// Remembers why nothing comes, for whoever waits for the first policy.
    pub(super) fn failed(&mut self, why: PolicyError) {
        // That the rules have errors says more than that the stream then broke.
        let telling = matches!(self.why, Some(PolicyError::Rejected { .. } | PolicyError::Panicked { .. }));
        if self.in_force.is_none() && !telling {
            self.why = Some(why);
        }
    }

    /// Puts a snapshot in force, or refuses it. Returns the answer.
    pub(super) fn take(&mut self, message: proto::Snapshot) -> Message {
        let generation = message.generation;
        if let Some(in_force) = &self.in_force {
            let held = in_force.generation();
            if generation < held {
                let reason = format!("older than generation {held}, which is in force");
                return self.refuse(&message, reason);
            }
            if generation == held && in_force.hash().as_bytes().as_slice() == message.hash.as_ref() {
                in_force.confirm();
                return applied(in_force);
            }
            if generation == held {
                return self.refuse(&message, format!("generation {held} is in force with other documents"));
            }
        }
        let again = self.refused.as_ref().filter(|it| it.generation == generation && it.hash == message.hash);
        if let Some(answer) = again.and_then(|it| it.answer.clone()) {
            return Message::Refused(answer);
        }
        match self.put_in_force(message.clone()) {
            Ok(answer) => answer,
            Err(error) => self.refuse_for(&message, error),
        }
    }

    fn put_in_force(&mut self, message: proto::Snapshot) -> Result<Message, PolicyError> {
        let (snapshot, files) = Snapshot::unpack(message)
            .map_err(|source| PolicyError::Snapshot { path: self.compiler.origin.clone(), source })?;
        let built = self.compiler.build(&files, snapshot.generation())?;
        let policy = self.compiler.accept(built);
        self.refused = None;
        if let Some(in_force) = &mut self.in_force {
            in_force.replace(policy, &files, snapshot.hash());
            return Ok(applied(in_force));
        }
        if let Some(store) = &self.store
            && let Err(error) = LastGood::of(policy.generation, &files).write(store)
        {
            tracing::error!(error = %chain(&error), "could not keep the rules for the next start");
        }
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        metrics.refused(false);
        let (in_force, watch) = InForce::new(policy, snapshot.hash(), store, metrics);
        if let Some(first) = self.first.take() {
            let _ = first.send(watch);
        }
        Ok(applied(self.in_force.insert(in_force)))
    }

    /// For its place in the order of generations.
    fn refuse(&mut self, message: &proto::Snapshot, reason: String) -> Message {
        if self.is_news(message) {
            self.metrics.refuse();
            tracing::warn!(path = %self.compiler.origin.display(), policy.generation = message.generation, reason, "rules are refused");
            self.refused = Some(Refusal { generation: message.generation, hash: message.hash.clone(), answer: None });
        }
        Message::Refused(proto::Refused { generation: message.generation, reason, diagnostics: Vec::new() })
    }

    /// For what stands in it.
    fn refuse_for(&mut self, message: &proto::Snapshot, error: PolicyError) -> Message {
        let reason = match &error {
            PolicyError::Rejected { .. } => "the rules have errors".to_owned(),
            error => chain(error).to_string(),
        };
        let diagnostics = match &error {
            PolicyError::Rejected { diagnostics, .. } => diagnostics.iter().take(TOLD).map(diagnostic).collect(),
            _ => Vec::new(),
        };
        let answer = proto::Refused { generation: message.generation, reason, diagnostics };
        if self.is_news(message) {
            self.metrics.refuse();
            self.compiler.report(&error);
            if let Some(in_force) = &self.in_force {
                tracing::warn!(policy.generation = in_force.generation(), "keeping the rules that are in force");
            }
        }
        // What was damaged on the way may come whole the next time.
        let damaged = matches!(error, PolicyError::Snapshot { .. });
        let (generation, hash) = (message.generation, message.hash.clone());
        self.refused = Some(Refusal { generation, hash, answer: (!damaged).then(|| answer.clone()) });
        self.why = Some(error);
        Message::Refused(answer)
    }

    fn is_news(&self, message: &proto::Snapshot) -> bool {
        self.refused.as_ref().is_none_or(|it| it.generation != message.generation || it.hash != message.hash)
    }
}

fn applied(in_force: &InForce) -> Message {
    Message::Applied(proto::Applied { generation: in_force.generation(), rules: in_force.rules() as u64 })
}

fn diagnostic(it: &Diagnostic) -> proto::Diagnostic {
    let text = |text: &str| text.get(..text.floor_char_boundary(TEXT_LIMIT)).unwrap_or_default().to_owned();
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let severity = match it.severity {
        Severity::Note => proto::diagnostic::Severity::Note,
        Severity::Warning => proto::diagnostic::Severity::Warning,
        Severity::Error => proto::diagnostic::Severity::Error,
    };
    proto::Diagnostic {
        code: it.code.to_owned(),
        severity: severity.into(),
        message: text(&it.message),
        document: text(&it.file),
        field: text(&it.field),
        offset: number(it.offset),
        line: number(it.line),
        column: number(it.column),
        end_line: number(it.end.0),
        end_column: number(it.end.1),
        help: it.help.as_deref().map(text).unwrap_or_default(),
    }
}
