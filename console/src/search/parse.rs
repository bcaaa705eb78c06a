//! Tokens to a query: what holds together, what is negated, and what it all may cost.
//!
//! ```text
//! any   = all { "or" all }
//! all   = one { [ "and" ] one }
//! one   = { "not" | "-" | "!" } ( "(" any ")" | word )
//! ```

use jiff::Timestamp;
use vedette_archive::{Filter, MAX_CONDITIONS, MAX_DEPTH};

use super::asked::combine;
use super::error::{SearchError, Span};
use super::lex::Token;
use super::term::{Condition, Meaning, all, any, term};
use super::time::Range;
use super::value::Value;
use super::{MAX_NESTING, MAX_VALUES, Search};

/// Levels and conditions that are left to callers, who add conditions of their own.
const SPARE_LEVELS: usize = 6;
const SPARE_CONDITIONS: usize = 400;

/// What has been read, before it is known which part holds for the whole query.
enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Leaf(Meaning),
}

/// The query of these tokens, which are all of a text of `end` bytes.
pub(super) fn query(tokens: &[Token], end: usize, now: Timestamp) -> Result<Search, SearchError> {
    let mut parser = Parser { tokens, at: 0, values: 0, end, now };
    if tokens.is_empty() {
        return Ok(Search::default());
    }
    let node = parser.any(0)?;
    if parser.peek().is_some() {
        return Err(SearchError::new(parser.place(), "nothing is open that `)` could close"));
    }
    let mut range = Range::default();
    let mut conditions = Vec::new();
    // Nested conjunctions are flat already, so these are all the terms that must hold.
    let terms = match node {
        Node::All(nodes) => nodes,
        node => vec![node],
    };
    for node in terms {
        match node {
            Node::Leaf(Meaning::Times(times)) => range.add(times)?,
            Node::Leaf(Meaning::Condition(condition)) => conditions.push(condition),
            node => conditions.push(Condition::silent(node.filter()?)),
        }
    }
    let (filters, asked): (Vec<_>, Vec<_>) = conditions.into_iter().map(|it| (it.filter, it.asked)).unzip();
    let filter = all(filters);
    check(&filter, Span { start: 0, end })?;
    let (start_micros, end_micros) = range.bounds(now)?;
    Ok(Search { filter, start_micros, end_micros, asked: combine(asked) })
}

/// Checks that the archive will take the condition.
fn check(filter: &Filter, span: Span) -> Result<(), SearchError> {
    let (levels, conditions) = size(filter);
    if levels > MAX_DEPTH - SPARE_LEVELS {
        return Err(SearchError::new(span, "the query is nested too deep"));
    }
    if conditions > MAX_CONDITIONS - SPARE_CONDITIONS {
        let error = SearchError::new(span, "the query asks for too much at once");
        return Err(error.help("a word without a key is looked for in 11 places: name the key"));
    }
    Ok(())
}

/// How deep a filter is, and of how many conditions.
pub(super) fn size(filter: &Filter) -> (usize, usize) {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => {
            let sizes = filters.iter().map(size);
            let (levels, conditions) = sizes.fold((0, 0), |sum, size| (sum.0.max(size.0), sum.1 + size.1));
            (levels + 1, conditions + 1)
        }
        Filter::Not(filter) => {
            let (levels, conditions) = size(filter);
            (levels + 1, conditions + 1)
        }
        _ => (1, 1),
    }
}

impl Node {
    /// All or any of these; one that is alone is itself.
    fn joined(mut nodes: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        if nodes.len() == 1
            && let Some(node) = nodes.pop()
        {
            return node;
        }
        join(nodes)
    }

    fn not(self, negated: bool) -> Self {
        if negated { Self::Not(Box::new(self)) } else { self }
    }

