//! What the operator can be told.

use std::path::PathBuf;

use serde::Deserialize;
use vedette_service::Settings;
use vedette_service::admin::AdminConfig;

use crate::admission::AdmissionConfig;
use crate::api::NAMESPACE;
use crate::reconcile;
use crate::serve::ServeConfig;

/// The operator's configuration: a YAML file, or variables `VEDETTE_OPERATOR_…`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The cluster.
    pub kubernetes: KubernetesConfig,
    /// Where rules are distributed and managed.
    pub grpc: ServeConfig,
    /// Where the apiserver asks about resources.
    pub admission: AdmissionConfig,
    /// The installation that a `Webhook` is turned into. Without it services are run by others, and certificates come from files.
    pub reconcile: Option<reconcile::Settings>,
    /// Where the administrator is answered.
    pub admin: AdminConfig,
}

/// The cluster whose resources count.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubernetesConfig {
    /// A kubeconfig; by default that of the environment, or of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// Where the operator keeps what it makes.
    pub namespace: String,
    /// Who this operator is among several: by default the host's name, which in a pod is the pod's.
    pub identity: Option<String>,
    /// What the cluster is called in events.
    pub cluster: String,
}

impl Default for KubernetesConfig {
    fn default() -> Self {
        Self { kubeconfig: None, namespace: NAMESPACE.to_owned(), identity: None, cluster: "default".to_owned() }
    }
}

impl Settings for Config {
    fn admin(&self) -> &AdminConfig {
        &self.admin
    }
}
