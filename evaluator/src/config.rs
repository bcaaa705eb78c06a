//! The evaluator's own settings. What is stored and alerted comes from the `Rule` and `Webhook` resources alone.

use serde::Deserialize;
use vedette_service::admin::AdminConfig;
use vedette_service::policy::PolicyConfig;

/// The settings of `vedette-evaluator`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The broker.
    pub nats: vedette_bus::Config,
    /// Where the `Rule` and `Webhook` resources are.
    pub policy: PolicyConfig,
    /// Where health and metrics are served.
    pub admin: AdminConfig,
    /// Batches that are decided at the same moment, over both consumers: one a core by default. At least 1.
    pub workers: usize,
    /// Batches in hand for each consumer: being decided, or waiting for the broker to take their result. At least 1.
    pub batches_in_hand: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nats: vedette_bus::Config::default(),
            policy: PolicyConfig::default(),
            admin: AdminConfig::default(),
            workers: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            batches_in_hand: 4,
        }
    }
}

impl vedette_service::Settings for Config {
    fn admin(&self) -> &AdminConfig {
        &self.admin
    }
}
