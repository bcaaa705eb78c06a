//! `RuleTest` resources, read as the others are, so that every complaint has a place.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::{API_VERSION, Case, KIND, merge};
use crate::resource::fields::Fields;
use crate::source::{Sources, Text};
use crate::syntax::{Problem, quoted};
use crate::yaml::{NodeId, Shape};
use crate::{Policy, codes, similar};

pub(super) fn read(sources: &mut Sources<'_>, policy: &Policy) -> Vec<Case> {
    let mut cases = Vec::new();
    for file in 0..sources.len() {
        for document in sources.tree(file).documents.clone() {
            if is_test(sources, file, document)
                && let Some(fields) = Fields::of(sources, file, document, "a `RuleTest`")
            {
                test(sources, fields, policy, &mut cases);
            }
        }
    }
    cases
}

/// Whether a document is a test: others are not read here, and not complained about.
fn is_test(sources: &Sources<'_>, file: usize, document: NodeId) -> bool {
    let tree = sources.tree(file);
    let crate::yaml::NodeKind::Mapping(pairs) = &tree.node(document).kind else { return false };
    let says = |name: &str, wanted: &str| {
        pairs.iter().any(|(key, value)| tree.text(*key) == Some(name) && tree.text(*value) == Some(wanted))
    };
    says("kind", KIND) && says("apiVersion", API_VERSION)
}

fn test(sources: &mut Sources<'_>, mut fields: Fields, policy: &Policy, cases: &mut Vec<Case>) {
    fields.ignore(&["apiVersion", "kind"]);
    let name = fields.required_mapping(sources, "metadata").and_then(|mut it| it.required_text(sources, "name"));
    let spec = fields.required_mapping(sources, "spec");
    fields.finish(sources);
    let (Some(name), Some(mut spec)) = (name, spec) else { return };
    let mut events = HashMap::new();
    if let Some(named) = spec.mapping(sources, "events") {
        for (name, node) in named.nodes() {
            if let Some(event) = mapping(sources, named.file(), node, "an event") {
                events.insert(name, event);
            }
        }
    }
    spec.require(sources, "cases");
    for item in spec.sequence(sources, "cases").unwrap_or_default() {
        if let Some(fields) = Fields::of(sources, spec.file(), item, "a case") {
            cases.extend(case(sources, fields, &name.text, &events, policy));
        }
    }
    spec.finish(sources);
}

fn case(
    sources: &mut Sources<'_>,
    mut fields: Fields,
    test: &str,
    events: &HashMap<String, Json>,
    policy: &Policy,
) -> Option<Case> {
    let name = fields.required_text(sources, "name");
    let node = fields.require(sources, "event");
    let patch = fields.value(sources, "patch");
    fields.require(sources, "rules");
    let rules = fields.text_list(sources, "rules");
    let file = fields.file();
    fields.finish(sources);
    for rule in rules.iter().flatten() {
        expected(sources, rule, policy);
    }
    let patch = patch.map(|node| mapping(sources, file, node, "a patch"));
    let node = node?;
    let mut event = match sources.tree(file).shape(node) {
        Shape::Mapping => mapping(sources, file, node, "an event")?,
        _ => named(sources, file, node, events)?,
    };
    if let Some(patch) = patch {
        merge(&mut event, patch?);
    }
    let (name, rules) = (name?, rules?);
    let (at, line) = sources.place_of(&name);
    let rules = rules.into_iter().map(|rule| rule.text).collect();
    Some(Case { test: test.to_owned(), name: name.text, file: at, line, event, rules })
}

fn named(sources: &mut Sources<'_>, file: usize, node: NodeId, events: &HashMap<String, Json>) -> Option<Json> {
    let tree = sources.tree(file);
    let (name, span) = (tree.text(node).unwrap_or_default().to_owned(), tree.node(node).span.clone());
    if let Some(event) = events.get(&name) {
        return Some(event.clone());
    }
    let near = similar::nearest(&name, events.keys().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    let help = near.unwrap_or_else(|| "name one of the test's `events`, or write the event itself".to_owned());
    let message = format!("{} is no event of this test", quoted(&name));
    sources.report(file, Problem::new(codes::CASE_EVENT, span, message).help(help));
    None
}

/// An expected rule that is not in force would fail its case without saying why.
fn expected(sources: &mut Sources<'_>, rule: &Text, policy: &Policy) {
    let names = || policy.rules.rules().map(|info| info.qualified.as_str());
    if names().any(|name| name == rule.text) {
        return;
    }
    let near = similar::nearest(&rule.text, names()).map(|near| format!("did you mean `{near}`?"));
    let help = near.unwrap_or_else(|| "a rule is named `resource.rule`; it has to be enabled and selected".to_owned());
    let message = format!("no rule in force is called {}", quoted(&rule.text));
    sources.report_at(rule, Problem::new(codes::CASE_RULE, 0..0, message).help(help));
}

fn mapping(sources: &mut Sources<'_>, file: usize, node: NodeId, what: &str) -> Option<Json> {
    let tree = sources.tree(file);
    if tree.shape(node) == Shape::Mapping {
        return Some(tree.json(node));
    }
    let message = format!("{what} is a mapping, found {}", tree.shape(node).name());
    let problem = Problem::new(codes::WRONG_TYPE, tree.node(node).span.clone(), message);
    sources.report(file, problem);
    None
}
