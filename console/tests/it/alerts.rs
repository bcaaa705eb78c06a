//! Alerts, as the alerter logs them at a real broker.

use std::time::Duration;

use serde_json::{Value, json};
use vedette_archive::Mode;
use vedette_proto::bus::v1::{Alert, AlertLog, AlertOutcome, LoggedAlert};

use super::rig::Rig;

/// The alert of this number: each of another second, every other one of another rule.
fn logged(number: u32) -> LoggedAlert {
    let (rule, priority) = [("Exec", "WARNING"), ("Secrets", "INFO")][number as usize % 2];
    let alert = Alert {
        event_id: id(number).to_vec().into(),
        rule_id: format!("kubesphere-logging-system/alerting-rule/{rule}"),
        rule: rule.to_owned(),
        priority: priority.to_owned(),
        message: format!("User {number} did it"),
        audit_id: format!("a-{number}"),
        stage_timestamp: "2026-11-22T09:00:00Z".to_owned(),
        namespace: "shop".to_owned(),
        user: ["alice", "bob", "carol"][number as usize % 3].to_owned(),
        verb: "create".to_owned(),
        resource: "pods".to_owned(),
        subresource: "exec".to_owned(),
        name: format!("pod-{number}"),
        request_uri: "/api/v1/namespaces/shop/pods".to_owned(),
        source_ip: "10.0.0.7".to_owned(),
        tenant: "member/u1".to_owned(),
        command: "id".to_owned(),
        request_received_timestamp: format!("2026-11-22T08:{:02}:{:02}Z", number / 60, number % 60),
        ..Alert::default()
    };
    LoggedAlert {
        alert: Some(alert),
        received_unix_nanos: 1_795_334_400_000_000_000,
        // Never so long ago that it would not be kept.
        settled_unix_nanos: 4_102_444_801_000_000_000,
        outcome: AlertOutcome::Sent.into(),
        receivers: vec!["pager".to_owned()],
    }
}

