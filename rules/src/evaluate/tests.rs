//! The program held against a second evaluator that is simple on purpose: a whole tree of the event, and a walk over the syntax.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::syntax::ast::{Expr, ExprKind, Literal, LiteralKind, Operator, Right, Step, Test};
use crate::syntax::{Dialect, parse_condition};
use crate::value::Instant;
use crate::{Policy, SourceFile};

/// What a condition says about an event: `None` is unknown.
fn naive(expr: &Expr, event: &Json) -> Option<bool> {
    match &expr.kind {
        ExprKind::And(operands) => {
            let all: Vec<_> = operands.iter().map(|operand| naive(operand, event)).collect();
            if all.contains(&Some(false)) {
                Some(false)
            } else {
                all.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
            }
        }
        ExprKind::Or(operands) => {
            let all: Vec<_> = operands.iter().map(|operand| naive(operand, event)).collect();
            if all.contains(&Some(true)) {
                Some(true)
            } else {
                all.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
            }
        }
        ExprKind::Not(operand) => naive(operand, event).map(|it| !it),
        ExprKind::Bare(operand) => {
            known(&operand.steps, event)?.then(|| holds(event, &operand.steps, &|it| *it == json!(true)))
        }
        ExprKind::Test(test) => {
            let negated = test.negated || test.operator == Operator::NotEqual;
            let exists = test.operator == Operator::Exists;
            let judged = known(&test.operand.steps, event)?.then(|| {
                if exists {
                    exists_at(event, &test.operand.steps)
                } else {
                    holds(event, &test.operand.steps, &|it| satisfied(test, it))
                }
            });
            judged.map(|it| it != negated)
        }
        ExprKind::Error => unreachable!("only whole conditions are generated"),
    }
}

/// `None` where the level leaves out the body that the path leads into.
fn known(steps: &[Step], event: &Json) -> Option<bool> {
    let Step::Key(first) = &steps[0] else { unreachable!() };
    let body = first.to_ascii_lowercase();
    let there = members(event, &body).iter().any(|it| !it.is_null());
    let level = members(event, "level").last().and_then(|it| it.as_str()).unwrap_or_default().to_owned();
    let recorded =
        match body.as_str() {
            "requestobject" => level.starts_with("Request"),
            "responseobject" => level == "RequestResponse",
            _ => true,
        } || !members(event, "objectref").iter().any(|it| members(it, "resource").iter().any(|it| **it != json!("")));
    (recorded || there).then_some(true)
}

fn members<'v>(value: &'v Json, name: &str) -> Vec<&'v Json> {
    let Json::Object(map) = value else { return Vec::new() };
    map.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

fn walk(value: &Json, steps: &[Step], at_end: &dyn Fn(&Json) -> bool) -> bool {
    match (steps, value) {
        ([], value) => at_end(value),
        ([Step::Key(name), rest @ ..], Json::Object(_)) => members(value, name).iter().any(|it| walk(it, rest, at_end)),
        ([Step::Key(_), ..], Json::Array(all)) => all.iter().any(|it| walk(it, steps, at_end)),
        ([Step::Any, rest @ ..], Json::Array(all)) => all.iter().any(|it| walk(it, rest, at_end)),
        ([Step::Index(index), rest @ ..], Json::Array(all)) => all.get(*index).is_some_and(|it| walk(it, rest, at_end)),
        ([Step::Range(from, to), rest @ ..], Json::Array(all)) => {
            let chosen: Vec<_> = all.iter().take(to.unwrap_or(usize::MAX)).skip(*from).collect();
            !chosen.is_empty() && chosen.iter().all(|it| walk(it, rest, at_end))
        }
        _ => false,
    }
}

fn exists_at(event: &Json, steps: &[Step]) -> bool {
    walk(event, steps, &|it| !it.is_null())
}

fn holds(event: &Json, steps: &[Step], test: &dyn Fn(&Json) -> bool) -> bool {
    fn any(value: &Json, test: &dyn Fn(&Json) -> bool) -> bool {
        match value {
            Json::Array(all) => all.iter().any(|it| any(it, test)),
            value => test(value),
        }
    }
    walk(event, steps, &|it| any(it, test))
}

fn satisfied(test: &Test, value: &Json) -> bool {
    match &test.right {
        Right::Nothing => true,
        Right::Items(items) => items.iter().any(|item| compare(Operator::Equal, value, item)),
        Right::Value(literal) => compare(test.operator, value, literal),
    }
}

fn compare(operator: Operator, value: &Json, literal: &Literal) -> bool {
    let order = match (value, &literal.kind) {
        (Json::String(value), LiteralKind::Text(text) | LiteralKind::Word(text)) => match operator {
            Operator::Contains => return value.contains(text.as_str()),
            Operator::Like => return like(&value.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>()),
            Operator::Regex => return regex::Regex::new(text).unwrap().is_match(value),
            _ => match (Instant::parse(value), Instant::parse(text)) {
                (Some(value), Some(text)) => value.cmp(&text),
                (None, Some(_)) => return false,
                _ => value.cmp(text),
            },
        },
        (Json::Number(value), LiteralKind::Number(text)) => {
            value.as_f64().unwrap().partial_cmp(&text.parse::<f64>().unwrap()).unwrap()
        }
        (Json::Bool(value), LiteralKind::Bool(other)) => value.cmp(other),
        _ => return false,
    };
    match operator {
        Operator::Equal | Operator::NotEqual => order.is_eq(),
        Operator::Less => order.is_lt(),
        Operator::LessEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterEqual => order.is_ge(),
        _ => false,
    }
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => like(text, rest) || !text.is_empty() && like(&text[1..], pattern),
        (['?', rest @ ..], [_, after @ ..]) => like(after, rest),
        ([one, rest @ ..], [it, after @ ..]) => one == it && like(after, rest),
        _ => false,
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("ab".to_owned()),
        Just("b.a".to_owned()),
        Just("2020-06-12T09:23:28Z".to_owned()),
        Just("2020-06-12T10:23:28.0+01:00".to_owned()),
        "[ab]{0,3}",
    ]
}

