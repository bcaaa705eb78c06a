use jiff::Timestamp;
use vedette_proto::bus::v1::Alert;

use super::{Detail, Draft, Labels, Notice};

fn exec() -> Alert {
    Alert {
        event_id: (0..16).collect(),
        rule_id: "kubesphere-logging-system/alerting-rule/AttachOrExecPod".to_owned(),
        rule: "AttachOrExecPod".to_owned(),
        priority: "WARNING".to_owned(),
        message: "admin exec Pod web-0 in Namespace default.".to_owned(),
        audit_id: "b0bb3ccb-3f5f-4d62-9c2b-9a8d0f1b2c3d".to_owned(),
        stage_timestamp: "2026-11-22T09:59:58.123456Z".to_owned(),
        namespace: "default".to_owned(),
        user: "admin".to_owned(),
        verb: "create".to_owned(),
        resource: "pods".to_owned(),
        subresource: "exec".to_owned(),
        name: "web-0".to_owned(),
        request_uri: "/api/v1/namespaces/default/pods/web-0/exec?command=sh".to_owned(),
        source_ip: "10.0.0.7".to_owned(),
        ..Alert::default()
    }
}

fn notice(alert: &Alert, console_url: Option<&str>) -> Notice {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    Draft {
        alert,
        labels: Labels::of(alert, "prod", Detail::Full),
        detail: Detail::Full,
        count: 1,
        stands_for: vec![0],
        received: at("2026-11-22T09:59:59Z"),
        now: at("2026-11-22T10:00:00Z"),
        console_url,
    }
    .finish()
}

fn annotation<'a>(notice: &'a Notice, name: &str) -> &'a str {
    notice.annotations.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value.as_str())
}

#[test]
fn an_alert_has_kubespheres_labels_and_none_without_a_value() {
    let labels: Vec<(&str, String)> = Labels::of(&exec(), "prod", Detail::Full).0;
    let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let expected = [
        ("alertname", "AttachOrExecPod"),
        ("alerttype", "auditing"),
        ("cluster", "prod"),
        ("name", "web-0"),
        ("namespace", "default"),
        ("resource", "pods"),
        ("rule_id", "kubesphere-logging-system/alerting-rule/AttachOrExecPod"),
        ("severity", "warning"),
        ("subresource", "exec"),
        ("user", "admin"),
        ("verb", "create"),
    ];
    assert_eq!(labels, expected, "sorted, and without the workspace that the event does not have");
    let alert = Alert { workspace: "demo-workspace".to_owned(), ..exec() };
    assert_eq!(Labels::of(&alert, "prod", Detail::Objects).get("workspace"), "demo-workspace");
    assert_eq!(Labels::of(&alert, "prod", Detail::Everything).get("workspace"), "(many)");
}

#[test]
fn an_alert_carries_what_differs_from_event_to_event_as_annotations() {
    let notice = notice(&exec(), Some("https://console.example/"));
    assert_eq!(annotation(&notice, "message"), "admin exec Pod web-0 in Namespace default.");
    assert_eq!(annotation(&notice, "summary"), "AttachOrExecPod: admin create pods/exec default/web-0");
    assert_eq!(annotation(&notice, "eventID"), "000102030405060708090a0b0c0d0e0f");
    assert_eq!(annotation(&notice, "auditID"), "b0bb3ccb-3f5f-4d62-9c2b-9a8d0f1b2c3d");
    assert_eq!(annotation(&notice, "requestURI"), "/api/v1/namespaces/default/pods/web-0/exec?command=sh");
    assert_eq!(annotation(&notice, "sourceIP"), "10.0.0.7");
    assert_eq!(annotation(&notice, "count"), "1");
    assert_eq!(
        notice.generator_url.as_deref(),
        Some("https://console.example/events/000102030405060708090a0b0c0d0e0f")
    );
    assert_eq!(notice.starts_at.to_string(), "2026-11-22T09:59:58.123456Z");
}

#[test]
fn the_stages_of_one_request_have_the_same_labels() {
    let started = Alert { stage_timestamp: "2026-11-22T09:59:57Z".to_owned(), event_id: vec![1; 16].into(), ..exec() };
    let (one, other) = (notice(&started, None), notice(&exec(), None));
    assert_eq!(one.labels, other.labels);
    assert_ne!(annotation(&one, "eventID"), annotation(&other, "eventID"));
}

#[test]
fn a_rule_without_an_output_still_says_something() {
    let notice = notice(&Alert { message: String::new(), ..exec() }, None);
    assert_eq!(annotation(&notice, "message"), "AttachOrExecPod: admin create pods/exec default/web-0");
}

#[test]
fn a_start_that_is_no_time_or_in_the_future_is_replaced() {
    let start = |text: &str| notice(&Alert { stage_timestamp: text.to_owned(), ..exec() }, None).starts_at.to_string();
    assert_eq!(start(""), "2026-11-22T09:59:59Z", "when it was received");
    assert_eq!(start("yesterday"), "2026-11-22T09:59:59Z");
    assert_eq!(start("2027-01-01T00:00:00Z"), "2026-11-22T10:00:00Z", "now");
    assert_eq!(start("2026-11-22T10:59:58+01:00"), "2026-11-22T09:59:58Z");
}

#[test]
fn values_of_any_length_are_bounded() {
    let alert = Alert { name: "ö".repeat(2_000), request_uri: "/".repeat(1 << 20), ..exec() };
    let notice = notice(&alert, None);
    assert_eq!(notice.labels.get("name").chars().count(), 1_024);
    assert!(notice.labels.get("name").ends_with('…'));
    assert_eq!(annotation(&notice, "requestURI").chars().count(), 4_096);
    assert!(notice.bytes < 16_384, "{}", notice.bytes);
}
