//! What the two documents that this product must make true say about levels, priorities, rules, macros, lists, aliases and outputs:
//! each sentence a test. Their YAML stands, as it is there, in `testdata/seeds/`.

use serde_json::{Value, json};
use vedette_audit::Level;
use vedette_rules::{Built, Policy, Priority, ReceiverKind, Settings, Severity, SourceFile};

use crate::{built_with, codes, decided, diagnosed, listed, resource, source, testdata};

fn seed(name: &str) -> SourceFile {
    let path = testdata("seeds").join(format!("{name}.yaml"));
    source(&format!("{name}.yaml"), std::fs::read_to_string(path).unwrap())
}

/// A policy of some of the seeds and of texts of our own.
fn policy(seeds: &[&str], own: &[&str]) -> Built {
    let seeds = seeds.iter().map(|name| seed(name));
    let own = own.iter().enumerate().map(|(index, text)| source(&format!("own-{index}.yaml"), *text));
    let files: Vec<_> = seeds.chain(own).collect();
    Policy::build(&files, 1).unwrap_or_else(|diagnostics| panic!("{}", listed(&diagnostics)))
}

fn event(verb: &str) -> String {
    json!({"Level": "Metadata", "Verb": verb, "User": {"Username": "admin"}, "ObjectRef": {"Resource": "pods", "Name": "p", "Namespace": "n"}})
        .to_string()
}

fn rule(name: &str, condition: &str, priority: &str) -> String {
    json!({"name": name, "type": "rule", "enable": true, "condition": condition, "priority": priority}).to_string()
}

/// Whether an event matches a condition.
fn matches(condition: &str, event: &Value) -> bool {
    let built = built_with(&resource("r", "archiving", &[&rule("x", condition, "DEBUG")]), |_| {});
    built.policy.rules.decide(event.to_string().as_bytes()).unwrap().archive
}

#[test]
fn according_to_different_rules_the_event_will_be_ignored_stored_or_generated_an_alert() {
    let warning = resource("more", "alerting", &[&rule("deleted", "Verb = \"delete\"", "WARNING")]);
    let built = policy(&["archiving-rule", "alerting-rule"], &[&warning]);
    assert_eq!(decided(&built, &event("get")), "[]");
    assert_eq!(decided(&built, &event("create")), "archive [alerting-rule.ResourceChange archiving-rule.archiving]");
    assert_eq!(
        decided(&built, &event("delete")),
        "archive [alerting-rule.ResourceChange archiving-rule.archiving more.deleted] more.deleted: admin delete pods p in Namespace n"
    );
}

#[test]
fn by_default_kubesphere_auditing_logs_only_receives_auditing_logs_from_kubesphere() {
    assert!(!Settings::default().k8s_auditing_enabled);
    assert!(!policy(&["archiving-rule"], &[]).policy.settings.k8s_auditing_enabled);
    assert!(!policy(&["webhook"], &[]).policy.settings.k8s_auditing_enabled);
}

#[test]
fn edit_the_webhook_change_the_value_of_k8s_auditing_enabled_to_true() {
    let head = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata:\n  name: kube-auditing-webhook\n";
    for (spec, expected) in [
        (seed("k8s-auditing-enabled").text, true),
        ("spec:\n  k8sAuditingEnabled: true\n".to_owned(), true),
        ("spec:\n  k8sAuditingEnabled: false\n".to_owned(), false),
        ("spec:\n  auditing:\n    k8sAuditingEnabled: false\n".to_owned(), false),
        ("spec:\n  k8sAuditingEnabled: false\n  auditing:\n    k8sAuditingEnabled: true\n".to_owned(), false),
        ("spec:\n  k8sAuditingEnabled:\n".to_owned(), false),
    ] {
        let built = policy(&[], &[&format!("{head}{spec}")]);
        assert_eq!(built.policy.settings.k8s_auditing_enabled, expected, "{spec}");
    }
}

