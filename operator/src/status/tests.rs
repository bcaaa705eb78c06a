//! Statuses as people read them.

use vedette_rules::{Policy, SourceFile};

use super::*;

const NOW: &str = "2026-11-25T12:00:00Z";

fn around(since: Option<u64>, evaluators: (usize, usize)) -> Circumstances<'static> {
    Circumstances { now: NOW, since, evaluators, unreadable: None }
}

fn verdict(state: State, diagnostics: Vec<Diagnostic>) -> Verdict {
    Verdict { name: "r".to_owned(), generation: 4, state, rules: 2, diagnostics, leans_on: Vec::new() }
}

/// `Type=Status Reason: message` of each condition.
#[track_caller]
fn check(conditions: &[Condition], expected: &[&str]) {
    let shown: Vec<_> =
        conditions.iter().map(|it| format!("{}={:?} {}: {}", it.kind, it.status, it.reason, it.message)).collect();
    assert_eq!(shown, expected);
}

fn mistakes() -> Vec<Diagnostic> {
    let text = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata: {name: r, namespace: n, labels: {type: \
                archiving}}\nspec:\n  rules:\n  - {name: x, type: rule, enable: true, priority: INFO, condition: Verb = \
                (}\n";
    Policy::build(&[SourceFile { name: "r".to_owned(), text: text.to_owned() }], 1).unwrap_err()
}

#[test]
fn what_is_in_force_says_where() {
    let good = verdict(State::InForce, Vec::new());
    let status = rule(&good, &around(Some(9), (4, 3)), &RuleStatus::default());
    check(
        &status.conditions,
        &["Accepted=True InForce: 2 rules are in force", "Distributed=False Pending: in force on 3 of 4 evaluators"],
    );
    assert_eq!((status.observed_generation, status.snapshot_generation, status.rules_in_force), (4, Some(9), 2));
    let status = rule(&good, &around(Some(9), (4, 4)), &status);
    check(
        &status.conditions,
        &["Accepted=True InForce: 2 rules are in force", "Distributed=True Everywhere: in force on 4 of 4 evaluators"],
    );
    let status = rule(&good, &around(Some(9), (0, 0)), &status);
    check(
        &status.conditions,
        &["Accepted=True InForce: 2 rules are in force", "Distributed=Unknown NoEvaluators: no evaluator is connected"],
    );
}

#[test]
fn errors_are_said_with_their_place_and_what_stays() {
    let status = rule(&verdict(State::LastGood(3), mistakes()), &around(Some(8), (1, 1)), &RuleStatus::default());
    check(
        &status.conditions,
        &[
            "Accepted=False LastGoodInForce: 1 error: VR0207 in spec.rules[0].condition: expected a value after `=`, found `(`; \
             generation 3 stays in force",
            "Distributed=True LastGood: the last good version is in force on 1 of 1 evaluators",
        ],
    );
    assert_eq!(status.last_good_generation, Some(3));
    let found = status.diagnostics.first().unwrap();
    assert_eq!((found.code.as_str(), found.field.as_str(), found.offset), ("VR0207", "spec.rules[0].condition", 7));
}

#[test]
fn a_transition_keeps_its_time_until_the_status_changes() {
    let first = rule(&verdict(State::InForce, Vec::new()), &around(Some(1), (1, 0)), &RuleStatus::default());
    let later = Circumstances { now: "2026-11-25T13:00:00Z", ..around(Some(1), (1, 1)) };
    let second = rule(&verdict(State::InForce, Vec::new()), &later, &first);
    let times: Vec<_> = second.conditions.iter().map(|it| it.last_transition_time.as_str()).collect();
    assert_eq!(times, [NOW, "2026-11-25T13:00:00Z"]);
}

#[test]
fn what_a_refused_webhook_selects_is_not_known() {
    let status = webhook(&verdict(State::Refused, mistakes()), &around(Some(8), (1, 1)), &WebhookStatus::default());
    let selected = status.conditions.iter().find(|it| it.kind == "RulesSelected").unwrap();
    check(
        std::slice::from_ref(selected),
        &["RulesSelected=Unknown NotAccepted: what it selects is not known: it has errors"],
    );
    let status = webhook(&verdict(State::InForce, Vec::new()), &around(Some(8), (1, 1)), &status);
    let selected = status.conditions.iter().find(|it| it.kind == "RulesSelected").unwrap();
    check(std::slice::from_ref(selected), &["RulesSelected=True Selected: every selector takes at least one `Rule`"]);
}

#[test]
fn what_cannot_be_read_says_what_stays() {
    let around = Circumstances { unreadable: Some("no list"), ..around(Some(8), (2, 1)) };
    let status = rule(&unread(5, Some(&verdict(State::InForce, Vec::new()))), &around, &RuleStatus::default());
    check(
        &status.conditions,
        &[
            "Accepted=False Unreadable: the resource can't be read: no list; generation 4 stays in force",
            "Distributed=False LastGood: the last good version is in force on 1 of 2 evaluators",
        ],
    );
    assert_eq!((status.observed_generation, status.last_good_generation, status.rules_in_force), (5, Some(4), 2));
    let never = rule(&unread(5, None), &Circumstances { since: None, ..around }, &status);
    check(
        &never.conditions,
        &[
            "Accepted=False Unreadable: the resource can't be read: no list; nothing of it is in force",
            "Distributed=Unknown NotInForce: there is nothing to distribute",
        ],
    );
    assert_eq!((never.last_good_generation, never.rules_in_force), (None, 0));
}
