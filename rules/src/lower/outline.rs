//! A condition node by node, as it is written, each with the node of the program that answers for it.

use std::ops::Range;

use super::{Compiler, Context};
use crate::names::DefinitionId;
use crate::program::{Matcher, Node, NodeId, PathId, Test, TooBig};
use crate::resource::{Body, RuleBody};
use crate::source::Text;
use crate::syntax::ast::{Expr, ExprKind, Operand};
use crate::syntax::parse_condition;

/// How many parts an outline may have: a macro's are there wherever it is named.
const PARTS_LIMIT: usize = 10_000;

/// A part of a condition.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) role: Role,
    pub(crate) node: NodeId,
    /// What the part reads, and the node that says whether the event has it.
    pub(crate) read: Option<(PathId, String, NodeId)>,
    pub(crate) parts: Vec<Self>,
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
            parts.push(Outline { role, node, read: None, parts: vec![exception] });
        }
        let node = self.built(&rule.condition, |builder| builder.node(Node::And(nodes.into())))?;
        Some(Outline { role: Role::All, node, read: None, parts })
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
                    return Some(Outline { role, node, read: None, parts });
                }
                let read = self.outline_read(context, operand);
                return Some(Outline { role, node, read, parts: Vec::new() });
            }
            ExprKind::Test(test) => {
                let role = Role::Text(test.to_string());
                let read = self.outline_read(context, &test.operand);
                return Some(Outline { role, node, read, parts: Vec::new() });
            }
            ExprKind::Error => return None,
        };
        let parts = operands.iter().map(|operand| self.outline_of(context, operand, room)).collect::<Option<_>>()?;
        Some(Outline { role, node, read: None, parts })
    }

    fn macro_at(&mut self, context: &Context<'_>, operand: &Operand) -> Option<DefinitionId> {
        let name = operand.reference.as_ref().filter(|_| operand.steps.is_empty())?;
        self.lookup(context, name, &operand.span).filter(|id| self.is_macro(*id))
    }

    fn outline_read(&mut self, context: &mut Context<'_>, operand: &Operand) -> Option<(PathId, String, NodeId)> {
        let field = self.field(context, operand)?;
        let path = self.path(context.text, &field)?;
        let exists = self.predicate(context, path, Test::Exists, Matcher::None)?;
        Some((path, field.spelled, exists))
    }
}