fn id(number: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

async fn write(rig: &Rig, batch: &str, alerts: Vec<LoggedAlert>) {
    let log = AlertLog { cluster: "member".to_owned(), alerts };
    rig.bus.log_alerts(&log, &[batch], 0).await.unwrap();
}

/// The answer, once so many alerts are there.
async fn until(rig: &Rig, total: u64) -> Value {
    let look = async {
        loop {
            let found = rig.json("/api/v1/alerts").await;
            if found["total"] == total && found["kept"]["complete"] == true {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.unwrap_or_else(|_| panic!("waited in vain for {total}"))
}

fn numbers(found: &Value) -> Vec<u32> {
    let number = |alert: &Value| alert["auditID"].as_str()?.strip_prefix("a-")?.parse().ok();
    found["items"].as_array().unwrap().iter().map(|alert| number(alert).unwrap()).collect()
}

async fn rig(folder: &tempfile::TempDir) -> Rig {
    let config = vedette_archive::Config::embedded(folder.path());
    Rig::start(vedette_archive::open(&config, Mode::Write).await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_found_as_they_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(&folder).await;
    let empty = until(&rig, 0).await;
    assert_eq!(empty, json!({ "items": [], "total": 0, "kept": { "complete": true } }));
    write(&rig, "b1", (0..90).map(logged).collect()).await;
    // The same alerts beside others: their message came again.
    write(&rig, "b2", (60..120).map(logged).collect()).await;
    let found = until(&rig, 120).await;
    assert_eq!(numbers(&found), (70..120).rev().collect::<Vec<_>>());
    let expected = json!({
        "id": format!("{:08x}{}:kubesphere-logging-system/alerting-rule/Secrets", 119, "0".repeat(24)),
        "eventId": format!("{:08x}{}", 119, "0".repeat(24)),
        "time": "2026-11-22T08:01:59.000000Z", "alertedTime": "2100-01-01T00:00:01.000000Z", "cluster": "member",
        "rule": "alerting-rule.Secrets", "ruleId": "kubesphere-logging-system/alerting-rule/Secrets", "priority": "INFO",
        "message": "User 119 did it", "user": "carol", "verb": "create", "resource": "pods", "subresource": "exec",
        "name": "pod-119", "namespace": "shop", "ip": "10.0.0.7", "requestURI": "/api/v1/namespaces/shop/pods",
        "command": "id", "auditID": "a-119", "outcome": "sent", "receivers": ["pager"],
    });
    assert_eq!(found["items"][0], expected);
    assert_eq!(found["kept"]["since"], "2026-11-22T08:00:00.000000Z");

    for (asked, expected) in [
        ("rule=alerting-rule.Exec", 60),
        ("rule=alerting-rule.Exec,alerting-rule.Secrets", 120),
        ("rule=alerting-rule.Exec&rule=none.Such", 60),
        ("priority=warning&q=ALICE", 20),
        ("q=pod-11", 11),
        ("start=2026-11-22T08:01:00Z&end=2026-11-22T08:01:09Z", 10),
        (&format!("event={:08x}{}", 7, "0".repeat(24)), 1),
    ] {
        assert_eq!(rig.json(&format!("/api/v1/alerts?{asked}&limit=1")).await["total"], expected, "{asked}");
    }
    // What was alerted alone is no event of the archive.
    let (status, _) = rig.get(&format!("/api/v1/events/{:08x}{}", 7, "0".repeat(24))).await;
    assert_eq!(status, 404);

    let groups = rig.json("/api/v1/alerts/groups?q=alice").await;
    let told = |group: &Value| {
        ["rule", "priority", "count", "users", "firstSeen", "lastSeen"].map(|name| group[name].clone()).to_vec()
    };
    let (first, second) = (told(&groups["items"][0]), told(&groups["items"][1]));
    let at = |time: &str| json!(format!("2026-11-22T08:{time}.000000Z"));
    assert_eq!(first, [json!("alerting-rule.Secrets"), json!("INFO"), json!(20), json!(1), at("00:03"), at("01:57")]);
    assert_eq!(second, [json!("alerting-rule.Exec"), json!("WARNING"), json!(20), json!(1), at("00:00"), at("01:54")]);
    assert_eq!(groups["items"][0]["latest"]["auditID"], "a-117");
    let histogram = rig.json("/api/v1/alerts/histogram?interval=1m").await;
    assert_eq!(histogram["series"], json!(["WARNING", "INFO"]));
    let bucket = |time: &str| json!({ "time": at(time), "count": 60, "counts": [30, 30] });
    assert_eq!(histogram["buckets"], json!([bucket("00:00"), bucket("01:00")]));

    let rules = |count: usize| format!("alerts?rule={}", vec!["a.b"; count].join(","));
    assert_eq!(rig.json(&format!("/api/v1/{}", rules(64))).await["total"], 0);
    for (asked, parameter) in [
        (rules(65).as_str(), "rule"),
        (&format!("{}&rule=a.b", rules(64)), "rule"),
        ("alerts?limit=1001", "limit"),
        ("alerts?priority=grave", "priority"),
        ("alerts?event=x", "event"),
        ("alerts?cursor=x", "cursor"),
        ("alerts?start=2&end=1", "start"),
        ("alerts?by=user", "by"),
        ("alerts?q=a&q=b", "q"),
        ("alerts/groups?limit=1", "limit"),
        ("alerts/histogram?interval=0", "interval"),
        ("events?rule=a&rule=b", "rule"),
    ] {
        let (status, text) = rig.get(&format!("/api/v1/{asked}")).await;
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status.as_u16(), &problem["parameter"]), (400, &json!(parameter)), "{asked}: {text}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_stable_while_alerts_come() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(&folder).await;
    // Every third is missing at first.
    write(&rig, "b1", (0..300).filter(|number| number % 3 > 0).map(logged).collect()).await;
    let mut page = until(&rig, 200).await;
    let mut found = numbers(&page);
    let mut total = 200;
    for round in 0.. {
        let Some(next) = page["next"].as_str().map(str::to_owned) else { break };
        // They belong among those that were given already, and among those to come.
        let late: Vec<LoggedAlert> = (0..300).filter(|it| it % 3 == 0 && it / 3 % 10 == round).map(logged).collect();
        total += late.len() as u64;
        write(&rig, &format!("late-{round}"), late).await;
        until(&rig, total).await;
        page = rig.json(&format!("/api/v1/alerts?cursor={next}")).await;
        assert_eq!(page.get("total"), None);
        found.extend(numbers(&page));
    }
    assert!(found.windows(2).all(|pair| pair[0] > pair[1]), "in order, and none twice: {found:?}");
    let missing = (0..300).filter(|number| number % 3 > 0 && !found.contains(number));
    assert_eq!(missing.count(), 0);
    rig.stop().await;
}
