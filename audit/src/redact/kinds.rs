//! Which objects of a text are of a kind that matters: the first of two walks.

use super::is_named;
use crate::{
    scan::{Scanner, Span, Visit},
    text,
};

/// What an object is, by its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) secret: bool,
    pub(super) secret_list: bool,
    pub(super) token: bool,
}

/// The objects of interest of one text.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// Each by the offset of its brace, in order; an object that names its kind again is there again.
    found: Vec<(usize, Kind)>,
    /// The text's own object is of a kind, and not of a Secret's.
    pub(super) is_other: bool,
}

impl Kinds {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What the object whose brace is at `at` is; all of it, if it says several.
    pub(super) fn at(&self, at: usize) -> Kind {
        let first = self.found.partition_point(|(brace, _)| *brace < at);
        let all = self.found.iter().skip(first).take_while(|(brace, _)| *brace == at);
        all.fold(Kind::default(), |all, (_, it)| Kind {
            secret: all.secret || it.secret,
            secret_list: all.secret_list || it.secret_list,
            token: all.token || it.token,
        })
    }
}

/// Looks through a JSON text; `None` if it is none.
pub(super) fn of(json: &[u8]) -> Option<Kinds> {
    let mut finder = Finder { json, open: Vec::new(), expecting: false, kinds: Kinds::default() };
    Scanner::new(json).visit(&mut finder).ok()?;
    let mut kinds = finder.kinds;
    kinds.found.sort_unstable_by_key(|(brace, _)| *brace);
    // The last word is whatever makes it a Secret.
    kinds.is_other &= !kinds.found.first().is_some_and(|(brace, kind)| {
        json.iter().position(|byte| *byte == b'{') == Some(*brace) && (kind.secret || kind.secret_list)
    });
    Some(kinds)
}

struct Finder<'a> {
    json: &'a [u8],
    /// Where the objects and arrays around begin.
    open: Vec<usize>,
    /// The value that comes is a kind.
    expecting: bool,
    kinds: Kinds,
}

impl Visit for Finder<'_> {
    #[inline]
    fn open(&mut self, _object: bool, at: usize) {
        self.open.push(at);
        self.expecting = false;
    }

    #[inline]
    fn close(&mut self) {
        self.open.pop();
        self.expecting = false;
    }

    #[inline]
    fn name(&mut self, name: Span) {
        // Other spellings are longer, or have escapes.
        self.expecting = (name.escaped || name.end - name.start <= 8)
            && is_named(&text::decode(name.of(self.json), name.escaped), "kind");
    }

    #[inline]
    fn string(&mut self, string: Span) {
        if !std::mem::take(&mut self.expecting) {
            return;
        }
        let Some(brace) = self.open.last() else { return };
        let kind = match &*text::decode(string.of(self.json), string.escaped) {
            "Secret" => Kind { secret: true, ..Kind::default() },
            "SecretList" => Kind { secret_list: true, ..Kind::default() },
            "TokenRequest" | "TokenReview" => Kind { token: true, ..Kind::default() },
            other => {
                self.kinds.is_other |= self.open.len() == 1 && !other.is_empty();
                return;
            }
        };
        self.kinds.found.push((*brace, kind));
    }
}
