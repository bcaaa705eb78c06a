//! What a client writes of itself, and rules that believe it.
//!
//! A rule that finds something by such a field misses those who do not send it, as every signature does. One that leaves an event out
//! for it can be silenced by anyone who does: that is worth a warning.

use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use super::{Compiler, Context, Field};
use crate::codes;
use crate::schema;
use crate::syntax::{Problem, quoted};
use crate::yaml::NodeId;

/// A field that a client can write, where a condition reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    file: usize,
    node: NodeId,
    /// The bytes of the scalar's content at which it is read.
    start: usize,
    end: usize,
    spelled: Rc<str>,
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
            let (file, node, excuses) = (context.text.file, context.text.node, context.negated != negated);
            let (start, end, spelled) = (span.start, span.end, field.spelled.as_str().into());
            context.claims.insert(Claim { file, node, start, end, spelled, excuses });
        }
    }

    /// Warns of the claims that excuse an event from a rule, of each once.
    pub(super) fn report_claims(&mut self, claims: &BTreeSet<Claim>) {
        for claim in claims.iter().filter(|claim| claim.excuses) {
            if !self.known.distrust(claim) {
                continue;
            }
            let Claim { file, node, start, end, spelled, .. } = claim;
            self.sources.report_made(*file, *node, codes::FORGEABLE, || {
                let message = format!("{} leaves events out, and a client can write it", quoted(spelled));
                let help = if spelled.to_ascii_lowercase().starts_with("sourceips") {
                    "`SourceIP` is the address that the apiserver saw"
                } else {
                    "leave events out by what nobody can choose, like `Actor`, `User.Groups` or `SourceIP`"
                };
                Problem::new(codes::FORGEABLE, *start..*end, message).label("who writes this is not seen").help(help)
            });
        }
    }
}
