//! The message of an alert: text with `${…}` for aliases, lists and fields.

use std::rc::Rc;

use super::reference::ListPart;
use super::{Compiler, Context};
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
    /// The items of a list, a field where an item is an alias.
    List(Vec<Segment>),
}

impl Compiler<'_, '_> {
    pub(super) fn output(&mut self, from: usize, text: &Text) -> Option<Template> {
        if text.text.len() > OUTPUT_LIMIT {
            let message = format!("an output of {} bytes is too long", text.text.len());
            let problem =
                Problem::new(codes::OUTPUT_SYNTAX, 0..0, message).help(format!("at most {OUTPUT_LIMIT} bytes"));
            self.sources.report_at(text, problem);
            return None;
        }
        let mut template = Template::default();
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
            match self.segment(from, text, name, start..at) {
                Some(segment) => template.segments.push(segment),
                None => whole = false,
            }
        }
        template.text(text.text.get(at..));
        whole.then_some(template)
    }

    fn segment(&mut self, from: usize, text: &Text, name: &str, span: std::ops::Range<usize>) -> Option<Segment> {
        let name = name.trim();
        let mut context = Context::new(from, text);
        let help = match self.names.lookup(from, name) {
            Ok(id) => {
                self.known.use_of(id);
                return self.referred(&mut context, id, name, &span);
            }
            Err(LookupError::Ambiguous(_)) => {
                self.lookup(&context, name, &span)?;
                return None;
            }
            Err(LookupError::Unknown { help }) => help,
        };
        let first = name.split(['.', '[']).next().unwrap_or_default();
        if schema::is_field(first) {
            let mut problems = Vec::new();
            let operand = parse_operand(name, &mut problems);
            for problem in problems {
                self.sources.report_in(text, Problem { span: span.clone(), code: codes::OUTPUT_SYNTAX, ..problem });
            }
            let mut operand = operand?;
            operand.span = span;
            let field = self.field(&mut context, &operand)?;
            let path = self.path(text, &field)?;
            return Some(Segment::Field(path));
        }
        let message = format!("{} is no alias, no list and no field", quoted(&format!("${{{name}}}")));
        let mut problem = Problem::new(codes::OUTPUT_NAME, span, message);
        problem.help = help.or_else(|| schema::nearest_field(first).map(|near| format!("did you mean `${{{near}}}`?")));
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
                let path = self.path(context.text, &field)?;
                Some(Segment::Field(path))
            }
            "list" => {
                let parts: Rc<[ListPart]> = self.list(id)?.parts;
                // More items than fit into a message need not be kept.
                let segments = parts.iter().take(crate::policy::MESSAGE_LIMIT).map(|part| match part {
                    ListPart::Text(text) => Segment::Text(text.clone()),
                    ListPart::Field(path, _) => Segment::Field(*path),
                });
                Some(Segment::List(segments.collect()))
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
    fn text(&mut self, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.segments.push(Segment::Text(text.to_owned()));
        }
    }
}
