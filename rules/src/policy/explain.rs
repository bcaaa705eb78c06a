//! Why a rule holds for an event or does not, node by node.
//!
//! Each part of the condition becomes a rule of a set of its own, and each field that a part reads the message of an alert: the answers
//! are those of the program that decides in earnest, whatever it is made of.

use std::fmt;

use super::rule_set::{Effect, Entry, RuleSet};
use super::{DecideError, RuleInfo, RuleKind, build};
use crate::lower::{Compiler, Outline, OutlineRead, Role, Segment, Template};
use crate::message::DefaultMessage;
use crate::program::{Matcher, Node, NodeId, PathId, Test};
use crate::resource::{self, Body, RuleBody};
use crate::source::Sources;
use crate::syntax::ast::Step;
use crate::syntax::quoted;
use crate::{Diagnostic, Priority, Settings, SourceFile};

/// One rule, ready to be asked about events.
#[derive(Debug)]
pub struct Explainer {
    /// `resource.rule`
    pub rule: String,
    /// Whether the rule is enabled.
    pub enabled: bool,
    root: Question,
    /// The rule that holds for an event that is about a resource.
    about: usize,
    rules: RuleSet,
}

/// Why there is nothing to explain.
#[derive(Debug)]
pub enum ExplainError {
    /// The rules have errors, or could not be compiled for it.
    Broken(Vec<Diagnostic>),
    /// No rule has this name; the nearest ones do.
    Unknown(Vec<String>),
    /// Several rules have it.
    Ambiguous(Vec<String>),
}

/// A part of a condition, and what it says about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The part as it is written; `all of`, `any of`, `not` where it joins others.
    pub text: String,
    /// What it says.
    pub answer: Answer,
    /// The fields that it reads, that on the left first, and what the event has there.
    pub values: Vec<(String, Found)>,
    /// What it is made of.
    pub parts: Vec<Self>,
}

/// What an event has at a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This value.
    Value(String),
    /// Nothing.
    Absent,
    /// A body that its level did not record.
    NotRecorded,
    /// A body that is never kept, since the event is about no resource.
    LeftOut,
}

/// What a condition says about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// The event's level left out this field.
    Unknown(String),
}

/// A part with the places of its answers in the set of rules.
#[derive(Debug)]
struct Question {
    text: String,
    own: usize,
    reads: Vec<Read>,
    parts: Vec<Self>,
}

#[derive(Debug)]
struct Read {
    spelled: String,
    exists: usize,
    value: usize,
    in_body: bool,
}

impl Explainer {
    /// Finds and compiles the rule that is called `name`, `resource.name` or `namespace/resource/name`.
    ///
    /// # Errors
    /// If the files have errors, or the name fits no rule or several.
    pub fn new(files: &[SourceFile], name: &str, adjust: impl Fn(&mut Settings)) -> Result<Self, ExplainError> {
        super::Policy::build_with(files, 1, &adjust).map_err(ExplainError::Broken)?;
        let mut sources = Sources::read(files);
        let resources = resource::read(&mut sources);
        let mut settings = Settings::default();
        adjust(&mut settings);
        let mut names = Vec::new();
        let mut found: Vec<(String, usize, &RuleBody, bool)> = Vec::new();
        for (index, resource) in resources.rules.iter().enumerate() {
            for definition in &resource.definitions {
                let Body::Rule(rule) = &definition.body else { continue };
                let qualified = format!("{}.{}", resource.name, definition.name);
                let id = format!("{}/{}/{}", resource.namespace, resource.name, definition.name);
                if [definition.name.as_str(), &qualified, &id].contains(&name) {
                    let enabled = build::is_enabled(resource, rule, settings.dialect);
                    found.push((qualified.clone(), index, rule, enabled));
                }
                names.push((definition.name.as_str(), qualified));
            }
        }
        let (qualified, from, rule, enabled) = match found.as_slice() {
            [only] => only,
            [] => {
                let spelled = names.iter().flat_map(|(short, long)| [*short, long.as_str()]);
                let near = crate::similar::nearest(name, spelled);
                let mut named: Vec<String> = Vec::new();
                for (short, long) in &names {
                    if near.is_none_or(|near| near == *short || near == long) {
                        named.push(long.clone());
                    }
                }
                return Err(ExplainError::Unknown(named));
            }
            several => return Err(ExplainError::Ambiguous(several.iter().map(|(name, ..)| name.clone()).collect())),
        };
        let mut compiler = Compiler::new(&mut sources, &resources.rules, settings.dialect);
        let mut rules = None;
        if let Some(outline) = compiler.outline(*from, rule) {
            rules = set(compiler, outline);
        }
        let Some((root, about, rules)) = rules else { return Err(ExplainError::Broken(sources.finish())) };
        Ok(Self { rule: qualified.clone(), enabled: *enabled, root, about, rules })
    }

    /// What each part says about an event, as [`RuleSet::decide`] takes it.
    ///
    /// # Errors
    /// Those of [`RuleSet::decide`].
    pub fn explain(&self, event: &[u8]) -> Result<Explanation, DecideError> {
        let decision = self.rules.decide(event)?;
        Ok(self.root.answered(&decision, holds(&decision, self.about)))
    }
}

