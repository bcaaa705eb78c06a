//! The evaluator that is simple on purpose. It shares the parser with the compiler, and reading instants and globs' definition with
//! nothing: every comparison is written out again.

use std::cell::Cell;
use std::fmt;
use std::net::IpAddr;

use crate::syntax::ast::{Expr, ExprKind, Literal, LiteralKind, Operand, Operator, Right, Step, Test};
use crate::syntax::{Dialect, parse_condition, parse_operand};
use vedette_audit::Instant;

use super::generate::ALIASES;
use super::theirs;

/// An event as it is written: members in order, and as often as they come.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    /// And how many of its characters are written as escapes: every n-th, none for 0.
    Text(String, usize),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A rule as it is written.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) dialect: Dialect,
    pub(super) condition: String,
    pub(super) exceptions: Vec<String>,
    pub(super) priority: &'static str,
    pub(super) alerts: bool,
    pub(super) output: Option<String>,
}

impl Rule {
    /// The resource that it stands in.
    pub(super) fn resource(&self) -> &'static str {
        match (self.dialect, self.alerts) {
            (Dialect::Vedette, false) => "archiving",
            (Dialect::Vedette, true) => "alerting",
            (Dialect::KubeSphere, false) => "their-archiving",
            (Dialect::KubeSphere, true) => "their-alerting",
        }
    }
}

/// A decision with rules by name, all in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Expected {
    pub(super) archive: bool,
    pub(super) matched: Vec<String>,
    pub(super) alerts: Vec<(String, String)>,
    pub(super) blind: Vec<(String, String)>,
    /// Here: how many comparisons of all conditions meet a value of another type.
    pub(super) mismatches: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum Truth {
    False,
    True,
    Unknown(String),
}

pub(super) struct Oracle {
    /// By qualified name; the condition, and then the exceptions.
    rules: Vec<(String, Rule, Vec<Expr>)>,
}

impl Oracle {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let read = |rule: &Rule| {
            let texts = std::iter::once(&rule.condition).chain(&rule.exceptions);
            let parsed = texts.map(|text| parse_condition(text, rule.dialect).expr).collect();
            (format!("{}.{}", rule.resource(), rule.name), rule.clone(), parsed)
        };
        let mut rules: Vec<_> = rules.iter().map(read).collect();
        rules.sort_by(|one, other| one.0.cmp(&other.0));
        Self { rules }
    }

    pub(super) fn decide(&self, event: &Json) -> Expected {
        let root = with_derived(event);
        let event = Event { root: &root, mismatches: Cell::new(0) };
        let mut expected = Expected::default();
        for (name, rule, parts) in &self.rules {
            let truths = parts.iter().enumerate().map(|(index, part)| {
                let truth = event.truth(part, rule.dialect);
                if index == 0 { truth } else { negated(truth) }
            });
            match joined(truths.collect(), Truth::False, Truth::True) {
                Truth::False => continue,
                Truth::Unknown(field) => {
                    expected.blind.push((name.clone(), field.to_lowercase()));
                    continue;
                }
                Truth::True => expected.matched.push(name.clone()),
            }
            if rule.alerts && rule.priority == "WARNING" {
                let message = match &rule.output {
                    Some(output) => event.filled(output),
                    None => event.sentence(),
                };
                expected.alerts.push((name.clone(), message));
            } else {
                expected.archive = true;
            }
        }
        expected.mismatches = event.mismatches.get();
        expected
    }
}

struct Event<'v> {
    root: &'v Json,
    mismatches: Cell<u32>,
}

