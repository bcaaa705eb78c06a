//! What deciding and keeping rules takes of memory. A program of its own: its allocator counts.

#![expect(clippy::unwrap_used, reason = "a test stops at a surprise")]

use allocation_counter::measure;
use vedette_rules::{Policy, RuleSet, SourceFile};

const EVENT: &str = r#"{"level":"RequestResponse","auditID":"a","stage":"ResponseComplete","requestURI":"/api/v1/pods/x/exec?command=sh",
    "verb":"create","user":{"username":"eve","groups":["dev","a\"b"]},"impersonatedUser":{"username":"Root"},
    "sourceIPs":["203.0.113.9","10.1.2.3"],"userAgent":"kubectl/v1.31","objectRef":{"resource":"pods","namespace":"Shop","name":"x"},
    "responseStatus":{"code":201},"requestObject":{"spec":{"containers":[{"image":"nginx:latest","ports":[{"hostPort":80}]}]}},
    "responseObject":null,"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:01.500000Z",
    "annotations":{"authorization.k8s.io/decision":"allow","team":"a\u0062c"}}"#;

/// Rules of one resource.
fn compiled(conditions: &[String], compat: bool) -> RuleSet {
    let dialect = if compat { "  annotations:\n    auditing.vedette.io/compat: kubesphere\n" } else { "" };
    let mut text = format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: r\n{dialect}  labels:\n    type: archiving\nspec:\n  rules:\n\
         \x20 - {{name: user, type: alias, alias: ImpersonatedUser.Username}}\n"
    );
    for (index, condition) in conditions.iter().enumerate() {
        text += &format!(
            "  - name: r{index}\n    type: rule\n    enable: true\n    priority: INFO\n    condition: '{condition}'\n"
        );
    }
    let adjust = |settings: &mut vedette_rules::Settings| settings.audit_level = vedette_audit::Level::RequestResponse;
    let built = Policy::build_with(&[SourceFile { name: "r.yaml".to_owned(), text }], 1, adjust);
    built.unwrap().policy.rules
}

/// How often one rule allocates once it has seen the event.
fn allocations(condition: &str, compat: bool) -> u64 {
    let rules = compiled(&[condition.to_owned()], compat);
    let decide = || drop(rules.decide(EVENT.as_bytes()).unwrap());
    (0..2).for_each(|_| decide());
    measure(decide).count_total
}

#[test]
fn deciding_allocates_nothing_once_it_is_warm() {
    let conditions = [
        r#"Verb = "get""#,
        r#"Verb in ("get", "list") or User.Groups = "ops""#,
        r#"ResponseStatus.Code >= 400 or not (Verb exists)"#,
        r#"User.Username like "adm*" or RequestURI regex "^/apis/.*/secrets" or UserAgent contains "curl""#,
        r#"UserAgent startswith "helm" or UserAgent endswith "x" or RequestURI contains "secrets" or RequestURI contains "nodes""#,
        r#"SourceIPs within ("192.168.0.0/16", "fd00::/8")"#,
        r#"StageTimestamp > "2027-01-01T00:00:00Z""#,
        r#"RequestObject.spec.containers[*].image like "*:stable" or RequestObject.spec.containers[0:2].ports[*].hostPort > 90"#,
        r#"User.Groups[1] = "b" or Annotations.team = "x" or Annotations.authorization.k8s.io/decision = "forbid""#,
        r#"Verb = "get" nocase"#,
    ];
    for condition in conditions {
        assert_eq!(allocations(condition, false), 0, "{condition}");
    }
    for condition in [
        r#"Verb = "get" or Verb in ("list", "watch") or User.Username contains "x" or RequestURI like "*secrets*""#,
        r#"Verb != "create" or User.Username regex "^adm" or ImpersonatedUser.Username exists and Verb = "x""#,
    ] {
        assert_eq!(allocations(condition, true), 0, "{condition}");
    }
}

