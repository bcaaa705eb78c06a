//! Logs of `vedette up`: everything to a file, what needs attention to the terminal too.
//!
//! The terminal belongs to the summary. Five services in one process say some things several times over, such as what is wrong
//! with the rules: there the same line is shown once.
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::term::{self, Paint};

/// What goes to the file when `RUST_LOG` says nothing.
const FILTER: &str = "info,async_nats=warn,hyper=warn,rustls=warn,tantivy=warn,opentelemetry=warn";
/// A line that was shown within this time is not shown again.
const AGAIN: Duration = Duration::from_secs(5);
const REMEMBERED: usize = 64;

/// What of the log the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Shown {
    Nothing,
    /// While the summary is written, which says what else there is to say.
    Errors,
    /// From then on.
    Warnings,
}

/// Switches what the terminal shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terminal(Arc<AtomicU8>);

impl Terminal {
    /// From now on.
    pub(crate) fn show(&self, what: Shown) {
        self.0.store(what as u8, Ordering::Relaxed);
    }

    fn shows(&self, what: Shown) -> bool {
        self.0.load(Ordering::Relaxed) >= what as u8
    }
}

/// Logs to `file` (that of the last start is kept beside it), and to the terminal as that is told to show.
pub(crate) fn init(file: &Path) -> io::Result<Terminal> {
    if file.exists() {
        fs::rename(file, file.with_extension("log.1"))?;
    }
    let out = File::create(file)?;
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(filter).map_err(io::Error::other)?,
        _ => EnvFilter::new(FILTER),
    };
    let terminal = Terminal::default();
    let to_file = tracing_subscriber::fmt::layer().with_writer(Mutex::new(out)).with_ansi(false).with_target(false);
    let to_terminal =
        Screen { open: terminal.clone(), shown: Mutex::new(VecDeque::new()), color: term::stderr_color() };
    // Spans are for a collector of traces, which the services have when they run by themselves.
    let events = filter_fn(|metadata| metadata.is_event());
    tracing_subscriber::registry()
        .with(filter)
        .with(events)
        .with(to_file)
        .with(to_terminal)
        .try_init()
        .map_err(io::Error::other)?;
    Ok(terminal)
}

struct Screen {
    open: Terminal,
    shown: Mutex<VecDeque<(Instant, String)>>,
    color: bool,
}

impl Screen {
    fn is_new(&self, line: &str) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        shown.retain(|(at, _)| now.duration_since(*at) < AGAIN);
        if shown.iter().any(|(_, before)| before == line) {
            return false;
        }
        shown.push_back((now, line.to_owned()));
        if shown.len() > REMEMBERED {
            shown.pop_front();
        }
        true
    }
}

impl<S: Subscriber> Layer<S> for Screen {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let wanted = match level {
            Level::ERROR => self.open.shows(Shown::Errors),
            Level::WARN => self.open.shows(Shown::Warnings),
            _ => false,
        };
        if !wanted {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let text = line.text();
        if self.is_new(&text) {
            let (paint, word) = if level == Level::ERROR { (Paint::Red, "error") } else { (Paint::Yellow, "warning") };
            // Nobody to tell is no reason to end.
            let _ = writeln!(io::stderr(), " {} {text}", paint.over(&format!("{word}:"), self.color));
        }
    }
}

/// An event as one line: what happened, then to what.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn text(self) -> String {
        if self.fields.is_empty() { self.message } else { format!("{}: {}", self.message, self.fields) }
    }

    fn add(&mut self, name: &str, value: fmt::Arguments<'_>) {
        if name == "message" {
            let _ = write!(self.message, "{value}");
            return;
        }
        if !self.fields.is_empty() {
            self.fields.push_str(", ");
        }
        // These speak for themselves.
        let bare = matches!(name, "diagnostic" | "error" | "reason");
        let _ = if bare { write!(self.fields, "{value}") } else { write!(self.fields, "{name} {value}") };
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::{Line, Screen, Terminal};

    #[test]
    fn a_line_is_shown_once() {
        let screen = Screen { open: Terminal::default(), shown: Mutex::new(VecDeque::new()), color: false };
        assert!(screen.is_new("a"));
        assert!(screen.is_new("b"));
        assert!(!screen.is_new("a"));
        for number in 0..100 {
            assert!(screen.is_new(&number.to_string()));
        }
        assert!(screen.is_new("a"), "not everything is remembered");
    }

    #[test]
    fn what_happened_comes_first() {
        let mut line = Line::default();
        line.add("diagnostic", format_args!("a.yaml:1:2: error"));
        line.add("message", format_args!("refused in the rules"));
        line.add("count", format_args!("3"));
        assert_eq!(line.text(), "refused in the rules: a.yaml:1:2: error, count 3");
    }
}
