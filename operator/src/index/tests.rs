//! One bad resource never takes down another, nor its own last good version.

use proptest::prelude::*;
use vedette_rules::Policy;

use super::*;

/// A `Rule` of namespace `n` with these entries, as generation `generation`.
fn rule(name: &str, generation: i64, entries: &[&str]) -> Document {
    let entries: String = entries.iter().map(|entry| format!("  - {{{entry}}}\n")).collect();
    let text = format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: {name}\n  namespace: n\n  generation: \
         {generation}\n  labels: {{type: archiving}}\nspec:\n  rules:\n{entries}"
    );
    Document { key: key(name), generation, text }
}

fn key(name: &str) -> Key {
    Key::Rule { namespace: "n".to_owned(), name: name.to_owned() }
}

fn when(name: &str, condition: &str) -> String {
    format!("name: {name}, type: rule, enable: true, priority: INFO, condition: '{condition}'")
}

/// Each resource's name, state and rules in force.
fn states(outcome: &Outcome) -> Vec<(String, State, usize)> {
    let name = |key: &Key| key.document().rsplit('/').next().unwrap().to_owned();
    outcome.verdicts.iter().map(|(key, verdict)| (name(key), verdict.state, verdict.rules)).collect()
}

fn expected(states: &[(&str, State, usize)]) -> Vec<(String, State, usize)> {
    states.iter().map(|(name, state, rules)| ((*name).to_owned(), *state, *rules)).collect()
}

fn texts(outcome: &Outcome) -> String {
    outcome.documents.iter().map(|it| it.text.as_str()).collect()
}

