use std::sync::Arc;

use jiff::Timestamp;
use vedette_audit::EventId;
use vedette_bus::Followed;
use vedette_proto::bus::v1::{Alert, AlertLog, AlertOutcome, LoggedAlert};

use super::{Alerts, Entry, KEPT, SharedAlerts, Wanted};
use crate::scope::Scope;
use crate::scope::tests::caller;
use crate::tenancy::View;

/// An alert for an event of this second.
fn logged(event: u8, rule: &str, second: u8) -> LoggedAlert {
    let alert = Alert {
        event_id: vec![event; 16].into(),
        rule_id: format!("ns/alerting-rule/{rule}"),
        priority: "WARNING".to_owned(),
        message: format!("Message {event}"),
        request_received_timestamp: format!("2026-11-22T08:00:{second:02}.000001Z"),
        stage_timestamp: "2026-11-22T09:00:00Z".to_owned(),
        ..Alert::default()
    };
    LoggedAlert { alert: Some(alert), outcome: AlertOutcome::Sent.into(), ..LoggedAlert::default() }
}

fn step(alerts: Vec<LoggedAlert>, behind: u64) -> Followed<AlertLog> {
    Followed { message: Some(AlertLog { cluster: "member".to_owned(), alerts }), behind: Some(behind) }
}

/// The epoch's second, where all that says nothing else was settled.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// The events of what is held, the newest first, and whether that is all.
fn found(alerts: Alerts, wanted: &Wanted) -> (Vec<u8>, bool) {
    let shared = SharedAlerts(Arc::new(alerts.into()));
    let found = shared.find(&Scope::of(&caller("root"), &View::everything(), 0), wanted, at(0));
    assert_eq!(found.since_micros.is_some(), !shared.lock().entries.is_empty());
    (found.entries.iter().map(|entry| entry.place.event.as_bytes()[0]).collect(), found.complete)
}

#[test]
fn an_alert_that_is_logged_twice_is_one_and_the_first_counts() {
    let mut alerts = Alerts::default();
    let again = LoggedAlert { outcome: AlertOutcome::Unrouted.into(), ..logged(1, "Exec", 1) };
    alerts.apply(step(vec![logged(1, "Exec", 1), logged(1, "Attach", 1)], 1), at(0));
    alerts.apply(step(vec![again, logged(2, "Exec", 2)], 0), at(0));
    let outcomes: Vec<AlertOutcome> = alerts.entries.values().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [AlertOutcome::Sent; 3]);
    assert_eq!(found(alerts, &Wanted::default()), (vec![2, 1, 1], true));
}

#[test]
fn what_was_logged_first_goes_whatever_its_event_claims() {
    let mut alerts = Alerts::holding(2, usize::MAX);
    let ahead = logged(1, "Exec", 59);
    alerts.apply(step(vec![ahead, logged(2, "Exec", 2), logged(3, "Exec", 1)], 0), at(0));
    assert_eq!(found(alerts, &Wanted::default()), (vec![2, 3], false), "something was left out");

    let weight = Entry::of(&"member".into(), logged(1, "Exec", 1)).unwrap().weight();
    let mut alerts = Alerts::holding(100, 3 * weight);
    for event in 1..=9 {
        alerts.apply(step(vec![logged(event, "Exec", event)], 0), at(0));
    }
    assert_eq!((alerts.bytes, alerts.known.len(), alerts.order.len()), (3 * weight, 3, 3));
    assert_eq!(found(alerts, &Wanted::default()), (vec![9, 8, 7], false));
}

#[test]
fn it_is_said_whether_the_log_has_been_read() {
    let mut alerts = Alerts::default();
    assert!(!alerts.read);
    alerts.apply(Followed { message: None, behind: Some(0) }, at(0));
    assert_eq!(found(alerts, &Wanted::default()), (vec![], true), "there is nothing");
    let mut alerts = Alerts::default();
    alerts.apply(Followed { message: None, behind: Some(1) }, at(0));
    assert!(!alerts.read);
    alerts.apply(step(vec![logged(1, "Exec", 1)], 0), at(0));
    assert!(alerts.read);
}

#[test]
fn what_is_read_stays_read_through_a_burst_and_not_through_a_break() {
    let mut alerts = Alerts::default();
    let mut read = |step: Followed<AlertLog>| {
        alerts.apply(step, at(0));
        alerts.read
    };
    let steps = [Some(3), Some(0), Some(2), Some(1), None, Some(2), Some(1), Some(0), Some(7)];
    let told = steps.map(|behind| read(Followed { message: None, behind }));
    assert_eq!(told, [false, true, true, true, false, false, false, true, true]);
}

