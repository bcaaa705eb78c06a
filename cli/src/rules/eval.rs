//! `vedette rules eval`: what a set of rules decides about each event of a file, one JSON line an event, in order.
//!
//! Every event is decided by itself, as ingest and evaluator would: read, stripped to the audit level, decided.

use std::io::{BufRead, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use vedette_audit::event::BadCode;
use vedette_audit::list::{Cutter, Limits};
use vedette_audit::{Event, EventError, Level, MAX_EVENT_BYTES};
use vedette_rules::{Policy, Priority, RuleSet};

use super::compat::Compat;
use super::files;
use crate::outcome::{Failure, Outcome};
use crate::values::{self, MAX_VALUE_BYTES, Value, Values};

/// The name of the cluster that the events are said to come from.
const CLUSTER: &str = "default";

/// Decide the events of a file, one JSON line each
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules eval --rules deploy/rules --events audit.log
  zcat lists.ndjson.gz | vedette rules eval --rules my-rule.yaml --events - --audit-level Metadata

Exit code 1 if at least one event was bad; its line says why.")]
pub(crate) struct Eval {
    /// Files or folders with `Rule` resources; a `Webhook` among them gives selectors only
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    rules: Vec<PathBuf>,
    /// EventLists or single events, JSON values separated by any white space; gzip too; `-` is standard input
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// What events may hold when the rules see them: None, Metadata, Request or RequestResponse
    #[arg(long, value_name = "LEVEL", default_value = "RequestResponse")]
    audit_level: Level,
    /// Archiving rules below this store nothing: DEBUG, INFO or WARNING
    #[arg(long, value_name = "PRIORITY", default_value = "DEBUG")]
    archiving_priority: Priority,
    /// Alerting rules below this store instead of alerting
    #[arg(long, value_name = "PRIORITY", default_value = "WARNING")]
    alerting_priority: Priority,
    #[command(flatten)]
    compat: Compat,
    /// The output's format
    #[arg(short, long, value_enum, default_value_t = Format::Json)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
}

/// One line of output.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Decided {
        #[serde(rename = "auditID")]
        audit_id: &'a str,
        stage: &'a str,
        archive: bool,
        rules: Vec<&'a str>,
        alerts: Vec<Alert<'a>>,
    },
    Bad {
        error: Bad,
    },
}

#[derive(Serialize)]
struct Alert<'a> {
    rule: &'a str,
    priority: String,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct Bad {
    code: &'static str,
    message: String,
    line: u64,
}

impl Eval {
    /// Decides all events.
    pub(crate) fn run(self) -> Outcome {
        let Format::Json = self.output;
        let sources = files::read(&self.rules)?;
        let built = Policy::build_with(&sources, 1, |settings| {
            settings.audit_level = self.audit_level;
            settings.k8s_auditing_enabled = true;
            settings.archiving_priority = self.archiving_priority;
            settings.alerting_priority = self.alerting_priority;
            settings.dialect = self.compat.dialect();
        });
        let policy = match built {
            Ok(built) => built.policy,
            Err(diagnostics) => {
                files::print(&sources, &diagnostics);
                return Ok(ExitCode::FAILURE);
            }
        };
        let failed = |source| Failure::usage(format!("can't read `{}`", self.events.display())).because(source);
        let values = values::open(&self.events).map_err(failed)?;
        let out = BufWriter::new(std::io::stdout().lock());
        let mut eval = Run { rules: &policy.rules, level: self.audit_level, out, bad: false, event: Vec::new() };
        match eval.all(values).and_then(|()| eval.out.flush()) {
            Ok(()) if eval.bad => Ok(ExitCode::FAILURE),
            Ok(()) => Ok(ExitCode::SUCCESS),
            // Whoever reads has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Err(error) => Err(Failure::failed("can't write to standard output").because(error)),
        }
    }
}

struct Run<'a, W> {
    rules: &'a RuleSet,
    level: Level,
    out: W,
    bad: bool,
    /// The event as it goes on, kept for its room.
    event: Vec<u8>,
}

