//! Compiled conditions: paths, predicates over paths, and nodes over predicates, each distinct one once.
//!
//! INVARIANT: a node comes after the nodes that it is made of, and no deeper than [`DEPTH_LIMIT`] of them, so that evaluating by
//! recursion is bounded. Everything is only ever appended while compiling, which lets [`Builder::finish`] cut off what was compiled
//! for its diagnostics alone.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use vedette_audit::Level;

use crate::derived::Derived;
use crate::glob::Glob;
use crate::interned::Interned;
use crate::kubesphere::Judgement;
use crate::pattern::{Pattern, PatternError};
use crate::schema;
use crate::syntax::ast::Step;
use crate::text::Networks;
use crate::value::Number;
use vedette_audit::Instant;

/// How deep nodes may stand in each other.
pub(crate) const DEPTH_LIMIT: usize = 512;
/// How many nodes, predicates or paths a program may have.
const SIZE_LIMIT: usize = 4_000_000;
/// How much memory all regular expressions together may take, in bytes, each with the automaton of one thread.
pub(crate) const REGEXES_LIMIT: usize = 256 << 20;
/// How much of that an automaton may take: that of one of the first, and that of any other, since many such sets are of small ones.
const AUTOMATA: [usize; 2] = [1 << 17, 1 << 13];
/// How many are the first.
const FIRST_REGEXES: usize = 512;

macro_rules! ids {
    ($($name:ident)*) => {
        $(
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub(crate) struct $name(pub(crate) u32);

            impl $name {
                pub(crate) fn index(self) -> usize {
                    self.0 as usize
                }

                /// `count` is below `SIZE_LIMIT`.
                fn new(count: usize) -> Self {
                    Self(u32::try_from(count).unwrap_or(u32::MAX))
                }
            }
        )*
    };
}

ids! { FieldId PathId PredicateId NodeId }

impl FieldId {
    /// The event itself.
    pub(crate) const ROOT: Self = Self(0);
}

/// What the rules in force need to know of an event, and what they ask of it.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) fields: FieldTree,
    pub(crate) paths: Vec<Path>,
    pub(crate) derived: Vec<DerivedPath>,
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) nodes: Vec<Node>,
}

/// A path whose value is made of those at others, which come before it.
#[derive(Debug)]
pub(crate) struct DerivedPath {
    pub(crate) derived: Derived,
    pub(crate) path: PathId,
    pub(crate) sources: Vec<PathId>,
}

/// The names that paths follow, as a tree: what is not in it is not read from an event.
#[derive(Debug, Default)]
pub(crate) struct FieldTree {
    /// Every field below the event in the order of their numbers: its parent, and its name in lower case.
    named: Vec<(FieldId, Box<str>)>,
    known: Interned,
}

/// A path into an event.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) steps: Box<[PathStep]>,
    /// As the first rule that names it spells it.
    pub(crate) spelled: Arc<str>,
    /// The least level that records it, if that is above `Metadata` and what is not recorded is unknown.
    pub(crate) needs: Option<Level>,
    /// Whether a list is one value: no step goes into it that does not say so. What is not recorded is missing then.
    pub(crate) whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum PathStep {
    Key(FieldId),
    Any,
    Index(usize),
    Range(usize, Option<usize>),
}

/// A question about the values at a path.
#[derive(Debug)]
pub(crate) struct Predicate {
    pub(crate) path: PathId,
    pub(crate) test: Test,
    pub(crate) matcher: Matcher,
}

/// What is asked of a value; equal tests are the same test.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Exists,
    True,
    Compare(Comparison, Literal),
    OneOf(Box<Items>),
    Contains(String),
    Like(String),
    Regex(String),
    StartsWith(String),
    EndsWith(String),
    Within(Networks),
    /// The test on the value's text without regard to case; what the test holds is folded.
    Folded(Box<Test>),
    /// As KubeSphere's engine judges, at a path whose values are whole.
    Judged(Box<Judgement>),
}

/// The comparisons that need no negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A value on the right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Literal {
    Text(String, Option<Instant>),
    Number(Number),
    Bool(bool),
}

/// What stands in an `in (…)`, each once and, fields aside, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Items {
    /// Shared with the list that they come from; those that are timestamps stand in `instants` alone.
    pub(crate) texts: Vec<Arc<str>>,
    pub(crate) numbers: Vec<Number>,
    pub(crate) bools: Vec<bool>,
    pub(crate) instants: Vec<Instant>,
    /// Fields of the same event: any of their values counts.
    pub(crate) fields: Vec<PathId>,
}

