//! What a real Alertmanager makes of our alerts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vedette_alerter::Clock;
use vedette_e2e::Alertmanager;
use vedette_proto::bus::v1::Alert;
use vedette_rules::{Receiver, ReceiverKind};

use super::hook::Hook;
use super::rig::{Rig, quick};

fn receiver(alertmanager: &Alertmanager) -> Receiver {
    let (name, kind, url) = ("alertmanager".to_owned(), ReceiverKind::Alertmanager, alertmanager.url());
    Receiver { name, kind, url, ca_bundle: None }
}

async fn start() -> Alertmanager {
    tokio::task::spawn_blocking(Alertmanager::start).await.unwrap()
}

/// The alerts that Alertmanager has, by the label `name`, once there are `count`.
async fn alerts(alertmanager: &Alertmanager, count: usize) -> BTreeMap<String, Value> {
    let url = format!("{}/api/v2/alerts", alertmanager.url());
    let look = async {
        loop {
            if let Ok(answer) = reqwest::get(&url).await {
                let alerts: Vec<Value> = answer.json().await.unwrap();
                if alerts.len() >= count {
                    return alerts;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let alerts = tokio::time::timeout(Duration::from_secs(30), look).await.expect("alerts in time");
    let by_name = |alert: Value| (alert["labels"]["name"].as_str().unwrap_or_default().to_owned(), alert);
    alerts.into_iter().map(by_name).collect()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_arrive_with_kubespheres_labels_and_stages_of_one_request_are_one_alert() {
    let alertmanager = start().await;
    let mut hook = Hook::start().await;
    let rig = Rig::with(vec![receiver(&alertmanager), hook.receiver("hook")]).await;
    let earlier = (rig.clock.now() - SignedDuration::from_secs(3)).to_string();
    let received = Alert { stage_timestamp: earlier, ..rig.alert("web") };
    rig.publish_alerts("b1", vec![received, rig.alert("web"), rig.alert("db")]).await;

    let sum = rig.books(&["b1"]).await;
    assert_eq!((sum.sent, sum.unrouted, sum.rejected), (3, 0, 0));
    rig.settled().await;
    let found = alerts(&alertmanager, 2).await;
    assert_eq!(found.len(), 2, "{found:#?}");
    let web = &found["web"];
    let labels = json!({
        "alertname": "CreateHostnetworkPod",
        "alerttype": "auditing",
        "cluster": "member",
        "name": "web",
        "namespace": "default",
        "resource": "pods",
        "rule_id": "kubesphere-logging-system/alerting-rule/CreateHostnetworkPod",
        "severity": "warning",
        "user": "admin",
        "verb": "create",
    });
    assert_eq!(web["labels"], labels);
    let id = "77656200000000000000000000000000";
    let annotations = json!({
        "message": "admin create HostNetwork Pod web in Namespace default.",
        "summary": "CreateHostnetworkPod: admin create pods default/web",
        "eventID": id,
        "auditID": "b0bb3ccb-3f5f-4d62-9c2b-9a8d0f1b2c3d",
        "requestURI": "/api/v1/namespaces/default/pods",
        "sourceIP": "10.0.0.7",
        "count": "1",
    });
    assert_eq!(web["annotations"], annotations);
    assert_eq!(web["generatorURL"], format!("http://console.example/events/{id}"));
    let millis = |time: Timestamp| time.as_millisecond();
    assert_eq!(millis(time(&web["startsAt"])), millis(rig.clock.now() - SignedDuration::from_secs(3)));
    assert_eq!(millis(time(&web["endsAt"])), millis(rig.clock.now() + SignedDuration::from_mins(5)));

    let (_, sent) = hook.next().await;
    let sent = sent["alerts"].as_array().unwrap().iter().find(|alert| alert["labels"]["name"] == "db").unwrap();
    assert_eq!(sent["fingerprint"], found["db"]["fingerprint"], "ours is what Alertmanager calls these labels");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_wait_for_an_alertmanager_that_was_killed() {
    let mut alertmanager = start().await;
    let mut rig = Rig::new().await;
    let mut config = quick();
    config.delivery.hold_seconds = 15;
    rig.start(vec![receiver(&alertmanager)], config);
    alertmanager.kill();
    rig.publish("b1", &["a"]).await;
    let mut alertmanager = tokio::task::spawn_blocking(move || {
        alertmanager.start_again();
        alertmanager
    })
    .await
    .unwrap();
    assert_eq!(rig.books(&["b1"]).await.sent, 1);
    rig.settled().await;
    assert!(alerts(&alertmanager, 1).await.contains_key("a"));
    assert!(rig.metric("vedette_alerter_alerts_failed_total", "unreachable") >= Some(1.0));
    alertmanager.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_leaves_the_alerts_of_the_budget_and_one_for_the_rest() {
    let alertmanager = start().await;
    let rig = Rig::with(vec![receiver(&alertmanager)]).await;
    let names: Vec<String> = (0..600).map(|n| format!("pod-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    rig.publish("b1", &names[..300]).await;
    rig.publish("b2", &names[300..]).await;
    assert_eq!(rig.books(&["b1", "b2"]).await.sent, 600);
    rig.settled().await;
    let found = alerts(&alertmanager, 101).await;
    assert_eq!(found.len(), 101, "a hundred within the budget, and one that stands for the rest");
    assert_eq!(found["(many)"]["annotations"]["count"], "500");
    assert_eq!(found["(many)"]["labels"]["user"], "(many)");
    assert_eq!(rig.metric("vedette_alerter_alerts_collapsed_total", ""), Some(500.0));
}
