//! `RuleManagement`: the rules as resources of a gRPC service, in the style of Google's AIPs.
//!
//! It holds nothing. A [`Backend`] keeps the rules (the cluster's `Rule` resources, or the files of a directory) and is asked with every
//! call; what became of them is the [`Outcome`](crate::index::Outcome) of the compiler that everything else in the operator shows too. Who
//! may do what is for the [`Gate`] to say, before anything else is looked at.
//!
//! **Invariants.** A rule with errors is refused before it is written, with all of them. An etag stands for what a person wrote, so that
//! nobody overwrites what they have not seen. Every input and every answer is bounded, and what takes time takes it on threads for that, a
//! few at once.

pub mod access;
mod backend;
mod cluster;
pub mod convert;
pub mod directory;
mod error;
mod filter;
mod names;
mod page;
mod status;
mod trial;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use futures::{Stream, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_management_server::{RuleManagement, RuleManagementServer};
use vedette_rules::SourceFile;

pub use access::Gate;
pub use backend::{Backend, Board, Listed, Part, etag};
pub use cluster::Cluster;
pub use directory::Directory;
pub use error::{DOMAIN, ManageError};
pub use names::RuleName;
pub use status::Verdicts;

use crate::document::Key;
use crate::fleet::Fleet;
use crate::index::Index;
use crate::subscribers::Subscribers;
use access::Deed;
use filter::Filter;

/// The largest message that is taken: what the limits of all calls allow, and room for names.
const REQUEST: usize = trial::INPUT + 1024 * 1024;
/// How many compilations and evaluations run at once, and how many watches.
const TRIALS: usize = 2;
const WATCHES: usize = 64;
/// How much of a page is gathered, in bytes, before it is sent although it holds fewer than were asked for.
const PAGE: usize = 8 * 1024 * 1024;
/// How often the backend is asked for one page: a filter may take little of much.
const ROUNDS: usize = 20;

/// The server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Management {
    parts: Parts,
    trials: Arc<Semaphore>,
    watches: Arc<Semaphore>,
}

/// What a [`Management`] is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What keeps the rules.
    pub backend: Arc<dyn Backend>,
    /// Who may call.
    pub gate: Gate,
    /// What became of the rules.
    pub verdicts: Verdicts,
    /// The resources as they are compiled.
    pub index: Arc<RwLock<Index>>,
    /// Who subscribes here.
    pub subscribers: Subscribers,
    /// And at other operators.
    pub fleet: Fleet,
    /// Ends watches.
    pub shutdown: CancellationToken,
}

impl Management {
    /// Of its parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts, trials: Arc::new(Semaphore::new(TRIALS)), watches: Arc::new(Semaphore::new(WATCHES)) }
    }

    /// As a service among others.
    pub fn server(self) -> RuleManagementServer<Self> {
        RuleManagementServer::new(self).max_decoding_message_size(REQUEST)
    }

    /// Does `work` where it may take its time.
    async fn trial<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ManageError> + Send + 'static,
    ) -> Result<T, ManageError> {
        let failed = |source| ManageError::Internal { what: "the compiler failed".to_owned(), source };
        let permit = Arc::clone(&self.trials).acquire_owned().await.map_err(|error| failed(Some(error.into())))?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(|error| failed(Some(error.into())))?
    }

    /// What other resources stand, once they are known.
    fn standing(&self) -> Result<BTreeMap<Key, SourceFile>, ManageError> {
        self.known()?;
        Ok(self.parts.index.read().unwrap_or_else(PoisonError::into_inner).standing())
    }

    fn in_force(&self) -> Result<Vec<SourceFile>, ManageError> {
        Ok(self.known()?.documents.clone())
    }

    fn known(&self) -> Result<Arc<crate::index::Outcome>, ManageError> {
        let known = self.parts.verdicts.outcome.borrow().clone();
        known.ok_or_else(|| ManageError::Unavailable {
            what: "the rules are not known yet: the operator has just started".to_owned(),
            source: None,
        })
    }

    async fn page(&self, request: &proto::ListRulesRequest) -> Result<proto::ListRulesResponse, ManageError> {
        let namespace = names::parent(&request.parent)?;
        let filter = Filter::parse(&request.filter)?;
        let size = page::size(request.page_size)?;
        let list = [request.parent.as_str(), request.filter.as_str()];
        let mut after = page::place(&list, &request.page_token)?;
        let mut rules = Vec::new();
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let part = Part { namespace: namespace.clone(), limit: size - rules.len(), after };
            let listed = self.parts.backend.list(part).await?;
            after = listed.next;
            for rule in &listed.rules {
                let message = self.parts.verdicts.message(rule);
                if filter.takes(status::seen(&message)) {
                    bytes += prost::Message::encoded_len(&message);
                    rules.push(message);
                }
            }
            if after.is_none() || rules.len() >= size || bytes > PAGE {
                break;
            }
        }
        let next_page_token = after.map(|place| page::token(&list, &place)).unwrap_or_default();
        Ok(proto::ListRulesResponse { rules, next_page_token })
    }

    fn evaluators(&self, request: &proto::ListEvaluatorsRequest) -> Result<proto::ListEvaluatorsResponse, ManageError> {
        let size = page::size(request.page_size)?;
        let after = page::place(&["evaluators"], &request.page_token)?;
        let of = |it: &proto::Evaluator| format!("{}/{}", it.service, it.name);
        let mut all: Vec<_> = self.parts.fleet.all(&self.parts.subscribers).into_iter().map(evaluator).collect();
        all.sort_by_key(of);
        let mut evaluators: Vec<_> =
            all.into_iter().filter(|it| after.as_ref().is_none_or(|after| of(it) > *after)).take(size + 1).collect();
        let more = evaluators.len() > size;
        evaluators.truncate(size);
        let last = evaluators.last().filter(|_| more);
        let next_page_token = last.map(|it| page::token(&["evaluators"], &of(it))).unwrap_or_default();
        Ok(proto::ListEvaluatorsResponse { evaluators, next_page_token, generation: self.parts.verdicts.generation() })
    }
}

