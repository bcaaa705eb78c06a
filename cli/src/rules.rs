//! `vedette rules`: checking rules, and trying them on events.
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::outcome;

mod check;
mod eval;
mod files;

/// Check and try rules
#[derive(Debug, Args)]
pub(crate) struct RulesCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Eval(eval::Eval),
}

impl RulesCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> ExitCode {
        outcome::finish(match self.command {
            Command::Check(command) => command.run(),
            Command::Eval(command) => command.run(),
        })
    }
}
