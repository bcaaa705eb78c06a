//! The one pass over an item.

use super::{BadCode, Cut, CutKind, Event, EventError, Fields, ObjectFields, StatusFields, UserFields, annotations};
use crate::{
    members::{Member, ObjectMember, OwnMember, StatusMember, Top, UserMember},
    scan::{Fault, Scanner, Span},
    text,
};

/// The extra of a user that tells its credentials apart.
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

pub(super) fn parse(item: &[u8]) -> Result<Event<'_>, EventError> {
    if let Err(error) = std::str::from_utf8(item) {
        return Err(EventError::bad(BadCode::NotUtf8, "expected UTF-8", error.valid_up_to()));
    }
    let mut reader = Reader { scanner: Scanner::new(item), bytes: item, wrong: None };
    if reader.scanner.peek() != Some(b'{') {
        let start = reader.scanner.pos();
        reader.scanner.value()?;
        reader.scanner.end()?;
        return Err(EventError::bad(BadCode::NotObject, "expected an object", start));
    }
    let mut event = Event {
        bytes: item,
        fields: Fields::default(),
        spaced: false,
        lone_surrogate: false,
        patches: false,
        cuts: super::Cuts::default(),
    };
    let mut named = false;
    let start = reader.scanner.pos();
    reader.object(|reader, separator, raw, name| {
        let value = reader.start();
        let fields = &mut event.fields;
        let mut cut = None;
        match Top::find(name) {
            Some(Top::Workspace) => {
                fields.workspace = reader.string("expected `workspace` to be a string")?;
                cut = Some(CutKind::Workspace);
            }
            Some(Top::Devops) => fields.devops = reader.string("expected `devops` to be a string")?,
            Some(Top::Cluster) => {
                fields.cluster = reader.string("expected `cluster` to be a string")?;
                cut = Some(CutKind::Cluster);
            }
            Some(Top::Level) => {
                fields.level = reader.string("expected `level` to be a string")?;
                cut = Some(CutKind::Level);
            }
            Some(Top::AuditId) => fields.audit_id = reader.string("expected `auditID` to be a string")?,
            Some(Top::Stage) => fields.stage = reader.string("expected `stage` to be a string")?,
            Some(Top::RequestUri) => {
                fields.request_uri = reader.string("expected `requestURI` to be a string")?;
                named |= fields.request_uri != Span::default();
            }
            Some(Top::Verb) => {
                fields.verb = reader.string("expected `verb` to be a string")?;
                named |= fields.verb != Span::default();
            }
            Some(Top::User) => fields.user = reader.user("expected `user` to be an object")?,
            Some(Top::ImpersonatedUser) => {
                fields.impersonated = reader.user("expected `impersonatedUser` to be an object")?;
            }
            Some(Top::SourceIps) => {
                fields.source_ips = reader.strings("expected `sourceIPs` to be an array of strings")?;
            }
            Some(Top::UserAgent) => fields.user_agent = reader.string("expected `userAgent` to be a string")?,
            Some(Top::ObjectRef) => fields.object = reader.object_ref()?,
            Some(Top::ResponseStatus) => fields.status = reader.status()?,
            Some(Top::RequestObject) => {
                fields.request_object = reader.any()?;
                cut = Some(CutKind::RequestObject);
            }
            Some(Top::ResponseObject) => {
                fields.response_object = reader.any()?;
                cut = Some(CutKind::ResponseObject);
            }
            Some(Top::RequestReceivedTimestamp) => {
                fields.request_received_timestamp =
                    reader.string("expected `requestReceivedTimestamp` to be a string")?;
            }
            Some(Top::StageTimestamp) => {
                fields.stage_timestamp = reader.string("expected `stageTimestamp` to be a string")?;
            }
            Some(Top::Annotations) => {
                event.patches |= reader.annotations()?;
                cut = Some(CutKind::Annotations);
            }
            Some(Top::Vedette) => {
                fields.namespace_uid = reader.namespace_uid()?;
                cut = Some(CutKind::Vedette);
            }
            Some(Top::Message) | None => {
                reader.scanner.value()?;
                if matches!(raw, b"kind" | b"apiVersion") {
                    cut = Some(CutKind::Type);
                }
            }
        }
        if let Some(what) = cut
            && !event.cuts.push(Cut { what, separator, value, end: reader.scanner.pos() })
        {
            let detail = "expected no member to be named more than 64 times";
            reader.wrong.get_or_insert(EventError::bad(BadCode::WrongType, detail, separator));
        }
        Ok(())
    })?;
    reader.scanner.end()?;
    if let Some(error) = reader.wrong {
        return Err(error);
    }
    if !named {
        return Err(EventError::bad(BadCode::NoVerbOrUri, "expected `verb` or `requestURI`", start));
    }
    event.spaced = reader.scanner.spaced;
    event.lone_surrogate = reader.scanner.lone_surrogate;
    Ok(event)
}

