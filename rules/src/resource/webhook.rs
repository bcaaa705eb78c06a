//! The `Webhook` resource.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use vedette_audit::Level;

use super::fields::Fields;
use super::{WebhookResource, metadata};
use crate::codes;
use crate::source::{Location, Sources, Text};
use crate::syntax::{Problem, quoted};
use crate::{Priority, Receiver, ReceiverKind, Requirement, RequirementOperator, Selector, similar};

/// The label values that mean the same: the seeds' selectors say one, their rules the other.
const ARCHIVING_WORDS: [&str; 2] = ["archiving", "persistence"];

pub(super) fn read(sources: &mut Sources<'_>, mut fields: Fields) -> Option<WebhookResource> {
    let metadata = metadata(sources, &mut fields);
    fields.ignore(&["status"]);
    let spec = fields.required_mapping(sources, "spec");
    fields.finish(sources);
    let mut spec = spec?;
    image(sources, &mut spec);
    spec.ignore(&[
        "imagePullPolicy",
        "imagePullSecrets",
        "args",
        "resources",
        "affinity",
        "nodeSelector",
        "tolerations",
        "components",
    ]);
    spec.number(sources, "replicas");
    spec.number(sources, "port");
    spec.bool(sources, "useHTTPS");
    let audit_level = level(sources, &mut spec);
    let k8s_auditing_enabled = k8s_auditing_enabled(sources, &mut spec);
    let mut priority = |sources: &mut Sources<'_>, name| {
        let text = spec.text(sources, name)?;
        parse_priority(sources, &text)
    };
    let archiving_priority = priority(sources, "archivingPriority");
    let alerting_priority = priority(sources, "alertingPriority");
    let (mut archiving, mut alerting) = (None, None);
    if let Some(mut policy) = spec.mapping(sources, "auditSinkPolicy") {
        archiving = selector(sources, &mut policy, "archivingRuleSelector");
        alerting = selector(sources, &mut policy, "alertingRuleSelector");
        policy.finish(sources);
    }
    let receivers = receivers(sources, &mut spec);
    spec.finish(sources);
    let name = metadata?.name;
    Some(WebhookResource {
        at: sources.locate(&name, &(0..name.text.len())),
        name: name.text,
        audit_level,
        k8s_auditing_enabled,
        archiving_priority,
        alerting_priority,
        archiving,
        alerting,
        receivers,
    })
}

