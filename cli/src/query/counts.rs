//! Counting: how many, and when.

use vedette_console::api::{Coverage, Histogram, Statistics};

use super::{Output, QueryCommand, columns, coverage};
use crate::console::{COVERAGE, Console, HISTOGRAM, STATISTICS};
use crate::outcome::Failure;
use crate::term::{self, Paint};

/// Characters of the longest bar.
const WIDTH: u64 = 40;

impl QueryCommand {
    pub(super) async fn statistics(&self, console: &Console) -> Result<(), Failure> {
        let found: Statistics = Self::ask(console, STATISTICS, &self.parameters()).await?;
        match self.output {
            Output::Json => {
                term::write(format!("{{\"events\":{},\"requests\":{}}}\n", found.events, found.requests).as_bytes())
            }
            Output::Table | Output::Csv => {
                let events = term::count(found.events, "event", "events");
                let requests = term::count(found.requests, "request", "requests");
                term::write(format!("{events} of {requests}\n").as_bytes())?;
                self.coverage(console).await
            }
        }
    }

    pub(super) async fn histogram(&self, console: &Console, interval: &str) -> Result<(), Failure> {
        let mut parameters = self.parameters();
        parameters.push(("interval", interval.to_owned()));
        let found: Histogram = Self::ask(console, HISTOGRAM, &parameters).await?;
        if self.output == Output::Json {
            for bucket in &found.buckets {
                let (time, count) = (&bucket.time, bucket.count);
                term::write(format!("{{\"time\":\"{time}\",\"count\":{count}}}\n").as_bytes())?;
            }
            return Ok(());
        }
        let most = found.buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
        let digits = term::thousands(most).len();
        for bucket in &found.buckets {
            // Something is never shown as nothing.
            let length = (bucket.count * WIDTH).div_ceil(most);
            let bar = "█".repeat(usize::try_from(length).unwrap_or_default());
            let time = columns::time(&bucket.time);
            term::write(format!("{time}  {:>digits$}  {bar}\n", term::thousands(bucket.count)).as_bytes())?;
        }
        let summary = term::count(found.total, "event", "events");
        term::write(format!("{}\n", Paint::Dim.over(&summary, term::stdout_color())).as_bytes())?;
        self.coverage(console).await
    }

    async fn coverage(&self, console: &Console) -> Result<(), Failure> {
        let kept: Coverage = Self::ask(console, COVERAGE, &self.parameters()).await?;
        coverage::write(&kept)
    }
}
