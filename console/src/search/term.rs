//! A term's meaning: a key, an operator and values become a condition, or say something about the time.

use jiff::Timestamp;
use vedette_archive::{Field, Filter, Number};

use super::MAX_WILDCARDS;
use super::address;
use super::asked::{Asked, combine};
use super::error::{SearchError, Span, shown};
use super::key::Key;
use super::number;
use super::resource;
use super::time::{self, Times};
use super::value::Value;

/// Where a word without a key is looked for.
const ANYWHERE: [Field; 11] = [
    Field::User,
    Field::Actor,
    Field::Namespace,
    Field::Name,
    Field::Resource,
    Field::Workspace,
    Field::Command,
    Field::UserAgent,
    Field::Address,
    Field::Path,
    Field::Credential,
];

/// What a term means.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    Condition(Condition),
    Times(Times),
}

/// A condition, and the events that it names; none of them where it names none in particular.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) filter: Filter,
    pub(super) asked: Vec<Asked>,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    /// As a whole, without regard to case.
    Whole,
    /// As a whole, with regard to case.
    Exact,
    /// As a part, without regard to case.
    Part,
}

impl Condition {
    /// A condition that names no event.
    pub(super) fn silent(filter: Filter) -> Self {
        Self { filter, asked: Vec::new() }
    }

    /// This and the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self { filter: all(vec![self.filter, other.filter]), asked: combine([self.asked, other.asked]) }
    }
}

/// All of these, without needless nesting.
pub(super) fn all(filters: Vec<Filter>) -> Filter {
    let mut flat = Vec::with_capacity(filters.len());
    for filter in filters {
        match filter {
            Filter::All(more) => flat.extend(more),
            filter => flat.push(filter),
        }
    }
    if flat.len() == 1 { flat.pop().unwrap_or_default() } else { Filter::All(flat) }
}

/// Any of these, without needless nesting.
pub(super) fn any(filters: Vec<Filter>) -> Filter {
    let mut flat = Vec::with_capacity(filters.len());
    for filter in filters {
        match filter {
            Filter::Any(more) => flat.extend(more),
            filter => flat.push(filter),
        }
    }
    if flat.len() == 1 { flat.pop().unwrap_or_default() } else { Filter::Any(flat) }
}

/// The meaning of a word, and how many values it has.
pub(super) fn term(word: &Value<'_>, now: Timestamp) -> Result<(Meaning, usize), SearchError> {
    let name = word.run(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_'));
    let key = word.take(name);
    let rest = word.skip(name);
    match rest.first() {
        Some(':' | '~') if name == 0 => {
            let error = SearchError::new(word.span(), "a key is missing");
            Err(error.help("put a text that begins so in quotes"))
        }
        Some(':') => {
            let found = Key::find(&key.text(), key.span())?;
            let value = rest.skip(1);
            let (op, value) = match value.first() {
                Some('=') => (Op::Exact, value.skip(1)),
                Some('~') => (Op::Part, value.skip(1)),
                _ => (Op::Whole, value),
            };
            Term { key: found, name: key, op, value, span: word.span() }.meaning(now)
        }
        Some('~') => {
            let found = Key::find(&key.text(), key.span())?;
            Term { key: found, name: key, op: Op::Part, value: rest.skip(1), span: word.span() }.meaning(now)
        }
        Some('<' | '>' | '=') => match Key::named(&key.text()) {
            Some(found @ Key::Number(_)) if rest.first() != Some('=') => {
                Term { key: found, name: key, op: Op::Whole, value: rest, span: word.span() }.meaning(now)
            }
            Some(_) => {
                let error = SearchError::new(word.span(), format!("`{}` needs a colon", key.text()));
                Err(error.help(format!("write `{}:value`", key.text())))
            }
            None => anywhere(word, now),
        },
        _ => anywhere(word, now),
    }
}

/// A word without a key.
fn anywhere(word: &Value<'_>, now: Timestamp) -> Result<(Meaning, usize), SearchError> {
    if time::is_range(word) {
        return Ok((Meaning::Times(time::range(word, now)?), 1));
    }
    let values = values(word, "")?;
    if let Some(empty) = values.iter().find(|value| value.is_empty()) {
        return Err(SearchError::new(empty.span(), "an empty text is part of everything"));
    }
    let filters = ANYWHERE.iter().flat_map(|field| parts(*field, &values)).collect();
    Ok((Meaning::Condition(Condition::silent(any(filters))), values.len()))
}

/// The values between the commas: all are there, and none is dear to compare with.
fn values<'a>(value: &Value<'a>, name: &str) -> Result<Vec<Value<'a>>, SearchError> {
    let values = value.split(',');
    if let Some(missing) = values.iter().find(|value| value.is_missing()) {
        return Err(if values.len() > 1 {
            SearchError::new(missing.span(), "a value is missing beside the comma")
                .help("write a comma itself in quotes")
        } else {
            let help = format!("`{name}:\"\"` finds what has none, `{name}:*` what has one");
            SearchError::new(missing.span(), format!("`{name}` has no value")).help(help)
        });
    }
    if let Some(wild) = values.iter().find(|value| value.wildcards() > MAX_WILDCARDS) {
        let error = SearchError::new(wild.span(), format!("more than {MAX_WILDCARDS} wildcards in a value"));
        return Err(error.help("put a value whose `*` and `?` are themselves in quotes"));
    }
    Ok(values)
}

