//! Trying rules out: what the compiler says of documents, and what rules decide about events. Nothing changes.
//!
//! The work is done where it may take its time, a few at once; what goes in and what comes out is bounded.

use std::collections::BTreeMap;

use serde_json::Value;
use vedette_audit::{Event, Level, MAX_EVENT_BYTES};
use vedette_proto::rules::v1 as proto;
use vedette_rules::source;
use vedette_rules::{Answer, Decision, Diagnostic, ExplainError, Explainer, Policy, SourceFile};

use super::convert;
use super::error::{ManageError, Violation};
use crate::document::Key;

/// The largest input, in bytes, and how many parts it may have.
pub(super) const INPUT: usize = 8 * 1024 * 1024;
const PARTS: usize = 1000;
/// How many rules are explained, and the largest explanations, in bytes.
const EXPLAINED: usize = 100;
const OUTPUT: usize = 8 * 1024 * 1024;
/// What the cluster is called of events that say none.
const CLUSTER: &str = "default";

/// The documents of a request as the compiler reads them.
///
/// # Errors
/// If they are too many or too large.
pub(super) fn files(documents: Vec<proto::Document>) -> Result<Vec<SourceFile>, ManageError> {
    if documents.len() > PARTS {
        return Err(ManageError::invalid("documents", format!("there are more than {PARTS}")));
    }
    if documents.iter().map(|it| it.name.len() + it.text.len()).sum::<usize>() > INPUT {
        return Err(ManageError::invalid("documents", "they are larger than 8 MiB"));
    }
    Ok(documents.into_iter().map(|it| SourceFile { name: it.name, text: it.text }).collect())
}

/// What the compiler says of `files` in the place of what stands by the same names.
pub(super) fn validate(
    mut standing: BTreeMap<Key, SourceFile>,
    files: Vec<SourceFile>,
) -> proto::ValidateRulesResponse {
    for key in files.iter().flat_map(|file| keys(&file.text)) {
        standing.remove(&key);
    }
    standing.retain(|_, file| files.iter().all(|it| it.name != file.name));
    let names: Vec<String> = files.iter().map(|it| it.name.clone()).collect();
    let mut all = files;
    all.extend(standing.into_values());
    let (accepted, found) = match Policy::build(&all, 0) {
        Ok(built) => (true, built.warnings),
        Err(diagnostics) => (false, diagnostics),
    };
    let told = |it: &&Diagnostic| it.is_error() || names.contains(&it.file);
    proto::ValidateRulesResponse { accepted, diagnostics: found.iter().filter(told).map(convert::diagnostic).collect() }
}

/// `files`, with the settings that are in force where they have none of their own.
pub(super) fn with_settings(mut files: Vec<SourceFile>, in_force: &[SourceFile]) -> Vec<SourceFile> {
    let webhook = |it: &Key| matches!(it, Key::Webhook { .. });
    if !files.iter().flat_map(|file| keys(&file.text)).any(|key| webhook(&key)) {
        files.extend(in_force.iter().filter(|file| Key::parse(&file.name).is_some_and(|key| webhook(&key))).cloned());
    }
    files
}

/// The resources of a text, as far as it can be read: where it ends being YAML the compiler says.
fn keys(text: &str) -> Vec<Key> {
    let documents = source::values(text).unwrap_or_else(|error| error.before);
    let mut keys = Vec::new();
    for document in documents {
        match document.get("items").and_then(Value::as_array) {
            Some(items) => keys.extend(items.iter().filter_map(key)),
            None => keys.extend(key(&document)),
        }
    }
    keys
}

fn key(resource: &Value) -> Option<Key> {
    let metadata = resource.get("metadata")?;
    let name = metadata.get("name")?.as_str()?.to_owned();
    match resource.get("kind")?.as_str()? {
        "Rule" => {
            let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or("default").to_owned();
            Some(Key::Rule { namespace, name })
        }
        "Webhook" => Some(Key::Webhook { name }),
        _ => None,
    }
}

