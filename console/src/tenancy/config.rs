//! The settings of what callers may see.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::SettingError;

/// The clusters whose RBAC says who may see what.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TenancyConfig {
    /// The clusters. Records of others are for administrators alone.
    pub clusters: Vec<TenancyCluster>,
    /// Who sees everything.
    pub administrators: Administrators,
    /// Older than this, what is known of a cluster's RBAC is not believed any more, and nobody is answered by it.
    pub max_age_seconds: u64,
    /// Whether to ask Kubernetes itself, namespace by namespace, where it is seen to allow what RBAC alone does not: with a webhook as
    /// authorizer, say. Bounded, and slower.
    pub fallback: bool,
}

/// A cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenancyCluster {
    /// Its name in events.
    pub name: String,
    /// Its kubeconfig; by default that of the environment, or of the pod.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
}

/// Who sees everything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Administrators {
    /// Members of any of these groups.
    pub groups: Vec<String>,
}

impl Default for TenancyConfig {
    fn default() -> Self {
        Self { clusters: Vec::new(), administrators: Administrators::default(), max_age_seconds: 60, fallback: false }
    }
}

impl TenancyConfig {
    /// Checks what the types can't say.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        let error = |key, message| Err(SettingError { key, message });
        if !(4..=600).contains(&self.max_age_seconds) {
            return error("tenancy.maxAgeSeconds", "must be between 4 and 600");
        }
        let mut names = HashSet::new();
        if !self.clusters.iter().all(|cluster| !cluster.name.is_empty() && names.insert(&cluster.name)) {
            return error("tenancy.clusters", "each must have a name of its own");
        }
        if self.administrators.groups.iter().any(|group| group == "system:authenticated" || group.is_empty()) {
            return error("tenancy.administrators.groups", "must not be everybody");
        }
        Ok(())
    }

    pub(super) fn max_age(&self) -> Duration {
        Duration::from_secs(self.max_age_seconds)
    }
}
