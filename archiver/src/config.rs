//! The archiver's settings.

use serde::Deserialize;
use vedette_archive::Engine;
use vedette_service::admin::AdminConfig;

/// The settings of `vedette-archiver`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The broker.
    pub nats: vedette_bus::Config,
    /// Where records are kept, and for how long.
    pub archive: vedette_archive::Config,
    /// What is written with one commit.
    pub commit: CommitConfig,
    /// Where health and metrics are served.
    pub admin: AdminConfig,
}

/// The bounds of one commit: it is made when any of them is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CommitConfig {
    /// Documents.
    pub documents: usize,
    /// Bytes of the events as they came; 16 MiB for the embedded engine and 3 MiB for the others unless told. Twice as
    /// much can be in hand: what is being written, and what is gathered meanwhile.
    pub bytes: Option<usize>,
    /// Milliseconds since the first of them came.
    pub delay_millis: u64,
}

impl Config {
    /// The bound on bytes in force.
    pub(crate) fn commit_bytes(&self) -> usize {
        self.commit.bytes.unwrap_or(match self.archive.engine {
            Engine::Embedded => 16 << 20,
            Engine::Search => 3 << 20,
        })
    }
}

impl Default for CommitConfig {
    fn default() -> Self {
        Self { documents: 10_000, bytes: None, delay_millis: 1_000 }
    }
}

impl vedette_service::Settings for Config {
    fn admin(&self) -> &AdminConfig {
        &self.admin
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn the_example_is_the_default() {
        let example: Config = serde_yaml_ng::from_str(include_str!("../config.example.yaml")).unwrap();
        let mut default = Config::default();
        default.admin.listen = example.admin.listen;
        assert_eq!(format!("{example:?}"), format!("{default:?}"));
    }
}