/// What `files` decide about the events of a request.
///
/// # Errors
/// If there is too much of anything, or the files have errors.
pub(super) fn evaluate(
    files: &[SourceFile],
    request: &proto::EvaluateRulesRequest,
) -> Result<proto::EvaluateRulesResponse, ManageError> {
    if request.events.len() > PARTS || request.events.iter().map(|it| it.len()).sum::<usize>() > INPUT {
        return Err(ManageError::invalid("events", "at most 1000 events, and 8 MiB in all"));
    }
    let policy = Policy::build(files, 0).map_err(|diagnostics| refused(&diagnostics))?.policy;
    let explainers = if request.explain { explainers(files, &policy, &request.rules)? } else { Vec::new() };
    let mut room = OUTPUT;
    let mut evaluations = Vec::with_capacity(request.events.len());
    for bytes in &request.events {
        let evaluation = one(&policy, &explainers, bytes);
        let size = evaluation.explanations.iter().map(String::len).sum::<usize>();
        room = room.checked_sub(size).ok_or_else(|| {
            ManageError::Exhausted("the explanations are larger than 8 MiB: ask for fewer rules or events".to_owned())
        })?;
        evaluations.push(evaluation);
    }
    Ok(proto::EvaluateRulesResponse { evaluations })
}

fn one(policy: &Policy, explainers: &[Explainer], bytes: &[u8]) -> proto::Evaluation {
    let failed = |error: String| proto::Evaluation { error, ..proto::Evaluation::default() };
    let event = match Event::parse(bytes) {
        Ok(event) => event,
        Err(error) => return failed(error.to_string()),
    };
    let level = policy.settings.audit_level;
    // As at the gateway: such an event gets no further.
    if level == Level::None || event.recorded_level() == Some(Level::None) {
        return proto::Evaluation::default();
    }
    let mut stripped = Vec::new();
    let cluster = event.cluster();
    event.rewrite(level, if cluster.is_empty() { CLUSTER } else { &cluster }, &mut stripped);
    if stripped.len() > MAX_EVENT_BYTES {
        return failed("the event is over 8 MiB without its bodies".to_owned());
    }
    let decision = match policy.rules.decide(&stripped) {
        Ok(decision) => decision,
        Err(error) => return failed(error.to_string()),
    };
    let explanations = explainers.iter().filter_map(|explainer| {
        let explanation = explainer.explain(&stripped).ok()?;
        let verdict = match &explanation.answer {
            Answer::Holds => "holds",
            Answer::Fails => "does not hold",
            Answer::Unknown(_) => "cannot be decided",
        };
        Some(format!("{} {verdict}\n{explanation}", explainer.rule))
    });
    decided(policy, decision, explanations.collect())
}

fn decided(policy: &Policy, decision: Decision, explanations: Vec<String>) -> proto::Evaluation {
    let name = |rule| policy.rules.rule(rule).qualified.clone();
    proto::Evaluation {
        archived: decision.archive,
        rules: decision.matched.iter().map(|rule| name(*rule)).collect(),
        alerts: decision
            .alerts
            .into_iter()
            .map(|alert| proto::AlertText { rule: name(alert.rule), message: alert.message })
            .collect(),
        blind: decision.blind.iter().map(|blind| name(blind.rule)).collect(),
        explanations,
        error: String::new(),
    }
}

fn explainers(files: &[SourceFile], policy: &Policy, wanted: &[String]) -> Result<Vec<Explainer>, ManageError> {
    let all: Vec<String>;
    let names = if wanted.is_empty() {
        all = policy.rules.rules().map(|it| it.id.clone()).collect();
        &all
    } else {
        wanted
    };
    if names.len() > EXPLAINED {
        return Err(ManageError::invalid("rules", format!("at most {EXPLAINED} rules are explained: name those")));
    }
    let explain = |name: &String| {
        Explainer::new(files, name, |_| {}).map_err(|error| match error {
            ExplainError::Broken(diagnostics) => refused(&diagnostics),
            ExplainError::Unknown(near) => {
                ManageError::invalid("rules", format!("no rule is called `{name}`; there is {}", few(&near)))
            }
            ExplainError::Ambiguous(names) => {
                ManageError::invalid("rules", format!("several rules are called `{name}`: {}", few(&names)))
            }
        })
    };
    names.iter().map(explain).collect()
}

fn few(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(5).map(|it| format!("`{it}`")).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

/// The documents of a request have errors: where, and which.
fn refused(diagnostics: &[Diagnostic]) -> ManageError {
    let errors = diagnostics.iter().filter(|it| it.is_error());
    ManageError::Invalid(errors.map(|it| Violation::new("documents", it.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use super::{Key, keys};

    #[test]
    fn what_unfolds_to_too_much_is_not_unfolded_to_find_its_name() {
        let rule = |name: &str| format!("kind: Rule\nmetadata: {{name: {name}}}\n");
        let bomb = format!("a: &a [{}]\nb: [{}]\n", "l,".repeat(2_000), "*a,".repeat(2_000));
        let text = format!("{}---\n{}{bomb}", rule("a"), rule("b"));
        assert_eq!(keys(&text), [Key::Rule { namespace: "default".to_owned(), name: "a".to_owned() }]);
    }
}
