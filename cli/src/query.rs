//! `vedette query`: the archive from the terminal, always through the console.

mod change;
mod columns;
mod counts;
mod coverage;
mod groups;
mod records;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::de::DeserializeOwned;
use vedette_console::search::Search;

use crate::console::{Console, ConsoleArgs};
use crate::outcome::{Failure, Outcome};

/// Search the archive
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette query 'sub:exec last:12h'                            who executed what
  vedette query 'reads:payments/secrets/db last:7d' --by actor,ip
  vedette query 'user:system:serviceaccount:ci:deployer last:24h' --by ip,cred --new-since 7d
  vedette query 'actor:alice change:yes 12:05..14:05' --diff --sort asc
  vedette query 'sub:exec,attach,portforward ns:payments last:7d' --columns time,actor,name,cmd,duration
  vedette query 'code:403 last:1h' --by actor,resource --top 10
  vedette query 'code:>=400 last:12h' --histogram 30m          when

The search language is in docs/search.md. Below each answer stands what is kept: no hits is not the same as not kept.
Exit code: 0 answered (also with no hit), 1 failed, 2 wrong arguments or nobody there.")]
pub(crate) struct QueryCommand {
    /// What to search for, in the search language; several arguments must all hold
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    query: Vec<String>,
    /// Records or groups to show; 0 shows all records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// By time
    #[arg(long, value_enum, default_value_t = Sort::Desc)]
    sort: Sort,
    /// Columns to show: time, actor, user, verb, object, name, namespace, code, ip, cred, cmd, duration …
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Vec<String>,
    /// Group by one field or two: actor, ip, cred, resource, namespace, verb, code …
    #[arg(long, value_delimiter = ',', value_name = "FIELDS", conflicts_with_all = ["columns", "sort", "limit"])]
    by: Vec<String>,
    /// Groups to show
    #[arg(long, value_name = "N", default_value_t = 20, requires = "by")]
    top: u64,
    /// Mark groups that did not occur from so long ago until the query's beginning
    #[arg(long, value_name = "DURATION", requires = "by")]
    new_since: Option<String>,
    /// Show what each request changed
    #[arg(long, conflicts_with_all = ["by", "columns"])]
    diff: bool,
    /// Count events by time instead: 15m, 1h, 1d …
    #[arg(long, value_name = "INTERVAL", conflicts_with_all = ["by", "diff", "columns", "stats", "limit", "sort"])]
    histogram: Option<String>,
    /// Count events and requests instead
    #[arg(long, conflicts_with_all = ["by", "diff", "columns", "limit", "sort"])]
    stats: bool,
    /// `json` writes records as they are stored, one a line
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    console: ConsoleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// Newest first
    Desc,
    /// Oldest first
    Asc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

type Parameters = Vec<(&'static str, String)>;

impl QueryCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> Outcome {
        // Here rather than by the console's answer: a mistake is shown where it is.
        let query = self.query.join(" ");
        Search::parse(&query, jiff::Timestamp::now())
            .map_err(|error| Failure::usage(error.render(&query).trim_end()))?;
        let console = self.console.console()?;
        let runtime = crate::runtime()?;
        runtime.block_on(async {
            match &self.histogram {
                Some(interval) => self.histogram(&console, interval).await,
                None if self.stats => self.statistics(&console).await,
                None if !self.by.is_empty() => self.groups(&console).await,
                None if self.diff => self.changes(&console).await,
                None => self.records(&console).await,
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// The parameters that say which events.
    fn parameters(&self) -> Parameters {
        vec![("q", self.query.join(" "))]
    }

    fn sorted(&self) -> Parameters {
        let sort = if self.sort == Sort::Asc { "asc" } else { "desc" };
        [self.parameters(), vec![("sort", sort.to_owned())]].concat()
    }

    /// Asks for an answer that is read as a whole.
    async fn ask<T: DeserializeOwned>(console: &Console, path: &str, parameters: &Parameters) -> Result<T, Failure> {
        let text = console.text(path, parameters).await?;
        serde_json::from_str(&text).map_err(|error| console.strange().because(error))
    }
}
