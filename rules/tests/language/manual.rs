//! The manual is true: its examples are run, and nothing is missing from it.

use std::path::Path;

use vedette_rules::codes::{ALL, Code};
use vedette_rules::{Diagnostic, Dialect, Policy, Settings, Severity, cases};

use crate::{codes, resource, source};

/// A fenced block, and the headings that it stands under.
struct Block {
    heading: String,
    kind: String,
    text: String,
}

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules").join(name)).unwrap()
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut heading, mut open) = (String::new(), false);
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(kind) => {
                open = true;
                blocks.push(Block { heading: heading.clone(), kind: kind.to_owned(), text: String::new() });
            }
            None if open => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {
                if let Some(title) = line.strip_prefix('#') {
                    heading = title.trim_start_matches('#').trim().to_owned();
                }
            }
        }
    }
    blocks
}

fn of_condition(condition: &str, level: &str, dialect: Dialect) -> Vec<Diagnostic> {
    let condition = serde_json::json!(condition.trim());
    let entry = format!("{{name: x, type: rule, enable: true, priority: INFO, condition: {condition}}}");
    of_file(&resource("r", "alerting", &[&entry]), |settings| {
        settings.audit_level = level.parse().unwrap();
        settings.dialect = dialect;
    })
}

fn of_file(text: &str, adjust: impl FnOnce(&mut Settings)) -> Vec<Diagnostic> {
    match Policy::build_with(&[source("rules.yaml", text)], 1, adjust) {
        Ok(built) => built.warnings,
        Err(diagnostics) => diagnostics,
    }
}

fn of_test(spec: &str) -> Vec<Diagnostic> {
    let text =
        format!("apiVersion: auditing.vedette.io/v1alpha1\nkind: RuleTest\nmetadata: {{name: t}}\nspec:\n{spec}");
    let files = [source("tests.yaml", text)];
    let built = Policy::build(&files, 1).unwrap();
    cases::run(&files, &built.policy).unwrap_err()
}

fn diagnosed(block: &Block) -> Vec<Diagnostic> {
    let text = &block.text;
    match block.kind.as_str() {
        "condition" => of_condition(text, "RequestResponse", Dialect::Vedette),
        "metadata" => of_condition(text, "Metadata", Dialect::Vedette),
        "kubesphere" => of_condition(text, "RequestResponse", Dialect::KubeSphere),
        "entries" => {
            let entries: Vec<&str> = text.lines().map(|line| line.trim_start_matches("- ")).collect();
            of_file(&resource("r", "alerting", &entries), |_| {})
        }
        "file" => of_file(text, |_| {}),
        "test" => of_test(text),
        other => panic!("{other} under {}", block.heading),
    }
}

#[test]
fn every_code_has_its_section_and_every_example_gives_its_code() {
    let text = page("diagnostics.md");
    let sections: Vec<&str> = text.split("\n### ").skip(1).collect();
    let titles: Vec<&str> = sections.iter().map(|section| section.lines().next().unwrap()).collect();
    assert_eq!(titles, ALL.iter().map(|code| code.id).collect::<Vec<_>>());
    for (section, Code { id, severity, title }) in sections.iter().zip(ALL) {
        assert!(section.contains(&format!("\n*{severity}*: {title}.\n")), "{id} is a {severity}: {title}");
    }
    let blocks = blocks(&text);
    for block in &blocks {
        let found = diagnosed(block);
        assert!(codes(&found).contains(&block.heading.as_str()), "{}\n{}{found:?}", block.heading, block.text);
    }
    let shown = |code: &&Code| blocks.iter().any(|block| block.heading == code.id);
    let without: Vec<_> = ALL.iter().filter(|code| !shown(code)).map(|code| code.id).collect();
    assert_eq!(without, ["VR0002", "VR0212", "VR0407"], "what takes megabytes has no example");
}

/// Whether a condition holds for an event; a condition of the manual gives no error and no warning.
fn holds(condition: &str, event: &str) -> bool {
    let text = resource(
        "r",
        "archiving",
        &[&format!(
            "{{name: x, type: rule, enable: true, priority: INFO, condition: {}}}",
            serde_json::json!(condition)
        )],
    );
    let adjust = |settings: &mut Settings| settings.audit_level = "RequestResponse".parse().unwrap();
    let built = Policy::build_with(&[source("rules.yaml", text)], 1, adjust)
        .unwrap_or_else(|found| panic!("{condition}: {found:?}"));
    // That KubeSphere differs is what the page is about in places.
    let warned: Vec<_> =
        built.warnings.iter().filter(|it| it.severity > Severity::Note && it.code != "VR0213").collect();
    assert!(warned.is_empty(), "{condition}: {warned:?}");
    !built.policy.rules.decide(event.as_bytes()).unwrap().matched.is_empty()
}

#[test]
fn the_examples_of_the_language_hold_and_fail_as_written() {
    let blocks = blocks(&page("README.md"));
    let event = &blocks.iter().find(|block| block.kind == "event").unwrap().text;
    let mut seen = 0;
    for block in &blocks {
        let wanted = match block.kind.as_str() {
            "holds" => true,
            "fails" => false,
            _ => continue,
        };
        for condition in block.text.lines() {
            assert_eq!(holds(condition, event), wanted, "{}: {condition}", block.heading);
            seen += 1;
        }
    }
    assert!(seen >= 40, "{seen}");
}

/// The resource, the test and the explanation of the page fit each other.
#[test]
fn the_resources_of_the_manual_are_taken_and_pass() {
    let blocks = blocks(&page("README.md"));
    let yaml: Vec<_> = blocks.iter().filter(|block| block.kind == "yaml").map(|block| block.text.as_str()).collect();
    let files = [source("rules.yaml", yaml[0]), source("tests.yaml", yaml[1])];
    let built = Policy::build(&files, 1).unwrap();
    assert_eq!(codes(&built.warnings), ["VR0305"], "the list of shells is only shown");
    let results = cases::run(&files, &built.policy).unwrap();
    assert!(results.len() == 2 && results.iter().all(|result| result.failure.is_none()), "{results:?}");
    let explainer = vedette_rules::Explainer::new(&files, "Shell", |_| {}).unwrap();
    let event = serde_json::json!({"requestURI": "/exec?command=sh", "user": {"username": "system:serviceaccount:ops:doctor"},
        "objectRef": {"resource": "pods", "subresource": "exec"}});
    let explained = explainer.explain(event.to_string().as_bytes()).unwrap().to_string();
    let shown = &blocks.iter().find(|block| block.kind == "explain").unwrap().text;
    assert_eq!(shown.split_once('\n').unwrap().1, explained);
}

#[test]
fn the_examples_of_the_fields_compile() {
    let text = page("fields.md");
    let examples = text.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.trim_matches(['|', ' ']).split(" | ").collect();
        cells[4].trim_matches(['`', ' ']).to_owned()
    });
    let examples: Vec<_> = examples.collect();
    assert!(examples.len() > 40, "{}", examples.len());
    for condition in examples {
        holds(&condition, "{}");
    }
}
