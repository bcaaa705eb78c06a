//! What became of what was sent.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::send::Delivery;
use crate::term::{self, Paint};

/// What became of what was sent.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// From the first list to the last answer.
    pub(crate) took: Duration,
    accepted: Tally,
    refused: Tally,
    retries: u64,
    /// By status, none for no answer. The detail is the first one's.
    refusals: BTreeMap<Option<u16>, (Tally, String)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    lists: u64,
    events: u64,
    bytes: u64,
}

impl Tally {
    fn add(&mut self, events: u64, bytes: u64) {
        self.lists += 1;
        self.events += events;
        self.bytes += bytes;
    }

    fn render(&self) -> String {
        format!("{}, {}", term::count(self.lists, "list", "lists"), term::count(self.events, "event", "events"))
    }
}

impl Report {
    /// Counts one list.
    pub(crate) fn add(&mut self, events: u64, bytes: u64, delivery: Delivery) {
        self.retries += delivery.retries;
        match delivery.result {
            Ok(()) => self.accepted.add(events, bytes),
            Err(refusal) => {
                self.refused.add(events, bytes);
                let entry = self.refusals.entry(refusal.status).or_insert((Tally::default(), refusal.detail));
                entry.0.add(events, bytes);
            }
        }
    }

    /// Whether every list was accepted.
    pub(crate) fn all_accepted(&self) -> bool {
        self.refused.lists == 0
    }

    fn rate(&self) -> f64 {
        let events = (self.accepted.events + self.refused.events) as f64;
        events / self.took.as_secs_f64().max(0.001)
    }

    /// For people.
    pub(crate) fn render(&self, color: bool) -> String {
        let mut text = format!(
            "accepted  {}, {} in {:.1} s ({} events/s)\n",
            self.accepted.render(),
            term::bytes(self.accepted.bytes),
            self.took.as_secs_f64(),
            term::thousands(self.rate() as u64),
        );
        if self.retries > 0 {
            let _ = writeln!(text, "retried   {}", term::count(self.retries, "time", "times"));
        }
        if !self.all_accepted() {
            let _ = writeln!(text, "{}   {}", Paint::Red.over("refused", color), self.refused.render());
        }
        for (status, (tally, detail)) in &self.refusals {
            let status = status.map_or("none".to_owned(), |status| status.to_string());
            let _ = writeln!(text, "  {status:<7} {}: {detail}", tally.render());
        }
        text
    }

    /// One JSON object.
    pub(crate) fn json(&self) -> serde_json::Value {
        let tally = |tally: &Tally| json!({"lists": tally.lists, "events": tally.events, "bytes": tally.bytes});
        let failures = self.refusals.iter().map(|(status, (count, detail))| {
            json!({"status": status, "lists": count.lists, "events": count.events, "detail": detail})
        });
        json!({
            "accepted": tally(&self.accepted),
            "refused": tally(&self.refused),
            "retries": self.retries,
            "seconds": self.took.as_secs_f64(),
            "eventsPerSecond": self.rate(),
            "failures": failures.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Report;
    use crate::replay::send::{Delivery, Refusal};

    #[test]
    fn the_summary_says_what_was_refused_and_why() {
        let mut report = Report { took: Duration::from_secs(2), ..Report::default() };
        report.add(1500, 2_000_000, Delivery { retries: 3, result: Ok(()) });
        for status in [Some(413), Some(413), None] {
            let refusal = Refusal { status, detail: "too large".to_owned() };
            report.add(250, 10, Delivery { retries: 0, result: Err(refusal) });
        }
        assert!(!report.all_accepted());
        assert_eq!(
            report.render(false),
            "accepted  1 list, 1,500 events, 2.0 MB in 2.0 s (1,125 events/s)\n\
             retried   3 times\n\
             refused   3 lists, 750 events\n  \
             none    1 list, 250 events: too large\n  \
             413     2 lists, 500 events: too large\n"
        );
        let json = report.json();
        assert_eq!(json["refused"]["events"], 750);
        assert_eq!(json["failures"][1]["status"], 413);
        assert_eq!(json["failures"][0]["status"], serde_json::Value::Null);
    }
}
