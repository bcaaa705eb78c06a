//! `vedette rules`: checking rules, trying them on events and testing them here; and showing and changing those of an operator.
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::outcome;

mod check;
mod compat;
mod eval;
mod explain;
mod files;
mod remote;
mod schema;
mod test;

/// Check, try, explain and test rules; show and change those in force
#[derive(Debug, Args)]
pub(crate) struct RulesCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Eval(eval::Eval),
    Explain(explain::Explain),
    Test(test::Test),
    Schema(schema::Schema),
    Apply(remote::apply::Apply),
    Get(remote::get::Get),
    Delete(remote::delete::Delete),
    Diff(remote::diff::Diff),
}

impl RulesCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> ExitCode {
        outcome::finish(match self.command {
            Command::Check(command) => command.run(),
            Command::Eval(command) => command.run(),
            Command::Explain(command) => command.run(),
            Command::Test(command) => command.run(),
            Command::Schema(command) => command.run(),
            Command::Apply(command) => command.run(),
            Command::Get(command) => command.run(),
            Command::Delete(command) => command.run(),
            Command::Diff(command) => command.run(),
        })
    }
}
