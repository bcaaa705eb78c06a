//! Comparisons that no event can satisfy: words that a field never holds, and demands that exclude each other.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Compiler, Context, Field};
use crate::codes;
use crate::program::{Comparison, Literal, Node, NodeId, PathId, Test};
use crate::schema::{self, Words};
use crate::similar;
use crate::source::Text;
use crate::syntax::ast::{self, Expr, LiteralKind, Operator, Right};
use crate::syntax::{Problem, quoted};
use crate::text::network;
use crate::value::Number;

/// How many nodes, and items of lists, are looked at for contradictions: macros are looked at wherever they are named.
const DEMAND_LIMIT: usize = 2_000_000;

impl Compiler<'_, '_> {
    /// Warns of values that the field never has.
    pub(super) fn report_impossible(&mut self, context: &Context<'_>, field: &Field, test: &ast::Test) {
        let whole = matches!(test.operator, Operator::Equal | Operator::NotEqual | Operator::In);
        let literals = match (&test.right, test.operator) {
            (Right::Value(value), Operator::Equal | Operator::NotEqual) => std::slice::from_ref(value),
            (Right::Value(value), Operator::Contains | Operator::StartsWith | Operator::EndsWith | Operator::Like) => {
                std::slice::from_ref(value)
            }
            (Right::Items(items), Operator::In) => items.as_slice(),
            _ => return,
        };
        let Some(words) = schema::words(&field.steps).filter(|_| !test.nocase) else { return };
        for literal in literals {
            let (LiteralKind::Text(word) | LiteralKind::Word(word)) = &literal.kind else { continue };
            let help = match words {
                Words::Known(known) if whole && !known.contains(&word.as_str()) => {
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
            let verb = if whole { "is never" } else { "never has a part like" };
            let message = format!("{} {verb} {}", quoted(&field.spelled), quoted(word));
            let problem = Problem::new(codes::NEVER_HOLDS, literal.span.clone(), message).help(help);
            self.sources.report_in(context.text, problem);
        }
    }

    /// Warns of an address that is held against a network as a text.
    pub(super) fn report_network(&mut self, context: &Context<'_>, field: &Field, asked: &Test, test: &ast::Test) {
        let is_address = matches!(field.steps.first(), Some(ast::Step::Key(name))
            if ["SourceIP", "SourceIPs", "HostIP"].iter().any(|it| it.eq_ignore_ascii_case(name)));
        let is_network = |text: &str| text.contains('/') && network(text).is_some();
        let asked = if let Test::Folded(asked) = asked { asked } else { asked };
        let found = match asked {
            Test::Compare(Comparison::Equal, Literal::Text(text, _)) => Some(text.as_str()),
            Test::OneOf(items) => items.texts.iter().map(|text| &**text).find(|text| is_network(text)),
            _ => None,
        };
        let Some(text) = found.filter(|text| is_address && is_network(text)) else { return };
        let literals = test.right.literals();
        let written = literals.iter().find(|it| matches!(&it.kind, LiteralKind::Text(it) if it == text));
        let referred = || literals.iter().find(|it| matches!(it.kind, LiteralKind::Reference(_)));
        let Some(literal) = written.or_else(referred).or(literals.first()) else { return };
        let message = format!("{} is an address, and never the network {}", quoted(&field.spelled), quoted(text));
        let right = match &literal.kind {
            LiteralKind::Reference(name) => format!("${{{name}}}"),
            _ => format!("(\"{text}\")"),
        };
        let help = format!("ask for the addresses in it: `{} within {right}`", field.spelled);
        let problem = Problem::new(codes::NEVER_HOLDS, literal.span.clone(), message).help(help);
        self.sources.report_in(context.text, problem);
    }

    /// Warns of an exception that a condition brings with it, so that the rule never holds.
    pub(super) fn report_excused(&mut self, text: &Text, condition: NodeId, exception: NodeId) {
        if self.demanded >= DEMAND_LIMIT {
            return;
        }
        let mut asked = HashSet::new();
        self.each_demand(condition, &mut asked, &mut Vec::new(), &mut |_, _| {});
        let mut known = HashMap::new();
        if self.follows(exception, &asked, &mut known) {
            let message = "this exception excuses every event that the condition takes";
            let problem = Problem::new(codes::NEVER_HOLDS, 0..text.text.len(), message)
                .label("so the rule never holds")
                .help("an exception asks for something that the condition does not");
            self.sources.report_in(text, problem);
        }
        self.demanded += asked.len() + known.len();
    }

    /// Whether a node holds wherever all that is `asked` does, as far as that is plain.
    fn follows(&self, node: NodeId, asked: &HashSet<NodeId>, known: &mut HashMap<NodeId, bool>) -> bool {
        if asked.contains(&node) {
            return true;
        }
        if let Some(known) = known.get(&node) {
            return *known;
        }
        let follows = match self.builder.node_at(node) {
            Some(Node::And(parts)) => parts.iter().all(|part| self.follows(*part, asked, known)),
            Some(Node::Or(parts)) => parts.iter().any(|part| self.follows(*part, asked, known)),
            _ => false,
        };
        known.insert(node, follows);
        follows
    }

    /// Warns where an `and` asks of one value what no value can be, or for something and its opposite.
    pub(super) fn report_contradiction(&mut self, context: &Context<'_>, operands: &[Expr], nodes: &[NodeId]) {
        if self.demanded >= DEMAND_LIMIT {
            return;
        }
        let mut demands: HashMap<PathId, Demand> = HashMap::new();
        let (mut seen, mut weight) = (HashSet::new(), 0);
        let (mut refused, mut operands_refused) = (Vec::new(), Vec::new());
        let mut excluding = HashSet::new();
        for (operand, node) in operands.iter().zip(nodes) {
            let mut excluded = None;
            self.each_demand(*node, &mut seen, &mut refused, &mut |path, test| {
                if let Test::OneOf(items) = test {
                    weight += items.texts.len();
                }
                let demand = demands.entry(path).or_default();
                if demand.possible && !demand.narrow(test) {
                    excluded = Some(path);
                }
            });
            operands_refused.resize(refused.len(), operand);
            let Some(path) = excluded.and_then(|path| self.builder.path_at(path)) else { continue };
            let message = format!("this asks of {} what another operand of this `and` excludes", quoted(&path.spelled));
            let problem = Problem::new(codes::NEVER_HOLDS, operand.span.clone(), message)
                .label("can never hold here")
                .help("join what may be one or the other with `or`, or write `in (…)`");
            self.sources.report_in(context.text, problem);
            excluding.insert(operand.span.start);
        }
        let mut known = HashMap::new();
        for (node, operand) in refused.into_iter().zip(operands_refused) {
            weight += 1;
            let impossible = self.follows(node, &seen, &mut known) || self.refuse(node, &mut demands, &mut weight);
            if impossible && excluding.insert(operand.span.start) {
                let message = "this excludes what another operand of this `and` asks for";
                let problem = Problem::new(codes::NEVER_HOLDS, operand.span.clone(), message)
                    .label("can never hold here")
                    .help("take one of the two away, or join them with `or`");
                self.sources.report_in(context.text, problem);
            }
        }
        self.demanded += seen.len() + known.len() + weight;
    }

    /// Whether nothing is left of what a field may be once it must not pass the test of a node.
    fn refuse(&self, node: NodeId, demands: &mut HashMap<PathId, Demand>, weight: &mut usize) -> bool {
        let Some(Node::Predicate(id)) = self.builder.node_at(node) else { return false };
        let Some(predicate) = self.builder.predicate_at(*id) else { return false };
        let Some(demand) = demands.get_mut(&predicate.path).filter(|demand| demand.possible) else { return false };
        let Some(texts) = &mut demand.texts else { return false };
        *weight += texts.len();
        match &predicate.test {
            Test::Compare(Comparison::Equal, Literal::Text(text, None)) => texts.retain(|it| **it != **text),
            Test::OneOf(items) => {
                texts.retain(|it| items.texts.binary_search_by(|text| (**text).cmp(it)).is_err());
            }
            _ => {}
        }
        demand.possible = !texts.is_empty();
        !demand.possible
    }

    /// What a node asks for in every case, of fields with one value, and the nodes that must not hold; of nodes that were `seen`,
    /// nothing again.
    fn each_demand(
        &self,
        node: NodeId,
        seen: &mut HashSet<NodeId>,
        refused: &mut Vec<NodeId>,
        found: &mut impl FnMut(PathId, &Test),
    ) {
        if !seen.insert(node) {
            return;
        }
        match self.builder.node_at(node) {
            Some(Node::Predicate(id)) => {
                if let Some(predicate) = self.builder.predicate_at(*id).filter(|it| self.single.contains(&it.path)) {
                    found(predicate.path, &predicate.test);
                }
            }
            Some(Node::And(parts)) => parts.iter().for_each(|part| self.each_demand(*part, seen, refused, found)),
            Some(Node::Not(inner)) => refused.push(*inner),
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
