//! Tokens to a tree, by recursive descent.
//!
//! `or` binds loosest, then `and`, then `not`; in KubeSphere's dialect the two are one, from left to right, and `not` takes all that
//! follows. After a problem the parser goes on behind the next `and`, `or` or parenthesis, so
//! that one text shows all its problems.

mod operator;
mod right;

use std::ops::Range;

use super::ast::{Expr, ExprKind, Operand, Operator, Right, Test};
use super::lexer::{Token, TokenKind, lex};
use super::path::{path, referred};
use super::{ALTERNATION_LIMIT, Dialect, NESTING_LIMIT, PROBLEM_LIMIT, Problem, TEXT_LIMIT, quoted};
use crate::codes;

/// What a condition looks like.
const CONDITION: &str = "a condition is like `Verb = \"create\"`, `${macro}` or `Verb in (\"get\", \"list\")`";

/// A tree, and what was met on the way.
#[derive(Debug)]
pub struct Parsed {
    /// The tree, whole only if no problem is an error.
    pub expr: Expr,
    /// Errors and warnings in the order in which they were met.
    pub problems: Vec<Problem>,
}

/// Parses a condition or the text of a macro.
pub fn parse_condition(text: &str, dialect: Dialect) -> Parsed {
    let mut problems = Vec::new();
    if text.len() > TEXT_LIMIT {
        let message = format!("a condition of {} bytes is too long", text.len());
        problems.push(Problem::new(codes::TOO_LONG, 0..0, message).help(format!("at most {TEXT_LIMIT} bytes")));
        return Parsed { expr: Expr { kind: ExprKind::Error, span: 0..text.len() }, problems };
    }
    let tokens = lex(text, &mut problems);
    let lexed = problems.len();
    let end = text.len();
    let mut parser =
        Parser { dialect, tokens, at: 0, end, depth: 0, lexed, alternations: 0, too_deep: false, problems };
    let expr = parser.whole();
    parser.problems.sort_by_key(|problem| problem.span.start);
    Parsed { expr, problems: parser.problems }
}

struct Parser {
    dialect: Dialect,
    tokens: Vec<Token>,
    at: usize,
    /// The length of the text.
    end: usize,
    depth: usize,
    /// How many of the problems are the lexer's.
    lexed: usize,
    /// How often `and` and `or` have followed each other, where they bind alike.
    alternations: usize,
    too_deep: bool,
    problems: Vec<Problem>,
}

/// The words that are part of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    And,
    Or,
    Not,
    Operator(Operator),
}

impl Parser {
    fn whole(&mut self) -> Expr {
        let expr = self.either();
        if self.dialect == Dialect::KubeSphere {
            self.ignore_rest();
            return expr;
        }
        // Whatever is left is reported once and read only for its own problems.
        if let Some(token) = self.peek().cloned() {
            if token.kind == TokenKind::Close {
                self.report(
                    Problem::new(codes::UNBALANCED, token.span, "this `)` closes nothing")
                        .help("remove it, or add a `(`"),
                );
            } else if token.kind != TokenKind::Bad {
                let found = describe(&token.kind);
                self.report(
                    Problem::new(
                        codes::TRAILING,
                        token.span.start..self.end,
                        format!("the condition goes on with {found}"),
                    )
                    .label("expected `and`, `or` or the end")
                    .help("join conditions with `and` or `or`; text with spaces needs double quotes"),
                );
            }
            while self.peek().is_some() {
                self.recover();
                self.at += 1;
                if matches!(self.keyword(), Some(Keyword::And | Keyword::Or)) {
                    self.at += 1;
                }
                if self.peek().is_some() {
                    self.either();
                }
            }
        }
        expr
    }

    /// What KubeSphere's engine stops reading at, and nothing that was met in it.
    fn ignore_rest(&mut self) {
        let Some(start) = self.peek().map(|token| token.span.start).filter(|_| !self.too_deep) else { return };
        let mut lexed = 0..self.lexed;
        self.problems.retain(|problem| lexed.next().is_none() || problem.span.start < start);
        self.at = self.tokens.len();
        self.report(
            Problem::new(codes::IGNORED, start..self.end, "KubeSphere ignores the rest of this condition")
                .help("take it away, or join it with `and` or `or`"),
        );
    }

