//! `vedette query`: the archive from the terminal, always through the console.
mod filters;
mod record;
mod time;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use comfy_table::Cell;
use serde::Deserialize;

use crate::console::{Console, ConsoleArgs, EVENTS};
use crate::outcome::{Failure, Outcome};
use crate::term::{self, Paint};

use filters::Filters;
use record::Record;

/// Search the archive
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette query --subresource exec --last 12h            who executed what
  vedette query --user-search serviceaccount:ci --last 24h --code 403
  vedette query --resource secrets --namespace payments --verb get,list,watch --last 7d -o json
  vedette query --histogram 30m --last 12h --code 403    when
  vedette query --stats --last 1d

Filters given several times, or with commas, match any of their values; different filters must all match. Filters are
exact, `…-search` finds a part without regard to case; resource and subresource match from their beginning.
Exit code: 0 answered (also with no hit), 1 failed, 2 wrong arguments or nobody there.")]
pub(crate) struct QueryCommand {
    #[command(flatten)]
    filters: Filters,
    /// Records to show; 0 shows all
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u64,
    /// By time
    #[arg(long, value_enum, default_value_t = Sort::Desc)]
    sort: Sort,
    /// Count events by time instead: 15m, 1h, 1d …
    #[arg(long, value_name = "INTERVAL", conflicts_with_all = ["stats", "limit", "sort"])]
    histogram: Option<String>,
    /// Count events and requests instead
    #[arg(long, conflicts_with_all = ["limit", "sort"])]
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
        let parameters = self.filters.parameters(jiff::Timestamp::now())?;
        let console = self.console.console()?;
        let runtime = crate::runtime()?;
        runtime.block_on(async {
            match (&self.histogram, self.stats) {
                (Some(interval), _) => self.histogram(&console, parameters, interval).await,
                (None, true) => self.statistics(&console, parameters).await,
                (None, false) => self.records(&console, parameters).await,
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }

    async fn records(&self, console: &Console, mut parameters: Parameters) -> Result<(), Failure> {
        let sort = if self.sort == Sort::Asc { "asc" } else { "desc" };
        parameters.push(("sort", sort.to_owned()));
        let total = self.total(console, &parameters).await?;
        // Every record that matches, in constant memory on both sides; what is not wanted any more is not asked for.
        parameters.push(("operation", "export".to_owned()));
        let mut lines = console.lines(EVENTS, &parameters).await?;
        let limit = if self.limit == 0 { u64::MAX } else { self.limit };
        let mut shown = 0;
        let mut table = term::table(["TIME (UTC)", "USER", "VERB", "OBJECT", "CODE", "SOURCE"]);
        while shown < limit
            && let Some(line) = lines.next().await?
        {
            shown += 1;
            match self.output {
                Output::Json => term::write(&[line.as_slice(), b"\n"].concat())?,
                Output::Table => {
                    let record: Record =
                        serde_json::from_slice(&line).map_err(|error| console.strange().because(error))?;
                    table.add_row(record.cells().map(Cell::new));
                }
            }
        }
        if self.output == Output::Table {
            if shown > 0 {
                term::write(format!("{}\n", table.trim_fmt()).as_bytes())?;
            }
            let more = if shown < total {
                format!(", {} shown (--limit 0 shows all)", term::thousands(shown))
            } else {
                String::new()
            };
            let summary = format!("{}{more}", term::count(total, "record", "records"));
            term::write(format!("{}\n", Paint::Dim.over(&summary, term::stdout_color())).as_bytes())?;
        }
        Ok(())
    }

    async fn total(&self, console: &Console, parameters: &Parameters) -> Result<u64, Failure> {
        let mut parameters = parameters.clone();
        parameters.push(("size", "0".to_owned()));
        let answer: Answer = ask(console, &parameters).await?;
        Ok(answer.query.ok_or_else(|| console.strange())?.total)
    }

    async fn statistics(&self, console: &Console, mut parameters: Parameters) -> Result<(), Failure> {
        parameters.push(("operation", "statistics".to_owned()));
        let answer: Answer = ask(console, &parameters).await?;
        let found = answer.statistics.ok_or_else(|| console.strange())?;
        match self.output {
            Output::Json => {
                term::write(format!("{{\"events\":{},\"requests\":{}}}\n", found.events, found.resources).as_bytes())
            }
            Output::Table => {
                let events = term::count(found.events, "event", "events");
                term::write(format!("{events} of {}\n", term::count(found.resources, "request", "requests")).as_bytes())
            }
        }
    }

    async fn histogram(&self, console: &Console, mut parameters: Parameters, interval: &str) -> Result<(), Failure> {
        parameters.push(("operation", "histogram".to_owned()));
        parameters.push(("interval", interval.to_owned()));
        let answer: Answer = ask(console, &parameters).await?;
        let found = answer.histogram.ok_or_else(|| console.strange())?;
        let buckets = found.buckets.unwrap_or_default();
        if self.output == Output::Json {
            for bucket in &buckets {
                term::write(format!("{{\"time\":\"{}\",\"count\":{}}}\n", bucket.time(), bucket.count).as_bytes())?;
            }
            return Ok(());
        }
        const WIDTH: u64 = 40;
        let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
        let digits = term::thousands(most).len();
        for bucket in &buckets {
            // Something is never shown as nothing.
            let length = (bucket.count * WIDTH).div_ceil(most);
            let bar = "█".repeat(usize::try_from(length).unwrap_or_default());
            let time = record::short_time(bucket.time());
            term::write(format!("{time}  {:>digits$}  {bar}\n", term::thousands(bucket.count)).as_bytes())?;
        }
        let summary = term::count(found.total, "event", "events");
        term::write(format!("{}\n", Paint::Dim.over(&summary, term::stdout_color())).as_bytes())
    }
}

async fn ask(console: &Console, parameters: &Parameters) -> Result<Answer, Failure> {
    let text = console.text(EVENTS, parameters).await?;
    serde_json::from_str(&text).map_err(|error| console.strange().because(error))
}

#[derive(Debug, Deserialize)]
struct Answer {
    query: Option<Found>,
    statistics: Option<Statistics>,
    histogram: Option<Histogram>,
}

#[derive(Debug, Deserialize)]
struct Found {
    total: u64,
}

#[derive(Debug, Deserialize)]
struct Statistics {
    resources: u64,
    events: u64,
}

#[derive(Debug, Deserialize)]
struct Histogram {
    total: u64,
    buckets: Option<Vec<Bucket>>,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    /// Milliseconds since the Unix epoch.
    time: i64,
    count: u64,
}

impl Bucket {
    fn time(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.time).unwrap_or_default()
    }
}
