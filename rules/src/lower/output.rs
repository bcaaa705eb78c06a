//! The message of an alert: text with `${…}` for aliases, lists and fields.

use std::sync::Arc;

use super::{Compiler, Context, ListPart, Reads};
use crate::codes;
use crate::names::LookupError;
use crate::program::PathId;
use crate::schema;
use crate::source::Text;
use crate::syntax::{Problem, parse_operand, quoted};

/// The longest output, in bytes.
const OUTPUT_LIMIT: usize = 16 * 1024;

/// A compiled output.
#[derive(Debug, Default, Clone)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
pub(crate) enum Segment {
    Text(String),
    Field(PathId),
    /// The items of a list.
    List(Arc<[ListPart]>),
}

impl Compiler<'_, '_> {
    /// An output, and the fields of bodies that it shows.
    pub(super) fn output(&mut self, from: usize, text: &Text) -> Option<(Template, Reads)> {
        if text.text.len() > OUTPUT_LIMIT {
            let message = format!("an output of {} bytes is too long", text.text.len());
            let problem =
                Problem::new(codes::OUTPUT_SYNTAX, 0..0, message).help(format!("at most {OUTPUT_LIMIT} bytes"));
            self.sources.report_at(text, problem);
            return None;
        }
        let mut template = Template::default();
        let mut context = Context::new(from, text);
        let mut whole = true;
        let mut at = 0;
        while let Some(start) = text.text.get(at..).and_then(|rest| rest.find("${")).map(|offset| at + offset) {
            template.text(text.text.get(at..start));
            let rest = text.text.get(start + 2..).unwrap_or_default();
            let Some(length) = rest.find('}') else {
                let problem = Problem::new(codes::OUTPUT_SYNTAX, start..text.text.len(), "this reference does not end")
                    .help("close it with `}`");
                self.sources.report_in(text, problem);
                return None;
            };
            at = start + 2 + length + 1;
            let name = rest.get(..length).unwrap_or_default();
            match self.segment(&mut context, name, start..at) {
                Some(segment) => template.segments.push(segment),
                None => whole = false,
            }
        }
        template.text(text.text.get(at..));
        whole.then_some((template, context.reads))
    }

    fn segment(&mut self, context: &mut Context<'_>, name: &str, span: std::ops::Range<usize>) -> Option<Segment> {
        let name = name.trim();
        let text = context.text;
        match self.names.lookup(context.from, name) {
            Ok(id) => {
                self.known.use_of(id);
                return self.referred(context, id, name, &span);
            }
            Err(LookupError::Ambiguous(_)) => {
                self.lookup(context, name, &span)?;
                return None;
            }
            Err(LookupError::Unknown) => {}
        }
        let first = name.split(['.', '[']).next().unwrap_or_default();
        if schema::is_field(first) {
            let mut problems = Vec::new();
            let operand = parse_operand(name, &mut problems);
            for problem in problems {
                self.sources.report_in(text, Problem { span: span.clone(), code: codes::OUTPUT_SYNTAX, ..problem });
            }
            let mut operand = operand?;
            operand.span = span;
            let field = self.field(context, &operand)?;
            return self.read(context, &field, &operand.span).map(Segment::Field);
        }
        let message = format!("{} is no alias, no list and no field", quoted(&format!("${{{name}}}")));
        let mut problem = Problem::new(codes::OUTPUT_NAME, span, message);
        if self.sources.takes(codes::OUTPUT_NAME.severity) {
            problem.help = self
                .names
                .suggest(context.from, name)
                .or_else(|| schema::nearest_field(first).map(|near| format!("did you mean `${{{near}}}`?")));
        }
        self.sources.report_in(text, problem);
        None
    }

    fn referred(
        &mut self,
        context: &mut Context<'_>,
        id: crate::names::DefinitionId,
        name: &str,
        span: &std::ops::Range<usize>,
    ) -> Option<Segment> {
        match self.kind_of(id) {
            "alias" => {
                let (field, _) = self.alias(id)?;
                self.read(context, &field, span).map(Segment::Field)
            }
            "list" => {
                let list = self.list(id)?;
                self.reread(context, &list.reads, span)?;
                Some(Segment::List(list.parts))
            }
            kind => {
                let message = format!("`${{{name}}}` is a {kind} and has no value to show");
                let problem = Problem::new(codes::OUTPUT_KIND, span.clone(), message)
                    .help("an output shows aliases, lists and fields");
                self.sources.report_in(context.text, problem);
                None
            }
        }
    }
}

impl Template {
    /// The paths whose values it shows.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathId> + '_ {
        self.segments.iter().flat_map(|segment| {
            let (field, parts) = match segment {
                Segment::Text(_) => (None, [].as_slice()),
                Segment::Field(path) => (Some(*path), [].as_slice()),
                Segment::List(parts) => (None, &**parts),
            };
            let listed = parts.iter().filter_map(|part| match part {
                ListPart::Text(_) => None,
                ListPart::Field(path) => Some(*path),
            });
            field.into_iter().chain(listed)
        })
    }

    fn text(&mut self, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.segments.push(Segment::Text(text.to_owned()));
        }
    }
}
