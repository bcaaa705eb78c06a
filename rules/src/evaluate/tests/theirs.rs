//! Tests as KubeSphere's engine decides them, written out again for what [`super::generate`] makes of its dialect.

use std::collections::BTreeMap;

use super::oracle::{Json, behind};
use crate::syntax::ast::{LiteralKind, Operator, Right, Step, Test};

/// What is asked of a value.
pub(super) struct Question<'t> {
    operator: Operator,
    negated: bool,
    literals: Vec<&'t LiteralKind>,
}

impl<'t> Question<'t> {
    /// Of a field that stands alone.
    pub(super) fn yes() -> Self {
        Self { operator: Operator::Equal, negated: false, literals: vec![&LiteralKind::Bool(true)] }
    }

    pub(super) fn of(test: &'t Test) -> Self {
        let literals = match &test.right {
            Right::Nothing => Vec::new(),
            Right::Value(literal) => vec![&literal.kind],
            Right::Items(literals) => literals.iter().map(|literal| &literal.kind).collect(),
        };
        let negated = test.negated || test.operator == Operator::NotEqual;
        Self { operator: test.operator, negated, literals }
    }

    /// Whether the negation is one of the whole test: of existence, where no array is gone into.
    pub(super) fn turned(&self, steps: &[Step]) -> bool {
        self.negated && self.operator == Operator::Exists && keys(steps) == steps.len()
    }
}

fn keys(steps: &[Step]) -> usize {
    steps.iter().take_while(|step| matches!(step, Step::Key(_))).count()
}

/// What each value at a path says, `None` where their engine panics.
pub(super) fn judged(event: &Json, steps: &[Step], question: &Question<'_>) -> Vec<Option<bool>> {
    let (names, rest) = steps.split_at(keys(steps));
    let negated = question.negated && !question.turned(steps);
    let mut values = Vec::new();
    whole(event, names, &mut values);
    let judged = values.into_iter().filter(|value| **value != Json::Null).map(|value| match (value, rest) {
        (Json::Object(_), []) if question.operator == Operator::Exists => Some(has_leaf(value) != negated),
        (Json::Object(_), []) => Some(false),
        (value, []) => judge(value, question, negated),
        (Json::List(all), [step, rest @ ..]) => elements(all, step, rest, question, negated),
        _ => None,
    });
    judged.collect()
}

/// The values at a path of names, lists as they stand.
fn whole<'v>(value: &'v Json, names: &[Step], into: &mut Vec<&'v Json>) {
    match (names, value) {
        ([], value) => into.push(value),
        (_, Json::Object(members)) => {
            members
                .iter()
                .filter_map(|(name, it)| Some((it, behind(name, names)?)))
                .for_each(|(it, rest)| whole(it, rest, into));
        }
        _ => {}
    }
}

fn has_leaf(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Object(_) => members(value).values().any(|it| has_leaf(it)),
        _ => true,
    }
}

/// The last member of each name counts.
fn members(value: &Json) -> BTreeMap<&str, &Json> {
    let Json::Object(members) = value else { return BTreeMap::new() };
    members.iter().map(|(name, value)| (name.as_str(), value)).collect()
}

/// Any element, or of a number or range all.
fn elements(list: &[Json], step: &Step, rest: &[Step], question: &Question<'_>, negated: bool) -> Option<bool> {
    let (chosen, all): (Vec<&Json>, bool) = match step {
        Step::Any => (list.iter().collect(), false),
        Step::Index(index) => (list.iter().skip(*index).take(1).collect(), true),
        Step::Range(from, to) => {
            // A range that begins behind the end is none.
            if *from > list.len() {
                (Vec::new(), true)
            } else {
                (list.iter().take(to.unwrap()).skip(*from).collect(), true)
            }
        }
        Step::Key(_) => unreachable!(),
    };
    let found = !chosen.is_empty();
    for element in chosen {
        let holds = match rest {
            [] => judge(element, question, negated)?,
            [Step::Key(name)] => {
                let Json::Object(_) = element else { return None };
                let members = members(element);
                let other = || members.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
                match members.get(name.as_str()).copied().or_else(other) {
                    Some(value) => judge(value, question, negated)?,
                    None if all => return Some(false),
                    None => judge(&Json::Null, question, negated)?,
                }
            }
            _ => unreachable!("one name at most is generated behind an array step"),
        };
        if holds != all {
            return Some(holds);
        }
    }
    Some(all && found)
}

fn judge(value: &Json, question: &Question<'_>, negated: bool) -> Option<bool> {
    let text = match (value, question.operator) {
        (Json::Null, Operator::Exists) => return Some(negated),
        (Json::Null, Operator::Contains) => "<nil>".to_owned(),
        (Json::Null, _) => return Some(false),
        (value, _) => printed(value),
    };
    let literal = question.literals.first();
    let holds = match (question.operator, literal) {
        (Operator::Exists, _) => true,
        (Operator::In, _) => question.literals.iter().any(|it| written(it) == text),
        (Operator::Contains, Some(it)) => text.contains(&written(it)),
        (Operator::Like, Some(it)) => {
            let pattern = written(it).replace('*', ".*").replace('?', ".");
            regex::Regex::new(&pattern.replace(".*.*", ".*")).unwrap().is_match(&text)
        }
        (Operator::Regex, Some(it)) => regex::Regex::new(&written(it)).unwrap().is_match(&text),
        (_, Some(LiteralKind::Bool(wanted))) => match text.as_str() {
            "1" | "t" | "T" | "true" => *wanted,
            "0" | "f" | "F" | "false" => !*wanted,
            _ => return None,
        },
        (operator, Some(LiteralKind::Number(number))) => {
            let order = text.parse::<f64>().ok()?.partial_cmp(&number.parse::<f64>().unwrap())?;
            accepts(operator, order)
        }
        (operator, Some(it)) => accepts(operator, text.as_str().cmp(&written(it))),
        (_, None) => unreachable!(),
    };
    Some(holds != negated)
}

fn accepts(operator: Operator, order: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Less => order.is_lt(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterEqual => order.is_ge(),
        _ => order.is_eq(),
    }
}

fn written(literal: &LiteralKind) -> String {
    match literal {
        LiteralKind::Text(text) | LiteralKind::Number(text) => text.clone(),
        other => unreachable!("{other:?} is not generated"),
    }
}

/// What Go prints of a value.
fn printed(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(text) => {
            let number: f64 = text.parse().unwrap();
            if number.abs() < 1e6 {
                return number.to_string();
            }
            let shortest = format!("{number:e}");
            let (digits, exponent) = shortest.split_once('e').unwrap();
            format!("{digits}e+{exponent:0>2}")
        }
        Json::Text(text, _) => text.clone(),
        Json::List(all) => format!("[{}]", all.iter().map(printed).collect::<Vec<_>>().join(" ")),
        value => {
            let members = members(value).into_iter().map(|(name, it)| format!("{name}:{}", printed(it)));
            format!("map[{}]", members.collect::<Vec<_>>().join(" "))
        }
    }
}