impl<'v> Event<'v> {
    fn truth(&self, expr: &Expr, dialect: Dialect) -> Truth {
        let all = |operands: &[Expr]| operands.iter().map(|operand| self.truth(operand, dialect)).collect();
        match &expr.kind {
            ExprKind::And(operands) => joined(all(operands), Truth::False, Truth::True),
            ExprKind::Or(operands) => joined(all(operands), Truth::True, Truth::False),
            ExprKind::Not(operand) => negated(self.truth(operand, dialect)),
            ExprKind::Bare(operand) if dialect == Dialect::KubeSphere => self.theirs(operand, &theirs::Question::yes()),
            ExprKind::Test(test) if dialect == Dialect::KubeSphere => {
                self.theirs(&test.operand, &theirs::Question::of(test))
            }
            ExprKind::Bare(operand) => {
                let holds = |it: &Json| if let Json::Bool(value) = it { Some(*value) } else { None };
                self.judged(&steps(operand), &operand.to_string(), false, &holds, &[])
            }
            ExprKind::Test(test) => {
                let operand = &test.operand;
                let fields = fields(test);
                let others: Vec<_> = fields
                    .iter()
                    .filter(|(_, steps)| self.knows(steps))
                    .flat_map(|(_, steps)| self.all(steps))
                    .collect();
                let holds = |it: &Json| satisfied(test, it, &others, !fields.is_empty());
                let exists = test.operator == Operator::Exists;
                let judged = self.judged(&steps(operand), &operand.to_string(), exists, &holds, &fields);
                if test.negated || test.operator == Operator::NotEqual { negated(judged) } else { judged }
            }
            ExprKind::Error => unreachable!("only whole conditions are generated"),
        }
    }

    fn theirs(&self, operand: &Operand, question: &theirs::Question<'_>) -> Truth {
        let judged = theirs::judged(self.root, &operand.steps, question);
        let holds = judged.contains(&Some(true));
        self.mismatches.set(self.mismatches.get() + u32::from(judged.contains(&None)));
        let holds = holds != question.turned(&operand.steps);
        if holds { Truth::True } else { Truth::False }
    }

    fn judged(
        &self,
        steps: &[Step],
        spelled: &str,
        exists: bool,
        test: &dyn Fn(&Json) -> Option<bool>,
        fields: &[(String, Vec<Step>)],
    ) -> Truth {
        if !self.knows(steps) {
            return Truth::Unknown(spelled.to_owned());
        }
        let mismatched = Cell::new(false);
        let holds = holds(self.root, steps, &|it| match it {
            Json::Null => false,
            _ if exists => true,
            Json::List(all) => any(all, &|it| {
                let judged = if *it == Json::Null { Some(false) } else { test(it) };
                mismatched.set(mismatched.get() || judged.is_none());
                judged == Some(true)
            }),
            it => {
                let judged = test(it);
                mismatched.set(mismatched.get() || judged.is_none());
                judged == Some(true)
            }
        });
        if let Some((field, _)) = fields.iter().find(|(_, steps)| !self.knows(steps)).filter(|_| !holds) {
            let asked = self.all(steps).iter().any(|it| **it != Json::Null);
            return if asked { Truth::Unknown(field.clone()) } else { Truth::False };
        }
        // The engine counts a comparison that stands in two conditions once, and makes none that is not asked for.
        self.mismatches.set(self.mismatches.get() + u32::from(mismatched.get() && !holds));
        if holds { Truth::True } else { Truth::False }
    }

    /// Whether the event's level records the body that the path leads into.
    fn knows(&self, steps: &[Step]) -> bool {
        let Some(Step::Key(first)) = steps.first() else { return true };
        let there = || {
            let Json::Object(members) = self.root else { return false };
            members.iter().any(|(name, value)| name.eq_ignore_ascii_case(first) && *value != Json::Null)
        };
        let texts = self.all(&[Step::Key("level".to_owned())]);
        let levels = ["None", "Metadata", "Request", "RequestResponse"];
        let level = texts.last().and_then(|it| match it {
            Json::Text(text, _) => levels.iter().position(|level| level == text),
            _ => None,
        });
        let resource = ["ObjectRef", "Resource"].map(|name| Step::Key(name.to_owned()));
        if !self.all(&resource).iter().any(|it| matches!(it, Json::Text(text, _) if !text.is_empty())) {
            return true;
        }
        match first.to_ascii_lowercase().as_str() {
            "requestobject" => level >= Some(2) || there(),
            "responseobject" => level >= Some(3) || there(),
            _ => true,
        }
    }

