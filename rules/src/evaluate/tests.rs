//! The engine held against a second evaluator that is simple on purpose: a whole tree of the event, and a walk over the syntax.
//!
//! `PROPTEST_CASES` sets how many cases are tried; the nightly run tries millions.

mod generate;
mod oracle;
mod theirs;

use std::io::Read;

use proptest::prelude::*;
use serde_json::json;

use crate::{Dialect, Policy, RuleSet, SourceFile};
use generate::{atom, condition, event, output, their_condition};
use oracle::{Expected, Json, Oracle, Rule};

/// Compiles rules, those that alert and those that archive in a resource each, as files would hold them.
fn compiled(rules: &[Rule]) -> RuleSet {
    let file = |name: &str| {
        let entry = |rule: &Rule| {
            let mut entry = json!({"name": rule.name, "type": "rule", "enable": true, "priority": rule.priority, "condition": rule.condition});
            if !rule.exceptions.is_empty() {
                entry["exceptions"] = json!(rule.exceptions);
            }
            if let Some(output) = &rule.output {
                entry["output"] = json!(output);
            }
            entry
        };
        let aliases =
            generate::ALIASES.iter().map(|(name, field)| json!({"name": name, "type": "alias", "alias": field}));
        let rules = rules.iter().filter(|rule| rule.resource() == name).map(entry);
        let kind = name.trim_start_matches("their-");
        let mut metadata = json!({"name": name, "namespace": kind, "labels": {"type": kind}});
        if name != kind {
            metadata["annotations"] = json!({"auditing.vedette.io/compat": "kubesphere"});
        }
        let text = json!({
            "apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Rule", "metadata": metadata,
            "spec": {"rules": aliases.chain(rules).collect::<Vec<_>>()},
        });
        SourceFile { name: format!("{name}.yaml"), text: text.to_string() }
    };
    let built = Policy::build(&["archiving", "alerting", "their-archiving", "their-alerting"].map(file), 1);
    let listed = |errors: Vec<crate::Diagnostic>| {
        errors.iter().filter(|it| it.is_error()).map(|it| format!("{it}\n")).collect::<String>()
    };
    built.unwrap_or_else(|errors| panic!("{}", listed(errors))).policy.rules
}

/// What the engine says, in the oracle's form.
fn found(rules: &RuleSet, event: &str) -> Expected {
    let decision = rules.decide(event.as_bytes()).unwrap_or_else(|error| panic!("{error}: {event}"));
    let name = |rule| rules.rule(rule).qualified.clone();
    Expected {
        archive: decision.archive,
        matched: decision.matched.iter().map(|rule| name(*rule)).collect(),
        alerts: decision.alerts.iter().map(|alert| (name(alert.rule), alert.message.clone())).collect(),
        blind: decision.blind.iter().map(|blind| (name(blind.rule), blind.field.to_lowercase())).collect(),
        mismatches: decision.mismatches,
    }
}

/// Holds the two against each other. Of mismatches there is a bound alone: which of several comparisons are made is the engine's choice,
/// of guards, of the order of parts, and of what is shared, and to count the same the oracle would have to choose alike. Of one comparison
/// there is no choice, and a test of its own counts exactly.
fn agree(oracle: &Oracle, rules: &RuleSet, event: &Json) -> Result<(), TestCaseError> {
    let text = event.to_string();
    let (mut found, expected) = (found(rules, &text), oracle.decide(event));
    prop_assert!(found.mismatches <= expected.mismatches, "{} > {}", found.mismatches, expected.mismatches);
    found.mismatches = expected.mismatches;
    prop_assert_eq!(found, expected, "{}", text);
    Ok(())
}

fn rule() -> impl Strategy<Value = Rule> {
    let priority = prop_oneof![Just("DEBUG"), Just("INFO"), Just("WARNING")];
    let exceptions = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(condition(), 1..3)];
    let ours = (condition(), exceptions).prop_map(|(condition, exceptions)| (Dialect::Vedette, condition, exceptions));
    let theirs = their_condition().prop_map(|condition| (Dialect::KubeSphere, condition, Vec::new()));
    let read = prop_oneof![4 => ours, 1 => theirs];
    (read, priority, any::<bool>(), output()).prop_map(
        |((dialect, condition, exceptions), priority, alerts, output)| Rule {
            name: String::new(),
            dialect,
            condition,
            exceptions,
            priority,
            alerts,
            output,
        },
    )
}

