//! Times as people write them. A query has one range of times at most; moments without a zone are in UTC.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::error::{SearchError, Span, shown};
use super::key::Key;
use super::value::Value;

/// What a moment or a duration may look like.
const MOMENTS: &str =
    "write 2026-11-22T14:05:00Z, 2026-11-22T14:05, 2026-11-22 or 14:05 (all UTC), or 2h for two hours ago";
const DURATIONS: &str = "write a duration, as 90s, 30m, 12h, 7d, 2w or 1h30m";
/// How far around a moment is looked, if nobody says.
const AROUND: SignedDuration = SignedDuration::from_mins(15);

/// What one term says about the time.
#[derive(Clone, Debug)]
pub(super) struct Times {
    since: Option<Moment>,
    until: Option<Moment>,
    /// It is a range, whether it is open or not: nothing can be added to it.
    whole: bool,
    pub(super) span: Span,
}

/// A moment. The second that it names belongs whole to a range that ends with it, and so does a day.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Day(Date),
    /// Of a day that the other end of the range says, or of the last day on which it was in the past.
    Clock(Time),
    At(Timestamp),
    /// Reckoned from now: an instant.
    Exact(Timestamp),
}

/// The time of a query: what its terms say together.
#[derive(Debug, Default)]
pub(super) struct Range(Option<Times>);

/// Whether a word is a range of times: `..` with nothing or a digit at either side.
pub(super) fn is_range(value: &Value<'_>) -> bool {
    let text = value.text();
    let side = |text: &str| text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit());
    value.is_bare()
        && text.split_once("..").is_some_and(|(from, to)| side(from) && side(to) && !(from.is_empty() && to.is_empty()))
}

/// A range of times as a word of its own.
pub(super) fn range(value: &Value<'_>, now: Timestamp) -> Result<Times, SearchError> {
    let text = value.text();
    let (from, to) = text.split_once("..").unwrap_or((&text, ""));
    let side = |text: &str| if text.is_empty() { Ok(None) } else { moment(text, value.span(), now).map(Some) };
    Ok(Times { since: side(from)?, until: side(to)?, whole: true, span: value.span() })
}

/// What a term with one of the keys of times says.
pub(super) fn times(key: Key, value: &Value<'_>, span: Span, now: Timestamp) -> Result<Times, SearchError> {
    let text = value.text();
    let times = |since, until, whole| Times { since, until, whole, span };
    match key {
        Key::Since => Ok(times(Some(moment(&text, value.span(), now)?), None, false)),
        Key::Until => Ok(times(None, Some(moment(&text, value.span(), now)?), false)),
        Key::Around => {
            let (centre, width) = text.split_once(['±', '/']).unwrap_or((&text, ""));
            let width = if width.is_empty() { Some(AROUND) } else { duration(width) };
            let centre = moment(centre, value.span(), now)?.near(now);
            let ends = centre
                .zip(width)
                .and_then(|(centre, width)| Some((centre.checked_sub(width).ok()?, centre.checked_add(width).ok()?)));
            let (since, until) = ends.ok_or_else(|| {
                unclear(&text, "moment with a width", value.span())
                    .help("write around:14:05/15m or around:2026-11-22T14:05:00Z±15m")
            })?;
            Ok(times(Some(Moment::At(since)), Some(Moment::At(until)), true))
        }
        _ => {
            let since = duration(&text).and_then(|duration| now.checked_sub(duration).ok());
            let since = since.ok_or_else(|| unclear(&text, "duration", value.span()).help(DURATIONS))?;
            Ok(times(Some(Moment::Exact(since)), None, true))
        }
    }
}

impl Range {
    /// Adds what another term says.
    pub(super) fn add(&mut self, times: Times) -> Result<(), SearchError> {
        let Some(known) = &mut self.0 else {
            self.0 = Some(times);
            return Ok(());
        };
        let twice =
            (known.since.is_some() && times.since.is_some()) || (known.until.is_some() && times.until.is_some());
        if known.whole || times.whole || twice {
            let error = SearchError::new(times.span, "the time is given twice");
            return Err(error.help("a query has one range of times; `since:` and `until:` make one together"));
        }
        known.since = known.since.or(times.since);
        known.until = known.until.or(times.until);
        known.span = times.span;
        Ok(())
    }

