//! The two kinds of scalar that need care: numbers and instants.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A number: exact as long as it is whole and fits, else the nearest double.
///
/// INVARIANT: a `Double` is no whole number that fits, so that equal numbers are equal values, and the order is total.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Whole(i128),
    Double(f64),
}

impl Number {
    /// Reads a decimal number as JSON or a condition writes it; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        if let Ok(whole) = text.parse::<i128>() {
            return Some(Self::Whole(whole));
        }
        let double = text.parse::<f64>().ok()?;
        if let Some(whole) = whole(text) {
            return Some(Self::Whole(whole));
        }
        Self::nearest(double)
    }

    /// The number that a double is; `None` if it is none.
    pub(crate) fn nearest(double: f64) -> Option<Self> {
        // The cast is exact in this range.
        if double.fract() == 0.0 && (-BEYOND..BEYOND).contains(&double) {
            return Some(Self::Whole(double as i128));
        }
        (!double.is_nan()).then_some(Self::Double(double))
    }
}

/// 2^127, the least double that is above every `i128`.
const BEYOND: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// The value of a decimal number with a point or an exponent, if it is whole and fits.
fn whole(text: &str) -> Option<i128> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let after = after.trim_end_matches('0');
    let zeros = exponent.checked_sub(i64::try_from(after.len()).ok()?)?;
    let digits = format!("{before}{after}");
    if zeros >= 0 {
        return digits.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(u32::try_from(zeros).ok()?)?);
    }
    // What the exponent moves behind the point has to be zeros.
    let end = digits.len().checked_sub(usize::try_from(zeros.unsigned_abs()).ok()?)?;
    let (kept, moved) = digits.split_at_checked(end)?;
    moved.bytes().all(|digit| digit == b'0').then(|| kept.parse().ok())?
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => left.cmp(right),
            (Self::Double(left), Self::Double(right)) => left.total_cmp(right),
            (Self::Whole(whole), Self::Double(double)) => beside(*whole, *double),
            (Self::Double(double), Self::Whole(whole)) => beside(*whole, *double).reverse(),
        }
    }
}

/// The order of a whole number and a double that has a fraction or lies beyond all of them.
fn beside(whole: i128, double: f64) -> Ordering {
    if double.abs() >= BEYOND {
        return if double > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    if whole <= double.floor() as i128 { Ordering::Less } else { Ordering::Greater }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Whole(whole) => whole.hash(state),
            Self::Double(double) => double.to_bits().hash(state),
        }
    }
}

/// An instant on the time line: whole seconds since 1970 and the fraction in attoseconds, which keeps 18 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instant {
    seconds: i64,
    attoseconds: u64,
}

impl Instant {
    /// How much later this is, in seconds, as a decimal number.
    pub(crate) fn seconds_since(self, earlier: Self) -> String {
        const SECOND: i128 = 1_000_000_000_000_000_000;
        let difference = i128::from(self.seconds - earlier.seconds) * SECOND
            + (i128::from(self.attoseconds) - i128::from(earlier.attoseconds));
        let (sign, length) = (if difference < 0 { "-" } else { "" }, difference.unsigned_abs());
        let (whole, fraction) = (length / SECOND.unsigned_abs(), length % SECOND.unsigned_abs());
        let fraction = format!("{fraction:018}");
        let text = format!("{sign}{whole}.{}", fraction.trim_end_matches('0'));
        text.trim_end_matches('.').to_owned()
    }

    /// Reads an RFC 3339 date and time, with any number of digits of a second and any offset; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let year = digits(bytes, 0, 4)?;
        let month = after(bytes, 4, b"-", 2)?;
        let day = after(bytes, 7, b"-", 2)?;
        let hour = after(bytes, 10, b"Tt", 2)?;
        let minute = after(bytes, 13, b":", 2)?;
        // A leap second is the first instant of the next minute.
        let second = after(bytes, 16, b":", 2)?;
        let valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 60;
        if !valid {
            return None;
        }
        let rest = text.get(19..)?;
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(after) => {
                let end = after.find(|it: char| !it.is_ascii_digit())?;
                (after.get(..end).filter(|digits| !digits.is_empty())?, after.get(end..)?)
            }
            None => ("", rest),
        };
        let attoseconds = fraction.bytes().chain(std::iter::repeat(b'0')).take(18);
        let attoseconds = attoseconds.fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(rest)?;
        Some(Self { seconds, attoseconds })
    }
}

