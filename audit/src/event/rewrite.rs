//! The event as it goes on: less than was received, never more.

use super::{Cut, CutKind, Event, annotations};
use crate::{
    MAX_EVENT_BYTES,
    level::Level,
    redact::{self, Edit, Finder, Redactor},
    text,
};

/// The annotation, with the value `"true"`, of an event that lost its bodies for being over [`MAX_EVENT_BYTES`].
pub const OVERSIZE_ANNOTATION: &str = "vedette.dev/oversize";

/// The annotation that stands for all of an event's where hashes would make too much of them. Its value is theirs.
pub const REDACTED_ANNOTATION: &str = "vedette.dev/redacted";

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
    /// Annotations that say what an admission webhook changed are bodies, and go where the event goes on below `Request`.
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
    /// What `redactor` finds in bodies and annotations is replaced: see [`crate::redact`].
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
        let mut finder = redactor.map(|redactor| redactor.of(self, cluster));
        let mut redacted = 0;
        for cut in self.cuts.iter().filter(|cut| cut.stays(level)) {
            redacted += match (cut.what, &mut finder) {
                (CutKind::RequestObject | CutKind::ResponseObject, Some(finder)) => {
                    finder.body(cut.value..cut.end, &mut edits)
                }
                (CutKind::Annotations, finder) => {
                    self.edit_annotations(cut, self.drops_patches(level), finder.as_mut(), &mut edits)
                }
                _ => 0,
            };
        }

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
            self.annotate(None, &[], out);
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
                self.annotate(Some(cut), &edits, out);
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
        let mut edits = Vec::new();
        if self.drops_patches(level) {
            for cut in self.cuts.iter().filter(|cut| cut.what == CutKind::Annotations) {
                self.edit_annotations(cut, true, None, &mut edits);
            }
        }
        let dropped = edits.iter().map(|edit| edit.end - edit.start);
        self.bytes.len() - gone.chain(dropped).sum::<usize>()
    }

    /// Whether annotations go where the event goes on at `level`, or at its own if that is lower.
    fn drops_patches(&self, level: Level) -> bool {
        self.patches && self.recorded_level().map_or(level, |recorded| recorded.min(level)) < Level::Request
    }

    /// Appends what changes within annotations, with `drops` those that hold a patch. Returns how many values are replaced.
    ///
    /// INVARIANT: the braces stay, and members between them, so that it stays an object.
    fn edit_annotations(&self, cut: &Cut, drops: bool, finder: Option<&mut Finder<'_>>, edits: &mut Vec<Edit>) -> u64 {
        let all = self.bytes.get(cut.value..cut.end).unwrap_or_default();
        let mut finder = finder.and_then(|finder| finder.may_be_in(all, self.patches).then_some(finder));
        if !drops && finder.is_none() {
            return 0;
        }
        let (first, begin) = (edits.len(), cut.value + 1);
        let (mut redacted, mut growth, mut any_stays, mut lead) = (0, redact::Growth::default(), false, begin);
        for note in annotations::notes(all) {
            let (separator, end) = (cut.value + note.separator, cut.value + note.end);
            if drops && note.patch {
                // What goes before the first that stays takes that one's comma along.
                if any_stays {
                    edits.push(Edit::remove(separator..end));
                } else {
                    lead = end;
                }
                continue;
            }
            if !any_stays && lead > begin {
                edits.push(Edit::remove(begin..separator + 1));
            }
            any_stays = true;
            if let Some(finder) = &mut finder {
                let before = edits.len();
                redacted += finder.note(cut.value + note.value..end, note.patch, edits);
                growth.add(edits.get(before..).unwrap_or_default());
                if growth.is_over(all.len()) {
                    edits.truncate(first);
                    let mut one = Vec::new();
                    text::push_string(&mut one, REDACTED_ANNOTATION);
                    one.push(b':');
                    one.extend(finder.whole(all));
                    edits.push(Edit::put(begin..cut.end - 1, one));
                    return 1;
                }
            }
        }
        if !any_stays && lead > begin {
            edits.push(Edit::remove(begin..lead));
        }
        redacted
    }

    /// Whether the event is over [`MAX_EVENT_BYTES`], and the level at which it goes on where `level` is asked for.
    fn lowered(&self, level: Level) -> (bool, Level) {
        let oversize = self.bytes.len() > MAX_EVENT_BYTES;
        let bodiless = oversize || self.resource().is_empty();
        (oversize, if bodiless { level.min(Level::Metadata) } else { level })
    }

    /// Appends the bytes of a range with the edits within it. INVARIANT: no edit reaches over the end of what is copied at once,
    /// since edits lie inside bodies and between the braces of annotations, which are copied as a whole or not at all.
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
    fn annotate(&self, cut: Option<&Cut>, edits: &[Edit], out: &mut Vec<u8>) {
        out.push(b'{');
        let start = out.len();
        if let Some(cut) = cut.filter(|cut| self.bytes.get(cut.value) == Some(&b'{')) {
            self.copy(cut.value + 1, cut.end - 1, edits, out);
        }
        if out.iter().skip(start).any(|byte| !byte.is_ascii_whitespace()) {
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
