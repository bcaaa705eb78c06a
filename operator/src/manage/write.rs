//! Changing rules: what is checked before anything is written, and in what order.
//!
//! The operator writes with its own account, after it has asked whether the caller may: impersonating callers would need a right to be
//! anybody. Who it was is written to an annotation, which the cluster's own audit events show, and to the log
//! (`docs/adr/0009-who-manages-rules.md`).

use std::sync::PoisonError;
use std::time::Duration;

use tonic::Request;
use vedette_proto::rules::v1 as proto;

use super::Management;
use super::access::{Caller, Deed};
use super::backend::etag;
use super::convert;
use super::error::ManageError;
use super::names::{self, RuleName};
use crate::api::Rule;
use crate::document::Document;

/// Who has written a rule here last. It is not one of the annotations that say something about the rules.
pub(super) const WRITER: &str = "management.vedette.io/written-by";
/// How often an update that gave no etag is tried while others write.
const ATTEMPTS: usize = 5;
/// How long an answer waits for the compiler's verdict about what was written.
const VERDICT: Duration = Duration::from_secs(2);

/// What `verb` does to the rule `name`.
pub(super) fn deed<'a>(verb: &'static str, name: &'a RuleName) -> Deed<'a> {
    Deed { verb, namespace: Some(&name.namespace), name: Some(&name.name) }
}

/// The parts of a rule that an update is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mask {
    labels: bool,
    annotations: bool,
    entries: bool,
}

impl Management {
    pub(super) async fn create(&self, request: Request<proto::CreateRuleRequest>) -> Result<proto::Rule, ManageError> {
        let namespace = names::parent(&request.get_ref().parent)?
            .ok_or_else(|| ManageError::invalid("parent", "a rule is made in one namespace"))?;
        let name = RuleName::new("rule_id", &namespace, &request.get_ref().rule_id)?;
        let deed = Deed { verb: "create", namespace: Some(&namespace), name: None };
        let caller = self.parts.gate.pass(&request, &[deed]).await?;
        let proto::CreateRuleRequest { rule, validate_only, .. } = request.into_inner();
        let given = rule.ok_or_else(|| ManageError::invalid("rule", "it is missing"))?;
        self.make(&caller, &name, given, validate_only).await
    }

    async fn make(
        &self,
        caller: &Caller,
        name: &RuleName,
        given: proto::Rule,
        dry: bool,
    ) -> Result<proto::Rule, ManageError> {
        let rule = self.shaped(caller, name, Rule::default(), given, Mask::ALL)?;
        self.check(name, &rule).await?;
        let made = self.parts.backend.create(name, rule, dry).await?;
        self.written(caller, name, "create", made, dry).await
    }

    pub(super) async fn update(&self, request: Request<proto::UpdateRuleRequest>) -> Result<proto::Rule, ManageError> {
        let asked = request.get_ref();
        let given = asked.rule.as_ref().ok_or_else(|| ManageError::invalid("rule", "it is missing"))?;
        let name = RuleName::parse("rule.name", &given.name)?;
        let create = Deed { verb: "create", namespace: Some(&name.namespace), name: None };
        let mut deeds = vec![deed("update", &name)];
        deeds.extend(asked.allow_missing.then_some(create));
        let caller = self.parts.gate.pass(&request, &deeds).await?;
        let proto::UpdateRuleRequest { rule, update_mask, validate_only, allow_missing } = request.into_inner();
        let given = rule.unwrap_or_default();
        let mask = Mask::read(update_mask, &given)?;
        for _ in 0..ATTEMPTS {
            let before = match self.parts.backend.get(&name).await {
                Err(ManageError::NotFound(_)) if allow_missing && given.etag.is_empty() => {
                    match self.make(&caller, &name, given.clone(), validate_only).await {
                        Err(ManageError::Exists(_)) => continue,
                        made => return made,
                    }
                }
                found => found?,
            };
            expected(&name, &given.etag, &before)?;
            let rule = self.shaped(&caller, &name, before.clone(), given.clone(), mask)?;
            self.check(&name, &rule).await?;
            // What is as it should be is not written: nobody has changed it.
            if rule.spec == before.spec && without_writer(&rule) == without_writer(&before) {
                return Ok(self.parts.verdicts.message(&before));
            }
            match self.parts.backend.replace(&name, &before, rule, validate_only).await {
                Err(ManageError::Contended(_)) => {}
                replaced => return self.written(&caller, &name, "update", replaced?, validate_only).await,
            }
        }
        Err(ManageError::Contended(name))
    }

