//! `vedette dead-letters`: what could not be processed, to look at, to try again, or to throw away.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::de::DeserializeOwned;
use vedette_console::api::{DeadLetter, DeadLetterPage, DeadLetterWhole};

use crate::console::{Console, ConsoleArgs, DEAD_LETTERS, Output};
use crate::outcome::{Failure, Outcome};
use crate::term::{self, plain};

/// Letters asked for at a time.
const PAGE: u64 = 200;

/// Look at what could not be processed, process it again, or throw it away
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette dead-letters list --service archiver                  newest first
  vedette dead-letters show 17                                  one with what is in it
  vedette dead-letters requeue 17 18                            once its cause is gone
  vedette dead-letters requeue --all --reason refused_by_archive --yes
  vedette dead-letters discard --all --service ingest --yes     for good

What ingest could not read can't be requeued: it is put right where it came from. docs/running.md says more.
Exit code: 0 done, 1 some of it could not be done, 2 wrong arguments or nobody there.")]
pub(crate) struct DeadLettersCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show dead letters, newest first
    List {
        #[command(flatten)]
        which: Which,
        /// Letters to show; 0 shows all
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u64,
        /// `json` writes the console's letters, one a line
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        console: ConsoleArgs,
    },
    /// Show one letter with what is in it, secrets included: at most 1 MiB
    Show {
        /// The letter
        sequence: u64,
        /// `json` writes the console's answer
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        console: ConsoleArgs,
    },
    /// Process what is in letters again; they are removed
    Requeue(End),
    /// Remove letters for good
    Discard(End),
}

/// Which letters.
#[derive(Debug, Args)]
struct Which {
    /// Those of ingest, evaluator, archiver or alerter
    #[arg(long)]
    service: Option<String>,
    /// Those of one reason
    #[arg(long)]
    reason: Option<String>,
    /// Those of one cluster
    #[arg(long)]
    cluster: Option<String>,
}

/// Letters that are dealt with.
#[derive(Debug, Args)]
struct End {
    /// The letters
    #[arg(value_name = "SEQUENCE", required_unless_present = "all", conflicts_with_all = ["all", "service", "reason", "cluster"])]
    sequences: Vec<u64>,
    /// All letters, or all of a service, reason or cluster
    #[arg(long)]
    all: bool,
    /// Do it: without this, --all only says how many there are
    #[arg(long, requires = "all")]
    yes: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    console: ConsoleArgs,
}

/// What is done with letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Requeue,
    Discard,
}

/// How letters were dealt with.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    done: u64,
    failed: u64,
    /// Can't be requeued, and were not asked for one by one.
    stay: u64,
}

impl DeadLettersCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> Outcome {
        let runtime = crate::runtime()?;
        match self.action {
            Action::List { which, limit, output, console } => {
                runtime.block_on(list(&console.console()?, &which, limit, output))
            }
            Action::Show { sequence, output, console } => runtime.block_on(show(&console.console()?, sequence, output)),
            Action::Requeue(end) => runtime.block_on(end.deal(Deed::Requeue)),
            Action::Discard(end) => runtime.block_on(end.deal(Deed::Discard)),
        }
    }
}