    /// A whole chain of `and` and `or`.
    fn either(&mut self) -> Expr {
        match self.dialect {
            Dialect::Vedette => self.any(),
            Dialect::KubeSphere => self.left_to_right(),
        }
    }

    /// `a or b and c …`: each takes all that stands before it.
    fn left_to_right(&mut self) -> Expr {
        let start = self.here();
        let mut left = self.negation();
        // Whether `left` is a chain that goes on; one in parentheses is an operand.
        let mut chain = None;
        loop {
            let word = match self.keyword() {
                Some(word @ (Keyword::And | Keyword::Or)) => word,
                _ => return left,
            };
            if chain.is_some_and(|chain| chain != word) {
                self.alternations += 1;
            }
            if self.alternations > ALTERNATION_LIMIT {
                self.give_up(format!("`and` and `or` follow each other at most {ALTERNATION_LIMIT} times"));
                return left;
            }
            self.at += 1;
            let right = self.negation();
            let span = start..right.span.end.max(start);
            let goes_on = chain == Some(word);
            left.kind = match left.kind {
                ExprKind::And(mut operands) | ExprKind::Or(mut operands) if goes_on => {
                    operands.push(right);
                    chained(word, operands)
                }
                kind => chained(word, vec![Expr { kind, span: left.span }, right]),
            };
            left.span = span;
            chain = Some(word);
        }
    }

    /// `a or b or …`
    fn any(&mut self) -> Expr {
        let start = self.here();
        let mut operands = vec![self.both(false)];
        while self.take_keyword(Keyword::Or) {
            operands.push(self.both(true));
        }
        self.joined(start, operands, ExprKind::Or)
    }

    /// `a and b and …`; `after_or` says that an `or` stands before it on the same level.
    fn both(&mut self, after_or: bool) -> Expr {
        let start = self.here();
        let mut operands = vec![self.negation()];
        while self.take_keyword(Keyword::And) {
            operands.push(self.negation());
        }
        let several = operands.len() > 1;
        let expr = self.joined(start, operands, ExprKind::And);
        if after_or && several && !self.too_deep {
            self.report(
                Problem::new(codes::READS_OTHERWISE, expr.span.clone(), "`and` binds tighter than the `or` before it")
                    .label("this is taken as one operand of `or`")
                    .help("KubeSphere reads from left to right, `(a or b) and c`: write parentheses for what you mean"),
            );
        }
        expr
    }

    fn joined(&self, start: usize, mut operands: Vec<Expr>, kind: impl Fn(Vec<Expr>) -> ExprKind) -> Expr {
        match operands.pop() {
            Some(only) if operands.is_empty() => only,
            Some(last) => {
                let span = start..last.span.end;
                operands.push(last);
                Expr { kind: kind(operands), span }
            }
            None => Expr { kind: ExprKind::Error, span: start..start },
        }
    }

    fn negation(&mut self) -> Expr {
        let start = self.here();
        if !self.take_kind(&TokenKind::Bang) && !self.take_keyword(Keyword::Not) {
            return self.primary();
        }
        let inner = match self.dialect {
            Dialect::Vedette => Self::negation,
            Dialect::KubeSphere => Self::either,
        };
        let Some(operand) = self.nested(inner) else { return self.error(start) };
        let span = start..operand.span.end;
        if matches!(self.keyword(), Some(Keyword::And | Keyword::Or)) && !self.too_deep {
            self.report(
                Problem::new(codes::READS_OTHERWISE, span.clone(), "`not` takes only what stands next to it")
                    .label("this alone is negated")
                    .help("KubeSphere negates all that follows, `not (b and c)`: write parentheses for what you mean"),
            );
        }
        Expr { kind: ExprKind::Not(Box::new(operand)), span }
    }

