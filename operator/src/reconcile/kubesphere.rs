//! Whether KubeSphere's own apiserver sends its events, as its ConfigMap `kubesphere-config` says. It is read, never written: it is
//! KubeSphere's, and only a restart of its apiserver puts a change into force.

use serde_json::Value;

use super::condition::{self, Finding};
use super::objects::SERVICE;
use crate::api::ConditionStatus;

/// Where KubeSphere keeps its configuration.
pub(crate) const NAMESPACE: &str = "kubesphere-system";
/// The ConfigMap.
pub(crate) const CONFIG: &str = "kubesphere-config";
/// Its key, whose text is YAML once more.
pub(crate) const KEY: &str = "kubesphere.yaml";

const HOW: &str = "`kubectl edit configmap -n kubesphere-system kubesphere-config`, then restart KubeSphere's apiserver \
                   (`kubectl rollout restart deployment -n kubesphere-system ks-apiserver`)";

/// What the ConfigMap's text says; `None` if there is none.
pub(crate) fn finding(text: Option<&str>) -> Finding {
    let finding =
        |status, reason, message: String| Finding::new(condition::KUBESPHERE_AUDITING, status, reason, message);
    let Some(text) = text else {
        let message = format!("there is no ConfigMap {NAMESPACE}/{CONFIG}: KubeSphere is not installed here");
        return finding(ConditionStatus::Unknown, "NoKubeSphere", message);
    };
    let config: Value = match serde_yaml_ng::from_str(text) {
        Ok(config) => config,
        Err(error) => {
            let message = format!("`{KEY}` in ConfigMap {NAMESPACE}/{CONFIG} is not YAML: {error}");
            return finding(ConditionStatus::Unknown, "Unreadable", message);
        }
    };
    // KubeSphere's documents write `auditing.enabled`, and below `spec`; its apiserver reads `auditing.enable`.
    let auditing = config.get("auditing");
    let enable = auditing.and_then(|it| it.get("enable"));
    let enabled = auditing.or_else(|| config.get("spec")?.get("auditing")).and_then(|it| it.get("enabled"));
    match (enable.map(is_true), enabled.map(is_true)) {
        (Some(true), _) => {
            let url = auditing.and_then(|it| it.get("webhookURL")).and_then(Value::as_str);
            match url.filter(|url| !url.is_empty() && !url.contains(SERVICE)) {
                Some(url) => {
                    let message = format!(
                        "KubeSphere sends its events to `{url}`, not to Service {SERVICE}: correct auditing.webhookURL by {HOW}"
                    );
                    finding(ConditionStatus::False, "SentElsewhere", message)
                }
                None => finding(ConditionStatus::True, "Enabled", "KubeSphere sends its own events".to_owned()),
            }
        }
        (None, Some(true)) => {
            let message = format!(
                "auditing.enabled is set, which KubeSphere's apiserver does not read: set auditing.enable by {HOW}"
            );
            finding(ConditionStatus::False, "NotRead", message)
        }
        _ => {
            let message =
                format!("KubeSphere does not send its own events: to have them, set auditing.enable to true by {HOW}");
            finding(ConditionStatus::False, "Disabled", message)
        }
    }
}

fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str().is_some_and(|it| it.eq_ignore_ascii_case("true")))
}

#[cfg(test)]
mod tests;