    /// Every value at a path, the elements of lists one by one, of ranges too.
    fn all(&self, steps: &[Step]) -> Vec<&'v Json> {
        let mut found = Vec::new();
        collect(self.root, steps, &mut found);
        found
    }

    fn shown(&self, path: &str) -> String {
        let steps = parse_operand(path, &mut Vec::new()).unwrap().steps;
        let shown = |it: &&Json| match it {
            Json::Null => None,
            Json::Text(text, _) => Some(text.clone()),
            it => Some(it.to_string()),
        };
        self.all(&steps).iter().filter_map(shown).collect::<Vec<_>>().join(", ")
    }

    fn filled(&self, output: &str) -> String {
        let mut parts = output.split("${");
        let mut message = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, text) = part.split_once('}').unwrap();
            let field = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, field)| field);
            let shown = self.shown(field);
            // How it is written has tests of its own.
            let is_length = field.eq_ignore_ascii_case("Duration") && !shown.is_empty();
            message += &if is_length { crate::derived::length(&shown) } else { shown };
            message += text;
        }
        cut(message)
    }

    fn sentence(&self) -> String {
        let [user, verb, mut resource] = ["User.Username", "Verb", "ObjectRef.Resource"].map(|path| self.shown(path));
        let subresource = self.shown("ObjectRef.Subresource");
        if resource.is_empty() {
            resource = self.shown("RequestURI");
        } else if !subresource.is_empty() {
            resource = format!("{resource}/{subresource}");
        }
        let namespace = Some(self.shown("ObjectRef.Namespace")).filter(|it| !it.is_empty());
        let place = namespace.map(|namespace| format!("in Namespace {namespace}")).unwrap_or_default();
        let parts = [user, verb, resource, self.shown("ObjectRef.Name"), place];
        cut(parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" "))
    }
}

/// Real messages are shorter than the limit, or long enough for this to be what the limit leaves.
fn cut(message: String) -> String {
    if message.len() <= crate::policy::MESSAGE_LIMIT {
        return message;
    }
    format!("{}…", &message[..message.floor_char_boundary(crate::policy::MESSAGE_LIMIT - 3)])
}

