//! Characters as they were typed: whether one is itself, or means something, is settled once, by the lexer.

use vedette_archive::{Pattern, Piece};

use super::error::Span;

/// A character of a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyph {
    pub(super) what: What,
    pub(super) span: Span,
}

/// What a character is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Typed bare: it may mean something.
    Bare(char),
    /// Quoted or escaped: itself.
    Literal(char),
    /// A quotation mark that opens: no text, but it tells `""` from nothing.
    Quote,
}

/// A word or a part of one. It knows its place even where it is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    glyphs: &'a [Glyph],
    span: Span,
}

impl Glyph {
    fn is(&self, c: char) -> bool {
        self.what == What::Bare(c)
    }

    fn char(&self) -> Option<char> {
        match self.what {
            What::Bare(c) | What::Literal(c) => Some(c),
            What::Quote => None,
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn new(glyphs: &'a [Glyph], span: Span) -> Self {
        Self { glyphs, span }
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// Nothing stands here, not even `""`.
    pub(super) fn is_missing(&self) -> bool {
        self.glyphs.is_empty()
    }

    /// The text, whatever its characters mean.
    pub(super) fn text(&self) -> String {
        self.glyphs.iter().filter_map(Glyph::char).collect()
    }

    /// Whether the text is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.glyphs.iter().all(|glyph| glyph.char().is_none())
    }

    /// Every character was typed bare.
    pub(super) fn is_bare(&self) -> bool {
        self.glyphs.iter().all(|glyph| matches!(glyph.what, What::Bare(_)))
    }

    /// It stands for one text alone.
    pub(super) fn is_plain(&self) -> bool {
        self.wildcards() == 0
    }

    /// How many of its characters stand for others.
    pub(super) fn wildcards(&self) -> usize {
        self.glyphs.iter().filter(|glyph| glyph.is('*') || glyph.is('?')).count()
    }

    /// The bare keyword, without regard to case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is_bare() && self.glyphs.len() == word.len() && self.text().eq_ignore_ascii_case(word)
    }

    /// The first character, if it was typed bare.
    pub(super) fn first(&self) -> Option<char> {
        match self.glyphs.first()?.what {
            What::Bare(c) => Some(c),
            What::Literal(_) | What::Quote => None,
        }
    }

    /// Without its first `count` characters.
    pub(super) fn skip(&self, count: usize) -> Self {
        let start = self.glyphs.get(count).map_or(self.span.end, |glyph| glyph.span.start);
        Self { glyphs: self.glyphs.get(count..).unwrap_or_default(), span: Span { start, end: self.span.end } }
    }

    /// Its first `count` characters.
    pub(super) fn take(&self, count: usize) -> Self {
        let glyphs = self.glyphs.get(..count).unwrap_or(self.glyphs);
        let end = glyphs.last().map_or(self.span.start, |glyph| glyph.span.end);
        Self { glyphs, span: Span { start: self.span.start, end } }
    }

    /// What follows the bare character, if that is the first.
    pub(super) fn strip(&self, c: char) -> Option<Self> {
        (self.first() == Some(c)).then(|| self.skip(1))
    }

    /// The place of the first bare character that is this one.
    pub(super) fn find(&self, c: char) -> Option<usize> {
        self.glyphs.iter().position(|glyph| glyph.is(c))
    }

    /// What stands before and after the first bare `c`.
    pub(super) fn split_once(&self, c: char) -> Option<(Self, Self)> {
        let at = self.find(c)?;
        Some((self.take(at), self.skip(at + 1)))
    }

    /// The parts between bare `c`s.
    pub(super) fn split(&self, c: char) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut rest = *self;
        while let Some((part, after)) = rest.split_once(c) {
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        parts
    }

    /// How many of its first characters were typed bare and satisfy this.
    pub(super) fn run(&self, holds: impl Fn(char) -> bool) -> usize {
        self.glyphs.iter().take_while(|glyph| matches!(glyph.what, What::Bare(c) if holds(c))).count()
    }

    /// What whole values are compared with.
    pub(super) fn pattern(&self) -> Pattern {
        Pattern::new(self.pieces())
    }

    /// What finds it as a part of a value.
    pub(super) fn part(&self) -> Pattern {
        Pattern::new([Piece::Any].into_iter().chain(self.pieces()).chain([Piece::Any]))
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> {
        self.glyphs.iter().filter_map(|glyph| match glyph.what {
            What::Bare('*') => Some(Piece::Any),
            What::Bare('?') => Some(Piece::One),
            What::Bare(c) | What::Literal(c) => Some(Piece::Text(c.to_string())),
            What::Quote => None,
        })
    }
}

/// The value as the language reads it back, literally, whatever the key of a text: `alice` as it is, anything that could
/// mean more in quotes; nothing as `""`, which finds where there is no value.
///
/// `user:` and this find it without regard to case, `user:=` and this with.
pub fn quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '@' | '.');
    let first = value.chars().next();
    // A dot divides a resource from its group, and two make a range; but an address should stay readable.
    let dots = !value.contains('.') || (first.is_some_and(|c| c.is_ascii_digit()) && !value.contains(".."));
    let keyword = ["or", "and", "not"].iter().any(|word| value.eq_ignore_ascii_case(word));
    let begins = first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    if begins && dots && !keyword && value.chars().all(plain) && super::resource::plural(value).is_none() {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}
