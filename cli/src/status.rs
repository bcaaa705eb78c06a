//! `vedette status`: what an administrator wants to know first.
mod verdict;
mod view;

use std::process::ExitCode;

use clap::Args;
use vedette_console::document::Status;

use crate::console::{ConsoleArgs, Output};
use crate::outcome::Outcome;
use crate::term;

/// Say whether the books balance, what waits, and what needs attention
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code:
  0  all is well; what needs attention but loses nothing (dead letters, blind rules, an open webhook) is marked `!`
  1  something is wrong, marked `✗`: the books do not balance, the broker or the archive is away, a service does not
     run, or the broker has events that nobody takes
  2  the console could not be asked")]
pub(crate) struct StatusCommand {
    /// `json` is the console's document, with `problems` and `notes` added
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    console: ConsoleArgs,
}

impl StatusCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> Outcome {
        let console = self.console.console()?;
        let text = crate::runtime()?.block_on(console.status_text())?;
        let status: Status = serde_json::from_str(&text).map_err(|error| console.strange().because(error))?;
        let verdict = verdict::of(&status);
        match self.output {
            Output::Table => term::write(view::render(&status, &verdict, term::stdout_color()).as_bytes())?,
            Output::Json => {
                let mut document: serde_json::Value =
                    serde_json::from_str(&text).map_err(|error| console.strange().because(error))?;
                if let Some(members) = document.as_object_mut() {
                    members.insert("problems".to_owned(), verdict.problems.clone().into());
                    members.insert("notes".to_owned(), verdict.notes.clone().into());
                }
                term::write(format!("{document}\n").as_bytes())?;
            }
        }
        Ok(ExitCode::from(u8::from(!verdict.problems.is_empty())))
    }
}
