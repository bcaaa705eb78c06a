//! A test as KubeSphere's engine reads it: the same syntax tree, another predicate.
//!
//! The path is cut before its first array step. What follows is part of the test, since that engine walks an array in its own way.

use std::sync::Arc;

use super::reference::ListPart;
use super::text::pattern_error;
use super::{Compiler, Context, Field};
use crate::codes;
use crate::derived::Derived;
use crate::kubesphere::{self, Judgement, Question};
use crate::program::{Comparison, Matcher, Node, NodeId, PathId, Test};
use crate::schema::{self, Kind};
use crate::syntax::ast::{self, Literal, LiteralKind, Operand, Operator, Right, Step};
use crate::syntax::{Problem, quoted};
use crate::value::Number;

impl Compiler<'_, '_> {
    /// A field that is a boolean.
    pub(super) fn judge_bare(&mut self, context: &mut Context<'_>, field: &Field, operand: &Operand) -> Option<NodeId> {
        self.judge(context, field, operand, false, Question::Bool(true), Matcher::None)
    }

    /// A field held against something.
    pub(super) fn judge_test(&mut self, context: &mut Context<'_>, test: &ast::Test) -> Option<NodeId> {
        let field = self.field(context, &test.operand)?;
        let (question, matcher) = self.question(context, &field, test)?;
        let negated = test.negated || test.operator == Operator::NotEqual;
        self.judge(context, &field, &test.operand, negated, question, matcher)
    }

    fn judge(
        &mut self,
        context: &mut Context<'_>,
        field: &Field,
        operand: &Operand,
        negated: bool,
        question: Question,
        matcher: Matcher,
    ) -> Option<NodeId> {
        let plain = |name: &str| name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.'));
        let double = |pair: &[Step]| !pair.iter().any(|step| matches!(step, Step::Key(_)));
        if !field.steps.iter().all(|step| !matches!(step, Step::Key(name) if !plain(name)))
            || field.steps.windows(2).any(double)
        {
            let message = format!("KubeSphere cannot read the path {}", quoted(&field.spelled));
            let help = "its names hold letters, digits, `_` and `-`, each with one array step at most";
            self.foreign(context, operand.span.clone(), message, help);
            return None;
        }
        if let Some(derived) = Derived::at(&field.steps) {
            let message = format!("KubeSphere has no field `{}`", derived.name());
            self.foreign(context, operand.span.clone(), message, "name the fields that it is made of");
            return None;
        }
        let names = field.steps.iter().take_while(|step| matches!(step, Step::Key(_))).count();
        let (names, steps) = field.steps.split_at_checked(names)?;
        let whole = steps.is_empty();
        self.claim(context, field, &operand.span, negated);
        let base = Field { steps: names.to_vec(), spelled: field.spelled.clone() };
        let path = self.built(context.text, |builder| builder.whole_path(&base.steps, &base.spelled))?;
        if let Some(needs) = schema::needed_level(&base.steps) {
            context.note(path, needs, &operand.span);
        }
        // A list is printed first, which is put off until a rule comes to it.
        if negated && whole && schema::kind(&base.steps) != Kind::Texts {
            let texts = match &question {
                Question::Text(Comparison::Equal, text) => Some(vec![text.as_str().into()]),
                Question::OneOf(items) => Some(items.clone()),
                _ => None,
            };
            if let Some(texts) = texts {
                return self.something_else(context, path, texts);
            }
        }
        // What is missing altogether does not exist; in an array the engine asks what it finds there.
        let outside = negated && whole && question == Question::Exists;
        let judgement = Judgement { steps: steps.to_vec(), negated: negated && !outside, question };
        let node = self.predicate(context, path, Test::Judged(Box::new(judgement)), matcher)?;
        if outside { self.built(context.text, |builder| builder.node(Node::Not(node))) } else { Some(node) }
    }

    /// Something stands at a path that is none of these texts: a text does, and not only these. Both are looked up, and rules that differ
    /// in them alone are one class.
    fn something_else(&mut self, context: &Context<'_>, path: PathId, texts: Vec<Arc<str>>) -> Option<NodeId> {
        let mut ask = |question| {
            let judgement = Judgement { steps: Vec::new(), negated: false, question };
            self.predicate(context, path, Test::Judged(Box::new(judgement)), Matcher::None)
        };
        let (printed, only) = (ask(Question::Printed)?, ask(Question::Only(texts))?);
        self.built(context.text, |builder| {
            let other = builder.node(Node::Not(only))?;
            builder.node(Node::And([printed, other].into()))
        })
    }

