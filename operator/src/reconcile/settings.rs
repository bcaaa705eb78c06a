//! What the operator is told about the installation, which no `Webhook` says: addresses, and where the archive is.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use crate::api;

/// The settings of reconciling. `nats`, `archive` and `console` are passed on to the services, key by key, as variables: they are what
/// `docs/running.md` describes, and are checked there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Where the services run.
    pub namespace: String,
    /// The image that runs where the `Webhook` names none; `{component}` in it becomes the service's name.
    pub image: String,
    /// When nodes pull it, where the `Webhook` does not say.
    pub image_pull_policy: Option<String>,
    /// Where the services find the operator.
    pub operator: OperatorAddress,
    /// The broker, as in the services' own files.
    pub nats: Value,
    /// A Secret with files that `nats` names, mounted at /etc/vedette/nats.
    pub nats_secret: Option<String>,
    /// The broker's monitoring address.
    pub monitor_url: Option<String>,
    /// The archive, as in the archiver's own file.
    pub archive: Value,
    /// A Secret with further keys of `archive` as variables, as `SEARCH__PASSWORD`.
    pub archive_secret: Option<String>,
    /// The console as its users reach it.
    pub console_url: Option<String>,
    /// What the console's own file says besides, over what it says by itself: who else may ask, and the clusters whose RBAC says what they
    /// see. A member is merged with that of the same name, and `null` takes it away.
    pub console: Map<String, Value>,
    /// A Secret with files that `console` names, mounted at /etc/vedette/console.
    pub console_secret: Option<String>,
    /// What the cluster is called in events: said once, where the operator is told of the cluster.
    #[serde(skip)]
    pub cluster: String,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// Everything is looked at this often though nothing happened.
    pub resync_seconds: u64,
}

/// The operator's Service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OperatorAddress {
    /// Its name.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// The port that rules are distributed on.
    pub port: u16,
}

impl OperatorAddress {
    pub(crate) fn url(&self) -> String {
        format!("https://{}.{}.svc:{}", self.service, self.namespace, self.port)
    }
}

impl Default for OperatorAddress {
    fn default() -> Self {
        Self { service: "vedette-operator".to_owned(), namespace: api::NAMESPACE.to_owned(), port: 9443 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: api::NAMESPACE.to_owned(),
            image: format!("vedette/vedette-{{component}}:{}", env!("CARGO_PKG_VERSION")),
            image_pull_policy: None,
            operator: OperatorAddress::default(),
            nats: json!({"url": "nats://nats:4222"}),
            nats_secret: None,
            monitor_url: None,
            archive: json!({"engine": "search", "search": {"urls": ["http://opensearch-cluster-data:9200"]}}),
            archive_secret: None,
            console_url: None,
            console: Map::new(),
            console_secret: None,
            cluster: "default".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            resync_seconds: 600,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.archive.get("engine").and_then(Value::as_str) == Some("search") { Ok(()) } else { Err(Error::Archive) }
    }

    pub(crate) fn resync(&self) -> Duration {
        Duration::from_secs(self.resync_seconds.max(1))
    }
}
