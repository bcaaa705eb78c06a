//! Text to tokens.
//!
//! A word takes everything that a field path or a bare value may hold, array steps included; what it means is the parser's matter.

use std::ops::Range;

use super::{Problem, quoted};
use crate::codes;
use crate::syntax::ast::Operator;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Open,
    Close,
    Comma,
    Bang,
    /// A comparison by sign.
    Sign(Operator),
    /// Decoded.
    Text(String),
    Word(String),
    Number(String),
    /// `${name}` and the path that follows it without a space, `.a[*]`.
    Reference(String, String),
    /// Something that was reported already.
    Bad,
}

pub(super) fn lex(text: &str, problems: &mut Vec<Problem>) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, problems, tokens: Vec::new() };
    while lexer.token() {}
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    problems: &'a mut Vec<Problem>,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Takes one token; false at the end.
    fn token(&mut self) -> bool {
        self.take_while(char::is_whitespace);
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return false };
        let kind = if rest.starts_with("${") {
            self.reference()
        } else if first == '"' {
            self.string()
        } else if let Some((sign, kind)) = sign(rest) {
            self.at += sign.len();
            kind
        } else if is_word(first) || first == '[' {
            let word = self.word().to_owned();
            if is_number(&word) { TokenKind::Number(word) } else { TokenKind::Word(word) }
        } else {
            self.unexpected(first)
        };
        self.tokens.push(Token { kind, span: start..self.at });
        true
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &str {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.find(|it| !wanted(it)).unwrap_or(rest.len());
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Word characters and whole brackets.
    fn word(&mut self) -> &str {
        let start = self.at;
        loop {
            self.take_while(is_word);
            if !self.rest().starts_with('[') {
                break;
            }
            // The bracket ends at `]`, or where no step could go on.
            self.at += 1;
            if self.rest().starts_with('"') {
                self.at += quoted_length(self.rest());
            }
            self.take_while(|it| it.is_ascii_digit() || matches!(it, '*' | ':' | '-'));
            if self.rest().starts_with(']') {
                self.at += 1;
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn string(&mut self) -> TokenKind {
        let start = self.at;
        let mut decoded = String::new();
        let mut escaped = false;
        for (offset, it) in self.text.get(start + 1..).unwrap_or_default().char_indices() {
            match it {
                '"' | '\\' if escaped => {
                    decoded.push(it);
                    escaped = false;
                }
                '"' => {
                    self.at = start + 1 + offset + 1;
                    return TokenKind::Text(decoded);
                }
                '\\' => escaped = true,
                _ => {
                    // A backslash before anything else stands for itself: `"\d"` is a pattern.
                    if escaped {
                        decoded.push('\\');
                    }
                    escaped = false;
                    decoded.push(it);
                }
            }
        }
        self.at = self.text.len();
        let problem = Problem::new(codes::UNTERMINATED, start..self.text.len(), "this string does not end")
            .label("starts here")
            .help("close it with `\"`; inside a string write `\\\"` for a quote");
        self.report(problem);
        TokenKind::Bad
    }

    fn reference(&mut self) -> TokenKind {
        let start = self.at;
        self.at += 2;
        let name = self.take_while(|it| !matches!(it, '}' | '{' | '"' | '(' | ')' | '$' | '\n')).trim().to_owned();
        if !self.rest().starts_with('}') {
            let problem = Problem::new(codes::UNTERMINATED, start..self.at, "this reference does not end")
                .help("close it with `}`: `${name}` or `${resource.name}`");
            self.report(problem);
            return TokenKind::Bad;
        }
        self.at += 1;
        let rest = match self.rest().chars().next() {
            Some('.' | '[') => self.word().to_owned(),
            _ => String::new(),
        };
        if name.is_empty() || !name.chars().all(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.')) {
            let problem = Problem::new(codes::BAD_REFERENCE, start..self.at, format!("{} is no name", quoted(&name)))
                .help("a name holds letters, digits, `_`, `-` and, between resource and name, `.`");
            self.report(problem);
            return TokenKind::Bad;
        }
        TokenKind::Reference(name, rest)
    }

    fn unexpected(&mut self, first: char) -> TokenKind {
        let start = self.at;
        let (length, message, help) = if first == '\'' {
            let rest = self.rest().get(1..).unwrap_or_default();
            let length = rest.find('\'').map_or(1, |end| end + 2);
            (length, "text stands in double quotes".to_owned(), Some("write `\"…\"`"))
        } else {
            let rest = self.rest();
            let odd = |it: char| {
                !is_word(it) && !it.is_whitespace() && !matches!(it, '"' | '(' | ')' | ',' | '=' | '<' | '>')
            };
            let length = rest.find(|it| !odd(it)).unwrap_or(rest.len()).max(first.len_utf8());
            let sign = rest.get(..length).unwrap_or_default();
            let help = match sign {
                "&&" | "&" => Some("write `and`"),
                "||" | "|" => Some("write `or`"),
                "$" => Some("a reference is written `${name}`"),
                "]" => Some("an array step is `[*]`, `[3]` or `[1:5]`"),
                _ => None,
            };
            (length, format!("{} has no meaning here", quoted(sign)), help)
        };
        self.at += length;
        let mut problem = Problem::new(codes::UNEXPECTED, start..self.at, message);
        problem.help = help.map(str::to_owned);
        self.report(problem);
        TokenKind::Bad
    }

    fn report(&mut self, problem: Problem) {
        if self.problems.len() < super::PROBLEM_LIMIT {
            self.problems.push(problem);
        }
    }
}

/// The bytes of the string that `rest` begins with, quotes included; all of it if the string does not end.
pub(super) fn quoted_length(rest: &str) -> usize {
    let mut escaped = false;
    for (offset, it) in rest.char_indices().skip(1) {
        match it {
            '"' if !escaped => return offset + 1,
            it => escaped = it == '\\' && !escaped,
        }
    }
    rest.len()
}

fn sign(rest: &str) -> Option<(&'static str, TokenKind)> {
    [
        ("==", TokenKind::Sign(Operator::Equal)),
        ("!=", TokenKind::Sign(Operator::NotEqual)),
        (">=", TokenKind::Sign(Operator::GreaterEqual)),
        ("<=", TokenKind::Sign(Operator::LessEqual)),
        ("=", TokenKind::Sign(Operator::Equal)),
        (">", TokenKind::Sign(Operator::Greater)),
        ("<", TokenKind::Sign(Operator::Less)),
        ("!", TokenKind::Bang),
        ("(", TokenKind::Open),
        (")", TokenKind::Close),
        (",", TokenKind::Comma),
    ]
    .into_iter()
    .find(|(sign, _)| rest.starts_with(sign))
}

/// What may stand in a word: a field path, or a value that needs no quotes.
pub(super) fn is_word(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '/' | ':' | '@' | '*' | '?' | '%' | '+' | '~')
}

/// Digits, perhaps with a sign and a fraction: anything else that starts with a digit is a word.
pub(super) fn is_number(word: &str) -> bool {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    [whole, fraction].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()))
}
