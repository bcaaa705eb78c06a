//! The status as text.
use std::fmt::Write as _;

use vedette_console::document::{Status, Sums};

use super::verdict::Verdict;
use crate::console::status::{parts, sentence};
use crate::term::{self, Paint, plain, thousands};

/// The status as text.
pub(crate) fn render(status: &Status, verdict: &Verdict, color: bool) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "books     {}", books(status, color));
    let _ = writeln!(text, "          {}", sentence(&status.books.total));
    let _ = writeln!(text, "alerts    {}", alerts(&status.books.total));
    let _ = writeln!(text, "archive   {}", archive(status));
    let _ = writeln!(text, "broker    {}", broker(status));
    let _ = writeln!(text, "services  {}", services(status));
    text.push_str(&clusters(status));
    text.push_str(&streams(status));
    text.push_str(&consumers(status));
    text.push_str(&blind(status));
    if !verdict.problems.is_empty() || !verdict.notes.is_empty() {
        text.push('\n');
    }
    for problem in &verdict.problems {
        let _ = writeln!(text, "{} {problem}", Paint::Red.over("✗", color));
    }
    for note in &verdict.notes {
        let _ = writeln!(text, "{} {note}", Paint::Yellow.over("!", color));
    }
    text
}

fn books(status: &Status, color: bool) -> String {
    let books = &status.books;
    let under_way = match &books.in_flight {
        None => "what is under way is not known".to_owned(),
        Some(messages) if messages.messages() == 0 => "nothing is under way".to_owned(),
        Some(messages) => format!("{} under way", term::count(messages.messages(), "message is", "messages are")),
    };
    let verdict = match (books.balanced, books.settled) {
        (true, true) => Paint::Green.over("✓ they balance", color),
        (true, false) => Paint::Green.over("✓ they balance with what is under way", color),
        (false, _) => Paint::Red.over("✗ they do not balance", color),
    };
    format!("{verdict}; {under_way}")
}

fn alerts(total: &Sums) -> String {
    let alert = &total.alert;
    let mut text = format!(
        "{} of {}: {} sent",
        term::count(alert.alerts, "alert", "alerts"),
        term::count(alert.alerted, "event", "events"),
        thousands(alert.sent)
    );
    for (name, number) in [
        ("without a receiver", alert.unrouted),
        ("refused", alert.rejected),
        ("dead", alert.dead_lettered),
        ("requeued", alert.requeued),
    ] {
        if number > 0 {
            let _ = write!(text, ", {} {name}", thousands(number));
        }
    }
    text
}

fn archive(status: &Status) -> String {
    let archive = &status.archive;
    let mut text = plain(&archive.detail);
    if let Some(events) = archive.events {
        let _ = write!(text, "; {}", term::count(events, "record", "records"));
    }
    if let Some(days) = archive.days {
        let _ = write!(text, " of {}", term::count(days, "day", "days"));
    }
    if let Some(bytes) = archive.bytes {
        let _ = write!(text, ", {}", term::bytes(bytes));
    }
    text
}

fn broker(status: &Status) -> String {
    let broker = &status.broker;
    match (broker.connected, &broker.message) {
        (true, None) => format!("nats-server {}", plain(&broker.version)),
        (_, Some(message)) => plain(message),
        (false, None) => "away".to_owned(),
    }
}

/// `ingest (authentication none), evaluator ×2 …`
fn services(status: &Status) -> String {
    let mut names: Vec<(String, u32)> = Vec::new();
    for service in &status.services {
        let name = service.name.strip_prefix("vedette-").unwrap_or(&service.name);
        let details: Vec<String> = ["authentication", "durability", "generation"]
            .iter()
            .filter_map(|key| Some(format!("{key} {}", service.metadata.get(*key)?)))
            .collect();
        let text = if details.is_empty() { name.to_owned() } else { format!("{name} ({})", details.join(", ")) };
        match names.iter_mut().find(|(other, _)| *other == text) {
            Some((_, number)) => *number += 1,
            None => names.push((text, 1)),
        }
    }
    if names.is_empty() {
        return "none answered".to_owned();
    }
    let named =
        |(name, number): (String, u32)| if number > 1 { format!("{} ×{number}", plain(&name)) } else { plain(&name) };
    names.into_iter().map(named).collect::<Vec<_>>().join(", ")
}

