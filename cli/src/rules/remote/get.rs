//! `vedette rules get`: the rules of an operator, and what became of them.
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use vedette_proto::rules::v1 as proto;
use vedette_service::manifest::{full_name, name_parts};

use super::document::{resource, yaml};
use super::{Client, NAMESPACE, Server, refusal};
use crate::outcome::{Failure, Outcome};
use crate::term;

/// Show rules of an operator
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules get -A
  vedette rules get my-rule -n audit -o yaml > my-rule.yaml
  vedette rules get -A --filter 'labels.type = \"alerting\" AND state != IN_FORCE'")]
pub(crate) struct Get {
    /// The rule's name; all of the namespace without it
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The namespace
    #[arg(short, long, value_name = "NAME", default_value = NAMESPACE)]
    namespace: String,
    /// Rules of all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["name", "namespace"])]
    all_namespaces: bool,
    /// Which: `name`, `labels.<key>` and `state` with `=`, `!=` and `:`, joined by `AND`
    #[arg(long, value_name = "FILTER", default_value = "", conflicts_with = "name", hide_default_value = true)]
    filter: String,
    /// The output's format
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    server: Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Yaml,
    Json,
}

impl Get {
    /// Shows them.
    pub(crate) fn run(self) -> Outcome {
        self.server.talk(async |client| {
            let rules = match &self.name {
                Some(name) => {
                    let request = proto::GetRuleRequest { name: full_name(&self.namespace, name) };
                    vec![client.get_rule(request).await.map_err(|status| refusal("", &status))?.into_inner()]
                }
                None => self.all(client).await?,
            };
            let text = match self.output {
                Format::Table => table(&rules, self.all_namespaces),
                Format::Yaml => rules.iter().map(yaml).collect::<Result<Vec<_>, Failure>>()?.join("---\n"),
                Format::Json => {
                    let shown = rules.iter().map(with_status).collect::<Result<Vec<_>, Failure>>()?;
                    let whole = match (self.name.is_some(), shown) {
                        (true, one) => one.into_iter().next().unwrap_or_default(),
                        (false, items) => json!({"apiVersion": "v1", "kind": "List", "items": items}),
                    };
                    format!("{whole:#}\n")
                }
            };
            term::write(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn all(&self, client: &mut Client) -> Result<Vec<proto::Rule>, Failure> {
        let namespace = if self.all_namespaces { "-" } else { &self.namespace };
        let mut rules = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = proto::ListRulesRequest {
                parent: format!("namespaces/{namespace}"),
                filter: self.filter.clone(),
                page_token,
                ..proto::ListRulesRequest::default()
            };
            let page = client.list_rules(request).await.map_err(|status| refusal("", &status))?.into_inner();
            rules.extend(page.rules);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(rules);
            }
        }
    }
}

fn with_status(rule: &proto::Rule) -> Result<Value, Failure> {
    let status = rule.status.clone().unwrap_or_default();
    let diagnostics: Vec<_> = status
        .diagnostics
        .iter()
        .map(|it| json!({"code": it.code, "message": it.message, "field": it.field, "offset": it.offset, "help": it.help}))
        .collect();
    let status = json!({
        "state": status.state().as_str_name(),
        "rulesInForce": status.rules_in_force,
        "snapshotGeneration": status.snapshot_generation,
        "diagnostics": diagnostics,
    });
    let resource = resource(rule)?.with_status(status);
    serde_json::to_value(&resource).map_err(|error| Failure::failed("can't write JSON").because(error))
}

/// Names in columns as kubectl has them.
fn table(rules: &[proto::Rule], namespaces: bool) -> String {
    if rules.is_empty() {
        return "no rules\n".to_owned();
    }
    let mut rows = vec![["NAMESPACE", "NAME", "TYPE", "STATE", "IN FORCE", "ENTRIES"].map(str::to_owned)];
    for rule in rules {
        let (namespace, name) = name_parts(&rule.name);
        let status = rule.status.clone().unwrap_or_default();
        rows.push([
            namespace.to_owned(),
            name.to_owned(),
            term::plain(rule.labels.get("type").map_or("", String::as_str)),
            status.state().as_str_name().to_owned(),
            status.rules_in_force.to_string(),
            rule.entries.len().to_string(),
        ]);
    }
    let first = usize::from(!namespaces);
    let widths: Vec<usize> = (0..6)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).skip(first);
        let line: Vec<_> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("   ").trim_end());
        text.push('\n');
    }
    text
}
