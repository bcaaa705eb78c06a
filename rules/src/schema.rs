//! What fields an event has, and of what type.
//!
//! Names are compared without regard to ASCII case, so that a rule may use either spelling of the wire. Bodies and a user's extra
//! may hold anything: nothing is known of what is inside them. The last four are [`Derived`](crate::derived::Derived).

use vedette_audit::Level;

use crate::similar;
use crate::syntax::ast::Step;

/// What is known of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A list of texts.
    Texts,
    Number,
    /// A timestamp.
    Instant,
    /// A number of seconds.
    Duration,
    /// An object whose members are known, or are all of one kind.
    Object,
    /// Whatever the event holds.
    Any,
    /// Nothing that an event has.
    Unknown(Option<&'static str>),
    /// An array step or a name where there is no such thing.
    Never,
}

#[derive(Clone, Copy)]
enum Shape {
    Leaf(Kind),
    Members(&'static [(&'static str, Shape)]),
    /// Any member is of this kind.
    Map(Kind),
}

const TEXT: Shape = Shape::Leaf(Kind::Text);
const ANY: Shape = Shape::Leaf(Kind::Any);

const USER: Shape =
    Shape::Members(&[("Username", TEXT), ("UID", TEXT), ("Groups", Shape::Leaf(Kind::Texts)), ("Extra", ANY)]);

const EVENT: &[(&str, Shape)] = &[
    ("Workspace", TEXT),
    ("Devops", TEXT),
    ("Cluster", TEXT),
    ("Message", TEXT),
    ("HostName", TEXT),
    ("HostIP", TEXT),
    ("Kind", TEXT),
    ("APIVersion", TEXT),
    ("Level", TEXT),
    ("AuditID", TEXT),
    ("Stage", TEXT),
    ("RequestURI", TEXT),
    ("Verb", TEXT),
    ("User", USER),
    ("ImpersonatedUser", USER),
    ("AuthenticationMetadata", ANY),
    ("SourceIPs", Shape::Leaf(Kind::Texts)),
    ("UserAgent", TEXT),
    (
        "ObjectRef",
        Shape::Members(&[
            ("Resource", TEXT),
            ("Namespace", TEXT),
            ("Name", TEXT),
            ("UID", TEXT),
            ("APIGroup", TEXT),
            ("APIVersion", TEXT),
            ("ResourceVersion", TEXT),
            ("Subresource", TEXT),
        ]),
    ),
    (
        "ResponseStatus",
        Shape::Members(&[
            ("Code", Shape::Leaf(Kind::Number)),
            ("Status", TEXT),
            ("Reason", TEXT),
            ("Message", TEXT),
            ("Metadata", ANY),
            ("Details", ANY),
            ("Kind", TEXT),
            ("APIVersion", TEXT),
        ]),
    ),
    ("RequestObject", ANY),
    ("ResponseObject", ANY),
    ("RequestReceivedTimestamp", Shape::Leaf(Kind::Instant)),
    ("StageTimestamp", Shape::Leaf(Kind::Instant)),
    ("Annotations", Shape::Map(Kind::Text)),
    ("Actor", TEXT),
    ("Command", TEXT),
    ("SourceIP", TEXT),
    ("Duration", Shape::Leaf(Kind::Duration)),
];

/// What the field at `steps` is.
pub(crate) fn kind(steps: &[Step]) -> Kind {
    let mut shape = Shape::Members(EVENT);
    let mut steps = steps.iter();
    while let Some(step) = steps.next() {
        shape = match (shape, step) {
            (Shape::Members(members), Step::Key(name)) => match member(members, name) {
                Some(shape) => shape,
                None => return Kind::Unknown(similar::nearest(name, members.iter().map(|(name, _)| *name))),
            },
            // The key of a map may hold dots, and then looks like several steps.
            (Shape::Map(kind), Step::Key(_)) => {
                return if steps.all(|step| matches!(step, Step::Key(_))) { kind } else { Kind::Never };
            }
            (Shape::Leaf(Kind::Any), _) => return Kind::Any,
            (Shape::Leaf(Kind::Texts), Step::Any | Step::Index(_) | Step::Range(..)) => TEXT,
            _ => return Kind::Never,
        };
    }
    match shape {
        Shape::Leaf(kind) => kind,
        Shape::Members(_) | Shape::Map(_) => Kind::Object,
    }
}

/// What is known of the words that a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// One of these.
    Known(&'static [&'static str]),
    /// No capital letters.
    Small,
}

/// What is known of the words at `steps`.
pub(crate) fn words(steps: &[Step]) -> Option<Words> {
    let [Step::Key(name)] = steps else { return None };
    match name {
        // An event of level `None` does not come as far as the rules.
        name if name.eq_ignore_ascii_case("level") => Some(Words::Known(&["Metadata", "Request", "RequestResponse"])),
        name if name.eq_ignore_ascii_case("stage") => {
            Some(Words::Known(&["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]))
        }
        name if name.eq_ignore_ascii_case("verb") => Some(Words::Small),
        _ => None,
    }
}

/// Whether a client can write what stands at `steps` as it likes: the last source address alone is the apiserver's own finding.
pub(crate) fn is_forgeable(steps: &[Step]) -> bool {
    let Some(Step::Key(name)) = steps.first() else { return false };
    ["UserAgent", "AuditID", "SourceIPs"].iter().any(|forgeable| forgeable.eq_ignore_ascii_case(name))
}

/// Whether an event has a member of this name.
pub(crate) fn is_field(name: &str) -> bool {
    member(EVENT, name).is_some()
}

/// The event's member that was probably meant by `name`.
pub(crate) fn nearest_field(name: &str) -> Option<&'static str> {
    similar::nearest(name, EVENT.iter().map(|(name, _)| *name))
}

fn member(members: &'static [(&'static str, Shape)], name: &str) -> Option<Shape> {
    members.iter().find(|(member, _)| member.eq_ignore_ascii_case(name)).map(|(_, shape)| *shape)
}

/// The least level at which an event records the field at `steps`, if that is above `Metadata`.
pub(crate) fn needed_level(steps: &[Step]) -> Option<Level> {
    let Some(Step::Key(name)) = steps.first() else { return None };
    // A dot in a quoted name parts steps too.
    match name.split('.').next()? {
        name if name.eq_ignore_ascii_case("requestObject") => Some(Level::Request),
        name if name.eq_ignore_ascii_case("responseObject") => Some(Level::RequestResponse),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENT, Shape};

    fn names(prefix: &str, members: &[(&str, Shape)], into: &mut Vec<String>) {
        for (name, shape) in members {
            match shape {
                Shape::Members(members) => names(&format!("{prefix}{name}."), members, into),
                _ => into.push(format!("{prefix}{name}")),
            }
        }
    }

    /// The manual lists every field, and no other.
    #[test]
    fn the_manual_lists_the_fields() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules/fields.md");
        let page = std::fs::read_to_string(page).unwrap();
        let mut listed: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let mut known = Vec::new();
        names("", EVENT, &mut known);
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }
}
