//! A field held against something: the types of both sides, and the predicate that they make.

use std::ops::Range;
use std::sync::Arc;

use super::reference::ListPart;
use super::text::duration;
use super::{Compiler, Context, Field};
use crate::codes;
use crate::program::{Comparison, Items, Literal, Matcher, Node, NodeId, PathId, Test};
use crate::schema::{self, Kind};
use crate::syntax::ast::{self, LiteralKind, Operator, Right};
use crate::syntax::{Problem, quoted};
use crate::value::Number;
use vedette_audit::Instant;

impl Compiler<'_, '_> {
    pub(super) fn test(&mut self, context: &mut Context<'_>, test: &ast::Test, span: &Range<usize>) -> Option<NodeId> {
        let field = self.field(context, &test.operand);
        let negated = test.negated || test.operator == Operator::NotEqual;
        let Some(field) = field else {
            // The right side may still have errors of its own.
            self.compile_right(context, &any(), test, span);
            return None;
        };
        let mut compiled = self.compile_right(context, &field, test, span);
        if test.nocase
            && let Some(Some((asked, matcher))) = compiled
        {
            compiled = self.folded(context, asked, matcher, test, span).map(Some);
        }
        if let Some(asked) = &compiled {
            if let Some((asked, _)) = asked {
                self.report_network(context, &field, asked, test);
            }
            self.compare_readings(context, &field, schema::kind(&field.steps), test);
            self.report_impossible(context, &field, test);
        }
        self.claim(context, &field, &test.operand.span, negated);
        let path = self.read(context, &field, &test.operand.span)?;
        let node = match compiled? {
            None => self.built(context.text, |builder| builder.node(Node::Constant(false)))?,
            Some((test, matcher)) => self.predicate(context, path, test, matcher)?,
        };
        if !negated {
            return Some(node);
        }
        self.built(context.text, |builder| builder.node(Node::Not(node)))
    }

    /// What is asked of the field; inside, `None` for what can never hold.
    fn compile_right(
        &mut self,
        context: &mut Context<'_>,
        field: &Field,
        test: &ast::Test,
        span: &Range<usize>,
    ) -> Option<Option<(Test, Matcher)>> {
        let kind = schema::kind(&field.steps);
        if kind == Kind::Object && test.operator != Operator::Exists {
            let message = format!("{} is an object and has no value of its own", quoted(&field.spelled));
            let problem = Problem::new(codes::ILL_TYPED, test.operand.span.clone(), message)
                .help(format!("name a field in it, `{}.…`, or ask whether it `exists`", field.spelled));
            self.sources.report_in(context.text, problem);
            return None;
        }
        let comparison = match test.operator {
            Operator::Equal | Operator::NotEqual => Comparison::Equal,
            Operator::Greater => Comparison::Greater,
            Operator::Less => Comparison::Less,
            Operator::GreaterEqual => Comparison::GreaterEqual,
            Operator::LessEqual => Comparison::LessEqual,
            Operator::Exists => return Some(Some((Test::Exists, Matcher::None))),
            Operator::In => return self.one_of(context, field, kind, &test.right).map(Some),
            Operator::Within => return self.within(context, field, kind, test).map(Some),
            Operator::Contains | Operator::Like | Operator::Regex | Operator::StartsWith | Operator::EndsWith => {
                return self.text_test(context, field, kind, test).map(Some);
            }
        };
        let Right::Value(value) = &test.right else { return None };
        if let LiteralKind::Reference(name) = &value.kind {
            let items = self.referred_value(context, name, comparison, &value.span)?;
            return Some(Some((Test::OneOf(Box::new(items)), Matcher::None)));
        }
        let literal = self.literal(context, field, kind, value)?;
        if comparison != Comparison::Equal && matches!(literal, Literal::Bool(_)) {
            let message = format!("`{}` has no meaning for {}", test.operator.as_str(), quoted(&value.to_string()));
            let problem = Problem::new(codes::ILL_TYPED, span.clone(), message).help("booleans are only equal or not");
            self.sources.report_in(context.text, problem);
            return None;
        }
        Some(Some((Test::Compare(comparison, literal), Matcher::None)))
    }

