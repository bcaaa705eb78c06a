//! The index template: what the engine makes of a document's fields.
//!
//! Everything that KubeSphere's apiserver queries is there, as it expects it: strings as `text` with a `.keyword`, the code
//! a number, the time a date. Nothing else is mapped. `dynamic: false` keeps what a sender may put into an event (bodies,
//! annotations, unknown members) in the source and out of the mapping, so that no body can widen the mapping, and none
//! can be refused for not fitting it. Only fields whose type the audit crate has checked are mapped at all.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::names::Names;
use crate::config::SearchConfig;
use crate::query::MAX_TEXT;

/// Raised with every change of the template; a cluster's template is never replaced by an older one.
pub(super) const VERSION: u64 = 4;
/// Who made a template or an index, as they say themselves.
pub(super) const MANAGED_BY: &str = "vedette";

/// The composable index template.
pub(super) fn template(config: &SearchConfig, names: &Names) -> Value {
    json!({
        "index_patterns": [names.pattern()],
        // A pattern for every cluster's indices may fit those of a plain prefix too, which has the last word on its own.
        "priority": if names.by_cluster() { 499 } else { 500 },
        "version": VERSION,
        "_meta": { "managed_by": MANAGED_BY },
        "template": {
            "settings": { "index": {
                "number_of_shards": config.shards,
                "number_of_replicas": config.replicas,
                "codec": "best_compression",
                "translog.durability": "request",
                "max_regex_length": 65_536,
            } },
            "mappings": {
                "_meta": meta(&BTreeSet::new()),
                "dynamic": false,
                "date_detection": false,
                "properties": properties(),
            },
        },
    })
}

/// What an index says of itself: which version made or mended it, and what documents in it are not found by since they were
/// written before it was mended.
pub(super) fn meta(lacks: &BTreeSet<String>) -> Value {
    let mut meta = json!({ "managed_by": MANAGED_BY, "version": VERSION });
    if !lacks.is_empty() {
        super::insert(&mut meta, "lacks", json!(lacks));
    }
    meta
}

pub(super) fn properties() -> Map<String, Value> {
    let text = || {
        json!({
            "type": "text",
            "fields": { "keyword": { "type": "keyword", "ignore_above": MAX_TEXT } },
        })
    };
    let object = |fields: &[&str]| {
        let properties: Map<String, Value> = fields.iter().map(|field| ((*field).to_owned(), text())).collect();
        json!({ "type": "object", "dynamic": false, "properties": properties })
    };
    // Nanoseconds hold the microseconds that Kubernetes writes; `date` would cut them off.
    let time = || json!({ "type": "date_nanos", "ignore_malformed": true });
    let mut status = object(&["status", "reason"]);
    if let Some(fields) = status.get_mut("properties").and_then(Value::as_object_mut) {
        fields.insert("code".to_owned(), json!({ "type": "long", "coerce": false, "ignore_malformed": true }));
    }
    let mut own = object(&["Rules", "Actor", "SourceIP", "CredentialID", "Command", "Path", "Tenant"]);
    if let Some(fields) = own.get_mut("properties").and_then(Value::as_object_mut) {
        // Found as a whole alone: an index that KubeSphere made before us maps it so that `.keyword` is the name for that.
        let id =
            json!({ "type": "text", "index": false, "norms": false, "fields": { "keyword": { "type": "keyword" } } });
        fields.insert("EventID".to_owned(), id);
        fields.insert("DurationMicros".to_owned(), json!({ "type": "long" }));
        fields.insert("ReceivedTimestamp".to_owned(), time());
    }
    let mut properties: Map<String, Value> =
        ["Workspace", "Devops", "Cluster", "Level", "AuditID", "Stage", "RequestURI", "Verb", "SourceIPs", "UserAgent"]
            .into_iter()
            .map(|field| (field.to_owned(), text()))
            .collect();
    for (field, mapping) in [
        ("User", object(&["Username", "Groups"])),
        ("ImpersonatedUser", object(&["Username"])),
        ("ObjectRef", object(&["Resource", "Namespace", "Name", "APIGroup", "Subresource"])),
        ("ResponseStatus", status),
        ("Vedette", own),
        ("RequestReceivedTimestamp", time()),
        ("StageTimestamp", time()),
    ] {
        properties.insert(field.to_owned(), mapping);
    }
    for field in ["RequestObject", "ResponseObject", "Annotations"] {
        properties.insert(field.to_owned(), json!({ "type": "object", "enabled": false }));
    }
    properties
}