    /// Runs `inner` one level deeper; `None` if that is too deep, and the rest of the text is given up.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= NESTING_LIMIT {
            self.give_up(format!("at most {NESTING_LIMIT} levels of parentheses and `not`"));
            return None;
        }
        self.depth += 1;
        let inner = inner(self);
        self.depth -= 1;
        Some(inner)
    }

    /// Reads no further, since the tree would be too deep.
    fn give_up(&mut self, limit: String) {
        if !self.too_deep {
            let problem = Problem::new(codes::TOO_DEEP, self.here()..self.here(), "this nests too deep")
                .help(format!("{limit}; a macro can hold a part"));
            self.report(problem);
        }
        self.too_deep = true;
        self.at = self.tokens.len();
    }

    fn primary(&mut self) -> Expr {
        let Some(Token { kind, span }) = self.peek().cloned() else {
            if !self.too_deep {
                let problem =
                    Problem::new(codes::EXPECTED_CONDITION, self.end..self.end, "a condition is missing here")
                        .help(CONDITION);
                self.report(problem);
            }
            return self.error(self.end);
        };
        match kind {
            TokenKind::Open if self.begins_fields() => {
                self.at += 1;
                self.fields(span)
            }
            TokenKind::Open => {
                self.at += 1;
                self.parenthesis(span)
            }
            TokenKind::Word(word) if self.keyword().is_none() => {
                self.at += 1;
                let start = span.start;
                let operand = path(&word, span, &mut self.problems);
                self.after(start, operand)
            }
            TokenKind::Reference(name, rest) => {
                self.at += 1;
                let start = span.start;
                let operand = referred(&name, &rest, span, &mut self.problems);
                self.after(start, operand)
            }
            TokenKind::Bad => {
                self.recover();
                self.error(span.start)
            }
            kind => {
                let found = describe(&kind);
                let mut problem = Problem::new(
                    codes::EXPECTED_CONDITION,
                    span.clone(),
                    format!("expected a condition, found {found}"),
                );
                problem.help = match kind {
                    TokenKind::Text(_) | TokenKind::Number(_) => {
                        Some("a field stands on the left of an operator".to_owned())
                    }
                    TokenKind::Sign(_) => Some("a field stands before it: `Verb = \"create\"`".to_owned()),
                    _ => Some(CONDITION.to_owned()),
                };
                self.report(problem);
                // `and`, `or` and `)` belong to the caller.
                if !matches!(self.keyword(), Some(Keyword::And | Keyword::Or)) && kind != TokenKind::Close {
                    self.at += 1;
                    self.recover();
                }
                self.error(span.start)
            }
        }
    }

    /// Whether `(` begins several fields: a comma stands behind the first.
    fn begins_fields(&self) -> bool {
        let kind = |offset: usize| self.tokens.get(self.at + offset).map(|token| &token.kind);
        self.dialect == Dialect::Vedette
            && matches!(kind(1), Some(TokenKind::Word(_) | TokenKind::Reference(..)))
            && kind(2) == Some(&TokenKind::Comma)
    }

    /// `(a, b) contains "x"`: holds if it holds for any of the fields.
    fn fields(&mut self, open: Range<usize>) -> Expr {
        let mut operands = Vec::new();
        while let Some(Token { kind, span }) = self.peek().cloned() {
            self.at += usize::from(kind != TokenKind::Close);
            operands.extend(match kind {
                TokenKind::Word(word) => path(&word, span, &mut self.problems),
                TokenKind::Reference(name, rest) => referred(&name, &rest, span, &mut self.problems),
                TokenKind::Bad => None,
                other => {
                    let message = format!("expected a field, found {}", describe(&other));
                    let help = "fields stand in parentheses with commas between them: `(Field, Field) operator value`";
                    self.report(Problem::new(codes::EXPECTED_CONDITION, span, message).help(help));
                    None
                }
            });
            if !self.take_kind(&TokenKind::Comma) {
                break;
            }
        }
        if !self.take_kind(&TokenKind::Close) {
            let problem = Problem::new(codes::UNBALANCED, open.clone(), "this list of fields is not closed");
            self.report(problem.help("write `(Field, Field) operator value`"));
            self.recover();
            return self.error(open.start);
        }
        let Some((first, others)) = operands.split_first() else { return self.error(open.start) };
        let Expr { kind, span } = self.after(open.start, Some(first.clone()));
        let test = match kind {
            ExprKind::Test(test) => test,
            ExprKind::Bare(_) => {
                let problem = Problem::new(
                    codes::EXPECTED_OPERATOR,
                    open.start..self.before(),
                    "these fields are held against nothing",
                );
                self.report(
                    problem.help("write an operator and a value behind them; a field that is a boolean stands alone"),
                );
                return self.error(open.start);
            }
            _ => return self.error(open.start),
        };
        // None of them is what is not any of them.
        let negated = test.negated || test.operator == Operator::NotEqual;
        let operator = if test.operator == Operator::NotEqual { Operator::Equal } else { test.operator };
        let of = |operand: &Operand| {
            let test = Test { operand: operand.clone(), negated: false, operator, ..test.clone() };
            Expr { kind: ExprKind::Test(test), span: span.clone() }
        };
        let any = self.joined(open.start, std::iter::once(first).chain(others).map(of).collect(), ExprKind::Or);
        if negated { Expr { kind: ExprKind::Not(Box::new(any)), span } } else { any }
    }

    fn parenthesis(&mut self, open: Range<usize>) -> Expr {
        let Some(mut inner) = self.nested(Self::either) else { return self.error(open.start) };
        if self.take_kind(&TokenKind::Close) {
            inner.span = open.start..self.before();
            return inner;
        }
        if !self.too_deep {
            let found = self.peek().map_or("the end".to_owned(), |token| describe(&token.kind));
            if self.peek().is_none_or(|token| token.kind != TokenKind::Bad) {
                self.report(
                    Problem::new(codes::UNBALANCED, open, format!("this `(` is not closed before {found}"))
                        .help("add a `)`; text with spaces needs double quotes"),
                );
            }
            self.recover();
            // One parenthesis that was meant for this level.
            self.take_kind(&TokenKind::Close);
        }
        inner
    }

    /// What follows an operand; `None` if the operand could not be read.
    fn after(&mut self, start: usize, operand: Option<Operand>) -> Expr {
        let negated = self.keyword() == Some(Keyword::Not);
        if negated {
            let operator = self.tokens.get(self.at + 1).and_then(|token| self.keyword_of(&token.kind));
            if !matches!(operator, Some(Keyword::Operator(_))) {
                let span = self.peek().map_or(start..start, |token| token.span.clone());
                self.report(
                    Problem::new(codes::EXPECTED_OPERATOR, span, "`not` stands before a condition or a word operator")
                        .help("as `not in`, `not contains` or `not exists`; the others are negated as a whole, `not (a = b)`"),
                );
                self.recover();
                return self.error(start);
            }
            self.note_case();
            self.at += 1;
        }
        let operator = match self.peek().map(|token| &token.kind) {
            Some(TokenKind::Sign(operator)) => Some(*operator),
            Some(kind) => match self.keyword_of(kind) {
                Some(Keyword::Operator(operator)) => Some(operator),
                _ => None,
            },
            None => None,
        };
        let Some(operator) = operator else {
            let Some(operand) = operand else { return self.error(start) };
            if self.report_operator() {
                self.recover();
                // The field may be wrong as well.
                let (operator, right) = (Operator::Exists, Right::Nothing);
                let span = start..self.before();
                let whole = operand.reference.is_none();
                let test = whole.then_some(Test { operand, negated: false, operator, right, nocase: false });
                return Expr { kind: test.map_or(ExprKind::Error, ExprKind::Test), span };
            }
            let span = operand.span.clone();
            return Expr { kind: ExprKind::Bare(operand), span };
        };
        self.note_case();
        self.at += 1;
        let right = match operator {
            Operator::Exists => Some(Right::Nothing),
            Operator::In | Operator::Within => self.items(operator),
            _ => self.value(operator).map(Right::Value),
        };
        let nocase = right.is_some() && self.take_nocase();
        let span = start..self.before();
        match (operand, right) {
            (Some(operand), Some(right)) => {
                Expr { kind: ExprKind::Test(Test { operand, negated, operator, right, nocase }), span }
            }
            _ => Expr { kind: ExprKind::Error, span },
        }
    }

    /// Skips to the next `and`, `or` or parenthesis that closes, without taking it.
    fn recover(&mut self) {
        let mut open = 0_usize;
        while let Some(token) = self.peek() {
            match token.kind {
                TokenKind::Open => open += 1,
                TokenKind::Close if open == 0 => return,
                TokenKind::Close => open -= 1,
                _ if open == 0 && matches!(self.keyword(), Some(Keyword::And | Keyword::Or)) => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn keyword(&self) -> Option<Keyword> {
        self.keyword_of(&self.peek()?.kind)
    }

    /// Keywords are recognised in any case, so that one in upper case can be named as such; to KubeSphere that is a name.
    fn keyword_of(&self, kind: &TokenKind) -> Option<Keyword> {
        let TokenKind::Word(word) = kind else { return None };
        let lower = word.to_ascii_lowercase();
        if lower != *word && self.dialect == Dialect::KubeSphere {
            return None;
        }
        match lower.as_str() {
            "and" => Some(Keyword::And),
            "or" => Some(Keyword::Or),
            "not" => Some(Keyword::Not),
            word => Operator::from_word(word)
                .filter(|operator| operator.is_shared() || self.dialect == Dialect::Vedette)
                .map(Keyword::Operator),
        }
    }

    /// The start of the next token, or the end.
    fn here(&self) -> usize {
        self.peek().map_or(self.end, |token| token.span.start)
    }

    /// The end of the last token.
    fn before(&self) -> usize {
        self.at.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |token| token.span.end)
    }

    fn take_kind(&mut self, kind: &TokenKind) -> bool {
        let taken = self.peek().is_some_and(|token| token.kind == *kind);
        self.at += usize::from(taken);
        taken
    }

    fn take_keyword(&mut self, wanted: Keyword) -> bool {
        let taken = self.keyword() == Some(wanted);
        if taken {
            self.note_case();
            self.at += 1;
        }
        taken
    }

    /// Reports a keyword that is not in lower case.
    fn note_case(&mut self) {
        let Some(Token { kind: TokenKind::Word(word), span }) = self.peek().cloned() else { return };
        let lower = word.to_ascii_lowercase();
        if lower != word {
            self.report(
                Problem::new(codes::KEYWORD_CASE, span, format!("{} is written in lower case", quoted(&word)))
                    .help(format!("write `{lower}`")),
            );
        }
    }

    fn error(&self, start: usize) -> Expr {
        Expr { kind: ExprKind::Error, span: start..self.before().max(start) }
    }

    fn report(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEM_LIMIT {
            self.problems.push(problem);
        }
    }
}

fn chained(word: Keyword, operands: Vec<Expr>) -> ExprKind {
    if word == Keyword::And { ExprKind::And(operands) } else { ExprKind::Or(operands) }
}

fn describe(kind: &TokenKind) -> String {
    match kind {
        TokenKind::Open => "`(`".to_owned(),
        TokenKind::Close => "`)`".to_owned(),
        TokenKind::Comma => "`,`".to_owned(),
        TokenKind::Bang => "`!`".to_owned(),
        TokenKind::Sign(operator) => format!("`{}`", operator.as_str()),
        TokenKind::Text(text) => quoted(&format!("\"{text}\"")),
        TokenKind::Word(word) | TokenKind::Number(word) => quoted(word),
        TokenKind::Reference(name, _) => quoted(&format!("${{{name}}}")),
        TokenKind::Bad => "something unreadable".to_owned(),
    }
}
