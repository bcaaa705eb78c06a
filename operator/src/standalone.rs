//! The operator without Kubernetes: the rules of a directory, compiled, distributed and managed as those of a cluster are.
//!
//! One bad file takes nothing down with it: what it held before stays in force. The generation and the documents in force are kept in a
//! file, so that it only grows and a start with broken files begins with what was good.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vedette_rules::SourceFile;
use vedette_service::snapshot::{Snapshot, SnapshotError};
use vedette_service::{Context, chain, place};

use crate::Error;
use crate::config::{Config, RulesConfig};
use crate::document::Key;
use crate::fleet::Fleet;
use crate::generation;
use crate::index::{Index, Outcome};
use crate::manage::{
    self, Directory, Gate, Management,
    directory::{Held, Unreadable},
};
use crate::namespaces::Namespaces;
use crate::serve::Listening;
use crate::serve::distribution::{self, Distribution};
use crate::subscribers::Subscribers;

const STATE: &str = "operator-rules.json";

/// Why the rules of a directory are not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandaloneError {
    /// There is no such setting.
    #[error("no directory of rules is set")]
    NoDirectory,
    /// Callers could not be told apart.
    #[error("without `rules.tokenFile`, gRPC listens on loopback only")]
    NoToken,
    /// The state can't be kept.
    #[error("keep what is in force in {}", file.display())]
    State {
        /// Where.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The rules can't be packed.
    #[error("pack the rules")]
    Snapshot(#[from] SnapshotError),
}

/// An operator on a directory, ready to run.
pub struct Standalone {
    ctx: Context,
    rules: RulesConfig,
    listening: Listening,
    access: crate::serve::access::Access,
}

/// What is kept on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    generation: u64,
    documents: Vec<(String, String)>,
}

impl Standalone {
    /// Listens.
    ///
    /// # Errors
    /// If settings don't go together, or the address is taken.
    pub async fn start(config: Config, ctx: Context) -> Result<Self, Error> {
        let rules = config.rules.ok_or(StandaloneError::NoDirectory)?;
        if rules.token_file.is_none() && !config.grpc.listen.ip().is_loopback() {
            return Err(StandaloneError::NoToken.into());
        }
        let access = config.grpc.access()?;
        let listening = config.grpc.listen().await?;
        Ok(Self { ctx, rules, listening, access })
    }

