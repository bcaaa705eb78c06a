//! A mapping read field by field, each with the type that is wanted; what is never asked for is unknown.

use std::collections::HashMap;

use crate::codes;
use crate::source::{Location, Sources, Text};
use crate::syntax::{Problem, quoted};
use crate::yaml::{NodeId, NodeKind, Shape};

/// The fields of one mapping.
#[derive(Debug)]
pub(crate) struct Fields {
    file: usize,
    node: NodeId,
    /// What the mapping is, for messages.
    what: &'static str,
    pairs: Vec<(String, NodeId, NodeId)>,
    index: HashMap<String, usize>,
    asked: Vec<&'static str>,
}

impl Fields {
    /// The fields of node `id`; reports what is no mapping, and keys that stand twice.
    pub(crate) fn of(sources: &mut Sources<'_>, file: usize, id: NodeId, what: &'static str) -> Option<Self> {
        let tree = sources.tree(file);
        let NodeKind::Mapping(nodes) = &tree.node(id).kind else {
            let message = format!("{what} is a mapping, found {}", tree.shape(id).name());
            let code = if what == "a resource" { codes::NOT_A_RESOURCE } else { codes::WRONG_TYPE };
            let problem = Problem::new(code, tree.node(id).span.clone(), message);
            sources.report(file, problem);
            return None;
        };
        let mut pairs = Vec::with_capacity(nodes.len());
        let mut index = HashMap::new();
        let mut problems = Vec::new();
        for (key, value) in nodes {
            let span = tree.node(*key).span.clone();
            let Some(name) = tree.text(*key) else {
                problems.push(Problem::new(codes::WRONG_TYPE, span, "the key of a field is text"));
                continue;
            };
            if index.insert(name.to_owned(), pairs.len()).is_some() {
                problems.push(Problem::new(
                    codes::DUPLICATE_KEY,
                    span,
                    format!("{} stands twice in {what}", quoted(name)),
                ));
            }
            pairs.push((name.to_owned(), *key, *value));
        }
        for problem in problems {
            sources.report(file, problem);
        }
        Some(Self { file, node: id, what, pairs, index, asked: Vec::new() })
    }

    pub(crate) fn file(&self) -> usize {
        self.file
    }

    /// Where the mapping starts.
    pub(crate) fn start(&self, sources: &Sources<'_>) -> Location {
        let start = sources.tree(self.file).node(self.node).span.start;
        Location { file: self.file, span: start..start }
    }

    /// The value of field `name`, unless it is absent or null.
    pub(crate) fn value(&mut self, sources: &Sources<'_>, name: &'static str) -> Option<NodeId> {
        self.asked.push(name);
        let (_, _, value) = self.pairs.get(*self.index.get(name)?)?;
        (sources.tree(self.file).shape(*value) != Shape::Null).then_some(*value)
    }