impl<W: Write> Run<'_, W> {
    fn all(&mut self, mut values: Values<impl BufRead>) -> std::io::Result<()> {
        while let Some(value) = values.next() {
            match value {
                Ok(value) => self.value(&value)?,
                Err(error) => {
                    self.fault(error.code(), error.to_string(), error.line())?;
                    values.recover();
                }
            }
        }
        Ok(())
    }

    /// A list or a single event.
    fn value(&mut self, value: &Value) -> std::io::Result<()> {
        let mut items = Vec::new();
        let mut cutter = Cutter::new(Limits { item_bytes: MAX_VALUE_BYTES, member_bytes: MAX_VALUE_BYTES });
        let cut = cutter.push(&value.bytes, &mut |item| {
            let start = usize::try_from(item.offset).unwrap_or(usize::MAX);
            items.push(start..start.saturating_add(item.bytes.len()));
        });
        match cut.and_then(|()| cutter.finish()) {
            Ok(_) => {}
            // No list: what an event is, or would be if it were good, is said of the whole.
            Err(_) if items.is_empty() => return self.event(&value.bytes, value.line),
            Err(error) => {
                let at = usize::try_from(error.offset).unwrap_or(usize::MAX).min(value.bytes.len());
                let line = value.line + lines(value.bytes.get(..at).unwrap_or_default());
                return self.fault(error.code.as_str(), error.to_string(), line);
            }
        }
        let (mut line, mut from) = (value.line, 0);
        for item in items {
            line += lines(value.bytes.get(from..item.start).unwrap_or_default());
            from = item.start;
            self.event(value.bytes.get(item).unwrap_or_default(), line)?;
        }
        Ok(())
    }

    fn event(&mut self, bytes: &[u8], line: u64) -> std::io::Result<()> {
        let event = match Event::parse(bytes) {
            Ok(event) => event,
            Err(error) => return self.bad_event(&error, bytes, line),
        };
        let (audit_id, stage) = (event.audit_id(), event.stage());
        let dropped = self.level == Level::None || event.recorded_level() == Some(Level::None);
        let mut stripped = std::mem::take(&mut self.event);
        stripped.clear();
        let decision = if dropped {
            Ok(vedette_rules::Decision::default())
        } else {
            event.rewrite(self.level, CLUSTER, &mut stripped);
            if stripped.len() > MAX_EVENT_BYTES {
                self.event = Vec::new();
                let message = "the event is over 8 MiB without its bodies".to_owned();
                return self.fault(BadCode::TooLarge.as_str(), message, line);
            }
            self.rules.decide(&stripped)
        };
        self.event = stripped;
        let decision = match decision {
            Ok(decision) => decision,
            Err(error) => return self.fault("unreadable", error.to_string(), line),
        };
        let name = |rule| self.rules.rule(rule).qualified.as_str();
        let line = Line::Decided {
            audit_id: &audit_id,
            stage: &stage,
            archive: decision.archive,
            rules: decision.matched.iter().map(|rule| name(*rule)).collect(),
            alerts: decision
                .alerts
                .iter()
                .map(|raised| Alert {
                    rule: name(raised.rule),
                    priority: self.rules.rule(raised.rule).priority.to_string(),
                    message: &raised.message,
                })
                .collect(),
        };
        write(&mut self.out, &line)
    }

    fn bad_event(&mut self, error: &EventError, bytes: &[u8], line: u64) -> std::io::Result<()> {
        let line = line + lines(bytes.get(..error.offset).unwrap_or_default());
        self.fault(error.code(), error.to_string(), line)
    }

    fn fault(&mut self, code: &'static str, message: String, line: u64) -> std::io::Result<()> {
        self.bad = true;
        write(&mut self.out, &Line::Bad { error: Bad { code, message, line } })
    }
}

fn write(out: &mut impl Write, line: &Line<'_>) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
