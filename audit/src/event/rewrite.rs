//! The event as it goes on: less than was received, never more.

use super::{Cut, CutKind, Event};
use crate::{
    MAX_EVENT_BYTES,
    level::Level,
    redact::{Edit, Redactor},
    text,
};

/// The annotation, with the value `"true"`, of an event that lost its bodies for being over [`MAX_EVENT_BYTES`].
pub const OVERSIZE_ANNOTATION: &str = "vedette.dev/oversize";

/// Where an event belongs, which its sender does not know: what is told of the namespace that it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed<'a> {
    /// The workspace that the namespace belongs to.
    pub workspace: Option<&'a str>,
    /// What tells the namespace from others of its name, earlier ones and those of other clusters.
    pub namespace_uid: Option<&'a str>,
}

/// What [`Event::rewrite`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// The event was over [`MAX_EVENT_BYTES`] and lost its bodies.
    pub oversize: bool,
    /// Values that were replaced, each string or number one.
    pub redacted: u64,
}

impl Event<'_> {
    /// Appends the event as it goes on to `out`: bodies stripped to `level`, `level` lowered to it (never raised), and
    /// `Cluster` set to `cluster` in place of whatever the sender says.
    ///
    /// The levels above `Metadata` do not apply to requests that are about no resource, so that these lose both bodies at
    /// any level and go on as `Metadata`: the body of a login is nobody's to keep.
    ///
    /// An event over [`MAX_EVENT_BYTES`] loses both bodies, goes on as `Metadata`, since the level says what is
    /// recorded, and gains the annotation [`OVERSIZE_ANNOTATION`]. Escaped surrogates without their other half, which
    /// many readers refuse, become U+FFFD. All else stays byte for byte, and the result is always a valid event.
    pub fn rewrite(&self, level: Level, cluster: &str, out: &mut Vec<u8>) -> Rewritten {
        self.rewrite_in(level, cluster, Placed::default(), None, out)
    }

    /// As [`Self::rewrite`], for an event that is `placed`: `Workspace` is set to that workspace, unless the event says one of its
    /// own, and [`Self::namespace_uid`] to that uid.
    ///
    /// Whatever a sender says in `Vedette`, where the uid stands, goes: a forged one would show its record to another tenant.
    ///
    /// What `redactor` finds in the bodies is replaced: see [`crate::redact`].
    pub fn rewrite_in(
        &self,
        level: Level,
        cluster: &str,
        placed: Placed<'_>,
        redactor: Option<&Redactor>,
        out: &mut Vec<u8>,
    ) -> Rewritten {
        let uid = placed.namespace_uid.unwrap_or_default();
        let workspace = placed.workspace.filter(|workspace| !workspace.is_empty() && self.workspace().is_empty());
        let stays = |cut: &Cut, level| cut.stays(level) && (workspace.is_none() || cut.what != CutKind::Workspace);
        let (oversize, level) = self.lowered(level);
        // A level that we don't know may record anything.
        let lower = self.recorded_level().is_none_or(|recorded| recorded > level);
        let annotations = self.cuts.iter().filter(|cut| cut.what == CutKind::Annotations).last();
        let start = out.len();
        let mut edits = Vec::new();
        let redacted = redactor.map_or(0, |redactor| {
            let bodies = self
                .cuts
                .iter()
                .filter(|cut| matches!(cut.what, CutKind::RequestObject | CutKind::ResponseObject) && cut.stays(level));
            let mut finder = redactor.of(self, cluster);
            bodies.map(|cut| finder.body(cut.value..cut.end, &mut edits)).sum()
        });

        out.reserve(self.kept_bytes(level) + cluster.len() + workspace.map_or(0, str::len) + uid.len() + 128);
        out.extend_from_slice(b"{\"Cluster\":");
        text::push_string(out, cluster);
        if let Some(workspace) = workspace {
            out.extend_from_slice(b",\"Workspace\":");
            text::push_string(out, workspace);
        }
        if !uid.is_empty() {
            out.extend_from_slice(b",\"Vedette\":{\"NamespaceUID\":");
            text::push_string(out, uid);
            out.push(b'}');
        }
        if oversize && annotations.is_none() {
            out.extend_from_slice(b",\"Annotations\":");
            self.annotate(None, out);
        }
        // Each member goes on with what separates it from the one before: the first one's brace becomes a comma, unless
        // that member is dropped and the next one brings its own.
        let open = self.bytes.iter().position(|byte| *byte == b'{').unwrap_or_default();
        if self.cuts.iter().next().is_none_or(|first| first.separator != open || stays(first, level)) {
            out.push(b',');
        }
        let mut from = open + 1;
        for cut in self.cuts.iter() {
            if !stays(cut, level) {
                self.copy(from, cut.separator, &edits, out);
            } else if cut.what == CutKind::Level && lower && self.bytes.get(cut.value) == Some(&b'"') {
                self.copy(from, cut.value, &edits, out);
                text::push_string(out, level.as_str());
            } else if oversize && annotations.is_some_and(|last| last.separator == cut.separator) {
                self.copy(from, cut.value, &edits, out);
                self.annotate(Some(cut), out);
            } else {
                continue;
            }
            from = cut.end;
        }
        let end = self.bytes.iter().rposition(|byte| *byte == b'}').map_or(self.bytes.len(), |brace| brace + 1);
        self.copy(from, end, &edits, out);
        if self.lone_surrogate {
            text::mend_surrogates(out.get_mut(start..).unwrap_or_default());
        }
        Rewritten { oversize, redacted }
    }

    /// The bytes of the event, as received, that [`Self::rewrite`] lets through at this level.
    pub fn kept_bytes(&self, level: Level) -> usize {
        let (_, level) = self.lowered(level);
        let gone = self.cuts.iter().filter(|cut| !cut.stays(level)).map(|cut| cut.end - cut.separator);
        self.bytes.len() - gone.sum::<usize>()
    }

    /// Whether the event is over [`MAX_EVENT_BYTES`], and the level at which it goes on where `level` is asked for.
    fn lowered(&self, level: Level) -> (bool, Level) {
        let oversize = self.bytes.len() > MAX_EVENT_BYTES;
        let bodiless = oversize || self.resource().is_empty();
        (oversize, if bodiless { level.min(Level::Metadata) } else { level })
    }

    /// Appends the bytes of a range with the edits within it. INVARIANT: no edit reaches over the end of what is copied at once,
    /// since edits lie inside bodies, which are copied as a whole or not at all.
    fn copy(&self, mut from: usize, to: usize, edits: &[Edit], out: &mut Vec<u8>) {
        let begin = edits.partition_point(|edit| edit.start < from);
        for edit in edits.iter().skip(begin).take_while(|edit| edit.end <= to) {
            out.extend_from_slice(self.bytes.get(from..edit.start).unwrap_or_default());
            edit.push(out);
            from = edit.end;
        }
        out.extend_from_slice(self.bytes.get(from..to).unwrap_or_default());
    }

    /// Appends the annotations, if any, with ours as the last, which wins.
    fn annotate(&self, cut: Option<&Cut>, out: &mut Vec<u8>) {
        let own = cut.and_then(|cut| self.bytes.get(cut.value..cut.end)).filter(|value| value.first() == Some(&b'{'));
        let members = own.and_then(|own| own.get(..own.len() - 1)).unwrap_or(b"{");
        out.extend_from_slice(members);
        if members.iter().skip(1).any(|byte| !byte.is_ascii_whitespace()) {
            out.push(b',');
        }
        text::push_string(out, OVERSIZE_ANNOTATION);
        out.extend_from_slice(b":\"true\"}");
    }
}

impl Cut {
    /// Whether the member goes on at this level as it came, or with another value.
    fn stays(&self, level: Level) -> bool {
        match self.what {
            CutKind::Cluster | CutKind::Vedette => false,
            CutKind::RequestObject => level >= Level::Request,
            CutKind::ResponseObject => level >= Level::RequestResponse,
            CutKind::Type | CutKind::Level | CutKind::Annotations | CutKind::Workspace => true,
        }
    }
}