    fn question(&mut self, context: &mut Context<'_>, field: &Field, test: &ast::Test) -> Option<(Question, Matcher)> {
        let comparison = match test.operator {
            Operator::Equal | Operator::NotEqual => Comparison::Equal,
            Operator::Greater => Comparison::Greater,
            Operator::Less => Comparison::Less,
            Operator::GreaterEqual => Comparison::GreaterEqual,
            Operator::LessEqual => Comparison::LessEqual,
            Operator::Exists => return Some((Question::Exists, Matcher::None)),
            Operator::In => return self.judged_items(context, &test.right),
            Operator::Contains | Operator::Like | Operator::Regex => return self.judged_text(context, test),
            Operator::StartsWith | Operator::EndsWith | Operator::Within => {
                let message = format!("KubeSphere has no operator `{}`", test.operator.as_str());
                self.foreign(context, test.operand.span.clone(), message, "say it with `regex`");
                return None;
            }
        };
        let Right::Value(value) = &test.right else { return None };
        let kind = schema::kind(&field.steps);
        let textual = matches!(kind, Kind::Text | Kind::Texts | Kind::Instant);
        let question = match &value.kind {
            LiteralKind::Number(text) if !textual => Question::Number(comparison, Number::parse(text)?),
            LiteralKind::Bool(wanted) if comparison == Comparison::Equal && !textual => Question::Bool(*wanted),
            LiteralKind::Number(_) | LiteralKind::Bool(_) => {
                let message = format!(
                    "{} is text, and KubeSphere panics when it is held against {}",
                    quoted(&field.spelled),
                    quoted(&value.to_string())
                );
                let problem = Problem::new(codes::ILL_TYPED, value.span.clone(), message)
                    .help(format!("write it in quotes: `\"{value}\"`"));
                self.sources.report_in(context.text, problem);
                return None;
            }
            _ => Question::Text(comparison, self.judged_literal(context, value)?),
        };
        Some((question, Matcher::None))
    }

    fn judged_items(&mut self, context: &mut Context<'_>, right: &Right) -> Option<(Question, Matcher)> {
        let mut items = Vec::new();
        for literal in right.literals() {
            match &literal.kind {
                LiteralKind::Reference(name) => {
                    let id = self.lookup(context, name, &literal.span)?;
                    if self.kind_of(id) != "list" {
                        let message = format!("`${{{name}}}` is a {}, not a list", self.kind_of(id));
                        self.foreign(
                            context,
                            literal.span.clone(),
                            message,
                            "KubeSphere takes texts, numbers and lists",
                        );
                        return None;
                    }
                    let list = self.compared(context, id, &literal.span)?;
                    for part in list.parts.iter() {
                        let ListPart::Text(text) = part else {
                            let message = format!("the list `{name}` holds an alias, which is no value to KubeSphere");
                            self.foreign(
                                context,
                                literal.span.clone(),
                                message,
                                "KubeSphere compares with texts alone",
                            );
                            return None;
                        };
                        items.push(text.clone());
                    }
                }
                _ => items.push(self.judged_literal(context, literal)?.into()),
            }
        }
        items.sort_unstable();
        items.dedup();
        Some((Question::OneOf(items), Matcher::None))
    }

    /// `contains`, `like`, `regex`
    fn judged_text(&mut self, context: &mut Context<'_>, test: &ast::Test) -> Option<(Question, Matcher)> {
        let Right::Value(value) = &test.right else { return None };
        let text = self.judged_literal(context, value)?;
        let pattern = match test.operator {
            Operator::Contains => return Some((Question::Contains(text), Matcher::None)),
            Operator::Like => kubesphere::like(&text),
            _ => kubesphere::regex(&text),
        };
        match self.built(context.text, |builder| builder.regex(&pattern))? {
            Ok(regex) => Some((Question::Pattern(pattern), Matcher::Regex(regex))),
            Err(error) => {
                self.sources.report_in(context.text, pattern_error(value.span.clone(), &error));
                None
            }
        }
    }

    /// A text or a number as the engine takes it: as it is written, without the quotes at its ends.
    fn judged_literal(&mut self, context: &Context<'_>, literal: &Literal) -> Option<String> {
        let written = context.text.text.get(literal.span.clone()).unwrap_or_default();
        match literal.kind {
            LiteralKind::Text(_) => Some(written.trim_matches('"').to_owned()),
            LiteralKind::Number(_) => Some(written.to_owned()),
            _ => {
                let message = format!("KubeSphere cannot read {} here", quoted(written));
                self.foreign(context, literal.span.clone(), message, "it takes text in double quotes, and numbers");
                None
            }
        }
    }

    /// Reports something that KubeSphere does not have.
    pub(super) fn foreign(
        &mut self,
        context: &Context<'_>,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
        help: &str,
    ) {
        self.sources.report_in(context.text, Problem::new(codes::FOREIGN, span, message).help(help));
    }
}
