//! Moving lists of events in time, each request as a whole.
//!
//! Where a request goes depends on when it was received, or on its audit id where a table says it, and on nothing else: all its
//! stages move by one offset, and it takes as long as it took. Where requests are spread their order stays: most of a place comes
//! from a request's rank among the others, so that minutes of traffic fill hours; the rest comes from its time, so that a burst
//! stays a hill. Nothing but the two timestamps of an event is touched, not even the order of its members.
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Of five parts of a request's place, those that come from its rank.
const BY_RANK: i128 = 4;

/// The distinct moments at which requests were received, in microseconds since the Unix epoch, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Times(Vec<i64>);

impl Times {
    /// Of all events of these lists.
    pub(super) fn of<'a>(lists: impl IntoIterator<Item = &'a [u8]>) -> serde_json::Result<Self> {
        let mut times = Vec::new();
        for list in lists {
            let members: Members<'_> = serde_json::from_slice(list)?;
            for (name, value) in &members.0 {
                if is_items(name) {
                    let items: Vec<Members<'_>> = serde_json::from_str(value.get())?;
                    times.extend(items.iter().filter_map(received).map(Timestamp::as_microsecond));
                }
            }
        }
        times.sort_unstable();
        times.dedup();
        Ok(Self(times))
    }
}

/// How lists are moved.
#[derive(Clone, Debug)]
pub(super) enum Moved<'a> {
    /// All requests, spread over some time.
    Spread(Spread),
    /// Each request to when it is said to have been received, by its audit id.
    Placed(HashMap<&'a str, Timestamp>),
}

/// Requests spread over some time.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    times: Times,
    first: Timestamp,
    last: Timestamp,
}

impl Spread {
    /// Lays the requests received at `times` between `first` and `last`.
    pub(super) fn new(times: Times, first: Timestamp, last: Timestamp) -> Self {
        Self { times, first, last }
    }

    /// By how much a request moves that was received `at`.
    fn offset(&self, at: Timestamp) -> SignedDuration {
        let at = at.as_microsecond();
        let times = &self.times.0;
        let (begin, end) = (times.first().copied().unwrap_or(at), times.last().copied().unwrap_or(at));
        let room = i128::from(self.last.as_microsecond() - self.first.as_microsecond());
        let steps = (times.len() as i128 - 1).max(1);
        let rank = times.partition_point(|&time| time < at) as i128;
        let by_rank = room * rank / steps;
        let by_time = room * i128::from(at - begin) / i128::from(end - begin).max(1);
        let place = (by_rank * BY_RANK + by_time * (5 - BY_RANK)) / 5;
        let offset = i128::from(self.first.as_microsecond()) + place - i128::from(at);
        SignedDuration::from_micros(i64::try_from(offset).unwrap_or_default())
    }
}

impl Moved<'_> {
    /// By how much a request moves that was received `at`. One that has no place stays where it is.
    fn offset(&self, event: &Members<'_>, at: Timestamp) -> SignedDuration {
        match self {
            Self::Spread(spread) => spread.offset(at),
            Self::Placed(received) => {
                let place = audit_id(event).and_then(|id| received.get(id.as_ref()));
                place.map_or(SignedDuration::ZERO, |place| place.duration_since(at))
            }
        }
    }

    /// The list as it is after the move.
    pub(super) fn list(&self, list: &[u8]) -> serde_json::Result<Vec<u8>> {
        let members: Members<'_> = serde_json::from_slice(list)?;
        let mut out = Vec::with_capacity(list.len() + list.len() / 50);
        members.write(&mut out, |out, name, value| {
            if !is_items(name) {
                out.extend_from_slice(value.get().as_bytes());
                return Ok(());
            }
            let items: Vec<&RawValue> = serde_json::from_str(value.get())?;
            out.push(b'[');
            for (index, item) in items.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                self.event(item.get(), out)?;
            }
            out.push(b']');
            Ok(())
        })?;
        Ok(out)
    }

    fn event(&self, event: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let members: Members<'_> = serde_json::from_str(event)?;
        let offset = received(&members).map(|at| self.offset(&members, at));
        members.write(out, |out, name, value| {
            let moved = is_time(name).then_some(()).and(offset).and_then(|offset| shift(value, offset));
            match moved {
                Some(moved) => out.extend_from_slice(format!("\"{moved:.6}\"").as_bytes()),
                None => out.extend_from_slice(value.get().as_bytes()),
            }
            Ok(())
        })
    }
}

fn shift(value: &RawValue, offset: SignedDuration) -> Option<Timestamp> {
    timestamp(value)?.checked_add(offset).ok()
}

fn timestamp(value: &RawValue) -> Option<Timestamp> {
    serde_json::from_str::<Timestamp>(value.get()).ok()
}

/// When the request was received; where that is missing, when the stage was reached.
fn received(event: &Members<'_>) -> Option<Timestamp> {
    let find = |wanted: &str| {
        event.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).and_then(|(_, value)| timestamp(value))
    };
    find("requestReceivedTimestamp").or_else(|| find("stageTimestamp"))
}

fn audit_id<'a>(event: &Members<'a>) -> Option<Cow<'a, str>> {
    let (_, value) = event.0.iter().find(|(name, _)| name.eq_ignore_ascii_case("auditID"))?;
    serde_json::from_str::<Name<'_>>(value.get()).ok().map(|Name(text)| text)
}

