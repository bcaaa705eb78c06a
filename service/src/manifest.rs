//! A `Rule` as the YAML that people write and kubectl applies, and as the message that it is to rule management.
//!
//! Whoever manages rules through the operator starts from such a text and shows such a text. What Kubernetes keeps of a resource for
//! itself (who manages which field, versions, the status) is not in it, and is passed over where a text has it.

mod entry;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vedette_proto::rules::v1 as proto;
use vedette_rules::source::{self, Unreadable};

pub use entry::{Entry, EntryError, EntryType, Priority};

/// The group of the resources.
pub const GROUP: &str = "auditing.kubesphere.io";
/// Their version.
pub const VERSION: &str = "v1alpha1";
const KIND: &str = "Rule";

/// A `Rule`, its fields in the order in which people write them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    api_version: String,
    kind: String,
    /// What it is called.
    pub metadata: Metadata,
    spec: Spec,
    #[serde(default, skip_deserializing, skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
}

/// What a resource is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its namespace, if it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Spec {
    #[serde(default)]
    rules: Vec<Entry>,
}

/// Why a text is no `Rule`, or a rule no text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is no YAML.
    #[error("read YAML")]
    Yaml(#[source] Unreadable),
    /// It is something else.
    #[error("a `{kind}` of `{version}` is no `Rule` of `{GROUP}`")]
    Kind {
        /// What it says that it is.
        kind: String,
        /// And of which group and version.
        version: String,
    },
    /// Something in it is missing, or is something else.
    #[error("read the `Rule` `{name}`")]
    Shape {
        /// What it is called, as far as it says so.
        name: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// An entry of a message can't be shown.
    #[error("read entry {index} of {name}")]
    Entry {
        /// Whose.
        name: String,
        /// Which.
        index: usize,
        /// What is wrong.
        source: EntryError,
    },
    /// It can't be written.
    #[error("write YAML")]
    Write(#[source] serde_yaml_ng::Error),
}

/// The resources of a text, those of lists too, whatever they are. Nobody needs to trust it: see [`source::values`].
///
/// # Errors
/// If it is no YAML, or holds too much.
pub fn resources(text: &str) -> Result<Vec<Value>, ManifestError> {
    let mut all = Vec::new();
    for mut value in source::values(text).map_err(ManifestError::Yaml)? {
        match value.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => all.extend(items),
            _ => all.push(value),
        }
    }
    all.retain(|it| !it.is_null());
    Ok(all)
}

/// The name of a rule in messages.
pub fn full_name(namespace: &str, name: &str) -> String {
    format!("namespaces/{namespace}/rules/{name}")
}

/// The namespace and the name of a rule, by its name in messages.
pub fn name_parts(full: &str) -> (&str, &str) {
    full.strip_prefix("namespaces/").and_then(|rest| rest.split_once("/rules/")).unwrap_or(("", full))
}

impl Manifest {
    /// Of a resource.
    ///
    /// # Errors
    /// If it is none, or can't be read.
    pub fn read(resource: Value) -> Result<Self, ManifestError> {
        let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, version) = (text("/kind"), text("/apiVersion"));
        if kind != KIND || version.split('/').next() != Some(GROUP) {
            return Err(ManifestError::Kind { kind, version });
        }
        let name = text("/metadata/name");
        serde_json::from_value(resource).map_err(|source| ManifestError::Shape { name, source })
    }

    /// Of a rule as management tells it.
    ///
    /// # Errors
    /// If it has an entry that is none.
    pub fn of(rule: &proto::Rule) -> Result<Self, ManifestError> {
        let read = |(index, entry): (usize, &proto::Entry)| {
            let name = rule.name.clone();
            Entry::read(entry.clone()).map_err(|source| ManifestError::Entry { name, index, source })
        };
        let rules = rule.entries.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        let (namespace, name) = name_parts(&rule.name);
        let metadata = Metadata {
            name: name.to_owned(),
            namespace: Some(namespace.to_owned()),
            labels: Some(rule.labels.clone()).filter(|it| !it.is_empty()),
            annotations: Some(rule.annotations.clone()).filter(|it| !it.is_empty()),
        };
        let api_version = format!("{GROUP}/{VERSION}");
        Ok(Self { api_version, kind: KIND.to_owned(), metadata, spec: Spec { rules }, status: None })
    }

    /// With what became of it.
    pub fn with_status(self, status: Value) -> Self {
        Self { status: Some(status), ..self }
    }

    /// As YAML.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn yaml(&self) -> Result<String, ManifestError> {
        serde_yaml_ng::to_string(self).map_err(ManifestError::Write)
    }

    /// As a message; in `namespace`, if it says none.
    pub fn message(self, namespace: &str) -> proto::Rule {
        let Metadata { name, namespace: own, labels, annotations } = self.metadata;
        proto::Rule {
            name: full_name(own.as_deref().unwrap_or(namespace), &name),
            labels: labels.unwrap_or_default(),
            annotations: annotations.unwrap_or_default(),
            entries: self.spec.rules.iter().map(Entry::message).collect(),
            ..proto::Rule::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Manifest, ManifestError, resources};

    const TEXT: &str = "\
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata:
  name: a
  namespace: audit
  labels:
    type: alerting
  annotations:
    auditing.vedette.io/compat: kubesphere
spec:
  rules:
  - name: x
    type: rule
    desc: An exec
    condition: Verb = \"create\" and ${many}
    exceptions:
    - User.Username = \"ann\"
    enable: false
    output: ${user}
    priority: WARNING
  - name: many
    type: list
    list:
    - a
    - b
  - name: m
    type: macro
    macro: Verb exists
  - name: user
    type: alias
    alias: User.Username
";

    #[test]
    fn a_text_becomes_a_message_and_the_same_text() {
        let resource = resources(TEXT).unwrap().remove(0);
        let message = Manifest::read(resource).unwrap().message("default");
        assert_eq!(message.name, "namespaces/audit/rules/a");
        assert_eq!(message.entries.len(), 4);
        assert_eq!(Manifest::of(&message).unwrap().yaml().unwrap(), TEXT);
    }

    #[test]
    fn lists_are_taken_apart_and_what_kubernetes_keeps_for_itself_is_passed_over() {
        let item = "apiVersion: auditing.kubesphere.io/v1alpha1, kind: Rule, spec: {rules: []}";
        let text = format!(
            "---\n---\nitems:\n- {{{item}, metadata: {{name: a, uid: u, managedFields: [{{}}], labels: null}}, status: {{}}}}\n\
             ---\n{{{item}, metadata: {{name: b, namespace: n}}}}\n"
        );
        let read = resources(&text).unwrap().into_iter().map(|it| Manifest::read(it).unwrap().message("default").name);
        assert_eq!(read.collect::<Vec<_>>(), ["namespaces/default/rules/a", "namespaces/n/rules/b"]);
    }

    #[test]
    fn what_is_no_rule_is_told_apart() {
        let read = |text: &str| Manifest::read(resources(text).unwrap().remove(0)).map(|_| ());
        assert!(matches!(
            read("{kind: Webhook, apiVersion: auditing.kubesphere.io/v1}"),
            Err(ManifestError::Kind { .. })
        ));
        assert!(matches!(read("a text"), Err(ManifestError::Kind { .. })));
        let nameless = "{kind: Rule, apiVersion: auditing.kubesphere.io/v1alpha1, metadata: {}, spec: {}}";
        assert!(matches!(read(nameless), Err(ManifestError::Shape { .. })));
        assert!(matches!(resources("a: [b"), Err(ManifestError::Yaml(_))));
    }

    #[test]
    fn what_unfolds_to_too_much_is_refused_before_it_does() {
        let bomb = format!("a: &a [{}]\nb: [{}]\n", "l,".repeat(2_000), "*a,".repeat(2_000));
        let error = resources(&bomb).unwrap_err();
        assert!(matches!(&error, ManifestError::Yaml(at) if at.code == "VR0002" && at.line == 2), "{error:?}");
    }
}