#[test]
fn the_webhook_as_printed_is_taken() {
    let built = policy(&["webhook", "archiving-rule", "alerting-rule"], &[]);
    let settings = &built.policy.settings;
    assert_eq!(settings.audit_level, Level::RequestResponse);
    assert_eq!((settings.archiving_priority, settings.alerting_priority), (Priority::Debug, Priority::Warning));
    let [receiver] = settings.receivers.as_slice() else { panic!("{:?}", settings.receivers) };
    assert_eq!((receiver.name.as_str(), receiver.kind), ("alert", ReceiverKind::Alertmanager));
    assert_eq!(receiver.url, "http://alertmanager-main.kubesphere-monitoring-system.svc:9093");
    // Its selector says persistence, the rule's label archiving: either word takes both.
    assert_eq!(built.policy.rules.rules().count(), 2);
    let noticed: Vec<_> = built.warnings.iter().map(|it| (it.severity, it.code)).collect();
    assert_eq!(noticed, [(Severity::Note, "VR0113")], "only the image is remarked on");
}

#[test]
fn the_table_of_parameters_gives_these_defaults() {
    let empty = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata:\n  name: kube-auditing-webhook\nspec: {}\n";
    for settings in
        [policy(&[], &[empty]).policy.settings, policy(&["archiving-rule"], &[]).policy.settings, Settings::default()]
    {
        assert_eq!(settings.archiving_priority, Priority::Debug);
        assert_eq!(settings.alerting_priority, Priority::Warning);
        assert_eq!(settings.audit_level, Level::Metadata);
        assert!(!settings.k8s_auditing_enabled);
        assert!(settings.receivers.is_empty());
    }
    assert_eq!(Settings::default(), policy(&[], &[empty]).policy.settings);
}

#[test]
fn the_known_audit_types_are_debug_info_and_warning() {
    for (word, priority) in [("DEBUG", Priority::Debug), ("INFO", Priority::Info), ("WARNING", Priority::Warning)] {
        let built = built_with(&resource("r", "archiving", &[&rule("x", "Verb exists", word)]), |_| {});
        assert_eq!(built.policy.rules.rules().next().unwrap().priority, priority);
    }
    for word in ["ERROR", "warning", "", "NOTICE"] {
        let diagnostics = diagnosed(&resource("r", "archiving", &[&rule("x", "Verb exists", word)]));
        assert!(codes(&diagnostics).contains(&"VR0104"), "{word}: {}", listed(&diagnostics));
    }
}

#[test]
fn the_known_levels_are_none_metadata_request_and_request_response() {
    let webhook = |level: &str| {
        format!(
            "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata: {{name: kube-auditing-webhook}}\nspec: {{auditLevel: {level}}}\n"
        )
    };
    for level in [Level::None, Level::Metadata, Level::Request, Level::RequestResponse] {
        assert_eq!(policy(&[], &[&webhook(&level.to_string())]).policy.settings.audit_level, level);
    }
    assert_eq!(codes(&diagnosed(&webhook("All"))), ["VR0105"]);
}

