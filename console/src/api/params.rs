//! Reading parameters, strictly.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use utoipa::IntoParams;
use vedette_archive::{By, Query};

use crate::failure::Failure;
use crate::scope::Scope;
use crate::search::{Asked, Search};

/// Parameters of a request: more than any endpoint has.
const MOST: usize = 16;
/// Those that may be given more than once, each time with values between commas.
const LISTS: [&str; 2] = ["rule", "priority"];

/// The parameters of a request, each of which must be asked for before it is answered.
#[derive(Debug)]
pub(crate) struct Params {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Params {
    pub(crate) fn parse(query: &str) -> Result<Self, Failure> {
        let mut given: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if given.len() == MOST {
                return Err(Failure::bad_request(format!("at most {MOST} parameters")));
            }
            if let Some((_, before)) = given.iter_mut().find(|(known, _)| *known == name) {
                if LISTS.contains(&&*name) {
                    before.push(',');
                    before.push_str(&value);
                    continue;
                }
                return Err(Failure::bad(name.chars().take(64).collect::<String>(), "is given twice"));
            }
            given.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self { given, known: Vec::new() })
    }

    /// A parameter's value; an empty one is none.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.take(name).filter(|value| !value.is_empty())
    }

    /// The same of a value that means something: where it is given, it is not empty.
    pub(crate) fn filled(&mut self, name: &'static str) -> Result<Option<String>, Failure> {
        filled(name, self.take(name))
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let found = self.given.iter().position(|(known, _)| known == name)?;
        Some(self.given.swap_remove(found).1)
    }

    /// A value of another type.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &'static str) -> Result<Option<T>, Failure>
    where
        T::Err: Display,
    {
        let parse = |text: String| text.parse().map_err(|error: T::Err| Failure::bad(name, error.to_string()));
        self.text(name).map(parse).transpose()
    }

    /// A number in these bounds.
    pub(crate) fn number(
        &mut self,
        name: &'static str,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, Failure> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        number.ok_or_else(|| Failure::bad(name, format!("a number from {} to {}", allowed.start(), allowed.end())))
    }

    /// One of these words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        default: T,
        words: &[(&'static str, T)],
    ) -> Result<T, Failure> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            Failure::bad(name, format!("one of {}", words.join(", ")))
        })
    }

    /// Values, with commas between them: at most so many.
    pub(crate) fn list(&mut self, name: &'static str, most: usize) -> Result<Vec<String>, Failure> {
        let text = self.text(name).unwrap_or_default();
        let values = text.split(',').map(str::trim).filter(|value| !value.is_empty());
        let values: Vec<String> = values.take(most.saturating_add(1)).map(str::to_owned).collect();
        if values.len() > most {
            return Err(Failure::bad(name, format!("at most {most}")));
        }
        Ok(values)
    }

    /// Fields, with commas between them.
    pub(crate) fn fields(&mut self, name: &'static str, most: usize) -> Result<Vec<By>, Failure> {
        let parse = |field: String| field.parse().map_err(|error| bad_field(name, &error));
        self.list(name, most)?.into_iter().map(parse).collect()
    }

    /// The end of it: nothing may be left.
    pub(crate) fn end(self) -> Result<(), Failure> {
        let Some((name, _)) = self.given.first() else { return Ok(()) };
        let known = if self.known.is_empty() {
            Cow::from("there are none")
        } else {
            format!("there are `{}`", self.known.join("`, `")).into()
        };
        Err(Failure::bad(name.chars().take(64).collect::<String>(), format!("is no parameter of this: {known}")))
    }
}

/// What is given and empty is a mistake, where to leave it out means something else.
pub(crate) fn filled(name: &'static str, value: Option<String>) -> Result<Option<String>, Failure> {
    match value {
        Some(value) if value.is_empty() => Err(Failure::bad(name, "is empty: leave it out, if there is none")),
        value => Ok(value),
    }
}

fn bad_field(name: &'static str, error: &impl Display) -> Failure {
    let fields: Vec<&str> = By::all().map(By::name).collect();
    Failure::bad(name, format!("{error}: the fields are {}", fields.join(", ")))
}

/// Which events.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Select {
    /// The condition, in the search language: see docs/search.md.
    q: Option<String>,
    /// The earliest time, inclusive: RFC 3339, or seconds since 1970. Not beside a time in `q`.
    start: Option<String>,
    /// The latest time, inclusive, likewise.
    end: Option<String>,
}

/// A question, read.
#[derive(Debug)]
pub(crate) struct Question {
    /// What is asked of the archive: the caller's scope is in it.
    pub(crate) query: Query,
    /// The same without the scope.
    pub(crate) own: Query,
    /// What events it is about, for the rules.
    pub(crate) asked: Vec<Asked>,
}

impl Select {
    pub(crate) fn read(params: &mut Params) -> Self {
        Self { q: params.text("q"), start: params.text("start"), end: params.text("end") }
    }

    /// What this asks of the archive in this scope.
    pub(crate) fn question(self, scope: &Scope, now: Timestamp) -> Result<Question, Failure> {
        let search = Search::parse(self.q.as_deref().unwrap_or_default(), now).map_err(Failure::from)?;
        let (start, end) = (instant("start", self.start)?, instant("end", self.end)?);
        if (start.is_some() || end.is_some()) && (search.start_micros.is_some() || search.end_micros.is_some()) {
            return Err(Failure::bad("start", "the time stands in `q` or in `start` and `end`, not in both"));
        }
        let own = Query {
            filter: search.filter,
            start_micros: start.or(search.start_micros),
            end_micros: end.or(search.end_micros),
        };
        ordered(own.start_micros, own.end_micros)?;
        Ok(Question { query: scope.narrow(&own), own, asked: search.asked })
    }
}

/// The first and the last instant that are asked for, in microseconds since the Unix epoch.
pub(crate) fn span(start: Option<String>, end: Option<String>) -> Result<(Option<i64>, Option<i64>), Failure> {
    let (start, end) = (instant("start", start)?, instant("end", end)?);
    ordered(start, end)?;
    Ok((start, end))
}

fn ordered(start: Option<i64>, end: Option<i64>) -> Result<(), Failure> {
    match (start, end) {
        (Some(start), Some(end)) if start > end => Err(Failure::bad("start", "is after `end`")),
        _ => Ok(()),
    }
}

/// An instant in microseconds since the Unix epoch.
fn instant(name: &'static str, text: Option<String>) -> Result<Option<i64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let seconds = || text.parse::<i64>().ok()?.checked_mul(1_000_000);
    let micros = text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond).or_else(seconds);
    let micros = micros.ok_or_else(|| Failure::bad(name, "RFC 3339 as in 2026-11-22T14:05:00Z, or seconds since 1970"));
    micros.map(Some)
}

/// The order of events.
pub(crate) fn newest_first(params: &mut Params) -> Result<bool, Failure> {
    params.word("sort", true, &[("desc", true), ("asc", false)])
}
