use jiff::{SignedDuration, Timestamp};
use vedette_proto::bus::v1::Alert;

use super::{Budget, FIRING};
use crate::notice::{Detail, MANY};

fn start() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn alert(user: &str, name: &str, namespace: &str) -> Alert {
    Alert {
        rule_id: "ns/alerting-rule/Exec".to_owned(),
        rule: "Exec".to_owned(),
        priority: "WARNING".to_owned(),
        user: user.to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        verb: "create".to_owned(),
        resource: "pods".to_owned(),
        ..Alert::default()
    }
}

/// Spends alerts of these names one second apart, and gives each one's detail and count.
fn check(limit: u32, names: &[&str]) -> Vec<(Detail, u64)> {
    let mut budget = Budget::new(limit, start());
    let mut now = start();
    let mut spent = Vec::new();
    for name in names {
        let it = budget.spend(&alert("admin", name, "default"), "c", false, now);
        spent.push((it.detail, it.count));
        now += SignedDuration::from_secs(1);
    }
    spent
}

#[test]
fn sets_within_the_budget_keep_their_labels() {
    assert_eq!(check(2, &["a", "b", "a", "b"]), [(Detail::Full, 1); 4]);
}

#[test]
fn sets_above_the_budget_become_one_that_says_how_many() {
    use Detail::{Full, Objects};
    let expected = [(Full, 1), (Full, 1), (Objects, 1), (Objects, 2), (Full, 1), (Objects, 3)];
    assert_eq!(check(2, &["a", "b", "c", "d", "a", "e"]), expected);
}

#[test]
fn a_budget_of_nothing_bounds_nothing() {
    let names: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(check(0, &names).iter().all(|it| *it == (Detail::Full, 1)));
}

#[test]
fn user_and_name_are_given_up_first_and_then_all_that_events_bring() {
    let mut budget = Budget::new(1, start());
    let mut spend = |namespace: &str| budget.spend(&alert("u", "n", namespace), "c", false, start());
    let (first, second, third, fourth) = (spend("a"), spend("b"), spend("c"), spend("d"));
    assert_eq!((first.labels.get("user"), first.labels.get("name")), ("u", "n"));
    assert_eq!((second.labels.get("user"), second.labels.get("name")), (MANY, MANY));
    assert_eq!((second.labels.get("namespace"), second.labels.get("verb")), ("b", "create"));
    assert_eq!((third.labels.get("namespace"), third.labels.get("verb")), (MANY, MANY));
    assert_eq!((third.labels.get("alertname"), third.labels.get("cluster")), ("Exec", "c"));
    assert_eq!(third.labels.get("workspace"), "", "an event without a workspace has none of many either");
    assert_eq!(third.labels, fourth.labels);
    assert_eq!((third.count, fourth.count), (1, 2));
}

#[test]
fn a_new_minute_has_a_new_budget() {
    let mut budget = Budget::new(1, start());
    let mut spend = |name: &str, second: i64| {
        let now = start() + SignedDuration::from_secs(second);
        budget.spend(&alert("u", name, "ns"), "c", false, now).detail
    };
    assert_eq!(spend("a", 0), Detail::Full);
    assert_eq!(spend("b", 59), Detail::Objects);
    assert_eq!(spend("b", 60), Detail::Full);
    assert_eq!(spend("a", 61), Detail::Full, "it is firing still, and not new");
}

#[test]
fn rules_and_clusters_have_budgets_of_their_own() {
    let mut budget = Budget::new(1, start());
    let other = Alert { rule_id: "ns/alerting-rule/Attach".to_owned(), ..alert("u", "b", "ns") };
    assert_eq!(budget.spend(&alert("u", "a", "ns"), "c", false, start()).detail, Detail::Full);
    assert_eq!(budget.spend(&alert("u", "b", "ns"), "d", false, start()).detail, Detail::Full);
    assert_eq!(budget.spend(&other, "c", false, start()).detail, Detail::Full);
    assert_eq!(budget.spend(&alert("u", "b", "ns"), "c", false, start()).detail, Detail::Objects);
}

#[test]
fn an_alert_delivered_again_is_counted_once() {
    let mut budget = Budget::new(1, start());
    let mut spend = |name: &str, again| budget.spend(&alert("u", name, "ns"), "c", again, start()).count;
    spend("a", false);
    assert_eq!([spend("b", false), spend("c", false), spend("b", true), spend("c", true)], [1, 2, 2, 2]);
}

#[test]
fn what_is_remembered_is_bounded_and_forgotten() {
    let mut budget = Budget::new(10, start());
    let mut now = start();
    for n in 0..100_000_u32 {
        // Whatever was seen is kept alive: without a bound, every set would be remembered.
        budget.spend(&alert("u", &n.to_string(), "ns"), "c", false, now);
        budget.spend(&alert("u", &(n / 2).to_string(), "ns"), "c", false, now);
        now += SignedDuration::from_millis(500);
    }
    let remembered: usize = budget.uses.values().map(|uses| uses.fine.seen.len() + uses.coarse.seen.len()).sum();
    assert!(remembered <= 201, "{remembered}");
    now += FIRING + SignedDuration::from_secs(61);
    budget.spend(&Alert { rule_id: "another".to_owned(), ..alert("u", "n", "ns") }, "c", false, now);
    assert_eq!(budget.uses.len(), 1, "the first rule is forgotten");
}
