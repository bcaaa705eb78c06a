//! An event's annotations one by one: some hold what was sent, and go where bodies go.

use crate::{scan::Scanner, text};

/// What the names begin with under which kube-apiserver notes, from the level `Request` on, what a mutating webhook changed: a JSON patch
/// with its values. Those of `mutation.webhook.admission.k8s.io/` have none.
const PATCH: &[u8] = b"patch.webhook.admission.k8s.io/";

/// Whether an annotation of this name holds a patch.
pub(super) fn is_patch(name: &[u8]) -> bool {
    name.get(..PATCH.len()).is_some_and(|first| first.eq_ignore_ascii_case(PATCH))
}

/// One annotation, by offsets from the start of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// The offset of the brace or comma before it.
    pub(super) separator: usize,
    /// The offsets of its value's first byte and of the byte after its last.
    pub(super) value: usize,
    pub(super) end: usize,
    /// It holds a patch.
    pub(super) patch: bool,
}

/// The annotations of a value that the parser took; null has none.
pub(super) fn notes(json: &[u8]) -> impl Iterator<Item = Note> {
    let mut scanner = Scanner::new(json);
    let mut separator = scanner.pos();
    let mut more = scanner.peek() == Some(b'{') && scanner.open(true).is_ok() && scanner.peek() == Some(b'"');
    std::iter::from_fn(move || {
        if !std::mem::take(&mut more) {
            return None;
        }
        let name = scanner.name().ok()?;
        let patch = is_patch(text::decode(name.of(json), name.escaped).as_bytes());
        scanner.peek();
        let value = scanner.pos();
        scanner.value().ok()?;
        let note = Note { separator, value, end: scanner.pos(), patch };
        more = scanner.peek() == Some(b',');
        separator = scanner.pos();
        if more {
            scanner.take(b',', "`,`").ok()?;
        }
        Some(note)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_whatever_name() {
        let json = r#"{ "a" : {"b":[1,"}"]} ,"p\u0061tch.webhook.admission.k8s.io/x":"{\"",
            "Patch.Webhook.admission.k8s.io/":null , "patch.webhook.admission.k8s.i":1}"#;
        let found: Vec<_> = notes(json.as_bytes())
            .map(|note| (&json[note.separator..=note.separator], &json[note.value..note.end], note.patch))
            .collect();
        assert_eq!(
            found,
            [("{", r#"{"b":[1,"}"]}"#, false), (",", r#""{\"""#, true), (",", "null", true), (",", "1", false)]
        );
        for none in ["null", "{}", " { } "] {
            assert_eq!(notes(none.as_bytes()).count(), 0);
        }
    }
}
