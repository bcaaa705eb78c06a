//! What a value is to the walk, by the way that leads to it.

use super::{fields::FieldSet, is_named};
use crate::event::Event;

/// A set of roles: a value can be several things at once, where several objects around it make it so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Roles(u32);

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Roles {
            pub(super) const NONE: Self = Self(0);
            $($(#[$doc])* pub(super) const $name: Self = Self(1 << $bit);)*
        }
    };
}

roles! {
    /// All values in it are replaced.
    ALL = 0;
    /// The same; strings are base64.
    ALL_BASE64 = 1;
    /// The whole of a body that is about something of interest: no scalar, and if it is an array, a patch.
    BODY = 2;
    /// A Secret.
    SECRET = 3;
    /// A Secret that must have a Secret's members: others are not understood.
    STRICT = 4;
    /// A list of Secrets' elements.
    SECRETS = 5;
    /// A Secret's metadata, its annotations, and one with a whole Secret in it.
    SECRET_META = 6;
    SECRET_NOTES = 7;
    SECRET_NOTE = 8;
    /// A TokenRequest or TokenReview.
    TOKEN = 9;
    /// Its spec or status.
    TOKEN_HOLDER = 10;
    /// An object of a resource with configured fields; its list's elements, metadata, annotations, and one with a whole object in it.
    OWN = 11;
    OWNS = 12;
    OWN_META = 13;
    OWN_NOTES = 14;
    OWN_NOTE = 15;
    /// A JSON patch, and an operation of one.
    PATCH = 16;
    OPERATION = 17;
    /// What a patch puts in place of a whole Secret.
    WHOLE = 18;
    /// An audit annotation with what a webhook changed, and the object in it.
    WEBHOOK = 19;
    CHANGE = 20;
}

impl Roles {
    pub(super) fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `roles`, if there is any of `any` among these.
    fn when(self, any: Self, roles: Self) -> Self {
        if self.has(any) { roles } else { Self::NONE }
    }

    fn only(self, of: Self) -> Self {
        Self(self.0 & of.0)
    }
}

impl std::ops::BitOr for Roles {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Roles {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Annotations that hold the whole object as somebody applied it.
const APPLIED: [&str; 4] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kapp.k14s.io/original",
    "objectset.rio.cattle.io/applied",
    "banzaicloud.com/last-applied",
];

/// Whether a member directs a strategic merge, with names alone in its value.
fn is_directive(name: &str) -> bool {
    matches!(name, "$patch" | "$retainKeys") || name.starts_with("$setElementOrder/")
}

/// A value's roles, and where it is among the configured fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    pub(super) roles: Roles,
    pub(super) fields: u64,
}

/// What a text is about before anything in it was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a> {
    start: State,
    /// What a patch in it changes.
    about: State,
    set: Option<&'a FieldSet>,
}

impl<'a> Place<'a> {
    /// What the bodies of an event are about.
    pub(super) fn of(event: &Event<'_>, sets: &'a [FieldSet]) -> Self {
        let resource = event.resource();
        let is = |plural: &str| resource.eq_ignore_ascii_case(plural);
        let mut roles = Roles::NONE;
        // Of whatever group: what another API calls a Secret is one too. KubeSphere's credentials are Secrets that don't say so.
        let credential = is("credentials") && event.api_group().eq_ignore_ascii_case("devops.kubesphere.io");
        if is("secrets") || credential {
            roles |= Roles::SECRET | Roles::STRICT;
        }
        let token = is("serviceaccounts") && event.subresource().eq_ignore_ascii_case("token");
        if token || is("tokenreviews") || is("tokenrequests") {
            roles |= Roles::TOKEN;
        }
        let set = sets.iter().find(|set| set.is_for(&event.api_group(), &resource));
        if set.is_some() {
            roles |= Roles::OWN;
        }
        if roles != Roles::NONE {
            roles |= Roles::BODY;
        }
        let start = State { roles, fields: set.map_or(0, |set| set.start) };
        Self { start, about: start, set }
    }

    /// What the value of the annotation is about in which an apiserver notes what a webhook changed.
    pub(super) fn of_webhook(self) -> Self {
        let roles = if self.is_special() { Roles::WEBHOOK } else { Roles::NONE };
        Self { start: State { roles, fields: 0 }, ..self }
    }

    /// Whether the text must be walked whatever is in it.
    pub(super) fn is_special(&self) -> bool {
        self.start.roles != Roles::NONE
    }

    /// The text's own roles; `is_other` if it says that it is no Secret.
    pub(super) fn start(&self, is_other: bool) -> State {
        let mut start = self.start;
        if is_other {
            start.roles = Roles(start.roles.0 & !Roles::STRICT.0);
        }
        start
    }

    /// What the text in an annotation of these roles is about.
    pub(super) fn of_note(&self, roles: Roles) -> Self {
        if roles.has(Roles::WEBHOOK) {
            return Self { start: State { roles: Roles::CHANGE, fields: 0 }, ..*self };
        }
        let mut place = Self::default();
        if roles.has(Roles::SECRET_NOTE) {
            place.start.roles |= Roles::BODY | Roles::SECRET | Roles::STRICT;
        }
        if roles.has(Roles::OWN_NOTE) {
            place.start.roles |= Roles::BODY | Roles::OWN;
            place.start.fields = self.set.map_or(0, |set| set.start);
            place.set = self.set;
        }
        place.about = place.start;
        place
    }