    /// Says that fields are known which nobody reads.
    pub(crate) fn ignore(&mut self, names: &[&'static str]) {
        self.asked.extend_from_slice(names);
    }

    pub(crate) fn text(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<Text> {
        let value = self.value(sources, name)?;
        self.expect(sources, value, Shape::Text, name)
    }

    /// A scalar's text whatever it looks like: a condition may be `true` to YAML.
    pub(crate) fn scalar(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<Text> {
        let value = self.value(sources, name)?;
        match sources.tree(self.file).shape(value) {
            Shape::Sequence | Shape::Mapping => self.expect(sources, value, Shape::Text, name),
            _ => self.as_text(sources, value),
        }
    }

    pub(crate) fn required_text(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<Text> {
        self.require(sources, name)?;
        let text = self.text(sources, name)?;
        if text.text.is_empty() {
            sources.report_at(
                &text,
                Problem::new(codes::MISSING_FIELD, 0..0, format!("`{name}` is empty"))
                    .help(format!("write a text: `{name}: …`")),
            );
            return None;
        }
        Some(text)
    }

    pub(crate) fn bool(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<bool> {
        let value = self.value(sources, name)?;
        if let Shape::Bool(value) = sources.tree(self.file).shape(value) {
            return Some(value);
        }
        self.wrong(sources, value, name, "a boolean");
        None
    }

    pub(crate) fn number(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<(u32, NodeId)> {
        let value = self.value(sources, name)?;
        let tree = sources.tree(self.file);
        let number =
            if tree.shape(value) == Shape::Number { tree.text(value).and_then(|it| it.parse().ok()) } else { None };
        if number.is_none() {
            self.wrong(sources, value, name, "a whole number");
        }
        Some((number?, value))
    }

    pub(crate) fn mapping(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<Self> {
        let value = self.value(sources, name)?;
        if sources.tree(self.file).shape(value) != Shape::Mapping {
            self.wrong(sources, value, name, "a mapping");
            return None;
        }
        Self::of(sources, self.file, value, name)
    }

    pub(crate) fn required_mapping(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<Self> {
        self.require(sources, name)?;
        self.mapping(sources, name)
    }

    pub(crate) fn sequence(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<Vec<NodeId>> {
        let value = self.value(sources, name)?;
        if let NodeKind::Sequence(items) = &sources.tree(self.file).node(value).kind {
            return Some(items.clone());
        }
        self.wrong(sources, value, name, "a list");
        None
    }

    /// A list of texts; items of other types are reported and left out.
    pub(crate) fn text_list(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<Vec<Text>> {
        let items = self.sequence(sources, name)?;
        Some(items.into_iter().filter_map(|item| self.expect(sources, item, Shape::Text, name)).collect())
    }

    /// All pairs of a mapping whose values are text.
    pub(crate) fn texts(&self, sources: &mut Sources<'_>) -> Vec<(String, Text)> {
        let pairs = self.pairs.clone();
        pairs
            .into_iter()
            .filter_map(|(key, _, value)| Some((key, self.expect(sources, value, Shape::Text, self.what)?)))
            .collect()
    }

    /// All pairs of a mapping whose names are for the user to choose.
    pub(crate) fn nodes(&self) -> Vec<(String, NodeId)> {
        self.pairs.iter().map(|(name, _, value)| (name.clone(), *value)).collect()
    }

    /// Reports the fields that nobody asked for.
    pub(crate) fn finish(self, sources: &mut Sources<'_>) {
        for (name, key, _) in &self.pairs {
            if self.asked.contains(&name.as_str()) {
                continue;
            }
            let span = sources.tree(self.file).node(*key).span.clone();
            let mut problem =
                Problem::new(codes::UNKNOWN_FIELD, span, format!("{} has no field {}", self.what, quoted(name)));
            problem.help =
                crate::similar::nearest(name, self.asked.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            sources.report(self.file, problem);
        }
    }

    /// Where the key of field `name` stands.
    pub(crate) fn key(&self, sources: &Sources<'_>, name: &str) -> Option<Location> {
        let (_, key, _) = self.pairs.get(*self.index.get(name)?)?;
        Some(Location { file: self.file, span: sources.tree(self.file).node(*key).span.clone() })
    }

    /// Reports the absence of field `name`.
    pub(crate) fn require(&mut self, sources: &mut Sources<'_>, name: &'static str) -> Option<NodeId> {
        let value = self.value(sources, name);
        if value.is_none() {
            let at = self.key(sources, name).unwrap_or_else(|| self.start(sources));
            sources.report(
                self.file,
                Problem::new(codes::MISSING_FIELD, at.span, format!("{} has no `{name}`", self.what))
                    .help(format!("add `{name}: …`")),
            );
        }
        value
    }

    fn expect(&self, sources: &mut Sources<'_>, value: NodeId, wanted: Shape, name: &str) -> Option<Text> {
        if sources.tree(self.file).shape(value) == wanted {
            return self.as_text(sources, value);
        }
        self.wrong(sources, value, name, wanted.name());
        None
    }

    fn as_text(&self, sources: &Sources<'_>, node: NodeId) -> Option<Text> {
        Some(Text { text: sources.tree(self.file).text(node)?.to_owned(), file: self.file, node })
    }

    fn wrong(&self, sources: &mut Sources<'_>, value: NodeId, name: &str, wanted: &str) {
        let tree = sources.tree(self.file);
        let (span, shape) = (tree.node(value).span.clone(), tree.shape(value));
        let mut problem =
            Problem::new(codes::WRONG_TYPE, span, format!("`{name}` wants {wanted}, found {}", shape.name()));
        let text = tree.text(value);
        problem.help = match wanted {
            "a boolean" => Some(match text.map(str::to_lowercase).as_deref() {
                Some("yes" | "on" | "y" | "true" | "1") => "write `true`".to_owned(),
                Some("no" | "off" | "n" | "false" | "0") => "write `false`".to_owned(),
                _ => "write `true` or `false`".to_owned(),
            }),
            "a whole number" => Some("write digits without quotes".to_owned()),
            "a mapping" => Some("write its fields below it, each on a line of its own and indented".to_owned()),
            "a list" => Some(format!("write `{name}: […]`, or an item on each line with `- ` before it")),
            _ => text.map(|text| format!("put it in quotes: `\"{text}\"`")),
        };
        sources.report(self.file, problem);
    }
}
