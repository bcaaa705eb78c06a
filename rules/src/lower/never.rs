//! Comparisons that no event can satisfy: words that a field never holds, and demands that exclude each other.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Compiler, Context, Field};
use crate::codes;
use crate::program::{Comparison, Literal, Node, NodeId, PathId, Test};
use crate::schema::{self, Words};
use crate::similar;
use crate::syntax::ast::{self, Expr, LiteralKind, Operator, Right};
use crate::syntax::{Problem, quoted};
use crate::value::Number;

/// How many nodes, and items of lists, are looked at for contradictions: macros are looked at wherever they are named.
const DEMAND_LIMIT: usize = 2_000_000;

impl Compiler<'_, '_> {
    /// Warns of values that the field never has.
    pub(super) fn report_impossible(&mut self, context: &Context<'_>, field: &Field, test: &ast::Test) {
        let literals = match (&test.right, test.operator) {
            (Right::Value(value), Operator::Equal | Operator::NotEqual) => std::slice::from_ref(value),
            (Right::Items(items), Operator::In) => items.as_slice(),
            _ => return,
        };
        let Some(words) = schema::words(&field.steps).filter(|_| !test.nocase) else { return };
        for literal in literals {
            let (LiteralKind::Text(word) | LiteralKind::Word(word)) = &literal.kind else { continue };
            let help = match words {
                Words::Known(known) if !known.contains(&word.as_str()) => {
                    let near = similar::nearest(word, known.iter().copied());
                    near.map_or_else(
                        || format!("it is one of `{}`", known.join("`, `")),
                        |near| format!("did you mean `{near}`?"),
                    )
                }
                Words::Small if word.chars().any(char::is_uppercase) => {
                    format!("it is always in small letters: `{}`", word.to_lowercase())
                }
                _ => continue,
            };
            let message = format!("{} is never {}", quoted(&field.spelled), quoted(word));
            let problem = Problem::new(codes::NEVER_HOLDS, literal.span.clone(), message).help(help);
            self.sources.report_in(context.text, problem);
        }
    }

    /// Warns where an `and` asks of one value what no value can be.
    pub(super) fn report_contradiction(&mut self, context: &Context<'_>, operands: &[Expr], nodes: &[NodeId]) {
        if self.demanded >= DEMAND_LIMIT {
            return;
        }
        let mut demands: HashMap<PathId, Demand> = HashMap::new();
        let (mut seen, mut weight) = (HashSet::new(), 0);
        for (operand, node) in operands.iter().zip(nodes) {
            let mut excluded = None;
            self.each_demand(*node, &mut seen, &mut |path, test| {
                if let Test::OneOf(items) = test {
                    weight += items.texts.len();
                }
                let demand = demands.entry(path).or_default();
                if demand.possible && !demand.narrow(test) {
                    excluded = Some(path);
                }
            });
            let Some(path) = excluded.and_then(|path| self.builder.path_at(path)) else { continue };
            let message = format!("this asks of {} what another operand of this `and` excludes", quoted(&path.spelled));
            let problem = Problem::new(codes::NEVER_HOLDS, operand.span.clone(), message)
                .label("can never hold here")
                .help("join what may be one or the other with `or`, or write `in (…)`");
            self.sources.report_in(context.text, problem);
        }
        self.demanded += seen.len() + weight;
    }

    /// What a node asks for in every case, of fields with one value; of nodes that were `seen`, nothing again.
    fn each_demand(&self, node: NodeId, seen: &mut HashSet<NodeId>, found: &mut impl FnMut(PathId, &Test)) {
        if !seen.insert(node) {
            return;
        }
        match self.builder.node_at(node) {
            Some(Node::Predicate(id)) => {
                if let Some(predicate) = self.builder.predicate_at(*id).filter(|it| self.single.contains(&it.path)) {
                    found(predicate.path, &predicate.test);
                }
            }
            Some(Node::And(parts)) => parts.iter().for_each(|part| self.each_demand(*part, seen, found)),
            _ => {}
        }
    }
}

/// What a value can still be.
struct Demand {
    possible: bool,
    texts: Option<Vec<Arc<str>>>,
    /// The bounds, and whether the bound itself is allowed.
    low: Option<(Number, bool)>,
    high: Option<(Number, bool)>,
}

impl Default for Demand {
    fn default() -> Self {
        Self { possible: true, texts: None, low: None, high: None }
    }
}

impl Demand {
    /// Whether anything is left that passes the test as well.
    fn narrow(&mut self, test: &Test) -> bool {
        match test {
            Test::Compare(Comparison::Equal, Literal::Text(text, None)) => {
                self.keep(|it| *it == **text, || vec![text.as_str().into()]);
            }
            Test::OneOf(items) if items.fields.is_empty() && !items.texts.is_empty() => {
                let listed = |it: &str| items.texts.binary_search_by(|text| (**text).cmp(it)).is_ok();
                self.keep(listed, || items.texts.clone());
            }
            Test::Compare(comparison, Literal::Number(number)) => {
                let inclusive = !matches!(comparison, Comparison::Greater | Comparison::Less);
                if matches!(comparison, Comparison::Equal | Comparison::Greater | Comparison::GreaterEqual) {
                    tighten(&mut self.low, *number, inclusive, Ordering::Greater);
                }
                if matches!(comparison, Comparison::Equal | Comparison::Less | Comparison::LessEqual) {
                    tighten(&mut self.high, *number, inclusive, Ordering::Less);
                }
            }
            _ => {}
        }
        self.possible = self.texts.as_ref().is_none_or(|texts| !texts.is_empty())
            && match (self.low, self.high) {
                (Some((low, with_low)), Some((high, with_high))) => match low.cmp(&high) {
                    Ordering::Equal => with_low && with_high,
                    order => order == Ordering::Less,
                },
                _ => true,
            };
        self.possible
    }

    fn keep(&mut self, wanted: impl Fn(&str) -> bool, all: impl FnOnce() -> Vec<Arc<str>>) {
        match &mut self.texts {
            Some(texts) => texts.retain(|text| wanted(text)),
            None => self.texts = Some(all()),
        }
    }
}

/// Moves a bound to `number`, if that leaves less; `beyond` is the side on which it does.
fn tighten(bound: &mut Option<(Number, bool)>, number: Number, inclusive: bool, beyond: Ordering) {
    let tighter = bound.is_none_or(|(old, with_old)| match number.cmp(&old) {
        Ordering::Equal => with_old && !inclusive,
        order => order == beyond,
    });
    if tighter {
        *bound = Some((number, inclusive));
    }
}