async fn list(console: &Console, which: &Which, limit: u64, output: Output) -> Outcome {
    let wanted = if limit == 0 { u64::MAX } else { limit };
    let mut table =
        term::table(&["SEQUENCE", "TIME (UTC)", "SERVICE", "CLUSTER", "REASON", "SIZE", "REQUEUEABLE", "DETAIL"]);
    let (mut shown, mut pages) = (0, Pages::of(console, which));
    while let Some(letters) = pages.next((wanted - shown).min(PAGE)).await? {
        for letter in letters {
            shown += 1;
            match output {
                Output::Json => {
                    let line = serde_json::to_string(&letter).map_err(|error| console.strange().because(error))?;
                    term::write(format!("{line}\n").as_bytes())?;
                }
                Output::Table => {
                    table.add_row(row(&letter));
                }
            }
        }
        if shown >= wanted {
            break;
        }
    }
    if output == Output::Table {
        if shown > 0 {
            term::write(format!("{}\n", table.trim_fmt()).as_bytes())?;
        }
        let letters = term::count(shown, "dead letter", "dead letters");
        let more = if pages.over { "" } else { " shown; there may be more (--limit 0 shows all)" };
        term::write(format!("{letters}{more}\n").as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(console: &Console, sequence: u64, output: Output) -> Outcome {
    let text = console.one(Method::GET, &format!("{DEAD_LETTERS}/{sequence}")).await?;
    let text = text.map_err(Failure::failed)?;
    if output == Output::Json {
        term::write(format!("{text}\n").as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let DeadLetterWhole { letter, payload, base64, truncated } = read(console, &text)?;
    let requeueable = letter.why.as_deref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
    let sequence = letter.sequence.to_string();
    let how = match (base64, truncated) {
        (false, false) => "",
        (true, false) => ", in base64",
        (false, true) => ", the first 1 MiB",
        (true, true) => ", the first 1 MiB in base64",
    };
    let size = format!("{}{how}", term::bytes(letter.bytes));
    let lines = [
        ("sequence", &sequence),
        ("time", &letter.time),
        ("service", &letter.service),
        ("cluster", &letter.cluster),
        ("reason", &letter.reason),
        ("detail", &letter.detail),
        ("batch", &letter.batch),
        ("requeueable", &requeueable),
        ("payload", &size),
    ];
    let lines = lines.map(|(name, value)| format!("{name:<12} {}\n", plain(value))).concat();
    let payload: Vec<String> = payload.lines().map(plain).collect();
    term::write(format!("{lines}\n{}\n", payload.join("\n")).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn row(letter: &DeadLetter) -> [String; 8] {
    let time = letter.time.get(..19).unwrap_or(&letter.time).replace('T', " ");
    let requeueable = if letter.requeueable { "yes" } else { "no" };
    [
        letter.sequence.to_string(),
        plain(&time),
        plain(&letter.service),
        plain(&letter.cluster),
        plain(&letter.reason),
        term::bytes(letter.bytes),
        requeueable.to_owned(),
        plain(&letter.detail),
    ]
}

impl End {
    async fn deal(self, deed: Deed) -> Outcome {
        let console = self.console.console()?;
        let mut tally = Tally::default();
        if !self.all {
            for sequence in &self.sequences {
                tally.add(deed.to(&console, *sequence).await?);
            }
        } else if self.yes {
            let mut pages = Pages::of(&console, &self.which);
            while let Some(letters) = pages.next(PAGE).await? {
                for letter in letters {
                    match deed == Deed::Requeue && !letter.requeueable {
                        true => tally.stay += 1,
                        false => tally.add(deed.to(&console, letter.sequence).await?),
                    }
                }
            }
        } else {
            return Err(self.count(&console, deed).await?);
        }
        let mut text = format!("{} {}", term::count(tally.done, "dead letter", "dead letters"), deed.done());
        if tally.stay > 0 {
            text.push_str(&format!(", {} can't be", term::thousands(tally.stay)));
        }
        if tally.failed > 0 {
            text.push_str(&format!(", {} failed", term::thousands(tally.failed)));
        }
        term::write(format!("{text}\n").as_bytes())?;
        Ok(ExitCode::from(u8::from(tally.failed > 0)))
    }

    /// What `--yes` would be about.
    async fn count(&self, console: &Console, deed: Deed) -> Result<Failure, Failure> {
        let (mut all, mut requeueable, mut pages) = (0, 0, Pages::of(console, &self.which));
        while let Some(letters) = pages.next(PAGE).await? {
            all += letters.len() as u64;
            requeueable += letters.iter().filter(|letter| letter.requeueable).count() as u64;
        }
        let letters = term::count(all, "dead letter", "dead letters");
        let what = match deed {
            Deed::Requeue => format!("{letters}, of which {} can be requeued", term::thousands(requeueable)),
            Deed::Discard => letters,
        };
        Ok(Failure::usage(format!("nothing is done without --yes: {what}")).help("add --yes, or narrow it down"))
    }
}

impl Deed {
    /// Does it to one letter. Whether it was done: that this one can't be is said, and is no reason not to go on.
    async fn to(self, console: &Console, sequence: u64) -> Result<bool, Failure> {
        let (method, path) = match self {
            Self::Requeue => (Method::POST, format!("{DEAD_LETTERS}/{sequence}/requeue")),
            Self::Discard => (Method::DELETE, format!("{DEAD_LETTERS}/{sequence}")),
        };
        match console.one(method, &path).await? {
            Ok(_) => Ok(true),
            Err(why) => {
                Failure::failed(format!("dead letter {sequence}: {}", plain(&why))).print();
                Ok(false)
            }
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Requeue => "requeued",
            Self::Discard => "discarded",
        }
    }
}

impl Tally {
    fn add(&mut self, done: bool) {
        self.done += u64::from(done);
        self.failed += u64::from(!done);
    }
}

/// The pages of letters, one after the other.
struct Pages<'a> {
    console: &'a Console,
    which: Vec<(&'static str, String)>,
    cursor: Option<String>,
    over: bool,
}

impl<'a> Pages<'a> {
    fn of(console: &'a Console, which: &Which) -> Self {
        let named = [("service", &which.service), ("reason", &which.reason), ("cluster", &which.cluster)];
        let which = named.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
        Self { console, which, cursor: None, over: false }
    }

    /// The next page; none after the last. May be empty.
    async fn next(&mut self, limit: u64) -> Result<Option<Vec<DeadLetter>>, Failure> {
        if self.over {
            return Ok(None);
        }
        let mut query = self.which.clone();
        query.push(("limit", limit.to_string()));
        query.extend(self.cursor.take().map(|cursor| ("cursor", cursor)));
        let page: DeadLetterPage = read(self.console, &self.console.text(DEAD_LETTERS, &query).await?)?;
        self.cursor = page.next;
        self.over = self.cursor.is_none();
        Ok(Some(page.items))
    }
}

fn read<T: DeserializeOwned>(console: &Console, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| console.strange().because(error))
}
