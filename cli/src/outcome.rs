//! How a command ends: its exit code, and what is said when it could not do what was asked.
use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use vedette_service::chain;

use crate::term;

/// What a command gives back.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Why a command could not do what was asked, and the way out.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    help: Option<String>,
}

impl Failure {
    /// The question was wrong, or nobody was there to answer it: exit code 2.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { code: 2, what: what.into(), source: None, help: None }
    }

    /// It was tried and did not work: exit code 1.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self { code: 1, ..Self::usage(what) }
    }

    /// The same with exit code 2, where 1 is an answer.
    pub(crate) fn or_usage(self) -> Self {
        Self { code: 2, ..self }
    }

    /// The error behind it; its own causes are printed too.
    pub(crate) fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What to do about it.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Says it on standard error.
    pub(crate) fn print(&self) {
        eprintln!("{}", self.render(term::stderr_color()));
    }

    /// The text for people: `error: …`, its causes, `help: …`.
    pub(crate) fn render(&self, color: bool) -> String {
        let mut text = format!("{} {}", term::Paint::Red.over("error:", color), self.what);
        if let Some(source) = &self.source {
            let _ = write!(text, ": {}", chain(source.as_ref()));
        }
        if let Some(help) = &self.help {
            let _ = write!(text, "\n {} {help}", term::Paint::Cyan.over("help:", color));
        }
        text
    }
}

/// Prints what went wrong and gives the exit code.
pub(crate) fn finish(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn a_failure_names_its_causes_once_and_the_way_out() {
        let io = std::io::Error::other("no such file");
        let failure = Failure::usage("can't read `a`").because(io).help("name another");
        assert_eq!(failure.render(false), "error: can't read `a`: no such file\n help: name another");
    }
}
