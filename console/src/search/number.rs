//! Numbers: status codes and durations, one at a time or in ranges.

use vedette_archive::{Filter, Number};

use super::error::SearchError;
use super::value::Value;

/// The least and the greatest number that a text such as `4xx` stands for.
type Bounds = (i64, i64);

/// A number's values, any of which may be.
pub(super) fn number(number: Number, values: &[Value<'_>]) -> Result<Vec<Filter>, SearchError> {
    let mut equal = Vec::new();
    let mut filters = Vec::new();
    for value in values {
        let (min, max) = match value.text().as_str() {
            "" => {
                filters.push(Filter::Not(Box::new(Filter::Within(number, None, None))));
                continue;
            }
            "*" if value.is_bare() => (None, None),
            text => within(number, text).ok_or_else(|| unclear(number, value))?,
        };
        match (min, max) {
            (Some(min), Some(max)) if min > max => {
                return Err(SearchError::new(value.span(), "the range ends before it begins"));
            }
            (Some(min), Some(max)) if min == max => equal.push(min),
            (min, max) => filters.push(Filter::Within(number, min, max)),
        }
    }
    if !equal.is_empty() {
        filters.push(Filter::Equals(number, equal));
    }
    Ok(filters)
}

/// The one number that a text names, for events that are asked for.
pub(super) fn single(number: Number, text: &str) -> Option<i64> {
    match within(number, text)? {
        (Some(min), Some(max)) if min == max => Some(min),
        _ => None,
    }
}

fn unclear(number: Number, value: &Value<'_>) -> SearchError {
    let shown = super::error::shown(&value.text());
    match number {
        Number::Code => SearchError::new(value.span(), format!("`{shown}` is no status code"))
            .help("write `404`, `4xx`, `>=400`, `<500` or `400..499`"),
        Number::Duration => SearchError::new(value.span(), format!("`{shown}` is no range of durations"))
            .help("write `>1s`, `<=250ms` or `1s..5s`; units are us, ms, s, m and h"),
    }
}

fn within(number: Number, text: &str) -> Option<(Option<i64>, Option<i64>)> {
    let bounds = |text: &str| match number {
        Number::Code => code(text),
        Number::Duration => duration(text),
    };
    if let Some(text) = text.strip_prefix(">=") {
        return Some((Some(bounds(text)?.0), None));
    }
    if let Some(text) = text.strip_prefix("<=") {
        return Some((None, Some(bounds(text)?.1)));
    }
    if let Some(text) = text.strip_prefix('>') {
        return Some((Some(bounds(text)?.1.checked_add(1)?), None));
    }
    if let Some(text) = text.strip_prefix('<') {
        return Some((None, Some(bounds(text)?.0 - 1)));
    }
    if let Some((from, to)) = text.split_once("..") {
        let side = |text: &str| if text.is_empty() { Some(None) } else { bounds(text).map(Some) };
        let (from, to) = (side(from)?, side(to)?);
        return (from.is_some() || to.is_some()).then_some((from.map(|it| it.0), to.map(|it| it.1)));
    }
    // Nothing takes exactly a second: who writes that means something else.
    let (min, max) = bounds(text).filter(|_| number == Number::Code)?;
    Some((Some(min), Some(max)))
}

/// `404`, `4xx`, `40x`.
fn code(text: &str) -> Option<Bounds> {
    let digits = text.trim_end_matches(['x', 'X']);
    let open = text.len() - digits.len();
    let size = [1, 10, 100].get(open)?;
    if digits.is_empty() || text.len() > 3 || (open > 0 && text.len() != 3) {
        return None;
    }
    let first = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?? * size;
    Some((first, first + size - 1))
}

/// `250ms`, `1.5s`, in microseconds.
fn duration(text: &str) -> Option<Bounds> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: i64 = match unit {
        "us" | "µs" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok().filter(|len| *len <= 6)?)?;
    let fraction = fraction.parse::<i64>().ok()?.checked_mul(unit)? / scale;
    let micros = whole.parse::<i64>().ok()?.checked_mul(unit)?.checked_add(fraction)?;
    Some((micros, micros))
}
