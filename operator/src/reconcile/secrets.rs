//! The Secrets: certificates for those who listen, for those who ask for rules, the console's token and the key that
//! ingest hashes secrets with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::Settings;
use super::component::Component;
use super::objects::{self, Kind, Object, SERVICE};
use crate::api;
use crate::authority::{Authority, AuthorityError, BUNDLE, CERTIFICATE, Certificate, Due, Issued, KEY, Side, Subject};
use crate::manage::access::SERVICES;

/// The authority itself.
pub const AUTHORITY: &str = "vedette-authority";
/// The operator's certificate, for admission and distribution.
pub const OPERATOR_TLS: &str = "vedette-operator-tls";
/// The token that whoever asks the console must show.
pub const CONSOLE_TOKEN: &str = "vedette-console-token";
/// Its key there.
pub(crate) const TOKEN: &str = "token";

/// The key that ingest hashes secrets with; all replicas have the same.
pub const REDACTION_KEY: &str = "vedette-redaction-key";
/// Its key there.
pub(crate) const HASHING: &str = "key";

/// A Secret with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The Secret.
    pub(crate) secret: &'static str,
    /// Whom the certificate is for.
    pub(crate) subject: Subject,
    /// The service that has it; none for the operator.
    pub(crate) component: Option<Component>,
}

/// What is issued: the operator's at any time, the services' where there is a `Webhook`.
pub(crate) fn held(settings: &Settings, cluster_ip: Option<&str>, services: bool) -> Vec<Held> {
    let mut held = vec![operator(settings)];
    for component in Component::ALL.into_iter().filter(|_| services) {
        let program = component.program();
        if let Some(secret) = component.server_secret() {
            let (service, address) = match component {
                Component::Ingest => (SERVICE, cluster_ip),
                _ => (program.as_str(), None),
            };
            let subject = server(&program, service, &settings.namespace, settings, address);
            held.push(Held { secret, subject, component: Some(component) });
        }
        if let Some(secret) = component.client_secret() {
            // Whoever holds it is no user to those who manage rules.
            let (name, names) = (format!("{SERVICES}{}", component.name()), vec![component.name().to_owned()]);
            let subject = Subject { name, names, side: Side::Client };
            held.push(Held { secret, subject, component: Some(component) });
        }
    }
    held
}

/// The operator's own.
pub(crate) fn operator(settings: &Settings) -> Held {
    let operator = &settings.operator;
    let subject = server("vedette-operator", &operator.service, &operator.namespace, settings, None);
    Held { secret: OPERATOR_TLS, subject, component: None }
}

/// A server is known by its Service's names, short and long.
fn server(name: &str, service: &str, namespace: &str, settings: &Settings, address: Option<&str>) -> Subject {
    let mut names = vec![
        service.to_owned(),
        format!("{service}.{namespace}"),
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.{}", settings.cluster_domain),
    ];
    names.extend(address.filter(|it| it.parse::<std::net::IpAddr>().is_ok()).map(str::to_owned));
    Subject { name: name.to_owned(), names, side: Side::Server }
}

/// What the Secret should hold: what it holds, as long as that serves, else something new.
pub(crate) fn certificate(
    authority: &Authority,
    held: &Held,
    found: Option<&BTreeMap<String, String>>,
    now: Timestamp,
) -> Result<Issued, AuthorityError> {
    let found =
        found.and_then(|it| Some(Issued { certificate: it.get(CERTIFICATE)?.clone(), key: it.get(KEY)?.clone() }));
    let due = match &found {
        None => None,
        Some(found) => match authority.serves(found, &held.subject, now) {
            Ok(()) if is_called(found, &held.subject.name) => return Ok(found.clone()),
            Ok(()) => Some(Due::Names),
            Err(due) => Some(due),
        },
    };
    tracing::info!(secret = held.secret, ?due, "issuing a certificate");
    authority.issue(&held.subject, now)
}

/// The name is more than a label on clients' certificates: it decides what they may.
fn is_called(issued: &Issued, name: &str) -> bool {
    Certificate::read(&issued.certificate).is_ok_and(|it| it.name() == name)
}

/// The Secret with a certificate.
pub(crate) fn object(
    held: &Held,
    issued: &Issued,
    authority: &Authority,
    webhook: Option<&api::Webhook>,
    settings: &Settings,
) -> Object {
    let body = json!({
        "type": "kubernetes.io/tls",
        "stringData": {CERTIFICATE: issued.certificate, KEY: issued.key, BUNDLE: authority.bundle()},
    });
    secret(held.secret, held.component, webhook, settings, body)
}

/// A Secret that holds 32 random bytes as hexadecimal text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random {
    /// The Secret.
    pub(crate) secret: &'static str,
    key: &'static str,
    component: Component,
}

/// Those that are made once.
pub(crate) const RANDOM: [Random; 2] = [
    Random { secret: CONSOLE_TOKEN, key: TOKEN, component: Component::Console },
    Random { secret: REDACTION_KEY, key: HASHING, component: Component::Ingest },
];

/// The Secret: what it holds, or something new.
pub(crate) fn random(
    random: &Random,
    found: Option<&BTreeMap<String, String>>,
    webhook: &api::Webhook,
    settings: &Settings,
) -> Option<Object> {
    let text = match found.and_then(|it| it.get(random.key)).filter(|text| !text.trim().is_empty()) {
        Some(text) => text.clone(),
        None => {
            let mut bytes = [0; 32];
            rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok()?;
            hex::encode(bytes)
        }
    };
    let body = json!({"type": "Opaque", "stringData": {random.key: text}});
    Some(secret(random.secret, Some(random.component), Some(webhook), settings, body))
}

fn secret(
    name: &str,
    component: Option<Component>,
    webhook: Option<&api::Webhook>,
    settings: &Settings,
    body: serde_json::Value,
) -> Object {
    match (component, webhook) {
        (Some(_), Some(webhook)) => objects::object(Kind::Secret, name, component, webhook, settings, body),
        _ => objects::own(Kind::Secret, name, settings, body),
    }
}