    /// `= ${alias}`: two fields of the same event.
    fn referred_value(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
        comparison: Comparison,
        span: &Range<usize>,
    ) -> Option<Items> {
        let id = self.lookup(context, name, span)?;
        let kind = self.kind_of(id);
        if kind == "alias" && comparison == Comparison::Equal {
            let mut items = Items::default();
            items.fields.push(self.aliased(context, id, span)?);
            return Some(items);
        }
        let (message, help) = match kind {
            "alias" => ("two fields are only equal or not".to_owned(), "write `=` or `!=`"),
            "list" => (format!("`${{{name}}}` is a list"), "ask whether the field is `in` it"),
            kind => (format!("`${{{name}}}` is a {kind}, not a value"), "a value is text, a number, `true` or `false`"),
        };
        self.sources.report_in(context.text, Problem::new(codes::WRONG_KIND, span.clone(), message).help(help));
        None
    }

    fn aliased(
        &mut self,
        context: &mut Context<'_>,
        id: crate::names::DefinitionId,
        span: &Range<usize>,
    ) -> Option<PathId> {
        let (field, height) = self.alias(id)?;
        self.raise(context, height, span)?;
        self.read(context, &field, span)
    }

    /// `in (…)` and `in ${list}`
    fn one_of(
        &mut self,
        context: &mut Context<'_>,
        field: &Field,
        kind: Kind,
        right: &Right,
    ) -> Option<(Test, Matcher)> {
        let mut items = Items::default();
        let mut whole = true;
        for literal in right.literals() {
            let taken = match &literal.kind {
                LiteralKind::Reference(name) => {
                    self.referred_items(context, field, kind, name, &literal.span, &mut items)
                }
                _ => self.literal(context, field, kind, literal).map(|literal| add(&mut items, literal)),
            };
            whole &= taken.is_some();
        }
        if !whole {
            return None;
        }
        items.sort();
        Some((Test::OneOf(Box::new(items)), Matcher::None))
    }

    fn referred_items(
        &mut self,
        context: &mut Context<'_>,
        field: &Field,
        kind: Kind,
        name: &str,
        span: &Range<usize>,
        items: &mut Items,
    ) -> Option<()> {
        let id = self.lookup(context, name, span)?;
        match self.kind_of(id) {
            "alias" => items.fields.push(self.aliased(context, id, span)?),
            "list" => {
                let list = self.compared(context, id, span)?;
                for part in list.parts.iter() {
                    match part {
                        ListPart::Text(text) => {
                            if let Err(mismatch) = listed(items, kind, text) {
                                let (code, wanted) = match mismatch {
                                    Mismatch::Timestamp => (codes::TIMESTAMP, "a timestamp"),
                                    Mismatch::Type(wanted) => (codes::ILL_TYPED, wanted),
                                };
                                let (field, text) = (quoted(&field.spelled), quoted(text));
                                let message = format!("{field} is {wanted}, and {text} in list `{name}` is not");
                                let help = format!("take it out of the list, or name a list of {wanted}s alone")
                                    .replace("a list of a ", "a list of ");
                                let problem = Problem::new(code, span.clone(), message).help(help);
                                self.sources.report_in(context.text, problem);
                                return None;
                            }
                        }
                        ListPart::Field(path) => {
                            items.fields.push(*path);
                            if let Some(needs) = self.builder.path_at(*path).and_then(|path| path.needs) {
                                context.note(*path, needs, span);
                            }
                        }
                    }
                }
            }
            kind => {
                let message = format!("`${{{name}}}` is a {kind}, not a list");
                let problem =
                    Problem::new(codes::WRONG_KIND, span.clone(), message).help("`in` takes lists, values and aliases");
                self.sources.report_in(context.text, problem);
                return None;
            }
        }
        Some(())
    }

    /// A literal as the field wants it.
    fn literal(&mut self, context: &Context<'_>, field: &Field, kind: Kind, literal: &ast::Literal) -> Option<Literal> {
        if let LiteralKind::Word(word) = &literal.kind
            && let Some((first, _)) = word.split_once('.')
            && schema::is_field(first)
        {
            let problem = Problem::new(
                codes::BARE_FIELD,
                literal.span.clone(),
                format!("{} is text here, not a field", quoted(word)),
            )
            .help("to compare two fields, name the second in an alias; to compare with this text, put it in quotes");
            self.sources.report_in(context.text, problem);
        }
        let problem = match typed(&literal.kind, kind) {
            Ok(literal) => return Some(literal),
            Err(Mismatch::Timestamp) => {
                let message = format!("{} is no timestamp", quoted(&literal.to_string()));
                Problem::new(codes::TIMESTAMP, literal.span.clone(), message)
                    .help("a timestamp is like `\"2020-06-12T09:23:28.359896Z\"`")
            }
            Err(Mismatch::Type(wanted)) => {
                let message =
                    format!("{} is {wanted}, and {} is not", quoted(&field.spelled), quoted(&literal.to_string()));
                let mut problem = Problem::new(codes::ILL_TYPED, literal.span.clone(), message);
                problem.help = match &literal.kind {
                    LiteralKind::Text(text) if wanted == NUMBER && Number::parse(text).is_some() => {
                        Some(format!("write it without quotes: `{text}`"))
                    }
                    LiteralKind::Number(number) if wanted == DURATION => {
                        Some(format!("write it with its unit: `{number}s`"))
                    }
                    _ if wanted == DURATION => Some("a duration is like `30s`, `1m30s` or `250ms`".to_owned()),
                    LiteralKind::Number(_) | LiteralKind::Bool(_) if wanted == TEXT => {
                        Some(format!("write it in quotes: `\"{literal}\"`"))
                    }
                    _ if wanted == NUMBER => Some(format!("write a number: `{} = 403`", field.spelled)),
                    _ => Some("a timestamp is like `\"2020-06-12T09:23:28.359896Z\"`".to_owned()),
                };
                problem
            }
        };
        self.sources.report_in(context.text, problem);
        None
    }
}

