//! Secrets do not belong in an archive: what is one is replaced before an event goes anywhere.
//!
//! Replaced are, in request and response bodies, the values of `data` and `stringData` of Secrets, the tokens of TokenRequests and
//! TokenReviews, whatever a patch writes into a Secret, and the fields that the configuration names. A Secret is known by the
//! event's resource or by `"kind":"Secret"`, wherever that stands: in a list, in another object, or in a string that is JSON itself,
//! as the annotation of `kubectl apply` is. Where a body is about a secret and is not understood, all of it goes.
//!
//! The annotations in which an apiserver notes what admission webhooks changed are bodies too, each a text with a patch in it.
//!
//! A value becomes `redacted:` and 32 hexadecimal digits: the first 16 bytes of BLAKE3, keyed, of what it stands for. So the same
//! password in two Secrets, or before and after a change, can still be told from another one, and nobody without the key can try
//! passwords until one fits. Each namespace of each cluster has a key of its own, made of the one that is configured: with one for all,
//! who may see hashes could have guesses hashed, as Secrets in a namespace of their own, and compare. Values of `data` are taken
//! as what their base64 stands for, so that `stringData` gives the same. An empty value stays empty. What looks redacted already
//! is not special: a client can write that.
//!
//! **How.** A body is looked through for the words of interest, and only where one stands it is walked, twice: first to find which
//! objects are what ([`kinds`]), since a kind may stand behind what it is about, then to collect what is to be replaced ([`walk`]). No
//! tree is built and nothing recurses but JSON inside strings, at most [`MAX_NESTED`] deep: time is linear.
//!
//! Replacing makes small values longer. A body that would more than double is replaced as a whole.

mod fields;
mod kinds;
mod role;
#[cfg(test)]
mod tests;
mod walk;

use std::{cell::OnceCell, ops::Range};

use aho_corasick::AhoCorasick;
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{event::Event, scan::Scanner, text};
use fields::FieldSet;
pub use fields::{FieldRule, RedactError};
use role::Place;
use walk::Walk;

/// What a replaced value begins with.
pub const PREFIX: &str = "redacted:";

/// JSON inside strings of JSON is looked into so many times; what goes on is replaced.
pub const MAX_NESTED: u32 = 4;

/// Bytes by which a body may always grow.
const LEEWAY: usize = 1024;

/// A body without any of these holds nothing of interest unless its resource says so: a kind stands behind a quote, also inside a
/// string, or is spelled with an escape.
const WORDS: [&str; 4] = ["\"Secret", "\"TokenRequest", "\"TokenReview", "\\u"];

/// Go's decoder: padding must be there, and what is left over of the last byte may be anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Finds what is to be replaced. Made once, used for every event.
#[derive(Clone)]
pub struct Redactor {
    key: [u8; 32],
    sets: Vec<FieldSet>,
    words: AhoCorasick,
}

/// The key is not shown.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redactor").field("sets", &self.sets).finish_non_exhaustive()
    }
}

/// Bytes of an event and what stands there instead.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    new: New,
}

#[derive(Debug)]
enum New {
    /// A value's hash.
    Hash([u8; 16]),
    /// As it is written: a string with JSON in it, quotes included, or nothing.
    Text(Vec<u8>),
}

impl Edit {
    /// These bytes become `text`.
    pub(crate) fn put(Range { start, end }: Range<usize>, text: Vec<u8>) -> Self {
        Self { start, end, new: New::Text(text) }
    }

    /// These bytes go.
    pub(crate) fn remove(range: Range<usize>) -> Self {
        Self::put(range, Vec::new())
    }

    /// Appends what stands there instead.
    pub(crate) fn push(&self, out: &mut Vec<u8>) {
        match &self.new {
            New::Hash(hash) => {
                out.push(b'"');
                out.extend_from_slice(PREFIX.as_bytes());
                out.extend_from_slice(hex::encode(hash).as_bytes());
                out.push(b'"');
            }
            New::Text(text) => out.extend_from_slice(text),
        }
    }

    fn len(&self) -> usize {
        match &self.new {
            New::Hash(hash) => PREFIX.len() + 2 * hash.len() + 2,
            New::Text(text) => text.len(),
        }
    }
}

impl Redactor {
    /// One that hashes with `key` and also replaces the fields of `rules`.
    ///
    /// # Errors
    /// If a rule makes no sense.
    pub fn new(key: [u8; 32], rules: &[FieldRule]) -> Result<Self, RedactError> {
        let sets = rules.iter().map(FieldSet::new).collect::<Result<_, _>>()?;
        let words = AhoCorasick::new(WORDS).map_err(|_| RedactError::Search)?;
        Ok(Self { key, sets, words })
    }

    /// What finds the secrets of one event of `cluster`.
    pub(crate) fn of<'a>(&'a self, event: &'a Event<'a>, cluster: &'a str) -> Finder<'a> {
        Finder { keyed: Keyed { redactor: self, event, cluster, key: OnceCell::new() }, place: None }
    }
}

/// Finds what is to be replaced in one event. Texts are given by where they stand; what is found is appended in order, and how many
/// values it is returned.
pub(crate) struct Finder<'a> {
    keyed: Keyed<'a>,
    place: Option<Place<'a>>,
}

