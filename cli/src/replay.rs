//! `vedette replay`: what a file holds, sent to a webhook as a kube-apiserver would send it.
mod lists;
mod report;
mod send;
pub(crate) mod webhook;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use tokio::sync::mpsc;

pub(crate) use lists::{List, Lists};
pub(crate) use report::Report;
pub(crate) use send::{Retry, Sender};

use crate::home::{self, Home};
use crate::http::{self, Trust};
use crate::outcome::{Failure, Outcome};
use crate::{progress, term, values};

/// Lists read ahead of the senders.
const AHEAD: usize = 4;

/// Send a file of audit events to a webhook as a kube-apiserver would
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette replay audit.log                          to the webhook of `vedette up`
  vedette replay lists.ndjson.gz --cluster edge-1 --rate 500
  vedette replay - --url https://10.0.0.7:6443/audit/webhook/event --ca ca.crt --token-file token <audit.log

Lists are sent as they are; single events (a kube-apiserver's log file) are gathered into lists. What is not accepted
is tried five times in all, after 10 s, 15 s, 22.5 s and 33.75 s, and `Retry-After` is obeyed.
Exit code: 0 all accepted, 1 something was not, 2 wrong arguments.")]
pub(crate) struct ReplayCommand {
    /// EventLists or single events, as JSON separated by any white space; gzip is recognised; `-` is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The webhook; without a path, /audit/webhook/event
    #[arg(long, env = "VEDETTE_WEBHOOK_URL", default_value = "https://127.0.0.1:8443/audit/webhook/event")]
    url: reqwest::Url,
    /// The cluster that the events are sent for; goes behind the path
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Send at most so many events a second
    #[arg(long, value_name = "EVENTS")]
    rate: Option<NonZeroU32>,
    /// Bearer token of the sender
    #[arg(long, env = "VEDETTE_WEBHOOK_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    token: Option<String>,
    /// A file with the bearer token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Verify the webhook with these certificates (PEM) [default: those of `vedette up`, else the system's]
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_skip_tls_verify")]
    ca: Option<PathBuf>,
    /// Take any certificate, as the kubeconfig in KubeSphere's documents does
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Single events in one list
    #[arg(long, value_name = "EVENTS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch_size: u32,
    /// Lists under way at once
    #[arg(long, value_name = "LISTS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// Attempts for a list, the first included
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
    /// Milliseconds to wait after the first attempt; each further wait is half as long again
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    backoff_ms: u64,
    /// How the summary is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    home: Home,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One JSON object
    Json,
}

impl ReplayCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> Outcome {
        let sender = self.sender()?;
        let name = self.file.display().to_string();
        let values =
            values::open(&self.file).map_err(|error| Failure::usage(format!("can't read `{name}`")).because(error))?;
        let lists = Lists::new(values, self.batch_size as usize);
        let runtime = crate::runtime()?;
        let (report, ended) = runtime.block_on(self.send(sender, lists));
        runtime.shutdown_timeout(Duration::from_secs(1));
        match self.output {
            Output::Table => term::write(report.render(term::stdout_color()).as_bytes())?,
            Output::Json => term::write(format!("{}\n", report.json()).as_bytes())?,
        }
        match ended {
            End::Unreadable(error) => Err(Failure::failed(format!("`{name}` can't be read to its end")).because(error)),
            End::Interrupted => Ok(ExitCode::from(130)),
            End::Done => Ok(ExitCode::from(u8::from(!report.all_accepted()))),
        }
    }

    fn sender(&self) -> Result<Sender, Failure> {
        let url = webhook::address(self.url.clone(), self.cluster.as_deref())?;
        let own = self.home.webhook_ca();
        let trust = match (&self.ca, self.insecure_skip_tls_verify) {
            (_, true) => Trust::Anyone,
            (Some(file), _) => Trust::File(file),
            (None, _) if own.exists() && webhook::is_local(&url) => Trust::File(&own),
            (None, _) => Trust::System,
        };
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(file)) => Some(home::read_token(file)?),
            (None, None) => None,
        };
        let authorization = token.as_deref().map(home::bearer).transpose()?;
        let retry = Retry { attempts: self.attempts, backoff: Duration::from_millis(self.backoff_ms) };
        Ok(Sender::new(http::client("vedette-replay", trust)?, url, authorization, retry))
    }

    async fn send<R>(&self, sender: Sender, lists: Lists<R>) -> (Report, End)
    where
        R: std::io::BufRead + Send + 'static,
    {
        let bar = progress::events(None);
        let mut report = Report::default();
        let started = Instant::now();
        let (to, from) = mpsc::channel(AHEAD);
        // Reading and unpacking block. The reader ends when the senders are gone.
        let reader = tokio::task::spawn_blocking(move || {
            for list in lists {
                match list {
                    Ok(list) => {
                        if to.blocking_send(list).is_err() {
                            return None;
                        }
                    }
                    Err(error) => return Some(error),
                }
            }
            None
        });
        let mut pace = Pace::new(self.rate);
        let paced = futures::stream::unfold(from, async |mut from| Some((from.recv().await?, from)));
        let paced = paced.then(|list: List| {
            let due = pace.due(list.events);
            async move {
                if let Some(due) = due {
                    tokio::time::sleep_until(due.into()).await;
                }
                list
            }
        });
        let deliveries = paced.map(|list| {
            let sender = sender.clone();
            async move { (list.events, list.body.len() as u64, sender.send(list.body).await) }
        });
        let mut deliveries = std::pin::pin!(deliveries.buffer_unordered(usize::from(self.concurrency)));
        let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
        let mut interrupted = false;
        loop {
            tokio::select! {
                _ = &mut interrupt => {
                    interrupted = true;
                    break;
                }
                next = deliveries.next() => match next {
                    None => break,
                    Some((events, bytes, delivery)) => {
                        report.add(events, bytes, delivery);
                        bar.inc(events);
                    }
                },
            }
        }
        report.took = started.elapsed();
        bar.finish_and_clear();
        if interrupted {
            return (report, End::Interrupted);
        }
        match reader.await {
            Ok(Some(error)) => (report, End::Unreadable(error.into())),
            Ok(None) => (report, End::Done),
            Err(error) => (report, End::Unreadable(error.into())),
        }
    }
}

/// How the file came to its end.
enum End {
    Done,
    Interrupted,
    Unreadable(Box<dyn std::error::Error + Send + Sync>),
}

/// When the next list may be sent.
struct Pace {
    rate: Option<f64>,
    started: Instant,
    events: u64,
}

impl Pace {
    fn new(rate: Option<NonZeroU32>) -> Self {
        Self { rate: rate.map(|rate| f64::from(rate.get())), started: Instant::now(), events: 0 }
    }

    /// When a list of `events` is due: after the time that those before it take at this rate.
    fn due(&mut self, events: u64) -> Option<Instant> {
        let before = self.events;
        self.events += events;
        Some(self.started + Duration::from_secs_f64(before as f64 / self.rate?))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn lists_are_due_when_those_before_them_have_had_their_time() {
        let mut pace = Pace::new(NonZeroU32::new(100));
        let due = [50, 100, 1].map(|events| pace.due(events).unwrap() - pace.started);
        assert_eq!(due, [0, 500, 1500].map(Duration::from_millis));
        assert_eq!(Pace::new(None).due(5), None);
    }
}
