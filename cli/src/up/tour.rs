//! What `vedette up` says: the last two of five steps, what became of the sample, and what to do next.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use vedette_console::api::Statistics;
use vedette_console::document::Status;
use vedette_rules::{Policy, RuleKind};

use crate::console::status::{adds_up, sentence};
use crate::console::{Console, EXPORT, STATISTICS};
use crate::outcome::Failure;
use crate::term::{self, Paint, thousands};

use super::sample::{DAYS, HOURS};

/// The books are looked at so often while they settle …
const LOOK: Duration = Duration::from_millis(250);
/// … until nothing has changed for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// ` 4/5 start    nats · services · rules: 3 resources, 0 errors`
pub(crate) fn started(policy: &Policy, old: bool) -> String {
    let rules = match old {
        true => "the files have errors, the last good rules are in force".to_owned(),
        false => format!("{}, 0 errors", term::count(resources(policy) as u64, "resource", "resources")),
    };
    format!(" 4/5 start    nats · services · rules: {rules}")
}

fn resources(policy: &Policy) -> usize {
    policy.rules.rules().map(|rule| (&rule.namespace, &rule.resource)).collect::<BTreeSet<_>>().len()
}

/// Waits until everything that was received has been applied, and gives the last status. `look` is told each one.
pub(crate) async fn settle(console: &Console, mut look: impl FnMut(&Status)) -> Result<Status, Failure> {
    let mut last_change = Instant::now();
    let mut before = (0, 0);
    loop {
        let status = match console.status().await {
            Err(_) if last_change.elapsed() < PATIENCE => {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            asked => asked?,
        };
        look(&status);
        if status.books.settled {
            return Ok(status);
        }
        let now = (status.books.total.archive.evaluated, status.books.total.alert.evaluated);
        if now != before {
            before = now;
            last_change = Instant::now();
        }
        if last_change.elapsed() > PATIENCE {
            return Ok(status);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The line of the books, with its verdict.
pub(crate) fn books(status: &Status, color: bool) -> String {
    let total = &status.books.total;
    let verdict = match (status.books.settled, status.books.balanced && adds_up(total)) {
        (true, true) => Paint::Green.over("✓ the books balance", color),
        (false, true) => {
            let waiting = status.books.in_flight.as_ref().map_or(0, |messages| messages.messages());
            let waiting = term::count(waiting, "message is", "messages are");
            Paint::Yellow.over(&format!("… {waiting} under way"), color)
        }
        (_, false) => Paint::Red.over("✗ the books do not balance: see `vedette status`", color),
    };
    format!("      {}   {verdict}", sentence(total))
}

/// The line of the alerts. Requests are counted in the archive, where their records name the rules that held; `requests` is
/// none where that could not be asked.
pub(crate) fn alerts(status: &Status, requests: Option<u64>, receivers: usize) -> String {
    let alert = &status.books.total.alert;
    let counted = match requests {
        Some(requests) => term::count(requests, "request", "requests"),
        None => term::count(alert.alerted, "event", "events"),
    };
    let nobody = if receivers == 0 { " · nobody is told yet: --alertmanager URL" } else { "" };
    format!("      alerts   {counted}{nobody}")
}

/// How many requests raised alerts, of those received from `since` on, as the archive has them.
pub(crate) async fn alerting_requests(
    console: &Console,
    policy: &Policy,
    since: Timestamp,
    most: u64,
) -> Result<Option<u64>, Failure> {
    let alerting: BTreeSet<&str> = policy
        .rules
        .rules()
        .filter(|rule| rule.kind == RuleKind::Alerting && rule.priority >= policy.settings.alerting_priority)
        .map(|rule| rule.qualified.as_str())
        .collect();
    let start = [("start", since.as_second().to_string())];
    let found: Statistics = serde_json::from_str(&console.text(STATISTICS, &start).await?)
        .map_err(|error| console.strange().because(error))?;
    if found.events > most {
        return Ok(None);
    }
    let mut requests = BTreeSet::new();
    // Rather than the statistics' own number, which search engines estimate.
    let mut lines = console.lines(EXPORT, &start).await?;
    while let Some(line) = lines.next().await? {
        let record: Record = serde_json::from_slice(&line).unwrap_or_default();
        if record.vedette.rules.iter().any(|rule| alerting.contains(rule.as_str())) {
            requests.insert(record.audit_id);
        }
    }
    Ok(Some(requests.len() as u64))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Record {
    #[serde(rename = "AuditID")]
    audit_id: String,
    vedette: Own,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Own {
    rules: Vec<String>,
}

/// The line of the sample on a first start.
pub(crate) fn sending(events: u64, incidents: bool) -> String {
    let past = if incidents { format!(", incidents up to {DAYS} days back") } else { String::new() };
    format!(" 5/5 sample   {} events over HTTPS, spread over the last {HOURS} h{past}", thousands(events))
}

#[cfg(test)]
mod tests {
    use super::{alerts, books};
    use vedette_console::document::Status;

    fn status(settled: bool, balanced: bool, stored: u64) -> Status {
        serde_json::from_str(&format!(
            r#"{{"books":{{"settled":{settled},"balanced":{balanced},"inFlight":{{"archiveEvents":2,"alertResults":1}},
                "total":{{"ingest":{{"received":10}},"archive":{{"stored":{stored},"ignored":1}},"alert":{{"alerted":4}}}}}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_books_balance_only_when_they_do() {
        let line = |settled, balanced, stored| books(&status(settled, balanced, stored), false);
        assert_eq!(line(true, true, 9), "      received 10 = stored 9 + ignored 1 · dead 0   ✓ the books balance");
        assert!(line(true, true, 8).ends_with("✗ the books do not balance: see `vedette status`"));
        assert!(line(true, false, 9).ends_with("✗ the books do not balance: see `vedette status`"));
        assert!(line(false, true, 9).ends_with("… 3 messages are under way"));
    }

    #[test]
    fn alerts_are_counted_by_request_where_that_is_known() {
        let status = status(true, true, 9);
        assert_eq!(alerts(&status, Some(3), 1), "      alerts   3 requests");
        assert_eq!(alerts(&status, None, 1), "      alerts   4 events");
        assert_eq!(alerts(&status, Some(1), 0), "      alerts   1 request · nobody is told yet: --alertmanager URL");
    }
}
