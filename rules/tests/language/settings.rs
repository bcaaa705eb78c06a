//! What would break if KubeSphere's files were taken literally, and what is done instead.

use std::collections::BTreeMap;

use vedette_rules::{Policy, ReceiverKind, Selector, Settings};

use crate::{built, codes, decided, diagnosed, listed, resource, source};

const HEAD: &str =
    "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata: {name: kube-auditing-webhook}\n";

fn webhook(spec: &str) -> String {
    format!("{HEAD}spec: {spec}\n")
}

fn settings(spec: &str) -> Settings {
    built(&webhook(spec)).policy.settings
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn takes(selector: &Selector, pairs: &[(&str, &str)]) -> bool {
    selector.matches(&labels(pairs))
}

#[test]
fn without_a_selector_either_word_archives() {
    for settings in [Settings::default(), settings("{}"), settings("{auditSinkPolicy: {}}")] {
        assert!(takes(&settings.archiving, &[("type", "archiving")]));
        assert!(takes(&settings.archiving, &[("type", "persistence"), ("workspace", "w")]));
        assert!(!takes(&settings.archiving, &[("type", "alerting")]));
        assert!(!takes(&settings.archiving, &[]));
        assert!(takes(&settings.alerting, &[("type", "alerting")]));
        assert!(!takes(&settings.alerting, &[("type", "archiving")]));
    }
}

#[test]
fn a_selector_of_either_word_takes_both() {
    for word in ["archiving", "persistence"] {
        for selector in [
            format!("matchLabels: {{type: {word}}}"),
            format!("matchExpressions: [{{key: type, operator: In, values: [{word}]}}]"),
        ] {
            let settings = settings(&format!("{{auditSinkPolicy: {{archivingRuleSelector: {{{selector}}}}}}}"));
            assert!(takes(&settings.archiving, &[("type", "archiving")]), "{selector}");
            assert!(takes(&settings.archiving, &[("type", "persistence")]), "{selector}");
            assert!(!takes(&settings.archiving, &[("type", "alerting")]), "{selector}");
        }
    }
}

#[test]
fn a_selector_has_labels_and_expressions() {
    let spec = "{auditSinkPolicy: {alertingRuleSelector: {matchLabels: {type: alerting}, matchExpressions: [
        {key: workspace, operator: NotIn, values: [a, b]}, {key: tier, operator: Exists}, {key: off, operator: DoesNotExist}]}}}";
    let selector = settings(spec).alerting;
    assert!(takes(&selector, &[("type", "alerting"), ("tier", "")]));
    assert!(takes(&selector, &[("type", "alerting"), ("tier", "x"), ("workspace", "c")]));
    assert!(!takes(&selector, &[("type", "alerting"), ("tier", "x"), ("workspace", "a")]));
    assert!(!takes(&selector, &[("type", "alerting")]));
    assert!(!takes(&selector, &[("type", "alerting"), ("tier", "x"), ("off", "")]));
    assert!(!takes(&selector, &[("tier", "x")]));
}

#[test]
fn each_priority_of_the_webhook_is_its_own() {
    use vedette_rules::Priority::{Debug, Info, Warning};
    let rule = |kind: &str| {
        let entry = "{name: x, type: rule, enable: true, priority: INFO, condition: Verb exists}";
        format!("---\n{}", resource(kind, kind, &[entry]))
    };
    let event = r#"{"verb":"get","user":{"username":"u"},"requestURI":"/x"}"#;
    for (spec, archiving, alerting, archived, alerted) in [
        ("{archivingPriority: INFO, alertingPriority: DEBUG}", Info, Debug, "archive ", " alerting.x: u get /x"),
        ("{archivingPriority: WARNING, alertingPriority: INFO}", Warning, Info, "", " alerting.x: u get /x"),
        ("{archivingPriority: WARNING}", Warning, Warning, "archive ", ""),
        ("{alertingPriority: INFO}", Debug, Info, "archive ", " alerting.x: u get /x"),
    ] {
        let built = built(&(webhook(spec) + &rule("archiving") + &rule("alerting")));
        let settings = &built.policy.settings;
        assert_eq!((settings.archiving_priority, settings.alerting_priority), (archiving, alerting), "{spec}");
        assert_eq!(decided(&built, event), format!("{archived}[alerting.x archiving.x]{alerted}"), "{spec}");
    }
}

#[test]
fn a_selector_that_takes_nothing_is_said() {
    let rule =
        resource("r", "alerting", &["{name: x, type: rule, enable: true, priority: INFO, condition: Verb exists}"]);
    let text = webhook("{auditSinkPolicy: {alertingRuleSelector: {matchLabels: {type: alert}}}}") + "---\n" + &rule;
    let diagnostics = diagnosed(&text);
    assert_eq!(codes(&diagnostics), ["VR0111", "VR0112"], "{}", listed(&diagnostics));
}

