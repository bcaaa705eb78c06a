//! What stands on the right of an operator.

use super::{Keyword, Parser, describe};
use crate::codes;
use crate::syntax::ast::{Literal, LiteralKind, Operator, Right};
use crate::syntax::lexer::{Token, TokenKind};
use crate::syntax::{Dialect, Problem};

impl Parser {
    /// Takes the word behind a value that makes capitals and small letters equal; a value cannot go on with a word otherwise.
    pub(super) fn take_nocase(&mut self) -> bool {
        let there = matches!(self.peek().map(|token| &token.kind), Some(TokenKind::Word(word)) if word == "nocase");
        let taken = there && self.dialect == Dialect::Vedette;
        self.at += usize::from(taken);
        taken
    }

    /// The value on the right; the problem is reported if there is none.
    pub(super) fn value(&mut self, operator: Operator) -> Option<Literal> {
        if let Some(literal) = self.literal() {
            return Some(literal);
        }
        let operator = operator.as_str();
        let problem = match self.peek() {
            Some(token) if token.kind == TokenKind::Bad => None,
            Some(token) => Some((token.span.clone(), describe(&token.kind))),
            None => Some((self.end..self.end, "the end".to_owned())),
        };
        if let Some((span, found)) = problem {
            self.report(
                Problem::new(
                    codes::EXPECTED_VALUE,
                    span,
                    format!("expected a value after `{operator}`, found {found}"),
                )
                .help("a value is text in double quotes, a number, `true` or `false`, or one bare word"),
            );
        }
        self.recover();
        None
    }

    /// `(a, b)` or a reference to a list.
    pub(super) fn items(&mut self, operator: Operator) -> Option<Right> {
        if let Some(TokenKind::Reference(..)) = self.peek().map(|token| &token.kind) {
            return self.literal().map(Right::Value);
        }
        let open = self.before()..self.before();
        if !self.take_kind(&TokenKind::Open) {
            let span = self.peek().map_or(self.end..self.end, |token| token.span.clone());
            self.report(
                Problem::new(
                    codes::EXPECTED_VALUE,
                    span,
                    format!("expected `(` or a list after `{0}`", operator.as_str()),
                )
                .help(format!("write `{0} (\"a\", \"b\")` or `{0} ${{list}}`", operator.as_str())),
            );
            self.recover();
            return None;
        }
        let mut items = Vec::new();
        loop {
            match self.literal() {
                Some(item) => items.push(item),
                None => {
                    let span = self.peek().map_or(self.end..self.end, |token| token.span.clone());
                    if self.peek().is_none_or(|token| token.kind != TokenKind::Bad) {
                        self.report(
                            Problem::new(codes::EXPECTED_VALUE, span, "expected a value of the list")
                                .help("the values of a list stand in parentheses with commas between them"),
                        );
                    }
                    self.skip_items();
                    return None;
                }
            }
            if self.take_kind(&TokenKind::Close) {
                return Some(Right::Items(items));
            }
            if !self.take_kind(&TokenKind::Comma) {
                let span = self.peek().map_or(open.clone(), |token| token.span.clone());
                if self.peek().is_none_or(|token| token.kind != TokenKind::Bad) {
                    let found = self.peek().map_or("the end".to_owned(), |token| describe(&token.kind));
                    self.report(
                        Problem::new(
                            codes::UNBALANCED,
                            span,
                            format!("expected `,` or `)` in the list, found {found}"),
                        )
                        .help("text with spaces needs double quotes"),
                    );
                }
                self.skip_items();
                return None;
            }
        }
    }

    /// Skips to behind the end of a list that could not be read.
    fn skip_items(&mut self) {
        while let Some(token) = self.peek() {
            let end = token.kind == TokenKind::Close;
            if matches!(self.keyword(), Some(Keyword::And | Keyword::Or)) {
                return;
            }
            self.at += 1;
            if end {
                return;
            }
        }
    }

    fn literal(&mut self) -> Option<Literal> {
        let Token { kind, span } = self.peek()?.clone();
        let kind = match kind {
            TokenKind::Text(text) => LiteralKind::Text(text),
            TokenKind::Number(number) => LiteralKind::Number(number),
            TokenKind::Word(_) if self.keyword().is_some() => return None,
            TokenKind::Word(word) => match word.as_str() {
                "true" | "True" | "TRUE" => LiteralKind::Bool(true),
                "false" | "False" | "FALSE" => LiteralKind::Bool(false),
                _ => LiteralKind::Word(word),
            },
            TokenKind::Reference(name, rest) if rest.is_empty() => LiteralKind::Reference(name),
            TokenKind::Reference(..) => {
                self.report(
                    Problem::new(
                        codes::EXPECTED_VALUE,
                        span.clone(),
                        "a path cannot go on behind a reference on the right",
                    )
                    .help("name the whole path in an alias"),
                );
                LiteralKind::Text(String::new())
            }
            _ => return None,
        };
        self.at += 1;
        Some(Literal { kind, span })
    }
}