/// A path of which nothing is known, so that any comparison is well typed.
fn path() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        3 => prop_oneof![Just(".x"), Just(".y"), Just(".X")].prop_map(str::to_owned),
        1 => prop_oneof![Just("[*]"), Just("[0]"), Just("[1:]"), Just("[:2]"), Just("[1]")].prop_map(str::to_owned),
    ];
    let root = prop_oneof![Just("RequestObject"), Just("responseObject"), Just("user.extra")];
    (root, prop::collection::vec(step, 0..4)).prop_map(|(root, steps)| format!("{root}{}", steps.concat()))
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        word().prop_map(|it| format!("\"{it}\"")),
        (-3..3_i32).prop_map(|it| it.to_string()),
        any::<bool>().prop_map(|it| it.to_string()),
    ]
}

fn atom() -> impl Strategy<Value = String> {
    let not = || prop_oneof![Just(""), Just("not ")];
    let number_or_text =
        || prop_oneof![word().prop_map(|it| format!("\"{it}\"")), (-3..3_i32).prop_map(|it| it.to_string())];
    prop_oneof![
        path(),
        (path(), not()).prop_map(|(path, not)| format!("{path} {not}exists")),
        (path(), prop_oneof![Just("="), Just("!=")], literal())
            .prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
        (path(), prop_oneof![Just("<"), Just("<="), Just(">"), Just(">=")], number_or_text())
            .prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
        (path(), not(), prop::collection::vec(literal(), 1..12))
            .prop_map(|(path, not, items)| format!("{path} {not}in ({})", items.join(", "))),
        (path(), not(), prop_oneof![Just("contains"), Just("like"), Just("regex")], "[ab*?]{0,3}")
            .prop_filter("a pattern", |(_, _, operator, text)| *operator != "regex" || regex::Regex::new(text).is_ok())
            .prop_map(|(path, not, operator, text)| format!("{path} {not}{operator} \"{text}\"")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    atom().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} and {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} or {right})")),
            inner.prop_map(|it| format!("not ({it})")),
        ]
    })
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|it| json!(it)),
        (-3..3_i32).prop_map(|it| json!(it)),
        word().prop_map(|it| json!(it)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![Just("x"), Just("y"), Just("X"), Just("z")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|it| json!(it)),
            prop::collection::vec((name, inner), 0..4).prop_map(|it| Json::Object(
                it.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()
            )),
        ]
    })
}

fn event() -> impl Strategy<Value = Json> {
    let level = || prop_oneof![Just("Metadata"), Just("Request"), Just("RequestResponse"), Just("?")];
    let levels = (level(), prop::option::weighted(0.2, level()));
    let object = prop::sample::select(vec![
        json!({"resource": "pods"}),
        json!({"Resource": "pods"}),
        json!({"resource": ""}),
        json!(null),
    ]);
    let upper = any::<bool>();
    (levels, value(), value(), value(), object, upper).prop_map(|(levels, request, response, extra, object, upper)| {
        let (level, other) = levels;
        let name = |name: &str| if upper { name.to_ascii_uppercase() } else { name.to_owned() };
        let mut event = json!({name("level"): level, name("requestObject"): request, "ResponseObject": response, "User": {name("extra"): extra}, name("objectRef"): object});
        if let Some(other) = other {
            event["Level"] = json!(other);
        }
        event
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Several conditions in one set, so that they share what they have in common.
    #[test]
    fn the_program_decides_as_the_simple_evaluator(
        conditions in prop::collection::vec(condition(), 1..4),
        events in prop::collection::vec(event(), 1..4),
    ) {
        let entry = |(index, condition): (usize, &String)| {
            json!({"name": index.to_string(), "type": "rule", "enable": true, "priority": "INFO", "condition": condition})
        };
        let text = json!({
            "apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Rule", "metadata": {"name": "r", "labels": {"type": "archiving"}},
            "spec": {"rules": conditions.iter().enumerate().map(entry).collect::<Vec<_>>()},
        });
        let file = SourceFile { name: "r".to_owned(), text: text.to_string() };
        let rules = Policy::build(&[file], 1).unwrap_or_else(|errors| panic!("{conditions:?}: {}", errors[0])).policy.rules;
        for event in &events {
            let decision = rules.decide(event.to_string().as_bytes()).unwrap();
            for (index, condition) in conditions.iter().enumerate() {
                let is = |rule: crate::RuleIndex| rules.rule(rule).name == index.to_string();
                let ours = if decision.matched.iter().any(|rule| is(*rule)) {
                    Some(true)
                } else if decision.blind.iter().any(|blind| is(blind.rule)) {
                    None
                } else {
                    Some(false)
                };
                prop_assert_eq!(ours, naive(&parse_condition(condition, Dialect::Vedette).expr, event), "{} for {}", condition, event);
            }
        }
    }
}
