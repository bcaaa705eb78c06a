//! The language as its users meet it: files in, decisions and diagnostics out.
//!
//! Expectations that are long stand in files under `testdata/`; `UPDATE_GOLDEN=1` writes them anew.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod cases;
mod conditions;
mod defaults;
mod diagnostics;
mod exceptions;
mod explain;
mod fuzzed;
mod manual;
mod outputs;
mod reference;
mod schema;
mod seeds;
mod settings;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use vedette_rules::{Built, Diagnostic, Policy, Settings, SourceFile};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// The files of a folder of `testdata` with an extension, sorted.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(testdata(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} holds files");
    files
}

/// Holds `found` against the file at `path`.
fn golden(path: &Path, found: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(expected == found, "{} differs; found:\n{found}", path.display());
}

fn source(name: &str, text: impl Into<String>) -> SourceFile {
    SourceFile { name: name.to_owned(), text: text.into() }
}

/// A policy of one file that has to be without errors.
fn built(text: &str) -> Built {
    built_with(text, |_| {})
}

fn built_with(text: &str, adjust: impl FnOnce(&mut Settings)) -> Built {
    match Policy::build_with(&[source("rules.yaml", text)], 1, adjust) {
        Ok(built) => built,
        Err(diagnostics) => panic!("{}", listed(&diagnostics)),
    }
}

/// All diagnostics of one file, whatever comes of it.
fn diagnosed(text: &str) -> Vec<Diagnostic> {
    match Policy::build(&[source("rules.yaml", text)], 1) {
        Ok(built) => built.warnings,
        Err(diagnostics) => diagnostics,
    }
}

fn listed(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |mut out, it| {
        writeln!(out, "{it}").unwrap();
        out
    })
}

/// The codes of the diagnostics.
fn codes(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// A `Rule` resource with a label and entries of `spec.rules`, each a flow mapping on a line of its own.
fn resource(name: &str, kind: &str, entries: &[&str]) -> String {
    let entries: String = entries.iter().map(|entry| format!("  - {entry}\n")).collect();
    format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: {name}\n  labels:\n    type: {kind}\nspec:\n  rules:\n{entries}"
    )
}

/// What a policy decides about an event, in one line: `archive`, the rules that held, the alerts.
fn decided(built: &Built, event: &str) -> String {
    let rules = &built.policy.rules;
    let decision = rules.decide(event.as_bytes()).unwrap();
    let mut out = String::new();
    if decision.archive {
        out.push_str("archive ");
    }
    let matched: Vec<_> = decision.matched.iter().map(|rule| rules.rule(*rule).qualified.as_str()).collect();
    write!(out, "[{}]", matched.join(" ")).unwrap();
    for alert in &decision.alerts {
        write!(out, " {}: {}", rules.rule(alert.rule).qualified, alert.message).unwrap();
    }
    for blind in &decision.blind {
        write!(out, " {}? {}", rules.rule(blind.rule).qualified, blind.field).unwrap();
    }
    out
}