/// The event as rules see it: what is made of other members, and nothing that is called like it.
fn with_derived(event: &Json) -> Json {
    let Json::Object(members) = event else { return event.clone() };
    let texts = |path: &str| {
        let mut found = Vec::new();
        collect(event, &parse_operand(path, &mut Vec::new()).unwrap().steps, &mut found);
        let text = |it: &Json| if let Json::Text(text, _) = it { Some(text.clone()) } else { None };
        found.into_iter().filter_map(text).collect::<Vec<_>>()
    };
    let first = |path: &str| texts(path).into_iter().find(|text| !text.is_empty());
    let actor = first("ImpersonatedUser.Username").or_else(|| first("User.Username"));
    let command = first("RequestURI").and_then(|uri| {
        let pairs = uri.split_once('?')?.1.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let words = pairs.filter(|(name, _)| *name == "command");
        let words: Vec<_> = words.map(|(_, word)| word.replace('+', " ").replace("%61", "a")).collect();
        (!words.is_empty()).then(|| words.join(" "))
    });
    let received = first("RequestReceivedTimestamp").and_then(|text| Instant::parse(&text));
    let stage = first("StageTimestamp").and_then(|text| Instant::parse(&text));
    let duration = received.zip(stage).map(|(from, to)| Json::Number(to.seconds_since(from)));
    let text = |it: Option<String>| it.map(|it| Json::Text(it, 0));
    let made = [
        ("Actor", text(actor)),
        ("Command", text(command)),
        ("SourceIP", text(texts("SourceIPs").pop())),
        ("Duration", duration),
    ];
    let is_made = |name: &str| made.iter().any(|(own, _)| own.eq_ignore_ascii_case(name.split('.').next().unwrap()));
    let mut members: Vec<_> = members.iter().filter(|(name, _)| !is_made(name)).cloned().collect();
    members.extend(made.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Json::Object(members)
}

/// `decisive` if one is that; else the first unknown; else `neutral`.
fn joined(all: Vec<Truth>, decisive: Truth, neutral: Truth) -> Truth {
    if all.contains(&decisive) {
        return decisive;
    }
    all.into_iter().find(|truth| *truth != neutral).unwrap_or(neutral)
}

fn negated(truth: Truth) -> Truth {
    match truth {
        Truth::False => Truth::True,
        Truth::True => Truth::False,
        unknown => unknown,
    }
}

fn alias(name: &str) -> (String, Vec<Step>) {
    let field = ALIASES.iter().find(|(alias, _)| *alias == name).unwrap().1;
    (field.to_owned(), parse_operand(field, &mut Vec::new()).unwrap().steps)
}

fn steps(operand: &Operand) -> Vec<Step> {
    let mut steps = operand.reference.as_deref().map(alias).map(|(_, steps)| steps).unwrap_or_default();
    steps.extend(operand.steps.iter().cloned());
    steps
}

/// The fields on the right of a test.
fn fields(test: &Test) -> Vec<(String, Vec<Step>)> {
    let items = match &test.right {
        Right::Items(items) => items.clone(),
        Right::Value(item) => vec![item.clone()],
        Right::Nothing => vec![],
    };
    let named = items.iter().filter_map(|item| match &item.kind {
        LiteralKind::Reference(name) => Some(alias(name)),
        _ => None,
    });
    named.collect()
}

/// The steps of a path that are left behind a member.
pub(super) fn behind<'s>(name: &str, steps: &'s [Step]) -> Option<&'s [Step]> {
    let mut joined = String::new();
    for (index, step) in steps.iter().enumerate() {
        let Step::Key(key) = step else { return None };
        joined += key;
        if joined.eq_ignore_ascii_case(name) {
            return Some(&steps[index + 1..]);
        }
        joined.push('.');
    }
    None
}

fn holds(value: &Json, steps: &[Step], at_end: &dyn Fn(&Json) -> bool) -> bool {
    match (steps, value) {
        ([], value) => at_end(value),
        ([Step::Key(_), ..], Json::Object(members)) => {
            members.iter().any(|(name, value)| behind(name, steps).is_some_and(|rest| holds(value, rest, at_end)))
        }
        ([Step::Key(_), ..], Json::List(all)) => all.iter().any(|it| holds(it, steps, at_end)),
        ([Step::Any, rest @ ..], Json::List(all)) => all.iter().any(|it| holds(it, rest, at_end)),
        ([Step::Index(index), rest @ ..], Json::List(all)) => all.get(*index).is_some_and(|it| holds(it, rest, at_end)),
        ([Step::Range(from, to), rest @ ..], Json::List(all)) => {
            let chosen: Vec<_> = all.iter().take(to.unwrap_or(usize::MAX)).skip(*from).collect();
            !chosen.is_empty() && chosen.iter().all(|it| holds(it, rest, at_end))
        }
        _ => false,
    }
}

fn any(all: &[Json], test: &dyn Fn(&Json) -> bool) -> bool {
    all.iter().any(|it| match it {
        Json::List(all) => any(all, test),
        it => test(it),
    })
}

