//! Text to tokens: words and parentheses.
//!
//! A word ends at white space or at a parenthesis, outside quotes. What is in it (a key, values, wildcards) is for those who
//! read it: the lexer only settles which characters are themselves.

use super::error::{SearchError, Span, shown};
use super::value::{Glyph, Value, What};

/// A token.
#[derive(Debug)]
pub(super) enum Token {
    /// `(`
    Open(Span),
    /// `)`
    Close(Span),
    /// Anything else.
    Word(Vec<Glyph>, Span),
}

impl Token {
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Open(span) | Self::Close(span) | Self::Word(_, span) => *span,
        }
    }

    /// The word, if it is one.
    pub(super) fn word(&self) -> Option<Value<'_>> {
        match self {
            Self::Word(glyphs, span) => Some(Value::new(glyphs, *span)),
            Self::Open(_) | Self::Close(_) => None,
        }
    }
}

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SearchError> {
    let mut lexer = Lexer { chars: text.char_indices().peekable(), end: text.len() };
    let mut tokens = Vec::new();
    while let Some((at, c)) = lexer.peek() {
        let here = Span { start: at, end: at + c.len_utf8() };
        if c.is_whitespace() {
            lexer.next();
        } else if let Some(token) = parenthesis(c, here) {
            lexer.next();
            tokens.push(token);
        } else {
            tokens.push(lexer.word(at)?);
        }
    }
    Ok(tokens)
}

fn parenthesis(c: char, span: Span) -> Option<Token> {
    match c {
        '(' => Some(Token::Open(span)),
        ')' => Some(Token::Close(span)),
        _ => None,
    }
}

struct Lexer<'a> {
    chars: std::iter::Peekable<std::str::CharIndices<'a>>,
    end: usize,
}

impl Lexer<'_> {
    fn peek(&mut self) -> Option<(usize, char)> {
        self.chars.peek().copied()
    }

    fn next(&mut self) -> Option<(usize, char)> {
        self.chars.next()
    }

    fn place(&mut self) -> usize {
        self.peek().map_or(self.end, |(at, _)| at)
    }

    fn word(&mut self, start: usize) -> Result<Token, SearchError> {
        let mut glyphs = Vec::new();
        while let Some((at, c)) = self.peek() {
            if c.is_whitespace() || matches!(c, '(' | ')') {
                break;
            }
            self.next();
            match c {
                '"' => self.quoted(at, &mut glyphs)?,
                '\\' => {
                    let Some((_, escaped)) = self.next() else {
                        let error = SearchError::new(Span { start: at, end: at + 1 }, "nothing follows the backslash");
                        return Err(error.help("write `\\\\` for a backslash"));
                    };
                    let span = Span { start: at, end: self.place() };
                    glyphs.push(Glyph { what: What::Literal(escaped), span });
                }
                c => glyphs.push(Glyph { what: What::Bare(c), span: Span { start: at, end: self.place() } }),
            }
        }
        let end = self.place();
        Ok(Token::Word(glyphs, Span { start, end }))
    }

    /// The rest of a quoted text whose first quotation mark, at `start`, has been read.
    fn quoted(&mut self, start: usize, glyphs: &mut Vec<Glyph>) -> Result<(), SearchError> {
        glyphs.push(Glyph { what: What::Quote, span: Span { start, end: start + 1 } });
        while let Some((at, c)) = self.next() {
            let c = match c {
                '"' => {
                    // The mark that closes belongs to the character before it, so that spans hold both.
                    let end = self.place();
                    if let Some(last) = glyphs.last_mut() {
                        last.span.end = end;
                    }
                    return Ok(());
                }
                '\\' => match self.next() {
                    Some((_, c @ ('"' | '\\'))) => c,
                    Some((_, c)) => {
                        let span = Span { start: at, end: self.place() };
                        let message = format!("`\\{}` means nothing in quotes", shown(&c.to_string()));
                        return Err(SearchError::new(span, message)
                            .help("write `\\\\` for a backslash, `\\\"` for a quotation mark"));
                    }
                    None => break,
                },
                c => c,
            };
            glyphs.push(Glyph { what: What::Literal(c), span: Span { start: at, end: self.place() } });
        }
        let error = SearchError::new(Span { start, end: start + 1 }, "the quotes are not closed");
        Err(error.help("write `\\\"` for a quotation mark itself"))
    }
}
