//! The document of `GET /api/v1/status`, as far as it is shown here. Members that are not known are passed over.
use std::collections::BTreeMap;

use serde::Deserialize;

/// How things are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) books: Books,
    pub(crate) broker: Broker,
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) blind_rules: Vec<BlindRule>,
    pub(crate) blind_rules_complete: bool,
    pub(crate) services: Vec<Service>,
    pub(crate) archive: Archive,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Books {
    /// Every equation holds, or its difference is in flight.
    pub(crate) balanced: bool,
    /// Nothing is in flight, and every equation holds.
    pub(crate) settled: bool,
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) equations: Vec<Equation>,
    pub(crate) total: Sums,
    pub(crate) clusters: BTreeMap<String, Sums>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct InFlight {
    pub(crate) archive_events: u64,
    pub(crate) archive_results: u64,
    pub(crate) alert_events: u64,
    pub(crate) alert_results: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Equation {
    pub(crate) name: String,
    pub(crate) left: u64,
    pub(crate) right: u64,
    pub(crate) holds: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Sums {
    pub(crate) ingest: Ingest,
    pub(crate) archive: ArchiveSums,
    pub(crate) alert: AlertSums,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Ingest {
    pub(crate) received: u64,
    pub(crate) dropped: BTreeMap<String, u64>,
    pub(crate) dead_lettered: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ArchiveSums {
    pub(crate) evaluated: u64,
    pub(crate) alerted_only: u64,
    pub(crate) ignored: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) stored: u64,
    pub(crate) duplicate: u64,
    pub(crate) rejected: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AlertSums {
    pub(crate) evaluated: u64,
    pub(crate) alerted: u64,
    pub(crate) alerts: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) sent: u64,
    pub(crate) unrouted: u64,
    pub(crate) rejected: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Broker {
    pub(crate) connected: bool,
    pub(crate) message: Option<String>,
    pub(crate) version: String,
    pub(crate) streams: Vec<Stream>,
    pub(crate) consumers: Vec<Consumer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) max_bytes: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Consumer {
    pub(crate) stream: String,
    pub(crate) name: String,
    pub(crate) pending: u64,
    pub(crate) ack_pending: u64,
    pub(crate) redelivered: u64,
    /// Requests that wait for messages; 0: nobody is there.
    pub(crate) waiting: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeadLetters {
    pub(crate) messages: u64,
    pub(crate) reasons: Vec<DeadReason>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeadReason {
    pub(crate) service: String,
    pub(crate) reason: String,
    pub(crate) messages: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BlindRule {
    pub(crate) rule: String,
    pub(crate) field: String,
    pub(crate) level: String,
    pub(crate) events: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Archive {
    pub(crate) ready: bool,
    pub(crate) detail: String,
    pub(crate) events: Option<u64>,
    pub(crate) days: Option<u64>,
    pub(crate) bytes: Option<u64>,
}

impl Sums {
    /// What received events became, by name, in the order of their way.
    pub(crate) fn parts(&self) -> [(&'static str, u64); 7] {
        let dropped = self.ingest.dropped.values().sum();
        let dead = self.ingest.dead_lettered.values().sum::<u64>() + self.archive.dead_lettered;
        [
            ("stored", self.archive.stored),
            ("ignored", self.archive.ignored),
            ("dropped", dropped),
            ("alerted only", self.archive.alerted_only),
            ("stored before", self.archive.duplicate),
            ("refused by the archive", self.archive.rejected),
            ("dead", dead),
        ]
    }

    /// Whether each received event is in exactly one part.
    pub(crate) fn adds_up(&self) -> bool {
        self.ingest.received == self.parts().iter().map(|(_, events)| events).sum::<u64>()
    }

    /// `received 15,459 = stored 12,478 + ignored 2,981 · dead 0`; parts that are empty are left out, but for these.
    pub(crate) fn sentence(&self) -> String {
        use crate::term::thousands;
        let [stored, ignored, rest @ .., dead] = self.parts();
        let more = rest.into_iter().filter(|(_, events)| *events > 0);
        let parts: Vec<String> = [stored, ignored]
            .into_iter()
            .chain(more)
            .map(|(name, events)| format!("{name} {}", thousands(events)))
            .collect();
        let dead = format!("{} {}", dead.0, thousands(dead.1));
        format!("received {} = {} · {dead}", thousands(self.ingest.received), parts.join(" + "))
    }
}

impl InFlight {
    /// Messages that are not done with.
    pub(crate) fn messages(&self) -> u64 {
        self.archive_events + self.archive_results + self.alert_events + self.alert_results
    }
}

#[cfg(test)]
mod tests {
    use super::Sums;

    fn sums(text: &str) -> Sums {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_sentence_says_what_received_events_became() {
        let usual = sums(
            r#"{"ingest":{"received":15459,"published":15459},"archive":{"evaluated":15459,"archived":12478,"ignored":2981,"stored":12478},"alert":{}}"#,
        );
        assert!(usual.adds_up());
        assert_eq!(usual.sentence(), "received 15,459 = stored 12,478 + ignored 2,981 · dead 0");
    }

    #[test]
    fn what_else_became_of_events_is_said_where_there_is_some() {
        let all = sums(
            r#"{"ingest":{"received":28,"dropped":{"level_none":2,"k8s_auditing_disabled":1},"deadLettered":{"no_verb":4}},
                "archive":{"stored":5,"duplicate":6,"ignored":1,"alertedOnly":3,"rejected":4,"deadLettered":2}}"#,
        );
        assert!(all.adds_up());
        assert_eq!(
            all.sentence(),
            "received 28 = stored 5 + ignored 1 + dropped 3 + alerted only 3 + stored before 6 + refused by the archive 4 · dead 6"
        );
        let lost = sums(r#"{"ingest":{"received":2},"archive":{"stored":1}}"#);
        assert!(!lost.adds_up());
    }
}
