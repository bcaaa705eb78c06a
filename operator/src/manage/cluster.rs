//! The rules of a cluster: its `Rule` resources, read from and written to the apiserver itself, so that whoever has written reads
//! what it wrote, and the resources stay the truth.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt, TryStreamExt};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams, Preconditions};
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backend::{Backend, Board, Listed, Part, name_of};
use super::error::{ManageError, Violation, field};
use super::names::RuleName;
use crate::api::Rule;
use crate::reconcile::said;

/// Whom `metadata.managedFields` names for what is written here.
const MANAGER: &str = "vedette-management";
/// How many resources are asked for at once: each may have a megabyte.
const CHUNK: usize = 50;

/// The `Rule` resources of a cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    board: Arc<Mutex<Option<watch::Sender<Board>>>>,
    shutdown: CancellationToken,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// Of the cluster that `client` speaks to.
    pub fn new(client: Client, shutdown: CancellationToken) -> Self {
        Self { client, board: Arc::default(), shutdown }
    }

    fn api(&self, namespace: &str) -> Api<Rule> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

#[tonic::async_trait]
impl Backend for Cluster {
    async fn list(&self, part: Part) -> Result<Listed, ManageError> {
        let api: Api<DeserializeGuard<Rule>> = match &part.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let params = ListParams {
            limit: Some(u32::try_from(part.limit.min(CHUNK)).unwrap_or(1)),
            continue_token: part.after,
            ..ListParams::default()
        };
        let found = api.list(&params).await.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 410 || status.code == 400 => {
                ManageError::invalid("page_token", "it is too old, or none of this list: begin again without")
            }
            error => failed("list the rules", error),
        })?;
        let next = found.metadata.continue_.filter(|it| !it.is_empty());
        let mut rules = Vec::new();
        for item in found.items {
            match item.0 {
                Ok(rule) => rules.push(rule),
                // The definition keeps such resources out; one that was there before it is named in its status.
                Err(error) => tracing::warn!(%error, "left a resource out of a list that can't be read"),
            }
        }
        Ok(Listed { rules, next })
    }

    async fn get(&self, name: &RuleName) -> Result<Rule, ManageError> {
        self.api(&name.namespace).get(&name.name).await.map_err(|error| about(name, error))
    }

    async fn create(&self, name: &RuleName, mut rule: Rule, dry: bool) -> Result<Rule, ManageError> {
        rule.metadata.namespace = Some(name.namespace.clone());
        rule.metadata.name = Some(name.name.clone());
        let params = PostParams { dry_run: dry, field_manager: Some(MANAGER.to_owned()) };
        self.api(&name.namespace).create(&params, &rule).await.map_err(|error| about(name, error))
    }

    async fn replace(&self, name: &RuleName, before: &Rule, mut rule: Rule, dry: bool) -> Result<Rule, ManageError> {
        rule.metadata.resource_version.clone_from(&before.metadata.resource_version);
        // The apiserver keeps its own books of who wrote which field.
        rule.metadata.managed_fields = None;
        let params = PostParams { dry_run: dry, field_manager: Some(MANAGER.to_owned()) };
        self.api(&name.namespace).replace(&name.name, &params, &rule).await.map_err(|error| about(name, error))
    }

    async fn delete(&self, name: &RuleName, before: &Rule, dry: bool) -> Result<(), ManageError> {
        let params = DeleteParams {
            dry_run: dry,
            preconditions: Some(Preconditions {
                resource_version: before.metadata.resource_version.clone(),
                uid: before.metadata.uid.clone(),
            }),
            ..DeleteParams::default()
        };
        self.api(&name.namespace).delete(&name.name, &params).await.map(|_| ()).map_err(|error| about(name, error))
    }

    fn follow(&self) -> watch::Receiver<Board> {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = board.as_ref() {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        *board = Some(sender.clone());
        let (this, shutdown) = (self.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = this.unwatched(&sender) => {}
                () = observe(this.client.clone(), &sender) => {}
            }
        });
        receiver
    }
}