fn collect<'v>(value: &'v Json, steps: &[Step], into: &mut Vec<&'v Json>) {
    match (steps, value) {
        ([], Json::List(all)) => all.iter().for_each(|it| collect(it, steps, into)),
        ([], value) => into.push(value),
        ([Step::Key(_), ..], Json::Object(members)) => {
            members
                .iter()
                .filter_map(|(name, it)| Some((it, behind(name, steps)?)))
                .for_each(|(it, rest)| collect(it, rest, into));
        }
        ([Step::Key(_), ..], Json::List(all)) => all.iter().for_each(|it| collect(it, steps, into)),
        ([Step::Any, rest @ ..], Json::List(all)) => all.iter().for_each(|it| collect(it, rest, into)),
        ([Step::Index(index), rest @ ..], Json::List(all)) => {
            all.get(*index).into_iter().for_each(|it| collect(it, rest, into))
        }
        ([Step::Range(from, to), rest @ ..], Json::List(all)) => {
            all.iter().take(to.unwrap_or(usize::MAX)).skip(*from).for_each(|it| collect(it, rest, into));
        }
        _ => {}
    }
}

/// Whether a value satisfies a test; `None` if it is of another type.
fn satisfied(test: &Test, value: &Json, others: &[&Json], fields: bool) -> Option<bool> {
    if matches!(value, Json::Object(_)) {
        return None;
    }
    let literals: &[Literal] = match &test.right {
        Right::Nothing => &[],
        Right::Items(items) => items,
        Right::Value(literal) => std::slice::from_ref(literal),
    };
    let operator = if test.operator == Operator::In { Operator::Equal } else { test.operator };
    let is_duration = test.operand.to_string().eq_ignore_ascii_case("duration");
    let judged: Vec<_> = literals
        .iter()
        .map(|literal| {
            let kind = if is_duration { seconds(&literal.kind) } else { literal.kind.clone() };
            if test.nocase {
                compare(operator, &small(value), &small_literal(operator, kind))
            } else {
                compare(operator, value, &kind)
            }
        })
        .collect();
    if judged.contains(&Some(true)) || others.iter().any(|other| same(value, other)) {
        return Some(true);
    }
    (fields || judged.iter().any(Option::is_some)).then_some(false)
}

/// One of the durations that are generated.
fn seconds(kind: &LiteralKind) -> LiteralKind {
    let (LiteralKind::Text(text) | LiteralKind::Word(text)) = kind else { return kind.clone() };
    let seconds = if text == "1m30s" { "90" } else { text.trim_end_matches('s') };
    LiteralKind::Number(seconds.to_owned())
}

fn small(value: &Json) -> Json {
    match value {
        Json::Text(text, escapes) => Json::Text(text.to_lowercase(), *escapes),
        value => value.clone(),
    }
}

fn small_literal(operator: Operator, kind: LiteralKind) -> LiteralKind {
    match kind {
        LiteralKind::Text(text) if operator == Operator::Regex => LiteralKind::Text(format!("(?i:{text})")),
        LiteralKind::Text(text) => LiteralKind::Text(text.to_lowercase()),
        kind => kind,
    }
}

/// Whether an address, which may be one of IPv4 in six groups, is one of a network's.
fn lies_within(address: IpAddr, network: &str) -> bool {
    let (base, length) =
        network.split_once('/').map_or((network, 128_u32), |(base, length)| (base, length.parse().unwrap()));
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (32, u128::from(address.to_bits())),
        IpAddr::V6(address) => (128, address.to_bits()),
    };
    let base: IpAddr = base.parse().unwrap();
    // Of a network in IPv6's clothes, the last 32 of its bits are the address's own.
    let length = if base.is_ipv6() && base.to_canonical().is_ipv4() { length.saturating_sub(96) } else { length };
    let ((width, one), (other_width, other)) = (bits(address.to_canonical()), bits(base.to_canonical()));
    let rest = width - length.min(width);
    width == other_width && (rest == 128 || one >> rest == other >> rest)
}

