//! `vedette rules delete`: removes rules from an operator.
use std::process::ExitCode;

use clap::Args;
use vedette_proto::rules::v1 as proto;
use vedette_service::manifest::full_name;

use super::{NAMESPACE, Server, refusal};
use crate::outcome::Outcome;
use crate::term;

/// Delete rules at an operator
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules delete my-rule
  vedette rules delete one two -n audit --ignore-not-found

Exit code 1 if one could not be deleted; the others are.")]
pub(crate) struct Delete {
    /// The rules' names
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Their namespace
    #[arg(short, long, value_name = "NAME", default_value = NAMESPACE)]
    namespace: String,
    /// What is not there is no failure
    #[arg(long)]
    ignore_not_found: bool,
    #[command(flatten)]
    server: Server,
}

impl Delete {
    /// Deletes them.
    pub(crate) fn run(self) -> Outcome {
        self.server.talk(async |client| {
            let mut code = ExitCode::SUCCESS;
            for name in &self.names {
                let request = proto::DeleteRuleRequest {
                    name: full_name(&self.namespace, name),
                    allow_missing: self.ignore_not_found,
                    ..proto::DeleteRuleRequest::default()
                };
                match client.delete_rule(request).await {
                    Ok(_) => term::write(format!("rule/{name} deleted\n").as_bytes())?,
                    Err(status) => {
                        refusal(&format!("rule/{name}"), &status).print();
                        code = ExitCode::FAILURE;
                    }
                }
            }
            Ok(code)
        })
    }
}
