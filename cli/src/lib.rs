//! The vedette program: it wires the services together and asks them; it owns no logic of theirs.
//!
//! Exit codes: 0 done, 1 the answer is bad news (errors in rules, events not accepted, books that do not balance),
//! 2 the question was wrong (arguments, settings) or nobody was there to answer it.
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod console;
mod dead_letters;
mod home;
mod http;
mod outcome;
mod progress;
mod query;
mod replay;
mod rules;
mod status;
mod term;
mod up;
mod values;
mod webhook_config;

/// A Kubernetes auditing system: audit events in, records and alerts out.
#[derive(Debug, Parser)]
#[command(name = "vedette", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(Box<up::UpCommand>),
    Rules(rules::RulesCommand),
    Replay(Box<replay::ReplayCommand>),
    Query(Box<query::QueryCommand>),
    Status(status::StatusCommand),
    DeadLetters(dead_letters::DeadLettersCommand),
    WebhookConfig(webhook_config::WebhookConfigCommand),
}

/// Parses the arguments, runs the command and says how it went.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Up(command) => outcome::finish(command.run()),
        Command::Rules(command) => command.run(),
        Command::Replay(command) => outcome::finish(command.run()),
        Command::Query(command) => outcome::finish(command.run()),
        Command::Status(command) => outcome::finish(command.run()),
        Command::DeadLetters(command) => outcome::finish(command.run()),
        Command::WebhookConfig(command) => outcome::finish(command.run()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, outcome::Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| outcome::Failure::failed("can't start").because(error))
}
