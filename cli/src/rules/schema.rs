//! `vedette rules schema`: the resources as a JSON schema.
use std::process::ExitCode;

use clap::Args;
use vedette_rules::json_schema;

use crate::outcome::Outcome;
use crate::term;

/// Print a JSON schema of the resources, for editors
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules schema > vedette.schema.json

Then, on the first line of a YAML file:
  # yaml-language-server: $schema=vedette.schema.json")]
pub(crate) struct Schema {}

impl Schema {
    /// Prints the schema.
    pub(crate) fn run(self) -> Outcome {
        term::write(format!("{:#}\n", json_schema()).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
