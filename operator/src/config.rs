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
    /// Rules of a directory in place of a cluster's.
    pub rules: Option<RulesConfig>,
    /// Where rules are distributed and managed.
    pub grpc: ServeConfig,
    /// Where the apiserver asks about resources.
    pub admission: AdmissionConfig,
    /// The installation that a `Webhook` is turned into. Without it services are run by others, and certificates come from files.
    pub reconcile: Option<reconcile::Settings>,
    /// Where the administrator is answered.
    pub admin: AdminConfig,
}

/// The directory whose rules count.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RulesConfig {
    /// A directory of YAML files with `Rule` and `Webhook` resources; what is made over gRPC is written here.
    pub dir: PathBuf,
    /// Further ones, which are only read.
    #[serde(default)]
    pub more: Vec<PathBuf>,
    /// Where the generation and the rules in force are kept.
    pub state_dir: PathBuf,
    /// A file with the token that callers show; without it, everybody on this host may manage rules.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

/// The cluster whose resources count.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubernetesConfig {
    /// A kubeconfig; by default that of the environment, or of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// Where the operator keeps what it makes.
    pub namespace: String,
    /// Who this operator is among several: by default the host's name and something random.
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