fn same(value: &Json, other: &Json) -> bool {
    match (value, other) {
        (Json::Text(one, _), Json::Text(other, _)) => one == other,
        (Json::Number(one), Json::Number(other)) => one.parse::<f64>().unwrap() == other.parse::<f64>().unwrap(),
        (Json::Bool(one), Json::Bool(other)) => one == other,
        _ => false,
    }
}

fn compare(operator: Operator, value: &Json, literal: &LiteralKind) -> Option<bool> {
    let order = match (value, literal) {
        (Json::Text(value, _), LiteralKind::Text(text) | LiteralKind::Word(text)) => match operator {
            Operator::Contains => return Some(value.contains(text.as_str())),
            Operator::StartsWith => return Some(value.get(..text.len()) == Some(text)),
            Operator::EndsWith => {
                return Some(value.len().checked_sub(text.len()).is_some_and(|at| value.get(at..) == Some(text)));
            }
            Operator::Within => return Some(lies_within(value.parse().ok()?, text)),
            Operator::Like => return Some(like(&value.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())),
            Operator::Regex => return Some(regex::Regex::new(text).unwrap().is_match(value)),
            _ => match (Instant::parse(value), Instant::parse(text)) {
                (Some(value), Some(text)) => value.cmp(&text),
                (None, Some(_)) => return None,
                _ => value.cmp(text),
            },
        },
        (Json::Number(value), LiteralKind::Number(text)) => {
            value.parse::<f64>().unwrap().partial_cmp(&text.parse::<f64>().unwrap())?
        }
        (Json::Bool(value), LiteralKind::Bool(other)) => value.cmp(other),
        _ => return None,
    };
    Some(match operator {
        Operator::Less => order.is_lt(),
        Operator::LessEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterEqual => order.is_ge(),
        _ => order.is_eq(),
    })
}

/// In time that is not exponential, so that real texts can be asked: `ends[i]` says whether the pattern so far reaches character `i`.
fn like(text: &[char], pattern: &[char]) -> bool {
    let mut reached: Vec<bool> = (0..=text.len()).map(|at| at == 0).collect();
    for it in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match it {
                '*' => reached[at] || at > 0 && next[at - 1],
                '?' => at > 0 && reached[at - 1],
                it => at > 0 && reached[at - 1] && text[at - 1] == *it,
            };
        }
        reached = next;
    }
    reached[text.len()]
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Number(number.to_string()),
            serde_json::Value::String(text) => Self::Text(text.clone(), 0),
            serde_json::Value::Array(all) => Self::List(all.iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (name.clone(), value.into())).collect())
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |out: &mut fmt::Formatter<'_>, all: &[String]| write!(out, "{}", all.join(","));
        match self {
            Self::Null => write!(out, "null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Number(text) => write!(out, "{text}"),
            Self::Text(text, escapes) => write!(out, "{}", quoted(text, *escapes)),
            Self::List(all) => {
                write!(out, "[")?;
                list(out, &all.iter().map(ToString::to_string).collect::<Vec<_>>())?;
                write!(out, "]")
            }
            Self::Object(members) => {
                write!(out, "{{")?;
                let written = |(index, (name, value)): (usize, &(String, Json))| {
                    let space = if index % 5 == 4 { " " } else { "" };
                    format!("{}{space}:{space}{value}", quoted(name, index / 3 % 3))
                };
                list(out, &members.iter().enumerate().map(written).collect::<Vec<_>>())?;
                write!(out, "}}")
            }
        }
    }
}

/// A string in JSON, every n-th character written by its number.
fn quoted(text: &str, escapes: usize) -> String {
    let mut out = String::from('"');
    for (index, it) in text.chars().enumerate() {
        if escapes > 0 && index % escapes == 0 {
            for unit in it.encode_utf16(&mut [0; 2]) {
                out += &format!("\\u{unit:04x}");
            }
        } else {
            let written = serde_json::to_string(&it.to_string()).unwrap();
            out += &written[1..written.len() - 1];
        }
    }
    out + "\""
}