/// Reads a priority by its exact word.
pub(super) fn parse_priority(sources: &mut Sources<'_>, text: &Text) -> Option<Priority> {
    let parsed = text.text.parse().ok();
    if parsed.is_none() {
        let help = similar::nearest(&text.text, ["DEBUG", "INFO", "WARNING"])
            .map_or("the priorities are `DEBUG`, `INFO` and `WARNING`".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
        let message = format!("{} is no priority", quoted(&text.text));
        sources.report_at(text, Problem::new(codes::PRIORITY, 0..0, message).help(help));
    }
    parsed
}

fn level(sources: &mut Sources<'_>, spec: &mut Fields) -> Option<Level> {
    let text = spec.text(sources, "auditLevel")?;
    let parsed = text.text.parse().ok();
    if parsed.is_none() {
        let known = ["None", "Metadata", "Request", "RequestResponse"];
        let help = similar::nearest(&text.text, known)
            .map_or("the levels are `None`, `Metadata`, `Request` and `RequestResponse`".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
        let message = format!("{} is no audit level", quoted(&text.text));
        sources.report_at(&text, Problem::new(codes::LEVEL, 0..0, message).help(help));
    }
    parsed
}

/// An image meant for the reference is not run; which one runs is the operator's matter.
fn image(sources: &mut Sources<'_>, spec: &mut Fields) {
    if let Some(image) = spec.text(sources, "image").filter(|image| image.text.contains("kube-auditing-webhook")) {
        let message = format!("the image {} is not run", quoted(&image.text));
        let problem =
            Problem::new(codes::FOREIGN_IMAGE, 0..0, message).help("Vedette runs its own; the field may stay");
        sources.report_at(&image, problem);
    }
}

/// `spec.k8sAuditingEnabled`, and where the manual writes it, `spec.auditing.k8sAuditingEnabled`: one is mirrored into the other.
fn k8s_auditing_enabled(sources: &mut Sources<'_>, spec: &mut Fields) -> Option<bool> {
    let direct = spec.bool(sources, "k8sAuditingEnabled");
    let mut auditing = spec.mapping(sources, "auditing");
    let nested = auditing.as_mut().and_then(|auditing| auditing.bool(sources, "k8sAuditingEnabled"));
    if let (Some(direct), Some(nested), Some(auditing)) = (direct, nested, &auditing)
        && direct != nested
        && let Some(at) = auditing.key(sources, "k8sAuditingEnabled")
    {
        let message = "`spec.auditing.k8sAuditingEnabled` contradicts `spec.k8sAuditingEnabled`";
        let help = format!("`{direct}` is in force, as `spec.k8sAuditingEnabled` says");
        sources.report(at.file, Problem::new(codes::CONTRADICTION, at.span, message).help(help));
    }
    if let Some(mut auditing) = auditing {
        auditing.ignore(&["enable", "enabled"]);
        auditing.finish(sources);
    }
    direct.or(nested)
}

fn selector(sources: &mut Sources<'_>, policy: &mut Fields, name: &'static str) -> Option<(Selector, Location)> {
    let mut fields = policy.mapping(sources, name)?;
    let at = policy.key(sources, name).unwrap_or_else(|| fields.start(sources));
    let mut requirements = Vec::new();
    if let Some(labels) = fields.mapping(sources, "matchLabels") {
        for (key, value) in labels.texts(sources) {
            requirements.push(Requirement { key, operator: RequirementOperator::In, values: vec![value.text] });
        }
    }
    let file = fields.file();
    for item in fields.sequence(sources, "matchExpressions").unwrap_or_default() {
        if let Some(expression) = Fields::of(sources, file, item, "an entry of `matchExpressions`") {
            requirements.extend(requirement(sources, expression));
        }
    }
    fields.finish(sources);
    if requirements.is_empty() {
        let message = format!("`{name}` is empty and takes every `Rule`");
        let help = "leave it out for the default, or name labels";
        sources.report(at.file, Problem::new(codes::SELECTS_ALL, at.span.clone(), message).help(help));
    }
    for requirement in &mut requirements {
        let synonym = ARCHIVING_WORDS.iter().any(|word| requirement.values.iter().any(|value| value == word));
        if requirement.key == "type" && synonym {
            for word in ARCHIVING_WORDS {
                if !requirement.values.iter().any(|value| value == word) {
                    requirement.values.push(word.to_owned());
                }
            }
        }
    }
    Some((Selector { requirements }, at))
}

fn requirement(sources: &mut Sources<'_>, mut fields: Fields) -> Option<Requirement> {
    let key = fields.required_text(sources, "key");
    let operator = fields.required_text(sources, "operator");
    let values = fields.text_list(sources, "values").unwrap_or_default();
    let start = fields.start(sources);
    fields.finish(sources);
    let (key, operator) = (key?, operator?);
    let values: Vec<String> = values.into_iter().map(|value| value.text).collect();
    let parsed = match operator.text.as_str() {
        "In" => RequirementOperator::In,
        "NotIn" => RequirementOperator::NotIn,
        "Exists" => RequirementOperator::Exists,
        "DoesNotExist" => RequirementOperator::DoesNotExist,
        other => {
            let message = format!("{} is no operator of a selector", quoted(other));
            let help = "the operators are `In`, `NotIn`, `Exists` and `DoesNotExist`";
            sources.report_at(&operator, Problem::new(codes::SELECTOR, 0..0, message).help(help));
            return None;
        }
    };
    let wants = matches!(parsed, RequirementOperator::In | RequirementOperator::NotIn);
    if wants == values.is_empty() {
        let word = if wants { "needs" } else { "takes no" };
        let message = format!("the operator `{}` {word} `values`", operator.text);
        sources.report(start.file, Problem::new(codes::SELECTOR, start.span, message));
        return None;
    }
    Some(Requirement { key: key.text, operator: parsed, values })
}

fn receivers(sources: &mut Sources<'_>, spec: &mut Fields) -> Vec<Receiver> {
    let file = spec.file();
    let mut receivers: Vec<Receiver> = Vec::new();
    for item in spec.sequence(sources, "receivers").unwrap_or_default() {
        let Some(fields) = Fields::of(sources, file, item, "a receiver") else { continue };
        let start = fields.start(sources);
        let Some(receiver) = receiver(sources, fields) else { continue };
        if receivers.iter().any(|other| other.name == receiver.name) {
            let message = format!("two receivers are named {}", quoted(&receiver.name));
            sources.report(start.file, Problem::new(codes::DUPLICATE_NAME, start.span, message));
            continue;
        }
        receivers.push(receiver);
    }
    receivers
}

fn receiver(sources: &mut Sources<'_>, mut fields: Fields) -> Option<Receiver> {
    let name = fields.required_text(sources, "name");
    let kind = fields.required_text(sources, "type");
    let config = fields.required_mapping(sources, "config");
    fields.finish(sources);
    let kind = kind.and_then(|kind| match kind.text.as_str() {
        "alertmanager" => Some(ReceiverKind::Alertmanager),
        "webhook" => Some(ReceiverKind::Webhook),
        other => {
            let message = format!("{} is no type of receiver", quoted(other));
            let problem =
                Problem::new(codes::RECEIVER, 0..0, message).help("the types are `alertmanager` and `webhook`");
            sources.report_at(&kind, problem);
            None
        }
    });
    let mut config = config?;
    let start = config.start(sources);
    let ca_bundle = config.text(sources, "caBundle");
    let secure = ca_bundle.is_some();
    let ca_bundle = match ca_bundle {
        Some(text) => Some(certificates(sources, &text)?),
        None => None,
    };
    let url = config.text(sources, "url");
    let service = config.mapping(sources, "service");
    config.finish(sources);
    let url = match (url, service) {
        (Some(url), None) => absolute(sources, &url),
        (None, Some(service)) => service_url(sources, service, secure, kind),
        (both, _) => {
            let message = if both.is_some() {
                "a receiver has `url` or `service`, not both"
            } else {
                "a receiver needs `url` or `service`"
            };
            sources.report(start.file, Problem::new(codes::RECEIVER, start.span, message));
            None
        }
    };
    Some(Receiver { name: name?.text, kind: kind?, url: url?, ca_bundle })
}

fn absolute(sources: &mut Sources<'_>, url: &Text) -> Option<String> {
    let host = url.text.strip_prefix("http://").or_else(|| url.text.strip_prefix("https://"));
    let usable = host.is_some_and(|host| {
        !host.starts_with(['/', ':', '?', '#'])
            && !host.is_empty()
            && !host.contains(|it: char| it.is_whitespace() || it.is_control())
    });
    if !usable {
        let message = format!("{} is no address of a receiver", quoted(&url.text));
        let problem = Problem::new(codes::RECEIVER, 0..0, message)
            .help("an address starts with `http://` or `https://` and a host");
        sources.report_at(url, problem);
        return None;
    }
    Some(url.text.clone())
}

/// A service is spoken to in plain, unless certificates say how to trust it.
fn service_url(
    sources: &mut Sources<'_>,
    mut service: Fields,
    secure: bool,
    kind: Option<ReceiverKind>,
) -> Option<String> {
    let namespace = service.required_text(sources, "namespace");
    let name = service.required_text(sources, "name");
    let path = service.text(sources, "path").map(|path| path.text).unwrap_or_default();
    let port = service.number(sources, "port");
    let file = service.file();
    service.finish(sources);
    let port = match port {
        Some((port, _)) if (1..=65_535).contains(&port) => port,
        Some((port, node)) => {
            let span = sources.tree(file).node(node).span.clone();
            sources.report(file, Problem::new(codes::RECEIVER, span, format!("{port} is no port")));
            return None;
        }
        None if kind == Some(ReceiverKind::Alertmanager) => 9093,
        None if secure => 443,
        None => 80,
    };
    let scheme = if secure { "https" } else { "http" };
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    Some(format!("{scheme}://{}.{}.svc:{port}{slash}{path}", name?.text, namespace?.text))
}

/// PEM in base64, as in every resource of Kubernetes that holds certificates.
fn certificates(sources: &mut Sources<'_>, text: &Text) -> Option<Vec<u8>> {
    let compact: String = text.text.split_whitespace().collect();
    let decoded = STANDARD.decode(compact).ok().filter(|pem| pem.windows(11).any(|part| part == b"-----BEGIN "));
    if decoded.is_none() {
        let problem = Problem::new(codes::RECEIVER, 0..0, "`caBundle` holds no certificates")
            .help("it is the base64 of certificates in PEM");
        sources.report_at(text, problem);
    }
    decoded
}
