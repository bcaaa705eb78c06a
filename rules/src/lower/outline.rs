//! A condition node by node, as it is written, each with the node of the program that answers for it.

use std::ops::Range;

use super::{Compiler, Context, ListPart};
use crate::names::DefinitionId;
use crate::program::{Matcher, Node, NodeId, PathId, Test, TooBig};
use crate::resource::{Body, RuleBody};
use crate::schema;
use crate::source::Text;
use crate::syntax::ast::{Expr, ExprKind, Literal, LiteralKind, Operand};
use crate::syntax::parse_condition;

/// How many parts an outline may have: a macro's are there wherever it is named.
const PARTS_LIMIT: usize = 10_000;

/// How many fields on the right of one test are shown.
const READS_LIMIT: usize = 16;

/// A part of a condition.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) role: Role,
    pub(crate) node: NodeId,
    /// The fields that the part reads, that on the left first.
    pub(crate) reads: Vec<OutlineRead>,
    pub(crate) parts: Vec<Self>,
}

/// A field that a part reads.
#[derive(Debug)]
pub(crate) struct OutlineRead {
    pub(crate) path: PathId,
    /// The field, or the alias that stands for it on the right.
    pub(crate) spelled: String,
    /// The node that says whether the event has it.
    pub(crate) exists: NodeId,
    /// Whether it is part of a body.
    pub(crate) in_body: bool,
}

/// What a part is.
#[derive(Debug)]
pub(crate) enum Role {
    All,
    Any,
    Not,
    /// A test or a macro's name, as written.
    Text(String),
    Exception(String),
}

impl Compiler<'_, '_> {
    /// The parts of a rule of resource `from`, which has been compiled without an error.
    pub(crate) fn outline(&mut self, from: usize, rule: &RuleBody) -> Option<Outline> {
        let mut room = PARTS_LIMIT;
        let condition = self.outline_text(from, &rule.condition, &mut room)?;
        if rule.exceptions.is_empty() {
            return Some(condition);
        }
        let mut nodes = vec![condition.node];
        let mut parts = vec![condition];
        for text in &rule.exceptions {
            let exception = self.outline_text(from, text, &mut room)?;
            let node = self.built(text, |builder| builder.node(Node::Not(exception.node)))?;
            nodes.push(node);
            let role = Role::Exception(text.text.trim().to_owned());
            parts.push(Outline { role, node, reads: Vec::new(), parts: vec![exception] });
        }
        let node = self.built(&rule.condition, |builder| builder.node(Node::And(nodes.into())))?;
        Some(Outline { role: Role::All, node, reads: Vec::new(), parts })
    }

    fn outline_text(&mut self, from: usize, text: &Text, room: &mut usize) -> Option<Outline> {
        let parsed = parse_condition(&text.text, self.dialect_of(from));
        self.outline_of(&mut Context::new(from, text), &parsed.expr, room)
    }

    fn outline_of(&mut self, context: &mut Context<'_>, expr: &Expr, room: &mut usize) -> Option<Outline> {
        let left = room.checked_sub(1).ok_or(TooBig::Program);
        *room = self.built(context.text, |_| left)?;
        let node = self.expr(context, expr)?;
        let written = |span: &Range<usize>| {
            let text = context.text.text.get(span.clone()).unwrap_or_default();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let (role, operands) = match &expr.kind {
            ExprKind::And(operands) => (Role::All, operands.as_slice()),
            ExprKind::Or(operands) => (Role::Any, operands.as_slice()),
            ExprKind::Not(operand) => (Role::Not, std::slice::from_ref(&**operand)),
            ExprKind::Bare(operand) => {
                let role = Role::Text(written(&expr.span));
                if let Some(id) = self.macro_at(context, operand)
                    && let Some(Body::Macro(text)) = self.definition(id).map(|definition| &definition.body)
                {
                    let parts = vec![self.outline_text(id.resource, text, room)?];
                    return Some(Outline { role, node, reads: Vec::new(), parts });
                }
                let reads = self.outline_read(context, operand).into_iter().collect();
                return Some(Outline { role, node, reads, parts: Vec::new() });
            }
            ExprKind::Test(test) => {
                let role = Role::Text(test.to_string());
                let mut reads: Vec<_> = self.outline_read(context, &test.operand).into_iter().collect();
                for literal in test.right.literals() {
                    self.outline_right(context, literal, &mut reads);
                }
                return Some(Outline { role, node, reads, parts: Vec::new() });
            }
            ExprKind::Error => return None,
        };
        let parts = operands.iter().map(|operand| self.outline_of(context, operand, room)).collect::<Option<_>>()?;
        Some(Outline { role, node, reads: Vec::new(), parts })
    }

    fn macro_at(&mut self, context: &Context<'_>, operand: &Operand) -> Option<DefinitionId> {
        let name = operand.reference.as_ref().filter(|_| operand.steps.is_empty())?;
        self.lookup(context, name, &operand.span).filter(|id| self.is_macro(*id))
    }

    fn outline_read(&mut self, context: &mut Context<'_>, operand: &Operand) -> Option<OutlineRead> {
        let field = self.field(context, operand)?;
        let path = self.path(context.text, &field)?;
        self.outline_path(context, path, field.spelled, schema::needed_level(&field.steps).is_some())
    }

    /// The fields that a value on the right stands for.
    fn outline_right(
        &mut self,
        context: &mut Context<'_>,
        literal: &Literal,
        reads: &mut Vec<OutlineRead>,
    ) -> Option<()> {
        let LiteralKind::Reference(name) = &literal.kind else { return None };
        let id = self.lookup(context, name, &literal.span)?;
        if self.is_alias(id) {
            let (field, _) = self.alias(id)?;
            let path = self.path(context.text, &field)?;
            let in_body = schema::needed_level(&field.steps).is_some();
            reads.push(self.outline_path(context, path, format!("${{{name}}}"), in_body)?);
            return Some(());
        }
        for part in self.list(id)?.parts.iter() {
            let ListPart::Field(path) = part else { continue };
            if reads.len() > READS_LIMIT {
                break;
            }
            let known = self.builder.path_at(*path)?;
            let (spelled, in_body) = (known.spelled.to_string(), known.needs.is_some());
            reads.push(self.outline_path(context, *path, spelled, in_body)?);
        }
        Some(())
    }

    fn outline_path(
        &mut self,
        context: &Context<'_>,
        path: PathId,
        spelled: String,
        in_body: bool,
    ) -> Option<OutlineRead> {
        let exists = self.predicate(context, path, Test::Exists, Matcher::None)?;
        Some(OutlineRead { path, spelled, exists, in_body })
    }
}