#[test]
fn a_broken_resource_steps_back_and_the_others_go_on() {
    let mut index = Index::default();
    index.apply(rule("a", 1, &[&when("old", r#"Verb = "get""#)]));
    index.apply(rule("b", 1, &[&when("other", r#"Verb = "list""#)]));
    let outcome = index.build();
    assert_eq!(states(&outcome), expected(&[("a", State::InForce, 1), ("b", State::InForce, 1)]));

    index.apply(rule("a", 2, &[&when("old", "Verb = (")]));
    index.apply(rule("b", 2, &[&when("other", r#"Verb = "watch""#)]));
    let outcome = index.build();
    assert_eq!(states(&outcome), expected(&[("a", State::LastGood(1), 1), ("b", State::InForce, 1)]));
    assert!(texts(&outcome).contains(r#"Verb = "get""#) && texts(&outcome).contains(r#"Verb = "watch""#));
    let found = &outcome.verdicts[&key("a")].diagnostics[0];
    assert_eq!((found.severity, found.field.as_str()), (vedette_rules::Severity::Error, "spec.rules[0].condition"));

    index.apply(rule("a", 3, &[&when("old", r#"Verb = "patch""#)]));
    assert_eq!(states(&index.build()), expected(&[("a", State::InForce, 1), ("b", State::InForce, 1)]));
}

#[test]
fn what_never_was_good_is_out_and_harms_nobody() {
    let mut index = Index::default();
    index.apply(rule("a", 1, &[&when("x", r#"Verb = "get""#)]));
    index.apply(rule("b", 1, &["name: x, type: rule, enable: true, priority: INFO, condition: '('"]));
    assert_eq!(states(&index.build()), expected(&[("a", State::InForce, 1), ("b", State::Refused, 0)]));
}

#[test]
fn a_new_operator_steps_back_to_what_was_in_force_before_it() {
    let mut first = Index::default();
    first.apply(rule("a", 7, &[&when("x", r#"Verb = "get""#)]));
    let in_force = first.build().documents;

    let mut second = Index::new(&in_force);
    second.apply(rule("a", 8, &[&when("x", "(")]));
    let outcome = second.build();
    assert_eq!(states(&outcome), expected(&[("a", State::LastGood(7), 1)]));
    assert_eq!(outcome.documents, in_force);
}

#[test]
fn a_deleted_resource_that_is_used_stays_without_its_rules() {
    let mut index = Index::default();
    index.apply(rule(
        "macros",
        1,
        &[r#"name: gets, type: macro, macro: 'Verb = "get"'"#, &when("own", r#"Verb = "list""#)],
    ));
    index.apply(rule("user", 1, &[&when("x", "${macros.gets}")]));
    assert_eq!(states(&index.build()), expected(&[("macros", State::InForce, 1), ("user", State::InForce, 1)]));

    index.remove(&key("macros"));
    let outcome = index.build();
    assert_eq!(states(&outcome), expected(&[("user", State::InForce, 1)]));
    assert_eq!(outcome.retained, BTreeSet::from([key("macros")]));
    assert_eq!(outcome.rules, 1, "the deleted resource's own rule is out");
    // Again and after a restart it is still so; and it goes when nobody needs it.
    assert_eq!(index.build().documents, outcome.documents);
    let mut next = Index::new(&outcome.documents);
    next.apply(rule("user", 1, &[&when("x", "${macros.gets}")]));
    assert_eq!(next.build().documents, outcome.documents);
    next.apply(rule("user", 2, &[&when("x", r#"Verb = "get""#)]));
    let outcome = next.build();
    assert_eq!((outcome.documents.len(), outcome.retained.len()), (1, 0));
}

#[test]
fn a_macro_that_breaks_its_users_steps_back_with_them() {
    let mut index = Index::default();
    index.apply(rule("macros", 1, &[r#"name: gets, type: macro, macro: 'Verb = "get"'"#]));
    index.apply(rule("user", 1, &[&when("x", "${macros.gets}")]));
    index.build();
    // Good by itself, but what others need is gone.
    index.apply(rule("macros", 2, &[r#"name: lists, type: macro, macro: 'Verb = "list"'"#]));
    let outcome = index.build();
    assert_eq!(states(&outcome), expected(&[("macros", State::LastGood(1), 0), ("user", State::InForce, 1)]));
}

#[test]
fn a_namesake_that_makes_a_reference_unclear_stays_out() {
    let mut index = Index::default();
    index.apply(rule("macros", 1, &[r#"name: gets, type: macro, macro: 'Verb = "get"'"#]));
    let mut user = rule("user", 1, &[&when("x", "${macros.gets}")]);
    user.text = user.text.replace("namespace: n", "namespace: other");
    user.key = Key::Rule { namespace: "other".to_owned(), name: "user".to_owned() };
    index.apply(user.clone());
    index.build();
    let mut namesake = rule("macros", 1, &[r#"name: gets, type: macro, macro: 'Verb = "list"'"#]);
    namesake.text = namesake.text.replace("namespace: n", "namespace: third");
    namesake.key = Key::Rule { namespace: "third".to_owned(), name: "macros".to_owned() };
    index.apply(namesake.clone());
    let outcome = index.build();
    assert_eq!(outcome.verdicts[&user.key].rules, 1, "{:?}", outcome.verdicts);
    assert_eq!(outcome.verdicts[&namesake.key].state, State::Refused);
}

#[test]
fn a_resource_that_is_too_much_for_all_together_stays_out_alone() {
    // Each unfolds to more than half of what a set may hold; the error stands where the limit is passed, which is in the good one.
    let long = |name: &str| {
        let items = (0..1_000).map(|index| format!("n{index}")).collect::<Vec<_>>().join(", ");
        let twelve_hundred = vec!["'${l}'"; 1_200].join(", ");
        let entries = [
            format!("name: l, type: list, list: [{items}]"),
            format!("name: ll, type: list, list: [{twelve_hundred}]"),
            when("x", "ObjectRef.Name in ${ll}"),
        ];
        rule(name, 1, &entries.each_ref().map(String::as_str))
    };
    let mut index = Index::default();
    index.apply(long("zzz"));
    index.apply(rule("small", 1, &[&when("x", r#"Verb = "get""#)]));
    assert_eq!(states(&index.build()), expected(&[("small", State::InForce, 1), ("zzz", State::InForce, 1)]));

    let found = index.check(&[long("aaa")]);
    assert!(found.iter().any(Diagnostic::is_error), "admission would let it in");
    index.apply(long("aaa"));
    let outcome = index.build();
    let wanted = [("aaa", State::Refused, 0), ("small", State::InForce, 1), ("zzz", State::InForce, 1)];
    assert_eq!(states(&outcome), expected(&wanted));
    assert!(outcome.verdicts[&key("aaa")].diagnostics.iter().any(Diagnostic::is_error), "it says why");
}

#[test]
fn a_long_chain_of_broken_references_holds_up_nobody() {
    let mut index = Index::default();
    index.apply(rule("z", 1, &[&when("x", r#"Verb = "get""#)]));
    index.build();
    for place in 0..20 {
        let next = format!("name: m, type: macro, macro: '${{c{:02}.m}}'", place + 1);
        index.apply(rule(&format!("c{place:02}"), 1, &[&next]));
    }
    index.apply(rule("c20", 1, &["name: m, type: macro, macro: 'Verb = ('"]));
    index.apply(rule("unrelated", 1, &[&when("x", r#"Verb = "list""#)]));
    let outcome = index.build();
    let of = |name: &str| (outcome.verdicts[&key(name)].state, outcome.verdicts[&key(name)].rules);
    assert_eq!((of("z"), of("unrelated")), ((State::InForce, 1), (State::InForce, 1)));
    for place in 0..=20 {
        let verdict = &outcome.verdicts[&key(&format!("c{place:02}"))];
        assert_eq!(verdict.state, State::Refused);
        assert!(verdict.diagnostics.iter().any(Diagnostic::is_error), "{verdict:?}");
    }
    // And it heals as a whole, in whatever order the names are.
    index.apply(rule("c20", 2, &[r#"name: m, type: macro, macro: 'Verb = "get"'"#]));
    assert!(index.build().verdicts.values().all(|it| it.state == State::InForce));
}

#[test]
fn only_the_named_webhook_counts_and_a_broken_one_steps_back() {
    let webhook = |name: &str, level: &str| Document {
        key: Key::Webhook { name: name.to_owned() },
        generation: 1,
        text: format!(
            "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata: {{name: {name}}}\nspec: {{auditLevel: \
             {level}}}\n"
        ),
    };
    let mut index = Index::default();
    index.apply(webhook(WEBHOOK, "Request"));
    index.apply(webhook("another", "None"));
    let outcome = index.build();
    assert_eq!(outcome.settings.audit_level.to_string(), "Request");
    assert_eq!(outcome.verdicts[&Key::Webhook { name: "another".to_owned() }].state, State::NotSelected);
    index.apply(webhook(WEBHOOK, "Everything"));
    let outcome = index.build();
    assert_eq!(outcome.settings.audit_level.to_string(), "Request");
    let verdict = &outcome.verdicts[&Key::Webhook { name: WEBHOOK.to_owned() }];
    assert!(matches!(verdict.state, State::LastGood(_)), "{verdict:?}");
}

#[test]
fn a_check_names_the_errors_of_what_is_asked_about_alone() {
    let mut index = Index::default();
    index.apply(rule("bad", 1, &[&when("x", "(")]));
    index.apply(rule("macros", 1, &[r#"name: gets, type: macro, macro: 'Verb = "get"'"#]));
    index.build();
    assert_eq!(index.check(&[rule("new", 0, &[&when("x", "${macros.gets}")])]), []);
    let found = index.check(&[rule("new", 0, &[&when("x", "${macros.lists}")])]);
    assert_eq!(found.iter().map(|it| it.file.as_str()).collect::<Vec<_>>(), ["namespaces/n/rules/new"]);
}

/// One step of what users do.
#[derive(Debug, Clone)]
enum Step {
    Put(usize, usize),
    Delete(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![3 => (0..4usize, 0..6usize).prop_map(|(at, what)| Step::Put(at, what)), 1 => (0..4usize).prop_map(Step::Delete)]
}

fn version(at: usize, what: usize, generation: i64) -> Document {
    let other = ["a", "b", "c", "d"][(at + 1) % 4];
    let entries: Vec<String> = match what {
        0 => vec![when("x", r#"Verb = "get""#)],
        1 => vec![r#"name: m, type: macro, macro: 'Verb = "get"'"#.to_owned(), when("x", "${m}")],
        2 => vec![when("x", &format!("${{{other}.m}}"))],
        3 => vec![when("x", "(")],
        4 => vec![format!("name: m, type: macro, macro: '${{{other}.m}}'"), when("x", "${m}")],
        _ => vec!["name: m, type: macro, macro: 'Verb = ('".to_owned()],
    };
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    rule(["a", "b", "c", "d"][at], generation, &entries)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_done_what_is_in_force_compiles_and_nothing_good_is_lost(steps in proptest::collection::vec(step(), 1..20)) {
        let mut index = Index::default();
        let mut before: BTreeMap<Key, usize> = BTreeMap::new();
        for (generation, step) in steps.iter().enumerate() {
            let touched = match *step {
                Step::Put(at, what) => {
                    let document = version(at, what, i64::try_from(generation).unwrap());
                    let key = document.key.clone();
                    index.apply(document);
                    key
                }
                Step::Delete(at) => {
                    index.remove(&key(["a", "b", "c", "d"][at]));
                    key(["a", "b", "c", "d"][at])
                }
            };
            let outcome = index.build();
            prop_assert!(Policy::build(&outcome.documents, 1).is_ok());
            for (key, rules) in &before {
                let now = outcome.verdicts.get(key).map_or(0, |it| it.rules);
                prop_assert!(*key == touched || now >= *rules, "{key:?} lost its rules");
            }
            before = outcome.verdicts.iter().map(|(key, it)| (key.clone(), it.rules)).collect();
        }
    }
}
