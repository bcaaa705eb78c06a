//! What bad input gets: never a panic, never a silent loss.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tokio::io::AsyncWriteExt;

use crate::rig::{Answer, PATH, Rig, begin, client, list, read_answer};

#[tokio::test(flavor = "multi_thread")]
async fn rejects_what_is_no_json_and_no_list_and_says_what_and_where() {
    let rig = Rig::start(|_, _| {}).await;
    for (body, words) in [
        ("", "found an empty body"),
        ("hello", "expected JSON: an object with an array `items` at byte 0 of the body"),
        ("[]", "found an array alone at byte 0"),
        ("{}", "found neither"),
        (r#"{"items":null}"#, "to be an array; an empty one is `[]` at byte 9"),
        (r#"{"kind":"Event","verb":"get"}"#, "found a single event: send it as `{\"kind\":\"EventList\""),
        (r#"{"kind":"PodList","items":[]}"#, "found `PodList` at byte 8"),
        (r#"{"items":[{"verb":"get"}],"kind":"PodList"}"#, "found `PodList`"),
        (r#"{"items":[{"verb":"get"},{"verb":get}]}"#, "expected a value at byte 33"),
        (r#"{"items":[{"verb":"get"}]"#, "and the body ends at byte 25"),
        (r#"{"items":[{"verb":"get"}]} x"#, "nothing after the list"),
    ] {
        let answer = rig.post(body).await;
        answer.check(400, words);
        assert_eq!((&answer.json["kind"], &answer.json["reason"]), (&"Status".into(), &"BadRequest".into()));
    }
    rig.post(&b"{\"metadata\":\"\xff\",\"items\":[]}"[..]).await.check(400, "expected UTF-8 at byte 13");
    assert_eq!(rig.stored().await, 0, "nothing is published before the whole body has been read");
    assert!(rig.letters().await.is_empty());
    assert_eq!(rig.metric("requests_total", &["400"]), 12.0);
    assert_eq!((rig.metric("received_total", &[]), rig.metric("in_flight_bytes", &[])), (0.0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_good_events_and_keeps_bad_ones_verbatim() {
    let rig = Rig::start(|_, _| {}).await;
    let deep = format!(r#"{{"verb":"get","requestObject":{}{}}}"#, "[".repeat(128), "]".repeat(128));
    let bad: [(&[u8], &str); 6] = [
        (b"[ 1 ]", "not_object"),
        (b"{\"verb\":\"\xff\xfe\"}", "not_utf8"),
        (deep.as_bytes(), "too_deep"),
        (br#"{ "user" : {"username": "x"} }"#, "no_verb_or_uri"),
        (br#"{"verb":"get","responseStatus":{"code":"200"}}"#, "wrong_type"),
        (b"null", "not_object"),
    ];
    let mut body = br#"{"items":[{"verb":"get"}"#.to_vec();
    for (item, _) in &bad {
        body.push(b',');
        body.extend_from_slice(item);
    }
    body.extend_from_slice(br#",{"verb":"list"}]}"#);
    let answer = rig.post(body.clone()).await;
    assert_eq!((answer.events("received"), answer.events("published"), answer.events("deadLettered")), (8, 2, 6));
    let mut letters: Vec<_> = rig.letters().await;
    for letter in &letters {
        assert_eq!((&*letter.service, &*letter.cluster, &*letter.batch), ("ingest", "default", ""));
        assert!(letter.detail.starts_with(&letter.reason), "{letter:?}");
    }
    letters.sort_by(|a, b| a.payload.cmp(&b.payload));
    let mut expected = bad.to_vec();
    expected.sort_unstable();
    let found: Vec<_> = letters.iter().map(|letter| (&letter.payload[..], &*letter.reason)).collect();
    assert_eq!(found, expected);
    let delivery = rig.messages(1).await.remove(0);
    assert_eq!(delivery.message.unwrap().events.len(), 2);
    assert_eq!(delivery.counts.dead_lettered["not_object"], 2);

    assert_eq!(rig.post(body).await.events("duplicate"), 8);
    assert_eq!(rig.letters().await.len(), 6, "a retry doubles no letter");
    assert_eq!(rig.metric("dead_lettered_total", &[]), 6.0);
    let accounted = ["published_total", "dropped_total", "dead_lettered_total", "duplicate_total"];
    let accounted: f64 = accounted.iter().map(|name| rig.metric(name, &[])).sum();
    assert_eq!(rig.metric("received_total", &[]), accounted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_event_goes_on_without_its_bodies() {
    let rig = Rig::start(|_, _| {}).await;
    let answer = rig.post(list("items", "a", 2, vedette_audit::MAX_EVENT_BYTES)).await;
    assert_eq!(answer.events("published"), 2);
    for delivery in rig.messages(2).await {
        assert_eq!(delivery.counts.oversize, 1);
        let json = delivery.message.unwrap().events[0].json.clone();
        assert!(json.len() < 200, "{json:?}");
        assert!(String::from_utf8_lossy(&json).contains(vedette_audit::event::OVERSIZE_ANNOTATION), "{json:?}");
    }
    assert_eq!(rig.metric("oversize_total", &[]), 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_what_is_too_large() {
    let rig = Rig::start(|config, _| {
        config.limits.body_bytes = 1_000_000;
        config.limits.event_bytes = 300_000;
        config.limits.in_flight_bytes = 500_000;
    })
    .await;
    let body = list("items", "a", 10, 100_000);
    assert!(body.len() > 1_000_000);
    rig.post(body.clone()).await.check(413, "expected a body of at most 1000000 bytes");
    // What must be held is refused, however long the body is said to be.
    rig.post(chunked(&body)).await.check(429, "less must be held at once");
    rig.post(list("items", "a", 1, 200_000)).await.check(200, "");

    let spaces = vec![b' '; 50_000_000];
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let bomb = packed(&spaces);
    assert!(bomb.len() < 100_000);
    post_coded(&rig, "gzip", bomb).await.check(413, "at most 1000000 bytes");
    let good = packed(&list("items", "b", 1, 0));
    post_coded(&rig, "gzip", good[..good.len() - 9].to_vec()).await.check(400, "gzip, and that ends too early");
    post_coded(&rig, "gzip", b"{\"items\":[]}".to_vec()).await.check(400, "gzip, and that is damaged");
    post_coded(&rig, "zstd", b"x".to_vec()).await.check(415, "`Content-Encoding: gzip`");
    post_coded(&rig, "gzip, gzip", b"x".to_vec()).await.check(415, "gzip");
    post_coded(&rig, "gzip", good).await.check(200, "");
}

/// A body in pieces: its length is not announced.
fn chunked(body: &[u8]) -> reqwest::Body {
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        body.chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    reqwest::Body::wrap_stream(futures::stream::iter(pieces))
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_body_that_turns_out_too_large_and_counts_what_kubesphere_loses() {
    let rig = Rig::start(|config, _| config.limits.body_bytes = 1_000_000).await;
    for (member, lost) in [("items", 0.0), ("Items", 20_000.0)] {
        let body = list(member, "a", 20_000, 0);
        assert!(body.len() > 1_200_000);
        rig.post(chunked(&body)).await.check(413, "expected a body of at most 1000000 bytes");
        assert_eq!(rig.metric("sender_lost_total", &[]), lost);
    }
    rig.post(list("Items", "b", 20_000, 0)).await.check(413, "expected a body of at most 1000000 bytes");
    assert_eq!(rig.metric("sender_lost_total", &[]), 40_000.0, "an announced one is not read, but counted");
    assert_eq!((rig.stored().await, rig.metric("in_flight_bytes", &[])), (0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_what_is_too_large_for_an_event_and_takes_the_others() {
    let rig = Rig::start(|config, _| config.limits.event_bytes = 300_000).await;
    let [small, large] = [list("items", "a", 1, 10), list("items", "b", 1, 300_000)];
    let item = |list: &Bytes| String::from_utf8(list[10..list.len() - 2].to_vec()).unwrap();
    let body = format!(r#"{{"items":[{},{},{}]}}"#, item(&small), item(&large), item(&list("items", "c", 1, 10)));
    for again in [false, true] {
        let answer = rig.post(body.clone()).await;
        assert_eq!((answer.events("received"), answer.events("duplicate")), (3, if again { 3 } else { 0 }));
        let [letter] = &rig.letters().await[..] else { panic!("one letter") };
        assert_eq!((&*letter.reason, &*letter.cluster), ("too_large", "default"));
        assert_eq!(letter.payload, item(&large).as_bytes()[..300_000]);
        let kept = format!("only the first 300000 of its {} bytes are kept", item(&large).len());
        assert!(letter.detail.ends_with(&kept), "{}", letter.detail);
    }
    assert_eq!(rig.messages(1).await[0].counts.published, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_of_one_cluster_leave_room_for_others() {
    let rig = Rig::start_plain(|config| {
        config.limits.event_bytes = 200_000;
        config.limits.in_flight_bytes = 400_000;
    })
    .await;
    let body = list("items", "slow", 1, 100_000);
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut stream = rig.connect().await;
        begin(&mut stream, body.len(), "", &body[..40_000]).await;
        slow.push(stream);
    }
    // Some of them are refused.
    rig.until("all that one cluster may hold", async |rig| rig.metric("in_flight_bytes", &[]) >= 280_000.0).await;
    let answer = rig.post_to(&format!("{PATH}/calm"), list("items", "b", 1, 20_000)).await;
    assert_eq!(answer.events("published"), 1);
    drop(slow);
    rig.until("all to be given back", async |rig| rig.metric("in_flight_bytes", &[]) == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_idle_connections_of_http_2_too() {
    let rig = Rig::start_plain(|config| config.limits.keep_alive_seconds = 1).await;
    let client = client(None).http2_prior_knowledge().build().unwrap();
    let answer = Answer::of(client.post(rig.url(PATH)).body(list("items", "a", 1, 0)).send().await.unwrap()).await;
    assert_eq!((answer.events("published"), answer.version), (1, reqwest::Version::HTTP_2));
    assert_eq!(rig.metric("connections", &[]), 1.0);
    rig.until("the connection to end", async |rig| rig.metric("connections", &[]) == 0.0).await;
}

async fn post_coded(rig: &Rig, coding: &str, body: Vec<u8>) -> Answer {
    let request = rig.client.post(rig.url(PATH)).header("Content-Encoding", coding).body(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_wrong_methods_and_paths() {
    let rig = Rig::start(|_, _| {}).await;
    let answer = Answer::of(rig.client.get(rig.url(PATH)).send().await.unwrap()).await;
    answer.check(405, "POST");
    assert_eq!(answer.header("allow"), "POST");
    for path in ["/", "/audit/webhook", "/audit/webhook/events", "/audit/webhook/event2", "/metrics"] {
        rig.post_to(path, "{}").await.check(404, "expected the path /audit/webhook/event or");
    }
    for cluster in ["", "Member", "a.b", "a/b", "-a", "%61", "a_b", &"x".repeat(64)] {
        rig.post_to(&format!("{PATH}/{cluster}"), "{}").await.check(404, "RFC 1123 label");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_bodies_that_come_too_slowly() {
    let idle = Rig::start_plain(|config| config.limits.idle_seconds = 1).await;
    let late = Rig::start_plain(|config| config.limits.body_seconds = 1).await;
    for (rig, words) in
        [(&idle, "nothing came of the body for 1 s after 10 bytes"), (&late, "longer than 1 s: 10 bytes")]
    {
        let mut stream = rig.connect().await;
        begin(&mut stream, 1000, "", b"{\"items\":[").await;
        let said = read_answer(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_connections_whose_request_never_comes() {
    let plain = Rig::start_plain(|config| config.limits.handshake_seconds = 1).await;
    let tls = Rig::start(|config, _| config.limits.handshake_seconds = 1).await;
    for (rig, beginning) in
        [(&plain, "POST /audit/webhook/event HTTP/1.1\r\nHost: x\r\nX-Slow: "), (&plain, ""), (&tls, "")]
    {
        let mut stream = rig.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        assert_eq!(read_answer(&mut stream).await, "");
        rig.until("the connection to be forgotten", async |rig| rig.metric("connections", &[]) == 0.0).await;
    }
    // A connection that has asked once may think longer before it asks again.
    let mut stream = plain.connect().await;
    let body = list("items", "a", 1, 0);
    begin(&mut stream, body.len(), "", &body).await;
    read_answer(&mut stream).await;
    let mut other = plain.connect().await;
    assert_eq!(read_answer(&mut other).await, "", "a second and more has passed");
    begin(&mut stream, body.len(), "", &body).await;
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_more_than_may_be_held_until_there_is_room_again() {
    let rig = Rig::start_plain(|config| {
        config.limits.event_bytes = 200_000;
        config.limits.in_flight_bytes = 400_000;
    })
    .await;
    let body = list("items", "slow", 1, 150_000);
    let mut slow = rig.connect().await;
    begin(&mut slow, body.len(), "", &body[..140_000]).await;
    rig.until("the first body to be held", async |rig| rig.metric("in_flight_bytes", &[]) >= 130_000.0).await;
    let other = list("Items", "other", 3, 70_000);
    let answer = rig.post(other.clone()).await;
    answer.check(429, "too many bytes");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(rig.metric("sender_lost_total", &[]), 3.0, "KubeSphere never sends again");
    slow.write_all(&body[140_000..]).await.unwrap();
    assert!(read_answer(&mut slow).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rig.post(other).await.events("published"), 3);
    assert_eq!(rig.metric("in_flight_bytes", &[]), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn slows_down_one_cluster_without_the_others() {
    let rig = Rig::start(|config, _| {
        config.limits.cluster_bytes_per_second = 1;
        config.limits.cluster_burst_bytes = 1000;
    })
    .await;
    let path = |cluster: &str| format!("{PATH}/{cluster}");
    rig.post_to(&path("flood"), list("items", "a", 1, 700)).await.check(200, "");
    let answer = rig.post_to(&path("flood"), list("items", "b", 1, 700)).await;
    answer.check(429, "more than its share");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((100..800).contains(&wait), "{wait}");
    rig.post_to(&path("calm"), list("items", "c", 1, 700)).await.check(200, "");
    rig.post_to(&path("flood"), list("Items", "d", 5, 700)).await.check(429, "more than its share");
    assert_eq!(rig.metric("sender_lost_total", &[]), 5.0, "KubeSphere never sends again");
    // One that is larger than a full bucket empties it, and passes.
    rig.post_to(&path("large"), chunked(&list("items", "e", 5, 7000))).await.check(200, "");
    rig.post_to(&path("large"), chunked(&list("items", "f", 1, 0))).await.check(429, "more than its share");
}
