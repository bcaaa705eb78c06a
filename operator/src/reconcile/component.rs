//! The services that run for a `Webhook`, and how they differ.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Settings;
use crate::api;

/// Where every service answers its administrator and the kubelet.
pub(crate) const ADMIN_PORT: u16 = 9464;
/// Where the console listens.
pub(crate) const CONSOLE_PORT: u16 = 8443;
/// Where what a pod keeps for itself lies; it ends with the pod.
pub(crate) const STATE: &str = "/var/lib/vedette";
/// Where certificates and keys are mounted, each Secret in a folder.
pub(crate) const MOUNTS: &str = "/etc/vedette";

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The audit webhook.
    Ingest,
    /// What holds events against rules.
    Evaluator,
    /// What stores.
    Archiver,
    /// What sends alerts.
    Alerter,
    /// The query API.
    Console,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ingest, Self::Evaluator, Self::Archiver, Self::Alerter, Self::Console];

    /// Its name among the services.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Evaluator => "evaluator",
            Self::Archiver => "archiver",
            Self::Alerter => "alerter",
            Self::Console => "console",
        }
    }

    /// Its program, and the name of its Deployment, account and budget.
    pub fn program(self) -> String {
        format!("vedette-{}", self.name())
    }

    /// The Secret with the certificate that it serves with.
    pub fn server_secret(self) -> Option<&'static str> {
        match self {
            Self::Ingest => Some("vedette-ingest-tls"),
            Self::Console => Some("vedette-console-tls"),
            Self::Evaluator | Self::Archiver | Self::Alerter => None,
        }
    }

    /// The Secret with the certificate that it asks the operator for rules with.
    pub fn client_secret(self) -> Option<&'static str> {
        match self {
            Self::Ingest => Some("vedette-ingest-client"),
            Self::Evaluator => Some("vedette-evaluator-client"),
            Self::Alerter => Some("vedette-alerter-client"),
            Self::Console => Some("vedette-console-client"),
            Self::Archiver => None,
        }
    }

    /// Whether it asks the API server anything, and so has a token of its account.
    pub(crate) fn asks_kubernetes(self) -> bool {
        self == Self::Console
    }

    /// What the `Webhook` says of it alone.
    pub(crate) fn own(self, webhook: &api::Webhook) -> Option<&api::Component> {
        let all = webhook.spec.components.as_ref()?;
        match self {
            Self::Ingest => all.ingest.as_ref(),
            Self::Evaluator => all.evaluator.as_ref(),
            Self::Archiver => all.archiver.as_ref(),
            Self::Alerter => all.alerter.as_ref(),
            Self::Console => all.console.as_ref(),
        }
    }

    /// A name as its variables begin.
    pub(crate) fn prefix(self) -> String {
        vedette_service::config::prefix(self.name())
    }

    /// Its configuration as variables.
    pub(crate) fn variables(self, webhook: &api::Webhook, settings: &Settings) -> BTreeMap<String, String> {
        let mut keys = BTreeMap::from([("ADMIN__LISTEN".to_owned(), format!("0.0.0.0:{ADMIN_PORT}"))]);
        flatten("NATS", &settings.nats, &mut keys);
        let mut set = |key: &str, value: String| {
            keys.insert(key.to_owned(), value);
        };
        if self.client_secret().is_some() {
            set("POLICY__OPERATOR__URL", settings.operator.url());
            set("POLICY__OPERATOR__CA", format!("{MOUNTS}/client/ca.crt"));
            set("POLICY__OPERATOR__CERTIFICATE", format!("{MOUNTS}/client/tls.crt"));
            set("POLICY__OPERATOR__KEY", format!("{MOUNTS}/client/tls.key"));
            set("POLICY__STATE_DIR", format!("{STATE}/policy"));
        }
        match self {
            Self::Ingest => {
                let ports = Ports::of(webhook);
                set("CLUSTER", settings.cluster.clone());
                set("LISTEN", format!("0.0.0.0:{}", ports.listen));
                if ports.https {
                    set("TLS__MODE", "files".to_owned());
                    set("TLS__CERTIFICATE", format!("{MOUNTS}/tls/tls.crt"));
                    set("TLS__KEY", format!("{MOUNTS}/tls/tls.key"));
                } else {
                    set("TLS__MODE", "off".to_owned());
                }
                set("REDACTION__KEY_FILE", format!("{MOUNTS}/redaction/key"));
                if let Some(url) = &settings.monitor_url {
                    set("MONITOR_URL", url.clone());
                }
            }
            Self::Console => {
                set("LISTEN", format!("0.0.0.0:{CONSOLE_PORT}"));
                set("TLS__CERT", format!("{MOUNTS}/tls/tls.crt"));
                set("TLS__KEY", format!("{MOUNTS}/tls/tls.key"));
                set("TOKEN_FILE", format!("{MOUNTS}/token/token"));
                // Rules are managed where they come from.
                set("MANAGEMENT__URL", settings.operator.url());
                set("MANAGEMENT__CA", format!("{MOUNTS}/client/ca.crt"));
                set("MANAGEMENT__CERTIFICATE", format!("{MOUNTS}/client/tls.crt"));
                set("MANAGEMENT__KEY", format!("{MOUNTS}/client/tls.key"));
            }
            Self::Alerter => {
                if let Some(url) = &settings.console_url {
                    set("CONSOLE_URL", url.clone());
                }
            }
            Self::Evaluator | Self::Archiver => {}
        }
        if matches!(self, Self::Archiver | Self::Console) {
            flatten("ARCHIVE", &settings.archive, &mut keys);
        }
        if self == Self::Console {
            for (name, value) in console(settings) {
                flatten(&capitals(&name), &value, &mut keys);
            }
        }
        let prefix = self.prefix();
        let mut all: BTreeMap<_, _> = keys.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)).collect();
        let own = self.own(webhook).and_then(|it| it.env.clone()).unwrap_or_default();
        all.extend(own);
        all
    }
}

