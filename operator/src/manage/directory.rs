//! The rules of a directory, for installations without Kubernetes: a file for each that is made here, `<namespace>.<name>.yaml`.
//!
//! Files that people write are theirs: a rule that stands with others in one is not touched, since nothing could put it back
//! without losing what else the file says; one that stands alone is rewritten where it is.
//!
//! One process writes. Editors that write at the same time are seen (what is replaced is read again just before), except in the
//! moment between that and the renaming of the file.

mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;
use vedette_service::{chain, place};

use super::backend::{Backend, Board, Listed, Part, etag};
use super::error::ManageError;
use super::names::RuleName;
use crate::api::{GROUP, Rule, RuleSpec, VERSION};

pub use files::{Held, Unreadable};
use files::{Look, Place};

/// How often the files are looked at: nobody tells of what others write.
const LOOK: Duration = Duration::from_millis(500);
/// How long files stay as they are before they count, and how often that is waited for.
const QUIET: Duration = Duration::from_millis(20);
const SETTLING: usize = 50;
/// The longest name of a file, with room for that of its draft.
const FILE_NAME: usize = 245;

/// A directory of resources. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    places: Vec<PathBuf>,
    /// Held by who writes.
    writing: Mutex<()>,
    written: Notify,
    held: watch::Sender<Option<Arc<Held>>>,
    board: watch::Sender<Board>,
}

/// A rule as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    api_version: String,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: &'a RuleSpec,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: &'a Option<std::collections::BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: &'a Option<std::collections::BTreeMap<String, String>>,
}

impl Directory {
    /// Writes to `folder`, and reads `more` besides.
    pub fn new(folder: PathBuf, more: Vec<PathBuf>) -> Self {
        let places = std::iter::once(folder.clone()).chain(more).collect();
        let (held, board) = (watch::Sender::new(None), watch::Sender::new(None));
        let inner = Inner { folder, places, writing: Mutex::new(()), written: Notify::new(), held, board };
        Self { inner: Arc::new(inner) }
    }

    /// What the files hold, whenever that changes; `None` until they have been read.
    pub fn held(&self) -> watch::Receiver<Option<Arc<Held>>> {
        self.inner.held.subscribe()
    }

