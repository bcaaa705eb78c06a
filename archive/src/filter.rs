//! Which documents: a condition made of conditions on fields.
//!
//! [`Filter::matches`] is the definition; engines translate the same tree into their own queries, and the conformance suite
//! compares them with it. Nothing in a filter is ever text of an engine's language: values are data.

use vedette_audit::document::Document;
use vedette_audit::identity::EventId;

use crate::error::ArchiveError;
use crate::field::{Field, Number};
use crate::fold::fold;
use crate::query::{MAX_CONDITIONS, MAX_DEPTH, MAX_PARTS, MAX_TERMS, MAX_TEXT};

/// A condition on documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every one of these holds; with none of them, always.
    All(Vec<Self>),
    /// At least one of these holds; with none of them, never.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// A value of the field is one of these, with regard to case; `""` is one of them: or the document has no value.
    Is(Field, Vec<String>),
    /// A value of the field contains one of these texts, without regard to case. Empty texts are passed over; with none
    /// left, always.
    Contains(Field, Vec<String>),
    /// A value of the field begins with one of these texts, as for [`Self::Contains`].
    Begins(Field, Vec<String>),
    /// A value of the field is, as a whole and without regard to case, like one of these patterns.
    Like(Field, Vec<Pattern>),
    /// The number is one of these.
    Equals(Number, Vec<i64>),
    /// The number is at least `min` and at most `max`, where they are given.
    Within(Number, Option<i64>, Option<i64>),
    /// The document's time is this instant, in microseconds since the Unix epoch, or later.
    Since(i64),
    /// The event's id is one of these.
    Id(Vec<EventId>),
}

/// A text in which some places stand for any text, or any character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This text, without regard to case.
    Text(String),
    /// Any one character.
    One,
    /// Any text, also none.
    Any,
}

impl Default for Filter {
    fn default() -> Self {
        Self::everything()
    }
}

impl Filter {
    /// Holds for every document.
    pub const fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// A value of the field is exactly one of these.
    pub fn is<T: Into<String>>(field: Field, values: impl IntoIterator<Item = T>) -> Self {
        Self::Is(field, values.into_iter().map(Into::into).collect())
    }

    /// A value of the field contains one of these.
    pub fn contains<T: Into<String>>(field: Field, values: impl IntoIterator<Item = T>) -> Self {
        Self::Contains(field, values.into_iter().map(Into::into).collect())
    }

    /// This and that.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut all), Self::All(more)) => {
                all.extend(more);
                Self::All(all)
            }
            (Self::All(mut all), other) | (other, Self::All(mut all)) => {
                all.push(other);
                Self::All(all)
            }
            (one, other) => Self::All(vec![one, other]),
        }
    }

    /// Whether it holds for a document: what every engine answers by.
    pub fn matches(&self, document: &Document) -> bool {
        let fields = &document.fields;
        let any = |field: &Field, holds: &dyn Fn(&str) -> bool| field.values(fields).any(holds);
        match self {
            Self::All(all) => all.iter().all(|filter| filter.matches(document)),
            Self::Any(any) => any.iter().any(|filter| filter.matches(document)),
            Self::Not(filter) => !filter.matches(document),
            Self::Is(field, values) => {
                any(field, &|value| values.iter().any(|wanted| wanted == value))
                    || (values.iter().any(String::is_empty) && !any(field, &|_| true))
            }
            Self::Contains(field, texts) => match folded(texts) {
                Some(texts) => any(field, &|value| texts.iter().any(|text| fold(value).contains(text))),
                None => true,
            },
            Self::Begins(field, texts) => match folded(texts) {
                Some(texts) => any(field, &|value| texts.iter().any(|text| fold(value).starts_with(text))),
                None => true,
            },
            Self::Like(field, patterns) => any(field, &|value| patterns.iter().any(|pattern| pattern.matches(value))),
            Self::Equals(number, values) => number.value(fields).is_some_and(|value| values.contains(&value)),
            Self::Within(number, min, max) => number
                .value(fields)
                .is_some_and(|value| min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max)),
            Self::Since(time) => document.time_micros >= *time,
            Self::Id(ids) => ids.contains(&document.id),
        }
    }

    /// Checks the bounds: how many conditions, how deep, how many values and how long.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        let mut conditions = 0;
        self.check_within(MAX_DEPTH, &mut conditions)
    }

    /// How many conditions it counts as, without those within it: as many clauses as the strictest engine makes of it.
    pub(crate) fn conditions(&self) -> usize {
        let (field, clauses, times) = match self {
            // With the clauses for documents that have none.
            Self::Is(field, values) if values.iter().any(String::is_empty) => (field, 3, 2),
            Self::Is(field, _) => (field, 1, 1),
            Self::Contains(field, texts) | Self::Begins(field, texts) => (field, texts.len().max(1), 1),
            Self::Like(field, patterns) => (field, (2 * patterns.len()).max(1), 1),
            _ => return 1,
        };
        match field {
            // With those for documents that have it elsewhere, and those that say which these are.
            Field::Actor => 3 * clauses + 4 * times,
            Field::Address => 2 * clauses + times,
            _ => clauses,
        }
    }

    fn check_within(&self, depth: usize, conditions: &mut usize) -> Result<(), ArchiveError> {
        *conditions += self.conditions();
        if depth == 0 || *conditions > MAX_CONDITIONS {
            let message = format!("at most {MAX_CONDITIONS} conditions, nested at most {MAX_DEPTH} deep");
            return Err(ArchiveError::invalid("query", message));
        }
        match self {
            Self::All(filters) | Self::Any(filters) => {
                filters.iter().try_for_each(|filter| filter.check_within(depth - 1, conditions))
            }
            Self::Not(filter) => filter.check_within(depth - 1, conditions),
            Self::Is(field, values) => check(field.name(), values.len(), values, MAX_TERMS),
            Self::Contains(field, _) | Self::Begins(field, _) | Self::Like(field, _)
                if !field.is_searched_by_parts() =>
            {
                Err(ArchiveError::invalid(field.name(), "found by whole values alone"))
            }
            Self::Contains(field, texts) | Self::Begins(field, texts) => {
                check(field.name(), texts.len(), texts, MAX_PARTS)
            }
            Self::Like(field, patterns) => {
                check(field.name(), patterns.len(), patterns.iter().flat_map(Pattern::texts), MAX_PARTS)
            }
            Self::Equals(_, values) => check("code", values.len(), &[], MAX_TERMS),
            Self::Id(ids) => check("id", ids.len(), &[], MAX_TERMS),
            Self::Within(..) | Self::Since(_) => Ok(()),
        }
    }
}

