//! A resource as a document of a snapshot: its YAML with what matters to those who apply it, and nothing that changes without it.

use std::collections::BTreeMap;

use serde::Serialize;
use vedette_rules::SourceFile;

use crate::api::{AuditLevel, AuditSinkPolicy, Priority, Receiver, Rule, Webhook, WebhookSpec};

/// The annotations that say something about the rules; the others are other people's.
const OURS: &str = "auditing.vedette.io/";

/// Which resource a document is, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `namespaces/<namespace>/rules/<name>`
    Rule {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// `webhooks/<name>`
    Webhook {
        /// Its name.
        name: String,
    },
}

/// A resource as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which it is.
    pub key: Key,
    /// `metadata.generation`, 0 if it has none.
    pub generation: i64,
    /// YAML.
    pub text: String,
}

/// Why a resource is no document.
#[derive(Debug, thiserror::Error)]
#[error("write {name} as YAML")]
pub struct DocumentError {
    name: String,
    source: serde_yaml_ng::Error,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a, S> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: &'a S,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
}

/// What the settings need of a `Webhook`: how its services run changes no policy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings<'a> {
    audit_level: AuditLevel,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_sink_policy: Option<&'a AuditSinkPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archiving_priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alerting_priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k8s_auditing_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receivers: Option<&'a Vec<Receiver>>,
}

impl Key {
    /// The document's name.
    pub fn document(&self) -> String {
        match self {
            Self::Rule { namespace, name } => format!("namespaces/{namespace}/rules/{name}"),
            Self::Webhook { name } => format!("webhooks/{name}"),
        }
    }

    /// The key of a document's name.
    pub fn parse(document: &str) -> Option<Self> {
        let parts: Vec<_> = document.split('/').collect();
        match parts.as_slice() {
            ["namespaces", namespace, "rules", name] if !namespace.is_empty() && !name.is_empty() => {
                Some(Self::Rule { namespace: (*namespace).to_owned(), name: (*name).to_owned() })
            }
            ["webhooks", name] if !name.is_empty() => Some(Self::Webhook { name: (*name).to_owned() }),
            _ => None,
        }
    }
}

impl Document {
    /// Of a `Rule`.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn of_rule(rule: &Rule) -> Result<Self, DocumentError> {
        let namespace = rule.metadata.namespace.as_deref().unwrap_or("default");
        let key = Key::Rule { namespace: namespace.to_owned(), name: name(&rule.metadata).to_owned() };
        let metadata = Metadata { namespace: Some(namespace), ..metadata(&rule.metadata) };
        Self::write(key, "Rule", metadata, &rule.spec)
    }

    /// Of a `Webhook`: its settings.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn of_webhook(webhook: &Webhook) -> Result<Self, DocumentError> {
        let key = Key::Webhook { name: name(&webhook.metadata).to_owned() };
        let WebhookSpec { audit_level, audit_sink_policy, archiving_priority, alerting_priority, receivers, .. } =
            &webhook.spec;
        let elsewhere = webhook.spec.auditing.as_ref().and_then(|it| it.k8s_auditing_enabled);
        let settings = Settings {
            audit_level: *audit_level,
            audit_sink_policy: audit_sink_policy.as_ref(),
            archiving_priority: *archiving_priority,
            alerting_priority: *alerting_priority,
            k8s_auditing_enabled: webhook.spec.k8s_auditing_enabled.or(elsewhere),
            receivers: receivers.as_ref(),
        };
        Self::write(key, "Webhook", Metadata { generation: None, ..metadata(&webhook.metadata) }, &settings)
            .map(|document| Self { generation: webhook.metadata.generation.unwrap_or(0), ..document })
    }

    /// As the compiler reads it.
    pub fn file(&self) -> SourceFile {
        SourceFile { name: self.key.document(), text: self.text.clone() }
    }

    fn write<S: Serialize>(
        key: Key,
        kind: &'static str,
        metadata: Metadata<'_>,
        spec: &S,
    ) -> Result<Self, DocumentError> {
        let generation = metadata.generation.unwrap_or(0);
        let written = Written { api_version: "auditing.kubesphere.io/v1alpha1", kind, metadata, spec };
        match serde_yaml_ng::to_string(&written) {
            Ok(text) => Ok(Self { key, generation, text }),
            Err(source) => Err(DocumentError { name: key.document(), source }),
        }
    }
}

fn name(metadata: &kube::api::ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

fn metadata(from: &kube::api::ObjectMeta) -> Metadata<'_> {
    let labels = from.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let annotations = from
        .annotations
        .iter()
        .flatten()
        .filter(|(key, _)| key.starts_with(OURS))
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    Metadata { name: name(from), namespace: None, labels, annotations, generation: from.generation }
}
