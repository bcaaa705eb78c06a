//! Definitions to nodes: names are resolved, types checked, and every distinct part compiled once.
//!
//! A macro, list or alias is worked on when it is first referred to, and remembered; one that refers to itself is found because it
//! is still being worked on. `None` always means that an error has been reported.

mod claim;
mod kubesphere;
mod literal;
mod never;
mod outline;
mod output;
mod readings;
mod reference;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::rc::Rc;

use vedette_audit::Level;

use crate::codes;
use crate::names::{DefinitionId, Names};
use crate::program::{Builder, DEPTH_LIMIT, Matcher, Node, NodeId, PathId, REGEXES_LIMIT, Test, TooBig};
use crate::resource::{Body, RuleBody, RuleResource};
use crate::schema::{self, Kind};
use crate::source::{Sources, Text};
use crate::syntax::ast::{self, Expr, ExprKind, Operand, Operator, Step};
use crate::syntax::{Dialect, Problem, parse_condition, quoted};
use crate::yaml;

use claim::Claim;
pub(crate) use outline::{Outline, OutlineRead, Role};
pub(crate) use output::{Segment, Template};
pub(crate) use reference::ListPart;

/// Compiles the definitions of a set of resources.
pub(crate) struct Compiler<'a, 's> {
    pub(crate) sources: &'a mut Sources<'s>,
    pub(crate) builder: Builder,
    rules: &'a [RuleResource],
    /// How conditions are read where the resource says nothing of it.
    dialect: Dialect,
    names: Names<'a>,
    known: reference::Known,
    /// How many expressions are being worked on, each inside the one before, through macros as well.
    depth: usize,
    /// The paths that lead to one value at most, of a known type.
    single: HashSet<PathId>,
    /// How much was looked at for contradictions.
    demanded: usize,
    /// Whether it was said that the regular expressions take too much.
    regexes_full: bool,
}

/// A rule as it was compiled.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) root: NodeId,
    pub(crate) output: Option<Template>,
    pub(crate) reads: Rc<Reads>,
}

/// The fields of bodies that a condition or an output reads, and where it first does.
pub(crate) type Reads = BTreeMap<PathId, ReadAt>;

/// A part of a scalar's content.
#[derive(Debug, Clone)]
pub(crate) struct ReadAt {
    pub(crate) needs: Level,
    pub(crate) file: usize,
    pub(crate) node: yaml::NodeId,
    pub(crate) span: Range<usize>,
}

/// A condition as it was compiled.
#[derive(Debug, Clone)]
struct Lowered {
    node: NodeId,
    reads: Rc<Reads>,
    claims: Rc<BTreeSet<Claim>>,
    /// Whether KubeSphere would take it otherwise.
    differs: bool,
    /// How many references it is deep.
    height: usize,
}

/// What is being compiled.
struct Context<'t> {
    /// The resource that names are looked up from.
    from: usize,
    text: &'t Text,
    reads: Reads,
    claims: BTreeSet<Claim>,
    differs: bool,
    /// Whether what stands here makes the condition hold by not holding.
    negated: bool,
    height: usize,
    /// Words that are no fields, and how the test that they belong to is written.
    meant: Option<(Vec<String>, String)>,
}

impl<'t> Context<'t> {
    fn new(from: usize, text: &'t Text) -> Self {
        let (reads, claims) = (Reads::new(), BTreeSet::new());
        Self { from, text, reads, claims, differs: false, negated: false, height: 0, meant: None }
    }

    /// Notes that a body's field is read at `span`.
    fn note(&mut self, path: PathId, needs: Level, span: &Range<usize>) {
        let at = || ReadAt { needs, file: self.text.file, node: self.text.node, span: span.clone() };
        self.reads.entry(path).or_insert_with(at);
    }
}

/// A field with its aliases followed.
#[derive(Debug, Clone)]
struct Field {
    steps: Vec<Step>,
    spelled: String,
}

impl<'a, 's> Compiler<'a, 's> {
    pub(crate) fn new(sources: &'a mut Sources<'s>, rules: &'a [RuleResource], dialect: Dialect) -> Self {
        let names = Names::new(rules);
        let (known, single) = (reference::Known::default(), HashSet::new());
        let (builder, depth, demanded, regexes_full) = (Builder::new(), 0, 0, false);
        Self { sources, builder, rules, dialect, names, known, depth, single, demanded, regexes_full }
    }

