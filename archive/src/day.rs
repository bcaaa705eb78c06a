//! UTC days: what an archive is cut into.

use jiff::Span;
use jiff::civil::Date;

const DAY_MICROS: i64 = 86_400_000_000;
const EPOCH: Date = Date::constant(1970, 1, 1);
/// The last whole year that a search engine's nanoseconds since 1970 can hold.
const LAST: Date = Date::constant(2261, 12, 31);

/// A UTC day from 1970 to 2261. Instants beyond belong to the first or the last day, so that an absurd timestamp has a
/// place too, and days are in the order of the instants in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(i32);

impl Day {
    pub(crate) const FIRST: Self = Self(0);
    pub(crate) const LAST: Self = Self(106_650);

    /// The day of this instant, microseconds since the Unix epoch.
    pub(crate) fn of(time_micros: i64) -> Self {
        let days = time_micros.div_euclid(DAY_MICROS).clamp(0, i64::from(Self::LAST.0));
        Self(i32::try_from(days).unwrap_or(Self::LAST.0))
    }

    /// Its first microsecond.
    pub(crate) fn start_micros(self) -> i64 {
        i64::from(self.0) * DAY_MICROS
    }

    /// The first microsecond after it.
    pub(crate) fn end_micros(self) -> i64 {
        self.start_micros() + DAY_MICROS
    }

    /// The days up to and including another one.
    pub(crate) fn through(self, last: Self) -> impl Iterator<Item = Self> + use<> {
        (self.0..=last.0).map(Self)
    }

    /// `2026-11-22`, with any separator.
    pub(crate) fn name(self, separator: char) -> String {
        let date = EPOCH.checked_add(Span::new().days(self.0)).unwrap_or(LAST);
        format!("{:04}{separator}{:02}{separator}{:02}", date.year(), date.month(), date.day())
    }

    /// The day of a name, if it is exactly one.
    pub(crate) fn parse(name: &str, separator: char) -> Option<Self> {
        let mut parts = name.split(separator);
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        if !(digits(year) && digits(month) && digits(day)) {
            return None;
        }
        let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
        let days = EPOCH.until(date).ok()?.get_days();
        (0..=Self::LAST.0).contains(&days).then_some(Self(days))
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn names_and_parses_its_days() {
        let micros = "2026-11-22T23:59:59.999999Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
        assert_eq!(Day::of(micros).name('-'), "2026-11-22");
        assert_eq!(Day::of(micros + 1).name('.'), "2026.11.23");
        assert_eq!(Day::parse("2026.11.22", '.'), Some(Day::of(micros)));
        assert_eq!(Day::of(micros).end_micros(), micros + 1);
        assert_eq!(Day::LAST.name('-'), "2261-12-31");
        for bad in ["2026-11-2", "2026-13-01", "2026-11-22-", "+026-11-22", "1969-12-31", "2026.11.22", ""] {
            assert_eq!(Day::parse(bad, '-'), None, "{bad}");
        }
    }

    #[test]
    fn gives_absurd_instants_a_place() {
        assert_eq!(Day::of(i64::MIN), Day::FIRST);
        assert_eq!(Day::of(i64::MAX), Day::LAST);
    }
}