    /// The value of the member `name` of an object.
    pub(super) fn member(&self, object: State, name: &str) -> State {
        let is = |wanted| is_named(name, wanted);
        let from = object.roles;
        let mut roles = from.only(Roles::ALL | Roles::ALL_BASE64);
        if from.has(Roles::WHOLE) {
            roles |= if is("data") { Roles::ALL_BASE64 } else { Roles::ALL };
        }
        if from.has(Roles::SECRET) {
            roles |= self.of_secret(from, name);
        }
        roles |= from.when(Roles::SECRETS, Roles::SECRET);
        if from.has(Roles::TOKEN) && (is("spec") || is("status")) {
            roles |= Roles::TOKEN_HOLDER;
        }
        if from.has(Roles::TOKEN_HOLDER) && is("token") {
            roles |= Roles::ALL;
        }
        if from.has(Roles::OWN) {
            roles |= match name {
                _ if is("metadata") => Roles::OWN_META,
                _ if is("items") && from.has(Roles::BODY) => Roles::OWNS,
                _ => Roles::NONE,
            };
        }
        if from.has(Roles::SECRET_META | Roles::OWN_META) && is("annotations") {
            roles |= from.when(Roles::SECRET_META, Roles::SECRET_NOTES) | from.when(Roles::OWN_META, Roles::OWN_NOTES);
        }
        if from.has(Roles::SECRET_NOTES | Roles::OWN_NOTES) && APPLIED.iter().any(|it| is(it)) {
            roles |= from.when(Roles::SECRET_NOTES, Roles::SECRET_NOTE) | from.when(Roles::OWN_NOTES, Roles::OWN_NOTE);
        }
        if from.has(Roles::CHANGE) {
            roles |= match name {
                _ if is("patch") => Roles::PATCH,
                _ if ["configuration", "webhook", "patchtype"].into_iter().any(is) => Roles::NONE,
                _ => Roles::ALL,
            };
        }
        // A note is a string, and a patch an array.
        roles |= from.when(Roles::SECRET_NOTE | Roles::OWN_NOTE | Roles::WEBHOOK | Roles::PATCH, Roles::ALL);
        let fields = match self.set {
            Some(set) if object.fields != 0 => {
                let (fields, ends) = set.follow(object.fields, name);
                if ends {
                    roles |= Roles::ALL;
                }
                fields
            }
            _ => 0,
        };
        State { roles, fields }
    }

    fn of_secret(&self, from: Roles, name: &str) -> Roles {
        let is = |wanted| is_named(name, wanted);
        if is("data") {
            Roles::ALL_BASE64
        } else if is("stringdata") {
            Roles::ALL
        } else if is("metadata") {
            Roles::SECRET_META
        } else if is("items") && from.has(Roles::BODY) {
            Roles::SECRETS | from.only(Roles::STRICT)
        } else if ["kind", "apiversion", "type", "immutable"].into_iter().any(is) || is_directive(name) {
            Roles::NONE
        } else {
            from.when(Roles::STRICT, Roles::ALL)
        }
    }

    /// An element of an array.
    pub(super) fn element(&self, array: State) -> State {
        let from = array.roles;
        let mut roles = from.only(Roles::ALL | Roles::ALL_BASE64)
            | from
                .when(Roles::WHOLE | Roles::SECRET_NOTE | Roles::OWN_NOTE | Roles::WEBHOOK | Roles::CHANGE, Roles::ALL)
            | from.when(Roles::SECRETS, Roles::SECRET | from.only(Roles::STRICT))
            | from.when(Roles::OWNS, Roles::OWN)
            | from.when(Roles::PATCH, Roles::OPERATION);
        // No list is a list of spec or status, but a token in one is a token.
        roles |= from.only(Roles::TOKEN_HOLDER);
        let fields = if from.has(Roles::OWNS) { self.set.map_or(0, |set| set.start) } else { array.fields };
        State { roles, fields }
    }

    /// What is put at `path`, a JSON pointer, into what the text is about.
    pub(super) fn patched(&self, path: &str) -> State {
        let names = path.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
        let about = self.about.roles;
        let mut state = State { roles: about.only(Roles::OWN), fields: self.about.fields };
        for name in names.clone() {
            let mut next = self.member(state, &name);
            // It may be an element of an array, which stands for the array.
            if name == "-" || name.bytes().all(|byte| byte.is_ascii_digit()) {
                next.fields |= state.fields;
            }
            state = next;
        }
        if about.has(Roles::SECRET | Roles::TOKEN) {
            state.roles |= match names.clone().next() {
                None => Roles::WHOLE,
                Some(name) if is_named(&name, "data") => Roles::ALL_BASE64,
                Some(_) => Roles::ALL,
            };
        }
        state
    }
}
