//! Files to a policy: settings, then the rules that they select, then everything else for its diagnostics.

use std::collections::HashMap;

use vedette_audit::Level;

use super::rule_set::{Effect, Entry, RuleSet};
use super::{Built, Policy, RuleInfo, RuleKind};
use crate::codes;
use crate::lower::{Compiler, ReadAt, Reads};
use crate::message::DefaultMessage;
use crate::names::DefinitionId;
use crate::resource::{self, Body, Resources, RuleBody, RuleResource, WebhookResource};
use crate::settings::Selector;
use crate::source::{Location, Sources};
use crate::syntax::{Problem, quoted};
use crate::{Diagnostic, Dialect, Settings, SourceFile};

/// The name of the `Webhook` that is in force.
const WEBHOOK: &str = "kube-auditing-webhook";

pub(super) fn build(
    files: &[SourceFile],
    generation: u64,
    adjust: impl FnOnce(&mut Settings),
) -> Result<Built, Vec<Diagnostic>> {
    let mut sources = Sources::read(files);
    let resources = resource::read(&mut sources);
    let webhook = in_force(&mut sources, &resources);
    let mut settings = settings(webhook);
    adjust(&mut settings);
    duplicates(&mut sources, &resources.rules);
    unsaid(&mut sources, &resources.rules, settings.dialect);
    selected(&mut sources, &resources, webhook, &settings);
    let rules = compile(&mut sources, &resources.rules, &settings);
    let broken = sources.has_errors();
    let diagnostics = sources.finish();
    match rules {
        Some(rules) if !broken => {
            let policy = Policy { generation, settings, rules };
            Ok(Built { policy, warnings: diagnostics })
        }
        _ => Err(diagnostics),
    }
}

/// The `Webhook` whose settings count.
fn in_force<'r>(sources: &mut Sources<'_>, resources: &'r Resources) -> Option<&'r WebhookResource> {
    let named: Vec<_> = resources.webhooks.iter().filter(|webhook| webhook.name == WEBHOOK).collect();
    match (named.as_slice(), resources.webhooks.as_slice()) {
        ([], []) => None,
        ([], [only]) => {
            let message = format!("this `Webhook` is in force, though it is named {}", quoted(&only.name));
            let help = format!("in a cluster only `{WEBHOOK}` counts: name it so");
            report(sources, &only.at, Problem::new(codes::WEBHOOK_NAME, 0..0, message).help(help));
            Some(only)
        }
        ([], several) => {
            for webhook in several {
                let message = format!("{} could be in force as well as the others", quoted(&webhook.name));
                let help = format!("name the one that counts `{WEBHOOK}`");
                report(sources, &webhook.at, Problem::new(codes::WEBHOOKS, 0..0, message).help(help));
            }
            None
        }
        ([only], all) => {
            for other in all.iter().filter(|webhook| webhook.name != WEBHOOK) {
                let message = format!("the `Webhook` {} is not in force", quoted(&other.name));
                let help = format!("only the one named `{WEBHOOK}` is");
                report(sources, &other.at, Problem::new(codes::WEBHOOK_NAME, 0..0, message).help(help));
            }
            Some(only)
        }
        ([first, others @ ..], _) => {
            for webhook in others {
                let message = format!("the `Webhook` `{WEBHOOK}` is defined twice");
                let help = format!("the first is at {}", sources.describe(&first.at));
                report(sources, &webhook.at, Problem::new(codes::DUPLICATE_RESOURCE, 0..0, message).help(help));
            }
            None
        }
    }
}

fn settings(webhook: Option<&WebhookResource>) -> Settings {
    let defaults = Settings::default();
    let Some(webhook) = webhook else { return defaults };
    let selector = |given: &Option<(Selector, Location)>, default| given.as_ref().map_or(default, |(it, _)| it.clone());
    Settings {
        audit_level: webhook.audit_level.unwrap_or(defaults.audit_level),
        k8s_auditing_enabled: webhook.k8s_auditing_enabled.unwrap_or(defaults.k8s_auditing_enabled),
        archiving_priority: webhook.archiving_priority.unwrap_or(defaults.archiving_priority),
        alerting_priority: webhook.alerting_priority.unwrap_or(defaults.alerting_priority),
        archiving: selector(&webhook.archiving, defaults.archiving),
        alerting: selector(&webhook.alerting, defaults.alerting),
        dialect: defaults.dialect,
        receivers: webhook.receivers.clone(),
    }
}

