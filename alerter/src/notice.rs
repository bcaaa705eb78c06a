//! What receivers are told: an alert with its labels and annotations.
//!
//! Alertmanager tells alerts apart by their labels alone, so the labels are what an administrator groups and silences by
//! and what makes the stages of one request one alert; everything that differs from event to event is an annotation.
//! Nothing that a client chooses freely and without cost (its `Audit-ID`, its claimed addresses) is a label.

use jiff::Timestamp;
use serde_json::{Map, Value};
use vedette_proto::bus::v1::Alert;

/// Longest value of a label, in characters; a name in Kubernetes has 253 at most.
const LABEL_LIMIT: usize = 1_024;
/// Longest value of an annotation, in characters; as long as the longest message of a rule.
pub(crate) const ANNOTATION_LIMIT: usize = 4_096;
/// What stands for values that are too many to tell apart.
pub(crate) const MANY: &str = "(many)";

/// The labels of an alert: names with values, none of them empty, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Labels(Vec<(&'static str, String)>);

/// How far an alert's labels were made coarser, to keep their number bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// As the event has them.
    Full,
    /// User and name are [`MANY`].
    Objects,
    /// So is everything else that the event brings: a client can also make up namespaces, resources and verbs.
    Everything,
}

/// One alert as receivers get it, without its `endsAt`, which is a matter of when it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// The event of the alert, in hexadecimal digits.
    pub(crate) event_id: String,
    pub(crate) labels: Labels,
    pub(crate) annotations: Vec<(&'static str, String)>,
    pub(crate) starts_at: Timestamp,
    pub(crate) generator_url: Option<String>,
    /// The alerts of the batch that it stands for, by their place in it.
    pub(crate) stands_for: Vec<u32>,
    /// About how many bytes of JSON it makes.
    pub(crate) bytes: usize,
}

impl Labels {
    /// The labels of an alert of this cluster.
    pub(crate) fn of(alert: &Alert, cluster: &str, detail: Detail) -> Self {
        let objects = |value: &str| if detail >= Detail::Objects { MANY.to_owned() } else { label(value) };
        let everything = |value: &str| match (detail, value) {
            (Detail::Everything, value) if !value.is_empty() => MANY.to_owned(),
            (_, value) => label(value),
        };
        let mut labels = vec![
            ("alertname", label(&alert.rule)),
            ("alerttype", "auditing".to_owned()),
            ("cluster", label(cluster)),
            ("name", objects(&alert.name)),
            ("namespace", everything(&alert.namespace)),
            ("resource", everything(&alert.resource)),
            ("rule_id", label(&alert.rule_id)),
            ("severity", alert.priority.to_lowercase()),
            ("subresource", everything(&alert.subresource)),
            ("user", objects(&alert.user)),
            ("verb", everything(&alert.verb)),
            ("workspace", everything(&alert.workspace)),
        ];
        labels.retain(|(_, value)| !value.is_empty());
        Self(labels)
    }

    /// The value of a label, empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value.as_str())
    }

    /// Name and value of each label, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// What Alertmanager calls these labels.
    pub(crate) fn fingerprint(&self) -> u64 {
        fnv(self.iter().flat_map(|(name, value)| [name, value]))
    }

    pub(crate) fn to_json(&self) -> Map<String, Value> {
        self.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }
}

/// The pieces from which a [`Notice`] is made.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) alert: &'a Alert,
    pub(crate) labels: Labels,
    /// How coarse the labels are.
    pub(crate) detail: Detail,
    /// How many alerts it stands for.
    pub(crate) count: u64,
    /// The alerts of the batch that it stands for, by their place in it.
    pub(crate) stands_for: Vec<u32>,
    /// When ingest received the event.
    pub(crate) received: Timestamp,
    /// When this is written.
    pub(crate) now: Timestamp,
    /// Where the console is.
    pub(crate) console_url: Option<&'a str>,
}

impl Draft<'_> {
    /// Writes the notice.
    pub(crate) fn finish(self) -> Notice {
        let alert = self.alert;
        let event_id = hex(&alert.event_id);
        let summary = summary(alert, self.detail, self.count);
        let message = if alert.message.is_empty() { summary.clone() } else { alert.message.clone() };
        let mut annotations = vec![
            ("message", annotation(&message)),
            ("summary", annotation(&summary)),
            ("eventID", event_id.clone()),
            ("auditID", annotation(&alert.audit_id)),
            ("requestURI", annotation(&alert.request_uri)),
            ("sourceIP", annotation(&alert.source_ip)),
            ("count", self.count.to_string()),
        ];
        annotations.retain(|(_, value)| !value.is_empty());
        // A clock ahead of ours must not make an alert that ends before it starts: Alertmanager refuses those.
        let starts_at = alert.stage_timestamp.parse().unwrap_or(self.received).min(self.now);
        let generator_url = self.console_url.map(|url| format!("{}/events/{event_id}", url.trim_end_matches('/')));
        let text = |(name, value): (&str, &str)| name.len() + value.len() + 6;
        let bytes = 200
            + self.labels.iter().map(text).sum::<usize>()
            + annotations.iter().map(|(name, value)| text((name, value))).sum::<usize>();
        let (labels, stands_for) = (self.labels, self.stands_for);
        Notice { event_id, labels, annotations, starts_at, generator_url, stands_for, bytes }
    }
}

impl Notice {
    pub(crate) fn annotations_json(&self) -> Map<String, Value> {
        self.annotations.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect()
    }
}

/// Who did what to which object, in one line: what a receiver shows where the rule says nothing of its own.
fn summary(alert: &Alert, detail: Detail, count: u64) -> String {
    if detail > Detail::Full {
        return format!("{}: {count} alerts of many users or objects, this is the last", alert.rule);
    }
    let mut line = format!("{}: ", alert.rule);
    line.push_str(if alert.user.is_empty() { "somebody" } else { &alert.user });
    for (before, part) in [(' ', &alert.verb), (' ', &alert.resource), ('/', &alert.subresource)] {
        if !part.is_empty() {
            line.push(before);
            line.push_str(part);
        }
    }
    let object = [alert.namespace.as_str(), alert.name.as_str()].into_iter().filter(|part| !part.is_empty());
    let object = object.collect::<Vec<_>>().join("/");
    if !object.is_empty() {
        line.push(' ');
        line.push_str(&object);
    }
    line
}

fn label(value: &str) -> String {
    shorten(value, LABEL_LIMIT)
}

/// A value of an annotation.
pub(crate) fn annotation(value: &str) -> String {
    shorten(value, ANNOTATION_LIMIT)
}

/// The text itself, or its beginning and an ellipsis, `limit` characters in all.
fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit || text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// FNV-1a over texts, each followed by a byte that UTF-8 never has.
pub(crate) fn fnv<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    let bytes = texts.into_iter().flat_map(|text| text.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a string can't fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests;
