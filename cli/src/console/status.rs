//! What is said of the books in the document of `GET /api/v1/status`.
use vedette_console::document::Sums;

use crate::term::thousands;

/// What received events became, by name, in the order of their way.
pub(crate) fn parts(sums: &Sums) -> [(&'static str, u64); 7] {
    let dropped = sums.ingest.dropped.values().sum();
    let dead = sums.ingest.dead_lettered.values().sum::<u64>() + sums.archive.dead_lettered;
    [
        ("stored", sums.archive.stored),
        ("ignored", sums.archive.ignored),
        ("dropped", dropped),
        ("alerted only", sums.archive.alerted_only),
        ("stored before", sums.archive.duplicate),
        ("refused by the archive", sums.archive.rejected),
        ("dead", dead),
    ]
}

/// Dead letters on their way to the archive that were put on it again: these events are in two parts, what they were and what
/// became of them then.
fn requeued(sums: &Sums) -> u64 {
    sums.ingest.requeued + sums.archive.requeued
}

/// Whether each received event, and each requeued one once more, is in exactly one part.
pub(crate) fn adds_up(sums: &Sums) -> bool {
    sums.ingest.received + requeued(sums) == parts(sums).iter().map(|(_, events)| events).sum::<u64>()
}

/// `received 15,459 = stored 12,478 + ignored 2,981 · dead 0`; parts that are empty are left out, but for these.
pub(crate) fn sentence(sums: &Sums) -> String {
    let [stored, ignored, rest @ .., dead] = parts(sums);
    let more = rest.into_iter().filter(|(_, events)| *events > 0);
    let parts: Vec<String> = [stored, ignored]
        .into_iter()
        .chain(more)
        .map(|(name, events)| format!("{name} {}", thousands(events)))
        .collect();
    let dead = format!("{} {}", dead.0, thousands(dead.1));
    let again = match requeued(sums) {
        0 => String::new(),
        events => format!(" + requeued {}", thousands(events)),
    };
    format!("received {}{again} = {} · {dead}", thousands(sums.ingest.received), parts.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::{Sums, adds_up, sentence};

    fn sums(text: &str) -> Sums {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_sentence_says_what_received_events_became() {
        let usual = sums(
            r#"{"ingest":{"received":15459,"published":15459},"archive":{"evaluated":15459,"archived":12478,"ignored":2981,"stored":12478},"alert":{}}"#,
        );
        assert!(adds_up(&usual));
        assert_eq!(sentence(&usual), "received 15,459 = stored 12,478 + ignored 2,981 · dead 0");
    }

    #[test]
    fn what_else_became_of_events_is_said_where_there_is_some() {
        let all = sums(
            r#"{"ingest":{"received":28,"dropped":{"level_none":2,"k8s_auditing_disabled":1},"deadLettered":{"no_verb":4}},
                "archive":{"stored":5,"duplicate":6,"ignored":1,"alertedOnly":3,"rejected":4,"deadLettered":2}}"#,
        );
        assert!(adds_up(&all));
        assert_eq!(
            sentence(&all),
            "received 28 = stored 5 + ignored 1 + dropped 3 + alerted only 3 + stored before 6 + refused by the archive 4 · dead 6"
        );
        let again = sums(
            r#"{"ingest":{"received":3,"requeued":1},"archive":{"stored":3,"requeued":1,"rejected":1,"deadLettered":1}}"#,
        );
        assert!(adds_up(&again));
        assert_eq!(
            sentence(&again),
            "received 3 + requeued 2 = stored 3 + ignored 0 + refused by the archive 1 · dead 1"
        );
        let lost = sums(r#"{"ingest":{"received":2},"archive":{"stored":1}}"#);
        assert!(!adds_up(&lost));
    }
}