    /// Compiles the rule at `id`.
    pub(crate) fn rule(&mut self, id: DefinitionId, rule: &RuleBody) -> Option<CompiledRule> {
        let lowered = self.excused(id.resource, rule);
        if let Some(lowered) = &lowered {
            self.report_claims(&lowered.claims);
            if lowered.differs {
                self.report_difference(id);
            }
        }
        let (mut output, mut shown) = (None, Reads::new());
        if let Some(text) = &rule.output {
            let (template, reads) = self.output(id.resource, text)?;
            (output, shown) = (Some(template), reads);
        }
        let Lowered { node, mut reads, .. } = lowered?;
        if !shown.is_empty() {
            let reads = Rc::make_mut(&mut reads);
            for (path, at) in shown {
                reads.entry(path).or_insert(at);
            }
        }
        Some(CompiledRule { root: node, output, reads })
    }

    /// A rule's condition, and none of its exceptions.
    fn excused(&mut self, from: usize, rule: &RuleBody) -> Option<Lowered> {
        let mut lowered = self.condition(from, &rule.condition);
        let mut nodes = Vec::with_capacity(1 + rule.exceptions.len());
        for text in &rule.exceptions {
            if self.dialect_of(from) == Dialect::KubeSphere {
                let problem = Problem::new(codes::FOREIGN, 0..0, "KubeSphere has no exceptions");
                self.sources.report_at(text, problem.help("write `and not (…)` in the condition"));
                return None;
            }
            let Some(exception) = self.condition(from, text) else {
                lowered = None;
                continue;
            };
            if let Some(lowered) = &lowered {
                self.report_excused(text, lowered.node, exception.node);
            }
            nodes.push(self.built(text, |builder| builder.node(Node::Not(exception.node)))?);
            if let Some(lowered) = &mut lowered {
                lowered.differs |= exception.differs;
                let reads = Rc::make_mut(&mut lowered.reads);
                for (path, at) in exception.reads.iter() {
                    reads.entry(*path).or_insert_with(|| at.clone());
                }
                let excuses = exception.claims.iter().map(|claim| claim.turned(true));
                Rc::make_mut(&mut lowered.claims).extend(excuses);
            }
        }
        let mut lowered = lowered?;
        if !nodes.is_empty() {
            nodes.insert(0, lowered.node);
            lowered.node = self.built(&rule.condition, |builder| builder.node(Node::And(nodes.into())))?;
        }
        Some(lowered)
    }

    /// Compiles a definition for its diagnostics alone.
    pub(crate) fn check(&mut self, id: DefinitionId) {
        let rules = self.rules;
        let Some(definition) = rules.get(id.resource).and_then(|it| it.definitions.get(id.definition)) else { return };
        match &definition.body {
            Body::Rule(rule) => drop(self.rule(id, rule)),
            Body::Macro(_) => drop(self.macro_(id)),
            Body::List(_) => drop(self.list(id)),
            Body::Alias(_) => drop(self.alias(id)),
            Body::Broken(_) => {}
        }
    }

    /// How the conditions of resource `from` are read, whoever refers to them.
    fn dialect_of(&self, from: usize) -> Dialect {
        self.rules.get(from).and_then(|resource| resource.dialect).unwrap_or(self.dialect)
    }

    fn condition(&mut self, from: usize, text: &Text) -> Option<Lowered> {
        let parsed = parse_condition(&text.text, self.dialect_of(from));
        let mut context = Context::new(from, text);
        for problem in parsed.problems {
            context.differs |= problem.code == codes::READS_OTHERWISE;
            self.sources.report_in(text, problem);
        }
        let node = self.expr(&mut context, &parsed.expr)?;
        let (reads, claims) = (context.reads.into(), context.claims.into());
        Some(Lowered { node, reads, claims, differs: context.differs, height: context.height })
    }

    /// An expression, no deeper than its nodes may be: what is deeper would overflow the stack before it had any.
    fn expr(&mut self, context: &mut Context<'_>, expr: &Expr) -> Option<NodeId> {
        if self.depth >= DEPTH_LIMIT {
            return self.built(context.text, |_| Err(TooBig::Program));
        }
        self.depth += 1;
        let node = self.shallow(context, expr);
        self.depth -= 1;
        node
    }

