//! What documents are found, counted and grouped by: one list for every engine.
//!
//! A field has no value, one, or several (groups, addresses, rules). Values that are empty, or longer than [`MAX_TEXT`], are
//! stored and shown, but for queries the document has none.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use vedette_audit::document::Fields;

use crate::query::MAX_TEXT;

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $value:expr;)*) => {
        /// A field whose values are texts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field {
            $($(#[$doc])* $variant,)*
        }

        impl Field {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in queries and answers.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The document's values as they stand in it, without regard to what can be found.
            fn raw(self, fields: &Fields) -> &[String] {
                let value: fn(&Fields) -> &[String] = match self {
                    $(Self::$variant => $value,)*
                };
                value(fields)
            }
        }
    };
}

fn one(value: &String) -> &[String] {
    std::slice::from_ref(value)
}

fields! {
    /// The cluster.
    Cluster = "cluster", |f| one(&f.cluster);
    /// KubeSphere's workspace.
    Workspace = "workspace", |f| one(&f.workspace);
    /// The object's namespace.
    Namespace = "namespace", |f| one(&f.namespace);
    /// Cluster and uid of the namespace, `<cluster>/<uid>`, where ingest knew it.
    Tenant = "tenant", |f| one(&f.tenant);
    /// The object's name.
    Name = "name", |f| one(&f.name);
    /// The authenticated user.
    User = "user", |f| one(&f.user);
    /// Who acted in effect: the impersonated user, else the authenticated one.
    Actor = "actor", |f| one(&f.actor);
    /// The authenticated user's groups.
    Group = "group", |f| &f.groups;
    /// All source addresses: all but the last are the client's claims.
    SourceIp = "sourceIP", |f| &f.source_ips;
    /// The last of the source addresses: the apiserver's own peer.
    Address = "ip", |f| one(&f.source_ip);
    /// The id of the credential that the user authenticated with.
    Credential = "credential", |f| one(&f.credential);
    /// The kind of resource, in its plural.
    Resource = "resource", |f| one(&f.resource);
    /// The subresource.
    Subresource = "subresource", |f| one(&f.subresource);
    /// The resource's API group; none for the core group.
    ApiGroup = "apiGroup", |f| one(&f.api_group);
    /// The verb.
    Verb = "verb", |f| one(&f.verb);
    /// The level's name.
    Level = "level", |f| one(&f.level);
    /// The stage of the request's handling.
    Stage = "stage", |f| one(&f.stage);
    /// `Success` or `Failure`, where the sender says it.
    Status = "status", |f| one(&f.status);
    /// Why the request failed, in one word.
    Reason = "reason", |f| one(&f.reason);
    /// The command that was executed in a container.
    Command = "command", |f| one(&f.command);
    /// What the client says that it is.
    UserAgent = "userAgent", |f| one(&f.user_agent);
    /// The path of a request that names no resource.
    Path = "path", |f| one(&f.path);
    /// The rules that matched, `<Rule resource>.<rule>`.
    Rule = "rule", |f| &f.rules;
    /// The request's id, which its client may have chosen.
    AuditId = "auditID", |f| one(&f.audit_id);
}

impl Field {
    /// The document's values that queries see.
    pub fn values(self, fields: &Fields) -> impl Iterator<Item = &str> {
        self.raw(fields).iter().map(String::as_str).filter(|value| findable(value))
    }

    /// Whether documents can be grouped by it: the request's id is as good as unique, and the tenant is nobody's to see.
    pub fn is_groupable(self) -> bool {
        !matches!(self, Self::AuditId | Self::Tenant)
    }

    /// Whether its values can be searched by parts: not so the request's id, whose values no engine keeps in order, nor the
    /// tenant.
    pub fn is_searched_by_parts(self) -> bool {
        !matches!(self, Self::AuditId | Self::Tenant)
    }

    /// Those that [`Self::is_groupable`] holds for.
    pub fn groupable() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|field| field.is_groupable())
    }
}

/// Whether queries see a value: it is there, and short enough for every engine (counted as search engines do).
pub(crate) fn findable(value: &str) -> bool {
    !value.is_empty() && (value.len() <= MAX_TEXT || value.encode_utf16().count() <= MAX_TEXT)
}

/// Not a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no field")]
pub struct FieldError(String);

impl FromStr for Field {
    type Err = FieldError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|field| field.name().eq_ignore_ascii_case(name));
        found.copied().ok_or_else(|| FieldError(name.chars().take(64).collect()))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A field whose values are whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    /// The response's HTTP status code.
    Code,
    /// From the request's arrival to the event's stage, in microseconds.
    Duration,
}

impl Number {
    /// The document's value.
    pub fn value(self, fields: &Fields) -> Option<i64> {
        match self {
            Self::Code => fields.code,
            Self::Duration => fields.duration_micros,
        }
    }
}
