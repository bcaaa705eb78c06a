//! What ingest can be told.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};
use vedette_audit::redact::FieldRule;
use vedette_service::{admin::AdminConfig, policy::PolicyConfig};

use crate::{budget, label};

pub use crate::durability::Durability;

/// Ingest's configuration: a YAML file, or variables `VEDETTE_INGEST_…`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Where senders are answered: one `address:port` or several, as a list or separated by commas.
    #[serde(deserialize_with = "one_or_many")]
    pub listen: Vec<SocketAddr>,
    /// The cluster of what comes on the path that names none: an RFC 1123 label.
    pub cluster: String,
    /// How connections are protected.
    pub tls: TlsConfig,
    /// Bearer tokens by cluster.
    pub tokens: BTreeMap<String, SecretString>,
    /// Files of bearer tokens by cluster, one a line, so that an old one stays valid while senders are changed. They are
    /// read again when they change.
    pub token_files: BTreeMap<String, PathBuf>,
    /// What is replaced before anything goes on.
    pub redaction: RedactionConfig,
    /// What is taken at most.
    pub limits: Limits,
    /// The broker's monitoring address, as `http://127.0.0.1:8222`: it is asked at start when the broker syncs.
    pub monitor_url: Option<String>,
    /// What the broker promises when it acknowledges, where it is not asked or does not answer.
    pub durability: Durability,
    /// The broker.
    pub nats: vedette_bus::Config,
    /// Where the policy comes from.
    pub policy: PolicyConfig,
    /// Where the administrator is answered.
    pub admin: AdminConfig,
}

/// How connections are protected.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Where the certificate comes from; by default from `certificate` and `key` where they are set, else self-signed.
    pub mode: Option<TlsMode>,
    /// A PEM certificate with its chain.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// Where a self-signed certificate is kept, with its authority (`ca.crt`) for senders to trust.
    pub directory: PathBuf,
    /// The names and addresses of a self-signed certificate.
    pub names: Vec<String>,
    /// PEM certificates of the authority of senders' certificates. A sender's certificate is for the clusters that it
    /// names as DNS names.
    pub client_ca: Option<PathBuf>,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsMode {
    /// Made at first start and kept.
    SelfSigned,
    /// From `certificate` and `key`.
    Files,
    /// Plain HTTP: for a KubeSphere with `useHTTPS: false`, within one trusted network.
    Off,
}

/// What is replaced before anything goes on: Secrets and tokens, and what is named here.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RedactionConfig {
    /// Whether anything is.
    pub enabled: bool,
    /// The key that values are hashed with, 64 hexadecimal digits; else that of `key_file`.
    pub key: Option<SecretString>,
    /// The file of the key, which is made if there is none. Replicas need the same key, or one secret has several hashes.
    pub key_file: PathBuf,
    /// Fields of other resources. Of rules for one resource the first counts.
    pub fields: Vec<FieldsConfig>,
}

/// Fields of a resource that are replaced like a Secret's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldsConfig {
    /// The resource's API group, empty for the core one; any, if it is not said.
    #[serde(default)]
    pub group: Option<String>,
    /// The kind of resource, in its plural.
    pub resource: String,
    /// Paths as `spec.password`; `*` is any member, and an array's elements stand for it.
    pub fields: Vec<String>,
}

/// What is taken at most.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a body, compressed or not.
    pub body_bytes: u64,
    /// Bytes held of all bodies at once. A cluster has half of them while others hold any, else seven eighths.
    pub in_flight_bytes: usize,
    /// Bytes of one event; it loses its bodies above 8 MiB, and is a dead letter above this.
    pub event_bytes: usize,
    /// Bytes a second of one cluster, on average; 0 is no limit. More is answered 429. By default more than two cores take
    /// in (150,000 events of 1.4 KB are 210 MB), and so many times what a kube-apiserver sends: it stops no sender, only one
    /// that would take a larger machine for itself.
    pub cluster_bytes_per_second: u64,
    /// Bytes of one cluster at once, beyond its average.
    pub cluster_burst_bytes: u64,
    /// Connections at once; more wait.
    pub connections: usize,
    /// Seconds that TLS and the first request's head may take.
    pub handshake_seconds: u64,
    /// Seconds that a connection may be idle between requests. Longer than a kube-apiserver keeps one, so that it is the
    /// one to close.
    pub keep_alive_seconds: u64,
    /// Seconds between two pieces of a body.
    pub idle_seconds: u64,
    /// Seconds that a whole body may take.
    pub body_seconds: u64,
    /// Milliseconds that publishing a whole body may take. KubeSphere's sender waits 3 seconds in all.
    pub publish_milliseconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8443))],
            cluster: "default".to_owned(),
            tls: TlsConfig::default(),
            tokens: BTreeMap::new(),
            token_files: BTreeMap::new(),
            redaction: RedactionConfig::default(),
            limits: Limits::default(),
            monitor_url: None,
            durability: Durability::default(),
            nats: vedette_bus::Config::default(),
            policy: PolicyConfig::default(),
            admin: AdminConfig::default(),
        }
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            mode: None,
            certificate: None,
            key: None,
            directory: PathBuf::from("/var/lib/vedette/ingest/tls"),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
            client_ca: None,
        }
    }
}

