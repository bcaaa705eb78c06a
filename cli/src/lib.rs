//! The vedette program: it wires the services together and asks them; it owns no logic of theirs.
//!
//! Exit codes: 0 done, 1 the answer is bad news (errors in rules, events not accepted, books that do not balance),
//! 2 the question was wrong (arguments, settings) or nobody was there to answer it.
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod rules;

/// A Kubernetes auditing system: audit events in, records and alerts out.
#[derive(Debug, Parser)]
#[command(name = "vedette", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check and try rules
    Rules(rules::RulesCommand),
}

/// Parses the arguments, runs the command and says how it went.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Rules(command) => command.run(),
    }
}
