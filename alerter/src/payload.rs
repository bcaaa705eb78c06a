//! The bodies that receivers get.
//!
//! An Alertmanager gets the array of its API, version 2. A webhook gets what Alertmanager itself sends to webhooks, so
//! that whatever takes alerts from an Alertmanager today takes them from Vedette without one in between.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::notice::Notice;
use vedette_rules::ReceiverKind;

/// For so long after it was last sent an alert counts as firing.
const FIRING: SignedDuration = crate::budget::FIRING;

/// The body of one POST.
pub(crate) fn body(kind: ReceiverKind, receiver: &str, notices: &[&Notice], external: &str, now: Timestamp) -> Vec<u8> {
    match kind {
        ReceiverKind::Alertmanager => alertmanager(notices, now),
        ReceiverKind::Webhook => webhook(receiver, notices, external, now),
    }
    .to_string()
    .into_bytes()
}

/// `POST /api/v2/alerts`.
fn alertmanager(notices: &[&Notice], now: Timestamp) -> Value {
    notices.iter().map(|notice| Value::Object(alert(notice, now))).collect()
}

/// Alertmanager's webhook message, version 4. All alerts of one message are one group: they share `alerttype`.
fn webhook(receiver: &str, notices: &[&Notice], external: &str, now: Timestamp) -> Value {
    let alerts: Vec<Value> = notices
        .iter()
        .map(|notice| {
            let mut alert = alert(notice, now);
            alert.insert("status".to_owned(), json!("firing"));
            alert.insert("fingerprint".to_owned(), json!(format!("{:016x}", notice.labels.fingerprint())));
            alert.entry("generatorURL").or_insert_with(|| json!(""));
            Value::Object(alert)
        })
        .collect();
    json!({
        "version": "4",
        "groupKey": "{}:{alerttype=\"auditing\"}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": receiver,
        "groupLabels": { "alerttype": "auditing" },
        "commonLabels": common(notices.iter().map(|notice| notice.labels.to_json())),
        "commonAnnotations": common(notices.iter().map(|notice| notice.annotations_json())),
        "externalURL": external,
        "alerts": alerts,
    })
}

/// What both have in common.
pub(crate) fn alert(notice: &Notice, now: Timestamp) -> Map<String, Value> {
    let mut alert = Map::new();
    alert.insert("labels".to_owned(), Value::Object(notice.labels.to_json()));
    alert.insert("annotations".to_owned(), Value::Object(notice.annotations_json()));
    alert.insert("startsAt".to_owned(), json!(notice.starts_at.to_string()));
    let ends_at = now.saturating_add(FIRING).unwrap_or(now);
    alert.insert("endsAt".to_owned(), json!(ends_at.to_string()));
    if let Some(url) = &notice.generator_url {
        alert.insert("generatorURL".to_owned(), json!(url));
    }
    alert
}

/// The members that all of these have with the same value.
fn common(mut maps: impl Iterator<Item = Map<String, Value>>) -> Map<String, Value> {
    let Some(mut common) = maps.next() else { return Map::new() };
    for map in maps {
        common.retain(|name, value| map.get(name) == Some(value));
    }
    common
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};
    use vedette_proto::bus::v1::Alert;
    use vedette_rules::ReceiverKind;

    use super::body;
    use crate::notice::{Detail, Draft, Labels, Notice};

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn notice(name: &str) -> Notice {
        let alert = Alert {
            event_id: vec![0xab; 16].into(),
            rule: "R".to_owned(),
            rule_id: "ns/res/R".to_owned(),
            priority: "WARNING".to_owned(),
            message: format!("{name} was made"),
            stage_timestamp: "2026-11-22T09:59:58.5Z".to_owned(),
            name: name.to_owned(),
            ..Alert::default()
        };
        let labels = Labels::of(&alert, "c", Detail::Full);
        let (detail, received) = (Detail::Full, now());
        let url = Some("http://console");
        Draft { alert: &alert, labels, detail, count: 1, stands_for: vec![0], received, now: now(), console_url: url }
            .finish()
    }

    fn check(kind: ReceiverKind, names: &[&str]) -> Value {
        let notices: Vec<Notice> = names.iter().map(|name| notice(name)).collect();
        let notices: Vec<&Notice> = notices.iter().collect();
        serde_json::from_slice(&body(kind, "pager", &notices, "http://console", now())).unwrap()
    }

    fn alert(name: &str) -> Value {
        json!({
            "labels": { "alertname": "R", "alerttype": "auditing", "cluster": "c", "name": name, "rule_id": "ns/res/R",
                        "severity": "warning" },
            "annotations": { "message": format!("{name} was made"), "summary": format!("R: somebody {name}"),
                             "eventID": "abababababababababababababababab", "count": "1" },
            "startsAt": "2026-11-22T09:59:58.5Z",
            "endsAt": "2026-11-22T10:05:00Z",
            "generatorURL": "http://console/events/abababababababababababababababab",
        })
    }

    #[test]
    fn an_alertmanager_gets_an_array_of_alerts() {
        assert_eq!(check(ReceiverKind::Alertmanager, &["a", "b"]), json!([alert("a"), alert("b")]));
    }

    #[test]
    fn a_webhook_gets_what_alertmanager_sends_to_webhooks() {
        let mut sent = check(ReceiverKind::Webhook, &["a", "b"]);
        let alerts = sent["alerts"].take();
        let expected = json!({
            "version": "4",
            "groupKey": "{}:{alerttype=\"auditing\"}",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "pager",
            "groupLabels": { "alerttype": "auditing" },
            "commonLabels": { "alertname": "R", "alerttype": "auditing", "cluster": "c", "rule_id": "ns/res/R",
                              "severity": "warning" },
            "commonAnnotations": { "eventID": "abababababababababababababababab", "count": "1" },
            "externalURL": "http://console",
            "alerts": null,
        });
        assert_eq!(sent, expected);
        let mut first = alert("a");
        first["status"] = json!("firing");
        first["fingerprint"] = alerts[0]["fingerprint"].clone();
        assert_eq!(alerts[0], first);
        assert_ne!(alerts[0]["fingerprint"], alerts[1]["fingerprint"]);
    }
}