/// A field has one of the values as a part.
fn parts(field: Field, values: &[Value<'_>]) -> Vec<Filter> {
    let (plain, patterns): (Vec<&Value<'_>>, Vec<&Value<'_>>) = values.iter().partition(|value| value.is_plain());
    let mut filters = Vec::new();
    if !plain.is_empty() {
        filters.push(Filter::contains(field, plain.iter().map(|value| value.text())));
    }
    if !patterns.is_empty() {
        filters.push(Filter::Like(field, patterns.iter().map(|value| value.part()).collect()));
    }
    filters
}

struct Term<'a> {
    key: Key,
    name: Value<'a>,
    op: Op,
    value: Value<'a>,
    span: Span,
}

impl Term<'_> {
    fn meaning(&self, now: Timestamp) -> Result<(Meaning, usize), SearchError> {
        let values = values(&self.value, &self.name.text())?;
        let condition = match self.key {
            Key::Last | Key::Since | Key::Until | Key::Around => {
                self.only_whole()?;
                return Ok((Meaning::Times(time::times(self.key, self.single(&values)?, self.span, now)?), 1));
            }
            Key::Text(field) => self.text(field, &values)?,
            Key::Address(field) if self.op == Op::Whole => address::addresses(field, &values)?,
            Key::Address(field) => self.text(field, &values)?,
            Key::Resource if self.op == Op::Whole => each(&values, |value| match value.is_empty() {
                true => self.text(Field::Resource, std::slice::from_ref(value)),
                false => resource::resource(value),
            })?,
            Key::Resource => self.text(Field::Resource, &values)?,
            _ => {
                self.only_whole()?;
                self.special(&values)?
            }
        };
        Ok((Meaning::Condition(condition), values.len()))
    }

    fn special(&self, values: &[Value<'_>]) -> Result<Condition, SearchError> {
        match self.key {
            Key::Number(number) => {
                let filter = any(number::number(number, values)?);
                let of = |value: &Value<'_>| {
                    let code = number::single(number, &value.text())?;
                    (number == Number::Code).then(|| Asked { code: Some(code.to_string()), ..Asked::default() })
                };
                let asked = values.iter().map(of).collect::<Option<_>>().unwrap_or_default();
                Ok(Condition { filter, asked })
            }
            Key::Id => {
                let ids = values.iter().map(|value| {
                    let error =
                        || SearchError::new(value.span(), format!("`{}` is no event's id", shown(&value.text())));
                    value.text().parse().map_err(|_| error().help("an id has 32 hexadecimal digits"))
                });
                Ok(Condition::silent(Filter::Id(ids.collect::<Result<_, _>>()?)))
            }
            Key::Reads => each(values, resource::reads),
            Key::Change => each(values, |value| match value {
                value if value.is_word("yes") => Ok(resource::changes()),
                value if value.is_word("no") => {
                    Ok(Condition::silent(Filter::Not(Box::new(resource::changes().filter))))
                }
                value => resource::changes_of(value).map_err(|error| match value.find('/') {
                    Some(_) => error,
                    None => error.help("write `change:yes`, `change:no` or `change:payments/secrets/db`"),
                }),
            }),
            _ => each(values, is),
        }
    }

    fn text(&self, field: Field, values: &[Value<'_>]) -> Result<Condition, SearchError> {
        let by_parts = field.is_searched_by_parts();
        if !by_parts && (self.op == Op::Part || !values.iter().all(Value::is_plain)) {
            let error = SearchError::new(self.span, format!("`{}` is found by whole values alone", self.name.text()));
            return Err(error.help("write it without `~` and wildcards"));
        }
        if self.op == Op::Part {
            return match values.iter().find(|value| value.is_empty()) {
                Some(empty) => Err(SearchError::new(empty.span(), "an empty text is part of everything")),
                None => Ok(Condition::silent(any(parts(field, values)))),
            };
        }
        let is_exact = |value: &Value<'_>| self.op == Op::Exact || !by_parts || value.is_empty();
        let (exact, like): (Vec<&Value<'_>>, Vec<&Value<'_>>) = values.iter().partition(|value| is_exact(value));
        let mut filters = Vec::new();
        if !exact.is_empty() {
            filters.push(Filter::is(field, exact.iter().map(|value| value.text())));
        }
        if !like.is_empty() {
            filters.push(Filter::Like(field, like.iter().map(|value| value.pattern()).collect()));
        }
        let named =
            |value: &Value<'_>| (is_exact(value) || value.is_plain()).then(|| Asked::of(field, &value.text()))?;
        let asked = values.iter().map(named).collect::<Option<_>>().unwrap_or_default();
        Ok(Condition { filter: any(filters), asked })
    }

    fn only_whole(&self) -> Result<(), SearchError> {
        if self.op == Op::Whole {
            return Ok(());
        }
        let name = self.name.text();
        let error = SearchError::new(self.span, format!("`{name}` is no text: `~` and `=` say nothing about it"));
        Err(error.help(format!("write `{name}:value`")))
    }

    fn single<'b, 'c>(&self, values: &'b [Value<'c>]) -> Result<&'b Value<'c>, SearchError> {
        match values {
            [value] => Ok(value),
            _ => Err(SearchError::new(self.span, format!("`{}` takes one value", self.name.text()))),
        }
    }
}