fn clusters(status: &Status) -> String {
    if status.books.clusters.is_empty() {
        return String::new();
    }
    let mut table = term::table(&[
        "CLUSTER",
        "RECEIVED",
        "STORED",
        "IGNORED",
        "DROPPED",
        "ALERTED ONLY",
        "STORED BEFORE",
        "REFUSED",
        "DEAD",
        "ALERTS",
    ]);
    for (cluster, sums) in &status.books.clusters {
        let mut row = vec![plain(cluster), thousands(sums.ingest.received)];
        row.extend(parts(sums).into_iter().map(|(_, events)| thousands(events)));
        row.push(thousands(sums.alert.alerts));
        table.add_row(row);
    }
    format!("\n{}\n", table.trim_fmt())
}

fn streams(status: &Status) -> String {
    if status.broker.streams.is_empty() {
        return String::new();
    }
    let mut table = term::table(&["STREAM", "MESSAGES", "SIZE", "ROOM"]);
    for stream in &status.broker.streams {
        let room = u64::try_from(stream.max_bytes).map(term::bytes).unwrap_or_default();
        table.add_row([plain(&stream.name), thousands(stream.messages), term::bytes(stream.bytes), room]);
    }
    format!("\n{}\n", table.trim_fmt())
}

fn consumers(status: &Status) -> String {
    if status.broker.consumers.is_empty() {
        return String::new();
    }
    let mut table = term::table(&["CONSUMER", "OF", "WAITING", "IN WORK", "REDELIVERED"]);
    for consumer in &status.broker.consumers {
        table.add_row([
            plain(&consumer.name),
            plain(&consumer.stream),
            thousands(consumer.pending),
            thousands(consumer.ack_pending),
            thousands(consumer.redelivered),
        ]);
    }
    format!("\n{}\n", table.trim_fmt())
}

fn blind(status: &Status) -> String {
    if status.blind_rules.is_empty() {
        return String::new();
    }
    let mut table = term::table(&["BLIND RULE", "FIELD MISSING", "LEVEL", "EVENTS"]);
    for rule in &status.blind_rules {
        table.add_row([plain(&rule.rule), plain(&rule.field), plain(&rule.level), thousands(rule.events)]);
    }
    format!("\n{}\n", table.trim_fmt())
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::status::verdict;
    use vedette_console::document::Status;

    #[test]
    fn the_first_lines_say_how_things_are() {
        let status: Status = serde_json::from_str(
            r#"{"books":{"balanced":true,"settled":true,"inFlight":{},
                "total":{"ingest":{"received":3},"archive":{"stored":2,"ignored":1},"alert":{"alerts":2,"alerted":1,"unrouted":2}},
                "clusters":{"default":{"ingest":{"received":3},"archive":{"stored":2,"ignored":1},"alert":{"alerts":2}}}},
                "broker":{"connected":true,"version":"2.15.1","streams":[{"name":"VEDETTE_BOOKS","messages":4,"bytes":2048,"maxBytes":1000000}]},
                "archive":{"ready":true,"detail":"embedded","events":2,"days":1,"bytes":900},
                "services":[{"name":"vedette-ingest","metadata":{"authentication":"none","listen":"127.0.0.1:8443","redaction":"off"}},
                            {"name":"vedette-evaluator"},{"name":"vedette-evaluator"},{"name":"vedette-archiver"},{"name":"vedette-alerter"}],
                "blindRulesComplete":true,
                "blindRules":[{"rule":"r","field":"f","level":"Metadata","events":1}]}"#,
        )
        .unwrap();
        let text = render(&status, &verdict::of(&status), false);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines[..6],
            [
                "books     ✓ they balance; nothing is under way",
                "          received 3 = stored 2 + ignored 1 · dead 0",
                "alerts    2 alerts of 1 event: 0 sent, 2 without a receiver",
                "archive   embedded; 2 records of 1 day, 900 B",
                "broker    nats-server 2.15.1",
                "services  ingest (authentication none), evaluator ×2, archiver, alerter",
            ]
        );
        assert!(text.contains("BLIND RULE"), "{text}");
        assert!(text.contains("\n! the webhook takes events from anyone"), "{text}");
        assert!(text.contains("\n! secrets in bodies are stored as they are"), "{text}");
        assert!(!text.contains('✗'), "{text}");
    }
}
