//! What is taken, and what becomes of it.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use tokio::io::AsyncWriteExt;
use vedette_audit::Event;

use crate::rig::{Answer, PATH, Rig, begin, client, list, read_answer};

/// The sample's lists as a kube-apiserver sent them.
fn sample() -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../e2e/testdata/kube-apiserver-eventlists.ndjson.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_a_kube_apiservers_lists() {
    let rig = Rig::start(|_, _| {}).await;
    let lists: Vec<_> = sample().into_iter().take(12).collect();
    let mut expected = Vec::new();
    for list in &lists {
        let items: serde_json::Value = serde_json::from_str(list).unwrap();
        let items = items["items"].as_array().unwrap().clone();
        let answer = rig.post(list.clone()).await;
        assert_eq!((answer.events("received"), answer.events("published")), (items.len() as u64, items.len() as u64));
        expected.extend(items);
    }
    let (mut found, mut next) = (0, expected.iter());
    let stored = rig.stored().await;
    assert!(stored >= lists.len() as u64);
    for delivery in rig.messages(usize::try_from(stored).unwrap()).await {
        let batch = delivery.message.unwrap();
        assert_eq!((&*batch.cluster, &*delivery.cluster), ("default", "default"));
        assert!(batch.received_unix_nanos > 1_700_000_000_000_000_000);
        assert_eq!(delivery.counts.received, batch.events.len() as u64);
        for event in batch.events {
            let mut json: serde_json::Value = serde_json::from_slice(&event.json).unwrap();
            assert_eq!(json.as_object_mut().unwrap().remove("Cluster").unwrap(), "default");
            assert_eq!(&json, next.next().unwrap());
            assert_eq!(event.id.len(), 16);
            found += 1;
        }
    }
    assert_eq!(found, expected.len());
    assert_eq!(rig.metric("received_total", &[]), found as f64);
    assert_eq!(rig.metric("published_total", &[]), found as f64);
    assert_eq!(rig.metric("requests_total", &["200"]), lists.len() as f64);
    assert_eq!(rig.metric("in_flight_bytes", &[]), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_kubespheres_lists_for_the_cluster_of_the_path() {
    let rig = Rig::start(|_, _| {}).await;
    let body = r#"{"Items":[{"Devops":"","Workspace":"demo","Cluster":"host","Level":"Metadata","Verb":"create"}]}"#;
    let answer = rig.post_to(&format!("{PATH}/member-1"), body).await;
    assert_eq!(answer.events("published"), 1);
    let batch = rig.messages(1).await.remove(0).message.unwrap();
    assert_eq!(batch.cluster, "member-1");
    let item = &body[10..body.len() - 2];
    let id = Event::parse(item.as_bytes()).unwrap().id("member-1");
    assert_eq!(&batch.events[0].id[..], id.as_bytes());
    let expected = r#"{"Cluster":"member-1","Devops":"","Workspace":"demo","Level":"Metadata","Verb":"create"}"#;
    assert_eq!(std::str::from_utf8(&batch.events[0].json).unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_what_is_all_dropped_with_one_message_of_counts() {
    let rig = Rig::start(|config, _| {
        // KubeSphere's defaults: level Metadata, no events of the kube-apiserver.
        std::fs::remove_file(config.policy.dir.join("webhook.yaml")).unwrap();
        let rule = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: r\n  labels: {type: archiving}\n\
                    spec:\n  rules: [{name: all, type: rule, condition: 'Verb exists', priority: INFO, enable: true}]\n";
        std::fs::write(config.policy.dir.join("rule.yaml"), rule).unwrap();
    })
    .await;
    let answer = rig.post(list("items", "a", 3, 0)).await;
    assert_eq!((answer.events("received"), answer.events("dropped"), answer.events("published")), (3, 3, 0));
    let answer = rig.post(list("Items", "a", 2, 0)).await;
    assert_eq!((answer.events("received"), answer.events("published")), (2, 2));
    let messages = rig.messages(2).await;
    assert_eq!(messages[0].counts.dropped["k8s_auditing_disabled"], 3);
    assert!(messages[0].message.as_ref().unwrap().events.is_empty());
    let event = &messages[1].message.as_ref().unwrap().events[0];
    let expected =
        r#"{"Cluster":"default","level":"Metadata","verb":"create","auditID":"a-0","objectRef":{"resource":"r"}}"#;
    assert_eq!(std::str::from_utf8(&event.json).unwrap(), expected);
    assert_eq!(rig.metric("dropped_total", &["k8s_auditing_disabled"]), 3.0);
    assert_eq!(rig.post("{\"items\":[]}").await.events("received"), 0);
    assert_eq!(rig.stored().await, 2, "an empty list is no message");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_http_1_and_2_on_every_address() {
    let rig = Rig::start(|config, _| config.listen.push("127.0.0.1:0".parse().unwrap())).await;
    let builders = [client(rig.ca.as_deref()), client(rig.ca.as_deref()).http1_only()];
    let versions = [reqwest::Version::HTTP_2, reqwest::Version::HTTP_11];
    for (builder, version) in builders.into_iter().zip(versions) {
        let client = builder.build().unwrap();
        for (index, address) in rig.addresses.iter().enumerate() {
            let url = format!("https://{address}{PATH}?timeout=30s");
            let body = list("items", &format!("{version:?}-{index}"), 1, 0);
            let answer = Answer::of(client.post(url).body(body).send().await.unwrap()).await;
            assert_eq!((answer.events("published"), answer.version), (1, version));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_gzip() {
    let rig = Rig::start(|_, _| {}).await;
    let body = list("items", "a", 50, 50_000);
    let packed = gzip(&body);
    assert!(packed.len() * 50 < body.len());
    let request = rig.client.post(rig.url(PATH)).header("Content-Encoding", "gzip").body(packed);
    assert_eq!(Answer::of(request.send().await.unwrap()).await.events("published"), 50);
    assert_eq!(rig.post(body).await.events("duplicate"), 50, "packed or not, it is the same list");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_several_requests_on_one_connection_and_says_when_to_send() {
    let rig = Rig::start_plain(|_| {}).await;
    let mut stream = rig.connect().await;
    for mark in ["a", "b"] {
        let body = list("items", mark, 1, 0);
        begin(&mut stream, body.len(), "Expect: 100-continue\r\n", b"").await;
        let said = read_answer(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 100 Continue\r\n"), "{said}");
        stream.write_all(&body).await.unwrap();
        let said = read_answer(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.contains("\"published\":1"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_a_million_tiny_events_in_one_list() {
    let rig = Rig::start(|_, _| {}).await;
    let mut body = String::from(r#"{"items":["#);
    for index in 0..1_000_000 {
        body.push_str(&format!(r#"{{"verb":"get","auditID":"{index}"}},"#));
    }
    body.pop();
    body.push_str("]}");
    let answer = rig.post(body).await;
    assert_eq!((answer.events("received"), answer.events("published")), (1_000_000, 1_000_000));
    let stored = rig.stored().await;
    assert!((25..60).contains(&stored), "{stored} messages");
    let counted: u64 = rig
        .messages(usize::try_from(stored).unwrap())
        .await
        .iter()
        .map(|delivery| delivery.message.as_ref().unwrap().events.len() as u64)
        .sum();
    assert_eq!(counted, 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_what_is_in_hand_when_it_is_told_to_end() {
    let mut rig = Rig::start_plain(|_| {}).await;
    let body = list("items", "a", 2, 100);
    let mut stream = rig.connect().await;
    begin(&mut stream, body.len(), "", &body[..50]).await;
    rig.until("the request to be in hand", async |rig| rig.metric("received_bytes_total", &[]) > 0.0).await;
    rig.stop();
    stream.write_all(&body[50..]).await.unwrap();
    let said = read_answer(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.contains("\"published\":2"), "{said}");
    rig.stopped().await;
    assert!(tokio::net::TcpStream::connect(rig.addresses[0]).await.is_err(), "nobody listens any more");
}