fn evaluator(of: crate::subscribers::Subscriber) -> proto::Evaluator {
    proto::Evaluator {
        name: of.name,
        service: of.service,
        version: of.version,
        generation: of.generation,
        rules: of.rules,
        behind_since: of.behind_since_ms.map(convert::timestamp),
        last_error: of.last_error,
        connect_time: Some(convert::timestamp(of.connected_ms)),
    }
}

/// What calls that look across all rules need: they say what is in force anywhere.
const EVERYWHERE: Deed<'static> = Deed { verb: "list", namespace: None, name: None };

/// What a watch does all the time that it runs.
fn watching(namespace: Option<&str>) -> [Deed<'_>; 2] {
    ["list", "watch"].map(|verb| Deed { verb, namespace, name: None })
}

#[tonic::async_trait]
impl RuleManagement for Management {
    type WatchRulesStream = Pin<Box<dyn Stream<Item = Result<proto::RuleChange, Status>> + Send>>;

    async fn list_rules(
        &self,
        request: Request<proto::ListRulesRequest>,
    ) -> Result<Response<proto::ListRulesResponse>, Status> {
        let namespace = names::parent(&request.get_ref().parent)?;
        let deed = Deed { verb: "list", namespace: namespace.as_deref(), name: None };
        self.parts.gate.pass(&request, &[deed]).await?;
        Ok(Response::new(self.page(request.get_ref()).await?))
    }

    async fn get_rule(&self, request: Request<proto::GetRuleRequest>) -> Result<Response<proto::Rule>, Status> {
        let name = RuleName::parse("name", &request.get_ref().name)?;
        self.parts.gate.pass(&request, &[write::deed("get", &name)]).await?;
        let rule = self.parts.backend.get(&name).await?;
        Ok(Response::new(self.parts.verdicts.message(&rule)))
    }

    async fn create_rule(&self, request: Request<proto::CreateRuleRequest>) -> Result<Response<proto::Rule>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn update_rule(&self, request: Request<proto::UpdateRuleRequest>) -> Result<Response<proto::Rule>, Status> {
        Ok(Response::new(self.update(request).await?))
    }

    async fn delete_rule(&self, request: Request<proto::DeleteRuleRequest>) -> Result<Response<()>, Status> {
        self.delete(request).await?;
        Ok(Response::new(()))
    }

    async fn validate_rules(
        &self,
        request: Request<proto::ValidateRulesRequest>,
    ) -> Result<Response<proto::ValidateRulesResponse>, Status> {
        self.parts.gate.pass(&request, &[EVERYWHERE]).await?;
        let files = trial::files(request.into_inner().documents)?;
        let standing = self.standing()?;
        Ok(Response::new(self.trial(move || Ok(trial::validate(standing, files))).await?))
    }

    async fn evaluate_rules(
        &self,
        request: Request<proto::EvaluateRulesRequest>,
    ) -> Result<Response<proto::EvaluateRulesResponse>, Status> {
        self.parts.gate.pass(&request, &[EVERYWHERE]).await?;
        let mut request = request.into_inner();
        let given = trial::files(std::mem::take(&mut request.documents))?;
        let in_force = self.in_force()?;
        let work = move || {
            let files = if given.is_empty() { in_force } else { trial::with_settings(given, &in_force) };
            trial::evaluate(&files, &request)
        };
        Ok(Response::new(self.trial(work).await?))
    }

    async fn watch_rules(
        &self,
        request: Request<proto::WatchRulesRequest>,
    ) -> Result<Response<Self::WatchRulesStream>, Status> {
        let namespace = names::parent(&request.get_ref().parent)?;
        let filter = Filter::parse(&request.get_ref().filter)?;
        self.parts.gate.pass(&request, &watching(namespace.as_deref())).await?;
        let permit = Arc::clone(&self.watches).try_acquire_owned();
        let permit =
            permit.map_err(|_| ManageError::Exhausted(format!("{WATCHES} watches are open at this operator")))?;
        let (board, verdicts) = (self.parts.backend.follow(), self.parts.verdicts.clone());
        let (sender, changes) = mpsc::channel(16);
        let looking = watch::Watch { namespace: namespace.clone(), filter, board, verdicts, permit };
        let (shutdown, gate) = (self.parts.shutdown.clone(), self.parts.gate.clone());
        tokio::spawn(async move {
            let last = sender.clone();
            let deeds = watching(namespace.as_deref());
            let ended = tokio::select! {
                () = shutdown.cancelled() => {
                    let stopping = "this operator is stopping: connect again".to_owned();
                    ManageError::Unavailable { what: stopping, source: None }
                }
                refused = gate.refused(&request, &deeds) => refused,
                () = looking.run(sender) => return,
            };
            let _ = last.send(Err(ended.into())).await;
        });
        Ok(Response::new(ReceiverStream::new(changes).boxed()))
    }

    async fn list_evaluators(
        &self,
        request: Request<proto::ListEvaluatorsRequest>,
    ) -> Result<Response<proto::ListEvaluatorsResponse>, Status> {
        self.parts.gate.pass(&request, &[EVERYWHERE]).await?;
        Ok(Response::new(self.evaluators(request.get_ref())?))
    }
}
