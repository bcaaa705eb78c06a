//! Macros, lists and aliases: looked up, worked on once, and kept from referring to themselves.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::claim::Claim;
use super::{Compiler, Context, Field, Lowered, Reads};
use crate::codes;
use crate::names::{DefinitionId, LookupError};
use crate::program::PathId;
use crate::resource::{Body, Definition};
use crate::schema::{self, Kind};
use crate::source::Text;
use crate::syntax::ast::Step;
use crate::syntax::{Problem, parse_operand, quoted};

/// How deep references may lead through references.
const HEIGHT_LIMIT: usize = 64;
/// How many items all lists together may have, lists in lists unfolded.
const LIST_LIMIT: usize = 2_000_000;

/// How much of something all conditions together may have.
struct Limit {
    most: usize,
    counted: fn(&mut Known) -> &mut usize,
    /// What it is that there is too much.
    message: &'static str,
    /// What counts how often.
    each: &'static str,
}

/// The fields that they read through macros and lists: those of bodies, and those that a client writes.
const REREAD: Limit = Limit {
    most: 1_000_000,
    counted: |known| &mut known.reread,
    message: "the conditions together read too many fields through names",
    each: "each macro and list counted where it is named",
};
/// The items of lists that they compare with.
const COMPARED: Limit = Limit {
    most: LIST_LIMIT,
    counted: |known| &mut known.compared,
    message: "the conditions together compare with too many items",
    each: "each list counted where it is named",
};

/// What has been worked on.
#[derive(Default)]
pub(super) struct Known {
    macros: HashMap<DefinitionId, Option<Lowered>>,
    aliases: HashMap<DefinitionId, Option<(Field, usize)>>,
    lists: HashMap<DefinitionId, Option<List>>,
    /// The definitions that are being worked on, outermost first.
    working: Vec<DefinitionId>,
    /// How many items the lists have.
    items: usize,
    /// How many items of lists conditions were given to compare with.
    compared: usize,
    /// How many fields, those of bodies and those that a client writes, conditions and outputs read through macros and lists.
    reread: usize,
    /// What something refers to.
    used: HashSet<DefinitionId>,
    /// The claims that were warned of.
    distrusted: BTreeSet<Claim>,
}

impl Known {
    /// Notes that something refers to a definition.
    pub(super) fn use_of(&mut self, id: DefinitionId) {
        self.used.insert(id);
    }

    /// Whether a claim has not been warned of yet; it has been then.
    pub(super) fn distrust(&mut self, claim: &Claim) -> bool {
        self.distrusted.insert(claim.clone())
    }
}

/// A list, the lists in it unfolded.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) parts: Arc<[ListPart]>,
    /// The fields of bodies among them, at the items that name them.
    pub(super) reads: Rc<Reads>,
    pub(super) height: usize,
}

/// An item of a list, shared by the lists and outputs that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListPart {
    Text(Arc<str>),
    /// An alias: the values of a field.
    Field(PathId),
}

