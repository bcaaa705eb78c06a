//! The `Webhook` itself: what is written into it, and what is read out of it when it cannot be read as a whole.

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::condition::{self, Finding};
use super::{MANAGER, objects};
use crate::api::{Condition, GROUP, VERSION};

/// Keeps a deleted `Webhook` until what was made for it is gone.
pub const FINALIZER: &str = "auditing.vedette.io/cleanup";

/// The fields of the `Webhook` that are ours: the finalizer, and what KubeSphere reads elsewhere than its documents write it.
pub(super) fn ours(webhook: &DynamicObject) -> Value {
    // With its uid, so that one that was deleted meanwhile is not made anew.
    let mut body = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "Webhook",
        "metadata": {
            "name": webhook.metadata.name,
            "uid": webhook.metadata.uid,
            "finalizers": [FINALIZER],
        },
    });
    if let (Some(enabled), Some(members)) = (mirrored(webhook), body.as_object_mut()) {
        members.insert("spec".to_owned(), json!({"k8sAuditingEnabled": enabled}));
    }
    body
}

/// What `spec.k8sAuditingEnabled` becomes where only `spec.auditing.k8sAuditingEnabled` is written: KubeSphere's apiserver reads the
/// former alone, and would send requests that the kube-apiserver sends too.
pub(super) fn mirrored(webhook: &DynamicObject) -> Option<bool> {
    let enabled = webhook.data.pointer("/spec/auditing/k8sAuditingEnabled")?.as_bool()?;
    let written = webhook.data.pointer("/spec/k8sAuditingEnabled").is_some_and(|it| !it.is_null());
    let by_others = webhook.metadata.managed_fields.iter().flatten().any(|it| {
        let fields = it.fields_v1.as_ref().map(|it| &it.0);
        it.manager.as_deref() != Some(MANAGER)
            && fields.is_some_and(|it| it.pointer("/f:spec/f:k8sAuditingEnabled").is_some())
    });
    (!(written && by_others)).then_some(enabled)
}

/// The finalizers without ours.
pub(super) fn released(webhook: &DynamicObject) -> Value {
    let others: Vec<_> = webhook.metadata.finalizers.iter().flatten().filter(|it| *it != FINALIZER).collect();
    json!({"metadata": {"resourceVersion": webhook.metadata.resource_version, "finalizers": others}})
}

/// The status that is ours, or none where it says so already.
pub(super) fn status(webhook: &DynamicObject, findings: Vec<Finding>, now: Timestamp) -> Option<Value> {
    let conditions = webhook.data.pointer("/status/conditions").and_then(Value::as_array);
    // One that another has written badly is replaced.
    let read = |it: &Value| serde_json::from_value::<Condition>(it.clone()).ok();
    let before: Vec<_> = conditions.into_iter().flatten().filter_map(read).collect();
    let after = condition::conditions(findings, before.clone(), webhook.metadata.generation.unwrap_or_default(), now);
    if after.iter().all(|it| before.contains(it)) {
        return None;
    }
    Some(json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "Webhook",
        "metadata": {"name": webhook.metadata.name, "uid": webhook.metadata.uid},
        "status": {"conditions": after},
    }))
}

/// The selector of what was made for a `Webhook`.
pub(super) fn selector() -> String {
    format!("{}={MANAGER},{}={}", objects::MANAGED_BY, objects::OF_WEBHOOK, crate::api::WEBHOOK)
}

#[cfg(test)]
mod tests;
