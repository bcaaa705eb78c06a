//! The archiver on a real nats-server with the embedded archive: everything once, the books balanced, whatever fails when.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests report by panicking"
)]

#[path = "it/archives.rs"]
mod archives;
#[path = "it/rig.rs"]
mod rig;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use vedette_archive::{Field, Filter, Page, Query};
use vedette_bus::Kind;
use vedette_proto::bus::v1::ArchiveCounts;

use archives::{Failing, Fault};
use rig::{FOREVER, Rig, event, result};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_what_matched_and_books_every_batch() {
    let mut rig = Rig::new().await;
    rig.start(rig.archive());
    rig.publish(&result("a", 10, 0..3)).await;
    // Nothing matched: the books still need it.
    rig.publish(&result("b", 5, 0..0)).await;
    // The same events in another batch, and one more.
    rig.publish(&result("c", 7, 1..4)).await;
    let books = rig.books(3).await;
    assert_eq!(books.stored_duplicate_rejected("a"), (3, 0, 0));
    assert_eq!(books.stored_duplicate_rejected("b"), (0, 0, 0));
    assert_eq!(books.stored_duplicate_rejected("c"), (1, 2, 0));
    books.balance();
    assert_eq!(books["a"].blind[0].field, "requestObject.spec");
    rig.drained().await;
    assert_eq!(rig.names().await, ["pod-0", "pod-1", "pod-2", "pod-3"]);
    assert_eq!(rig.metric("vedette_archiver_events_total{outcome=\"duplicate\"}"), 2.0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_was_stored_and_not_booked_is_booked_as_stored() {
    let mut rig = Rig::new().await;
    // Full with both batches, and never due before: they are one commit.
    rig.commit.documents = 6;
    rig.commit.delay_millis = 30_000;
    rig.publish(&result("a", 10, 0..3)).await;
    rig.publish(&result("b", 10, 2..5)).await;
    // Killed between the archive's commit and the books: the archive has everything, and nobody was told.
    let deaf = Failing::new(rig.archive(), Fault::HangAfterWrite);
    rig.start(deaf.clone());
    deaf.writes_reach(1).await;
    rig.kill().await;
    assert_eq!(rig.names().await.len(), 5);
    rig.commit.delay_millis = 20;
    rig.start(rig.archive());
    let books = rig.books(2).await;
    books.balance();
    assert_eq!(books.stored_duplicate_rejected("a"), (3, 0, 0));
    assert_eq!(books.stored_duplicate_rejected("b"), (2, 1, 0));
    rig.drained().await;
    assert_eq!(rig.names().await.len(), 5);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_stores_and_books_everything_once() {
    let mut rig = Rig::new().await;
    let (mut batches, mut events) = (0, 0);
    for round in 0..12_u64 {
        rig.start(rig.archive());
        for _ in 0..8 {
            rig.publish(&result(&format!("batch-{batches}"), 40, events..events + 30)).await;
            (batches, events) = (batches + 1, events + 30);
        }
        // Somewhere between the first message and the last acknowledgement.
        rig.written_or_waited(Duration::from_millis(round * 12)).await;
        rig.kill().await;
    }
    rig.start(rig.archive());
    let books = rig.books(batches).await;
    books.balance();
    for batch in 0..batches {
        assert_eq!(books.stored_duplicate_rejected(&format!("batch-{batch}")), (30, 0, 0), "batch-{batch}");
    }
    rig.drained().await;
    assert_eq!(rig.archive().count(&Query::default()).await.unwrap(), events as u64);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_is_away_loses_nothing_and_is_not_ready() {
    let mut rig = Rig::new().await;
    let away = Failing::new(rig.archive(), Fault::Away);
    rig.start(away.clone());
    rig.publish(&result("a", 10, 0..3)).await;
    away.writes_reach(3).await;
    let archive = rig.component("archive").await;
    assert_eq!(archive, Some("the archive is unavailable: gone fishing".to_owned()));
    away.mend();
    rig.books(1).await.balance();
    rig.drained().await;
    assert_eq!(rig.names().await.len(), 3);
    assert_eq!(rig.component("archive").await, None);
    assert_eq!(rig.dead_letters().await, []);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_while_the_archive_is_away_it_gives_its_batches_back() {
    let mut rig = Rig::with_ack_wait(FOREVER).await;
    let away = Failing::new(rig.archive(), Fault::Away);
    rig.start(away.clone());
    rig.publish(&result("a", 10, 0..3)).await;
    away.writes_reach(1).await;
    rig.stop().await;
    // Given back, not left to the broker's patience.
    rig.start(rig.archive());
    rig.books(1).await.balance();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_can_not_reach_its_archive_leaves_the_batches_to_another() {
    let mut rig = Rig::with_ack_wait(FOREVER).await;
    let away = Failing::new(rig.archive(), Fault::Away);
    rig.start(away.clone());
    for batch in 0..40 {
        rig.publish(&result(&format!("batch-{batch}"), 10, batch * 3..batch * 3 + 3)).await;
    }
    // It has batches in hand, more of them gathered, and others fetched.
    away.writes_reach(1).await;
    rig.start_another(rig.archive());
    let books =
        tokio::time::timeout(Duration::from_secs(30), rig.books(40)).await.expect("the other one books them all");
    books.balance();
    rig.drained().await;
    assert_eq!(rig.names().await.len(), 120);
    assert_eq!(rig.dead_letters().await, []);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_while_the_archive_does_not_answer_it_ends_and_gives_its_batches_back() {
    let mut rig = Rig::with_ack_wait(FOREVER).await;
    let hung = Failing::new(rig.archive(), Fault::HangAfterWrite);
    rig.start(hung.clone());
    rig.publish(&result("a", 10, 0..3)).await;
    hung.writes_reach(1).await;
    rig.stop().await;
    rig.start(rig.archive());
    let books = rig.books(1).await;
    books.balance();
    assert_eq!(books.stored_duplicate_rejected("a"), (3, 0, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_is_refused_goes_to_the_dead_letters_verbatim() {
    let mut rig = Rig::new().await;
    rig.start(Failing::new(rig.archive(), Fault::Reject("pod-1")));
    rig.publish(&result("a", 10, 0..3)).await;
    let books = rig.books(1).await;
    books.balance();
    assert_eq!(books.stored_duplicate_rejected("a"), (2, 0, 1));
    rig.drained().await;
    assert_eq!(rig.names().await, ["pod-0", "pod-2"]);
    let letters = rig.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].service.as_str(), letters[0].reason.as_str()), ("archiver", "refused_by_archive"));
    assert_eq!((letters[0].batch.as_str(), letters[0].detail.as_str()), ("a", "it has a hat"));
    assert_eq!(letters[0].payload, event(1).as_bytes());

    // Requeued once the archive takes it, it is stored with the rules that it was found by.
    rig.stop().await;
    rig.start(rig.archive());
    rig.bus.requeue_letter(1).await.unwrap();
    let books = rig.books(2).await;
    books.balance();
    assert_eq!(books["a+1"].counts, Some(ArchiveCounts { requeued: 1, ..ArchiveCounts::default() }));
    assert_eq!(books.stored_duplicate_rejected("a+1"), (1, 0, 0));
    assert_eq!(rig.names().await, ["pod-0", "pod-1", "pod-2"]);
    let stored = rig.archive().search(&Query::of(Filter::contains(Field::Name, ["pod-1"])), &Page::default()).await;
    let stored = String::from_utf8(stored.unwrap().documents[0].to_vec()).unwrap();
    assert!(stored.contains("archiving-rule.archiving"), "{stored}");
    // As a letter that was requeued before a kill and is still there: a second time is no second record.
    rig.bus.dead_letter(&letters[0], "left-over").await.unwrap();
    rig.bus.requeue_letter(2).await.unwrap();
    let books = rig.books(3).await;
    books.balance();
    assert_eq!(books.stored_duplicate_rejected("a+2"), (0, 1, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_can_not_be_written_gives_up_its_culprit_in_the_fourth_delivery() {
    // What comes again was given back.
    let mut rig = Rig::with_ack_wait(FOREVER).await;
    let failing = Failing::new(rig.archive(), Fault::Refuse("pod-1"));
    rig.start(failing.clone());
    rig.publish(&result("a", 10, 0..3)).await;
    // Beside it others go on.
    rig.publish(&result("b", 10, 5..7)).await;
    let books = rig.books(2).await;
    books.balance();
    assert_eq!(books.stored_duplicate_rejected("a"), (2, 0, 1));
    assert_eq!(books.stored_duplicate_rejected("b"), (2, 0, 0));
    rig.drained().await;
    assert_eq!(rig.names().await, ["pod-0", "pod-2", "pod-5", "pod-6"]);
    let letters = rig.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].payload, event(1).as_bytes());
    assert!(letters[0].detail.contains("no such hat"), "{}", letters[0].detail);
    // In each of four deliveries once as it came and once by itself, then each of its documents: nothing else is tried. The
    // other batch once, alone or with this one.
    let writes = failing.writes.load(Ordering::SeqCst);
    assert!((11..=13).contains(&writes), "{writes}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_makes_no_document_is_a_dead_letter() {
    let mut rig = Rig::new().await;
    rig.start(rig.archive());
    let mut bad = result("a", 10, 0..3);
    bad.matches[1].json = Bytes::from_static(b"[1]");
    rig.publish(&bad).await;
    let books = rig.books(1).await;
    books.balance();
    assert_eq!(books.stored_duplicate_rejected("a"), (2, 0, 1));
    let letters = rig.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].payload.as_ref(), b"[1]");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_can_not_be_read_is_a_dead_letter_in_the_fourth_delivery() {
    let mut rig = Rig::new().await;
    rig.start(rig.archive());
    let garbage = Bytes::from_static(b"no zstd frame");
    rig.bus.publish_result(Kind::Archive, "default", "garbled", garbage.clone()).await.unwrap();
    rig.publish(&result("a", 10, 0..3)).await;
    rig.books(1).await.balance();
    rig.drained().await;
    let letters = rig.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].batch.as_str(), &letters[0].payload), ("garbled", &garbage));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_days_are_dropped() {
    let mut rig = Rig::new().await;
    rig.start(rig.archive());
    rig.publish(&result("a", 10, 0..3)).await;
    rig.books(1).await;
    rig.stop().await;
    assert_eq!(rig.names().await.len(), 3);
    rig.retention_days = 7;
    rig.start(rig.archive());
    let query = Query::of(Filter::contains(Field::Name, ["pod"]));
    // Counted after it is done.
    rig.metric_reaches("vedette_archiver_purged_days_total", 1.0).await;
    let hits = rig.archive().search(&query, &Page::default()).await.unwrap();
    assert_eq!(hits.total, 0, "the sample is of 2020");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drops_the_oldest_days_for_want_of_room_and_counts_them() {
    let mut rig = Rig::with_max_bytes(1).await;
    rig.publish(&result("a", 10, 0..3)).await;
    // A day later.
    rig.publish(&result("b", 10, 1_000..1_001)).await;
    rig.start(rig.archive());
    rig.metric_reaches("vedette_archiver_trimmed_events_total", 3.0).await;
    assert_eq!(rig.metric("vedette_archiver_trimmed_days_total"), 1.0);
    rig.books(2).await.balance();
    assert_eq!(rig.names().await, ["pod-1000"], "the newest day stays");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_what_the_archive_warns_of() {
    let mut rig = Rig::new().await;
    let warns = Failing::new(rig.archive(), Fault::Warns);
    rig.start(warns.clone());
    rig.metric_reaches("vedette_archiver_archive_warnings", 1.0).await;
    warns.mend();
    rig.metric_reaches("vedette_archiver_archive_warnings", 0.0).await;
    rig.stop().await;
}