    pub(super) async fn delete(&self, request: Request<proto::DeleteRuleRequest>) -> Result<(), ManageError> {
        let name = RuleName::parse("name", &request.get_ref().name)?;
        let caller = self.parts.gate.pass(&request, &[deed("delete", &name)]).await?;
        let proto::DeleteRuleRequest { etag, validate_only, allow_missing, .. } = request.into_inner();
        for _ in 0..ATTEMPTS {
            let before = match self.parts.backend.get(&name).await {
                Err(ManageError::NotFound(_)) if allow_missing && etag.is_empty() => return Ok(()),
                found => found?,
            };
            expected(&name, &etag, &before)?;
            match self.parts.backend.delete(&name, &before, validate_only).await {
                Err(ManageError::Contended(_)) => {}
                Err(ManageError::NotFound(_)) if allow_missing => return Ok(()),
                Err(error) => return Err(error),
                Ok(()) => {
                    if !validate_only {
                        tracing::info!(user = caller.user, rule = %name, verb = "delete", "a rule was changed");
                    }
                    return Ok(());
                }
            }
        }
        Err(ManageError::Contended(name))
    }

    /// `before` with the parts of `given` that the mask names.
    fn shaped(
        &self,
        caller: &Caller,
        name: &RuleName,
        mut before: Rule,
        given: proto::Rule,
        mask: Mask,
    ) -> Result<Rule, ManageError> {
        if mask.labels {
            before.metadata.labels = convert::labels(given.labels)?;
        }
        if mask.annotations {
            before.metadata.annotations = convert::annotations(given.annotations)?;
        }
        if mask.entries {
            before.spec = convert::spec(given.entries)?;
        }
        let annotations = before.metadata.annotations.get_or_insert_default();
        // Nobody says it of themselves.
        annotations.remove(WRITER);
        if !caller.user.is_empty() {
            annotations.insert(WRITER.to_owned(), caller.user.clone());
        }
        if annotations.is_empty() {
            before.metadata.annotations = None;
        }
        before.metadata.namespace = Some(name.namespace.clone());
        before.metadata.name = Some(name.name.clone());
        Ok(before)
    }

    /// Refuses what the compiler does not take among the other resources.
    async fn check(&self, name: &RuleName, rule: &Rule) -> Result<(), ManageError> {
        self.known()?;
        let failed = |what| ManageError::Internal { what, source: None };
        let document =
            Document::of_rule(rule).map_err(|error| failed(format!("can't write {name} as YAML: {error}")))?;
        let index = std::sync::Arc::clone(&self.parts.index);
        self.trial(move || {
            let found = index.read().unwrap_or_else(PoisonError::into_inner).check(std::slice::from_ref(&document));
            if found.iter().any(vedette_rules::Diagnostic::is_error) { Err(ManageError::Broken(found)) } else { Ok(()) }
        })
        .await
    }

    /// The answer about what was written, with the verdict about it if that comes soon.
    async fn written(
        &self,
        caller: &Caller,
        name: &RuleName,
        verb: &str,
        rule: Rule,
        dry: bool,
    ) -> Result<proto::Rule, ManageError> {
        if dry {
            return Ok(self.parts.verdicts.message(&rule));
        }
        tracing::info!(user = caller.user, rule = %name, verb, "a rule was changed");
        let (key, generation) = (name.key(), rule.metadata.generation);
        let mut outcome = self.parts.verdicts.outcome.clone();
        let judged = outcome.wait_for(|it| {
            let verdict = it.as_ref().and_then(|it| it.verdicts.get(&key));
            verdict.is_some_and(|it| Some(it.generation) == generation)
        });
        // Without it the state is PENDING.
        let _ = tokio::time::timeout(VERDICT, judged).await;
        Ok(self.parts.verdicts.message(&rule))
    }
}

fn expected(name: &RuleName, given: &str, before: &Rule) -> Result<(), ManageError> {
    let current = etag(before);
    if given.is_empty() || given == current {
        return Ok(());
    }
    Err(ManageError::Etag { name: name.clone(), given: given.to_owned(), current })
}

type Pairs<'a> = Vec<(&'a String, &'a String)>;

/// What a person says about a rule besides its entries.
fn without_writer(rule: &Rule) -> (Pairs<'_>, Pairs<'_>) {
    let annotations = rule.metadata.annotations.iter().flatten().filter(|(key, _)| *key != WRITER);
    (rule.metadata.labels.iter().flatten().collect(), annotations.collect())
}

impl Mask {
    const ALL: Self = Self { labels: true, annotations: true, entries: true };

    fn read(mask: Option<prost_types::FieldMask>, given: &proto::Rule) -> Result<Self, ManageError> {
        let paths = mask.unwrap_or_default().paths;
        if paths.is_empty() {
            return Ok(Self {
                labels: !given.labels.is_empty(),
                annotations: !given.annotations.is_empty(),
                entries: !given.entries.is_empty(),
            });
        }
        let mut mask = Self::default();
        for path in paths {
            match path.as_str() {
                "*" => mask = Self::ALL,
                "labels" => mask.labels = true,
                "annotations" => mask.annotations = true,
                "entries" => mask.entries = true,
                _ => {
                    let what =
                        "its paths are `labels`, `annotations` and `entries`, or `*`: nothing else can be changed";
                    return Err(ManageError::invalid("update_mask", what));
                }
            }
        }
        Ok(mask)
    }
}
