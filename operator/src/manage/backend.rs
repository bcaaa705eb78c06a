//! Where rules are kept: what both keepers of them, a cluster and a directory, have in common.
//!
//! A rule is the resource as Kubernetes has it. Its etag is made here, of what a person writes (labels, annotations, spec) and the uid:
//! `metadata.resourceVersion` won't do, since it changes whenever the operator writes a status, and a caller who changes what it has
//! just read would be told that somebody else did.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::error::ManageError;
use super::names::RuleName;
use crate::api::Rule;

/// All rules, as a watch sees them; `None` until they have been listed.
pub type Board = Option<Arc<BTreeMap<RuleName, Arc<Rule>>>>;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Of one namespace, or of all.
    pub namespace: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// What the part before gave as `next`.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Debug, Default)]
pub struct Listed {
    /// The rules, by namespace and name.
    pub rules: Vec<Rule>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// What keeps the rules. A rule that is given back has the version that was written.
///
/// With `dry`, everything is checked and nothing changes.
#[tonic::async_trait]
pub trait Backend: Send + Sync + std::fmt::Debug + 'static {
    /// A part of the rules.
    async fn list(&self, part: Part) -> Result<Listed, ManageError>;

    /// The rule of this name.
    async fn get(&self, name: &RuleName) -> Result<Rule, ManageError>;

    /// Makes a rule; fails, if it is there.
    async fn create(&self, name: &RuleName, rule: Rule, dry: bool) -> Result<Rule, ManageError>;

    /// Replaces `before`, as it was read, by `rule`; fails with [`ManageError::Contended`], if it is another by now.
    async fn replace(&self, name: &RuleName, before: &Rule, rule: Rule, dry: bool) -> Result<Rule, ManageError>;

    /// Removes `before`, as it was read; fails with [`ManageError::Contended`], if it is another by now.
    async fn delete(&self, name: &RuleName, before: &Rule, dry: bool) -> Result<(), ManageError>;

    /// All rules and what they become, as long as somebody looks.
    fn follow(&self) -> watch::Receiver<Board>;
}

/// Changes with everything that a person writes.
pub fn etag(rule: &Rule) -> String {
    let metadata = &rule.metadata;
    let written = (&metadata.uid, &metadata.labels, &metadata.annotations, &rule.spec);
    // Maps are sorted, and there is nothing in it that could not be written.
    let text = serde_json::to_vec(&written).unwrap_or_default();
    blake3::hash(&text).to_hex().get(..24).unwrap_or_default().to_owned()
}

/// The name of a rule as it is kept; `None`, if that can't be a name.
pub(super) fn name_of(rule: &Rule) -> Option<RuleName> {
    let namespace = rule.metadata.namespace.as_deref().unwrap_or("default");
    RuleName::new("name", namespace, rule.metadata.name.as_deref()?).ok()
}
