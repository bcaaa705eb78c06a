//! What a client writes of itself, and rules that believe it.
//!
//! A rule that finds something by such a field misses those who do not send it, as every signature does. One that leaves an event out
//! for it can be silenced by anyone who does: that is worth a warning.

use std::ops::Range;

use super::{Compiler, Context, Field};
use crate::codes;
use crate::schema;
use crate::source::Location;
use crate::syntax::{Problem, quoted};

/// A field that a client can write, where a condition reads it.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    at: Location,
    spelled: String,
    /// Whether a value can keep the condition from holding.
    excuses: bool,
}

impl Claim {
    /// The claim as it is where its condition stands negated, or not.
    pub(super) fn turned(&self, negated: bool) -> Self {
        Self { excuses: self.excuses != negated, ..self.clone() }
    }
}

impl Compiler<'_, '_> {
    /// Notes that a test, negated or not, reads a field that a client can write.
    pub(super) fn claim(&mut self, context: &mut Context<'_>, field: &Field, span: &Range<usize>, negated: bool) {
        if schema::is_forgeable(&field.steps) {
            let at = self.sources.locate(context.text, span);
            let (spelled, excuses) = (field.spelled.clone(), context.negated != negated);
            context.claims.push(Claim { at, spelled, excuses });
        }
    }

    /// Warns of the claims that excuse an event from a rule.
    pub(super) fn report_claims(&mut self, claims: &[Claim]) {
        for Claim { at, spelled, .. } in claims.iter().filter(|claim| claim.excuses) {
            let message = format!("{} leaves events out, and a client can write it", quoted(spelled));
            let help = if spelled.to_ascii_lowercase().starts_with("sourceips") {
                "`SourceIP` is the address that the apiserver saw"
            } else {
                "leave events out by what nobody can choose, like `Actor`, `User.Groups` or `SourceIP`"
            };
            let problem = Problem::new(codes::FORGEABLE, at.span.clone(), message)
                .label("who writes this is not seen")
                .help(help);
            self.sources.report(at.file, problem);
        }
    }
}
