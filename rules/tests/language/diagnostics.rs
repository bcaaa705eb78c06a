//! Diagnostics as users see them, and that every code can be had.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use vedette_rules::render::{Style, render};
use vedette_rules::{Policy, Severity, SourceFile};

use crate::{codes, diagnosed, files, golden, listed, source};

/// Every file of the folder as the only one of its set; a line `---- NAME` begins another file of the same set.
fn sources(text: &str) -> Vec<SourceFile> {
    let mut parts: Vec<(String, String)> = vec![("rules.yaml".to_owned(), String::new())];
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("---- ") {
            parts.push((name.to_owned(), String::new()));
        } else if let Some((_, text)) = parts.last_mut() {
            writeln!(text, "{line}").unwrap();
        }
    }
    parts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| source(&name, text)).collect()
}

#[test]
fn every_code_is_rendered_as_written() {
    let mut seen = BTreeSet::new();
    for path in files("diagnostics", "yaml") {
        let sources = sources(&std::fs::read_to_string(&path).unwrap());
        let diagnostics = match Policy::build(&sources, 1) {
            Ok(built) => built.warnings,
            Err(diagnostics) => diagnostics,
        };
        let mut out = String::new();
        for diagnostic in &diagnostics {
            seen.insert(diagnostic.code);
            writeln!(out, "{}", render(diagnostic, &sources, Style::Plain)).unwrap();
        }
        golden(&path.with_extension("txt"), &out);
    }
    // What takes megabytes, and what is wrong with users' tests, is in tests of its own.
    let elsewhere = BTreeSet::from(["VR0002", "VR0212", "VR0407", "VR0601", "VR0602"]);
    let missing: Vec<_> = vedette_rules::codes::ALL
        .iter()
        .filter(|code| !seen.contains(code.id) && !elsewhere.contains(code.id))
        .map(|code| format!("{} {}", code.id, code.title))
        .collect();
    assert!(missing.is_empty(), "not shown by any file: {missing:#?}");
}

#[test]
fn limits_are_said_and_kept() {
    let rule = |condition: &str| {
        let entry = format!(
            "{{name: x, type: rule, enable: true, priority: INFO, condition: {}}}",
            serde_json::json!(condition)
        );
        crate::resource("r", "archiving", &[&entry])
    };
    for (text, code) in [
        ("x".repeat(4 * 1024 * 1024 + 1), "VR0002"),
        (format!("{}{}", "[".repeat(100), "]".repeat(100)), "VR0002"),
        (rule(&format!("Verb = \"{}\"", "x".repeat(70_000))), "VR0212"),
        (rule(&format!("{}Verb exists{}", "(".repeat(70), ")".repeat(70))), "VR0211"),
        (rule(&format!("{}Verb exists", "not ".repeat(70))), "VR0211"),
        (rule(&format!("{}Verb exists", "!".repeat(60_000))), "VR0211"),
        (rule(&format!("RequestObject{} exists", ".x".repeat(70))), "VR0204"),
    ] {
        let diagnostics = diagnosed(&text);
        assert!(codes(&diagnostics).contains(&code), "{code}: {}", listed(&diagnostics));
        assert!(diagnostics.len() < 60, "{}", diagnostics.len());
    }
}