/// Any of the values; what it names is what each of them names.
fn each(
    values: &[Value<'_>],
    meaning: impl Fn(&Value<'_>) -> Result<Condition, SearchError>,
) -> Result<Condition, SearchError> {
    let conditions = values.iter().map(meaning).collect::<Result<Vec<_>, _>>()?;
    let all_name = conditions.iter().all(|condition| !condition.asked.is_empty());
    let (filters, asked): (Vec<_>, Vec<_>) = conditions.into_iter().map(|it| (it.filter, it.asked)).unzip();
    let asked = if all_name { asked.into_iter().flatten().collect() } else { Vec::new() };
    Ok(Condition { filter: any(filters), asked })
}

/// What kind of request it was.
fn is(value: &Value<'_>) -> Result<Condition, SearchError> {
    let codes = |codes: [i64; 2]| Condition {
        filter: Filter::Equals(Number::Code, codes.to_vec()),
        asked: codes.iter().map(|code| Asked { code: Some(code.to_string()), ..Asked::default() }).collect(),
    };
    // Requests that name no resource have HTTP's verbs.
    match value.text().to_ascii_lowercase().as_str() {
        "read" => Ok(resource::verbs(&["get", "list", "watch", "head"])),
        "write" => Ok(resource::verbs(&["create", "update", "patch", "delete", "deletecollection", "post", "put"])),
        "denied" => Ok(codes([401, 403])),
        "failed" => Ok(Condition::silent(Filter::Within(Number::Code, Some(400), None))),
        text => Err(SearchError::new(value.span(), format!("nothing is `{}`", shown(text)))
            .help("write `is:read`, `is:write`, `is:denied` or `is:failed`")),
    }
}