const TEXT: &str = "text";
const NUMBER: &str = "a number";
pub(super) const DURATION: &str = "a duration";

enum Mismatch {
    /// The field is of this type.
    Type(&'static str),
    Timestamp,
}

fn typed(literal: &LiteralKind, kind: Kind) -> Result<Literal, Mismatch> {
    match (literal, kind) {
        (LiteralKind::Text(text) | LiteralKind::Word(text), kind) => match kind {
            Kind::Text | Kind::Texts => Ok(Literal::Text(text.clone(), None)),
            Kind::Number => Err(Mismatch::Type(NUMBER)),
            Kind::Duration => duration(text).map(Literal::Number).ok_or(Mismatch::Type(DURATION)),
            Kind::Instant => match Instant::parse(text) {
                Some(instant) => Ok(Literal::Text(text.clone(), Some(instant))),
                None => Err(Mismatch::Timestamp),
            },
            _ => Ok(Literal::Text(text.clone(), Instant::parse(text))),
        },
        (_, Kind::Text | Kind::Texts) => Err(Mismatch::Type(TEXT)),
        (_, Kind::Instant) => Err(Mismatch::Type("a timestamp")),
        (_, Kind::Duration) => Err(Mismatch::Type(DURATION)),
        (LiteralKind::Bool(_), Kind::Number) => Err(Mismatch::Type(NUMBER)),
        (LiteralKind::Bool(value), _) => Ok(Literal::Bool(*value)),
        (LiteralKind::Number(text), _) => Number::parse(text).map(Literal::Number).ok_or(Mismatch::Type(NUMBER)),
        (LiteralKind::Reference(_), _) => Err(Mismatch::Type(TEXT)),
    }
}

fn add(items: &mut Items, literal: Literal) {
    match literal {
        Literal::Text(_, Some(instant)) => items.instants.push(instant),
        Literal::Text(text, None) => items.texts.push(text.into()),
        Literal::Number(number) => items.numbers.push(number),
        Literal::Bool(value) => items.bools.push(value),
    }
}

/// An item of a `list:` has no quotes that would tell its type: it stands for the text, and for the number or boolean that the text
/// spells.
fn listed(items: &mut Items, kind: Kind, text: &Arc<str>) -> Result<(), Mismatch> {
    let number =
        Number::parse(text).filter(|_| text.bytes().all(|it| it.is_ascii_digit() || matches!(it, b'-' | b'.')));
    match kind {
        Kind::Text | Kind::Texts => {}
        Kind::Number => match number {
            Some(number) => {
                items.numbers.push(number);
                return Ok(());
            }
            None => return Err(Mismatch::Type(NUMBER)),
        },
        Kind::Duration => {
            items.numbers.push(duration(text).ok_or(Mismatch::Type(DURATION))?);
            return Ok(());
        }
        Kind::Instant => match Instant::parse(text) {
            Some(instant) => {
                items.instants.push(instant);
                return Ok(());
            }
            None => return Err(Mismatch::Timestamp),
        },
        _ => {
            items.numbers.extend(number);
            if let Some(instant) = Instant::parse(text) {
                items.instants.push(instant);
                return Ok(());
            }
            match &**text {
                "true" | "True" | "TRUE" => items.bools.push(true),
                "false" | "False" | "FALSE" => items.bools.push(false),
                _ => {}
            }
        }
    }
    items.texts.push(text.clone());
    Ok(())
}

/// A field of which nothing is known, in place of one that could not be resolved.
fn any() -> Field {
    Field { steps: vec![ast::Step::Key("RequestObject".to_owned())], spelled: "the field".to_owned() }
}
