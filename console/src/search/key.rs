//! What may stand before a colon.

use vedette_archive::{Field, Number};
use vedette_rules::nearest;

use super::error::{SearchError, Span, shown};

/// What a key asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Text(Field),
    Address(Field),
    Number(Number),
    Resource,
    Id,
    Reads,
    Change,
    Is,
    Last,
    Since,
    Until,
    Around,
}

/// Every key, under its names; the first is the one that is proposed.
pub(super) const KEYS: &[(Key, &[&str])] = &[
    (Key::Text(Field::User), &["user"]),
    (Key::Text(Field::Actor), &["actor"]),
    (Key::Text(Field::Group), &["group"]),
    (Key::Text(Field::Namespace), &["ns", "namespace"]),
    (Key::Resource, &["resource", "res", "kind"]),
    (Key::Text(Field::Name), &["name"]),
    (Key::Text(Field::Subresource), &["sub", "subresource"]),
    (Key::Text(Field::ApiGroup), &["apigroup"]),
    (Key::Text(Field::Verb), &["verb"]),
    (Key::Number(Number::Code), &["code"]),
    (Key::Text(Field::Status), &["status"]),
    (Key::Text(Field::Reason), &["reason"]),
    (Key::Address(Field::Address), &["ip"]),
    (Key::Address(Field::SourceIp), &["anyip", "sourceip"]),
    (Key::Text(Field::Credential), &["cred", "credential"]),
    (Key::Text(Field::Command), &["cmd", "command"]),
    (Key::Text(Field::UserAgent), &["agent", "useragent"]),
    (Key::Text(Field::Cluster), &["cluster"]),
    (Key::Text(Field::Workspace), &["ws", "workspace"]),
    (Key::Text(Field::Level), &["level"]),
    (Key::Text(Field::Stage), &["stage"]),
    (Key::Text(Field::Rule), &["rule"]),
    (Key::Text(Field::Path), &["path", "uri"]),
    (Key::Text(Field::AuditId), &["audit", "auditid"]),
    (Key::Number(Number::Duration), &["duration"]),
    (Key::Id, &["id"]),
    (Key::Reads, &["reads"]),
    (Key::Change, &["change"]),
    (Key::Is, &["is"]),
    (Key::Last, &["last"]),
    (Key::Since, &["since"]),
    (Key::Until, &["until"]),
    (Key::Around, &["around"]),
];

impl Key {
    /// The key of this name, without regard to case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let named = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        KEYS.iter().find(|(_, names)| named(names)).map(|(key, _)| *key)
    }

    /// The key of this name, which stands at `span`.
    pub(super) fn find(name: &str, span: Span) -> Result<Self, SearchError> {
        Self::named(name).ok_or_else(|| {
            let error = SearchError::new(span, format!("unknown key `{}`", shown(name)));
            let names = KEYS.iter().flat_map(|(_, names)| names.iter().copied());
            error.help(match nearest(name, names) {
                Some(near) => format!("did you mean `{near}`? Others are {SOME}"),
                None => format!("keys are {SOME}; put a text that has a colon in quotes"),
            })
        })
    }
}

/// The keys that an error lists: those that most questions need.
const SOME: &str = "`user`, `actor`, `ns`, `resource`, `name`, `verb`, `sub`, `code`, `ip`, `reads`, `change`, `last`";