impl<'a> Compiler<'a, '_> {
    /// What a name in `context` stands for.
    pub(super) fn lookup(&mut self, context: &Context<'_>, name: &str, span: &Range<usize>) -> Option<DefinitionId> {
        let problem = match self.names.lookup(context.from, name) {
            Ok(id) => {
                self.known.use_of(id);
                return Some(id);
            }
            Err(LookupError::Unknown) => {
                let mut problem = Problem::new(
                    codes::UNKNOWN_NAME,
                    span.clone(),
                    format!("{} is not defined", quoted(&format!("${{{name}}}"))),
                );
                let first = name.split('.').next().unwrap_or_default();
                if self.sources.takes(codes::UNKNOWN_NAME.severity) {
                    problem.help = self.names.suggest(context.from, name).or_else(|| {
                        schema::is_field(first).then(|| format!("a field is written without `${{}}`: `{name}`"))
                    });
                    let define = "define it: an entry of type `macro`, `list` or `alias` in this resource";
                    problem.help = problem.help.or_else(|| Some(define.to_owned()));
                }
                problem
            }
            Err(LookupError::Ambiguous(found)) => {
                let places: Vec<_> =
                    found.iter().filter_map(|id| Some(self.sources.describe(&self.definition(*id)?.at))).collect();
                let message = format!("{} fits more than one definition", quoted(&format!("${{{name}}}")));
                let help = format!("it is defined at {}; give one resource another name", places.join(" and "));
                Problem::new(codes::AMBIGUOUS_NAME, span.clone(), message).help(help)
            }
        };
        self.sources.report_in(context.text, problem);
        None
    }

    /// Says what nothing refers to, and what hides something; asked when everything has been compiled.
    pub(crate) fn report_definitions(&mut self) {
        self.report_unused();
        self.report_shadows();
        self.report_hidden_fields();
    }

    fn report_unused(&mut self) {
        // What is broken may have been meant to refer to anything.
        if self.sources.has_errors() {
            return;
        }
        for (resource, rules) in self.rules.iter().enumerate() {
            for (definition, it) in rules.definitions.iter().enumerate() {
                let id = DefinitionId { resource, definition };
                if !matches!(it.body, Body::Macro(_) | Body::List(_) | Body::Alias(_)) || self.known.used.contains(&id)
                {
                    continue;
                }
                let message = format!("the {} `{}` is never used", self.kind_of(id), it.name);
                let problem = Problem::new(codes::UNUSED, it.at.span.clone(), message)
                    .help(format!("write `${{{}}}` where it is meant, or take it away", it.name));
                self.sources.report(it.at.file, problem);
            }
        }
    }

    fn report_shadows(&mut self) {
        for (own, hidden) in self.names.shadows() {
            let (Some(it), Some(other)) = (self.definition(own), self.definition(hidden)) else { continue };
            let message = format!("`{}` hides the {} of that name in another resource", it.name, self.kind_of(hidden));
            let help =
                format!("the other is at {}; give this one a name without its dot", self.sources.describe(&other.at));
            let problem = Problem::new(codes::SHADOWED, it.at.span.clone(), message).help(help);
            self.sources.report(it.at.file, problem);
        }
    }

    /// Warns of names that an output takes for something else than the field that is called so.
    fn report_hidden_fields(&mut self) {
        for (resource, rules) in self.rules.iter().enumerate() {
            for (definition, it) in rules.definitions.iter().enumerate() {
                if !matches!(it.body, Body::List(_) | Body::Alias(_)) {
                    continue;
                }
                let Some(operand) = parse_operand(&it.name, &mut Vec::new()).filter(|it| it.reference.is_none()) else {
                    continue;
                };
                // Of an object nobody would show the whole.
                if matches!(schema::kind(&operand.steps), Kind::Unknown(_) | Kind::Never | Kind::Object) {
                    continue;
                }
                let id = DefinitionId { resource, definition };
                let alias = self.known.aliases.get(&id).and_then(Option::as_ref);
                if alias.is_some_and(|(field, _)| same(&field.steps, &operand.steps)) {
                    continue;
                }
                let kind = self.kind_of(id);
                let message = format!("the {kind} `{0}` hides the field `{0}` in outputs", it.name);
                let help = format!("there `${{{}}}` is this {kind}: give it a name that is no field's", it.name);
                let problem = Problem::new(codes::SHADOWED, it.at.span.clone(), message).help(help);
                self.sources.report(it.at.file, problem);
            }
        }
    }

    pub(super) fn definition(&self, id: DefinitionId) -> Option<&'a Definition> {
        self.rules.get(id.resource)?.definitions.get(id.definition)
    }

    pub(super) fn is_macro(&self, id: DefinitionId) -> bool {
        self.kind_of(id) == "macro"
    }

    pub(super) fn is_alias(&self, id: DefinitionId) -> bool {
        self.kind_of(id) == "alias"
    }

    pub(super) fn kind_of(&self, id: DefinitionId) -> &'static str {
        match self.definition(id).map(|definition| &definition.body) {
            Some(Body::Macro(_)) => "macro",
            Some(Body::List(_)) => "list",
            Some(Body::Alias(_)) => "alias",
            Some(Body::Rule(_)) => "rule",
            Some(Body::Broken(kind)) => kind.unwrap_or("broken definition"),
            None => "definition",
        }
    }

    /// Notes that `context` refers to something `height` references deep.
    pub(super) fn raise(&mut self, context: &mut Context<'_>, height: usize, span: &Range<usize>) -> Option<()> {
        context.height = context.height.max(height + 1);
        if context.height <= HEIGHT_LIMIT {
            return Some(());
        }
        let problem = Problem::new(codes::TOO_BIG, span.clone(), "references lead through too many references")
            .help(format!("at most {HEIGHT_LIMIT}"));
        self.sources.report_in(context.text, problem);
        None
    }

    /// Notes that `context` reads the fields of bodies that a macro or list reads.
    pub(super) fn reread(&mut self, context: &mut Context<'_>, reads: &Reads, span: &Range<usize>) -> Option<()> {
        self.count(context, &REREAD, reads.len(), span)?;
        for (path, at) in reads {
            context.reads.entry(*path).or_insert_with(|| at.clone());
        }
        Some(())
    }

    /// Notes that `context` believes the clients that a macro believes.
    pub(super) fn reclaim(
        &mut self,
        context: &mut Context<'_>,
        claims: &BTreeSet<Claim>,
        span: &Range<usize>,
    ) -> Option<()> {
        self.count(context, &REREAD, claims.len(), span)?;
        let negated = context.negated;
        context.claims.extend(claims.iter().map(|claim| claim.turned(negated)));
        Some(())
    }

    /// Counts `more` of what all conditions together may have so much of. It is said once that it is too much.
    fn count(&mut self, context: &Context<'_>, limit: &Limit, more: usize, span: &Range<usize>) -> Option<()> {
        let counted = (limit.counted)(&mut self.known);
        let before = *counted;
        *counted += more;
        if *counted <= limit.most {
            return Some(());
        }
        if before <= limit.most {
            let Limit { most, message, each, .. } = limit;
            let problem = Problem::new(codes::TOO_BIG, span.clone(), *message).help(format!("at most {most}, {each}"));
            self.sources.report_in(context.text, problem);
        }
        None
    }

    pub(super) fn macro_(&mut self, id: DefinitionId) -> Option<Lowered> {
        if let Some(known) = self.known.macros.get(&id) {
            return known.clone();
        }
        let lowered = self.work(id, |compiler, definition| match &definition.body {
            Body::Macro(text) => compiler.condition(id.resource, text),
            _ => None,
        });
        self.known.macros.insert(id, lowered.clone());
        lowered
    }

    /// The field of an alias, and how many references it is deep.
    pub(super) fn alias(&mut self, id: DefinitionId) -> Option<(Field, usize)> {
        if let Some(known) = self.known.aliases.get(&id) {
            return known.clone();
        }
        let field = self.work(id, |compiler, definition| match &definition.body {
            Body::Alias(text) => {
                let mut problems = Vec::new();
                let operand = parse_operand(&text.text, &mut problems);
                for problem in problems {
                    compiler.sources.report_in(text, problem);
                }
                let mut context = Context::new(id.resource, text);
                let field = compiler.field(&mut context, &operand?)?;
                Some((field, context.height))
            }
            _ => None,
        });
        self.known.aliases.insert(id, field.clone());
        field
    }

    pub(super) fn list(&mut self, id: DefinitionId) -> Option<List> {
        if let Some(known) = self.known.lists.get(&id) {
            return known.clone();
        }
        let list = self.work(id, |compiler, definition| match &definition.body {
            Body::List(items) => compiler.unfold(id.resource, items),
            _ => None,
        });
        self.known.lists.insert(id, list.clone());
        list
    }

    fn unfold(&mut self, from: usize, items: &[Text]) -> Option<List> {
        let mut parts = Vec::with_capacity(items.len());
        let (mut reads, mut height) = (Reads::new(), 0);
        let mut whole = true;
        for item in items {
            let Some(start) = item.text.find("${") else {
                parts.push(ListPart::Text(item.text.as_str().into()));
                continue;
            };
            let name = item.text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            let Some(name) = name.map(str::trim).filter(|name| !name.contains(['$', '{', '}'])) else {
                let problem =
                    Problem::new(codes::BAD_REFERENCE, start..item.text.len(), "a reference stands alone in an item")
                        .help("write it as an item of its own: `- ${name}`");
                self.sources.report_in(item, problem);
                whole = false;
                continue;
            };
            let mut context = Context { reads, height, ..Context::new(from, item) };
            let span = 0..item.text.len();
            let unfolded = self.item(&mut context, name, &span, &mut parts);
            whole &= unfolded.is_some();
            (reads, height) = (context.reads, context.height);
            self.listed(item, parts.len())?;
        }
        if let Some(item) = items.last() {
            self.listed(item, parts.len())?;
        }
        self.known.items += parts.len();
        whole.then(|| List { parts: parts.into(), reads: reads.into(), height })
    }

    /// Whether there is room for `more` items.
    fn listed(&mut self, item: &Text, more: usize) -> Option<()> {
        if self.known.items + more <= LIST_LIMIT {
            return Some(());
        }
        let problem = Problem::new(codes::TOO_BIG, 0..0, "the lists together have too many items")
            .help(format!("at most {LIST_LIMIT}, lists in lists unfolded"));
        self.sources.report_at(item, problem);
        None
    }

    /// A list that a condition compares with.
    pub(super) fn compared(
        &mut self,
        context: &mut Context<'_>,
        id: DefinitionId,
        span: &Range<usize>,
    ) -> Option<List> {
        let list = self.list(id)?;
        self.raise(context, list.height, span)?;
        self.count(context, &COMPARED, list.parts.len(), span)?;
        Some(list)
    }

    /// An item that is a reference: another list's items, or the field of an alias.
    fn item(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
        span: &Range<usize>,
        parts: &mut Vec<ListPart>,
    ) -> Option<()> {
        let id = self.lookup(context, name, span)?;
        match self.kind_of(id) {
            "list" => {
                let list = self.list(id)?;
                self.raise(context, list.height, span)?;
                self.reread(context, &list.reads, span)?;
                parts.extend(list.parts.iter().cloned());
            }
            "alias" => {
                let (field, height) = self.alias(id)?;
                self.raise(context, height, span)?;
                parts.push(ListPart::Field(self.read(context, &field, span)?));
            }
            kind => {
                let message = format!("`${{{name}}}` is a {kind} and cannot stand in a list");
                let problem = Problem::new(codes::WRONG_KIND, span.clone(), message)
                    .help("a list holds texts, lists and aliases");
                self.sources.report_in(context.text, problem);
                return None;
            }
        }
        Some(())
    }

    /// Works on a definition, unless that is going on already.
    fn work<T>(&mut self, id: DefinitionId, work: impl FnOnce(&mut Self, &'a Definition) -> Option<T>) -> Option<T> {
        let definition = self.definition(id)?;
        if self.known.working.contains(&id) || self.known.working.len() > HEIGHT_LIMIT {
            self.cycle(id, definition);
            return None;
        }
        self.known.working.push(id);
        let done = work(self, definition);
        self.known.working.pop();
        done
    }

    fn cycle(&mut self, id: DefinitionId, definition: &Definition) {
        let Some(start) = self.known.working.iter().position(|working| *working == id) else {
            let problem =
                Problem::new(codes::TOO_BIG, definition.at.span.clone(), "references lead through too many references")
                    .help(format!("at most {HEIGHT_LIMIT}"));
            self.sources.report(definition.at.file, problem);
            return;
        };
        let mut names: Vec<String> = Vec::new();
        for working in self.known.working.iter().skip(start).chain([&id]) {
            names.extend(self.definition(*working).map(|definition| format!("`${{{}}}`", definition.name)));
        }
        let message = format!("{} refers to itself", names.first().map_or("this", String::as_str));
        let problem = Problem::new(codes::CYCLE, definition.at.span.clone(), message).help(names.join(" → "));
        self.sources.report(definition.at.file, problem);
    }
}

/// Whether two paths lead to the same field.
fn same(left: &[Step], right: &[Step]) -> bool {
    let pairs = left.iter().zip(right);
    left.len() == right.len()
        && pairs.into_iter().all(|pair| match pair {
            (Step::Key(left), Step::Key(right)) => left.eq_ignore_ascii_case(right),
            (left, right) => left == right,
        })
}