/// Macros in macros double what they hold with each step; here that costs nothing, and depth is bounded.
#[test]
fn macros_in_macros_do_not_explode() {
    let chain = |length: usize, backwards: bool| {
        let mut entries: Vec<String> = (1..length)
            .map(|index| {
                format!(
                    "{{name: m{index}, type: macro, macro: \"${{m{0}}} and ${{m{0}}} or Verb = v{index}\"}}",
                    index - 1
                )
            })
            .collect();
        entries.push("{name: m0, type: macro, macro: Verb = create}".to_owned());
        entries.push(format!(
            "{{name: x, type: rule, enable: true, priority: INFO, condition: \"${{m{}}}\"}}",
            length - 1
        ));
        if backwards {
            entries.reverse();
        }
        crate::resource("r", "archiving", &entries.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for backwards in [false, true] {
        let built = crate::built(&chain(60, backwards));
        assert!(built.policy.rules.decide(br#"{"verb":"create"}"#).unwrap().archive);
        assert!(built.policy.rules.predicates() <= 60);
        let diagnostics = diagnosed(&chain(1000, backwards));
        assert!(diagnostics.iter().any(|it| it.code == "VR0407"), "{}", listed(&diagnostics));
    }
}

#[test]
fn all_findings_of_all_files_come_in_order() {
    let broken =
        crate::resource("a", "archiving", &["{name: x, type: rule, condition: Verb =, priority: LOW}", "{name: y}"]);
    let files = [source("b.yaml", &*broken), source("a.yaml", "kind: [")];
    let diagnostics = Policy::build(&files, 1).unwrap_err();
    let places: Vec<_> = diagnostics.iter().map(|it| (it.file.as_str(), it.line, it.severity)).collect();
    use Severity::{Error, Note};
    assert_eq!(
        places,
        [("b.yaml", 9, Note), ("b.yaml", 9, Error), ("b.yaml", 9, Error), ("b.yaml", 10, Error), ("a.yaml", 1, Error),],
        "{}",
        listed(&diagnostics)
    );
}

#[test]
fn a_flood_of_findings_is_bounded() {
    let entries = vec!["{name: x, type: nothing}"; 3000];
    let diagnostics = diagnosed(&crate::resource("a", "archiving", &entries));
    assert_eq!(diagnostics.len(), 1000);
    assert!(diagnostics.last().unwrap().help.as_ref().unwrap().contains("more findings"));
}

#[test]
fn colours_are_only_written_where_asked_for() {
    let sources = [source("r.yaml", "kind: Rule\n")];
    let diagnostics = Policy::build(&sources, 1).unwrap_err();
    let plain = render(&diagnostics[0], &sources, Style::Plain);
    let coloured = render(&diagnostics[0], &sources, Style::Colour);
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[1;31m"), "{coloured}");
    let hostile = [source("r\u{1b}[2J.yaml", "kind: \"Ru\\x1b[2Jle\"\n")];
    let diagnostics = match Policy::build(&hostile, 1) {
        Ok(built) => built.warnings,
        Err(diagnostics) => diagnostics,
    };
    assert!(!render(&diagnostics[0], &hostile, Style::Plain).contains('\u{1b}'), "control characters stay in the file");
}

/// The resources of `testdata`, some bytes of them replaced.
fn damaged() -> impl Strategy<Value = String> {
    let texts: Vec<String> = ["diagnostics", "seeds"]
        .iter()
        .flat_map(|folder| files(folder, "yaml"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let piece = prop_oneof![
        Just(""),
        Just("\n"),
        Just(" "),
        Just(":"),
        Just("- "),
        Just("&a"),
        Just("*a"),
        Just("!!str "),
        Just("|\n"),
        Just(">-\n"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("'"),
        Just("\""),
        Just("${"),
        Just("---\n"),
        Just("...\n"),
        Just("\t"),
        Just("\r"),
        Just("é"),
        Just("\u{feff}"),
        Just("%YAML 1.2\n"),
        Just("? "),
        Just("#"),
        Just("\0"),
        Just("<<: *a"),
        Just("\\x"),
        Just("(")
    ];
    let damage = (any::<prop::sample::Index>(), 0..12_usize, piece);
    (prop::sample::select(texts), prop::collection::vec(damage, 1..5)).prop_map(|(mut text, damage)| {
        for (at, length, piece) in damage {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + length).min(text.len())).max(start);
            text.replace_range(start..end, piece);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_give_diagnostics_that_lie_in_them(text in damaged()) {
        let sources = [source("rules.yaml", &*text)];
        let diagnostics = match Policy::build(&sources, 1) {
            Ok(built) => built.warnings,
            Err(diagnostics) => {
                prop_assert!(diagnostics.iter().any(|it| it.severity == Severity::Error));
                diagnostics
            }
        };
        for diagnostic in &diagnostics {
            prop_assert!(text.get(diagnostic.span.clone()).is_some(), "{diagnostic} at {:?}", diagnostic.span);
            prop_assert!(!render(diagnostic, &sources, Style::Plain).is_empty());
        }
    }

    #[test]
    fn any_text_is_no_reason_to_panic(text in any::<String>()) {
        let _ = Policy::build(&[source("rules.yaml", text)], 1);
    }
}
