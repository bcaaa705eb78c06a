//! `vedette rules test`: the users' own tests of their rules, run and reported as tests are.
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use vedette_audit::Level;
use vedette_rules::Policy;
use vedette_rules::cases::{self, CaseResult, Failure as CaseFailure};

use super::compat::Compat;
use super::files;
use crate::outcome::{Failure, Outcome};
use crate::term::{self, Paint};

/// Run the tests of rules, `RuleTest` resources beside them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules test deploy/rules
  vedette rules test my-rules.yaml my-tests.yaml

A test:
  apiVersion: auditing.vedette.io/v1alpha1
  kind: RuleTest
  metadata: {name: pods}
  spec:
    events:
      create: {level: RequestResponse, verb: create, objectRef: {resource: pods}}
    cases:
    - name: a pod is created
      event: create
      rules: [alerting-rule.ResourceChange]
    - name: not if it is only read
      event: create
      patch: {verb: get}
      rules: []

Exit code 1 if a case fails or there is none.")]
pub(crate) struct Test {
    /// Files or folders with `Rule` and `RuleTest` resources: one set
    #[arg(value_name = "PATH", required = true, num_args = 1..)]
    paths: Vec<PathBuf>,
    /// What events may hold when the rules see them: None, Metadata, Request or RequestResponse
    #[arg(long, value_name = "LEVEL", default_value = "RequestResponse")]
    audit_level: Level,
    #[command(flatten)]
    compat: Compat,
}

impl Test {
    /// Runs the cases.
    pub(crate) fn run(self) -> Outcome {
        let sources = files::read(&self.paths)?;
        let built = Policy::build_with(&sources, 1, |settings| {
            settings.audit_level = self.audit_level;
            settings.dialect = self.compat.dialect();
        });
        let results = built.and_then(|built| cases::run(&sources, &built.policy));
        let results = match results {
            Ok(results) => results,
            Err(diagnostics) => {
                files::print(&sources, &diagnostics);
                return Ok(ExitCode::FAILURE);
            }
        };
        if results.is_empty() {
            let failure = Failure::failed("there is no test among these files");
            return Err(failure.help("a test is a resource of kind `RuleTest`: see `vedette rules test --help`"));
        }
        term::write(report(&results, term::stdout_color()).as_bytes())?;
        let passed = results.iter().all(|result| result.failure.is_none());
        Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A line for each case, more for one that failed, and the count.
fn report(results: &[CaseResult], color: bool) -> String {
    let mut out = String::new();
    let mut failed = 0;
    for CaseResult { test, name, file, line, failure } in results {
        // Writing to a string cannot fail.
        let Some(failure) = failure else {
            let _ = writeln!(out, "{} {test}: {name}", Paint::Green.over("PASS", color));
            continue;
        };
        failed += 1;
        let _ = writeln!(out, "{} {test}: {name}\n  --> {file}:{line}", Paint::Red.over("FAIL", color));
        match failure {
            CaseFailure::BadEvent(why) => {
                let _ = writeln!(out, "  the event is none: {why}");
            }
            CaseFailure::Rules { missing, unexpected, undecided } => {
                for rule in missing {
                    let left_out = undecided.iter().find(|(name, _)| name == rule);
                    let why = left_out.map_or("expected, and does not hold".to_owned(), |(_, field)| {
                        format!("undecided, since the event's level left out {field}")
                    });
                    let _ = writeln!(out, "  - {rule}: {why}");
                }
                for rule in unexpected {
                    let _ = writeln!(out, "  + {rule}: holds, and is not expected");
                }
            }
        }
    }
    let _ = writeln!(out, "{} passed, {failed} failed", results.len() - failed);
    out
}
