//! Words that stand where an operator was meant: slips of the pen, and what other languages call one.

use super::{Keyword, Parser};
use crate::codes;
use crate::similar;
use crate::syntax::lexer::{Token, TokenKind};
use crate::syntax::{Dialect, Problem, quoted};

impl Parser {
    /// Reports a word that stands where an operator was meant, behind a field. A word that begins a condition of its own is none: there
    /// an `and` is missing.
    pub(super) fn report_operator(&mut self) -> bool {
        let Some(Token { kind: TokenKind::Word(word), span }) = self.peek().cloned() else { return false };
        let operator = |offset: usize| match self.tokens.get(self.at + offset).map(|token| &token.kind) {
            Some(TokenKind::Sign(_)) => true,
            Some(kind) => matches!(self.keyword_of(kind), Some(Keyword::Operator(_))),
            None => false,
        };
        let negated = self.tokens.get(self.at + 1).and_then(|token| self.keyword_of(&token.kind)) == Some(Keyword::Not);
        let begins = operator(1) || negated && operator(2);
        if self.dialect == Dialect::KubeSphere || self.keyword().is_some() || begins {
            return false;
        }
        let known = ["contains", "in", "like", "regex", "startswith", "endswith", "within", "exists"];
        let lower = word.to_ascii_lowercase();
        let help = match lower.as_str() {
            "is" | "eq" | "equals" if negated => "write `!=`".to_owned(),
            "is" | "eq" | "equals" => "write `=`".to_owned(),
            "isnt" | "ne" => "write `!=`".to_owned(),
            "matches" | "match" | "regexmatch" => "write `regex`".to_owned(),
            "glob" => "write `like`".to_owned(),
            "icontains" | "istartswith" | "iendswith" | "ilike" | "iregex" => {
                format!("write `{} … nocase`", lower.trim_start_matches('i'))
            }
            "iglob" => "write `like … nocase`".to_owned(),
            "imatches" => "write `regex … nocase`".to_owned(),
            _ => similar::nearest(&word, known).map_or_else(
                || format!("an operator is `=`, `!=`, `<`, `<=`, `>`, `>=` or a word: `{}`", known.join("`, `")),
                |near| format!("did you mean `{near}`?"),
            ),
        };
        self.report(
            Problem::new(codes::EXPECTED_OPERATOR, span, format!("{} is no operator", quoted(&word))).help(help),
        );
        true
    }
}