    /// Where rules are served.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Runs until the context's shutdown.
    ///
    /// # Errors
    /// If a part of it fails.
    pub async fn run(self) -> Result<(), Error> {
        let Self { ctx, rules, listening, access } = self;
        let shutdown = ctx.shutdown.clone();
        let _guard = shutdown.clone().drop_guard();
        let subscribers = Subscribers::default();
        let (snapshot, served) = watch::channel(None);
        let (outcome, verdicts) = watch::channel(None);
        let file = rules.state_dir.join(STATE);
        let state = State::read(&file)?;
        let index = Arc::new(RwLock::new(Index::new(&state.files())));
        let directory = Directory::new(rules.dir, rules.more);
        let management = Management::new(manage::Parts {
            backend: Arc::new(directory.clone()),
            gate: rules.token_file.map_or(Gate::Open, Gate::Token),
            verdicts: manage::Verdicts { outcome: verdicts, snapshot: served.clone() },
            index: Arc::clone(&index),
            subscribers: subscribers.clone(),
            fleet: Fleet::default(),
            shutdown: shutdown.clone(),
        });
        let distribution = Distribution {
            snapshot: served,
            subscribers,
            namespaces: Namespaces::default(),
            access,
            answers: distribution::answers(&ctx)?,
            shutdown: shutdown.clone(),
        };
        let desk = Desk { index, file, state, stood: BTreeMap::new(), snapshot, outcome };
        let component = ctx.health.component("rules");
        let held = directory.held();
        let looking = directory.run(shutdown.clone());
        let serving = listening.serve(distribution, |routes| routes.add_service(management.server()), shutdown.clone());
        let compiling = desk.run(held, || component.ready(), shutdown.clone());
        tokio::select! {
            served = serving => served.map_err(Error::from),
            ended = async { tokio::join!(looking, compiling).1 } => match ended {
                Ok(()) if shutdown.is_cancelled() => Ok(()),
                Ok(()) => Err(Error::Ended("rules")),
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// Puts in force what the directory holds.
struct Desk {
    index: Arc<RwLock<Index>>,
    file: PathBuf,
    state: State,
    /// What stood in each file when it could be read.
    stood: BTreeMap<PathBuf, Vec<Key>>,
    snapshot: watch::Sender<Option<Arc<Snapshot>>>,
    outcome: watch::Sender<Option<Arc<Outcome>>>,
}

impl Desk {
    async fn run(
        mut self,
        mut held: watch::Receiver<Option<Arc<Held>>>,
        ready: impl Fn(),
        shutdown: CancellationToken,
    ) -> Result<(), StandaloneError> {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                changed = held.changed() => if changed.is_err() { return Ok(()) },
            }
            let Some(now) = held.borrow_and_update().clone() else { continue };
            let done = tokio::task::spawn_blocking(move || {
                let renewed = self.renew(&now);
                (self, renewed)
            });
            let Ok((desk, renewed)) = done.await else { return Ok(()) };
            self = desk;
            match renewed {
                Ok(()) => ready(),
                // What was served stays, and the next change is another chance.
                Err(error) => tracing::error!(error = %chain(&error), "could not put the rules in force"),
            }
        }
    }

    /// The resources whose present version can't be read: what was in force of them stays.
    fn kept(&mut self, held: &Held) -> BTreeSet<Key> {
        let mut kept = BTreeSet::new();
        for Unreadable { file, key, .. } in &held.unreadable {
            if let Some(key) = key {
                kept.insert(key.clone());
                continue;
            }
            // What was in force and stands nowhere may have stood in a file that was never seen whole since the start.
            let lost = || {
                let keys = self.state.documents.iter().filter_map(|(name, _)| Key::parse(name));
                keys.filter(|key| held.documents.iter().all(|it| it.key != *key)).collect()
            };
            kept.extend(self.stood.entry(file.clone()).or_insert_with(lost).iter().cloned());
        }
        kept
    }

    fn renew(&mut self, held: &Held) -> Result<(), StandaloneError> {
        let kept = self.kept(held);
        let outcome = {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            let there: BTreeSet<&Key> = held.documents.iter().map(|it| &it.key).chain(&kept).collect();
            let gone: Vec<Key> = index.seen().keys().filter(|key| !there.contains(key)).cloned().collect();
            for key in &gone {
                index.remove(key);
            }
            for document in &held.documents {
                index.apply(document.clone());
            }
            for key in &kept {
                index.keep(key);
            }
            index.build()
        };
        self.stood.extend(held.files.clone());
        for Unreadable { file, why, .. } in &held.unreadable {
            tracing::warn!(file = %file.display(), why, "keeping what was in force of what can't be read");
        }
        let before = self.state.generation;
        let same = self.state.files() == outcome.documents && before > 0;
        let generation = if same { before } else { generation::above(before) };
        let snapshot = Snapshot::pack(generation, outcome.documents.clone())?;
        if !same {
            let documents = outcome.documents.iter().map(|it| (it.name.clone(), it.text.clone())).collect();
            let state = State { generation, documents };
            state.write(&self.file)?;
            self.state = state;
            tracing::info!(policy.generation = generation, policy.rules = outcome.rules, "rules are in force");
        }
        self.snapshot.send_replace(Some(Arc::new(snapshot)));
        self.outcome.send_replace(Some(Arc::new(outcome)));
        Ok(())
    }
}

impl State {
    fn files(&self) -> Vec<SourceFile> {
        self.documents.iter().map(|(name, text)| SourceFile { name: name.clone(), text: text.clone() }).collect()
    }

    fn read(file: &Path) -> Result<Self, StandaloneError> {
        match fs::read(file) {
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(%error, "ignoring what was in force, which can't be read");
                Self::default()
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(StandaloneError::State { file: file.to_owned(), source }),
        }
    }

    /// On the disk itself and never by halves, before it is served: a generation is never given twice.
    fn write(&self, file: &Path) -> Result<(), StandaloneError> {
        let failed = |source| StandaloneError::State { file: file.to_owned(), source };
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        place::write(file, &text).map_err(failed)
    }
}