/// What a test was compiled to, where that takes work.
#[derive(Debug)]
pub(crate) enum Matcher {
    None,
    Glob(Glob),
    Regex(Arc<Pattern>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Constant(bool),
    Predicate(PredicateId),
    Not(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
}

/// What there would be too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooBig {
    /// The program would be too big, or a node too deep.
    Program,
    /// The regular expressions would take too much memory.
    Regexes,
}

/// How much of a program there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    fields: usize,
    paths: usize,
    predicates: usize,
    nodes: usize,
}

/// A program that grows.
#[derive(Debug)]
pub(crate) struct Builder {
    program: Program,
    paths: Interned,
    predicates: Interned,
    nodes: Interned,
    depths: Vec<usize>,
    regexes: HashMap<String, Arc<Pattern>>,
    /// How much memory the regular expressions may take.
    regexes_weight: usize,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            program: Program {
                fields: FieldTree::default(),
                paths: Vec::new(),
                derived: Vec::new(),
                predicates: Vec::new(),
                nodes: Vec::new(),
            },
            paths: Interned::default(),
            predicates: Interned::default(),
            nodes: Interned::default(),
            depths: Vec::new(),
            regexes: HashMap::new(),
            regexes_weight: 0,
        }
    }

    /// The path of `steps`; `spelled` is remembered if it is a new one.
    pub(crate) fn path(&mut self, steps: &[Step], spelled: &str) -> Result<PathId, TooBig> {
        let Some(derived) = Derived::at(steps) else { return self.add_path(steps, spelled, false) };
        let mut sources = Vec::new();
        for names in derived.sources() {
            let steps: Vec<_> = names.iter().map(|name| Step::Key((*name).to_owned())).collect();
            sources.push(self.add_path(&steps, &names.join("."), false)?);
        }
        let path = self.add_path(steps, spelled, false)?;
        if self.program.derived.iter().all(|known| known.path != path) {
            self.program.derived.push(DerivedPath { derived, path, sources });
        }
        Ok(path)
    }

    /// The path of `names`, at which a list is one value.
    pub(crate) fn whole_path(&mut self, names: &[Step], spelled: &str) -> Result<PathId, TooBig> {
        self.add_path(names, spelled, true)
    }

    fn add_path(&mut self, steps: &[Step], spelled: &str, whole: bool) -> Result<PathId, TooBig> {
        let mut field = FieldId::ROOT;
        let mut compiled = Vec::with_capacity(steps.len());
        for step in steps {
            compiled.push(match step {
                Step::Key(name) => {
                    // A dot in a name is a step of its own wherever names come from.
                    for part in name.split('.') {
                        field = self.program.fields.child_or_new(field, part)?;
                    }
                    PathStep::Key(field)
                }
                Step::Any => PathStep::Any,
                Step::Index(index) => PathStep::Index(*index),
                Step::Range(from, to) => PathStep::Range(*from, *to),
            });
        }
        let hash = self.paths.hash((&*compiled, whole));
        let paths = &self.program.paths;
        let is = |it: u32| paths.get(it as usize).is_some_and(|it| *it.steps == *compiled && it.whole == whole);
        if let Some(id) = self.paths.find(hash, is) {
            return Ok(PathId(id));
        }
        let id = PathId::new(checked(paths.len())?);
        let needs = if whole { None } else { schema::needed_level(steps) };
        self.program.paths.push(Path { steps: compiled.into(), spelled: spelled.into(), needs, whole });
        self.paths.insert(hash, id.0);
        Ok(id)
    }

    /// The node that asks `test` of the values at `path`.
    pub(crate) fn predicate(&mut self, path: PathId, test: Test, matcher: Matcher) -> Result<NodeId, TooBig> {
        let hash = self.predicates.hash((path, &test));
        let predicates = &self.program.predicates;
        let is = |it: u32| predicates.get(it as usize).is_some_and(|it| it.path == path && it.test == test);
        let id = match self.predicates.find(hash, is) {
            Some(id) => PredicateId(id),
            None => {
                let id = PredicateId::new(checked(predicates.len())?);
                self.program.predicates.push(Predicate { path, test, matcher });
                self.predicates.insert(hash, id.0);
                id
            }
        };
        self.node(Node::Predicate(id))
    }

    /// A compiled regular expression, each distinct one once.
    pub(crate) fn regex(&mut self, pattern: &str) -> Result<Result<Arc<Pattern>, PatternError>, TooBig> {
        if let Some(known) = self.regexes.get(pattern) {
            return Ok(Ok(known.clone()));
        }
        // Nothing more is compiled once there is too much.
        if self.regexes_weight > REGEXES_LIMIT {
            return Err(TooBig::Regexes);
        }
        let [large, small] = AUTOMATA;
        let compiled = match Pattern::new(pattern, if self.regexes.len() < FIRST_REGEXES { large } else { small }) {
            Ok(compiled) => Arc::new(compiled),
            Err(error) => return Ok(Err(error)),
        };
        self.regexes_weight += compiled.weight();
        if self.regexes_weight > REGEXES_LIMIT {
            return Err(TooBig::Regexes);
        }
        self.regexes.insert(pattern.to_owned(), compiled.clone());
        Ok(Ok(compiled))
    }

    /// The node `node`, which is made of nodes of this builder.
    pub(crate) fn node(&mut self, node: Node) -> Result<NodeId, TooBig> {
        let node = match node {
            // Twice negated is itself.
            Node::Not(inner) => match self.program.nodes.get(inner.index()) {
                Some(Node::Not(inmost)) => return Ok(*inmost),
                Some(Node::Constant(value)) => Node::Constant(!value),
                _ => Node::Not(inner),
            },
            node => node,
        };
        let hash = self.nodes.hash(&node);
        let nodes = &self.program.nodes;
        if let Some(id) = self.nodes.find(hash, |it| nodes.get(it as usize) == Some(&node)) {
            return Ok(NodeId(id));
        }
        let below = match &node {
            Node::Constant(_) | Node::Predicate(_) => 0,
            Node::Not(inner) => self.depth(*inner),
            Node::And(parts) | Node::Or(parts) => parts.iter().map(|part| self.depth(*part)).max().unwrap_or(0),
        };
        if below >= DEPTH_LIMIT {
            return Err(TooBig::Program);
        }
        let id = NodeId::new(checked(nodes.len())?);
        self.program.nodes.push(node);
        self.depths.push(below + 1);
        self.nodes.insert(hash, id.0);
        Ok(id)
    }

    fn depth(&self, node: NodeId) -> usize {
        self.depths.get(node.index()).copied().unwrap_or(0)
    }

    /// How much there is by now.
    pub(crate) fn mark(&self) -> Mark {
        let Program { fields, paths, derived: _, predicates, nodes } = &self.program;
        let (paths, predicates, nodes) = (paths.len(), predicates.len(), nodes.len());
        Mark { fields: fields.named.len(), paths, predicates, nodes }
    }

    /// The path at `id`.
    pub(crate) fn path_at(&self, id: PathId) -> Option<&Path> {
        self.program.paths.get(id.index())
    }

    /// The node at `id`.
    pub(crate) fn node_at(&self, id: NodeId) -> Option<&Node> {
        self.program.nodes.get(id.index())
    }

    /// The predicate at `id`.
    pub(crate) fn predicate_at(&self, id: PredicateId) -> Option<&Predicate> {
        self.program.predicates.get(id.index())
    }

    /// The program as it was at `mark`.
    pub(crate) fn finish(self, mark: Mark) -> Program {
        let mut program = self.program;
        program.paths.truncate(mark.paths);
        program.derived.retain(|derived| derived.path.index() < mark.paths);
        program.predicates.truncate(mark.predicates);
        program.nodes.truncate(mark.nodes);
        program.fields.named.truncate(mark.fields);
        program
    }
}