#[test]
fn none_means_dont_log_events() {
    let built = policy(&["archiving-rule"], &[]);
    let none = json!({"level": "None", "verb": "create"}).to_string();
    assert_eq!(decided(&built, &none), "[]");
    // A level of that name leaves no rule anything to decide, wherever it is set, and that is said.
    let rules = seed("archiving-rule").text;
    let warnings = built_with(&rules, |settings| settings.audit_level = Level::None).warnings;
    assert_eq!(codes(&warnings), ["VR0405"], "{}", listed(&warnings));
    assert!(warnings[0].message.contains("`archiving-rule`") && warnings[0].line == 7, "{}", warnings[0]);
    assert_eq!(codes(&policy(&["archiving-rule", "alerting-rule"], &["apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata: {name: kube-auditing-webhook}\nspec: {auditLevel: None}\n"]).warnings), ["VR0405"; 2]);
    // The last of duplicates counts, as it does where events are received.
    for (levels, expected) in [
        (r#""level":"None","level":"Metadata""#, "archive [archiving-rule.archiving]"),
        (r#""Level":"Metadata","level":"None""#, "[]"),
        (r#""level":"None","level":null"#, "archive [archiving-rule.archiving]"),
        (r#""level":"None","level":"Everything""#, "archive [archiving-rule.archiving]"),
    ] {
        assert_eq!(decided(&built, &format!(r#"{{{levels},"verb":"create"}}"#)), expected, "{levels}");
    }
}

#[test]
fn the_attributes_of_a_rule_are_these() {
    let entry =
        "{name: x, type: rule, desc: words, condition: Verb exists, enable: true, output: text, priority: INFO}";
    let library = [
        "{name: m, type: macro, desc: words, macro: Verb exists}",
        "{name: l, type: list, desc: words, list: [a]}",
        "{name: a, type: alias, desc: words, alias: Verb}",
    ];
    let text = resource("r", "archiving", &[&[entry][..], &library[..]].concat());
    let built = built_with(&text, |_| {});
    assert_eq!(codes(&built.warnings), ["VR0305"; 3], "nobody uses them");
    assert_eq!(built.policy.rules.rules().next().unwrap().name, "x");
}

#[test]
fn the_known_value_of_type_is_rule_macro_list_alias() {
    let diagnostics = diagnosed(&resource("r", "archiving", &["{name: x, type: filter, condition: Verb exists}"]));
    assert_eq!(codes(&diagnostics), ["VR0101"]);
}

#[test]
fn if_enable_is_false_the_rule_will_not_be_effective() {
    let entry = |enable: &str| {
        resource(
            "r",
            "archiving",
            &[&format!("{{name: x, type: rule, condition: Verb exists, priority: INFO{enable}}}")],
        )
    };
    let held = |enable: &str| decided(&built_with(&entry(enable), |_| {}), &event("get"));
    assert_eq!(held(", enable: true"), "archive [r.x]");
    assert_eq!(held(", enable: false"), "[]");
    // In the reference a rule without it is off; here it is on, and the note says so.
    assert_eq!(held(""), "archive [r.x]");
    assert_eq!(codes(&diagnosed(&entry(""))), ["VR0106"]);
}

#[test]
fn a_log_that_matched_an_archiving_rule_whose_priority_is_not_less_than_archiving_priority_will_be_stored() {
    let text = resource(
        "r",
        "archiving",
        &[&rule("d", "Verb = d", "DEBUG"), &rule("i", "Verb = i", "INFO"), &rule("w", "Verb = w", "WARNING")],
    );
    for (archiving, stored) in [(Priority::Debug, "diw"), (Priority::Info, "iw"), (Priority::Warning, "w")] {
        let built = built_with(&text, |settings| settings.archiving_priority = archiving);
        for verb in ["d", "i", "w"] {
            let held = format!("[r.{verb}]");
            let expected = if stored.contains(verb) { format!("archive {held}") } else { held };
            assert_eq!(decided(&built, &event(verb)), expected, "{archiving}");
        }
    }
}

#[test]
fn of_an_alerting_rule_less_than_alerting_priority_will_be_stored_else_it_will_generate_an_alert() {
    let text = resource(
        "r",
        "alerting",
        &[&rule("d", "Verb = d", "DEBUG"), &rule("i", "Verb = i", "INFO"), &rule("w", "Verb = w", "WARNING")],
    );
    for (alerting, alerts) in [(Priority::Debug, "diw"), (Priority::Info, "iw"), (Priority::Warning, "w")] {
        let built = built_with(&text, |settings| settings.alerting_priority = alerting);
        for verb in ["d", "i", "w"] {
            let expected = if alerts.contains(verb) {
                format!("[r.{verb}] r.{verb}: admin {verb} pods p in Namespace n")
            } else {
                format!("archive [r.{verb}]")
            };
            assert_eq!(decided(&built, &event(verb)), expected, "{alerting}");
        }
    }
}

#[test]
fn a_condition_can_use_comparison_operators_combined_using_boolean_operators_and_parentheses() {
    let event = json!({"verb": "get", "objectRef": {"name": "web-1"}, "responseStatus": {"code": 200}});
    for (condition, expected) in [
        ("Verb = \"get\"", true),
        ("Verb != \"get\"", false),
        ("ResponseStatus.code < 201", true),
        ("ResponseStatus.code <= 200", true),
        ("ResponseStatus.code > 200", false),
        ("ResponseStatus.code >= 200", true),
        ("ObjectRef.Name contains \"eb\"", true),
        ("Verb in (\"list\", \"get\")", true),
        ("ObjectRef.Name like \"web-?\"", true),
        ("ObjectRef.Name regex \"^web-[0-9]$\"", true),
        ("Verb = \"get\" and ObjectRef.Name = \"x\"", false),
        ("Verb = \"get\" or ObjectRef.Name = \"x\"", true),
        ("not Verb = \"get\"", false),
        ("not (Verb = \"list\" or ObjectRef.Name = \"x\")", true),
    ] {
        assert_eq!(matches(condition, &event), expected, "{condition}");
    }
}

#[test]
fn these_are_the_supported_filters() {
    let event = json!({
        "Workspace": "w", "Devops": "d", "Level": "Metadata", "RequestURI": "/api", "Verb": "get",
        "User": {"Username": "u", "Groups": ["g", "h"]}, "SourceIPs": ["10.0.0.1", "10.0.0.2"],
        "ObjectRef": {"Resource": "pods", "Namespace": "n", "Name": "o", "Subresource": "log"},
        "ResponseStatus": {"code": 200, "status": "Success"},
        "RequestReceivedTimestamp": "2020-06-12T09:23:28.359896Z", "StageTimestamp": "2020-06-12T09:23:28.361896Z",
    });
    for condition in [
        "Workspace = \"w\"",
        "Devops = \"d\"",
        "Level = \"Metadata\"",
        "RequestURI = \"/api\"",
        "Verb = \"get\"",
        "User.Username = \"u\"",
        "User.Groups = \"h\"",
        "SourceIPs = \"10.0.0.1\"",
        "ObjectRef.Resource = \"pods\"",
        "ObjectRef.Namespace = \"n\"",
        "ObjectRef.Name = \"o\"",
        "ObjectRef.Subresource = \"log\"",
        "ResponseStatus.code = 200",
        "ResponseStatus.Status = \"Success\"",
        "RequestReceivedTimestamp < \"2020-06-12T09:23:29Z\"",
        "StageTimestamp > \"2020-06-12T09:23:28Z\"",
    ] {
        assert!(matches(condition, &event), "{condition}");
        let diagnostics = diagnosed(&resource("r", "archiving", &[&rule("x", condition, "INFO")]));
        let other: Vec<_> = diagnostics.into_iter().filter(|it| !["VR0409", "VR0412"].contains(&it.code)).collect();
        assert!(other.is_empty(), "{}", listed(&other));
    }
}

#[test]
fn for_example_to_match_all_logs_in_the_namespace_test() {
    let at = |namespace: &str| json!({"objectRef": {"namespace": namespace}});
    assert!(matches("ObjectRef.Namespace = \"test\"", &at("test")));
    assert!(!matches("ObjectRef.Namespace = \"test\"", &at("test-2")));
}

#[test]
fn to_match_all_logs_in_the_namespaces_start_with_test() {
    let at = |namespace: &str| json!({"objectRef": {"namespace": namespace}});
    for (namespace, expected) in [("test", true), ("test-2", true), ("my-test", false), ("tes", false)] {
        assert_eq!(matches("ObjectRef.Namespace like \"test*\"", &at(namespace)), expected, "{namespace}");
    }
}

#[test]
fn to_match_all_logs_happened_in_the_latest_one_hour() {
    let condition = "RequestReceivedTimestamp >= \"2020-06-12T09:23:28.359896Z\" and RequestReceivedTimestamp <= \"2020-06-12T10:23:28.359896Z\"";
    for (time, expected) in [
        ("2020-06-12T09:23:28.359896Z", true),
        ("2020-06-12T09:23:28.359895Z", false),
        ("2020-06-12T10:00:00Z", true),
        ("2020-06-12T10:23:28.359896Z", true),
        ("2020-06-12T10:23:28.36Z", false),
        ("2020-06-12T12:00:00+02:00", true),
    ] {
        assert_eq!(matches(condition, &json!({"requestReceivedTimestamp": time})), expected, "{time}");
    }
}

#[test]
fn a_macro_can_be_re_used_inside_rules_and_even_other_macros() {
    let text = seed("macro").text
        + "  - {name: pod-create, type: macro, macro: '${pod} and Verb = \"create\"'}\n"
        + "  - {name: x, type: rule, enable: true, priority: INFO, condition: '${pod-create}'}\n"
        + "  - {name: y, type: rule, enable: true, priority: INFO, condition: '${pod}'}\n";
    let built = policy(&[], &[&text]);
    assert_eq!(decided(&built, &event("create")), "archive [alerting-rule.x alerting-rule.y]");
    assert_eq!(decided(&built, &event("get")), "archive [alerting-rule.y]");
}

#[test]
fn pod_only_can_be_used_in_the_rule_alerting_rule_and_alerting_rule_pod_in_all() {
    let library = seed("macro").text;
    let use_of = |reference: &str| resource("other", "archiving", &[&rule("x", reference, "DEBUG")]);
    let built = policy(&[], &[&library, &use_of("${alerting-rule.pod}")]);
    assert_eq!(decided(&built, &event("get")), "archive [other.x]");
    let own = library.clone()
        + "  - {name: x, type: rule, enable: true, priority: INFO, condition: '${alerting-rule.pod}'}\n";
    assert_eq!(decided(&policy(&[], &[&own]), &event("get")), "archive [alerting-rule.x]");
    let files = [source("a.yaml", library), source("b.yaml", use_of("${pod}"))];
    let diagnostics = Policy::build(&files, 1).unwrap_err();
    assert_eq!(codes(&diagnostics), ["VR0301"]);
    assert_eq!(diagnostics[0].help.as_deref(), Some("`alerting-rule` has one: write `${alerting-rule.pod}`"));
}

#[test]
fn it_is_also_applied_to_lists_and_alias() {
    let list = seed("list").text;
    let alias = seed("alias").text.replace("name: alerting-rule", "name: names");
    let other = resource(
        "other",
        "archiving",
        &[&rule("x", "Verb in ${alerting-rule.action} and ${names.namespace} = \"n\"", "DEBUG")],
    );
    let built = policy(&[], &[&list, &alias, &other]);
    assert_eq!(decided(&built, &event("patch")), "archive [other.x]");
    assert_eq!(decided(&built, &event("get")), "[]");
    // Without the resource's name they are known in their own resource only, wherever they may stand.
    let elsewhere = |entries: &[&str]| {
        let files = [&list, &alias, &resource("other", "archiving", entries)];
        let files: Vec<_> =
            files.iter().zip(["a.yaml", "b.yaml", "c.yaml"]).map(|(text, name)| source(name, text.as_str())).collect();
        let diagnostics = Policy::build(&files, 1).unwrap_err();
        (codes(&diagnostics)[0].to_owned(), diagnostics[0].help.clone().unwrap_or_default())
    };
    for (entry, resource, name) in [
        (rule("x", "Verb in ${action}", "DEBUG"), "alerting-rule", "action"),
        ("{name: l, type: list, list: ['${action}']}".to_owned(), "alerting-rule", "action"),
        (rule("x", "${namespace} = \"n\"", "DEBUG"), "names", "namespace"),
        ("{name: m, type: macro, macro: '${namespace} = \"n\"'}".to_owned(), "names", "namespace"),
        ("{name: l, type: list, list: ['${namespace}']}".to_owned(), "names", "namespace"),
    ] {
        let help = format!("`{resource}` has one: write `${{{resource}.{name}}}`");
        assert_eq!(elsewhere(&[&entry]), ("VR0301".to_owned(), help), "{entry}");
    }
    for name in ["action", "namespace"] {
        let entry = json!({"name": "x", "type": "rule", "enable": true, "condition": "Verb exists", "priority": "DEBUG", "output": format!("${{{name}}}")});
        assert_eq!(elsewhere(&[&entry.to_string()]).0, "VR0502", "{name}");
    }
}

/// What each sentence lets a name be included in, here by a name of another resource.
#[test]
fn names_of_other_resources_are_included_wherever_their_own_are() {
    let library = seed("macro").text
        + "  - {name: action, type: list, list: [create, delete]}\n"
        + "  - {name: namespace, type: alias, alias: ObjectRef.Namespace}\n"
        + "  - {name: user, type: alias, alias: User.Username}\n";
    let other = resource(
        "other",
        "alerting",
        &[
            // A macro in a macro, a list in a macro, an alias in a macro.
            "{name: pod-change, type: macro, macro: '${alerting-rule.pod} and Verb in ${alerting-rule.action} and ${alerting-rule.namespace} = \"n\"'}",
            // A list in a list, an alias in a list, an alias of an alias.
            "{name: all, type: list, list: ['${alerting-rule.action}', get]}",
            "{name: home, type: list, list: ['${alerting-rule.namespace}', lobby]}",
            "{name: who, type: alias, alias: '${alerting-rule.user}'}",
            &rule("a", "${pod-change}", "INFO"),
            &rule("b", "Verb in ${all}", "INFO"),
            &rule("c", "Workspace in ${home}", "INFO"),
            // Lists and aliases in an output.
            "{name: d, type: rule, enable: true, priority: WARNING, condition: Verb exists, output: '${who}, ${alerting-rule.user} in ${alerting-rule.namespace}: ${alerting-rule.action}, ${all}'}",
        ],
    );
    let built = policy(&[], &[&library, &other]);
    let alert = "other.d: admin, admin in n: create, delete, create, delete, get";
    assert_eq!(decided(&built, &event("delete")), format!("archive [other.a other.b other.d] {alert}"));
    assert_eq!(decided(&built, &event("get")), format!("archive [other.b other.d] {alert}"));
    assert_eq!(decided(&built, &event("patch")), format!("[other.d] {alert}"));
    for (workspace, held) in [("n", true), ("lobby", true), ("m", false)] {
        let event = event("patch").replacen('{', &format!("{{\"workspace\":\"{workspace}\","), 1);
        assert_eq!(decided(&built, &event).contains("other.c"), held, "{workspace}");
    }
}

#[test]
fn names_in_other_namespaces_are_found_and_two_that_fit_are_an_error() {
    let library = |namespace: &str, verb: &str| {
        resource("library", "archiving", &[&format!("{{name: m, type: macro, macro: Verb = {verb}}}")])
            .replace("  name: library\n", &format!("  name: library\n  namespace: {namespace}\n"))
    };
    let user = resource("user", "archiving", &[&rule("x", "${library.m}", "DEBUG")])
        .replace("  name: user\n", "  name: user\n  namespace: own\n");
    assert_eq!(decided(&policy(&[], &[&library("far", "a"), &user]), &event("a")), "archive [user.x]");
    let near = policy(&[], &[&library("far", "a"), &library("own", "b"), &user]);
    assert_eq!(
        (decided(&near, &event("a")), decided(&near, &event("b"))),
        ("[]".to_owned(), "archive [user.x]".to_owned())
    );
    let files = [source("a", library("far", "a")), source("b", library("further", "b")), source("c", user)];
    assert_eq!(codes(&Policy::build(&files, 1).unwrap_err()), ["VR0302"]);
}

#[test]
fn lists_can_be_included_in_rules_macros_or_other_lists() {
    let text = seed("list").text
        + "  - {name: all, type: list, list: ['${action}', get]}\n"
        + "  - {name: changes, type: macro, macro: 'Verb in ${action}'}\n"
        + "  - {name: a, type: rule, enable: true, priority: INFO, condition: 'Verb in ${action}'}\n"
        + "  - {name: b, type: rule, enable: true, priority: INFO, condition: '${changes}'}\n"
        + "  - {name: c, type: rule, enable: true, priority: INFO, condition: 'Verb in ${all}'}\n";
    let built = policy(&[], &[&text]);
    assert_eq!(decided(&built, &event("patch")), "archive [alerting-rule.a alerting-rule.b alerting-rule.c]");
    assert_eq!(decided(&built, &event("get")), "archive [alerting-rule.c]");
}

#[test]
fn unlike_rules_and_macros_lists_cannot_be_parsed_as_filtering_expressions() {
    let text = seed("list").text + "  - {name: a, type: rule, enable: true, priority: INFO, condition: '${action}'}\n";
    assert_eq!(codes(&diagnosed(&text)), ["VR0304"]);
    // What looks like a condition in a list is a text.
    let text = resource(
        "r",
        "archiving",
        &["{name: l, type: list, list: ['Verb = \"get\"']}", &rule("x", "ObjectRef.Name in ${l}", "DEBUG")],
    );
    let built = built_with(&text, |_| {});
    assert_eq!(
        decided(&built, &json!({"verb": "get", "objectRef": {"name": "Verb = \"get\""}}).to_string()),
        "archive [r.x]"
    );
}

#[test]
fn an_alias_is_a_short_name_of_a_filter_field_in_rules_macros_lists_and_output() {
    let text = seed("alias").text
        + "  - {name: home, type: list, list: ['${namespace}', lobby]}\n"
        + "  - {name: at-n, type: macro, macro: '${namespace} = \"n\"'}\n"
        + "  - {name: a, type: rule, enable: true, priority: WARNING, condition: '${namespace} = \"n\"', output: 'in ${namespace}'}\n"
        + "  - {name: b, type: rule, enable: true, priority: INFO, condition: '${at-n}'}\n"
        + "  - {name: c, type: rule, enable: true, priority: INFO, condition: 'Workspace in ${home}'}\n";
    let built = policy(&[], &[&text]);
    let event = |workspace: &str| json!({"workspace": workspace, "objectRef": {"namespace": "n"}}).to_string();
    let held = |rules: &str| format!("archive [{rules}] alerting-rule.a: in n");
    assert_eq!(decided(&built, &event("n")), held("alerting-rule.a alerting-rule.b alerting-rule.c"));
    assert_eq!(decided(&built, &event("lobby")), held("alerting-rule.a alerting-rule.b alerting-rule.c"));
    assert_eq!(decided(&built, &event("x")), held("alerting-rule.a alerting-rule.b"));
}

#[test]
fn the_output_string_can_include_lists_and_alias() {
    let text = resource(
        "r",
        "alerting",
        &[
            "{name: user, type: alias, alias: User.Username}",
            "{name: verb, type: alias, alias: Verb}",
            "{name: name, type: alias, alias: ObjectRef.Name}",
            "{name: namespace, type: alias, alias: ObjectRef.Namespace}",
            "{name: action, type: list, list: [create, delete]}",
            "{name: x, type: rule, enable: true, priority: WARNING, condition: 'Verb in ${action}', output: '${user} ${verb} a HostNetwork Pod ${name} in ${namespace}.'}",
            "{name: y, type: rule, enable: true, priority: WARNING, condition: Verb exists, output: 'not one of ${action}'}",
        ],
    );
    let built = built_with(&text, |_| {});
    assert_eq!(
        decided(&built, &event("create")),
        "[r.x r.y] r.x: admin create a HostNetwork Pod p in n. r.y: not one of create, delete"
    );
}
