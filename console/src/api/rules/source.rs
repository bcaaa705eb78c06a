//! The text of a rule: what is shown of a resource, and how it becomes one again.

use vedette_proto::rules::v1 as proto;
use vedette_service::chain;
use vedette_service::manifest::{self, Manifest, ManifestError};

use super::diagnostic;
use crate::failure::Failure;

/// What diagnostics call the text that was sent.
pub(super) const SOURCE: &str = "source";
/// Annotations in which others keep something for themselves: they are not shown in the text, and stay when it is written.
const HIDDEN: [&str; 2] = ["kubectl.kubernetes.io/last-applied-configuration", "management.vedette.io/written-by"];

/// The text for the compiler.
pub(super) fn document(source: &str) -> proto::Document {
    proto::Document { name: SOURCE.to_owned(), text: source.to_owned() }
}

/// The text of a rule.
pub(super) fn write(rule: &proto::Rule) -> Result<String, ManifestError> {
    let mut shown = rule.clone();
    shown.annotations.retain(|name, _| !is_hidden(name));
    Manifest::of(&shown)?.yaml()
}

/// The one rule of a text, which is the one of this namespace and name. It takes its time.
pub(super) fn read(source: &str, (namespace, name): (&str, &str)) -> Result<proto::Rule, Failure> {
    let bad = |error: ManifestError| {
        let failure = Failure::bad("source", chain(&error));
        match &error {
            ManifestError::Yaml(error) => failure.with_diagnostics(vec![diagnostic::of_unreadable(error)]),
            _ => failure,
        }
    };
    let mut resources = manifest::resources(source).map_err(bad)?;
    let resource = resources.pop().filter(|_| resources.is_empty());
    let resource = resource.ok_or_else(|| Failure::bad("source", "one `Rule` is written at a time"))?;
    let manifest = Manifest::read(resource).map_err(bad)?;
    let (named, of) = (manifest.metadata.name.as_str(), manifest.metadata.namespace.as_deref().unwrap_or(namespace));
    if (of, named) != (namespace, name) {
        let message =
            format!("it is the rule `{named}` of namespace `{of}`, and the path says `{name}` of `{namespace}`");
        return Err(Failure::bad("source", message));
    }
    Ok(manifest.message(namespace))
}

/// Keeps what the text did not show.
pub(super) fn keep_hidden(rule: &mut proto::Rule, there: &proto::Rule) {
    let hidden = there.annotations.iter().filter(|(name, _)| is_hidden(name));
    rule.annotations.extend(hidden.map(|(name, value)| (name.clone(), value.clone())));
}

fn is_hidden(annotation: &str) -> bool {
    HIDDEN.contains(&annotation)
}
