//! Where KubeSphere's engine would decide a test otherwise than we do, though both can read it.
//!
//! A negated operator on a missing field is no such place: it differs everywhere, and the manual says so.

use super::{Compiler, Context, Field};
use crate::codes;
use crate::derived::Derived;
use crate::names::DefinitionId;
use crate::schema::Kind;
use crate::syntax::ast::{Literal, LiteralKind, Operator, Step, Test};
use crate::syntax::{Problem, quoted};
use crate::value::Number;
use vedette_audit::Instant;

impl Compiler<'_, '_> {
    /// Names a rule that KubeSphere takes otherwise, be it for a macro that it uses.
    pub(super) fn report_difference(&mut self, id: DefinitionId) {
        let Some(definition) = self.definition(id) else { return };
        let message = format!("the rule {} means something else to KubeSphere", quoted(&definition.name));
        let problem = Problem::new(codes::DIFFERS, definition.at.span.clone(), message)
            .help("VR0213 and VR0409 show where, in its condition or in a macro");
        self.sources.report(definition.at.file, problem);
    }

    /// Notes the first thing in a test that KubeSphere takes otherwise.
    pub(super) fn compare_readings(&mut self, context: &mut Context<'_>, field: &Field, kind: Kind, test: &Test) {
        // What KubeSphere cannot read it does not read otherwise.
        if !test.operator.is_shared() || test.nocase || Derived::at(&field.steps).is_some() {
            return;
        }
        let literals = test.right.literals();
        let array = kind == Kind::Texts && field.steps.iter().all(|step| matches!(step, Step::Key(_)));
        if array && !literals.iter().all(|literal| test.operator == Operator::Contains && is_part_of_one(literal)) {
            let message = "KubeSphere takes this list as one text, `[a b]`";
            let help = "here it holds if any element does: write a step, `[*]`, for a reading that both share";
            let problem = Problem::new(codes::DECIDES_OTHERWISE, test.operand.span.clone(), message).help(help);
            context.differs = true;
            return self.sources.report_in(context.text, problem);
        }
        let elements = field.steps.iter().any(|step| matches!(step, Step::Any | Step::Range(..)));
        let negated = test.negated || test.operator == Operator::NotEqual;
        if elements && negated {
            let message = "KubeSphere asks the negated test of the elements, of which any of `[*]` and all of a range must pass it";
            let help = "here it holds if the test without its negation does not: write `not (…)` around that, which both read alike";
            let problem = Problem::new(codes::DECIDES_OTHERWISE, test.operand.span.clone(), message).help(help);
            context.differs = true;
            return self.sources.report_in(context.text, problem);
        }
        for literal in literals {
            if let Some((message, help)) = otherwise(test.operator, kind, literal) {
                let problem = Problem::new(codes::DECIDES_OTHERWISE, literal.span.clone(), message).help(help);
                context.differs = true;
                return self.sources.report_in(context.text, problem);
            }
        }
    }
}

/// Whether a part of a text is found in an element if and only if it is found in the printed list.
fn is_part_of_one(literal: &Literal) -> bool {
    matches!(&literal.kind, LiteralKind::Text(text) if !text.is_empty() && !text.contains(['[', ']', ' ']))
}

fn otherwise(operator: Operator, kind: Kind, literal: &Literal) -> Option<(&'static str, &'static str)> {
    let LiteralKind::Text(text) = &literal.kind else { return None };
    if text.contains(['"', '\\']) && operator != Operator::Regex {
        return Some((
            "KubeSphere keeps the backslashes of this text",
            "here `\\\"` is a quote and `\\\\` a backslash",
        ));
    }
    match operator {
        Operator::Like if !open_at_both_ends(text) => Some((
            "KubeSphere takes this pattern for a part of the text, and its `.` for any character",
            "here it is the whole text, and only `*` and `?` mean something",
        )),
        Operator::Contains | Operator::Like | Operator::Regex | Operator::Exists => None,
        _ if kind == Kind::Instant || kind == Kind::Any && Instant::parse(text).is_some() => {
            Some(("KubeSphere compares timestamps as text", "here they are instants, at any precision and offset"))
        }
        _ if kind == Kind::Any && (Number::parse(text).is_some() || matches!(text.as_str(), "true" | "false")) => {
            Some((
                "KubeSphere finds this text in a number or boolean too",
                "here text is only equal to text: take the quotes away for a number or a boolean",
            ))
        }
        _ => None,
    }
}

/// Whether a pattern finds the same texts when it may begin and end anywhere, its other signs being plain letters.
fn open_at_both_ends(pattern: &str) -> bool {
    pattern.starts_with('*') && pattern.ends_with('*') && !pattern.contains(|it: char| ".+()[]{}|^$\\".contains(it))
}
