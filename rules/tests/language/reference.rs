//! Our decisions held against those that the reference engine gave when it was run: all of them in its own dialect.
//!
//! In ours, where the languages differ on purpose, there is nothing to compare. What is left out is a principle and not a list: a condition
//! that the parser warns of, since the reference reads it otherwise; and of the other conditions those events for which one of the
//! condition's tests means something else, by the rules of [`Difference`].

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::Value;
use vedette_rules::syntax::ast::{Expr, ExprKind, Literal, LiteralKind, Operator, Right, Step, Test};
use vedette_rules::syntax::{Dialect, parse_condition};
use vedette_rules::{Built, Policy, Settings, SourceFile};

fn lines(name: &str) -> Vec<Value> {
    let path = super::testdata("reference").join(name);
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Why a test means something else to us, for one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// A negated operator on a field that the event lacks: false there, true here.
    NegatedMissing,
    /// A negated operator on a path with `[*]` or a range: there any or all elements must differ, here none may equal.
    NegatedElements,
    /// `like` finds a part there, and its `.` is any character.
    Unanchored,
    /// Text against a number, as text there.
    Types,
    /// A quote or backslash in a text: the reference keeps the escape as it is written.
    Escaped,
    /// A body that the event's level did not record: missing there, unknown here.
    Blind,
}

/// The differences that the tests of `expr` make for `event`, in their order.
fn differences(expr: &Expr, event: &Value) -> Vec<Difference> {
    match &expr.kind {
        ExprKind::And(operands) | ExprKind::Or(operands) => {
            operands.iter().flat_map(|operand| differences(operand, event)).collect()
        }
        ExprKind::Not(operand) => differences(operand, event),
        ExprKind::Test(test) => of_test(test, event).into_iter().collect(),
        ExprKind::Bare(_) => Vec::new(),
        ExprKind::Error => panic!("the reference's conditions parse"),
    }
}

fn of_test(test: &Test, event: &Value) -> Option<Difference> {
    let steps = &test.operand.steps;
    let level = event["level"].as_str().unwrap();
    let body = matches!(&steps[0], Step::Key(name) if name == "requestObject" && level == "Metadata"
        || name == "responseObject" && level != "RequestResponse");
    if body {
        return Some(Difference::Blind);
    }
    let value = first(event, steps);
    let negated = test.negated || test.operator == Operator::NotEqual;
    if negated && test.operator != Operator::Exists {
        if steps.iter().any(|step| matches!(step, Step::Any | Step::Range(..))) {
            return Some(Difference::NegatedElements);
        }
        if value.is_none() {
            return Some(Difference::NegatedMissing);
        }
    }
    let value = value?;
    let literals: &[Literal] = match &test.right {
        Right::Nothing => &[],
        Right::Value(value) => std::slice::from_ref(value),
        Right::Items(items) => items,
    };
    for literal in literals {
        let of_type = match literal.kind {
            LiteralKind::Number(_) => value.is_number(),
            LiteralKind::Bool(_) => value.is_boolean(),
            _ => value.is_string(),
        };
        if !of_type {
            return Some(Difference::Types);
        }
        if matches!(&literal.kind, LiteralKind::Text(text) if text.contains(['"', '\\'])) {
            return Some(Difference::Escaped);
        }
        if let (Operator::Like, LiteralKind::Text(pattern), Some(text)) = (test.operator, &literal.kind, value.as_str())
            && like(pattern, false).is_match(text) != like(pattern, true).is_match(text)
        {
            return Some(Difference::Unanchored);
        }
    }
    None
}

/// `like` as the table of oddities describes it, and as it was meant.
fn like(pattern: &str, meant: bool) -> regex::Regex {
    let text = if meant {
        format!(r"(?s)\A{}\z", regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
    } else {
        pattern.replace('?', ".").replace('*', "(.*)")
    };
    regex::Regex::new(&text).unwrap()
}

/// The first value at a path, `null` counted as none.
fn first<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(value).filter(|value| !value.is_null()) };
    match step {
        Step::Key(name) => first(value.get(name)?, rest),
        Step::Any => value.as_array()?.iter().find_map(|element| first(element, rest)),
        Step::Index(index) => first(value.get(index)?, rest),
        Step::Range(from, to) => {
            let elements = value.as_array()?;
            let to = to.unwrap_or(elements.len()).min(elements.len());
            elements.get(*from..to)?.iter().find_map(|element| first(element, rest))
        }
    }
}