#[test]
fn what_became_of_a_requeued_alert_counts() {
    let word = |outcome: AlertOutcome, second: i64, receivers: &[&str]| LoggedAlert {
        outcome: outcome.into(),
        settled_unix_nanos: second * 1_000_000_000,
        receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
        ..logged(1, "Exec", 1)
    };
    let refused = word(AlertOutcome::Rejected, 5, &[]);
    let sent = word(AlertOutcome::Sent, 9, &["pager"]);
    let check = |words: &[&LoggedAlert], expected: (AlertOutcome, i64, usize)| {
        let mut alerts = Alerts::default();
        for word in words {
            alerts.apply(step(vec![(*word).clone(), logged(2, "Exec", 2)], 0), at(0));
        }
        let held = alerts.entries.values().next().unwrap();
        assert_eq!((held.outcome, held.settled_micros / 1_000_000, held.receivers.len()), expected);
        let weights: usize = alerts.entries.values().map(|entry| entry.weight()).sum();
        assert_eq!((alerts.bytes, alerts.known.len(), alerts.order.len()), (weights, 2, 2));
    };
    check(&[&refused, &sent], (AlertOutcome::Sent, 9, 1));
    check(&[&refused, &sent, &refused], (AlertOutcome::Sent, 9, 1));
    check(&[&sent, &refused], (AlertOutcome::Sent, 9, 1));
    check(&[&refused, &word(AlertOutcome::Sent, 5, &["pager"])], (AlertOutcome::Rejected, 5, 0));
    check(&[&sent, &word(AlertOutcome::Unrouted, 10, &[])], (AlertOutcome::Sent, 9, 1));
}

#[test]
fn what_the_log_has_no_more_goes_and_so_does_the_doubt_about_it() {
    let settled = |event: u8, second: i64| LoggedAlert {
        settled_unix_nanos: second * 1_000_000_000,
        ..logged(event, "Exec", event)
    };
    let mut alerts = Alerts::holding(2, usize::MAX);
    alerts.apply(step(vec![settled(1, 10), settled(2, 20), settled(3, 30)], 0), at(30));
    assert!(alerts.left_out.is_some());
    let shared = SharedAlerts(Arc::new(alerts.into()));
    let find = |second: i64| {
        let later = at(second) + KEPT;
        let found = shared.find(&Scope::of(&caller("root"), &View::everything(), 0), &Wanted::default(), later);
        let events: Vec<u8> = found.entries.iter().map(|entry| entry.place.event.as_bytes()[0]).collect();
        (events, found.complete)
    };
    assert_eq!(find(10), (vec![3, 2], false));
    assert_eq!(find(11), (vec![3, 2], true), "what was left out is no part of the log any more");
    assert_eq!(find(21), (vec![3], true));
    assert_eq!(find(31), (vec![], true));
    let mut alerts = shared.lock();
    assert_eq!((alerts.bytes, alerts.known.len(), alerts.order.len()), (0, 0, 0));
    alerts.apply(step(vec![settled(4, 40), settled(5, 60)], 0), at(50) + KEPT);
    assert_eq!(alerts.entries.len(), 1, "what was old when it was read");
}

#[test]
fn what_cannot_be_read_is_skipped() {
    let broken: [fn(&mut LoggedAlert); 4] = [
        |logged| logged.alert = None,
        |logged| logged.outcome = 0,
        |logged| logged.alert.as_mut().unwrap().event_id = vec![1; 15].into(),
        |logged| logged.alert.as_mut().unwrap().rule_id = "rule".to_owned(),
    ];
    let broken = broken.map(|damage| {
        let mut logged = logged(7, "Exec", 1);
        damage(&mut logged);
        logged
    });
    let mut alerts = Alerts::default();
    alerts.apply(step([broken.to_vec(), vec![logged(1, "Exec", 1)]].concat(), 0), at(0));
    assert_eq!(found(alerts, &Wanted::default()), (vec![1], true));
}

#[test]
fn an_alert_has_its_events_time_or_the_next_best() {
    let time = |request: &str, stage: &str| {
        let mut logged = logged(1, "Exec", 1);
        let alert = logged.alert.as_mut().unwrap();
        (alert.request_received_timestamp, alert.stage_timestamp) = (request.to_owned(), stage.to_owned());
        logged.received_unix_nanos = 3_000_999;
        Entry::of(&"member".into(), logged).unwrap().place.time_micros
    };
    assert_eq!(time("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"), 1_000_000);
    assert_eq!(time("", "1970-01-01T00:00:02Z"), 2_000_000, "as alerters before this one wrote it");
    assert_eq!(time("", "yesterday"), 3_000);
}

#[test]
fn alerts_are_looked_for() {
    let check = |wanted: Wanted, expected: &[u8]| {
        let mut alerts = Alerts::default();
        alerts.apply(
            step((1..=4).map(|event| logged(event, ["A", "B"][usize::from(event) % 2], event)).collect(), 0),
            at(0),
        );
        assert_eq!(found(alerts, &wanted).0, expected, "{wanted:?}");
    };
    let event = |event: u8| Some(EventId::from_bytes([event; 16]));
    let second = |second: u8| {
        let time: jiff::Timestamp = format!("2026-11-22T08:00:{second:02}.000001Z").parse().unwrap();
        Some(time.as_microsecond())
    };
    check(Wanted { text: "message 3".to_owned(), ..Wanted::default() }, &[3]);
    check(Wanted { rules: ["alerting-rule.A".to_owned()].into(), ..Wanted::default() }, &[4, 2]);
    check(Wanted { rules: ["A".to_owned()].into(), ..Wanted::default() }, &[]);
    check(Wanted { priorities: ["INFO".to_owned()].into(), ..Wanted::default() }, &[]);
    check(Wanted { event: event(2), ..Wanted::default() }, &[2]);
    check(Wanted { start_micros: second(2), end_micros: second(3), ..Wanted::default() }, &[3, 2]);
}
