//! The `Rule` resource.

use std::collections::HashMap;

use super::fields::Fields;
use super::{Body, Definition, RuleBody, RuleResource, metadata};
use crate::codes;
use crate::source::{Location, Sources, Text};
use crate::syntax::{Problem, quoted};
use crate::{Priority, similar};

/// What kubectl takes for a file that names no namespace.
const DEFAULT_NAMESPACE: &str = "default";

pub(super) fn read(sources: &mut Sources<'_>, mut fields: Fields) -> Option<RuleResource> {
    let metadata = metadata(sources, &mut fields);
    fields.ignore(&["status"]);
    let spec = fields.required_mapping(sources, "spec");
    fields.finish(sources);
    let mut definitions = Vec::new();
    if let Some(mut spec) = spec {
        spec.require(sources, "rules");
        for item in spec.sequence(sources, "rules").unwrap_or_default() {
            if let Some(entry) = Fields::of(sources, spec.file(), item, "an entry of `rules`") {
                definitions.extend(definition(sources, entry));
            }
        }
        spec.finish(sources);
    }
    let metadata = metadata?;
    duplicates(sources, &definitions);
    let at = sources.locate(&metadata.name, &(0..metadata.name.text.len()));
    let namespace = metadata.namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    Some(RuleResource {
        namespace,
        name: metadata.name.text,
        labels: metadata.labels,
        dialect: metadata.dialect,
        definitions,
        at,
    })
}

fn definition(sources: &mut Sources<'_>, mut fields: Fields) -> Option<Definition> {
    let name = fields.required_text(sources, "name");
    let kind = fields.required_text(sources, "type");
    fields.ignore(&["desc", "name", "type"]);
    let read = kind.and_then(|kind| {
        let known = ["rule", "macro", "list", "alias"];
        let Some(word) = known.into_iter().find(|word| *word == kind.text) else {
            let near = similar::nearest(&kind.text, known);
            let help = near.map_or("the types are `rule`, `macro`, `list` and `alias`".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
            let message = format!("{} is no type of entry", quoted(&kind.text));
            sources.report_at(&kind, Problem::new(codes::RULE_TYPE, 0..0, message).help(help));
            return None;
        };
        Some(word)
    });
    let body = read.and_then(|word| body(sources, &mut fields, word));
    // What belongs to another type is no mistake that changes anything, but a sign of one.
    for (field, owner) in [
        ("condition", "rule"),
        ("exceptions", "rule"),
        ("output", "rule"),
        ("priority", "rule"),
        ("macro", "macro"),
        ("list", "list"),
        ("alias", "alias"),
    ] {
        let Some(word) = read.filter(|word| *word != owner) else { continue };
        if fields.value(sources, field).is_none() {
            continue;
        }
        if let Some(at) = fields.key(sources, field) {
            let message = format!("`{field}` has no effect on an entry of type `{word}`");
            let help = format!("take it away, or make the entry one of type `{owner}`");
            sources.report(at.file, Problem::new(codes::NO_EFFECT, at.span, message).help(help));
        }
    }
    fields.ignore(&["condition", "exceptions", "output", "priority", "macro", "list", "alias", "enable"]);
    fields.finish(sources);
    let name = name?;
    check_name(sources, &name, read);
    let at = sources.locate(&name, &(0..name.text.len()));
    Some(Definition { name: name.text, at, body: body.unwrap_or(Body::Broken(read)) })
}

fn body(sources: &mut Sources<'_>, fields: &mut Fields, word: &str) -> Option<Body> {
    Some(match word {
        "macro" => Body::Macro(required_scalar(sources, fields, "macro")?),
        "alias" => Body::Alias(required_scalar(sources, fields, "alias")?),
        "list" => {
            fields.require(sources, "list")?;
            let items = fields.text_list(sources, "list")?;
            if items.is_empty()
                && let Some(at) = fields.key(sources, "list")
            {
                let problem = Problem::new(codes::EMPTY_LIST, at.span, "this list is empty").help("nothing is `in` it");
                sources.report(at.file, problem);
            }
            Body::List(items)
        }
        _ => {
            let condition = required_scalar(sources, fields, "condition");
            let exceptions = fields.text_list(sources, "exceptions").unwrap_or_default();
            let output = fields.scalar(sources, "output").filter(|text| !text.text.trim().is_empty());
            let said = fields.value(sources, "enable").is_some();
            let enabled = said.then(|| fields.bool(sources, "enable").unwrap_or(true));
            let priority = priority(sources, fields);
            let at = fields.start(sources);
            Body::Rule(RuleBody { condition: condition?, enabled, at, exceptions, output, priority })
        }
    })
}

/// A text that may look like something else to YAML, and must not be empty.
fn required_scalar(sources: &mut Sources<'_>, fields: &mut Fields, name: &'static str) -> Option<Text> {
    fields.require(sources, name)?;
    let text = fields.scalar(sources, name)?;
    if text.text.trim().is_empty() {
        sources.report_at(
            &text,
            Problem::new(codes::MISSING_FIELD, 0..0, format!("`{name}` is empty"))
                .help(format!("write a text: `{name}: …`")),
        );
        return None;
    }
    Some(text)
}

fn priority(sources: &mut Sources<'_>, fields: &mut Fields) -> Priority {
    if fields.value(sources, "priority").is_none() {
        let Location { file, span } = fields.start(sources);
        // The heaviest loses nothing: it is stored, and it alerts.
        let problem = Problem::new(codes::IMPLICIT_PRIORITY, span, "a rule without `priority` is taken as `WARNING`")
            .help("write `priority: DEBUG`, `INFO` or `WARNING`");
        sources.report(file, problem);
        return Priority::Warning;
    }
    let Some(text) = fields.text(sources, "priority") else { return Priority::Warning };
    super::webhook::parse_priority(sources, &text).unwrap_or(Priority::Warning)
}

fn check_name(sources: &mut Sources<'_>, name: &Text, kind: Option<&str>) {
    let odd = |it: char| !(it.is_alphanumeric() || matches!(it, '_' | '-' | '.'));
    let referred = matches!(kind, Some("macro" | "list" | "alias"));
    let (bad, help) = if referred {
        (name.text.contains(odd), "the name of a macro, list or alias holds letters, digits, `_`, `-` and `.`")
    } else {
        (
            name.text.contains(|it: char| it.is_control() || it == '/'),
            "the name of a rule holds no `/` and no line break",
        )
    };
    if bad || name.text.len() > 253 {
        let message = format!("{} is no name for this", quoted(&name.text));
        sources.report_at(name, Problem::new(codes::BAD_NAME, 0..0, message).help(help));
    }
}

/// A name is given once among the rules, and once among what can be referred to.
fn duplicates(sources: &mut Sources<'_>, definitions: &[Definition]) {
    let mut seen: HashMap<(bool, &str), &Location> = HashMap::new();
    for definition in definitions {
        let rule = matches!(definition.body, Body::Rule(_) | Body::Broken(Some("rule")));
        match seen.get(&(rule, definition.name.as_str())) {
            Some(first) => {
                let help = format!("the first is at {}", sources.describe(first));
                let message = format!("the name {} is given twice in this resource", quoted(&definition.name));
                let span = definition.at.span.clone();
                sources.report(definition.at.file, Problem::new(codes::DUPLICATE_NAME, span, message).help(help));
            }
            None => {
                seen.insert((rule, &definition.name), &definition.at);
            }
        }
    }
}
