//! Between files of YAML and the operator's messages.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tonic::Code;
use vedette_operator::api::{GROUP, Rule, RuleSpec, VERSION};
use vedette_operator::manage::convert;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::diagnostic::Severity as Weight;
use vedette_rules::{Diagnostic, Severity, SourceFile, codes};

use super::{Client, NAMESPACE, full, refusal};
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
            let unread = |error: String| Failure::failed(format!("`{}` can't be read: {error}", file.name));
            for document in serde_yaml_ng::Deserializer::from_str(&file.text) {
                let mut value = Value::deserialize(document).map_err(|error| unread(error.to_string()))?;
                let items = match value.get_mut("items").map(Value::take) {
                    Some(Value::Array(items)) => items,
                    _ => vec![value],
                };
                for item in items.into_iter().filter(|it| !it.is_null()) {
                    rules.extend(rule(item, &file.name, namespace)?);
                }
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

fn rule(item: Value, file: &str, namespace: Option<&str>) -> Result<Option<proto::Rule>, Failure> {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("/kind") != "Rule" || text("/apiVersion").split('/').next() != Some(GROUP) {
        eprintln!("{file}: left out what is no `Rule`: `{}`", text("/kind"));
        return Ok(None);
    }
    let named = text("/metadata/name");
    let unread = |error: serde_json::Error| {
        Failure::failed(format!("`{file}`: the `Rule` `{named}` can't be read")).because(error)
    };
    let mut rule: Rule = serde_json::from_value(item.clone()).map_err(unread)?;
    let own = rule.metadata.namespace.clone();
    if let (Some(own), Some(asked)) = (&own, namespace)
        && own != asked
    {
        let what = format!("`{file}`: the `Rule` `{named}` is of the namespace `{own}`, not `{asked}`");
        return Err(Failure::usage(what));
    }
    let place = own.or(namespace.map(str::to_owned)).unwrap_or_else(|| NAMESPACE.to_owned());
    rule.metadata.namespace = Some(place.clone());
    let message = convert::message(&rule);
    Ok(Some(proto::Rule { name: full(&place, &named), etag: String::new(), ..message }))
}

/// `namespace` and `name` of a rule's full name.
pub(super) fn parts(name: &str) -> (&str, &str) {
    name.strip_prefix("namespaces/").and_then(|rest| rest.split_once("/rules/")).unwrap_or(("", name))
}

/// A rule as the resource that a file would hold, its fields in the order in which people write them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource<'a> {
    api_version: String,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: RuleSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Metadata<'a> {
    name: &'a str,
    namespace: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

impl<'a> Resource<'a> {
    pub(super) fn of(rule: &'a proto::Rule) -> Result<Self, Failure> {
        let (namespace, name) = parts(&rule.name);
        let spec = convert::spec(rule.entries.clone())
            .map_err(|error| Failure::failed(format!("`{name}` can't be shown")).because(error))?;
        let metadata = Metadata { name, namespace, labels: &rule.labels, annotations: &rule.annotations };
        Ok(Self { api_version: format!("{GROUP}/{VERSION}"), kind: "Rule", metadata, spec, status: None })
    }

    /// With what became of it.
    pub(super) fn with(self, status: Value) -> Self {
        Self { status: Some(status), ..self }
    }

    pub(super) fn yaml(&self) -> Result<String, Failure> {
        serde_yaml_ng::to_string(self).map_err(|error| Failure::failed("can't write YAML").because(error))
    }
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
