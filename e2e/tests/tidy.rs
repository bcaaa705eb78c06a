//! The repository's own rules, those that no tool knows: which crate may see which, and how files look.
//!
//! They are checked like behaviour, so that a rule that is written down is also kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a panic is how a failure is reported"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each crate may use of this workspace, besides itself. Tests may also use the kit (`e2e`) and whatever lies below
/// these.
const ARROWS: &[(&str, &[&str])] = &[
    ("alerter", &["bus", "proto", "rules", "service"]),
    ("archive", &["audit"]),
    ("archiver", &["archive", "audit", "bus", "proto", "service"]),
    ("audit", &[]),
    ("bench", ANY),
    ("bus", &["proto"]),
    ("cli", ANY),
    ("console", &["archive", "audit", "bus", "proto", "rules", "service"]),
    ("e2e", &[]),
    ("evaluator", &["audit", "bus", "proto", "rules", "service"]),
    ("ingest", &["audit", "bus", "proto", "service"]),
    ("operator", &["audit", "proto", "rules", "service"]),
    ("proto", &[]),
    ("rules", &["audit"]),
    ("service", &["proto", "rules"]),
];
const ANY: &[&str] = &["*"];

/// Crates outside this workspace that the pure ones must not see: they would bring I/O, a clock or a runtime.
const PURE: &[&str] = &["audit", "rules"];
const IMPURE: &[&str] = &["async-nats", "axum", "hyper", "kube", "reqwest", "tokio", "tokio-util"];

const LONGEST_FILE: usize = 600;

#[test]
fn crates_use_only_what_lies_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut found = Vec::new();
    for package in packages() {
        let name = short(&package.name);
        let Some(below) = allowed.get(name) else {
            found.push(format!("{name} has no line in the list of arrows"));
            continue;
        };
        for dependency in &package.dependencies {
            let test_only = dependency.kind == "dev";
            if let Some(other) = dependency.name.strip_prefix("vedette-") {
                let in_tests = || other == "e2e" || other == name || reach(&allowed, name).contains(other);
                if !below.contains(&other) && *below != ANY && !(test_only && in_tests()) {
                    found.push(format!("{name} uses {other}{}", if test_only { " in its tests" } else { "" }));
                }
            } else if PURE.contains(&name) && !test_only && IMPURE.contains(&dependency.name.as_str()) {
                found.push(format!("{name} is pure, but uses {}", dependency.name));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let names: BTreeSet<_> = packages().iter().map(|package| short(&package.name).to_owned()).collect();
    assert!(names.len() >= ARROWS.len(), "a crate of the list is gone: {names:?}");
}

#[test]
fn crates_are_licensed_and_unpublished() {
    for package in packages() {
        assert_eq!(package.license.as_deref(), Some("Apache-2.0"), "{}", package.name);
        assert!(!package.published, "{} could be published by accident", package.name);
        assert!(package.name.starts_with("vedette-"), "{} lacks the prefix", package.name);
    }
}

#[test]
fn source_files_say_why_they_are_there_and_stay_short() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        // `foo/tests.rs` are the tests of `foo.rs`, which says the rest.
        let tests = path.ends_with("tests.rs");
        if !tests && !text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!")) {
            found.push(format!("{}: does not begin with documentation (`//!`)", path.display()));
        }
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            found.push(format!("{}: {lines} lines, more than {LONGEST_FILE}", path.display()));
        }
        if path.ends_with("mod.rs") {
            found.push(format!("{}: modules are `foo.rs` beside `foo/`", path.display()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn nothing_is_left_open_or_bound_to_one_machine() {
    // Put together here, so that this file does not find itself.
    let open = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["X", "XX"].concat()];
    let machine = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/ho", "me/"].concat()];
    let mut found = Vec::new();
    for (path, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let words = || line.split(|c: char| !c.is_ascii_alphanumeric());
            if open.iter().any(|mark| words().any(|word| word == mark)) {
                found.push(format!("{}:{}: left open: {}", path.display(), number + 1, line.trim()));
            }
            if machine.iter().any(|folder| names_folder(line, folder)) {
                found.push(format!("{}:{}: a path of one machine: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_test_expects_a_panic_or_is_switched_off() {
    let marks = [["#[should_", "panic"].concat(), ["#[ig", "nore"].concat()];
    let found: Vec<_> = sources()
        .iter()
        .filter(|(_, text)| marks.iter().any(|mark| text.contains(mark.as_str())))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(found.is_empty(), "a test that ends by a panic, or does not run, in: {}", found.join(", "));
}

/// Every crate that lies below one, however far.
fn reach<'a>(arrows: &BTreeMap<&'a str, &'a [&'a str]>, name: &str) -> BTreeSet<&'a str> {
    let direct = arrows.get(name).copied().unwrap_or_default();
    direct.iter().flat_map(|below| reach(arrows, below).into_iter().chain([*below])).collect()
}

/// Whether `line` has `folder` as the beginning of a path.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "._}-".contains(c)))
}

struct Package {
    name: String,
    license: Option<String>,
    published: bool,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    kind: String,
}

/// The crates of this workspace, as cargo sees them.
fn packages() -> Vec<Package> {
    let metadata = run(env!("CARGO"), &["metadata", "--no-deps", "--locked", "--offline", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().expect("packages").iter().map(|package| Package {
        name: text(&package["name"]).expect("a name"),
        license: text(&package["license"]),
        published: package["publish"] != serde_json::json!([]),
        dependencies: package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .map(|dependency| Dependency {
                name: text(&dependency["name"]).expect("a name"),
                kind: text(&dependency["kind"]).unwrap_or_else(|| "normal".to_owned()),
            })
            .collect(),
    });
    packages.collect()
}

/// Every Rust file of the repository.
fn sources() -> Vec<(PathBuf, String)> {
    texts().into_iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Every text file of the repository, of those that people write: not data, not what a tool wrote.
fn texts() -> Vec<(PathBuf, String)> {
    let files = run("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let files = files.split('\0').filter(|file| !file.is_empty() && !file.contains("testdata/"));
    let written_by_tools = ["Cargo.lock", "go.sum", "go.mod"];
    let texts: Vec<_> = files
        .map(PathBuf::from)
        .filter(|path| !path.file_name().is_some_and(|name| written_by_tools.iter().any(|tool| name == *tool)))
        .filter_map(|path| Some((path.clone(), std::fs::read_to_string(root().join(path)).ok()?)))
        .collect();
    assert!(texts.len() > 20, "the repository's files were not found");
    texts
}

fn short(name: &str) -> &str {
    name.strip_prefix("vedette-").unwrap_or(name)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository")
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output().expect("the program can be started");
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
