//! Conditions held against small events, as `testdata/conditions/*.txt` lists them, and `testdata/kubesphere/*.txt` in its dialect.
//!
//! A line is an event, `event NAME JSON`; a definition for `${…}`, `define {…}`; a comment, `#`; or a condition. Under a condition stand,
//! indented, the events for which it holds, those for which it is unknown, and what the compiler says about it.

use std::fmt::Write as _;
use std::path::Path;

use vedette_rules::{Dialect, Policy};

use crate::{files, golden, source};

#[test]
fn conditions_hold_as_written() {
    for (folder, dialect) in [("conditions", Dialect::Vedette), ("kubesphere", Dialect::KubeSphere)] {
        for path in files(folder, "txt") {
            let text = std::fs::read_to_string(&path).unwrap();
            golden(&path, &answered(&text, &path, dialect));
        }
    }
}

/// The file with all answers written anew.
fn answered(text: &str, path: &Path, dialect: Dialect) -> String {
    let mut events: Vec<(&str, &str)> = Vec::new();
    let mut definitions: Vec<&str> = Vec::new();
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        writeln!(out, "{line}").unwrap();
        if let Some(rest) = line.strip_prefix("event ") {
            let event = rest.split_once(' ').unwrap_or_else(|| panic!("{}: {line}", path.display()));
            serde_json::from_str::<serde_json::Value>(event.1).unwrap_or_else(|error| panic!("{line}: {error}"));
            events.push(event);
        } else if let Some(definition) = line.strip_prefix("define ") {
            definitions.push(definition);
        } else if !line.is_empty() && !line.starts_with('#') {
            answer(line, dialect, &definitions, &events, &mut out);
        }
    }
    out
}

fn answer(condition: &str, dialect: Dialect, definitions: &[&str], events: &[(&str, &str)], out: &mut String) {
    let rule =
        format!("{{name: x, type: rule, enable: true, priority: INFO, condition: {}}}", serde_json::json!(condition));
    let entries: Vec<&str> = definitions.iter().copied().chain([rule.as_str()]).collect();
    let file = source("r", crate::resource("r", "archiving", &entries));
    let built = Policy::build_with(&[file], 1, |settings| {
        settings.audit_level = "RequestResponse".parse().unwrap();
        settings.dialect = dialect;
    });
    let diagnostics = match &built {
        Ok(built) => &built.warnings,
        Err(diagnostics) => diagnostics,
    };
    // Every definition of a file is there for every condition; that one differs is said where it does.
    for it in diagnostics.iter().filter(|it| !["VR0305", "VR0412"].contains(&it.code)) {
        writeln!(out, "  {} {}: {}", it.severity, it.code, it.message).unwrap();
    }
    let Ok(built) = built else { return };
    let (mut holds, mut unknown, mut mismatched) = (Vec::new(), Vec::new(), Vec::new());
    for (name, event) in events {
        let decision = built.policy.rules.decide(event.as_bytes()).unwrap();
        if !decision.matched.is_empty() {
            holds.push((*name).to_owned());
        }
        unknown.extend(decision.blind.iter().map(|blind| format!("{name} for want of {}", blind.field)));
        if decision.mismatches > 0 {
            mismatched.push((*name).to_owned());
        }
    }
    let holds = if holds.is_empty() { "no event".to_owned() } else { holds.join(" ") };
    writeln!(out, "  holds for {holds}").unwrap();
    if !unknown.is_empty() {
        writeln!(out, "  unknown for {}", unknown.join(", ")).unwrap();
    }
    if !mismatched.is_empty() {
        writeln!(out, "  of another type in {}", mismatched.join(" ")).unwrap();
    }
}