impl FieldTree {
    fn child_or_new(&mut self, parent: FieldId, name: &str) -> Result<FieldId, TooBig> {
        let mut name = Cow::Borrowed(name);
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name.to_mut().make_ascii_lowercase();
        }
        let hash = self.known.hash((parent, &*name));
        let is = |it: u32| self.named.get(it as usize).is_some_and(|(above, it)| *above == parent && **it == *name);
        if let Some(place) = self.known.find(hash, is) {
            return Ok(FieldId(place + 1));
        }
        let child = FieldId::new(checked(self.len())?);
        self.known.insert(hash, child.0 - 1);
        self.named.push((parent, name.into()));
        Ok(child)
    }

    /// How many fields there are, the event itself among them.
    pub(crate) fn len(&self) -> usize {
        self.named.len() + 1
    }

    /// Every field below the event, in their order: its parent, its name in lower case, itself.
    pub(crate) fn into_names(self) -> impl Iterator<Item = (FieldId, Box<str>, FieldId)> {
        (1..).zip(self.named).map(|(field, (parent, name))| (parent, name, FieldId(field)))
    }
}

impl Items {
    /// Brings the items into their one order.
    pub(crate) fn sort(&mut self) {
        fn unique<T: Ord>(items: &mut Vec<T>) {
            items.sort_unstable();
            items.dedup();
        }
        unique(&mut self.texts);
        unique(&mut self.numbers);
        unique(&mut self.bools);
        unique(&mut self.instants);
        // Fields stay as they are written: which of them is missing first is told.
        let mut seen = HashSet::new();
        self.fields.retain(|field| seen.insert(*field));
    }
}

fn checked(count: usize) -> Result<usize, TooBig> {
    if count < SIZE_LIMIT { Ok(count) } else { Err(TooBig::Program) }
}
