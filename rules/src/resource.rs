//! The `Rule` and `Webhook` resources of a set of files, read from nodes by hand so that every complaint has a place.
//!
//! A definition that is wrong keeps its name as [`Body::Broken`], so that references to it raise no second error.

pub(crate) mod fields;
mod rule;
mod webhook;

use std::collections::BTreeMap;

use crate::source::{Location, Sources, Text};
use crate::syntax::{Problem, quoted};
use crate::yaml::NodeId;
use crate::{Dialect, Priority, Receiver, Selector};
use crate::{cases, codes};

use fields::Fields;

/// The group and version of the resources.
pub(crate) const API_VERSION: &str = "auditing.kubesphere.io/v1alpha1";

/// What the files hold.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    pub(crate) rules: Vec<RuleResource>,
    pub(crate) webhooks: Vec<WebhookResource>,
}

/// A `Rule`.
#[derive(Debug)]
pub(crate) struct RuleResource {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// How its conditions are read, if it says so.
    pub(crate) dialect: Option<Dialect>,
    pub(crate) definitions: Vec<Definition>,
    pub(crate) at: Location,
}

/// An entry of a `Rule`.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) at: Location,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    Rule(RuleBody),
    Macro(Text),
    List(Vec<Text>),
    Alias(Text),
    /// Reported already; the word is what kind it wanted to be, if that is known.
    Broken(Option<&'static str>),
}

#[derive(Debug)]
pub(crate) struct RuleBody {
    pub(crate) condition: Text,
    pub(crate) enabled: Option<bool>,
    /// Where the entry starts.
    pub(crate) at: Location,
    /// Conditions that excuse an event.
    pub(crate) exceptions: Vec<Text>,
    pub(crate) output: Option<Text>,
    pub(crate) priority: Priority,
}

/// A `Webhook`: what it sets, `None` where it says nothing.
#[derive(Debug)]
pub(crate) struct WebhookResource {
    pub(crate) name: String,
    pub(crate) at: Location,
    pub(crate) audit_level: Option<vedette_audit::Level>,
    pub(crate) k8s_auditing_enabled: Option<bool>,
    pub(crate) archiving_priority: Option<Priority>,
    pub(crate) alerting_priority: Option<Priority>,
    pub(crate) archiving: Option<(Selector, Location)>,
    pub(crate) alerting: Option<(Selector, Location)>,
    pub(crate) receivers: Vec<Receiver>,
}

/// The kinds that a resource can be to us.
enum Kind {
    Rule,
    Webhook,
    List,
    /// A users' test, which is no part of a policy.
    Test,
}

/// Reads every document of every file.
pub(crate) fn read(sources: &mut Sources<'_>) -> Resources {
    let mut resources = Resources::default();
    for file in 0..sources.len() {
        let documents = sources.tree(file).documents.clone();
        if documents.is_empty() && !sources.has_findings(file) {
            sources.report(file, Problem::new(codes::NO_RESOURCE, 0..0, "the file holds no resource"));
        }
        for document in documents {
            resource(sources, file, document, &mut resources, true);
        }
    }
    resources
}

fn resource(sources: &mut Sources<'_>, file: usize, id: NodeId, resources: &mut Resources, outermost: bool) {
    let Some(mut fields) = Fields::of(sources, file, id, "a resource") else { return };
    match kind(sources, &mut fields, outermost) {
        Some(Kind::Rule) => resources.rules.extend(rule::read(sources, fields)),
        Some(Kind::Webhook) => resources.webhooks.extend(webhook::read(sources, fields)),
        Some(Kind::List) => {
            for item in fields.sequence(sources, "items").unwrap_or_default() {
                resource(sources, file, item, resources, false);
            }
        }
        Some(Kind::Test) | None => {}
    }
}

