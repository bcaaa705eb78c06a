//! Messages of alerts.

use serde_json::json;

use crate::{built, codes, diagnosed, resource};

fn message(output: Option<&str>, event: serde_json::Value) -> String {
    let mut rule =
        json!({"name": "x", "type": "rule", "enable": true, "priority": "WARNING", "condition": "Verb exists"});
    if let Some(output) = output {
        rule["output"] = json!(output);
    }
    let entries = [
        "{name: user, type: alias, alias: User.username}",
        "{name: images, type: alias, alias: 'RequestObject.spec.containers[*].image'}",
        "{name: verbs, type: list, list: [get, '${user}', list]}",
        &rule.to_string(),
    ];
    let built = built(&resource("r", "alerting", &entries));
    let alerts = built.policy.rules.decide(event.to_string().as_bytes()).unwrap().alerts;
    alerts[0].message.clone()
}

#[test]
fn references_are_filled_in() {
    let event = json!({"Verb": "get", "User": {"Username": "eve", "Groups": ["a", "b"]}, "ResponseStatus": {"code": 404},
        "SourceIPs": ["10.0.0.1", "192.0.2.7"], "RequestURI": "/exec?command=cat&command=%2Fx",
        "RequestReceivedTimestamp": "2026-11-22T00:00:00Z", "StageTimestamp": "2026-11-22T00:00:01.5Z",
        "Annotations": {"k8s.io/x": "y"}, "Level": "RequestResponse",
        "RequestObject": {"spec": {"containers": [{"image": "i"}, {"image": "j"}], "hostNetwork": true, "none": null}}});
    for (output, expected) in [
        ("${user} ${Verb} ${verb} ${ VERB }.", "eve get get get."),
        ("${ResponseStatus.code}/${requestobject.spec.hostNetwork}", "404/true"),
        ("[${ObjectRef.Name}${RequestObject.spec.none}${RequestObject.nothing[3]}]", "[]"),
        ("${User.Groups} ${User.Groups[1]} ${images}", "a, b b i, j"),
        ("${verbs}", "get, eve, list"),
        ("${r.user} ${Annotations.k8s.io/x}", "eve y"),
        ("${RequestObject.spec.containers}", "{\"image\":\"i\"}, {\"image\":\"j\"}"),
        ("${Actor} from ${sourceip} ran ${Command} for ${Duration}", "eve from 192.0.2.7 ran cat /x for 1.5s"),
        ("${Annotations[\"k8s.io/x\"]}", "y"),
        ("$ {x} $user } $", "$ {x} $user } $"),
        ("no reference", "no reference"),
    ] {
        assert_eq!(message(Some(output), event.clone()), expected, "{output}");
    }
}

#[test]
fn without_an_output_a_sentence_says_what_happened() {
    let event = json!({"verb": "create", "user": {"username": "eve"}, "requestURI": "/api/x",
        "objectRef": {"resource": "pods", "subresource": "exec", "name": "p", "namespace": "n"}});
    assert_eq!(message(None, event), "eve create pods/exec p in Namespace n");
    assert_eq!(
        message(None, json!({"verb": "list", "user": {"username": "eve"}, "objectRef": {"resource": "nodes"}})),
        "eve list nodes"
    );
    assert_eq!(
        message(None, json!({"verb": "get", "user": {"username": "eve"}, "requestURI": "/healthz"})),
        "eve get /healthz"
    );
    assert_eq!(message(Some("  "), json!({"verb": "get"})), "get", "a blank output is none");
}

#[test]
fn a_message_is_bounded() {
    let event = json!({"verb": "get", "requestURI": "é".repeat(10_000), "sourceIPs": vec!["x"; 10_000]});
    for output in ["${RequestURI}", "${SourceIPs}", "${SourceIPs}${RequestURI}", &"x".repeat(5000)] {
        let message = message(Some(output), event.clone());
        assert!(message.len() <= vedette_rules::policy::MESSAGE_LIMIT && message.ends_with('…'), "{}", message.len());
        assert!(message.len() > vedette_rules::policy::MESSAGE_LIMIT - 10);
    }
    assert!(message(None, event).len() <= vedette_rules::policy::MESSAGE_LIMIT);
}

#[test]
fn a_list_is_not_copied_into_the_outputs_that_name_it() {
    // Copied, the items would take tens of gigabytes.
    let list = json!({"name": "l", "type": "list", "list": vec!["item"; 5000]}).to_string();
    let rule = |index: usize| {
        json!({"name": index.to_string(), "type": "rule", "enable": true, "priority": "WARNING", "condition": "Verb exists", "output": "${l}".repeat(4000)})
            .to_string()
    };
    let rules: Vec<String> = (0..40).map(rule).collect();
    let entries: Vec<&str> = std::iter::once(list.as_str()).chain(rules.iter().map(String::as_str)).collect();
    let alerts = built(&resource("r", "alerting", &entries)).policy.rules.decide(br#"{"verb":"get"}"#).unwrap().alerts;
    assert_eq!(alerts.len(), 40);
    let expected = format!("{}ite", "item, ".repeat(682)).chars().take(4093).chain(['…']).collect::<String>();
    assert_eq!(alerts[39].message, expected);
}

#[test]
fn an_output_of_a_disabled_rule_is_checked_too() {
    let text = resource(
        "r",
        "alerting",
        &["{name: x, type: rule, enable: false, priority: INFO, condition: Verb exists, output: '${nobody}'}"],
    );
    assert_eq!(codes(&diagnosed(&text)), ["VR0502"]);
}
