//! Which archive, and where.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

/// The archive's settings, a section of the archiver's and of the console's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Which engine holds the records.
    pub engine: Engine,
    /// Settings of the embedded engine.
    pub embedded: EmbeddedConfig,
    /// Settings of Elasticsearch/OpenSearch.
    pub search: SearchConfig,
    /// Days for which records are kept, counted in whole UTC days of the events' own time; 0 keeps them for ever.
    pub retention_days: u32,
}

/// The engines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Engine {
    /// Tantivy, in a directory of this machine.
    #[default]
    Embedded,
    /// Elasticsearch 7.17 or newer, or OpenSearch 2 or newer.
    Search,
}

/// Settings of the embedded engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EmbeddedConfig {
    /// The directory; it holds one index for each UTC day.
    pub dir: PathBuf,
    /// Memory for documents that are not written out yet, in bytes, over all open days; at least 15 MB.
    pub writer_memory_bytes: usize,
    /// Days that may be open for writing at a time; at least 1.
    pub open_days: usize,
    /// Bytes of all days together, above which the oldest are dropped; 0 for no such bound.
    pub max_bytes: u64,
    /// Bytes of the disk that stay free: the oldest days are dropped for it, and with none left to drop nothing is written.
    pub min_free_bytes: u64,
}

/// Settings of Elasticsearch/OpenSearch.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SearchConfig {
    /// Base URLs of the cluster's nodes, http or https; tried in turn.
    pub urls: Vec<String>,
    /// Indices are named `<prefix>-YYYY.MM.DD`. `{cluster}` in it stands for the document's cluster, so that each has indices
    /// of its own: `{cluster}-auditing`, as KubeSphere 4 has it.
    pub index_prefix: String,
    /// User name for basic authentication.
    pub user: Option<String>,
    /// Password for basic authentication.
    pub password: Option<SecretString>,
    /// API key (already encoded, as the engine hands it out); instead of user and password.
    pub api_key: Option<SecretString>,
    /// PEM file of certificates to trust; without one, the system's.
    pub ca_file: Option<PathBuf>,
    /// Primary shards of a daily index.
    pub shards: u32,
    /// Replicas of a daily index. With none, a lost node loses its days.
    pub replicas: u32,
    /// Bytes of documents in one bulk request, before compression.
    pub bulk_bytes: usize,
    /// Documents in one bulk request.
    pub bulk_documents: usize,
    /// Bulk requests under way at a time, 1 to 16.
    pub bulk_in_flight: usize,
    /// Seconds until a request is given up.
    pub timeout_seconds: u64,
}

/// What an archive is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Writing and reading. Embedded: one process at a time.
    Write,
    /// Reading alone, beside whoever writes.
    Read,
}

impl Config {
    /// The embedded engine in this directory, everything else as by default.
    pub fn embedded(dir: impl Into<PathBuf>) -> Self {
        Self {
            engine: Engine::Embedded,
            embedded: EmbeddedConfig { dir: dir.into(), ..EmbeddedConfig::default() },
            ..Self::default()
        }
    }

    /// Elasticsearch or OpenSearch at this URL, everything else as by default.
    pub fn search(url: impl Into<String>) -> Self {
        Self {
            engine: Engine::Search,
            search: SearchConfig { urls: vec![url.into()], ..SearchConfig::default() },
            ..Self::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            embedded: EmbeddedConfig::default(),
            search: SearchConfig::default(),
            retention_days: 7,
        }
    }
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("archive"),
            writer_memory_bytes: 96 << 20,
            open_days: 4,
            max_bytes: 0,
            min_free_bytes: 1 << 30,
        }
    }
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            urls: vec!["http://127.0.0.1:9200".to_owned()],
            index_prefix: "ks-whizard-auditing".to_owned(),
            user: None,
            password: None,
            api_key: None,
            ca_file: None,
            shards: 1,
            replicas: 0,
            bulk_bytes: 2 << 20,
            bulk_documents: 5_000,
            bulk_in_flight: 2,
            timeout_seconds: 30,
        }
    }
}