#[test]
fn a_rule_that_both_selectors_take_stores_and_alerts_and_is_named_once() {
    let rule =
        resource("r", "both", &["{name: x, type: rule, enable: true, priority: WARNING, condition: Verb exists}"]);
    let both = "{matchLabels: {type: both}}";
    let text =
        webhook(&format!("{{auditSinkPolicy: {{alertingRuleSelector: {both}, archivingRuleSelector: {both}}}}}"))
            + "---\n"
            + &rule;
    let built = built(&text);
    assert_eq!(
        decided(&built, r#"{"verb":"get","user":{"username":"u"},"requestURI":"/x"}"#),
        "archive [r.x] r.x: u get /x"
    );
}

#[test]
fn a_rule_that_both_selectors_take_is_blind_once() {
    let rule = "{name: x, type: rule, enable: true, priority: WARNING, condition: RequestObject exists}";
    let both = "{matchLabels: {type: both}}";
    let text =
        webhook(&format!("{{auditSinkPolicy: {{alertingRuleSelector: {both}, archivingRuleSelector: {both}}}}}"))
            + "---\n"
            + &resource("r", "both", &[rule]);
    let event = r#"{"level":"Metadata","verb":"create","objectRef":{"resource":"pods"}}"#;
    assert_eq!(decided(&built(&text), event), "[] r.x? RequestObject");
}

#[test]
fn image_and_args_of_existing_files_are_taken() {
    let text = webhook(
        "{image: 'kubesphere/kube-auditing-webhook:v0.2.0', imagePullPolicy: IfNotPresent, args: [--tls=true], replicas: 2, port: 6443, useHTTPS: true, resources: {}, affinity: {}, tolerations: [], nodeSelector: {}, imagePullSecrets: []}",
    );
    assert_eq!(codes(&diagnosed(&text)), ["VR0113"]);
    assert!(diagnosed(&webhook("{image: 'registry.example/vedette:1'}")).is_empty());
}

#[test]
fn a_single_webhook_of_another_name_is_in_force_and_said() {
    let text = webhook("{auditLevel: Request}").replace("kube-auditing-webhook", "mine");
    let built = built(&text);
    assert_eq!(built.policy.settings.audit_level.to_string(), "Request");
    assert_eq!(codes(&built.warnings), ["VR0109"]);
    let named = webhook("{auditLevel: Metadata}");
    let both = Policy::build(&[source("a", text), source("b", named)], 1).unwrap();
    assert_eq!(both.policy.settings.audit_level.to_string(), "Metadata");
    assert_eq!(codes(&both.warnings), ["VR0109"]);
}

#[test]
fn receivers_are_addresses_or_services() {
    let pem = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
    let spec = format!(
        "{{receivers: [
        {{name: a, type: alertmanager, config: {{url: 'http://am:9093/prefix'}}}},
        {{name: b, type: alertmanager, config: {{service: {{namespace: n, name: s}}}}}},
        {{name: c, type: webhook, config: {{service: {{namespace: n, name: s, port: 8080, path: hook}}}}}},
        {{name: d, type: webhook, config: {{service: {{namespace: n, name: s, path: /hook}}, caBundle: {pem}}}}}]}}"
    );
    let receivers = settings(&spec).receivers;
    let shown: Vec<_> =
        receivers.iter().map(|it| (it.name.as_str(), it.kind, it.url.as_str(), it.ca_bundle.is_some())).collect();
    use ReceiverKind::{Alertmanager, Webhook};
    assert_eq!(
        shown,
        [
            ("a", Alertmanager, "http://am:9093/prefix", false),
            ("b", Alertmanager, "http://s.n.svc:9093", false),
            ("c", Webhook, "http://s.n.svc:8080/hook", false),
            ("d", Webhook, "https://s.n.svc:443/hook", true),
        ]
    );
    assert!(receivers[3].ca_bundle.as_ref().unwrap().starts_with(b"-----BEGIN CERTIFICATE-----"));
}

#[test]
fn files_may_hold_several_documents_lists_json_and_other_kinds() {
    let rule = "{apiVersion: auditing.kubesphere.io/v1alpha1, kind: Rule, metadata: {name: NAME, labels: {type: archiving}}, spec: {rules: [{name: x, type: rule, enable: true, priority: INFO, condition: Verb exists}]}}";
    let text = format!(
        "# nothing\n---\n{}\n---\napiVersion: v1\nkind: List\nitems:\n- {}\n- {{apiVersion: v1, kind: Secret}}\n---\n{{\"apiVersion\":\"auditing.kubesphere.io/v1alpha1\",\"kind\":\"RuleList\",\"items\":[{}]}}\n",
        rule.replace("NAME", "a"),
        rule.replace("NAME", "b"),
        rule.replace("NAME", "c")
    );
    let built = built(&text);
    assert_eq!(decided(&built, r#"{"verb":"get"}"#), "archive [a.x b.x c.x]");
    assert_eq!(codes(&built.warnings), ["VR0004"]);
}

#[test]
fn rules_are_known_by_namespace_resource_and_name() {
    let text =
        resource("r", "archiving", &["{name: x, type: rule, enable: true, priority: INFO, condition: Verb exists}"]);
    let built = built(&text);
    let info = built.policy.rules.rules().next().unwrap();
    assert_eq!((info.qualified.as_str(), info.id.as_str(), info.namespace.as_str()), ("r.x", "default/r/x", "default"));
    let matched = built.policy.rules.decide(br#"{"verb":"get"}"#).unwrap().matched;
    assert_eq!(built.policy.rules.rule(matched[0]), info);
}

#[test]
fn a_policy_has_the_generation_that_it_was_given() {
    assert_eq!(Policy::build(&[source("a", "# 1\n")], 7).unwrap().policy.generation, 7);
}
