//! `vedette rules`.
use std::process::ExitCode;

/// Check and try rules.
#[derive(Debug, clap::Args)]
pub(crate) struct RulesCommand {}

impl RulesCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}
