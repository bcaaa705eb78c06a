//! The message of an alert: an output filled in, or a sentence of our own.
//!
//! A rule without an output says `<user> <verb> <resource>/<subresource> <name> in Namespace <namespace>`, without the parts that the
//! event lacks, and for a request that is about no resource `<user> <verb> <path>`.

use crate::derived;
use crate::evaluate::Evaluation;
use crate::event::Scalar;
use crate::lower::{ListPart, Segment, Template};
use crate::policy::MESSAGE_LIMIT;
use crate::program::{Builder, PathId, TooBig};
use crate::syntax::ast::Step;

/// What stands at the end of a message that was cut.
const ELLIPSIS: char = '…';

/// The fields of the sentence of our own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DefaultMessage {
    user: PathId,
    verb: PathId,
    pub(crate) resource: PathId,
    subresource: PathId,
    name: PathId,
    namespace: PathId,
    uri: PathId,
}

impl DefaultMessage {
    pub(crate) fn new(builder: &mut Builder) -> Result<Self, TooBig> {
        let mut path = |spelled: &str| {
            let steps: Vec<_> = spelled.split('.').map(|name| Step::Key(name.to_owned())).collect();
            builder.path(&steps, spelled)
        };
        Ok(Self {
            user: path("User.Username")?,
            verb: path("Verb")?,
            resource: path("ObjectRef.Resource")?,
            subresource: path("ObjectRef.Subresource")?,
            name: path("ObjectRef.Name")?,
            namespace: path("ObjectRef.Namespace")?,
            uri: path("RequestURI")?,
        })
    }

    /// The sentence for an event.
    pub(crate) fn fill(&self, event: &mut Evaluation<'_>) -> String {
        let mut value = |path| {
            let mut message = Message::default();
            message.field(event, path);
            message.text
        };
        let mut resource = value(self.resource);
        let target = if resource.is_empty() {
            value(self.uri)
        } else {
            let subresource = value(self.subresource);
            if !subresource.is_empty() {
                resource = format!("{resource}/{subresource}");
            }
            resource
        };
        let namespace = value(self.namespace);
        let place = if namespace.is_empty() { String::new() } else { format!("in Namespace {namespace}") };
        let parts = [value(self.user), value(self.verb), target, value(self.name), place];
        let mut message = Message::default();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            if !message.text.is_empty() {
                message.push(" ");
            }
            message.push(part);
        }
        message.text
    }
}

impl Template {
    /// The message for an event; what the event lacks is empty.
    pub(crate) fn fill(&self, event: &mut Evaluation<'_>) -> String {
        let mut message = Message::default();
        for segment in &self.segments {
            if message.full {
                break;
            }
            match segment {
                Segment::Text(text) => message.push(text),
                Segment::Field(path) => message.field(event, *path),
                Segment::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        if message.full {
                            break;
                        }
                        if index > 0 {
                            message.push(", ");
                        }
                        match item {
                            ListPart::Text(text) => message.push(text),
                            ListPart::Field(path) => message.field(event, *path),
                        }
                    }
                }
            }
        }
        message.text
    }
}

/// A text that never grows beyond [`MESSAGE_LIMIT`].
#[derive(Default)]
struct Message {
    text: String,
    full: bool,
}

impl Message {
    fn push(&mut self, text: &str) {
        if self.full {
            return;
        }
        if self.text.len() + text.len() <= MESSAGE_LIMIT {
            self.text.push_str(text);
            return;
        }
        self.full = true;
        // Room is made for the ellipsis in what is there already, too.
        let room = MESSAGE_LIMIT - ELLIPSIS.len_utf8();
        let end = text.floor_char_boundary(room.saturating_sub(self.text.len()));
        self.text.push_str(text.get(..end).unwrap_or_default());
        self.text.truncate(self.text.floor_char_boundary(room));
        self.text.push(ELLIPSIS);
    }

    /// The values at a path, with commas between them.
    fn field(&mut self, event: &mut Evaluation<'_>, path: PathId) {
        let (mut first, is_duration) = (true, event.is_duration(path));
        event.each(path, &mut |value| {
            let length;
            let text = match value {
                Scalar::Number(seconds) if is_duration => {
                    length = derived::length(seconds);
                    &length
                }
                Scalar::Null | Scalar::List(_) => return,
                Scalar::Bool(true) => "true",
                Scalar::Bool(false) => "false",
                Scalar::Number(text) | Scalar::Object(text) | Scalar::Text(text) => text,
            };
            if !std::mem::replace(&mut first, false) {
                self.push(", ");
            }
            self.push(text);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        let mut message = Message::default();
        message.push(&"é".repeat(MESSAGE_LIMIT / 2 - 1));
        message.push("ab");
        assert_eq!((message.text.len(), message.full), (MESSAGE_LIMIT, false));
        message.push("c");
        assert!(message.text.len() <= MESSAGE_LIMIT && message.text.ends_with("é…"), "{}", message.text.len());
        message.push("d");
        assert!(message.text.ends_with('…'));
        let mut long = Message::default();
        long.push(&"😀".repeat(MESSAGE_LIMIT));
        assert!(long.text.len() <= MESSAGE_LIMIT && long.text.len() > MESSAGE_LIMIT - 8);
    }
}