/// A resource is defined once in a namespace.
fn duplicates(sources: &mut Sources<'_>, rules: &[RuleResource]) {
    let mut seen: HashMap<(&str, &str), &Location> = HashMap::new();
    for resource in rules {
        let key = (resource.namespace.as_str(), resource.name.as_str());
        match seen.get(&key) {
            Some(first) => {
                let message = format!("the `Rule` {} is defined twice in its namespace", quoted(&resource.name));
                let help = format!("the first is at {}: put both into one", sources.describe(first));
                report(sources, &resource.at, Problem::new(codes::DUPLICATE_RESOURCE, 0..0, message).help(help));
            }
            None => {
                seen.insert(key, &resource.at);
            }
        }
    }
}

/// Names the rules that do not say whether they are enabled.
fn unsaid(sources: &mut Sources<'_>, resources: &[RuleResource], default: Dialect) {
    for resource in resources {
        for definition in &resource.definitions {
            let Body::Rule(RuleBody { enabled: None, at, .. }) = &definition.body else { continue };
            let (message, help) = match resource.dialect.unwrap_or(default) {
                Dialect::Vedette => ("a rule without `enable` is enabled", "KubeSphere takes it as disabled: "),
                Dialect::KubeSphere => ("a rule without `enable` is disabled, as in KubeSphere", ""),
            };
            let problem = Problem::new(codes::IMPLICIT_ENABLE, 0..0, message)
                .help(format!("{help}write `enable: true` or `enable: false`"));
            report(sources, at, problem);
        }
    }
}

/// Says what selectors leave out, a selector without a rule, and rules without a selector; and what level `None` does.
fn selected(sources: &mut Sources<'_>, resources: &Resources, webhook: Option<&WebhookResource>, settings: &Settings) {
    let given = webhook.map(|webhook| [&webhook.archiving, &webhook.alerting]);
    for (selector, at) in given.into_iter().flatten().flatten() {
        if !resources.rules.iter().any(|resource| selector.matches(&resource.labels)) {
            let problem = Problem::new(codes::SELECTS_NOTHING, 0..0, "this selector takes no `Rule`")
                .help("no `Rule` among the files has such labels");
            report(sources, at, problem);
        }
    }
    for resource in &resources.rules {
        let holds_rules = resource.definitions.iter().any(|definition| matches!(definition.body, Body::Rule(_)));
        if holds_rules && !settings.archiving.matches(&resource.labels) && !settings.alerting.matches(&resource.labels)
        {
            let message =
                format!("no selector takes the `Rule` {}: its rules are not in force", quoted(&resource.name));
            let problem = Problem::new(codes::NOT_SELECTED, 0..0, message)
                .help("label it `type: archiving` or `type: alerting`, or as the `Webhook` selects");
            report(sources, &resource.at, problem);
        } else if holds_rules && settings.audit_level == Level::None {
            let message =
                format!("level `None` drops every event: the rules of {} decide nothing", quoted(&resource.name));
            let problem = Problem::new(codes::BLIND, 0..0, message)
                .help("set `auditLevel: Metadata` in the `Webhook`, or a level that records more");
            report(sources, &resource.at, problem);
        }
    }
}

/// A rule in force, on the way to its place in the set.
struct Candidate<'r> {
    id: DefinitionId,
    rule: &'r RuleBody,
    info: RuleInfo,
}