fn rules(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Rule>> {
    let shared = (condition(), prop::collection::vec(rule(), count), any::<u8>());
    shared.prop_map(|(common, mut rules, which)| {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("r{index:03}");
            if rule.dialect == Dialect::KubeSphere {
                continue;
            }
            // Real rules have parts in common, and exceptions of their own.
            match (which >> (index % 8) & 1, index % 3) {
                (1, 0) => rule.condition = format!("{common} and {}", rule.condition),
                (1, 1) => rule.condition = format!("{common} and user.extra.x != \"{index}\""),
                _ => {}
            }
        }
        rules
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(256) * 8, ..ProptestConfig::default() })]

    /// Several conditions in one set, so that they share what they have in common.
    #[test]
    fn the_engine_decides_as_the_oracle(rules in rules(1..8), events in prop::collection::vec(event(), 1..5)) {
        let (compiled, oracle) = (compiled(&rules), Oracle::new(&rules));
        for event in &events {
            agree(&oracle, &compiled, event)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    /// Enough rules for every index, automaton and bit set.
    #[test]
    fn many_rules_are_decided_as_few(rules in rules(80..200), events in prop::collection::vec(event(), 4..8)) {
        let (compiled, oracle) = (compiled(&rules), Oracle::new(&rules));
        for event in &events {
            agree(&oracle, &compiled, event)?;
        }
    }

    /// Whatever bytes come, deciding ends, and without a panic.
    #[test]
    fn damage_is_harmless(rules in rules(1..6), event in event(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let compiled = compiled(&rules);
        let mut bytes = event.to_string().into_bytes();
        for (cut, byte) in cuts {
            let at = cut.index(bytes.len());
            drop(compiled.decide(&bytes[..at]));
            bytes[at] = if byte % 2 == 0 { b"{}[]\",:\\"[usize::from(byte / 2) % 8] } else { byte };
            drop(compiled.decide(&bytes));
        }
    }
}

proptest! {
    /// A rule that is one comparison makes it for every event, and counts it if it is false for want of a type.
    #[test]
    fn one_comparison_is_counted_exactly(
        condition in atom().prop_filter("several fields are several comparisons", |it| !it.starts_with('(')),
        event in event(),
    ) {
        let rules = [Rule {
            name: "r".to_owned(),
            dialect: Dialect::Vedette,
            condition,
            exceptions: Vec::new(),
            priority: "INFO",
            alerts: false,
            output: None,
        }];
        let (compiled, oracle) = (compiled(&rules), Oracle::new(&rules));
        prop_assert_eq!(found(&compiled, &event.to_string()), oracle.decide(&event), "{}", rules[0].condition);
    }
}

/// What the property tests found: the values that a name with dots gives of a body that was not recorded are shown, not asked; of
/// several fields on the right, the first as written is told missing, whichever was compiled first.
#[test]
fn what_is_found_stays_found() {
    let rule = |name: &str, condition: &str, output: Option<&str>| Rule {
        name: name.to_owned(),
        dialect: Dialect::Vedette,
        condition: condition.to_owned(),
        exceptions: Vec::new(),
        priority: "WARNING",
        alerts: true,
        output: output.map(str::to_owned),
    };
    let rules = [
        rule("a", "level exists", Some("${requestObject.x}")),
        rule("b", "RequestObject.x exists", None),
        rule("c", "user.uid in (${answer}, ${body})", None),
    ];
    let event = Json::Object(vec![
        ("level".to_owned(), Json::Text("Metadata".to_owned(), 0)),
        ("objectRef.resource".to_owned(), Json::Text("pods".to_owned(), 0)),
        ("user".to_owned(), Json::Object(vec![("uid".to_owned(), Json::Text("a".to_owned(), 0))])),
        ("requestObject.x".to_owned(), Json::Bool(true)),
    ]);
    agree(&Oracle::new(&rules), &compiled(&rules), &event).unwrap_or_else(|error| panic!("{error}"));
}

/// The real events, and rules about them.
#[test]
fn real_events_are_decided_as_the_oracle_does() {
    let file =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/testdata/kube-apiserver-eventlists.ndjson.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let lists = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let events: Vec<Json> =
        lists.flat_map(|list| list["items"].as_array().unwrap().clone()).step_by(31).map(|it| (&it).into()).collect();
    assert!(events.len() > 400);
    let verbs = ["create", "delete", "update", "patch", "get", "list"];
    let resources = ["pods", "secrets", "leases", "services", "configmaps", "roles"];
    let conditions = (0..228).map(|n| {
        let (verb, other, resource) = (verbs[n % 6], verbs[(n + 2) % 6], resources[n / 6 % 6]);
        match n % 19 {
            0 => r#"verb not in ("get", "list", "watch")"#.to_owned(),
            1 => format!(r#"verb in ("{verb}", "{other}") and user.username != "user-{n}""#),
            2 => format!(r#"objectRef.resource = "{resource}" and verb = "{verb}""#),
            3 => format!(r#"objectRef.resource = "{resource}" and requestObject.metadata.labels.app exists"#),
            4 => format!(r#"requestURI regex "^/api(s/[a-z.0-9]+)?/v1/namespaces/[a-z-]+/{resource}(/|$)" and verb = "{verb}""#),
            5 => format!(r#"requestURI contains "/{resource}" and not verb = "{other}""#),
            6 => format!(r#"user.username like "system:serviceaccount:*-{resource}*" or user.groups contains "master" and verb = "{verb}""#),
            7 => format!("responseStatus.code >= {} and responseStatus.code < {}", 200 + n % 7 * 50, 300 + n % 7 * 50),
            8 => format!(r#"not (objectRef.namespace in ("default", "kube-system", "{resource}"))"#),
            9 => "requestObject.spec.ports[*].port > 400 or requestObject.spec.containers[0].image like \"*:latest\"".to_owned(),
            10 => format!(r#"responseObject.metadata.name = ${{name}} and verb = "{verb}""#),
            11 => r#"requestObject.spec.containers[0:2].image contains "/" and objectRef.resource = "pods""#.to_owned(),
            12 => format!(r#"stageTimestamp > "2026-11-22T00:{:02}:00Z" and sourceIPs != "127.0.0.1""#, n % 60),
            13 => format!(r#"userAgent contains "kube" and annotations exists and responseObject.kind = "{resource}" and level = "Request""#),
            14 => format!(r#"requestObject.kind != "Lease" and objectRef.name like "*-{n}""#),
            15 => format!(r#"Actor startswith "SYSTEM:{resource}" nocase or (objectRef.name, Verb) endswith "{verb}""#),
            16 => format!(r#"SourceIP within ("127.0.0.0/8", "172.16.0.0/12") and Duration > "0.0{:02}s" and verb = "{verb}""#, n % 50),
            17 => format!(r#"Command contains "sh" or user.username in ("ADMIN", "SYSTEM:{resource}") nocase or verb = "{verb}""#),
            _ => format!(r#"(RequestObject.spec.ports[*].port > 400 or User.Groups contains "system:") and Verb = "{verb}""#),
        }
    });
    let rules: Vec<_> = conditions
        .enumerate()
        .map(|(index, condition)| Rule {
            name: format!("r{index:03}"),
            dialect: if index % 19 == 18 { Dialect::KubeSphere } else { Dialect::Vedette },
            condition,
            exceptions: if index % 19 == 1 { vec![format!("user.username = \"user-{index}\"")] } else { Vec::new() },
            priority: ["DEBUG", "INFO", "WARNING"][index / 2 % 3],
            alerts: index % 4 == 0,
            output: (index % 8 == 0)
                .then(|| "${User.Username} ${Verb}: ${ObjectRef.Name} ${requestObject.spec}".to_owned()),
        })
        .collect();
    let (compiled, oracle) = (compiled(&rules), Oracle::new(&rules));
    let mut matched = std::collections::BTreeSet::new();
    for event in &events {
        agree(&oracle, &compiled, event).unwrap_or_else(|error| panic!("{error}"));
        matched.extend(found(&compiled, &event.to_string()).matched);
    }
    assert!(matched.len() > 100, "only {} rules ever hold", matched.len());
}