/// Where ingest listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) https: bool,
    /// As the `Webhook` has it.
    pub(crate) asked: u16,
    /// In the pod, whose process may not take a port below 1024.
    pub(crate) listen: u16,
}

impl Ports {
    pub(crate) fn of(webhook: &api::Webhook) -> Self {
        let https = webhook.spec.use_https.unwrap_or(true);
        let default = if https { 6443 } else { 8080 };
        let asked = webhook.spec.port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        let asked = asked.unwrap_or(default);
        Self { https, asked, listen: if asked < 1024 || asked == ADMIN_PORT { default } else { asked } }
    }

    /// What the Service answers on: what KubeSphere's documents name, and what was asked for.
    pub(crate) fn served(self) -> Vec<u16> {
        let mut ports = if self.https { vec![443, 6443] } else { vec![80, 8080] };
        if !ports.contains(&self.asked) {
            ports.push(self.asked);
        }
        ports
    }
}

/// What the console is told beyond addresses: this cluster says who asks and what they see, and whatever else the installation has.
fn console(settings: &Settings) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("auth".to_owned(), json!({"kubernetes": {"cluster": settings.cluster}}));
    told.insert("tenancy".to_owned(), json!({"clusters": [{"name": settings.cluster}]}));
    merge(&mut told, &settings.console);
    told
}

/// As a JSON merge patch (RFC 7396).
fn merge(into: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (into.get_mut(name), value) {
            (_, Value::Null) => {
                into.remove(name);
            }
            (Some(Value::Object(into)), Value::Object(patch)) => merge(into, patch),
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// A part of a configuration file as variables: `{search: {indexPrefix: a}}` below `ARCHIVE` is `ARCHIVE__SEARCH__INDEX_PREFIX=a`.
fn flatten(key: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                flatten(&format!("{key}__{}", capitals(name)), value, into);
            }
        }
        Value::String(text) => {
            into.insert(key.to_owned(), text.clone());
        }
        other => {
            into.insert(key.to_owned(), other.to_string());
        }
    }
}

fn capitals(camel: &str) -> String {
    let mut out = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}
