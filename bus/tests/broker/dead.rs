//! Dead letters: every one is found once, and ends by being discarded or requeued.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use futures::StreamExt;
use futures::future::join_all;
use vedette_bus::{Bus, Kind, LetterError, LetterFilter, MAX_RAW_BYTES, decode, encode};
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::dead_letter::Origin;
use vedette_proto::bus::v1::{
    Alert, AlertCounts, AlertOrigin, ArchiveCounts, ArchiveMatch, ArchiveResult, DeadLetter, Event, EventOrigin,
    IngestCounts, MatchOrigin,
};

use super::{bus, config, next, noise, plain, started, until};

fn letter(service: &str, reason: &str, origin: Option<Origin>) -> DeadLetter {
    DeadLetter {
        service: service.to_owned(),
        cluster: "east".to_owned(),
        reason: reason.to_owned(),
        detail: "it does not do".to_owned(),
        unix_nanos: 7,
        batch: "b1".to_owned(),
        payload: "{\"verb\":\"get\"}".into(),
        origin,
    }
}

fn event() -> Origin {
    Origin::Event(EventOrigin { id: vec![1; 16].into(), received_unix_nanos: 5, generation: 3, alert_only: true })
}

fn matched() -> Origin {
    let rules = vec!["a.b".to_owned(), "a.c".to_owned()];
    Origin::Match(MatchOrigin { id: vec![2; 16].into(), received_unix_nanos: 5, generation: 3, rules })
}

fn alert() -> Alert {
    Alert { event_id: vec![3; 16].into(), rule: "Exec".to_owned(), ..Alert::default() }
}

fn raised() -> Origin {
    Origin::Alert(Box::new(AlertOrigin { received_unix_nanos: 5, generation: 3, alert: Some(alert()) }))
}

/// The sequences of all pages, in the order in which they come.
async fn walk(bus: &Bus, filter: &LetterFilter, limit: usize) -> Vec<u64> {
    let (mut all, mut below, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = bus.letters(filter, below, limit).await.unwrap();
        assert!(page.letters.len() <= limit, "{} letters of {limit}", page.letters.len());
        assert!(below.is_none() || page.next < below, "{:?} after {below:?}", page.next);
        all.extend(page.letters.iter().map(|letter| letter.sequence));
        pages += 1;
        assert!(pages < 1_000, "no end");
        below = page.next;
        if below.is_none() {
            return all;
        }
    }
}

