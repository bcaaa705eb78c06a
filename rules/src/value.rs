//! Numbers: the kind of scalar that needs care.

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

#[cfg(test)]
mod tests {
    use super::*;

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