/// The conditions as rules of one set.
fn built(conditions: &[&str], dialect: Dialect) -> Built {
    let rule = |(index, condition): (usize, &&str)| serde_json::json!({"name": index.to_string(), "type": "rule", "enable": true, "priority": "DEBUG", "condition": condition});
    let resource = serde_json::json!({
        "apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Rule",
        "metadata": {"name": "r", "labels": {"type": "archiving"}},
        "spec": {"rules": conditions.iter().enumerate().map(rule).collect::<Vec<_>>()},
    });
    let file = SourceFile { name: "r.yaml".to_owned(), text: resource.to_string() };
    let adjust = |settings: &mut Settings| settings.dialect = dialect;
    Policy::build_with(&[file], 1, adjust).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

/// Our decisions: for each event, whether each condition held.
fn ours(conditions: &[&str], events: &[Value], dialect: Dialect) -> Vec<Vec<bool>> {
    let rules = built(conditions, dialect).policy.rules;
    let decide = |event: &Value| {
        let mut held = vec![false; conditions.len()];
        for index in rules.decide(event.to_string().as_bytes()).unwrap().matched {
            held[rules.rule(index).name.parse::<usize>().unwrap()] = true;
        }
        held
    };
    events.iter().map(decide).collect()
}

#[test]
fn decides_as_the_reference_in_its_dialect() {
    let events = lines("events.ndjson.gz");
    let decisions = lines("decisions.ndjson.gz");
    let all: Vec<&str> = decisions.iter().map(|decision| decision["condition"].as_str().unwrap()).collect();
    let ours = ours(&all, &events, Dialect::KubeSphere);
    let mut compared = 0;
    for (place, decision) in decisions.iter().enumerate() {
        let ours: String = ours.iter().map(|event| if event[place] { '1' } else { '0' }).collect();
        assert_eq!(ours, decision["result"].as_str().unwrap(), "{}", all[place]);
        compared += ours.len();
    }
    assert_eq!(compared, 450 * 200);
}

#[test]
fn decides_as_the_reference_where_the_languages_agree() {
    let events = lines("events.ndjson.gz");
    let decisions = lines("decisions.ndjson.gz");
    assert_eq!((events.len(), decisions.len()), (200, 450));
    let all: Vec<&str> = decisions.iter().map(|decision| decision["condition"].as_str().unwrap()).collect();
    let ours = ours(&all, &events, Dialect::Vedette);
    let (mut conditions, mut whole, mut pairs, mut precedence) = (0, 0, 0, 0);
    let mut skipped = std::collections::BTreeMap::new();
    let mut differing = Vec::new();
    for (place, decision) in decisions.iter().enumerate() {
        let (condition, theirs) = (all[place], decision["result"].as_str().unwrap());
        let parsed = parse_condition(condition, Dialect::Vedette);
        assert!(
            parsed.problems.iter().all(|problem| problem.code.id == "VR0213"),
            "{condition}: {:?}",
            parsed.problems
        );
        if !parsed.problems.is_empty() {
            precedence += 1;
            continue;
        }
        let mut compared = 0;
        for (index, event) in events.iter().enumerate() {
            match differences(&parsed.expr, event).first() {
                Some(reason) => *skipped.entry(*reason).or_insert(0) += 1,
                None => {
                    compared += 1;
                    if ours[index][place] != (theirs.as_bytes()[index] == b'1') {
                        differing.push(format!("{condition}\n  event {index}: theirs {}", &theirs[index..=index]));
                    }
                }
            }
        }
        pairs += compared;
        conditions += usize::from(compared > 0);
        whole += usize::from(compared == events.len());
    }
    println!("{conditions} of 450 conditions compared, {whole} of them for every event: {pairs} decisions");
    println!("not compared: {precedence} conditions that are read otherwise, decisions {skipped:?}");
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
    assert!(conditions * 100 >= decisions.len() * 80, "only {conditions} conditions are comparable");
    assert!(pairs * 100 >= decisions.len() * events.len() * 60, "only {pairs} decisions are comparable");
}

/// What the manual promises of `rules check`: every difference but those of missing fields and of bodies that were left out is named.
#[test]
fn names_every_condition_that_it_decides_otherwise() {
    let events = lines("events.ndjson.gz");
    let decisions = lines("decisions.ndjson.gz");
    let all: Vec<&str> = decisions.iter().map(|decision| decision["condition"].as_str().unwrap()).collect();
    let ours = ours(&all, &events, Dialect::Vedette);
    let (mut differing, mut unnamed) = (0, Vec::new());
    for (place, decision) in decisions.iter().enumerate() {
        let (condition, theirs) = (all[place], decision["result"].as_str().unwrap().as_bytes());
        let expr = parse_condition(condition, Dialect::Vedette).expr;
        let differs = |index: &usize| ours[*index][place] != (theirs[*index] == b'1');
        let unsaid = |it: &Difference| matches!(it, Difference::NegatedMissing | Difference::Blind);
        let said = |index: &usize| !differences(&expr, &events[*index]).iter().any(unsaid);
        let Some(event) = (0..events.len()).filter(differs).find(said) else { continue };
        differing += 1;
        let names = |code: &str| ["VR0213", "VR0409", "VR0412"].contains(&code);
        if !built(&[condition], Dialect::Vedette).warnings.iter().any(|found| names(found.code)) {
            unnamed.push(format!("{condition}\n  event {event}"));
        }
    }
    println!("{differing} of 450 conditions differ beyond missing fields and bodies");
    assert!(differing > 0);
    assert!(unnamed.is_empty(), "{} are not named:\n{}", unnamed.len(), unnamed.join("\n"));
}