    fn shallow(&mut self, context: &mut Context<'_>, expr: &Expr) -> Option<NodeId> {
        let node = match &expr.kind {
            ExprKind::Error => return None,
            ExprKind::Bare(operand) => return self.bare(context, operand),
            ExprKind::Test(test) => {
                return match self.dialect_of(context.from) {
                    Dialect::Vedette => self.test(context, test, &expr.span),
                    Dialect::KubeSphere => self.judge_test(context, test),
                };
            }
            ExprKind::Not(operand) => {
                context.negated = !context.negated;
                let node = self.expr(context, operand);
                context.negated = !context.negated;
                Node::Not(node?)
            }
            ExprKind::And(operands) => {
                let nodes = self.exprs(context, operands)?;
                self.report_contradiction(context, operands, &nodes);
                Node::And(nodes)
            }
            ExprKind::Or(operands) => {
                let meant = values(operands);
                let before = std::mem::replace(&mut context.meant, meant);
                let nodes = self.exprs(context, operands);
                context.meant = before;
                Node::Or(nodes?)
            }
        };
        self.built(context.text, |builder| builder.node(node))
    }

    /// All operands; the errors of each are reported.
    fn exprs(&mut self, context: &mut Context<'_>, operands: &[Expr]) -> Option<Box<[NodeId]>> {
        let nodes: Vec<_> = operands.iter().map(|operand| self.expr(context, operand)).collect();
        nodes.into_iter().collect()
    }

    /// A macro, or a field that is a boolean.
    fn bare(&mut self, context: &mut Context<'_>, operand: &Operand) -> Option<NodeId> {
        if let Some(name) = operand.reference.as_ref().filter(|_| operand.steps.is_empty()) {
            let id = self.lookup(context, name, &operand.span)?;
            if self.is_macro(id) {
                let lowered = self.macro_(id)?;
                self.raise(context, lowered.height, &operand.span)?;
                self.reread(context, &lowered.reads, &operand.span)?;
                self.reclaim(context, &lowered.claims, &operand.span)?;
                context.differs |= lowered.differs;
                return Some(lowered.node);
            }
        }
        let field = self.field(context, operand)?;
        let kind = schema::kind(&field.steps);
        let mistaken = match kind {
            Kind::Text | Kind::Texts => "text",
            Kind::Number => "a number",
            Kind::Instant => "a timestamp",
            Kind::Duration => "a duration",
            Kind::Object => "an object",
            Kind::Any | Kind::Unknown(_) | Kind::Never => {
                if self.dialect_of(context.from) == Dialect::KubeSphere {
                    return self.judge_bare(context, &field, operand);
                }
                self.claim(context, &field, &operand.span, false);
                let path = self.read(context, &field, &operand.span)?;
                return self.predicate(context, path, Test::True, Matcher::None);
            }
        };
        let message = format!("{} is {mistaken}, which is no condition", quoted(&field.spelled));
        let problem = Problem::new(codes::ILL_TYPED, operand.span.clone(), message)
            .help(format!("compare it, `{0} = …`, or ask `{0} exists`", field.spelled));
        self.sources.report_in(context.text, problem);
        None
    }

    /// The field that an operand names; warns of one that no event has.
    fn field(&mut self, context: &mut Context<'_>, operand: &Operand) -> Option<Field> {
        let mut field = Field { steps: Vec::new(), spelled: String::new() };
        if let Some(name) = &operand.reference {
            let id = self.lookup(context, name, &operand.span)?;
            if !self.is_alias(id) {
                let message = format!("`${{{name}}}` is a {}, not a field", self.kind_of(id));
                let help = match self.kind_of(id) {
                    "list" => format!("a list stands on the right: `Verb in ${{{name}}}`"),
                    _ => "a macro stands alone, as a condition".to_owned(),
                };
                let problem = Problem::new(codes::WRONG_KIND, operand.span.clone(), message).help(help);
                self.sources.report_in(context.text, problem);
                return None;
            }
            let (alias, height) = self.alias(id)?;
            self.raise(context, height, &operand.span)?;
            field = alias;
        }
        let own = Operand { reference: None, steps: operand.steps.clone(), span: operand.span.clone() }.to_string();
        let dot = if !field.spelled.is_empty() && !own.is_empty() && !own.starts_with('[') { "." } else { "" };
        field.spelled = format!("{}{dot}{own}", field.spelled);
        field.steps.extend(operand.steps.iter().cloned());
        if operand.reference.is_none() || !operand.steps.is_empty() {
            self.warn_of_field(context, &field, operand);
        }
        Some(field)
    }

