//! One audit event: validated in a single pass over its bytes, read through borrowed spans.
//!
//! Members are known by either spelling without regard to case, the last of duplicates wins, and null is as good as
//! absent. A member that we read must have our type; all others, bodies above all, may be any JSON.
//!
//! Two failures are told apart, because they end differently: bytes that are no JSON spoil the list that they came in,
//! an item that is JSON but no event is one dead letter among good events.

mod annotations;
mod error;
mod parse;
mod rewrite;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;

pub use error::{BadCode, EventError, EventErrorKind};
pub use rewrite::{OVERSIZE_ANNOTATION, Placed, REDACTED_ANNOTATION, Rewritten};

use crate::{
    command,
    identity::EventId,
    instant::Instant,
    level::Level,
    scan::{Scanner, Span},
    text,
};

/// An audit event that borrows its bytes.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    bytes: &'a [u8],
    fields: Fields,
    /// White space stands outside strings.
    spaced: bool,
    lone_surrogate: bool,
    /// Any annotation holds what a webhook changed.
    patches: bool,
    cuts: Cuts,
}

/// Where the members that we read stand. An absent one is an empty span.
#[derive(Clone, Debug, Default)]
struct Fields {
    workspace: Span,
    devops: Span,
    cluster: Span,
    level: Span,
    audit_id: Span,
    stage: Span,
    request_uri: Span,
    verb: Span,
    user: UserFields,
    impersonated: UserFields,
    source_ips: Span,
    user_agent: Span,
    object: ObjectFields,
    status: StatusFields,
    request_object: Span,
    response_object: Span,
    request_received_timestamp: Span,
    stage_timestamp: Span,
    namespace_uid: Span,
}

#[derive(Clone, Debug, Default)]
struct UserFields {
    username: Span,
    /// The whole array.
    groups: Span,
    credential: Span,
}

#[derive(Clone, Debug, Default)]
struct ObjectFields {
    resource: Span,
    namespace: Span,
    name: Span,
    subresource: Span,
    api_group: Span,
}

#[derive(Clone, Debug, Default)]
struct StatusFields {
    status: Span,
    reason: Span,
    code: Option<i64>,
}

/// The top-level members that identity and rewriting treat on their own, in order.
#[derive(Clone, Debug, Default)]
struct Cuts {
    few: [Cut; 8],
    len: usize,
    more: Vec<Cut>,
    /// How many there are of each kind.
    named: [u8; 8],
}

/// One top-level member with what separates it from the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    what: CutKind,
    /// The offset of the brace or comma before the member.
    separator: usize,
    /// The offsets of its value's first byte and of the byte after its last.
    value: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CutKind {
    /// `kind` or `apiVersion`, spelled exactly so: no part of the identity.
    #[default]
    Type,
    Level,
    Cluster,
    RequestObject,
    ResponseObject,
    Annotations,
    Workspace,
    Vedette,
}

/// So often may an event name one of these members: no sender does so twice, and each takes more memory here than in the
/// event. Each kind is counted apart, so that no event that was taken is refused for what [`Event::rewrite`] adds.
const MOST_NAMED: u8 = 64;

impl Cuts {
    /// Returns whether there was room.
    #[must_use]
    fn push(&mut self, cut: Cut) -> bool {
        match self.named.get_mut(cut.what as usize) {
            Some(named) if *named < MOST_NAMED => *named += 1,
            _ => return false,
        }
        match self.few.get_mut(self.len) {
            Some(slot) => {
                *slot = cut;
                self.len += 1;
            }
            None => self.more.push(cut),
        }
        true
    }

    fn iter(&self) -> impl Iterator<Item = &Cut> {
        self.few.iter().take(self.len).chain(&self.more)
    }
}

/// Accessors of text members: decoded, empty when absent.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $($field:ident).+;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> Cow<'a, str> {
            self.text(self.fields.$($field).+)
        })*
    };
}

impl<'a> Event<'a> {
    /// Reads and validates one item of a list.
    ///
    /// # Errors
    /// [`EventErrorKind::Syntax`] where the bytes are no JSON value, [`EventErrorKind::Bad`] where they are, but no
    /// event. Bytes that are not UTF-8 or nest too deep are bad events whatever else is wrong with them.
    pub fn parse(item: &'a [u8]) -> Result<Self, EventError> {
        parse::parse(item)
    }

    /// The event's identity within `cluster`: see [`crate::identity`].
    pub fn id(&self, cluster: &str) -> EventId {
        let types = self.cuts.iter().filter(|cut| cut.what == CutKind::Type);
        EventId::of(cluster, self.bytes, self.spaced, types.map(|cut| cut.separator..cut.end))
    }

