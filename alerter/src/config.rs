//! The alerter's own settings. Who gets alerts is not among them: that comes from the `Webhook` resource alone.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use vedette_service::admin::AdminConfig;
use vedette_service::policy::PolicyConfig;

/// The settings of `vedette-alerter`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The broker.
    pub nats: vedette_bus::Config,
    /// Where the `Rule` and `Webhook` resources are; the receivers are in the `Webhook`.
    pub policy: PolicyConfig,
    /// Where health and metrics are served.
    pub admin: AdminConfig,
    /// Base URL of the console as its users reach it: each alert links to its event there. Without one there is no link.
    pub console_url: Option<String>,
    /// New sets of labels for each rule and cluster in a minute; above it, alerts are told apart less. 0: no bound.
    pub label_sets_per_minute: u32,
    /// PEM file of further certificates to trust, for receivers that name none of their own.
    pub ca_file: Option<PathBuf>,
    /// How alerts are sent.
    pub delivery: Delivery,
}

/// How alerts are sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Delivery {
    /// Seconds until a receiver must have answered a POST.
    pub timeout_seconds: u64,
    /// Alerts in one POST at most.
    pub alerts_per_post: usize,
    /// Bytes of one POST at most, about; one alert alone may be larger.
    pub bytes_per_post: usize,
    /// Alerts held in memory at most, over all receivers; a single batch may be larger.
    pub alerts_in_flight: usize,
    /// Seconds for which alerts wait here for a receiver that is away, before they go back to the broker to come again.
    pub hold_seconds: u64,
    /// Hours after which alerts that a receiver still has not taken become dead letters.
    pub give_up_hours: u64,
    /// Seconds for which work is finished after the signal to stop.
    pub drain_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nats: vedette_bus::Config::default(),
            policy: PolicyConfig::default(),
            admin: AdminConfig::default(),
            console_url: None,
            label_sets_per_minute: 100,
            ca_file: None,
            delivery: Delivery::default(),
        }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            timeout_seconds: 10,
            alerts_per_post: 256,
            bytes_per_post: 1 << 20,
            alerts_in_flight: 8_192,
            hold_seconds: 15,
            give_up_hours: 24,
            drain_seconds: 5,
        }
    }
}

/// A setting that can't be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("bad setting `{key}`: {message}")]
pub struct SettingError {
    /// The setting, as the configuration file spells it.
    pub key: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Config {
    /// Checks what the types can't say.
    ///
    /// # Errors
    /// The first setting that can't be.
    pub fn check(&self) -> Result<(), SettingError> {
        let positive = [
            ("delivery.timeoutSeconds", self.delivery.timeout_seconds),
            ("delivery.alertsPerPost", self.delivery.alerts_per_post as u64),
            ("delivery.bytesPerPost", self.delivery.bytes_per_post as u64),
            ("delivery.alertsInFlight", self.delivery.alerts_in_flight as u64),
            ("delivery.giveUpHours", self.delivery.give_up_hours),
        ];
        for (key, value) in positive {
            if value == 0 {
                return Err(SettingError { key, message: "must be at least 1".to_owned() });
            }
        }
        if let Some(url) = &self.console_url {
            let bad = |message: &str| SettingError { key: "consoleUrl", message: message.to_owned() };
            let url = reqwest::Url::parse(url).map_err(|_| bad("is no URL"))?;
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err(bad("must begin with http:// or https:// and name a host"));
            }
        }
        Ok(())
    }
}

impl vedette_service::Settings for Config {
    fn admin(&self) -> &AdminConfig {
        &self.admin
    }
}

impl Delivery {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    pub(crate) fn hold(&self) -> Duration {
        Duration::from_secs(self.hold_seconds)
    }

    pub(crate) fn give_up(&self) -> Duration {
        Duration::from_secs(self.give_up_hours.saturating_mul(3_600))
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, SettingError};

    fn check(change: impl FnOnce(&mut Config)) -> Result<(), &'static str> {
        let mut config = Config::default();
        change(&mut config);
        config.check().map_err(|SettingError { key, .. }| key)
    }

    #[test]
    fn settings_that_cannot_be_are_named() {
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|c| c.console_url = Some("https://console.example/vedette".to_owned())), Ok(()));
        assert_eq!(check(|c| c.console_url = Some("console.example".to_owned())), Err("consoleUrl"));
        assert_eq!(check(|c| c.console_url = Some("file:///etc/passwd".to_owned())), Err("consoleUrl"));
        assert_eq!(check(|c| c.delivery.alerts_per_post = 0), Err("delivery.alertsPerPost"));
        assert_eq!(check(|c| c.delivery.hold_seconds = 0), Ok(()));
    }

    #[test]
    fn the_example_is_a_configuration_with_the_defaults() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.yaml");
        let config: Config = vedette_service::config::load("VEDETTE_ALERTER_EXAMPLE_", Some(file.as_ref())).unwrap();
        config.check().unwrap();
        assert_eq!(config.label_sets_per_minute, Config::default().label_sets_per_minute);
        assert_eq!(format!("{:?}", config.delivery), format!("{:?}", Config::default().delivery));
    }
}