impl<'a> Finder<'a> {
    /// In a body.
    pub(crate) fn body(&mut self, range: Range<usize>, edits: &mut Vec<Edit>) -> u64 {
        let place = self.place();
        self.text(range, &place, edits)
    }

    /// In an annotation's value; `patch` if it is what a webhook changed.
    pub(crate) fn note(&mut self, range: Range<usize>, patch: bool, edits: &mut Vec<Edit>) -> u64 {
        let place = if patch { self.place().of_webhook() } else { Place::default() };
        self.text(range, &place, edits)
    }

    /// Whether anything may be found in these annotations; `patches` if there are such.
    pub(crate) fn may_be_in(&mut self, annotations: &[u8], patches: bool) -> bool {
        self.keyed.redactor.words.is_match(annotations) || patches && self.place().is_special()
    }

    /// What all of a text becomes, as a string in JSON.
    pub(crate) fn whole(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Edit { start: 0, end: 0, new: New::Hash(self.keyed.hash(text)) }.push(&mut out);
        out
    }

    fn place(&mut self) -> Place<'a> {
        let Keyed { redactor, event, .. } = self.keyed;
        *self.place.get_or_insert_with(|| Place::of(event, &redactor.sets))
    }

    fn text(&self, range: Range<usize>, place: &Place<'_>, edits: &mut Vec<Edit>) -> u64 {
        let keyed = &self.keyed;
        let Some(text) = keyed.event.bytes().get(range.clone()) else { return 0 };
        if !place.is_special() && !keyed.redactor.words.is_match(text) {
            return 0;
        }
        match keyed.find(text, place, 0) {
            Some(found) => {
                edits.extend(found.edits.into_iter().map(|edit| Edit {
                    start: range.start + edit.start,
                    end: range.start + edit.end,
                    ..edit
                }));
                found.values
            }
            None => {
                edits.push(Edit { start: range.start, end: range.end, new: New::Hash(keyed.hash(text)) });
                1
            }
        }
    }
}

/// Bytes that edits add and take away.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Growth {
    added: usize,
    taken: usize,
}

impl Growth {
    pub(crate) fn add(&mut self, edits: &[Edit]) {
        for edit in edits {
            self.added += edit.len();
            self.taken += edit.end - edit.start;
        }
    }

    /// Whether a text of `length` bytes becomes more than double.
    pub(crate) fn is_over(self, length: usize) -> bool {
        self.added > self.taken + length + LEEWAY
    }
}

/// A redactor with the key for the place that an event is about.
struct Keyed<'a> {
    redactor: &'a Redactor,
    event: &'a Event<'a>,
    cluster: &'a str,
    key: OnceCell<[u8; 32]>,
}

impl Keyed<'_> {
    /// That of a namespace in a cluster. A DevOps project of KubeSphere is the namespace of its name.
    fn key(&self) -> &[u8; 32] {
        self.key.get_or_init(|| {
            let mut namespace = self.event.namespace();
            if namespace.is_empty() {
                namespace = self.event.devops();
            }
            let mut hasher = blake3::Hasher::new_keyed(&self.redactor.key);
            hasher.update(self.cluster.as_bytes()).update(&[0]).update(namespace.as_bytes());
            *hasher.finalize().as_bytes()
        })
    }

    /// What is to be replaced in a JSON text; `None` if all of it is. `nested` is in how many strings it stands.
    fn find(&self, json: &[u8], place: &Place<'_>, nested: u32) -> Option<Found> {
        let kinds = kinds::of(json)?;
        if !place.is_special() && kinds.is_empty() && !walk::may_hold_json(json, &self.redactor.words) {
            return Some(Found::default());
        }
        let mut walk = Walk::new(self, json, place, &kinds, nested);
        Scanner::new(json).visit(&mut walk).ok()?;
        walk.finish()
    }

    fn hash(&self, value: &[u8]) -> [u8; 16] {
        let mut first = [0; 16];
        let hash = blake3::keyed_hash(self.key(), value);
        for (to, from) in first.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        first
    }

    /// The hash of a string's content; in base64, of what that stands for. `None` for an empty one.
    fn hash_text(&self, raw: &[u8], escaped: bool, base64: bool) -> Option<[u8; 16]> {
        if raw.is_empty() {
            return None;
        }
        let text = text::decode(raw, escaped);
        let bytes = if base64 { decode_base64(&text) } else { None };
        Some(self.hash(bytes.as_deref().unwrap_or(text.as_bytes())))
    }
}

/// What was found in one text.
#[derive(Debug, Default)]
struct Found {
    edits: Vec<Edit>,
    values: u64,
}

/// As Go does, without the line breaks in it.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
        let text: Vec<_> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        return BASE64.decode(text).ok();
    }
    BASE64.decode(text).ok()
}

/// Whether a member's name is `wanted`, which is in lower case: without regard to case as Go's decoder is, to which the long s and the
/// Kelvin sign are letters of ours.
fn is_named(name: &str, wanted: &str) -> bool {
    if name.is_ascii() {
        return name.eq_ignore_ascii_case(wanted);
    }
    name.chars().map(fold).eq(wanted.chars())
}

fn fold(letter: char) -> char {
    match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}
