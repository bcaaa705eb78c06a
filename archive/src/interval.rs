//! The intervals of a histogram.
//!
//! The same words as the query API's (`15m`, `1d`, `1M`): seconds to days are fixed lengths counted from the Unix epoch,
//! weeks begin on Monday, months, quarters and years are the calendar's, all in UTC. Weeks, months, quarters and years
//! may be taken by several, counted from the Unix epoch's own.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::Bucket;

const SECOND_MS: i64 = 1_000;
const DAY_MS: i64 = 86_400 * SECOND_MS;
/// The Monday before the Unix epoch.
const FIRST_MONDAY_MS: i64 = -3 * DAY_MS;

/// The length of a histogram's buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub(crate) Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Seconds.
    Fixed(i64),
    Weeks(i64),
    Months(i64),
}

/// Not an interval.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("an interval is a number above 0 and one of s, m, h, d, w, M, q, y, as in `15m`; `{0}` is not")]
pub struct IntervalError(String);

impl Interval {
    /// So many seconds; at least 1.
    pub fn seconds(seconds: u32) -> Self {
        Self(Kind::Fixed(i64::from(seconds.max(1))))
    }

    /// The beginning of the bucket that this instant falls into, both in milliseconds since the Unix epoch.
    pub fn floor(self, time_ms: i64) -> i64 {
        match self.0 {
            Kind::Fixed(seconds) => floor_to(time_ms, 0, seconds.saturating_mul(SECOND_MS)),
            Kind::Weeks(weeks) => floor_to(time_ms, FIRST_MONDAY_MS, weeks.saturating_mul(7 * DAY_MS)),
            Kind::Months(months) => month_ms(month_of(time_ms).div_euclid(months).saturating_mul(months)),
        }
    }

    /// The beginning of the bucket after the one that begins here.
    pub fn next(self, floor_ms: i64) -> i64 {
        match self.0 {
            Kind::Fixed(seconds) => floor_ms.saturating_add(seconds.saturating_mul(SECOND_MS)),
            Kind::Weeks(weeks) => floor_ms.saturating_add(weeks.saturating_mul(7 * DAY_MS)),
            Kind::Months(months) => month_ms(month_of(floor_ms).saturating_add(months)),
        }
    }

    /// Puts the empty buckets between the first and the last, as long as all of them are at most `limit`; otherwise
    /// the buckets as they are.
    pub fn fill(self, buckets: Vec<Bucket>, limit: usize) -> Vec<Bucket> {
        let (Some(first), Some(last)) = (buckets.first().copied(), buckets.last().copied()) else {
            return buckets;
        };
        let mut filled = Vec::with_capacity(buckets.len());
        let mut given = buckets.iter().copied().peekable();
        let mut time_ms = first.time_ms;
        while time_ms <= last.time_ms {
            if filled.len() == limit {
                return buckets;
            }
            let count = given.next_if(|bucket| bucket.time_ms == time_ms).map_or(0, |bucket| bucket.count);
            filled.push(Bucket { time_ms, count });
            let next = self.next(time_ms);
            if next <= time_ms {
                return buckets;
            }
            time_ms = next;
        }
        filled
    }

    /// Gathers buckets of finer intervals (sorted) into those of this one.
    pub(crate) fn gather(self, finer: impl IntoIterator<Item = Bucket>) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = Vec::new();
        for bucket in finer {
            let time_ms = self.floor(bucket.time_ms);
            match buckets.last_mut() {
                Some(last) if last.time_ms == time_ms => last.count += bucket.count,
                _ => buckets.push(Bucket { time_ms, count: bucket.count }),
            }
        }
        buckets
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || IntervalError(text.chars().take(32).collect());
        let unit = text.chars().next_back().ok_or_else(bad)?;
        let digits = text.strip_suffix(unit).ok_or_else(bad)?;
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(bad());
        }
        let number = i64::from(digits.parse::<u32>().map_err(|_| bad())?);
        if number == 0 {
            return Err(bad());
        }
        Ok(Self(match unit {
            's' => Kind::Fixed(number),
            'm' => Kind::Fixed(number * 60),
            'h' => Kind::Fixed(number * 3_600),
            'd' => Kind::Fixed(number * 86_400),
            'w' => Kind::Weeks(number),
            'M' => Kind::Months(number),
            'q' => Kind::Months(number * 3),
            'y' => Kind::Months(number * 12),
            _ => return Err(bad()),
        }))
    }
}

fn floor_to(time_ms: i64, origin_ms: i64, length_ms: i64) -> i64 {
    let length_ms = length_ms.max(1);
    (time_ms - origin_ms).div_euclid(length_ms) * length_ms + origin_ms
}

/// Months since January 1970.
fn month_of(time_ms: i64) -> i64 {
    let date = Timestamp::from_millisecond(time_ms).unwrap_or_default().to_zoned(TimeZone::UTC).date();
    (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1
}

fn month_ms(month: i64) -> i64 {
    let epoch = Date::constant(1970, 1, 1);
    let date = jiff::Span::new().try_months(month).ok().and_then(|span| epoch.checked_add(span).ok());
    match date.and_then(|date| date.to_zoned(TimeZone::UTC).ok()) {
        Some(zoned) => zoned.timestamp().as_millisecond(),
        None if month < 0 => Timestamp::MIN.as_millisecond(),
        None => Timestamp::MAX.as_millisecond(),
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, Interval};
    use crate::Bucket;

    fn ms(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn check(interval: &str, instant: &str, floor: &str, next: &str) {
        let interval: Interval = interval.parse().unwrap();
        assert_eq!(interval.floor(ms(instant)), ms(floor), "{interval:?} {instant}");
        assert_eq!(interval.next(ms(floor)), ms(next), "{interval:?} {floor}");
    }

    #[test]
    fn begins_where_the_calendar_does() {
        check("15m", "2026-11-22T12:34:56Z", "2026-11-22T12:30:00Z", "2026-11-22T12:45:00Z");
        check("1d", "2026-11-22T12:34:56Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
        check("1w", "2026-11-22T12:34:56Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z");
        check("1M", "2026-02-22T12:34:56Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z");
        check("1q", "2026-02-22T12:34:56Z", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");
        check("2y", "2027-02-22T12:34:56Z", "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
        check("1M", "1969-12-31T23:59:59Z", "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z");
    }

    #[test]
    fn refuses_what_is_no_interval() {
        for text in ["", "m", "0m", "-1m", "15", "15x", "1.5h", "15 m", "99999999999s", "１m"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
        let shown = "1 fortnight".parse::<Interval>().unwrap_err().to_string();
        assert!(shown.contains("`15m`") && shown.contains("`1 fortnight`"), "{shown}");
    }

    #[test]
    fn fills_the_gaps_within_a_bound() {
        let day: Interval = "1d".parse().unwrap();
        let given = vec![Bucket { time_ms: 0, count: 1 }, Bucket { time_ms: 3 * DAY_MS, count: 2 }];
        let counts = |limit| day.fill(given.clone(), limit).iter().map(|bucket| bucket.count).collect::<Vec<_>>();
        assert_eq!(counts(4), [1, 0, 0, 2]);
        assert_eq!(counts(3), [1, 2]);
    }
}
