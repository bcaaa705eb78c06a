//! A tree to text that parses to the same tree.

use std::fmt::{self, Display, Formatter, Write as _};

use super::ast::{Expr, ExprKind, Literal, LiteralKind, Operand, Right, Step, Test};
use super::path::is_name;

/// How tightly the place of an expression binds: what binds looser needs parentheses.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Place {
    Whole,
    OfOr,
    OfAnd,
    OfNot,
}

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        print(self, Place::Whole, out)
    }
}

fn print(expr: &Expr, place: Place, out: &mut Formatter<'_>) -> fmt::Result {
    let (operands, word, inner) = match &expr.kind {
        ExprKind::And(operands) => (operands, " and ", Place::OfAnd),
        ExprKind::Or(operands) => (operands, " or ", Place::OfOr),
        ExprKind::Not(operand) => {
            out.write_str("not ")?;
            return print(operand, Place::OfNot, out);
        }
        ExprKind::Bare(operand) => return operand.fmt(out),
        ExprKind::Test(test) => return test.fmt(out),
        ExprKind::Error => return out.write_str("<error>"),
    };
    // A chain in a chain of its own kind keeps its parentheses, since it is a tree of its own.
    let parenthesis = place >= inner;
    if parenthesis {
        out.write_char('(')?;
    }
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            out.write_str(word)?;
        }
        print(operand, inner, out)?;
    }
    if parenthesis { out.write_char(')') } else { Ok(()) }
}

impl Display for Test {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "not " } else { "" };
        write!(out, "{} {not}{}", self.operand, self.operator.as_str())?;
        match &self.right {
            Right::Nothing => {}
            Right::Value(value) => write!(out, " {value}")?,
            Right::Items(items) => {
                out.write_str(" (")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(out, "{comma}{item}")?;
                }
                out.write_char(')')?;
            }
        }
        out.write_str(if self.nocase { " nocase" } else { "" })
    }
}

impl Display for Literal {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            LiteralKind::Text(text) => write!(out, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            LiteralKind::Word(text) | LiteralKind::Number(text) => out.write_str(text),
            LiteralKind::Bool(value) => value.fmt(out),
            LiteralKind::Reference(name) => write!(out, "${{{name}}}"),
        }
    }
}

impl Display for Operand {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.reference {
            write!(out, "${{{name}}}")?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(name) if !is_name(name) => {
                    write!(out, "[\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\""))?;
                }
                Step::Key(name) => {
                    let dot = if index > 0 || self.reference.is_some() { "." } else { "" };
                    write!(out, "{dot}{name}")?;
                }
                Step::Any => out.write_str("[*]")?,
                Step::Index(index) => write!(out, "[{index}]")?,
                Step::Range(from, None) => write!(out, "[{from}:]")?,
                Step::Range(0, Some(to)) => write!(out, "[:{to}]")?,
                Step::Range(from, Some(to)) => write!(out, "[{from}:{to}]")?,
            }
        }
        Ok(())
    }
}