/// What a resource is; what is not for us is reported.
fn kind(sources: &mut Sources<'_>, fields: &mut Fields, outermost: bool) -> Option<Kind> {
    let kind = fields.required_text(sources, "kind")?;
    let version = fields.text(sources, "apiVersion");
    let version_text = version.as_ref().map_or("", |version| version.text.as_str());
    let (group, _) = version_text.split_once('/').unwrap_or(("", version_text));
    let ours = group == "auditing.kubesphere.io";
    let read = match kind.text.as_str() {
        "Rule" => Kind::Rule,
        "Webhook" => Kind::Webhook,
        cases::KIND if version_text == cases::API_VERSION => return Some(Kind::Test),
        "List" if outermost && version_text == "v1" => return Some(Kind::List),
        "RuleList" | "WebhookList" if outermost && ours => return Some(Kind::List),
        other if ours => {
            let message = format!("{} is no kind of `{group}`", quoted(other));
            sources.report_at(
                &kind,
                Problem::new(codes::API_VERSION, 0..0, message).help("the kinds are `Rule` and `Webhook`"),
            );
            return None;
        }
        other => {
            let message = format!("a resource of kind {} is skipped", quoted(other));
            sources.report_at(&kind, Problem::new(codes::UNKNOWN_KIND, 0..0, message));
            return None;
        }
    };
    if version_text == API_VERSION {
        return Some(read);
    }
    // Other projects have a `Rule` too; something that is nearly ours is a mistake.
    if version.is_some() && !version_text.contains("kubesphere") {
        let message = format!("a {} of {} is skipped", quoted(&kind.text), quoted(version_text));
        sources.report_at(
            &kind,
            Problem::new(codes::UNKNOWN_KIND, 0..0, message).help(format!("ours are of `{API_VERSION}`")),
        );
        return None;
    }
    let (text, message) = match &version {
        Some(version) => (version, format!("{} is not the version of a {}", quoted(version_text), quoted(&kind.text))),
        None => (&kind, format!("this {} has no `apiVersion`", quoted(&kind.text))),
    };
    sources.report_at(
        text,
        Problem::new(codes::API_VERSION, 0..0, message).help(format!("write `apiVersion: {API_VERSION}`")),
    );
    None
}

/// The names and labels of a resource.
struct Metadata {
    name: Text,
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
    dialect: Option<Dialect>,
}

/// The annotation of a `Rule` that says how its conditions are read.
const COMPAT: &str = "auditing.vedette.io/compat";

fn metadata(sources: &mut Sources<'_>, fields: &mut Fields) -> Option<Metadata> {
    let mut metadata = fields.required_mapping(sources, "metadata")?;
    let name = metadata.required_text(sources, "name");
    let namespace = metadata.text(sources, "namespace").map(|text| text.text).filter(|text| !text.is_empty());
    let mut labels = BTreeMap::new();
    if let Some(mapping) = metadata.mapping(sources, "labels") {
        for (key, value) in mapping.texts(sources) {
            labels.insert(key, value.text);
        }
    }
    let mut dialect = None;
    if let Some(mapping) = metadata.mapping(sources, "annotations") {
        let texts = mapping.texts(sources);
        if let Some((_, value)) = texts.into_iter().find(|(key, _)| key == COMPAT) {
            dialect = compat(sources, &value);
        }
    }
    let name = name?;
    if name.text.len() > 253 || name.text.contains(|it: char| it.is_control() || it.is_whitespace() || it == '/') {
        let message = format!("{} is no name of a resource", quoted(&name.text));
        sources.report_at(&name, Problem::new(codes::BAD_NAME, 0..0, message));
    }
    Some(Metadata { name, namespace, labels, dialect })
}

fn compat(sources: &mut Sources<'_>, value: &Text) -> Option<Dialect> {
    if value.text == "kubesphere" {
        return Some(Dialect::KubeSphere);
    }
    let message = format!("{} is no system whose reading we know", quoted(&value.text));
    let problem = Problem::new(codes::COMPAT, 0..0, message).help(format!("write `{COMPAT}: kubesphere`, or nothing"));
    sources.report_at(value, problem);
    None
}