/// The texts that say something, without regard to case; `None` if none does.
pub(crate) fn folded(texts: &[String]) -> Option<Vec<String>> {
    let texts: Vec<String> = texts.iter().filter(|text| !text.is_empty()).map(|text| fold(text)).collect();
    (!texts.is_empty()).then_some(texts)
}

fn check<'a>(
    parameter: &'static str,
    values: usize,
    texts: impl IntoIterator<Item = &'a String>,
    most: usize,
) -> Result<(), ArchiveError> {
    if values > most {
        return Err(ArchiveError::invalid(parameter, format!("at most {most} values")));
    }
    if texts.into_iter().any(|text| text.chars().nth(MAX_TEXT).is_some()) {
        return Err(ArchiveError::invalid(parameter, format!("at most {MAX_TEXT} characters in a value")));
    }
    Ok(())
}

impl Pattern {
    /// A pattern of these pieces.
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&fold(&text)),
                (Some(Piece::Any), Piece::Any) => {}
                (_, Piece::Text(text)) if text.is_empty() => {}
                (_, Piece::Text(text)) => joined.push(Piece::Text(fold(&text))),
                (_, piece) => joined.push(piece),
            }
        }
        Self(joined)
    }

    /// Exactly this text, but for case.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new([Piece::Text(text.into())])
    }

    /// Its pieces: texts without regard to case ([`Piece::Text`] is folded), no two of them, and no two of
    /// [`Piece::Any`], next to each other.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Whether the whole value is like it.
    pub fn matches(&self, value: &str) -> bool {
        let value: Vec<char> = fold(value).chars().collect();
        // The places in the value where what has been read of the pattern may end.
        let mut ends = vec![false; value.len() + 1];
        if let Some(first) = ends.first_mut() {
            *first = true;
        }
        for piece in &self.0 {
            let from = std::mem::replace(&mut ends, vec![false; value.len() + 1]);
            let mut reached = false;
            for (place, _) in from.iter().enumerate().filter(|(_, from)| **from) {
                let rest = value.get(place..).unwrap_or_default();
                match piece {
                    Piece::Any => reached = true,
                    Piece::One => mark(&mut ends, place + 1),
                    Piece::Text(text) if text.chars().eq(rest.iter().copied().take(text.chars().count())) => {
                        mark(&mut ends, place + text.chars().count());
                    }
                    Piece::Text(_) => {}
                }
                if reached {
                    ends.iter_mut().skip(place).for_each(|end| *end = true);
                    break;
                }
            }
        }
        ends.last().copied().unwrap_or(false)
    }

    fn texts(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::One | Piece::Any => None,
        })
    }
}

fn mark(ends: &mut [bool], place: usize) {
    if let Some(end) = ends.get_mut(place) {
        *end = true;
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Pattern, Piece};
    use crate::field::Field;

    /// A pattern as people write it.
    fn pattern(text: &str) -> Pattern {
        Pattern::new(text.chars().map(|c| match c {
            '*' => Piece::Any,
            '?' => Piece::One,
            c => Piece::Text(c.to_string()),
        }))
    }

    #[test]
    fn a_pattern_is_like_whole_values() {
        let check = |text: &str, value: &str, expected: bool| {
            assert_eq!(pattern(text).matches(value), expected, "{text} {value}");
        };
        check("prod*", "PROD-1", true);
        check("prod*", "a-prod", false);
        check("*prod*", "a-prod-b", true);
        check("p?d", "pod", true);
        check("p?d", "pd", false);
        check("*a*b*", "xxaxxbxx", true);
        check("*a*b", "xxaxxbxx", false);
        check("Ä*", "ärger", true);
        check("", "", true);
        check("", "x", false);
        check("*", "", true);
    }

    #[test]
    fn a_filter_has_bounds() {
        let deep = (0..40).fold(Filter::everything(), |filter, _| Filter::Not(Box::new(filter)));
        assert!(deep.check().is_err());
        let wide = Filter::Any(vec![Filter::everything(); 5_000]);
        assert!(wide.check().is_err());
        let parts = Filter::Any(vec![Filter::contains(Field::Name, vec!["x"; 200]); 6]);
        assert!(parts.check().is_err());
        assert!(Filter::contains(Field::Name, vec!["x"; 300]).check().is_err());
        assert!(Filter::contains(Field::Name, ["x".repeat(40_000)]).check().is_err());
        assert!(Filter::is(Field::Tenant, vec!["x"; 60_000]).check().is_ok());
    }

    #[test]
    fn and_is_flat() {
        let one = || Filter::is(Field::Name, ["x"]);
        assert_eq!(one().and(Filter::everything()), Filter::All(vec![one()]));
        assert_eq!(one().and(one()).and(one()), Filter::All(vec![one(), one(), one()]));
    }
}
