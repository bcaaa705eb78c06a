//! The console's own settings.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use vedette_service::admin::AdminConfig;
use vedette_service::policy::PolicyConfig;

use crate::auth::AuthConfig;
use crate::tenancy::TenancyConfig;

/// The settings of `vedette-console`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Where the pages and the API are served.
    pub listen: SocketAddr,
    /// The certificate to serve it with; without one it is plain HTTP, which belongs on loopback alone.
    pub tls: Option<Tls>,
    /// The administrator's token: who brings it sees everything. Better in `tokenFile`, or in the variable of this setting.
    pub token: Option<SecretString>,
    /// A file that holds the token; made with a new token, readable by its owner alone, if there is none. Not looked at
    /// where `token` is set; one of both is needed, or a way in of `auth`.
    pub token_file: Option<PathBuf>,
    /// Who else may ask.
    pub auth: AuthConfig,
    /// What they may see.
    pub tenancy: TenancyConfig,
    /// The archive that is read.
    pub archive: vedette_archive::Config,
    /// The broker, whose state and books are shown.
    pub nats: vedette_bus::Config,
    /// Where the rules come from that are in force, as for the evaluators: answers say then whether such events are kept. Left
    /// out, they don't.
    pub policy: Option<PolicyConfig>,
    /// Where health and metrics are served.
    pub admin: AdminConfig,
    /// What requests may use.
    pub limits: Limits,
}

/// Files of a certificate and its key.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the certificate and its chain.
    pub cert: PathBuf,
    /// PEM file of the key.
    pub key: PathBuf,
}

/// What requests may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Seconds until a request must be answered, and each further part of a long answer be there.
    pub timeout_seconds: u64,
    /// Requests that are answered at a time; others wait, and are refused when their time is up.
    pub concurrent: usize,
}

/// A setting that can't be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("bad setting `{key}`: {message}")]
pub struct SettingError {
    /// The setting, as the configuration file spells it.
    pub key: &'static str,
    /// What is wrong with it.
    pub message: &'static str,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            tls: None,
            token: None,
            token_file: None,
            auth: AuthConfig::default(),
            tenancy: TenancyConfig::default(),
            archive: vedette_archive::Config::default(),
            nats: vedette_bus::Config::default(),
            policy: None,
            admin: AdminConfig::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout_seconds: 30, concurrent: 16 }
    }
}

impl Config {
    /// Checks what the types can't say.
    ///
    /// # Errors
    /// The first setting that can't be.
    pub fn check(&self) -> Result<(), SettingError> {
        let error = |key, message| Err(SettingError { key, message });
        if self.token.is_none() && self.token_file.is_none() && !self.auth.any() {
            return error(
                "tokenFile",
                "is needed where there is no `token` and no `auth`: the API is not served to everybody",
            );
        }
        self.auth.check(self.tls.is_some())?;
        self.tenancy.check()?;
        if self.limits.timeout_seconds == 0 {
            return error("limits.timeoutSeconds", "must be at least 1");
        }
        if self.limits.concurrent == 0 {
            return error("limits.concurrent", "must be at least 1");
        }
        Ok(())
    }
}

impl Limits {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

impl vedette_service::Settings for Config {
    fn admin(&self) -> &AdminConfig {
        &self.admin
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Config;

    #[test]
    fn settings_that_cannot_be_are_named() {
        let check = |change: &dyn Fn(&mut Config)| {
            let mut config = Config { token_file: Some("token".into()), ..Config::default() };
            change(&mut config);
            config.check().map_err(|error| error.key)
        };
        assert_eq!(check(&|_| {}), Ok(()));
        assert_eq!(check(&|c| c.token_file = None), Err("tokenFile"));
        assert_eq!(check(&|c| c.limits.timeout_seconds = 0), Err("limits.timeoutSeconds"));
        assert_eq!(check(&|c| c.limits.concurrent = 0), Err("limits.concurrent"));
        let kubernetes = |c: &mut Config| {
            c.token_file = None;
            c.auth.kubernetes = Some(crate::KubernetesAuth::default());
        };
        assert_eq!(check(&kubernetes), Ok(()));
        let scopes = |scopes: Value| {
            move |c: &mut Config| {
                let oidc = json!({ "issuer": "https://id.example.com", "clientId": "vedette", "scopes": scopes });
                c.auth.oidc = Some(serde_json::from_value(oidc).unwrap());
            }
        };
        assert_eq!(check(&scopes(json!(["openid", "groups"]))), Ok(()));
        for bad in [json!([]), json!(["profile"]), json!(["openid", ""]), json!(["openid", "profile email"])] {
            assert_eq!(check(&scopes(bad)), Err("auth.oidc.scopes"));
        }
        assert_eq!(check(&|c| c.tenancy.max_age_seconds = 1), Err("tenancy.maxAgeSeconds"));
        let cluster = |name: &str| crate::TenancyCluster { name: name.to_owned(), kubeconfig: None };
        let twice = [cluster("a"), cluster("a")];
        assert_eq!(check(&move |c| c.tenancy.clusters = twice.to_vec()), Err("tenancy.clusters"));
        let everybody = |c: &mut Config| c.tenancy.administrators.groups = vec!["system:authenticated".to_owned()];
        assert_eq!(check(&everybody), Err("tenancy.administrators.groups"));
    }

    /// What the example shows in comments is read too: without them, apart from what is told in words.
    #[test]
    fn what_the_example_shows_can_be_configured() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.yaml");
        let text = std::fs::read_to_string(file).unwrap();
        let shown = |line: &str| {
            let rest = line.trim_start().strip_prefix("# ")?;
            let key = rest.trim_start().trim_start_matches("- ").split(':').next()?;
            let is_key = rest.contains(':') && key.chars().all(|it| it.is_ascii_alphanumeric());
            let indent = line.len() - line.trim_start().len();
            is_key.then(|| format!("{}{rest}", " ".repeat(indent)))
        };
        let lines = text.lines().filter_map(|line| match line.trim_start().starts_with('#') {
            true => shown(line),
            false => Some(line.to_owned()),
        });
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("console.yaml");
        std::fs::write(&whole, lines.collect::<Vec<_>>().join("\n")).unwrap();
        let config: Config = vedette_service::config::load("VEDETTE_CONSOLE_EXAMPLE_", Some(&whole)).unwrap();
        config.check().unwrap();
        assert!(config.auth.oidc.is_some() && config.auth.proxy.is_some() && config.auth.kubernetes.is_some());
        assert_eq!(config.tenancy.clusters.len(), 1);
    }

    #[test]
    fn the_example_is_a_configuration_with_the_defaults() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.yaml");
        let config: Config = vedette_service::config::load("VEDETTE_CONSOLE_EXAMPLE_", Some(file.as_ref())).unwrap();
        config.check().unwrap();
        let default = Config::default();
        assert_eq!(config.listen, default.listen);
        assert_eq!(format!("{:?}", config.limits), format!("{:?}", default.limits));
        assert_eq!(format!("{:?}", config.tenancy), format!("{:?}", default.tenancy));
        assert_eq!(format!("{:?}", config.auth), format!("{:?}", default.auth));
    }
}
