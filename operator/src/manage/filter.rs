//! The filter of lists and watches: the part of AIP-160 that selects rules by what they are called and what became of them.
//!
//! A filter is read once for a call, and every mistake in it is the caller's to see: nothing is ever ignored.

use std::collections::BTreeMap;

use super::error::ManageError;
use super::names;

/// The longest filter, in bytes, and how many terms it may have.
const LIMIT: usize = 4096;
const TERMS: usize = 32;
/// What `state` can be.
const STATES: [&str; 5] = ["IN_FORCE", "LAST_GOOD_IN_FORCE", "REFUSED", "NOT_SELECTED", "PENDING"];

/// What rules are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Term>);

/// A rule as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// Its whole name.
    pub(super) name: &'a str,
    /// Its labels.
    pub(super) labels: &'a BTreeMap<String, String>,
    /// Its state's name.
    pub(super) state: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: Field,
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Name,
    State,
    Label(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    Has,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Operator(Operator),
}

impl Filter {
    /// Of a request's text; everything, if it is empty.
    ///
    /// # Errors
    /// If it is no filter.
    pub(super) fn parse(text: &str) -> Result<Self, ManageError> {
        if text.len() > LIMIT {
            return Err(wrong(format!("it is longer than {LIMIT} bytes")));
        }
        let tokens = tokens(text)?;
        let mut rest = tokens.as_slice();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            if !terms.is_empty() {
                let [Token::Word(and), after @ ..] = rest else { return Err(wrong("between terms stands `AND`")) };
                if and != "AND" {
                    return Err(wrong(format!("expected `AND`, found `{and}`: nothing else joins terms here")));
                }
                rest = after;
            }
            let [Token::Word(field), Token::Operator(operator), Token::Word(value) | Token::Quoted(value), after @ ..] =
                rest
            else {
                return Err(wrong("a term is a field, `=`, `!=` or `:`, and a value, as `labels.type = \"alerting\"`"));
            };
            terms.push(Term::new(field, *operator, value)?);
            rest = after;
            if terms.len() > TERMS {
                return Err(wrong(format!("it has more than {TERMS} terms")));
            }
        }
        Ok(Self(terms))
    }

    /// Whether this rule is wanted.
    pub(super) fn takes(&self, rule: Seen<'_>) -> bool {
        self.0.iter().all(|term| term.takes(rule))
    }
}

impl Term {
    fn new(field: &str, operator: Operator, value: &str) -> Result<Self, ManageError> {
        let field = match field.split_once('.') {
            None if field == "name" => Field::Name,
            None if field == "state" => Field::State,
            Some(("labels", key)) if names::is_key(key) => Field::Label(key.to_owned()),
            _ => {
                return Err(wrong(format!("there is no field `{field}`: they are `name`, `state` and `labels.<key>`")));
            }
        };
        if field == Field::State && !STATES.contains(&value) {
            return Err(wrong(format!("`{value}` is no state: they are {}", STATES.join(", "))));
        }
        Ok(Self { field, operator, value: value.to_owned() })
    }

    fn takes(&self, rule: Seen<'_>) -> bool {
        let found = match &self.field {
            Field::Name => Some(rule.name),
            Field::State => Some(rule.state),
            Field::Label(key) => rule.labels.get(key).map(String::as_str),
        };
        match self.operator {
            Operator::Is => found.is_some_and(|it| matches(it, &self.value)),
            // What has no such label is another, as for Kubernetes' selectors.
            Operator::IsNot => !found.is_some_and(|it| matches(it, &self.value)),
            Operator::Has if self.value == "*" => found.is_some(),
            Operator::Has if self.field == Field::State => found == Some(self.value.as_str()),
            Operator::Has => found.is_some_and(|it| it.contains(&self.value)),
        }
    }
}

fn matches(text: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => text.contains(rest.strip_suffix('*').unwrap_or(rest)),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == pattern,
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, ManageError> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&next) = chars.peek() {
        match next {
            it if it.is_whitespace() => {
                chars.next();
            }
            '=' | ':' => {
                chars.next();
                tokens.push(Token::Operator(if next == '=' { Operator::Is } else { Operator::Has }));
            }
            '!' => {
                chars.next();
                if chars.next() != Some('=') {
                    return Err(wrong("after `!` stands `=`"));
                }
                tokens.push(Token::Operator(Operator::IsNot));
            }
            '"' => {
                chars.next();
                let mut value = String::new();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => value.extend(chars.next()),
                        Some(it) => value.push(it),
                        None => return Err(wrong("a `\"` is not closed")),
                    }
                }
                tokens.push(Token::Quoted(value));
            }
            '(' | ')' | '<' | '>' | '\'' | ',' => return Err(wrong(format!("`{next}` has no meaning here"))),
            _ => {
                let mut word = String::new();
                while let Some(it) = chars.next_if(|it| !it.is_whitespace() && !"=:!\"()<>',".contains(*it)) {
                    word.push(it);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn wrong(what: impl Into<String>) -> ManageError {
    ManageError::invalid("filter", what)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Filter, Seen};

    #[test]
    fn rules_are_selected_by_name_label_and_state() {
        let labels = BTreeMap::from([("type".to_owned(), "alerting".to_owned()), ("a/b".to_owned(), "c".to_owned())]);
        let rule = Seen { name: "namespaces/x/rules/shell-in-pod", labels: &labels, state: "IN_FORCE" };
        for (filter, takes) in [
            ("", true),
            ("state = IN_FORCE", true),
            ("state:REFUSED", false),
            ("state != IN_FORCE", false),
            ("labels.type = alerting AND state=IN_FORCE", true),
            ("labels.type = \"archiving\"", false),
            ("labels.type = al*", true),
            ("labels.type = *ing", true),
            ("labels.type = *er*", true),
            ("labels.a/b:*", true),
            ("labels.team:*", false),
            ("labels.team != x", true),
            ("name:shell", true),
            ("name = namespaces/x/*", true),
            ("name = shell", false),
        ] {
            assert_eq!(Filter::parse(filter).unwrap().takes(rule), takes, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_said() {
        for bad in
            ["state", "state =", "x = y", "state = BROKEN", "name = a OR name = b", "name = \"a", "(name = a)", "a ! b"]
        {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
        assert!(Filter::parse(&"name = a AND ".repeat(40)).is_err());
    }
}
