//! Moments and durations as people write them.
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::outcome::Failure;

/// What is no moment or duration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unclear {
    text: String,
    expected: &'static str,
}

impl Unclear {
    /// The failure, for this flag.
    pub(crate) fn of(self, flag: &str) -> Failure {
        Failure::usage(format!("{flag} does not understand `{}`", self.text)).help(self.expected)
    }
}

/// So long before `now`: `90s`, `30m`, `12h`, `7d`, `2w`, `1h30m`.
pub(crate) fn ago(text: &str, now: Timestamp) -> Result<Timestamp, Unclear> {
    let unclear = || Unclear { text: text.to_owned(), expected: "a duration, as 90s, 30m, 12h, 7d, 2w or 1h30m" };
    now.checked_sub(duration(text).ok_or_else(unclear)?).map_err(|_| unclear())
}

/// A moment: RFC 3339, date with or without time in UTC, seconds since 1970, or a duration before `now`.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Unclear> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let date_time = || text.parse::<DateTime>().ok().and_then(utc);
    let date = || text.parse::<Date>().ok().and_then(|date| utc(date.to_datetime(jiff::civil::Time::midnight())));
    // Four digits would be a year.
    let seconds =
        || (text.len() >= 9).then(|| text.parse().ok()).flatten().and_then(|it| Timestamp::from_second(it).ok());
    let before = || now.checked_sub(duration(text)?).ok();
    seconds().or_else(before).or_else(date_time).or_else(date).ok_or_else(|| Unclear {
        text: text.to_owned(),
        expected: "a moment, as 2026-11-22T14:05:00Z, 2026-11-22 14:05 or 2026-11-22 (both UTC), or 2h for two hours ago",
    })
}

fn duration(text: &str) -> Option<SignedDuration> {
    let mut rest = text.trim();
    let mut seconds: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit = match after.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<i64>().ok()?.checked_mul(unit)?)?;
        rest = after.get(1..)?;
    }
    Some(SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{ago, moment};

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    #[test]
    fn durations_go_back_from_now() {
        for (text, expected) in [
            ("90s", "2026-11-22T11:58:30Z"),
            ("12h", "2026-11-22T00:00:00Z"),
            ("1h30m", "2026-11-22T10:30:00Z"),
            ("7d", "2026-11-15T12:00:00Z"),
            ("2w", "2026-11-08T12:00:00Z"),
        ] {
            assert_eq!(ago(text, now()).unwrap().to_string(), expected, "{text}");
            assert_eq!(moment(text, now()).unwrap().to_string(), expected, "{text}");
        }
        for bad in ["", "h", "12", "12x", "-1h", "1h 30m", "99999999999999999999d", "1é"] {
            assert!(ago(bad, now()).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_without_a_zone_are_in_utc() {
        for (text, expected) in [
            ("2026-11-22T14:05:00+02:00", "2026-11-22T12:05:00Z"),
            ("2026-11-22T14:05:00.25Z", "2026-11-22T14:05:00.25Z"),
            ("2026-11-22 14:05", "2026-11-22T14:05:00Z"),
            ("2026-11-22T14:05:30", "2026-11-22T14:05:30Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("1795341600", "2026-11-22T10:00:00Z"),
        ] {
            assert_eq!(moment(text, now()).unwrap().to_string(), expected, "{text}");
        }
        for bad in ["", "yesterday", "2026-13-01", "2026", "12:05"] {
            assert!(moment(bad, now()).is_err(), "{bad}");
        }
    }
}