fn is_items(name: &str) -> bool {
    matches!(name, "items" | "Items")
}

fn is_time(name: &str) -> bool {
    name.eq_ignore_ascii_case("requestReceivedTimestamp") || name.eq_ignore_ascii_case("stageTimestamp")
}

/// The members of an object in their order, values as they are written.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Members<'_> {
    fn write<F>(&self, out: &mut Vec<u8>, mut value: F) -> serde_json::Result<()>
    where
        F: FnMut(&mut Vec<u8>, &str, &RawValue) -> serde_json::Result<()>,
    {
        out.push(b'{');
        for (index, (name, raw)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            serde_json::to_writer(&mut *out, name)?;
            out.push(b':');
            value(out, name, raw)?;
        }
        out.push(b'}');
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// Borrowed where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::{Moved, Spread, Times};

    const LISTS: [&str; 2] = [
        r#"{"items":[{"requestReceivedTimestamp":"2026-01-01T00:00:00Z"},{"requestReceivedTimestamp":"2026-01-01T00:00:10Z"}]}"#,
        r#"{"Items":[{"StageTimestamp":"2026-01-01T00:00:01Z"},{"StageTimestamp":"2026-01-01T00:00:01Z"},{"StageTimestamp":"soon"}]}"#,
    ];

    /// Three moments, 0 s, 1 s and 10 s: ranks 0, 1/2 and 1.
    fn moved() -> Moved<'static> {
        let at = |text: &str| text.parse().unwrap();
        let times = Times::of(LISTS.iter().map(|list| list.as_bytes())).unwrap();
        assert_eq!(times.0.iter().map(|time| time % 60_000_000).collect::<Vec<_>>(), [0, 1_000_000, 10_000_000]);
        Moved::Spread(Spread::new(times, at("2027-06-01T00:00:00Z"), at("2027-06-01T10:00:00Z")))
    }

    fn check(list: &str, expected: &str) {
        let got = String::from_utf8(moved().list(list.as_bytes()).unwrap()).unwrap();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_request_moves_as_a_whole_and_keeps_its_length() {
        // 4/5 × 5 h by its rank + 1/5 × 1 h by its time.
        check(
            r#"{"kind":"EventList","items":[
                {"auditID":"a","stage":"ResponseStarted","requestReceivedTimestamp":"2026-01-01T00:00:01.000000Z","stageTimestamp":"2026-01-01T00:00:01.500000Z"},
                {"stageTimestamp":"2026-01-01T00:00:09.250000Z","requestReceivedTimestamp":"2026-01-01T00:00:01.000000Z","auditID":"a"}]}"#,
            r#"{"kind":"EventList","items":[{"auditID":"a","stage":"ResponseStarted","requestReceivedTimestamp":"2027-06-01T04:12:00.000000Z","stageTimestamp":"2027-06-01T04:12:00.500000Z"},{"stageTimestamp":"2027-06-01T04:12:08.250000Z","requestReceivedTimestamp":"2027-06-01T04:12:00.000000Z","auditID":"a"}]}"#,
        );
    }

    #[test]
    fn all_else_stays_as_it_is_written() {
        check(
            r#"{"Items":[{"Verb":"create","StageTimestamp":"2026-01-01T00:00:10Z","RequestObject":{"n":1.50,"stageTimestamp":"2026-01-01T00:00:00Z"},"x\"y":[ 1e3 ]}]}"#,
            r#"{"Items":[{"Verb":"create","StageTimestamp":"2027-06-01T10:00:00.000000Z","RequestObject":{"n":1.50,"stageTimestamp":"2026-01-01T00:00:00Z"},"x\"y":[ 1e3 ]}]}"#,
        );
        check(r#"{"items":[{"stageTimestamp":"soon"},{}]}"#, r#"{"items":[{"stageTimestamp":"soon"},{}]}"#);
    }

    #[test]
    fn the_first_request_comes_first_and_the_last_one_last() {
        check(
            r#"{"items":[{"requestReceivedTimestamp":"2026-01-01T00:00:00Z"},{"requestReceivedTimestamp":"2026-01-01T00:00:10Z"}]}"#,
            r#"{"items":[{"requestReceivedTimestamp":"2027-06-01T00:00:00.000000Z"},{"requestReceivedTimestamp":"2027-06-01T10:00:00.000000Z"}]}"#,
        );
    }
    #[test]
    fn a_request_with_a_place_goes_there_with_all_its_stages_and_another_one_stays() {
        let moved = Moved::Placed([("a", "2027-06-01T05:00:00.5Z".parse().unwrap())].into());
        let list = r#"{"items":[{"auditID":"a","requestReceivedTimestamp":"2026-01-01T00:00:00Z","stageTimestamp":"2026-01-01T00:00:02Z"},{"auditID":"b","requestReceivedTimestamp":"2026-01-01T00:00:00Z"}]}"#;
        let expected = r#"{"items":[{"auditID":"a","requestReceivedTimestamp":"2027-06-01T05:00:00.500000Z","stageTimestamp":"2027-06-01T05:00:02.500000Z"},{"auditID":"b","requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z"}]}"#;
        assert_eq!(String::from_utf8(moved.list(list.as_bytes()).unwrap()).unwrap(), expected);
    }
}