/// Whether the rule at `place` holds.
fn holds(decision: &super::Decision, place: usize) -> bool {
    decision.matched.iter().any(|rule| rule.0 as usize == place)
}

/// What any text is but the empty one.
const ANY_TEXT: &str = "(?s).";

/// The rules that stand for the parts of an outline, and the one that says whether the event is about a resource.
fn set(mut compiler: Compiler<'_, '_>, outline: Outline) -> Option<(Question, usize, RuleSet)> {
    let default_message = DefaultMessage::new(&mut compiler.builder).ok()?;
    let level = compiler.builder.path(&[Step::Key("Level".to_owned())], "Level").ok()?;
    let always = compiler.builder.node(Node::Constant(true)).ok()?;
    let text = compiler.builder.regex(ANY_TEXT).ok()?.ok()?;
    let test = Test::Regex(ANY_TEXT.to_owned());
    let about = compiler.builder.predicate(default_message.resource, test, Matcher::Regex(text)).ok()?;
    let mut entries = Entries { entries: Vec::new(), always };
    let root = entries.question(outline);
    let about = entries.add(about, None);
    let mark = compiler.builder.mark();
    let program = compiler.builder.finish(mark);
    Some((root, about, RuleSet::new(program, entries.entries, default_message, level)))
}

struct Entries {
    entries: Vec<Entry>,
    always: NodeId,
}

impl Entries {
    fn question(&mut self, outline: Outline) -> Question {
        let text = match outline.role {
            Role::All => "all of".to_owned(),
            Role::Any => "any of".to_owned(),
            Role::Not => "not".to_owned(),
            Role::Text(text) => text,
            Role::Exception(text) => format!("not the exception {text}"),
        };
        let own = self.add(outline.node, None);
        let read = |it: OutlineRead| Read {
            spelled: it.spelled,
            exists: self.add(it.exists, None),
            value: self.add(self.always, Some(it.path)),
            in_body: it.in_body,
        };
        let reads = outline.reads.into_iter().map(read).collect();
        Question { text, own, reads, parts: outline.parts.into_iter().map(|part| self.question(part)).collect() }
    }

    /// Adds a rule; one with a path shows what is there.
    fn add(&mut self, root: NodeId, path: Option<PathId>) -> usize {
        let place = self.entries.len();
        // Their order is that of their names.
        let name = format!("{place:09}");
        let info = RuleInfo {
            namespace: String::new(),
            resource: String::new(),
            name: name.clone(),
            qualified: name.clone(),
            id: name,
            priority: Priority::Warning,
            kind: RuleKind::Alerting,
        };
        let effect = if path.is_some() { Effect::Alert } else { Effect::Nothing };
        let output = path.map(|path| Template { segments: vec![Segment::Field(path)] });
        self.entries.push(Entry { info, root, output, effect });
        place
    }
}

impl Question {
    /// `about` says whether the event is about a resource.
    fn answered(&self, decision: &super::Decision, about: bool) -> Explanation {
        let unknown = decision.blind.iter().find(|blind| blind.rule.0 as usize == self.own);
        let answer = match unknown {
            Some(blind) => Answer::Unknown(blind.field.to_string()),
            None if holds(decision, self.own) => Answer::Holds,
            None => Answer::Fails,
        };
        let found = |read: &Read| {
            let alert = decision.alerts.iter().find(|alert| alert.rule.0 as usize == read.value);
            match alert.filter(|_| holds(decision, read.exists)) {
                Some(alert) => Found::Value(alert.message.clone()),
                None if read.in_body && !about => Found::LeftOut,
                None if read.in_body && unknown.is_some() => Found::NotRecorded,
                None => Found::Absent,
            }
        };
        let values = self.reads.iter().map(|read| (read.spelled.clone(), found(read))).collect();
        let parts = self.parts.iter().map(|part| part.answered(decision, about)).collect();
        Explanation { text: self.text.clone(), answer, values, parts }
    }
}

impl fmt::Display for Explanation {
    /// A tree, a line for each part: `✓` what holds, `✗` what does not, `?` what the event's level left out.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draw(out, "", "")
    }
}

impl Explanation {
    fn draw(&self, out: &mut fmt::Formatter<'_>, first: &str, margin: &str) -> fmt::Result {
        let sign = match self.answer {
            Answer::Holds => '✓',
            Answer::Fails => '✗',
            Answer::Unknown(_) => '?',
        };
        write!(out, "{first}{sign} {}", self.text)?;
        for (index, (field, found)) in self.values.iter().enumerate() {
            out.write_str(if index == 0 { "    " } else { ", " })?;
            match found {
                Found::Value(value) => write!(out, "{field} is {}", quoted(value))?,
                Found::Absent => write!(out, "{field} is absent")?,
                Found::NotRecorded => write!(out, "{field} was not recorded at the event's level")?,
                Found::LeftOut => write!(out, "{field} was left out: the event is about no resource")?,
            }
        }
        writeln!(out)?;
        for (index, part) in self.parts.iter().enumerate() {
            let (first, more) = if index + 1 == self.parts.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            part.draw(out, &format!("{margin}{first}"), &format!("{margin}{more}"))?;
        }
        Ok(())
    }
}