/// The offset in seconds that `Z` or `+hh:mm` stands for.
fn offset(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let sign = match (bytes.first()?, bytes.len()) {
        (b'Z' | b'z', 1) => return Some(0),
        (b'+', 6) => 1,
        (b'-', 6) => -1,
        _ => return None,
    };
    let (hours, minutes) = (digits(bytes, 1, 2)?, after(bytes, 3, b":", 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn after(bytes: &[u8], at: usize, separators: &[u8], count: usize) -> Option<i64> {
    separators.contains(bytes.get(at)?).then_some(())?;
    digits(bytes, at + 1, count)
}

fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i64> {
    let digits = bytes.get(at..at + count)?;
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar: the year counts from March, so that a leap day ends it.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_months = (month * 153 + 2) / 5;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_months + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_compare_at_any_precision_and_offset() {
        let at = |text: &str| Instant::parse(text).unwrap();
        assert_eq!(at("1970-01-01T00:00:00Z"), Instant { seconds: 0, attoseconds: 0 });
        assert_eq!(at("2020-06-12T09:23:28.359896Z").seconds, 1_591_953_808);
        assert_eq!(at("2020-06-12T11:23:28+02:00"), at("2020-06-12T09:23:28.000000000Z"));
        assert_eq!(at("2000-02-29T23:59:60z"), at("2000-03-01t00:00:00-00:00"));
        assert!(at("2020-06-12T09:23:28.3Z") < at("2020-06-12T09:23:28.300000000000000001Z"));
        assert!(at("2020-06-12T09:23:28Z") < at("2020-06-12T09:23:28.1Z"));
        assert!(at("0001-01-01T00:00:00Z") < at("1969-12-31T23:59:59Z"));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "2020-06-12",
            "2020-06-12T09:23Z",
            "2020-06-12T09:23:28",
            "2020-06-12 09:23:28Z",
            "2020-02-30T00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-06-12T24:00:00Z",
            "2020-06-12T09:23:28.Z",
            "2020-06-12T09:23:28.5",
            "2020-06-12T09:23:28+2:00",
            "2020-06-12T09:23:28Zx",
            "２020-06-12T09:23:28Z",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_exact_while_whole() {
        let number = |text: &str| Number::parse(text).unwrap();
        assert_eq!(number("404"), number("404.0"));
        assert_eq!(number("4e2"), number("400"));
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
        assert!(number("-0.5") < number("0"));
        assert!(number("18446744073709551615") > number("18446744073709551614"));
        for text in ["", "-", "x", "NaN", "inf", "+1", "1x", ".5"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
    /// The texts of each line are one number, and less than those of the next line.
    const ASCENDING: &[&[&str]] = &[
        &["-1e999"],
        &["-1e39"],
        &["-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728.0"],
        &["-9007199254740993", "-9007199254740993.0", "-9.007199254740993e15"],
        &["-9007199254740992", "-9007199254740992e0"],
        &["-0.5", "-5e-1"],
        &["0", "-0", "0.0", "-0.0", "0e99999999999999999999", "-1e-999"],
        &["0.1", "1e-1"],
        &["1", "1.0", "10e-1", "0.01e2", "0.99999999999999999999"],
        &["403", "4.03e2", "4030e-1", "403.000"],
        &["4503599627370495"],
        &["4503599627370495.5", "45035996273704955e-1"],
        &["4503599627370496"],
        &["9007199254740992", "9007199254740992.0", "9007199254740992e0"],
        &["9007199254740993", "9007199254740993.0"],
        &["10000000000000000", "1e16", "1E+16"],
        &["1000000000000000000000000000000", "1e30", "0.1e31"],
        &["170141183460469231731687303715884105727"],
        &["170141183460469231731687303715884105728", "1.70141183460469231731687303715884105728e38"],
        &["1e39"],
        &["1e999", "2e999"],
    ];

    #[test]
    fn numbers_have_one_order_and_one_hash() {
        let hash = |number: Number| {
            let mut hasher = std::hash::DefaultHasher::new();
            number.hash(&mut hasher);
            hasher.finish()
        };
        let numbers = ASCENDING
            .iter()
            .enumerate()
            .flat_map(|(place, texts)| texts.iter().map(move |text| (place, text, Number::parse(text).expect(text))));
        for (place, text, number) in numbers.clone() {
            for (other_place, other_text, other) in numbers.clone() {
                assert_eq!(number.cmp(&other), place.cmp(&other_place), "{text} and {other_text}");
                assert!(place != other_place || hash(number) == hash(other), "{text} and {other_text}");
            }
        }
    }
}