    /// Looks at the files until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut last = None;
        let mut failed = String::new();
        loop {
            match self.look().await {
                Ok(look) if last.as_ref() == Some(&look) => {}
                Ok(look) => match self.settled(look).await {
                    Ok((look, held)) => {
                        failed.clear();
                        last = Some(look);
                        self.inner.board.send_replace(held.board());
                        self.inner.held.send_replace(Some(Arc::new(held)));
                    }
                    Err(error) => complain(&mut failed, &error),
                },
                Err(error) => complain(&mut failed, &error),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.inner.written.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// What the files hold once nobody is writing them: an editor's file is empty for a moment, which must not end a rule.
    async fn settled(&self, mut look: Look) -> Result<(Look, Held), ManageError> {
        for _ in 0..SETTLING {
            tokio::time::sleep(QUIET).await;
            let held = self.read().await?;
            let now = self.look().await?;
            if now == look {
                return Ok((now, held));
            }
            look = now;
        }
        Ok((look, self.read().await?))
    }

    async fn look(&self) -> Result<Look, ManageError> {
        let places = self.inner.places.clone();
        blocking(move || files::look(&places)).await.map_err(|source| self.unreadable(source))
    }

    async fn read(&self) -> Result<Held, ManageError> {
        let places = self.inner.places.clone();
        blocking(move || files::read(&places)).await.map_err(|source| self.unreadable(source))
    }

    fn unreadable(&self, source: std::io::Error) -> ManageError {
        let what = format!("can't read the rules in {}", self.inner.folder.display());
        ManageError::Unavailable { what, source: Some(source.into()) }
    }

    /// The rule as it is there now, where it may be written.
    async fn own(&self, name: &RuleName, before: &Rule) -> Result<Place, ManageError> {
        let mut held = self.read().await?;
        let (now, place) = held.rules.remove(name).ok_or_else(|| ManageError::NotFound(name.clone()))?;
        if etag(&now) != etag(before) {
            return Err(ManageError::Contended(name.clone()));
        }
        if !place.alone {
            return Err(ManageError::Precondition {
                reason: "SHARED_FILE",
                message: format!(
                    "{name} stands with other resources in {}: change it there, or move it to a file of its own",
                    place.file.display()
                ),
            });
        }
        Ok(place)
    }

    async fn write(&self, name: &RuleName, file: PathBuf, rule: Rule, dry: bool) -> Result<Rule, ManageError> {
        let failed = |what: String| ManageError::Internal { what, source: None };
        let text = text(name, &rule).map_err(|error| failed(format!("can't write {name} as YAML: {error}")))?;
        let (rule, _) = files::numbered(rule).map_err(failed)?;
        if !dry {
            let to = file.clone();
            blocking(move || place::write_as(&to, text.as_bytes(), place::ANYBODY))
                .await
                .map_err(|source| unwritten(&file, source))?;
            self.inner.written.notify_one();
        }
        Ok(rule)
    }
}

#[tonic::async_trait]
impl Backend for Directory {
    async fn list(&self, part: Part) -> Result<Listed, ManageError> {
        let held = self.read().await?;
        let after = part.after.as_deref().map(|it| RuleName::parse("page_token", it)).transpose()?;
        let wanted = held.rules.iter().filter(|(name, _)| {
            part.namespace.as_ref().is_none_or(|it| *it == name.namespace) && after.as_ref().is_none_or(|it| *name > it)
        });
        let mut listed = Listed::default();
        for (_, (rule, _)) in wanted {
            if listed.rules.len() == part.limit {
                listed.next = listed.rules.last().and_then(super::backend::name_of).map(|it| it.to_string());
                break;
            }
            listed.rules.push(Rule::clone(rule));
        }
        Ok(listed)
    }

    async fn get(&self, name: &RuleName) -> Result<Rule, ManageError> {
        let held = self.read().await?;
        let found = held.rules.get(name).map(|(rule, _)| Rule::clone(rule));
        found.ok_or_else(|| ManageError::NotFound(name.clone()))
    }

    async fn create(&self, name: &RuleName, mut rule: Rule, dry: bool) -> Result<Rule, ManageError> {
        let _writing = self.inner.writing.lock().await;
        if self.read().await?.rules.contains_key(name) {
            return Err(ManageError::Exists(name.clone()));
        }
        rule.metadata.namespace = Some(name.namespace.clone());
        rule.metadata.name = Some(name.name.clone());
        let file = format!("{}.{}.yaml", name.namespace, name.name);
        if file.len() > FILE_NAME {
            let what = format!("namespace and name together are longer than {} bytes", FILE_NAME - 6);
            return Err(ManageError::invalid("rule_id", what));
        }
        let file = self.inner.folder.join(file);
        if !self.inner.folder.is_dir() {
            let message = format!("{} is no directory: nothing can be made in it", self.inner.folder.display());
            return Err(ManageError::Precondition { reason: "NO_DIRECTORY", message });
        }
        // It holds something else, or can't be read: somebody's, in any case.
        if file.exists() {
            let message = format!("{} is there already, and is not {name}", file.display());
            return Err(ManageError::Precondition { reason: "FILE_EXISTS", message });
        }
        self.write(name, file, rule, dry).await
    }

    async fn replace(&self, name: &RuleName, before: &Rule, rule: Rule, dry: bool) -> Result<Rule, ManageError> {
        let _writing = self.inner.writing.lock().await;
        let place = self.own(name, before).await?;
        self.write(name, place.file, rule, dry).await
    }

    async fn delete(&self, name: &RuleName, before: &Rule, dry: bool) -> Result<(), ManageError> {
        let _writing = self.inner.writing.lock().await;
        let Place { file, .. } = self.own(name, before).await?;
        if !dry {
            let gone = file.clone();
            blocking(move || place::remove(&gone)).await.map_err(|source| unwritten(&file, source))?;
            self.inner.written.notify_one();
        }
        Ok(())
    }

    fn follow(&self) -> watch::Receiver<Board> {
        self.inner.board.subscribe()
    }
}

fn text(name: &RuleName, rule: &Rule) -> Result<String, serde_yaml_ng::Error> {
    let metadata = Metadata {
        name: &name.name,
        namespace: &name.namespace,
        labels: &rule.metadata.labels,
        annotations: &rule.metadata.annotations,
    };
    let written = Written { api_version: format!("{GROUP}/{VERSION}"), kind: "Rule", metadata, spec: &rule.spec };
    serde_yaml_ng::to_string(&written)
}

fn unwritten(file: &Path, source: std::io::Error) -> ManageError {
    ManageError::Internal { what: format!("can't write {}", file.display()), source: Some(source.into()) }
}

/// Says what is wrong once, not with every look.
fn complain(before: &mut String, error: &ManageError) {
    let now = chain(error).to_string();
    if *before != now {
        tracing::error!(error = now, "the rules can't be read; those from before stay");
        *before = now;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}