/// What is not free, and what it costs: the manual of the matcher, ADR 0006, names each.
#[test]
fn what_allocates_is_known() {
    for (condition, compat, count) in [
        // The answer: the rules that hold.
        (r#"Verb = "create""#, false, 1),
        // A derived field is made.
        (r#"Actor = "x""#, false, 1),
        // Folding capitals.
        (r#"ObjectRef.Namespace = "x" nocase"#, false, 1),
        // The values of a field that another is compared with.
        ("User.Username = ${user}", false, 1),
        // KubeSphere's reading of a list: its tree and its elements, what is printed of it.
        (r#"User.Groups = "x""#, true, 7),
    ] {
        let found = allocations(condition, compat);
        assert!((1..=count).contains(&found), "{condition}: {found} allocations");
    }
}

#[test]
fn rules_take_memory_in_proportion() {
    let rule = |n: usize| match n % 4 {
        0 => format!(r#"ObjectRef.Resource = "pods" and Verb = "create" and ObjectRef.Namespace = "team-{n}""#),
        1 => format!(r#"Verb in ("update", "patch") and User.Username contains ":team-{n}:""#),
        2 => format!(r#"ResponseStatus.Code >= 400 and RequestObject.metadata.labels.app = "app-{n}""#),
        _ => format!(r#"Verb != "get" and User.Username != "user-{n}""#),
    };
    for compat in [false, true] {
        let per_rule = [100, 1_000, 10_000].map(|count| {
            let conditions: Vec<String> = (0..count).map(rule).collect();
            let mut rules = None;
            let taken = measure(|| rules = Some(compiled(&conditions, compat))).bytes_current;
            drop(rules);
            taken / i64::try_from(count).unwrap()
        });
        let (least, most) = (per_rule.iter().min().unwrap(), per_rule.iter().max().unwrap());
        assert!(most * 2 <= least * 3, "bytes a rule, of 100, 1,000 and 10,000: {per_rule:?}");
    }
}

/// An event whose body is one long list of numbers.
fn long_list(elements: usize) -> String {
    let numbers = vec!["7"; elements].join(",");
    format!(r#"{{"level":"Request","objectRef":{{"resource":"pods"}},"requestObject":{{"a":[{numbers}]}}}}"#)
}

#[test]
fn a_long_list_takes_no_memory_for_each_range() {
    let conditions: Vec<String> = (0..300).map(|from| format!("RequestObject.a[{from}:] = {from}")).collect();
    let (rules, event) = (compiled(&conditions, false), long_list(30_000));
    let mut decided = None;
    let taken = measure(|| decided = Some(rules.decide(event.as_bytes()).unwrap())).bytes_max;
    assert_eq!(decided.unwrap().matched.len(), 1);
    assert!(taken < 1 << 20, "{taken} bytes for an event of {}", event.len());
}

/// `a.a[*]` and `a[*].a` are two paths, so that a value in lists in lists can be taken very often.
#[test]
fn what_an_event_takes_is_bounded_and_said() {
    let conditions: Vec<String> = (0..8)
        .map(|which| {
            let step = |bit: u32| if which >> bit & 1 == 1 { "[*]" } else { "" };
            let steps: String = (0..3).map(|bit| format!(".a{}", step(bit))).collect();
            format!("RequestObject{steps} = 1")
        })
        .collect();
    let nested = |elements: usize| {
        let inner = format!("[{}]", vec!["7"; elements].join(","));
        let nested = (0..2).fold(inner, |inner, _| format!(r#"[{{"a":{inner}}}]"#));
        format!(r#"{{"level":"Request","objectRef":{{"resource":"pods"}},"requestObject":{{"a":{nested}}}}}"#)
    };
    let rules = compiled(&conditions, false);
    assert!(rules.decide(nested(1_000).as_bytes()).is_ok());
    let event = nested(1_200_000);
    let mut decided = None;
    let taken = measure(|| decided = Some(rules.decide(event.as_bytes()))).bytes_max;
    let error = decided.unwrap().unwrap_err();
    assert_eq!(error.message, "the rules ask for more values of the event than there is room for");
    assert!(taken < 512 << 20, "{taken} bytes");
}
