//! The archiver's settings.

use serde::Deserialize;
use vedette_service::admin::AdminConfig;

/// Everything that `vedette-archiver` reads from its file and its environment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The broker.
    pub nats: vedette_bus::Config,
    /// Where records are kept, and for how long.
    pub archive: vedette_archive::Config,
    /// What is written with one commit.
    pub commit: CommitConfig,
    /// Health and metrics.
    pub admin: AdminConfig,
}

/// The bounds of one commit: it is made when any of them is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CommitConfig {
    /// Documents.
    pub documents: usize,
    /// Bytes of documents.
    pub bytes: usize,
    /// Milliseconds since the first of them came.
    pub delay_millis: u64,
}

impl Default for CommitConfig {
    fn default() -> Self {
        Self { documents: 10_000, bytes: 8 << 20, delay_millis: 1_000 }
    }
}

impl vedette_service::Settings for Config {
    fn admin(&self) -> &AdminConfig {
        &self.admin
    }
}