/// Publishes letters as fast as the broker takes them; gives service, cluster and reason of each.
async fn fill(plain: &Context, count: u64, seed: &mut fastrand::Rng) -> Vec<[&'static str; 3]> {
    let kinds: Vec<[&str; 3]> = (0..count)
        .map(|_| {
            // `alerter` is rare: its letters lie far apart.
            let service = if seed.u32(..400) == 0 { "alerter" } else { ["ingest", "archiver"][seed.usize(..2)] };
            [service, ["east", "west"][seed.usize(..2)], ["not_utf8", "mapping", "rare"][seed.usize(..200).min(2)]]
        })
        .collect();
    for some in kinds.chunks(1_000) {
        let sent = some.iter().map(|[service, cluster, reason]| async move {
            let mut headers = HeaderMap::new();
            headers.insert("Vedette-Reason", *reason);
            let letter = DeadLetter { cluster: (*cluster).to_owned(), ..letter(service, reason, None) };
            let subject = format!("vedette.dead.{service}.{cluster}");
            plain.publish_with_headers(subject, headers, encode(&letter)).await.unwrap()
        });
        // One after the other, so that the order is theirs.
        for ack in futures::stream::iter(sent).buffered(1).collect::<Vec<_>>().await {
            ack.await.unwrap();
        }
    }
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_every_letter_once_newest_first() {
    let (server, bus) = started().await;
    let plain = plain(&server).await;
    let mut seed = fastrand::Rng::with_seed(7);
    assert_eq!(walk(&bus, &LetterFilter::default(), 10).await, [0; 0]);
    let mut there: BTreeMap<u64, [&str; 3]> = (1..).zip(fill(&plain, 10_000, &mut seed).await).collect();
    let stream = plain.get_stream("VEDETTE_DEAD").await.unwrap();
    // Some go, here and there and in one piece.
    let some: Vec<u64> = there.keys().copied().filter(|_| seed.u32(..40) == 0).collect();
    for sequence in some.into_iter().chain(9_000..9_400) {
        if there.remove(&sequence).is_some() {
            stream.delete_message(sequence).await.unwrap();
        }
    }
    for (limit, wanted) in [
        (200, [None, None, None]),
        (50, [Some("alerter"), None, None]),
        (3, [Some("alerter"), Some("west"), None]),
        (150, [None, None, Some("not_utf8")]),
        (150, [Some("ingest"), Some("east"), Some("mapping")]),
        (10, [Some("evaluator"), None, None]),
        (10, [None, None, Some("never")]),
        (10, [None, Some("no.cluster"), None]),
    ] {
        let [service, cluster, reason] = wanted.map(|name| name.map(str::to_owned));
        let filter = LetterFilter { service, reason, cluster };
        let takes = |kind: &[&str; 3]| wanted.iter().zip(kind).all(|(wanted, is)| wanted.is_none_or(|one| one == *is));
        let expected: Vec<u64> =
            there.iter().rev().filter(|(_, kind)| takes(kind)).map(|(sequence, _)| *sequence).collect();
        assert!(walk(&bus, &filter, limit).await == expected, "{filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_letters_make_short_pages() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.limits.dead_bytes = 64 << 20;
    let bus = bus(&config).await;
    for number in 0..6 {
        let letter = DeadLetter { payload: noise(8 << 20).into(), ..letter("archiver", "mapping", Some(matched())) };
        bus.dead_letter(&letter, &format!("d{number}")).await.unwrap();
    }
    let first = bus.letters(&LetterFilter::default(), None, 100).await.unwrap();
    assert!((1..6).contains(&first.letters.len()), "{}", first.letters.len());
    assert_eq!(first.letters[0].bytes, 8 << 20, "which it does not hold");
    assert_eq!(walk(&bus, &LetterFilter::default(), 100).await, [6, 5, 4, 3, 2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_shown_and_discarded() {
    let (server, bus) = started().await;
    for (number, service) in ["ingest", "archiver", "ingest"].into_iter().enumerate() {
        bus.dead_letter(&letter(service, "not_utf8", None), &format!("d{number}")).await.unwrap();
    }
    let plain = plain(&server).await;
    plain.publish("vedette.dead.alerter.west", "no letter".into()).await.unwrap().await.unwrap();
    let read = bus.letter(2).await.unwrap();
    assert_eq!((read.sequence, read.letter), (2, letter("archiver", "not_utf8", None)));
    let strange = bus.letter(4).await.unwrap();
    assert_eq!((strange.letter.service.as_str(), strange.letter.cluster.as_str()), ("alerter", "west"));
    assert_eq!(&strange.letter.payload[..], b"no letter");
    assert!(strange.stays.is_some());

    let key = ("ingest".to_owned(), "not_utf8".to_owned());
    assert_eq!(bus.overview().await.unwrap().dead.reasons[&key], 2);
    bus.discard_letter(3).await.unwrap();
    for gone in [3, 99] {
        assert!(matches!(bus.discard_letter(gone).await, Err(LetterError::Missing(sequence)) if sequence == gone));
        assert!(matches!(bus.letter(gone).await, Err(LetterError::Missing(_))));
        assert!(matches!(bus.requeue_letter(gone).await, Err(LetterError::Missing(_))));
    }
    let dead = bus.overview().await.unwrap().dead;
    assert_eq!((dead.messages, dead.reasons[&key]), (3, 1), "one in the middle went");
    assert_eq!(walk(&bus, &LetterFilter::default(), 2).await, [4, 2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_are_dealt_with_here_are_not_counted_anew() {
    let (server, bus) = started().await;
    let letters = ["ingest", "archiver", "archiver", "ingest", "ingest", "archiver"];
    for (number, service) in letters.into_iter().enumerate() {
        let origin = (service == "archiver").then(matched);
        bus.dead_letter(&letter(service, "refused", origin), &format!("d{number}")).await.unwrap();
    }
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut read = client.subscribe("$JS.API.CONSUMER.>").await.unwrap();
    client.flush().await.unwrap();
    // How many of ingest and the archiver there are, and how often headers were read for it.
    let mut counted = async || {
        let dead = bus.overview().await.unwrap().dead;
        assert!(dead.complete);
        let count = |service: &str| dead.reasons.get(&(service.to_owned(), "refused".to_owned())).copied().unwrap_or(0);
        // Whatever was asked before has come when this has.
        client.publish("$JS.API.CONSUMER.MARK", "".into()).await.unwrap();
        let mut reads = 0;
        loop {
            let asked =
                tokio::time::timeout(Duration::from_secs(30), read.next()).await.expect("the mark comes").unwrap();
            if asked.subject.ends_with(".MARK") {
                break;
            }
            reads += usize::from(["CREATE", "VEDETTE_DEAD"].iter().all(|part| asked.subject.contains(part)));
        }
        assert_eq!(dead.messages, dead.reasons.values().sum::<u64>());
        (count("ingest"), count("archiver"), reads)
    };
    assert_eq!(counted().await, (3, 3, 1));
    bus.discard_letter(4).await.unwrap();
    assert_eq!(counted().await, (2, 3, 0), "in the middle");
    bus.requeue_letter(3).await.unwrap();
    bus.discard_letter(1).await.unwrap();
    assert_eq!(counted().await, (1, 2, 0), "the first, and one behind it");
    assert_eq!(bus.letters(&LetterFilter::default(), None, 1).await.unwrap().letters[0].sequence, 6);
    bus.discard_letter(6).await.unwrap();
    counted().await;
    assert_eq!(counted().await, (1, 1, 0), "the last");
    // What others remove is found out.
    plain(&server).await.get_stream("VEDETTE_DEAD").await.unwrap().delete_message(2).await.unwrap();
    assert_eq!(counted().await, (1, 0, 1));
    // One that came since and was not counted.
    bus.dead_letter(&letter("ingest", "refused", None), "d7").await.unwrap();
    bus.discard_letter(7).await.unwrap();
    assert_eq!(counted().await, (1, 0, 0));
    bus.dead_letter(&letter("ingest", "refused", None), "d8").await.unwrap();
    assert_eq!(counted().await, (2, 0, 1));
}

/// Whether any file in the folder has these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| match entry.file_type().unwrap().is_dir() {
        true => holds(&entry.path(), bytes),
        // It may have gone meanwhile.
        false => std::fs::read(entry.path()).is_ok_and(|file| file.windows(bytes.len()).any(|part| part == bytes)),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_dealt_with_leaves_no_bytes_behind() {
    let (server, bus) = started().await;
    let secret = noise(100);
    let letter = DeadLetter { payload: secret.clone().into(), ..letter("ingest", "not_utf8", None) };
    for (number, letter) in
        [&letter, &DeadLetter { payload: noise(7).into(), ..letter.clone() }].into_iter().enumerate()
    {
        bus.dead_letter(letter, &format!("d{number}")).await.unwrap();
    }
    assert!(holds(server.folder(), &secret), "it stands there as it is");
    bus.discard_letter(1).await.unwrap();
    until("the bytes to be gone", async || !holds(server.folder(), &secret)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_letter_is_published_again_with_counts_of_its_own() {
    let (_server, bus) = started().await;
    for (number, (service, origin)) in
        [("evaluator", event()), ("archiver", matched()), ("alerter", raised())].into_iter().enumerate()
    {
        bus.dead_letter(&letter(service, "refused", Some(origin)), &format!("d{number}")).await.unwrap();
    }
    // Several at once, as after a crash or by two people: it is published once.
    for sequence in 1..=3 {
        let all = join_all((0..6).map(|_| bus.requeue_letter(sequence))).await;
        assert!(all.iter().any(Result::is_ok), "{all:?}");
        let fine = |it: &Result<_, LetterError>| matches!(it, Ok(_) | Err(LetterError::Missing(_)));
        assert!(all.iter().all(fine), "{all:?}");
    }
    assert_eq!(walk(&bus, &LetterFilter::default(), 10).await, [0; 0]);
    let streams = bus.overview().await.unwrap().streams;
    assert_eq!(streams.iter().take(3).map(|stream| stream.messages).collect::<Vec<_>>(), [1, 1, 1]);

    for kind in [Kind::Archive, Kind::Alert] {
        let delivery = next(&mut bus.events(kind)).await;
        let batch = delivery.message.as_ref().unwrap();
        assert_eq!((delivery.batch.as_str(), batch.cluster.as_str(), batch.received_unix_nanos), ("b1+1", "east", 5));
        assert_eq!(batch.events, [Event { id: vec![1; 16].into(), json: "{\"verb\":\"get\"}".into() }]);
        let expected = IngestCounts { published: 1, requeued: 1, requeued_alert_only: 1, ..IngestCounts::default() };
        assert_eq!(delivery.counts, expected);
    }
    let archive = next(&mut bus.archive_results()).await.message.unwrap();
    let rules = vec!["a.b".to_owned(), "a.c".to_owned()];
    let expected = ArchiveResult {
        batch: "b1+2".to_owned(),
        cluster: "east".to_owned(),
        received_unix_nanos: 5,
        generation: 3,
        counts: Some(ArchiveCounts { requeued: 1, ..ArchiveCounts::default() }),
        matches: vec![ArchiveMatch { id: vec![2; 16].into(), json: "{\"verb\":\"get\"}".into(), rules }],
        ..ArchiveResult::default()
    };
    assert_eq!(archive, expected);
    let alerts = next(&mut bus.alert_results()).await.message.unwrap();
    assert_eq!((alerts.batch.as_str(), alerts.received_unix_nanos), ("b1+3", 5));
    assert_eq!(alerts.counts, Some(AlertCounts { requeued: 1, ..AlertCounts::default() }));
    assert_eq!(alerts.alerts, [alert()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_requeued_says_why_and_stays() {
    let (_server, bus) = started().await;
    let cut = DeadLetter { payload: noise(9 << 20).into(), ..letter("evaluator", "unreadable", Some(event())) };
    let letters = [
        (letter("ingest", "not_utf8", None), "ingest could not read it"),
        (letter("archiver", "undecodable_zstd", None), "nobody could read"),
        (letter("evaluator", "unreadable", None), "does not hold all"),
        (cut, "was cut"),
    ];
    for (sequence, (letter, why)) in (1..).zip(letters) {
        bus.dead_letter(&letter, &format!("d{sequence}")).await.unwrap();
        let error = bus.requeue_letter(sequence).await.unwrap_err();
        assert!(matches!(&error, LetterError::Stays { why: said, .. } if said.contains(why)), "{error}");
        assert!(bus.letter(sequence).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_stays_while_its_message_is_not_stored() {
    let server = NatsServer::start();
    let mut config = config(&server);
    config.limits.results_bytes = 1 << 20;
    let bus = bus(&config).await;
    let letter = DeadLetter { payload: noise(900_000).into(), ..letter("archiver", "refused", Some(matched())) };
    for number in 0..2 {
        bus.dead_letter(&letter, &format!("d{number}")).await.unwrap();
    }
    bus.requeue_letter(1).await.unwrap();
    let error = bus.requeue_letter(2).await.unwrap_err();
    assert!(matches!(&error, LetterError::Publish { source, .. } if source.code() == "full"), "{error:?}");
    let kept = bus.letter(2).await.unwrap().letter;
    assert_eq!(kept, decode::<DeadLetter>(&encode(&letter), MAX_RAW_BYTES).unwrap());
}
