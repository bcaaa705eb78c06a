//! Between files of YAML and the operator's messages.
use std::path::PathBuf;

use serde_json::Value;
use tonic::Code;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::diagnostic::Severity as Weight;
use vedette_rules::{Diagnostic, Severity, SourceFile, codes};
use vedette_service::chain;
use vedette_service::manifest::{self, Manifest, ManifestError};

use super::{Client, NAMESPACE, refusal};
use crate::outcome::Failure;
use crate::rules::files;

/// Rules of files, and the files.
pub(super) struct Documents {
    pub(super) files: Vec<SourceFile>,
    pub(super) rules: Vec<proto::Rule>,
}

impl Documents {
    /// Reads them; what is no `Rule` is said.
    pub(super) fn read(paths: &[PathBuf], namespace: Option<&str>) -> Result<Self, Failure> {
        let files = files::read(paths)?;
        let mut rules = Vec::new();
        for file in &files {
            let unread = |error: ManifestError| {
                Failure::failed(format!("`{}` can't be read", file.name)).because(chain(&error).to_string())
            };
            for resource in manifest::resources(&file.text).map_err(unread)? {
                rules.extend(rule(resource, &file.name, namespace)?);
            }
        }
        if rules.is_empty() {
            return Err(Failure::usage("the files hold no `Rule`"));
        }
        Ok(Self { files, rules })
    }

    /// What the compiler of the operator says of the files, shown with their lines; whether it takes them. Nothing, if the caller
    /// may not ask that: it is told with each rule.
    pub(super) async fn check(&self, client: &mut Client) -> Result<Option<bool>, Failure> {
        let documents =
            self.files.iter().map(|it| proto::Document { name: it.name.clone(), text: it.text.clone() }).collect();
        let answer = match client.validate_rules(proto::ValidateRulesRequest { documents }).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::PermissionDenied => return Ok(None),
            Err(status) => return Err(refusal("", &status)),
        };
        let found: Vec<_> = answer.diagnostics.iter().filter_map(|it| self.diagnostic(it)).collect();
        files::print(&self.files, &found);
        Ok(Some(answer.accepted))
    }

    fn diagnostic(&self, found: &proto::Diagnostic) -> Option<Diagnostic> {
        let severity = match found.severity() {
            Weight::Error => Severity::Error,
            Weight::Warning => Severity::Warning,
            Weight::Note | Weight::Unspecified => Severity::Note,
        };
        let code = codes::ALL.iter().find(|it| it.id == found.code).map_or("VR", |it| it.id);
        let number = |it: u32| usize::try_from(it).unwrap_or(usize::MAX);
        let (line, column) = (number(found.line), number(found.column));
        let start = self.files.iter().find(|it| it.name == found.document).map_or(0, |it| byte(&it.text, line, column));
        Some(Diagnostic {
            code,
            severity,
            message: found.message.clone(),
            file: found.document.clone(),
            span: start..start,
            line,
            column,
            end: (number(found.end_line), number(found.end_column)),
            field: found.field.clone(),
            offset: number(found.offset),
            label: String::new(),
            help: Some(found.help.clone()).filter(|it| !it.is_empty()),
        })
    }
}

/// The byte at a line and column, from 1.
fn byte(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}

fn rule(resource: Value, file: &str, namespace: Option<&str>) -> Result<Option<proto::Rule>, Failure> {
    let manifest = match Manifest::read(resource) {
        Ok(manifest) => manifest,
        Err(ManifestError::Kind { kind, .. }) => {
            eprintln!("{file}: left out what is no `Rule`: `{kind}`");
            return Ok(None);
        }
        Err(error) => {
            let failure = Failure::failed(format!("`{file}`: what is there can't be read"));
            return Err(failure.because(chain(&error).to_string()));
        }
    };
    let (named, own) = (&manifest.metadata.name, &manifest.metadata.namespace);
    if let (Some(own), Some(asked)) = (own, namespace)
        && own != asked
    {
        let what = format!("`{file}`: the `Rule` `{named}` is of the namespace `{own}`, not `{asked}`");
        return Err(Failure::usage(what));
    }
    Ok(Some(manifest.message(namespace.unwrap_or(NAMESPACE))))
}

/// A rule as the resource that a file would hold.
pub(super) fn resource(rule: &proto::Rule) -> Result<Manifest, Failure> {
    Manifest::of(rule).map_err(unshown)
}

/// The same as text.
pub(super) fn yaml(rule: &proto::Rule) -> Result<String, Failure> {
    resource(rule)?.yaml().map_err(unshown)
}

fn unshown(error: ManifestError) -> Failure {
    Failure::failed("a rule can't be shown").because(chain(&error).to_string())
}

/// What the files want of a rule that is there: its annotations stay, except where a file says otherwise.
pub(super) fn wanted(file: &proto::Rule, there: Option<&proto::Rule>) -> proto::Rule {
    let mut annotations = there.map(|it| it.annotations.clone()).unwrap_or_default();
    annotations.extend(file.annotations.clone());
    let etag = there.map(|it| it.etag.clone()).unwrap_or_default();
    proto::Rule { annotations, etag, ..file.clone() }
}

/// Whether nothing that a file says is different.
pub(super) fn same(one: &proto::Rule, other: &proto::Rule) -> bool {
    (&one.labels, &one.annotations, &one.entries) == (&other.labels, &other.annotations, &other.entries)
}

/// The rule as it is at the operator.
pub(super) async fn find(client: &mut Client, name: &str) -> Result<Option<proto::Rule>, Failure> {
    match client.get_rule(proto::GetRuleRequest { name: name.to_owned() }).await {
        Ok(rule) => Ok(Some(rule.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(refusal("", &status)),
    }
}
