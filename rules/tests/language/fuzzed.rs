//! The seeds of the fuzz targets, asked what the targets ask with every run of the tests.

use std::path::{Path, PathBuf};

use vedette_rules::syntax::parse_condition;
use vedette_rules::{Dialect, Policy};

use super::{built, resource, source};

/// The files that a target starts from.
fn seeds(target: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let seeds: Vec<_> = paths.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect();
    assert!(!seeds.is_empty(), "{target} has seeds");
    seeds
}

fn rule(condition: &str) -> String {
    let condition = serde_json::to_string(condition).unwrap();
    let entry = format!(
        "{{name: r, type: rule, enable: true, priority: WARNING, condition: {condition}, output: {condition}}}"
    );
    resource("r", "alerting", &[&entry])
}

#[test]
fn every_problem_of_a_seed_lies_in_it() {
    for (path, text) in seeds("parser").into_iter().chain(seeds("compiler")) {
        for dialect in [Dialect::Vedette, Dialect::KubeSphere] {
            for problem in parse_condition(&text, dialect).problems {
                assert!(text.get(problem.span.clone()).is_some(), "{}: {:?}", path.display(), problem.span);
            }
        }
    }
}

#[test]
fn what_compiles_of_the_seeds_decides() {
    let events = seeds("matcher");
    for (path, text) in seeds("compiler").into_iter().chain(seeds("parser")) {
        for text in [rule(&text), text] {
            let Ok(built) = Policy::build(&[source("r.yaml", text)], 1) else { continue };
            for (event, json) in &events {
                let decided = built.policy.rules.decide(json.as_bytes());
                assert!(decided.is_ok(), "{} on {}: {decided:?}", path.display(), event.display());
            }
        }
    }
}

#[test]
fn a_seed_is_decided_alike_again() {
    let rules =
        built(&rule(r#"Verb = "create" or RequestObject.spec.containers[0:2].image like "*:latest""#)).policy.rules;
    for (path, json) in seeds("matcher") {
        let decided = rules.decide(json.as_bytes());
        assert!(decided.is_ok(), "{}: {decided:?}", path.display());
        assert_eq!(decided.ok(), rules.decide(json.as_bytes()).ok());
    }
}