impl Cluster {
    /// Returns when nobody looks any more, and the next one will have to begin anew.
    async fn unwatched(&self, sender: &watch::Sender<Board>) {
        loop {
            sender.closed().await;
            let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody may have come meanwhile.
            if sender.is_closed() {
                *board = None;
                return;
            }
        }
    }
}

/// Keeps the board up to date. What comes at once is shown at once: a board is a copy.
async fn observe(client: Client, board: &watch::Sender<Board>) {
    let api = Api::<DeserializeGuard<Rule>>::all(client);
    let mut stream = Box::pin(watcher(api, watcher::Config::default()).default_backoff());
    let mut fresh: BTreeMap<RuleName, Arc<Rule>> = BTreeMap::new();
    let mut listed = false;
    loop {
        let mut next = Some(stream.try_next().await);
        while let Some(event) = next.take() {
            match event {
                Ok(Some(event)) => listed = take(&mut fresh, event, listed),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(
                        error = said(&error),
                        "could not watch the rules for who looks at them; trying again"
                    );
                    break;
                }
            }
            next = stream.try_next().now_or_never();
        }
        if listed {
            board.send_replace(Some(Arc::new(fresh.clone())));
        }
    }
}

/// Takes note of an event. Whether all rules are known.
fn take(
    fresh: &mut BTreeMap<RuleName, Arc<Rule>>,
    event: watcher::Event<DeserializeGuard<Rule>>,
    listed: bool,
) -> bool {
    match event {
        watcher::Event::Init => {
            fresh.clear();
            return false;
        }
        watcher::Event::InitDone => return true,
        watcher::Event::Apply(item) | watcher::Event::InitApply(item) => {
            fresh.extend(item.0.ok().and_then(|rule| Some((name_of(&rule)?, Arc::new(rule)))));
        }
        watcher::Event::Delete(item) => {
            let metadata = item.0.map_or_else(|error| error.metadata, |rule| rule.metadata);
            if let Some(name) = name_of(&Rule { metadata, ..Rule::default() }) {
                fresh.remove(&name);
            }
        }
    }
    listed
}

/// What the apiserver's answer about `name` means to the caller.
fn about(name: &RuleName, error: kube::Error) -> ManageError {
    let kube::Error::Api(status) = error else { return failed("ask the apiserver", error) };
    let kind = status.details.as_ref().map(|it| it.kind.clone()).unwrap_or_default();
    match (status.code, status.reason.as_str()) {
        (404, _) if kind == "namespaces" => ManageError::NoNamespace(name.namespace.clone()),
        (404, _) => ManageError::NotFound(name.clone()),
        (409, "AlreadyExists") => ManageError::Exists(name.clone()),
        (409, _) => ManageError::Contended(name.clone()),
        (422, _) => {
            let causes = status.details.as_ref().map(|it| it.causes.as_slice()).unwrap_or_default();
            let violations = causes.iter().map(|it| Violation::new(field(&it.field), &it.message));
            let mut violations: Vec<_> = violations.collect();
            if violations.is_empty() {
                violations.push(Violation::new("rule", &status.message));
            }
            ManageError::Invalid(violations)
        }
        (400 | 403, _) if status.message.contains("admission webhook") => ManageError::invalid("rule", &status.message),
        (403, "Forbidden") => ManageError::Precondition {
            reason: "OPERATOR_FORBIDDEN",
            message: format!("the apiserver does not let the operator do it: {}", status.message),
        },
        (413, _) => ManageError::invalid("rule", "it is too large for the cluster"),
        _ => failed("ask the apiserver", kube::Error::Api(status)),
    }
}

fn failed(what: &str, error: kube::Error) -> ManageError {
    ManageError::Unavailable { what: format!("{what}: it did not answer as it should"), source: Some(Box::new(error)) }
}
