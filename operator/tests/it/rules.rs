//! From a resource to what is in force, and back to its status.

use crate::evaluator::Evaluator;
use crate::lab::Lab;
use crate::running::Running;

/// A `Rule` with one rule.
fn rule(name: &str, condition: &str) -> String {
    format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: {name}\n  namespace: \
         kubesphere-logging-system\n  labels: {{type: archiving}}\nspec:\n  rules:\n  - name: x\n    type: rule\n    enable: \
         true\n    priority: INFO\n    condition: '{condition}'\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_in_force_everywhere_and_a_broken_one_is_not() {
    let plane = Lab::start();
    plane.apply(&rule("first", r#"Verb = "get""#));
    let operator = Running::start(&plane, "one", |_| {}).await;
    let mut evaluator = Evaluator::connect(&operator.url, "e1", None).await;
    let first = evaluator.wait("the first rules", |has| has.rules == 1).await;
    let status = plane.wait_conditions("rules/first", &["Accepted=True InForce", "Distributed=True Everywhere"]);
    assert_eq!(status["status"]["rulesInForce"], 1);
    assert_eq!(status["status"]["snapshotGeneration"], first.generation);

    plane.apply(&rule("first", r#"Verb = "delete""#));
    let second = evaluator.wait("the changed rule", |has| has.text().contains("delete")).await;
    assert!(second.generation > first.generation);

    // Broken: what was good stays, others go on, and the status says where it is broken.
    plane.apply(&rule("first", "Verb = ("));
    plane.apply(&rule("second", r#"Verb = "patch""#));
    let third = evaluator.wait("the other rule", |has| has.rules == 2).await;
    assert!(third.text().contains("delete") && third.text().contains("patch"));
    let status = plane.wait_conditions("rules/first", &["Accepted=False LastGoodInForce", "Distributed=True LastGood"]);
    assert_eq!(status["status"]["lastGoodGeneration"], 2);
    let found = &status["status"]["diagnostics"][0];
    assert_eq!(
        (&found["code"], &found["field"], &found["offset"]),
        (&"VR0207".into(), &"spec.rules[0].condition".into(), &7.into())
    );
    plane.wait_conditions("rules/second", &["Accepted=True InForce", "Distributed=True Everywhere"]);
    let events = plane.kube.kubectl_ok(&["get", "events", "-n", "kubesphere-logging-system"], None);
    assert!(events.contains("LastGoodInForce") && events.contains("rule/first"), "{events}");

    // Its columns, as people see them.
    let table = plane.kube.kubectl_ok(&["get", "ar", "-n", "kubesphere-logging-system"], None);
    let line = |name: &str| {
        table
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .split_whitespace()
            .take(5)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!([line("first"), line("second")], ["first archiving False 1 True", "second archiving True 1 True"]);

    // Settings take the same way.
    plane.apply("apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata: {name: kube-auditing-webhook}\nspec: {auditLevel: Request, auditSinkPolicy: {alertingRuleSelector: {matchLabels: {team: nobody}}}}\n");
    evaluator.wait("the settings", |has| has.text().contains("auditLevel: Request")).await;
    plane.wait_conditions(
        "webhooks/kube-auditing-webhook",
        &["Accepted=True InForce", "RulesSelected=False SelectsNothing"],
    );

    // Who is gone is not counted.
    evaluator.close();
    plane.wait_conditions("rules/second", &["Distributed=Unknown NoEvaluators"]);
    operator.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_operator_takes_over_and_generations_go_on() {
    let plane = Lab::start();
    plane.apply(&rule("first", r#"Verb = "get""#));
    let one = Running::start(&plane, "one", |_| {}).await;
    let mut at_one = Evaluator::connect(&one.url, "e1", None).await;
    let first = at_one.wait("the first rules", |has| has.rules == 1).await;

    // One that does not lead serves the same, and its subscribers count.
    let two = Running::start(&plane, "two", |_| {}).await;
    let mut at_two = Evaluator::connect(&two.url, "e2", Some("poison")).await;
    let same = at_two.wait("the rules of the other operator", |has| has.rules == 1).await;
    assert_eq!((same.generation, same.documents), (first.generation, first.documents));
    let status = plane.wait_conditions("rules/first", &["Distributed=True Everywhere"]);
    let both = |status: &serde_json::Value| status.to_string().contains("in force on 2 of 2 evaluators");
    let end = std::time::Instant::now() + crate::running::PATIENCE;
    let mut now = status;
    while !both(&now) {
        assert!(std::time::Instant::now() < end, "{now:#}");
        now = plane.wait_conditions("rules/first", &["Distributed=True Everywhere"]);
    }

    // What one of them refuses is not in force everywhere.
    plane.apply(&rule("second", r#"Verb = "poison""#));
    at_one.wait("the rule that the other refuses", |has| has.rules == 2).await;
    plane.wait_conditions("rules/second", &["Accepted=True InForce", "Distributed=False Pending"]);
    plane.kube.kubectl_ok(&["delete", "ar", "second", "-n", "kubesphere-logging-system"], None);
    let third = at_two.wait("its end", |has| has.generation > first.generation).await;

    // The leader dies: evaluators keep what they have, and the other leads once the lease has run out.
    one.kill().await;
    at_one.close();
    plane.apply(&rule("first", r#"Verb = "delete""#));
    let fourth = at_two.wait("a change by the new leader", |has| has.text().contains("delete")).await;
    assert!(fourth.generation > third.generation);
    two.end().await;

    // A new one starts from what was in force, although the resource was broken while none ran.
    plane.apply(&rule("first", "("));
    let three = Running::start(&plane, "three", |_| {}).await;
    let mut late = Evaluator::connect(&three.url, "e3", None).await;
    let fifth = late.wait("the last good rules", |has| has.rules == 1).await;
    assert!(fifth.text().contains("delete") && fifth.generation >= fourth.generation);
    plane.wait_conditions("rules/first", &["Accepted=False LastGoodInForce"]);
    three.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rules_take_several_parts_and_leave_none_behind() {
    let plane = Lab::start();
    let operator = Running::start(&plane, "one", |_| {}).await;
    let mut evaluator = Evaluator::connect(&operator.url, "e1", None).await;
    // Random text does not pack: three times 600 KiB are three parts.
    let noise = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..12_000).map(|_| format!("'{:x}{:x}'", random.u128(..), random.u64(..))).collect::<Vec<_>>().join(", ")
    };
    for (index, name) in ["a", "b", "c"].iter().enumerate() {
        let list = noise(index as u64);
        let yaml = format!(
            "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata: {{name: {name}, namespace: default, labels: \
             {{type: archiving}}}}\nspec:\n  rules:\n  - {{name: l, type: list, list: [{list}]}}\n  - {{name: x, type: rule, \
             enable: true, priority: INFO, condition: 'User.Username in ${{l}}'}}\n"
        );
        plane.kube.kubectl_ok(&["create", "-f", "-"], Some(&yaml));
    }
    evaluator.wait("all of them", |has| has.rules == 3).await;
    let parts = || {
        plane.json(&["cm", "-n", "kubesphere-logging-system", "-l", "auditing.vedette.io/snapshot"])["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert!(parts() >= 3, "{}", parts());
    for name in ["a", "b"] {
        plane.kube.kubectl_ok(&["delete", "ar", name], None);
    }
    evaluator.wait("one of them", |has| has.rules == 1).await;
    plane.apply(&rule("small", r#"Verb = "get""#));
    evaluator.wait("another change", |has| has.rules == 2).await;
    plane.apply(&rule("small", r#"Verb = "list""#));
    evaluator.wait("and another", |has| has.text().contains("list\"")).await;
    assert!(parts() <= 4, "parts are left behind: {}", parts());
    operator.end().await;
}

const HEAD: [&str; 4] = ["cm", "vedette-rules", "-n", "kubesphere-logging-system"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_may_be_damaged_lost_or_set_back() {
    let plane = Lab::start();
    plane.apply(&rule("first", r#"Verb = "get""#));
    let one = Running::start(&plane, "one", |_| {}).await;
    let mut evaluator = Evaluator::connect(&one.url, "e1", None).await;
    let first = evaluator.wait("the first rules", |has| has.rules == 1).await;
    let old_head = plane.json(&HEAD);

    // Damaged: written anew with the next change.
    plane.kube.kubectl_ok(&[&["patch"], &HEAD[..], &["-p", r#"{"data":{"generation":"abc"}}"#]].concat(), None);
    plane.apply(&rule("first", r#"Verb = "list""#));
    let second = evaluator.wait("a change after damage", |has| has.text().contains("list\"")).await;
    assert!(second.generation > first.generation);

    // Gone: so are its parts, and the operator starts all the same.
    one.end().await;
    evaluator.close();
    plane.kubectl(&["delete", "cm", "-l", "auditing.vedette.io/snapshot"]);
    let two = Running::start(&plane, "two", |_| {}).await;
    let mut evaluator = Evaluator::connect(&two.url, "e1", None).await;
    let third = evaluator.wait("rules without what was kept", |has| has.rules == 1).await;
    // The same documents are the same parts: it may heal without a new generation.
    assert!(third.generation >= second.generation && third.text().contains("list\""));

    // Set back by a restored store: what was served was newer, so nothing that was seen counts.
    let mut head = old_head;
    head["metadata"] = serde_json::json!({"name": "vedette-rules", "namespace": "kubesphere-logging-system"});
    plane.kubectl(&["delete", "cm", "-l", "auditing.vedette.io/snapshot"]);
    let parts = plane.json(&["cm", "-n", "kubesphere-logging-system"]);
    assert!(parts["items"].as_array().unwrap().iter().any(|it| it["metadata"]["name"] == "vedette-rules"));
    head["data"]["parts"] = "".into();
    head["data"]["hash"] = blake3::hash(b"").to_hex().to_string().into();
    head["data"]["generation"] = "7".into();
    plane.kube.kubectl_ok(&["replace", "-f", "-"], Some(&head.to_string()));
    plane.apply(&rule("second", r#"Verb = "watch""#));
    evaluator.wait("a change after the head was overwritten", |has| has.rules == 2).await;
    two.end().await;
    evaluator.close();

    // Evaluators that are ahead of what is kept get something newer.
    let three = Running::start(&plane, "three", |_| {}).await;
    let ahead = third.generation + 3_600_000;
    let mut evaluator = Evaluator::connect_with(&three.url, "e1", None, ahead).await;
    evaluator.wait("a generation above the evaluator's", |has| has.generation > ahead && has.rules == 2).await;
    three.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_of_a_cluster_that_was_set_back_starts_anew() {
    let plane = Lab::start();
    plane.apply(&rule("first", r#"Verb = "get""#));
    let one = Running::start(&plane, "one", |_| {}).await;
    let mut evaluator = Evaluator::connect(&one.url, "e1", None).await;
    evaluator.wait("the first rules", |has| has.rules == 1).await;
    let backup = plane.json(&HEAD)["data"].clone();
    plane.apply(&rule("first", r#"Verb = "list""#));
    let second = evaluator.wait("the change", |has| has.text().contains("list\"")).await;
    // The parts of the last snapshot but one are still there.
    let patch = serde_json::json!({"data": backup}).to_string();
    plane.kube.kubectl_ok(&[&["patch"], &HEAD[..], &["-p", &patch]].concat(), None);
    let said = one.ended().await;
    assert!(said.contains("the cluster was set back"), "{said}");
    let two = Running::start(&plane, "two", |_| {}).await;
    let mut evaluator = Evaluator::connect_with(&two.url, "e1", None, second.generation).await;
    evaluator.wait("newer rules", |has| has.generation > second.generation && has.text().contains("list\"")).await;
    two.end().await;
}
