//! Instants as events write them, to any precision: what rules compare and what durations are made of.

const SECOND: i128 = 1_000_000_000_000_000_000;

/// An instant on the time line: whole seconds since 1970 and the fraction in attoseconds, which keeps 18 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    seconds: i64,
    attoseconds: u64,
}

impl Instant {
    /// How much later this is, in seconds, as a decimal number.
    pub fn seconds_since(self, earlier: Self) -> String {
        let difference = self.since(earlier);
        let (sign, length) = (if difference < 0 { "-" } else { "" }, difference.unsigned_abs());
        let (whole, fraction) = (length / SECOND.unsigned_abs(), length % SECOND.unsigned_abs());
        let fraction = format!("{fraction:018}");
        let text = format!("{sign}{whole}.{}", fraction.trim_end_matches('0'));
        text.trim_end_matches('.').to_owned()
    }

    /// The whole seconds since 1970 that are over.
    pub fn second(self) -> i64 {
        self.seconds
    }

    /// How much later this is, in whole microseconds; `None` if it is earlier, or the number does not fit.
    pub fn micros_since(self, earlier: Self) -> Option<i64> {
        const MICROSECOND: i128 = 1_000_000_000_000;
        let difference = self.since(earlier);
        (difference >= 0).then(|| i64::try_from(difference / MICROSECOND).ok())?
    }

    /// How much later this is, in attoseconds.
    fn since(self, earlier: Self) -> i128 {
        i128::from(self.seconds - earlier.seconds) * SECOND
            + (i128::from(self.attoseconds) - i128::from(earlier.attoseconds))
    }

    /// Reads an RFC 3339 date and time, with any number of digits of a second and any offset; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
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
    fn differences_are_exact_or_none() {
        let at = |text: &str| Instant::parse(text).unwrap();
        for (later, seconds, micros) in [
            ("2026-11-22T00:00:00.250000Z", "0.25", Some(250_000)),
            ("2026-11-22T01:00:00.0000019+01:00", "0.0000019", Some(1)),
            ("2026-11-22T00:00:00Z", "0", Some(0)),
            ("2026-11-21T23:59:59.9999999Z", "-0.0000001", None),
            ("9999-12-31T23:59:59Z", "251606995199", Some(251_606_995_199_000_000)),
        ] {
            let (later, earlier) = (at(later), at("2026-11-22T00:00:00Z"));
            assert_eq!((later.seconds_since(earlier).as_str(), later.micros_since(earlier)), (seconds, micros));
        }
    }
}