impl Default for RedactionConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            key: None,
            key_file: PathBuf::from("/var/lib/vedette/ingest/redaction.key"),
            fields: Vec::new(),
        }
    }
}

impl From<&FieldsConfig> for FieldRule {
    fn from(config: &FieldsConfig) -> Self {
        let FieldsConfig { group, resource, fields } = config.clone();
        Self { group, resource, fields }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            body_bytes: 48 * MIB as u64,
            in_flight_bytes: 24 * MIB,
            event_bytes: 20 * MIB,
            cluster_bytes_per_second: 256 * MIB as u64,
            cluster_burst_bytes: 256 * MIB as u64,
            connections: 4096,
            handshake_seconds: 10,
            keep_alive_seconds: 120,
            idle_seconds: 10,
            body_seconds: 30,
            publish_milliseconds: 2000,
        }
    }
}

/// A configuration that makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{key}`: {problem}")]
pub struct Invalid {
    /// The key, as in the file.
    pub key: String,
    /// What is wrong with its value.
    pub problem: &'static str,
}

impl Config {
    /// # Errors
    /// The first value that makes no sense by itself or beside others.
    pub fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key: &str, problem| Err(Invalid { key: key.to_owned(), problem });
        if self.listen.is_empty() {
            return invalid("listen", "expected at least one address");
        }
        if !vedette_bus::is_label(&self.cluster) {
            return invalid("cluster", label::RULE);
        }
        for (section, cluster) in
            self.tokens.keys().map(|key| ("tokens", key)).chain(self.token_files.keys().map(|key| ("tokenFiles", key)))
        {
            if !vedette_bus::is_label(cluster) {
                return invalid(&format!("{section}.{cluster}"), label::RULE);
            }
        }
        if let Some((cluster, _)) = self.tokens.iter().find(|(_, token)| token.expose_secret().trim().is_empty()) {
            return invalid(&format!("tokens.{cluster}"), "expected a token that is not empty");
        }
        let tls = &self.tls;
        if tls.certificate.is_some() != tls.key.is_some() {
            return invalid("tls", "expected `certificate` and `key` together");
        }
        match tls.mode() {
            TlsMode::Files if tls.certificate.is_none() => {
                return invalid("tls.mode", "`files` needs `certificate` and `key`");
            }
            TlsMode::Off if tls.client_ca.is_some() => {
                return invalid("tls.clientCa", "senders show certificates over TLS alone, and `mode` is `off`");
            }
            TlsMode::Off | TlsMode::SelfSigned if tls.certificate.is_some() => {
                return invalid("tls.certificate", "is not used in this `mode`");
            }
            _ => {}
        }
        let limits = &self.limits;
        if limits.event_bytes > budget::most(limits.in_flight_bytes) {
            return invalid("limits.eventBytes", "expected at most seven eighths of `inFlightBytes`");
        }
        for (key, value) in [
            ("limits.bodyBytes", limits.body_bytes),
            ("limits.eventBytes", limits.event_bytes as u64),
            ("limits.clusterBurstBytes", limits.cluster_burst_bytes),
            ("limits.connections", limits.connections as u64),
            ("limits.handshakeSeconds", limits.handshake_seconds),
            ("limits.keepAliveSeconds", limits.keep_alive_seconds),
            ("limits.idleSeconds", limits.idle_seconds),
            ("limits.bodySeconds", limits.body_seconds),
            ("limits.publishMilliseconds", limits.publish_milliseconds),
        ] {
            if value == 0 {
                return invalid(key, "expected more than 0");
            }
        }
        Ok(())
    }
}

impl TlsConfig {
    /// Where the certificate comes from.
    pub fn mode(&self) -> TlsMode {
        let given = if self.certificate.is_some() { TlsMode::Files } else { TlsMode::SelfSigned };
        self.mode.unwrap_or(given)
    }

    /// The names of a self-signed certificate for these addresses: the configured ones and the addresses themselves.
    pub(crate) fn names_for(&self, listen: &[SocketAddr]) -> Vec<String> {
        let mut names = self.names.clone();
        for address in listen.iter().map(SocketAddr::ip).filter(|address: &IpAddr| !address.is_unspecified()) {
            let address = address.to_string();
            if !names.contains(&address) {
                names.push(address);
            }
        }
        names
    }
}

impl Limits {
    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_secs(self.handshake_seconds)
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_seconds)
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    pub(crate) fn body(&self) -> Duration {
        Duration::from_secs(self.body_seconds)
    }

    pub(crate) fn publish(&self) -> Duration {
        Duration::from_millis(self.publish_milliseconds)
    }
}

/// One value or a list of them; text may hold several, separated by commas.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        OneOrMany::Many(texts) => texts,
    };
    let parse = |text: &String| text.parse().map_err(|_| D::Error::custom("expected `address:port`"));
    texts.iter().map(parse).collect()
}

#[cfg(test)]
mod tests;
