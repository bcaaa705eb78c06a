//! Where the requests of the incidents go in time: a table that is made with their lists says it, request by request.
//!
//! `[{"incident": NAME, "before": "HH:MM", "agoMs": {AUDIT-ID: MILLISECONDS}}]`: how long before an incident's end each of
//! its requests was received. The end is the anchor; with `before`, it is the last time that it was that time of day (UTC),
//! so that a question about the time before an outage can be written down with its times. The name is for people and tests.
use std::collections::{BTreeMap, HashMap};

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What follows an incident that ends at a time of day, at most: that has passed, too.
const AFTERMATH: SignedDuration = SignedDuration::from_mins(15);

/// The table.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Places(Vec<Incident>);

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incident {
    before: Option<Time>,
    ago_ms: BTreeMap<String, i64>,
}

impl Places {
    pub(super) fn read(text: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(text)
    }

    /// When each request was received, by its audit id, if the sample is laid before `anchor`.
    pub(super) fn before(&self, anchor: Timestamp) -> HashMap<&str, Timestamp> {
        let mut received = HashMap::new();
        for incident in &self.0 {
            let end = incident.before.map_or(anchor, |time| last(time, anchor));
            for (request, &ago) in &incident.ago_ms {
                received.insert(request.as_str(), end - SignedDuration::from_millis(ago));
            }
        }
        received
    }
}

/// The last time before `anchor` that it was `time`, [`AFTERMATH`] ago or longer.
fn last(time: Time, anchor: Timestamp) -> Timestamp {
    let today = TimeZone::UTC.to_datetime(anchor).date().to_datetime(time);
    match TimeZone::UTC.to_timestamp(today) {
        Ok(today) if today + AFTERMATH <= anchor => today,
        Ok(today) => today - SignedDuration::from_hours(24),
        Err(_) => anchor,
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn an_incident_ends_now_or_at_the_last_such_time_of_day() {
        let table = br#"[{"incident":"a","agoMs":{"x":1500}},{"incident":"b","before":"14:05","agoMs":{"y":60000,"z":-60000}}]"#;
        let places = Places::read(table).unwrap();
        let check = |anchor: &str, expected: [&str; 3]| {
            let received = places.before(anchor.parse().unwrap());
            assert_eq!(["x", "y", "z"].map(|request| received[request].to_string()), expected);
        };
        check("2027-03-01T20:00:00Z", ["2027-03-01T19:59:58.5Z", "2027-03-01T14:04:00Z", "2027-03-01T14:06:00Z"]);
        check("2027-03-01T14:20:00Z", ["2027-03-01T14:19:58.5Z", "2027-03-01T14:04:00Z", "2027-03-01T14:06:00Z"]);
        check("2027-03-01T14:19:59Z", ["2027-03-01T14:19:57.5Z", "2027-02-28T14:04:00Z", "2027-02-28T14:06:00Z"]);
        check("2027-03-01T02:00:00Z", ["2027-03-01T01:59:58.5Z", "2027-02-28T14:04:00Z", "2027-02-28T14:06:00Z"]);
    }
}