    fn warn_of_field(&mut self, context: &Context<'_>, field: &Field, operand: &Operand) {
        let problem = match schema::kind(&field.steps) {
            Kind::Unknown(near) => {
                let message = format!("no event has a field {}", quoted(&field.spelled));
                let mut problem = Problem::new(codes::UNKNOWN_EVENT_FIELD, operand.span.clone(), message);
                let reference = self.names.lookup(context.from, &field.spelled).is_ok();
                problem.help = if reference {
                    Some(format!("did you mean `${{{}}}`?", field.spelled))
                } else {
                    let near = near.map(|near| format!("did you mean `{near}`?"));
                    let all = || "the manual lists what an event has, `docs/rules/fields.md`".to_owned();
                    let meant = context.meant.as_ref().filter(|(words, _)| words.contains(&field.spelled));
                    Some(meant.map(|(_, test)| test.clone()).or(near).unwrap_or_else(all))
                };
                problem
            }
            Kind::Never => {
                let message = format!("{} goes on where there is nothing inside", quoted(&field.spelled));
                Problem::new(codes::NEVER_HOLDS, operand.span.clone(), message)
                    .help("only lists have array steps, and only objects have fields")
            }
            _ => return,
        };
        self.sources.report_in(context.text, problem);
    }

    /// The path of a field, noted where a level may leave it out.
    fn read(&mut self, context: &mut Context<'_>, field: &Field, span: &Range<usize>) -> Option<PathId> {
        let path = self.path(context.text, field)?;
        if matches!(schema::kind(&field.steps), Kind::Text | Kind::Number | Kind::Duration) {
            self.single.insert(path);
        }
        if let Some(needs) = schema::needed_level(&field.steps) {
            context.note(path, needs, span);
        }
        Some(path)
    }

    fn path(&mut self, text: &Text, field: &Field) -> Option<PathId> {
        self.built(text, |builder| builder.path(&field.steps, &field.spelled))
    }

    fn predicate(&mut self, context: &Context<'_>, path: PathId, test: Test, matcher: Matcher) -> Option<NodeId> {
        self.built(context.text, |builder| builder.predicate(path, test, matcher))
    }

    fn built<T>(&mut self, text: &Text, build: impl FnOnce(&mut Builder) -> Result<T, TooBig>) -> Option<T> {
        let built = build(&mut self.builder);
        match built {
            Err(TooBig::Program) => {
                let problem = Problem::new(codes::TOO_BIG, 0..0, "this makes the rules too big, or too deep")
                    .help("macros in macros add up: take some apart");
                self.sources.report_at(text, problem);
            }
            // It is true of all that follow, and said once.
            Err(TooBig::Regexes) if !std::mem::replace(&mut self.regexes_full, true) => {
                let message = "the regular expressions together take too much memory";
                let help = format!(
                    "at most {} MiB, those of a `like` with `?` among them; `contains`, `startswith` and `endswith` take none",
                    REGEXES_LIMIT >> 20
                );
                self.sources.report_at(text, Problem::new(codes::TOO_BIG, 0..0, message).help(help));
            }
            _ => {}
        }
        built.ok()
    }
}

/// The words of `Verb = get or list`, which are read as fields, and how that is written.
fn values(operands: &[Expr]) -> Option<(Vec<String>, String)> {
    let Some(ExprKind::Test(ast::Test { operand, operator: Operator::Equal, right, .. })) =
        operands.first().map(|first| &first.kind)
    else {
        return None;
    };
    let mut words = Vec::new();
    for other in operands.iter().skip(1) {
        let ExprKind::Bare(Operand { reference: None, steps, .. }) = &other.kind else { continue };
        if let [Step::Key(word)] = steps.as_slice() {
            words.push(word.clone());
        }
    }
    let value = right.literals().first().filter(|_| !words.is_empty())?;
    let test = format!("write `{operand} in ({value}, {})`", words.join(", "));
    Some((words, test))
}