/// Compiles the rules in force; the rest is compiled for its diagnostics and cut off again.
fn compile(sources: &mut Sources<'_>, resources: &[RuleResource], settings: &Settings) -> Option<RuleSet> {
    let mut candidates = Vec::new();
    for (index, resource) in resources.iter().enumerate() {
        let kinds = [(&settings.archiving, RuleKind::Archiving), (&settings.alerting, RuleKind::Alerting)];
        for (_, kind) in kinds.into_iter().filter(|(selector, _)| selector.matches(&resource.labels)) {
            for (place, definition) in resource.definitions.iter().enumerate() {
                let Body::Rule(rule) = &definition.body else { continue };
                if is_enabled(resource, rule, settings.dialect) {
                    let id = DefinitionId { resource: index, definition: place };
                    candidates.push(Candidate { id, rule, info: info(resource, &definition.name, rule, kind) });
                }
            }
        }
    }
    candidates.sort_by(|left, right| {
        let key = |it: &Candidate<'_>| (it.info.kind as u8, it.id.definition);
        let (ours, theirs) = (&left.info, &right.info);
        (&ours.qualified, &ours.namespace).cmp(&(&theirs.qualified, &theirs.namespace)).then(key(left).cmp(&key(right)))
    });
    let mut compiler = Compiler::new(sources, resources, settings.dialect);
    let default_message = DefaultMessage::new(&mut compiler.builder).ok()?;
    let level = compiler.builder.path(&[crate::syntax::ast::Step::Key("Level".to_owned())], "Level").ok()?;
    let mut entries = Vec::new();
    let mut compiled = HashMap::new();
    let mut whole = true;
    for Candidate { id, rule, info } in candidates {
        // A rule that both selectors take is compiled once, and its errors said once.
        let root = compiled.entry(id).or_insert_with(|| compiler.rule(id, rule).map(std::rc::Rc::new));
        match root {
            Some(rule) => {
                blindness(&mut compiler, &info, &rule.reads, settings);
                entries.push((info, rule.clone()));
            }
            None => whole = false,
        }
    }
    let mark = compiler.builder.mark();
    for (index, resource) in resources.iter().enumerate() {
        for definition in 0..resource.definitions.len() {
            let id = DefinitionId { resource: index, definition };
            if !compiled.contains_key(&id) {
                compiler.check(id);
            }
        }
    }
    compiler.report_definitions();
    let program = compiler.builder.finish(mark);
    drop(compiled);
    let entries = entries.into_iter().map(|(info, rule)| {
        let effect = effect(&info, settings);
        let rule = std::rc::Rc::try_unwrap(rule)
            .map_or_else(|shared| (shared.root, shared.output.clone()), |it| (it.root, it.output));
        Entry { info, root: rule.0, output: rule.1, effect }
    });
    whole.then(|| RuleSet::new(program, entries.collect(), default_message, level))
}

/// Whether a rule is enabled; one that does not say so is, except to KubeSphere.
pub(super) fn is_enabled(resource: &RuleResource, rule: &RuleBody, default: Dialect) -> bool {
    rule.enabled.unwrap_or(resource.dialect.unwrap_or(default) == Dialect::Vedette)
}

fn info(resource: &RuleResource, name: &str, rule: &RuleBody, kind: RuleKind) -> RuleInfo {
    RuleInfo {
        namespace: resource.namespace.clone(),
        resource: resource.name.clone(),
        name: name.to_owned(),
        qualified: format!("{}.{name}", resource.name),
        id: format!("{}/{}/{name}", resource.namespace, resource.name),
        priority: rule.priority,
        kind,
    }
}

/// What follows when a rule holds.
fn effect(info: &RuleInfo, settings: &Settings) -> Effect {
    match info.kind {
        RuleKind::Archiving if info.priority >= settings.archiving_priority => Effect::Archive,
        RuleKind::Archiving => Effect::Nothing,
        RuleKind::Alerting if info.priority < settings.alerting_priority => Effect::Archive,
        RuleKind::Alerting => Effect::Alert,
    }
}

/// Warns of each field of a rule that the audit level leaves out.
fn blindness(compiler: &mut Compiler<'_, '_>, info: &RuleInfo, reads: &Reads, settings: &Settings) {
    let level = settings.audit_level;
    if level == Level::None {
        return;
    }
    for (path, ReadAt { needs, file, node, span }) in reads {
        let Some(field) = compiler.builder.path_at(*path) else { continue };
        if *needs > level {
            compiler.sources.report_made(*file, *node, codes::BLIND, || {
                let (rule, field) = (quoted(&info.qualified), quoted(&field.spelled));
                let message = format!("the rule {rule} reads {field}, which level `{level}` leaves out");
                Problem::new(codes::BLIND, span.clone(), message)
                    .label(format!("needs level `{needs}`"))
                    .help(format!("set `auditLevel: {needs}` in the `Webhook`, and let the senders record as much"))
            });
        }
    }
}

fn report(sources: &mut Sources<'_>, at: &Location, problem: Problem) {
    sources.report(at.file, Problem { span: at.span.clone(), ..problem });
}