    fn filter(self) -> Result<Filter, SearchError> {
        let filters = |nodes: Vec<Self>| nodes.into_iter().map(Self::filter).collect::<Result<_, _>>();
        match self {
            Self::All(nodes) => filters(nodes).map(all),
            Self::Any(nodes) => filters(nodes).map(any),
            Self::Not(node) => node.filter().map(|filter| Filter::Not(Box::new(filter))),
            Self::Leaf(Meaning::Condition(condition)) => Ok(condition.filter),
            Self::Leaf(Meaning::Times(times)) => {
                let error = SearchError::new(times.span, "a time holds for the whole query");
                Err(error.help("it can't be negated or be one of several"))
            }
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    values: usize,
    end: usize,
    now: Timestamp,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn word(&self) -> Option<Value<'a>> {
        self.peek().and_then(Token::word)
    }

    /// Passes over the keyword, if it is next.
    fn keyword(&mut self, keyword: &str) -> Option<Span> {
        let span = self.word().filter(|word| word.is_word(keyword))?.span();
        self.at += 1;
        Some(span)
    }

    /// Where the next token is.
    fn place(&self) -> Span {
        self.peek().map_or(Span { start: self.end, end: self.end }, Token::span)
    }

    fn any(&mut self, depth: usize) -> Result<Node, SearchError> {
        let mut nodes = vec![self.all(depth)?];
        while self.keyword("or").is_some() {
            nodes.push(self.all(depth)?);
        }
        Ok(Node::joined(nodes, Node::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Node, SearchError> {
        let mut nodes = Vec::new();
        loop {
            match self.one(depth)? {
                Node::All(more) => nodes.extend(more),
                node => nodes.push(node),
            }
            let is_joined = self.keyword("and").is_some();
            let is_over = match self.peek() {
                None | Some(Token::Close(_)) => true,
                Some(_) => self.word().is_some_and(|word| word.is_word("or")),
            };
            if is_over && !is_joined {
                return Ok(Node::joined(nodes, Node::All));
            }
        }
    }

    fn one(&mut self, depth: usize) -> Result<Node, SearchError> {
        let mut negated = false;
        loop {
            if self.keyword("not").is_some() {
                negated = !negated;
            } else if let Some(word) = self.word()
                && (word.is_word("-") || word.is_word("!"))
                && let Some(Token::Open(open)) = self.tokens.get(self.at + 1)
                && open.start == word.span().end
            {
                self.at += 1;
                negated = !negated;
            } else {
                break;
            }
        }
        match self.peek() {
            Some(Token::Open(open)) => Ok(self.group(*open, depth)?.not(negated)),
            Some(Token::Word(..)) => {
                let (word, minus) = self.negation()?;
                self.at += 1;
                let (meaning, values) = term(&word, self.now)?;
                self.values += values;
                if self.values > MAX_VALUES {
                    return Err(SearchError::new(word.span(), format!("more than {MAX_VALUES} values")));
                }
                Ok(Node::Leaf(meaning).not(negated != minus))
            }
            Some(Token::Close(_)) | None => Err(self.missing()),
        }
    }

    fn group(&mut self, open: Span, depth: usize) -> Result<Node, SearchError> {
        if depth == MAX_NESTING {
            return Err(SearchError::new(open, format!("parentheses more than {MAX_NESTING} deep")));
        }
        self.at += 1;
        let node = self.any(depth + 1)?;
        if !matches!(self.peek(), Some(Token::Close(_))) {
            return Err(SearchError::new(open, "the parenthesis is not closed"));
        }
        self.at += 1;
        Ok(node)
    }

    /// The next word without what negates it, and whether something does.
    fn negation(&self) -> Result<(Value<'a>, bool), SearchError> {
        let Some(word) = self.word() else { return Err(self.missing()) };
        if word.is_word("or") || word.is_word("and") {
            return Err(self.missing().help("put the word itself in quotes"));
        }
        let Some(rest) = word.strip('-').or_else(|| word.strip('!')) else { return Ok((word, false)) };
        if rest.is_missing() {
            let error = SearchError::new(word.span(), "nothing follows that could be negated");
            return Err(error.help("write `-key:value`, without white space"));
        }
        if matches!(rest.first(), Some('-' | '!')) {
            let error = SearchError::new(word.span().to(rest.span()), "negated twice");
            return Err(error.help("put a text that begins so in quotes"));
        }
        Ok((rest, true))
    }

    fn missing(&self) -> SearchError {
        SearchError::new(self.place(), "a term is missing")
    }
}