/// A scanner that reads values of the types that we expect. A value of another type is remembered and skipped, because
/// broken JSON further on weighs more.
struct Reader<'a> {
    scanner: Scanner<'a>,
    bytes: &'a [u8],
    wrong: Option<EventError>,
}

impl<'a> Reader<'a> {
    /// The offset of the value that comes next.
    fn start(&mut self) -> usize {
        self.scanner.peek();
        self.scanner.pos()
    }

    /// Walks the object under the cursor; `member` gets the offset of what separates a member from the one before, its
    /// name raw and decoded, and takes its value.
    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, usize, &'a [u8], &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut separator = self.scanner.pos();
        self.scanner.open(true)?;
        if self.scanner.peek() == Some(b'}') {
            self.scanner.close();
            return Ok(());
        }
        loop {
            let span = self.scanner.name()?;
            let raw = span.of(self.bytes);
            if span.escaped {
                let name = text::decode(raw, true);
                member(self, separator, raw, name.as_bytes())?;
            } else {
                member(self, separator, raw, raw)?;
            }
            match self.scanner.peek() {
                Some(b',') => {
                    separator = self.scanner.pos();
                    self.scanner.take(b',', "`,`")?;
                }
                Some(b'}') => {
                    self.scanner.close();
                    return Ok(());
                }
                _ => return Err(self.scanner.expected("`,` or `}`")),
            }
        }
    }

    /// Skips a value: null is fine, another is of the wrong type.
    fn other(&mut self, detail: &'static str) -> Result<(), Fault> {
        let null = self.scanner.peek() == Some(b'n');
        let start = self.scanner.pos();
        self.scanner.value()?;
        if !null && self.wrong.is_none() {
            self.wrong = Some(EventError::bad(BadCode::WrongType, detail, start));
        }
        Ok(())
    }

    fn string(&mut self, detail: &'static str) -> Result<Span, Fault> {
        if self.scanner.peek() == Some(b'"') {
            return self.scanner.string();
        }
        self.other(detail)?;
        Ok(Span::default())
    }

    /// The whole array of strings.
    fn strings(&mut self, detail: &'static str) -> Result<Span, Fault> {
        if self.scanner.peek() != Some(b'[') {
            self.other(detail)?;
            return Ok(Span::default());
        }
        let start = self.scanner.pos();
        self.scanner.open(false)?;
        if self.scanner.peek() == Some(b']') {
            self.scanner.close();
            return Ok(Span::default());
        }
        loop {
            if self.scanner.peek() == Some(b'"') {
                self.scanner.string()?;
            } else {
                let at = self.scanner.pos();
                self.scanner.value()?;
                self.wrong.get_or_insert(EventError::bad(BadCode::WrongType, detail, at));
            }
            match self.scanner.peek() {
                Some(b',') => self.scanner.take(b',', "`,`")?,
                Some(b']') => {
                    self.scanner.close();
                    return Ok(Span { start, end: self.scanner.pos(), escaped: true });
                }
                _ => return Err(self.scanner.expected("`,` or `]`")),
            }
        }
    }

    /// Any value but null.
    fn any(&mut self) -> Result<Span, Fault> {
        let null = self.scanner.peek() == Some(b'n');
        let start = self.scanner.pos();
        self.scanner.value()?;
        Ok(if null { Span::default() } else { Span { start, end: self.scanner.pos(), escaped: true } })
    }

    /// Whether any of the annotations holds a patch.
    fn annotations(&mut self) -> Result<bool, Fault> {
        let mut patches = false;
        if self.scanner.peek() != Some(b'{') {
            self.other("expected `annotations` to be an object")?;
            return Ok(patches);
        }
        self.object(|reader, _, _, name| {
            patches |= annotations::is_patch(name);
            reader.scanner.value()
        })?;
        Ok(patches)
    }

    fn user(&mut self, detail: &'static str) -> Result<UserFields, Fault> {
        let mut user = UserFields::default();
        if self.scanner.peek() != Some(b'{') {
            self.other(detail)?;
            return Ok(user);
        }
        self.object(|reader, _, _, name| {
            match UserMember::find(name) {
                Some(UserMember::Username) => {
                    user.username = reader.string("expected the user's `username` to be a string")?;
                }
                Some(UserMember::Uid) => {
                    reader.string("expected the user's `uid` to be a string")?;
                }
                Some(UserMember::Groups) => {
                    user.groups = reader.strings("expected the user's `groups` to be an array of strings")?;
                }
                Some(UserMember::Extra) => user.credential = reader.credential()?,
                None => reader.scanner.value()?,
            }
            Ok(())
        })?;
        Ok(user)
    }

    /// The first credential that a user's extra names. Its values may be any JSON: what is no list of strings names none.
    fn credential(&mut self) -> Result<Span, Fault> {
        let mut credential = Span::default();
        if self.scanner.peek() != Some(b'{') {
            self.other("expected the user's `extra` to be an object")?;
            return Ok(credential);
        }
        self.object(|reader, _, _, name| {
            let named = name.eq_ignore_ascii_case(CREDENTIAL.as_bytes());
            if named {
                credential = Span::default();
            }
            if !named || reader.scanner.peek() != Some(b'[') {
                return reader.scanner.value();
            }
            // The list is looked into first and taken as a whole then.
            let rest = reader.bytes.get(reader.scanner.pos()..).unwrap_or_default();
            let first = rest.iter().skip(1).position(|byte| !byte.is_ascii_whitespace()).map(|at| at + 1);
            let start = reader.scanner.pos() + first.unwrap_or_default();
            reader.scanner.value()?;
            if reader.bytes.get(start) == Some(&b'"') {
                let mut string = Scanner::new(reader.bytes.get(start..).unwrap_or_default());
                let span = string.string()?;
                credential = Span { start: start + span.start, end: start + span.end, ..span };
            }
            Ok(())
        })?;
        Ok(credential)
    }

    /// The namespace's uid in our own member. A sender may have put anything there, which must not make the event a bad one.
    fn namespace_uid(&mut self) -> Result<Span, Fault> {
        let mut uid = Span::default();
        if self.scanner.peek() != Some(b'{') {
            self.scanner.value()?;
            return Ok(uid);
        }
        self.object(|reader, _, _, name| {
            if OwnMember::find(name).is_some() && reader.scanner.peek() == Some(b'"') {
                uid = reader.scanner.string()?;
                return Ok(());
            }
            reader.scanner.value()
        })?;
        Ok(uid)
    }

    fn object_ref(&mut self) -> Result<ObjectFields, Fault> {
        let mut object = ObjectFields::default();
        if self.scanner.peek() != Some(b'{') {
            self.other("expected `objectRef` to be an object")?;
            return Ok(object);
        }
        self.object(|reader, _, _, name| {
            let Some(member) = ObjectMember::find(name) else { return reader.scanner.value() };
            let span = reader.string("expected the members of `objectRef` to be strings")?;
            match member {
                ObjectMember::Resource => object.resource = span,
                ObjectMember::Namespace => object.namespace = span,
                ObjectMember::Name => object.name = span,
                ObjectMember::Subresource => object.subresource = span,
                ObjectMember::ApiGroup => object.api_group = span,
                ObjectMember::Uid | ObjectMember::ApiVersion | ObjectMember::ResourceVersion => {}
            }
            Ok(())
        })?;
        Ok(object)
    }

    fn status(&mut self) -> Result<StatusFields, Fault> {
        let mut status = StatusFields::default();
        if self.scanner.peek() != Some(b'{') {
            self.other("expected `responseStatus` to be an object")?;
            return Ok(status);
        }
        self.object(|reader, _, _, name| {
            match StatusMember::find(name) {
                Some(StatusMember::Status) => {
                    status.status = reader.string("expected `responseStatus.status` to be a string")?;
                }
                Some(StatusMember::Reason) => {
                    status.reason = reader.string("expected `responseStatus.reason` to be a string")?;
                }
                Some(StatusMember::Message) => {
                    reader.string("expected `responseStatus.message` to be a string")?;
                }
                Some(StatusMember::Code) => status.code = reader.code()?,
                Some(StatusMember::Metadata | StatusMember::Details) | None => reader.scanner.value()?,
            }
            Ok(())
        })?;
        Ok(status)
    }

    /// An integer.
    fn code(&mut self) -> Result<Option<i64>, Fault> {
        const DETAIL: &str = "expected `responseStatus.code` to be an integer";
        if !matches!(self.scanner.peek(), Some(b'-' | b'0'..=b'9')) {
            self.other(DETAIL)?;
            return Ok(None);
        }
        let start = self.scanner.pos();
        self.scanner.value()?;
        let digits = String::from_utf8_lossy(self.bytes.get(start..self.scanner.pos()).unwrap_or_default());
        match digits.parse() {
            Ok(code) => Ok(Some(code)),
            Err(_) => {
                self.wrong.get_or_insert(EventError::bad(BadCode::WrongType, DETAIL, start));
                Ok(None)
            }
        }
    }
}