    /// The first and the last microsecond.
    pub(super) fn bounds(self, now: Timestamp) -> Result<(Option<i64>, Option<i64>), SearchError> {
        let Some(times) = self.0 else { return Ok((None, None)) };
        let (since, until) = resolve(times.since, times.until, now)
            .ok_or_else(|| SearchError::new(times.span, "the time is out of range").help(MOMENTS))?;
        let start = since.map(Timestamp::as_microsecond);
        if start.zip(until).is_some_and(|(start, end)| start > end) {
            return Err(SearchError::new(times.span, "the range of times ends before it begins"));
        }
        Ok((start, until))
    }
}

/// The instant of the beginning, and the microsecond of the end.
fn resolve(since: Option<Moment>, until: Option<Moment>, now: Timestamp) -> Option<(Option<Timestamp>, Option<i64>)> {
    let (since, until) = match (since, until) {
        (Some(Moment::Clock(from)), Some(Moment::Clock(to))) => {
            let today = utc(now).date();
            let day = if at(today.to_datetime(from))? > now { today.yesterday().ok()? } else { today };
            let last = if to < from { day.tomorrow().ok()? } else { day };
            (Some(Moment::At(at(day.to_datetime(from))?)), Some(Moment::At(at(last.to_datetime(to))?)))
        }
        (Some(Moment::Clock(from)), Some(until)) => {
            let end = until.near(now)?;
            let day = utc(end).date();
            let start = at(day.to_datetime(from))?;
            let is_after = start > end && !matches!(until, Moment::Day(_));
            let start = if is_after { at(day.yesterday().ok()?.to_datetime(from))? } else { start };
            (Some(Moment::At(start)), Some(until))
        }
        (Some(since), Some(Moment::Clock(to))) => {
            let start = since.near(now)?;
            let day = utc(start).date();
            let end = at(day.to_datetime(to))?;
            let end = if end < start { at(day.tomorrow().ok()?.to_datetime(to))? } else { end };
            (Some(since), Some(Moment::At(end)))
        }
        sides => sides,
    };
    let start = match since {
        Some(since) => Some(since.near(now)?),
        None => None,
    };
    let end = match until {
        Some(until) => Some(until.last_micros(now)?),
        None => None,
    };
    Some((start, end))
}

impl Moment {
    /// Its instant; the time of a day is today's, or yesterday's if it is still to come.
    fn near(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Day(day) => at(day.to_datetime(Time::midnight())),
            Self::Clock(time) => {
                let today = utc(now).date();
                let instant = at(today.to_datetime(time))?;
                if instant > now { at(today.yesterday().ok()?.to_datetime(time)) } else { Some(instant) }
            }
            Self::At(instant) | Self::Exact(instant) => Some(instant),
        }
    }

    /// The last microsecond of what it names.
    fn last_micros(self, now: Timestamp) -> Option<i64> {
        let instant = self.near(now)?;
        let micros = instant.as_microsecond();
        match self {
            Self::Day(day) => Some(at(day.tomorrow().ok()?.to_datetime(Time::midnight()))?.as_microsecond() - 1),
            Self::Clock(_) | Self::At(_) if instant.subsec_nanosecond() == 0 => micros.checked_add(999_999),
            _ => Some(micros),
        }
    }
}

fn utc(time: Timestamp) -> DateTime {
    TimeZone::UTC.to_datetime(time)
}

fn at(time: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(time).ok()
}

fn unclear(text: &str, what: &str, span: Span) -> SearchError {
    SearchError::new(span, format!("`{}` is no {what}", shown(text)))
}

fn moment(text: &str, span: Span, now: Timestamp) -> Result<Moment, SearchError> {
    read_moment(text.trim(), now).ok_or_else(|| unclear(text, "moment", span).help(MOMENTS))
}

fn read_moment(text: &str, now: Timestamp) -> Option<Moment> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(Moment::At(instant));
    }
    if let Some(before) = duration(text) {
        return now.checked_sub(before).ok().map(Moment::Exact);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        // Seconds since 1970; fewer digits would be a year or a day.
        let seconds = (text.len() >= 9).then(|| text.parse().ok())??;
        return Timestamp::from_second(seconds).ok().map(Moment::At);
    }
    if !text.contains(':') {
        return text.parse().ok().map(Moment::Day);
    }
    if text.contains('-') {
        return text.parse::<DateTime>().ok().and_then(at).map(Moment::At);
    }
    text.parse().ok().map(Moment::Clock)
}

/// `90s`, `30m`, `12h`, `7d`, `2w`, `1h30m`.
pub(super) fn duration(text: &str) -> Option<SignedDuration> {
    let mut rest = text.trim();
    let mut seconds: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
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
