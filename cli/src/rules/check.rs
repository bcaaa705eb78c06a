//! `vedette rules check`: everything that the compiler has to say about a set of rules.
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use vedette_audit::Level;
use vedette_rules::{Diagnostic, Policy, Severity};

use super::compat::Compat;
use super::files;
use crate::outcome::Outcome;

/// Check rules and say all that is wrong with them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules check deploy/rules
  vedette rules check my-rule.yaml --audit-level Metadata
  vedette rules check my-rule.yaml --compat kubesphere

Each code is explained in docs/rules/diagnostics.md. A rule that means something else to KubeSphere is named by
VR0412, the places by VR0213 and VR0409.

Exit code 1 if there is an error, or a file can't be read; warnings alone are no failure.")]
pub(crate) struct Check {
    /// Files or folders with `Rule` and `Webhook` resources: one set, whose resources may refer to each other
    #[arg(value_name = "PATH", required = true, num_args = 1..)]
    paths: Vec<PathBuf>,
    /// Warn of rules that read what this level leaves out: None, Metadata, Request or RequestResponse; without it what
    /// the `Webhook` among the files says, else Metadata
    #[arg(long, value_name = "LEVEL")]
    audit_level: Option<Level>,
    #[command(flatten)]
    compat: Compat,
}

impl Check {
    /// Checks the files.
    pub(crate) fn run(self) -> Outcome {
        let (sources, unread) = files::read_all(&self.paths);
        for failure in &unread {
            failure.print();
        }
        let built = Policy::build_with(&sources, 1, |settings| {
            settings.audit_level = self.audit_level.unwrap_or(settings.audit_level);
            settings.dialect = self.compat.dialect();
        });
        let (diagnostics, rules) = match built {
            // Without a file, the others are no set that could be in force.
            Ok(built) => (built.warnings, unread.is_empty().then(|| built.policy.rules.rules().len())),
            Err(diagnostics) => (diagnostics, None),
        };
        files::print(&sources, &diagnostics);
        eprintln!("{}", summary(sources.len(), rules, unread.len(), &diagnostics));
        Ok(if rules.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// `3 files, 9 rules in force: 0 errors, 1 warning`
fn summary(files: usize, rules: Option<usize>, unread: usize, diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let rules = rules.map_or(String::new(), |rules| format!(", {} in force", plural(rules, "rule")));
    let notes = count(Severity::Note);
    let notes = if notes > 0 { format!(", {}", plural(notes, "note")) } else { String::new() };
    let (errors, warnings) =
        (plural(unread + count(Severity::Error), "error"), plural(count(Severity::Warning), "warning"));
    format!("{}{rules}: {errors}, {warnings}{notes}", plural(files, "file"))
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("{count} {word}") } else { format!("{count} {word}s") }
}
