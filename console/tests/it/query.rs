//! The answers to KubeSphere's questions, compared with a naive look at the same events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rig::{Rig, Sample};

const EVENTS: &str = "/kapis/tenant.kubesphere.io/v1alpha2/auditing/events";
const NEWER: &str = "/kapis/logging.kubesphere.io/v1alpha2/auditing";

/// A member of an event, empty where it has none.
fn text<'a>(event: &'a Value, path: &str) -> &'a str {
    event.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn time(event: &Value) -> Timestamp {
    text(event, "/requestReceivedTimestamp").parse().unwrap()
}

fn record_time(record: &Value) -> Timestamp {
    text(record, "/RequestReceivedTimestamp").parse().unwrap()
}

fn ids<'a>(records: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    records.into_iter().map(|record| text(record, "/Vedette/EventID").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_parameter_selects_what_it_says() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let contains = |value: &str, part: &str| value.to_lowercase().contains(part);
    type Holds<'a> = Box<dyn Fn(&str, &Value) -> bool + 'a>;
    let checks: Vec<(&str, Holds<'_>)> = vec![
        ("", Box::new(|_, _| true)),
        ("verb_filter=create,delete", Box::new(|_, e| ["create", "delete"].contains(&text(e, "/verb")))),
        ("verb_filter=crea", Box::new(|_, _| false)),
        ("user_filter=admin", Box::new(|_, e| text(e, "/user/username") == "admin")),
        ("user_search=SYSTEM", Box::new(|_, e| contains(text(e, "/user/username"), "system"))),
        (
            "group_search=masters",
            Box::new(|_, e| {
                let groups = e.pointer("/user/groups").and_then(Value::as_array).cloned().unwrap_or_default();
                groups.iter().any(|group| contains(group.as_str().unwrap(), "masters"))
            }),
        ),
        (
            "objectref_resource_filter=pod,secret",
            Box::new(|_, e| ["pod", "secret"].iter().any(|prefix| text(e, "/objectRef/resource").starts_with(prefix))),
        ),
        ("objectref_subresource_filter=stat", Box::new(|_, e| text(e, "/objectRef/subresource").starts_with("stat"))),
        ("objectref_namespace_filter=kube-system", Box::new(|_, e| text(e, "/objectRef/namespace") == "kube-system")),
        ("objectref_namespace_search=SYS", Box::new(|_, e| contains(text(e, "/objectRef/namespace"), "sys"))),
        ("objectref_name_search=a", Box::new(|_, e| contains(text(e, "/objectRef/name"), "a"))),
        ("level_filter=RequestResponse", Box::new(|_, e| text(e, "/level") == "RequestResponse")),
        (
            "response_code_filter=201,403,x",
            Box::new(|_, e| {
                [201, 403].contains(&e.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or_default())
            }),
        ),
        ("response_status_filter=Failure", Box::new(|_, e| text(e, "/responseStatus/status") == "Failure")),
        (
            "source_ip_search=127.0",
            Box::new(|_, e| {
                e["sourceIPs"].as_array().is_some_and(|ips| ips.iter().any(|ip| ip.as_str().unwrap().contains("127.0")))
            }),
        ),
        ("workspace_filter=system-workspace", Box::new(|_, _| false)),
        ("cluster=member", Box::new(|cluster, _| cluster == "member")),
        (
            "verb_filter=create&user_filter=admin&cluster=default",
            Box::new(|cluster, e| {
                cluster == "default" && text(e, "/verb") == "create" && text(e, "/user/username") == "admin"
            }),
        ),
    ];
    let mut selective = 0;
    for (query, holds) in &checks {
        let expected = sample.count(holds);
        selective += usize::from(expected > 0 && expected < sample.events.len());
        for path in [EVENTS, NEWER] {
            let answer = rig.json(&format!("{path}?{query}")).await;
            assert_eq!(answer["query"]["total"], expected, "{path}?{query}");
            let shown = answer["query"]["records"].as_array().map_or(0, Vec::len);
            assert_eq!(shown, expected.min(10), "{path}?{query}");
        }
    }
    assert!(selective >= 10, "only {selective} of the checks tell events apart");
    let of_path = rig.json("/kapis/clusters/member/tenant.kubesphere.io/v1alpha2/auditing/events").await;
    assert_eq!(of_path["query"]["total"], sample.count(|cluster, _| cluster == "member"));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_narrow_to_the_second_and_both_ends_belong() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let mut times: Vec<Timestamp> = sample.events.iter().map(|(_, event)| time(event)).collect();
    times.sort();
    let (from, to) = (times[times.len() / 4].as_second() + 1, times[times.len() * 3 / 4].as_second() + 1);
    let expected = times.iter().filter(|t| (from..=to).contains(&t.as_second())).count();
    assert!(expected > 0 && expected < times.len());
    assert!(times.iter().any(|t| t.as_second() == to && t.subsec_nanosecond() > 0), "the last second counts whole");
    let answer = rig.json(&format!("{EVENTS}?start_time={from}&end_time={to}")).await;
    assert_eq!(answer["query"]["total"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_through_all_records_once_and_in_order() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let total = sample.events.len();
    let all = rig.json(&format!("{EVENTS}?size=10000")).await;
    let all = all["query"]["records"].as_array().unwrap().clone();
    assert_eq!((all.len(), ids(&all).len()), (total, total), "in one answer, which takes several pages inside");
    assert!(all.is_sorted_by(|a, b| record_time(a) >= record_time(b)), "newest first");

    let oldest = rig.json(&format!("{EVENTS}?size=10000&sort=asc")).await;
    let oldest = oldest["query"]["records"].as_array().unwrap().clone();
    assert!(oldest.is_sorted_by(|a, b| record_time(a) <= record_time(b)), "oldest first");
    assert_eq!(ids(&oldest), ids(&all));

    let mut paged = Vec::new();
    for from in (0..total + 50).step_by(50) {
        let page = rig.json(&format!("{EVENTS}?from={from}&size=50")).await;
        assert_eq!(page["query"]["total"], total);
        paged.extend(page["query"]["records"].as_array().cloned().unwrap_or_default());
    }
    assert_eq!(paged, all);
    let part = rig.json(&format!("{EVENTS}?from=7&size=250")).await;
    assert_eq!(part["query"]["records"].as_array().unwrap().as_slice(), &all[7..257]);
    let none = rig.json(&format!("{EVENTS}?size=0")).await;
    assert_eq!(none, json!({ "query": { "total": total, "records": null } }));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_documents_in_kubespheres_spelling() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let answer = rig.json(&format!("{EVENTS}?size=1&verb_filter=create&objectref_resource_filter=pods")).await;
    let record = &answer["query"]["records"][0];
    let id = text(record, "/AuditID");
    let (cluster, event) =
        sample.events.iter().find(|(_, event)| text(event, "/auditID") == id).expect("an event of the sample");
    assert_eq!(text(record, "/Cluster"), cluster);
    assert_eq!(record["Verb"], "create");
    assert_eq!(record["Workspace"], "");
    assert_eq!(record["User"]["Username"], event["user"]["username"]);
    assert_eq!(record["ObjectRef"]["Resource"], "pods");
    assert_eq!(record["ResponseStatus"]["code"], event["responseStatus"]["code"]);
    assert_eq!(record["SourceIPs"], event["sourceIPs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_every_record_on_a_line_of_its_own() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let answer = rig.client.get(rig.url(&format!("{NEWER}?operation=export&cluster=member&size=1")));
    let answer = answer.bearer_auth(super::rig::TOKEN).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let text = answer.text().await.unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = sample.count(|cluster, _| cluster == "member");
    assert_eq!((records.len(), ids(&records).len()), (expected, expected));
    assert!(records.iter().all(|record| record["Cluster"] == "member"));
    assert_eq!(
        rig.get(&format!("{NEWER}?operation=export&cluster=nowhere")).await,
        (reqwest::StatusCode::OK, String::new())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn large_records_are_exported_and_queried_fewer_at_a_time() {
    // 20 of them are more than the archive gives at once.
    let body = "x".repeat(4 << 20);
    let item = |n: usize| {
        format!(
            r#"{{"level":"Request","auditID":"id-{n}","stage":"ResponseComplete","verb":"create",
            "objectRef":{{"resource":"configmaps"}},
            "requestReceivedTimestamp":"2026-11-22T10:00:00.{n:06}Z","requestObject":{{"body":"{body}"}}}}"#
        )
    };
    let sample = Sample::of((0..20).map(|n| item(n).into_bytes()).collect()).await;
    let rig = Rig::start(sample.archive.clone()).await;
    let (status, text) = rig.get(&format!("{NEWER}?operation=export")).await;
    assert_eq!(status, 200, "{}", &text[..text.len().min(1_000)]);
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((records.len(), ids(&records).len()), (20, 20));
    assert!(records.iter().all(|record| self::text(record, "/RequestObject/body").len() == body.len()));
    let answer = rig.json(&format!("{EVENTS}?size=20")).await;
    let records = answer["query"]["records"].as_array().unwrap();
    assert_eq!((&answer["query"]["total"], records.len(), ids(records).len()), (&json!(20), 20, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_count_events_and_the_requests_that_they_are_of() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let requests: BTreeSet<&str> = sample.events.iter().map(|(_, event)| text(event, "/auditID")).collect();
    let answer = rig.json(&format!("{EVENTS}?operation=statistics")).await;
    let expected = json!({ "statistics": { "resources": requests.len(), "events": sample.events.len() } });
    assert_eq!(answer, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_histogram_has_every_interval_between_its_first_and_its_last() {
    let sample = Sample::load().await;
    let rig = Rig::start(sample.archive.clone()).await;
    let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
    for (_, event) in &sample.events {
        *expected.entry(time(event).as_second().div_euclid(10) * 10_000).or_default() += 1;
    }
    let (first, last) = (*expected.keys().next().unwrap(), *expected.keys().last().unwrap());
    for start in (first..last).step_by(10_000) {
        expected.entry(start).or_default();
    }
    let buckets: Vec<Value> = expected.iter().map(|(time, count)| json!({ "time": time, "count": count })).collect();
    let answer = rig.json(&format!("{EVENTS}?operation=histogram&interval=10s")).await;
    assert_eq!(answer, json!({ "histogram": { "total": sample.events.len(), "buckets": buckets } }));

    let console = rig.json(&format!("{EVENTS}?operation=histogram&start_time=0&interval=1d")).await;
    assert_eq!(console["histogram"]["total"], sample.events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_hits_is_written_as_go_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = vedette_archive::Config::embedded(folder.path());
    let archive = vedette_archive::open(&config, vedette_archive::Mode::Write).await.unwrap();
    let rig = Rig::start(archive).await;
    let check = async |operation: &str| rig.get(&format!("{EVENTS}?operation={operation}")).await.1;
    assert_eq!(check("query").await, r#"{"query":{"total":0,"records":null}}"#);
    assert_eq!(check("histogram").await, r#"{"histogram":{"buckets":null,"total":0}}"#);
    assert_eq!(check("statistics").await, r#"{"statistics":{"events":0,"resources":0}}"#);
}
