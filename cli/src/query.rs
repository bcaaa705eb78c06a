//! `vedette query`: the archive from the terminal, always through the console.

mod change;
mod columns;
mod counts;
mod coverage;
mod follow;
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
  vedette query 'is:denied' --follow                           as they come

The search language is in docs/search.md. Below each answer stands what is kept: no hits is not the same as not kept.
Exit code: 0 answered (also with no hit), 1 failed, 2 wrong arguments or nobody there.")]
pub(crate) struct QueryCommand {
    /// What to search for, in the search language: see docs/search.md. Quote it, so that the shell leaves it as it is
    #[arg(allow_hyphen_values = true)]
    query: Option<String>,
    /// The rest of a query that was not quoted. Apart from the first, since a list that may begin with hyphens takes flags, too.
    #[arg(hide = true)]
    more: Vec<String>,
    /// Requests to show (with -o json records); 0 shows all
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// By time
    #[arg(long, value_enum, default_value_t = Sort::Desc)]
    sort: Sort,
    /// A row for each stage of a request, rather than for the last one that is kept
    #[arg(long, conflicts_with_all = ["by", "diff"])]
    stages: bool,
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
    /// Show events as they come, until Ctrl-C
    #[arg(short, long, conflicts_with_all = ["by", "diff", "histogram", "stats", "limit", "sort"])]
    follow: bool,
    /// `json` writes records as they are stored, one a line; with --by and --diff the console's answers, with --follow its
    /// events. `csv` is for records alone
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
    /// For spreadsheets
    Csv,
}

type Parameters = Vec<(&'static str, String)>;

impl QueryCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> Outcome {
        // Here rather than by the console's answer: a mistake is shown where it is.
        let query = self.text();
        let search = Search::parse(&query, jiff::Timestamp::now())
            .map_err(|error| Failure::usage(error.render(&query).trim_end()))?;
        if self.follow && search.end_micros.is_some() {
            return Err(Failure::usage("what is followed has no end").help("leave out the query's time"));
        }
        if self.output == Output::Csv
            && (self.follow || self.diff || self.stats || self.histogram.is_some() || !self.by.is_empty())
        {
            return Err(Failure::usage("`-o csv` is for records alone").help("`-o json` is for every answer"));
        }
        let console = self.console.console()?;
        let runtime = crate::runtime()?;
        if self.follow {
            return runtime.block_on(self.follow(&console));
        }
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
        vec![("q", self.text())]
    }

    fn text(&self) -> String {
        self.query.iter().chain(&self.more).map(String::as_str).collect::<Vec<_>>().join(" ")
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