    /// The event's bytes, as given to [`Self::parse`].
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    texts! {
        /// KubeSphere's workspace.
        workspace = workspace;
        /// KubeSphere's DevOps project.
        devops = devops;
        /// The cluster, as the sender names it.
        cluster = cluster;
        /// The level's name; see [`Self::recorded_level`].
        level = level;
        /// The request's id, which its client may have chosen.
        audit_id = audit_id;
        /// The stage of the request's handling.
        stage = stage;
        /// The request's URI.
        request_uri = request_uri;
        /// The verb, as Kubernetes or HTTP names it.
        verb = verb;
        /// The authenticated user.
        username = user.username;
        /// The credential that the authenticated user showed: the first `authentication.kubernetes.io/credential-id` of its
        /// extra, which an apiserver sets itself.
        credential = user.credential;
        /// The user acted as.
        impersonated_username = impersonated.username;
        /// What the client says that it is.
        user_agent = user_agent;
        /// The kind of resource, in its plural.
        resource = object.resource;
        /// The object's namespace.
        namespace = object.namespace;
        /// The object's name.
        name = object.name;
        /// The subresource.
        subresource = object.subresource;
        /// The resource's API group; empty for the core group.
        api_group = object.api_group;
        /// `Success` or `Failure`, where the sender says it.
        status = status.status;
        /// Why the request failed, in one word.
        reason = status.reason;
        /// What tells the object's namespace from others of its name, where [`Self::rewrite_in`] wrote it. INVARIANT: in an event
        /// that was rewritten it is never the sender's word.
        namespace_uid = namespace_uid;
        /// When the apiserver received the request (RFC 3339).
        request_received_timestamp = request_received_timestamp;
        /// When the request reached its stage (RFC 3339).
        stage_timestamp = stage_timestamp;
    }

    /// The level, where the event names one of the four.
    pub fn recorded_level(&self) -> Option<Level> {
        self.level().parse().ok()
    }

    /// The object's namespace among all of its name in all clusters, `<cluster>/<uid>`; empty where its uid is not known. In an
    /// event that was rewritten it is never the sender's word.
    pub fn tenant(&self) -> String {
        let uid = self.namespace_uid();
        if uid.is_empty() { String::new() } else { format!("{}/{uid}", self.cluster()) }
    }

    /// Who acted in effect: the impersonated user, else the authenticated one.
    pub fn actor(&self) -> Cow<'a, str> {
        let impersonated = self.impersonated_username();
        if impersonated.is_empty() { self.username() } else { impersonated }
    }

    /// The event's own time: when the request was received, else when it reached its stage; `None` if neither is said.
    pub fn time(&self) -> Option<Instant> {
        Instant::parse(&self.request_received_timestamp()).or_else(|| Instant::parse(&self.stage_timestamp()))
    }

    /// How long the request took to its stage, in microseconds; `None` where a timestamp is missing, is none, or is the later one.
    pub fn duration_micros(&self) -> Option<i64> {
        let received = Instant::parse(&self.request_received_timestamp())?;
        Instant::parse(&self.stage_timestamp())?.micros_since(received)
    }

    /// What an exec or attach runs: see [`crate::command`].
    pub fn command(&self) -> Option<String> {
        matches!(&*self.subresource(), "exec" | "attach").then(|| command::of(&self.request_uri()))?
    }

    /// The path that a request about no resource asks for, without its query; empty for others.
    pub fn path(&self) -> Cow<'a, str> {
        if !self.fields.object.resource.of(self.bytes).is_empty() {
            return Cow::Borrowed("");
        }
        let before = |uri: &str| uri.find('?').unwrap_or(uri.len());
        match self.request_uri() {
            Cow::Borrowed(uri) => Cow::Borrowed(uri.split_at(before(uri)).0),
            Cow::Owned(mut uri) => {
                uri.truncate(before(&uri));
                Cow::Owned(uri)
            }
        }
    }

    /// The authenticated user's groups.
    pub fn groups(&self) -> Strings<'a> {
        Strings::new(self.fields.user.groups.of(self.bytes))
    }

    /// The addresses that the request came from: all but the last are the client's claims.
    pub fn source_ips(&self) -> Strings<'a> {
        Strings::new(self.fields.source_ips.of(self.bytes))
    }

    /// The last of [`Self::source_ips`]: the apiserver's own peer.
    pub fn source_ip(&self) -> Cow<'a, str> {
        self.source_ips().last().unwrap_or_default()
    }

    /// The response's HTTP status code.
    pub fn code(&self) -> Option<i64> {
        self.fields.status.code
    }

    /// The request's body as JSON, where it was recorded and is not null.
    pub fn request_object(&self) -> Option<&'a [u8]> {
        Some(self.fields.request_object.of(self.bytes)).filter(|body| !body.is_empty())
    }

    /// The response's body as JSON, where it was recorded and is not null.
    pub fn response_object(&self) -> Option<&'a [u8]> {
        Some(self.fields.response_object.of(self.bytes)).filter(|body| !body.is_empty())
    }

    /// Whether an escaped surrogate stands anywhere without its other half.
    pub(crate) fn has_lone_surrogate(&self) -> bool {
        self.lone_surrogate
    }

    fn text(&self, span: Span) -> Cow<'a, str> {
        text::decode(span.of(self.bytes), span.escaped)
    }
}

/// The strings of an array that [`Event::parse`] accepted, decoded one by one.
#[derive(Clone)]
pub struct Strings<'a> {
    rest: &'a [u8],
}

impl<'a> Strings<'a> {
    fn new(array: &'a [u8]) -> Self {
        Self { rest: array }
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        let quote = self.rest.iter().position(|byte| *byte == b'"')?;
        let string = self.rest.get(quote..)?;
        let mut scanner = Scanner::new(string);
        let span = scanner.string().ok()?;
        self.rest = string.get(scanner.pos()..)?;
        Some(text::decode(span.of(string), span.escaped))
    }
}
