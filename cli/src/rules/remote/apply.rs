//! `vedette rules apply`: makes the rules of files those of an operator.
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tonic::Status;
use tonic_types::StatusExt;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_status::State;
use vedette_rules::codes;
use vedette_service::manifest::name_parts;

use super::document::{Documents, find, same, wanted};
use super::{Client, Server, refusal};
use crate::outcome::{Failure, Outcome};
use crate::term;

/// Create or change rules at an operator
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules apply -f my-rule.yaml
  vedette rules apply -f rules/ -n audit --dry-run
  vedette rules apply -f my-rule.yaml --server https://operator:9444 --ca ca.crt --token-file token

All files are checked among the rules that are there before any of them is written, in whatever order they use each other.
Annotations that others made stay.

Exit code 1 if the rules have errors or one could not be written; 2 if the operator does not answer or let you in.")]
pub(crate) struct Apply {
    /// A file or folder with `Rule` resources; may be given several times
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The namespace of rules that name none [default: default]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Check and say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

impl Apply {
    /// Applies the files.
    pub(crate) fn run(self) -> Outcome {
        let documents = Documents::read(&self.files, self.namespace.as_deref())?;
        self.server.talk(async |client| {
            let checked = documents.check(client).await?;
            if checked == Some(false) {
                return Err(Failure::failed("nothing was applied: the rules have errors"));
            }
            let mut failed = false;
            let mut left: Vec<_> = documents.rules.iter().collect();
            loop {
                let mut waiting = Vec::new();
                let before = left.len();
                for rule in left {
                    let (_, name) = name_parts(&rule.name);
                    match self.apply(client, rule).await? {
                        Ok(word) => {
                            let dry = if self.dry_run { " (dry run)" } else { "" };
                            term::write(format!("rule/{name} {word}{dry}\n").as_bytes())?;
                        }
                        // Nothing was written that it could use, and all together are good.
                        Err(status) if self.dry_run && checked == Some(true) && lacks_a_name(&status) => {
                            term::write(format!("rule/{name} applied after the others (dry run)\n").as_bytes())?;
                        }
                        // What it uses may be in another file: it comes after that.
                        Err(status) if lacks_a_name(&status) => waiting.push((rule, status)),
                        Err(status) => {
                            failed = true;
                            refusal(&format!("rule/{name}"), &status).print();
                        }
                    }
                }
                if waiting.is_empty() || waiting.len() == before {
                    for (rule, status) in &waiting {
                        failed = true;
                        refusal(&format!("rule/{}", name_parts(&rule.name).1), status).print();
                    }
                    return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
                }
                left = waiting.into_iter().map(|(rule, _)| rule).collect();
            }
        })
    }

    /// What became of a rule, in kubectl's word for it.
    async fn apply(&self, client: &mut Client, rule: &proto::Rule) -> Result<Result<String, Status>, Failure> {
        let there = find(client, &rule.name).await?;
        let wanted = wanted(rule, there.as_ref());
        if there.as_ref().is_some_and(|it| same(it, &wanted)) {
            return Ok(Ok("unchanged".to_owned()));
        }
        let (namespace, name) = name_parts(&rule.name);
        let done = match &there {
            None => {
                let request = proto::CreateRuleRequest {
                    parent: format!("namespaces/{namespace}"),
                    rule_id: name.to_owned(),
                    rule: Some(wanted),
                    validate_only: self.dry_run,
                };
                client.create_rule(request).await.map(|it| ("created", it.into_inner()))
            }
            Some(_) => {
                let paths = ["labels", "annotations", "entries"].map(str::to_owned).to_vec();
                let request = proto::UpdateRuleRequest {
                    rule: Some(wanted),
                    update_mask: Some(prost_types::FieldMask { paths }),
                    validate_only: self.dry_run,
                    allow_missing: false,
                };
                client.update_rule(request).await.map(|it| ("configured", it.into_inner()))
            }
        };
        Ok(done.map(|(word, rule)| match rule.status.map(|it| it.state()) {
            Some(State::NotSelected) if !self.dry_run => {
                format!("{word}, and not in force: no selector takes its labels")
            }
            _ => word.to_owned(),
        }))
    }
}

/// Whether a rule was refused for names that are not defined, which others may define.
fn lacks_a_name(status: &Status) -> bool {
    let details = status.get_error_details();
    let found = details.bad_request().map(|it| it.field_violations.as_slice()).unwrap_or_default();
    found.iter().any(|it| it.reason == codes::UNKNOWN_NAME.id)
}
