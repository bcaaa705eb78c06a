//! The embedded engine: conformance, and what a process that is killed leaves behind.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use vedette_archive::{Archive, Config, Mode, OpenError, Query, WriteBatch, open};

use crate::corpus;
use crate::suite::Subject;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn embedded_conforms() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let archive = runtime.block_on(open(&Config::embedded(dir.path()), Mode::Write)).unwrap();
    let refresh = Box::new(|| {});
    Subject { name: "embedded", archive, runtime: &runtime, refresh, off_by: 0, cases: 400 }.conforms();
}

#[test]
fn a_second_writer_is_told_who_has_the_archive() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let config = Config::embedded(dir.path());
    let first = runtime.block_on(open(&config, Mode::Write)).unwrap();
    match runtime.block_on(open(&config, Mode::Write)).map(drop) {
        Err(error @ OpenError::Locked { .. }) => {
            assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        }
        other => panic!("{other:?}"),
    }
    drop(first);
    runtime.block_on(open(&config, Mode::Write)).unwrap();
}

#[test]
fn a_reader_sees_what_a_writer_commits_and_drops() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let config = Config::embedded(dir.path());
    let reader = runtime.block_on(open(&config, Mode::Read)).unwrap();
    let count = |archive: &Arc<dyn Archive>| runtime.block_on(archive.count(&Query::default())).unwrap();
    assert_eq!(count(&reader), 0);
    let writer = runtime.block_on(open(&config, Mode::Write)).unwrap();
    let mut expected = 0;
    for batch in corpus::batches("b").into_iter().take(12) {
        expected += batch.documents.len() as u64;
        runtime.block_on(writer.write(&[batch])).unwrap();
        assert_eq!(count(&reader), expected);
        assert_eq!(count(&writer), expected);
    }
    runtime.block_on(writer.purge(i64::MAX)).unwrap();
    assert_eq!(count(&reader), 0);
    assert!(runtime.block_on(reader.write(&[])).is_err());
}

#[test]
fn a_day_that_can_not_be_dropped_stays_and_is_dropped_by_the_next_purge() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let archive = runtime.block_on(open(&Config::embedded(dir.path()), Mode::Write)).unwrap();
    let batch = corpus::batches("b").remove(0);
    let expected = batch.documents.len() as u64;
    runtime.block_on(archive.write(std::slice::from_ref(&batch))).unwrap();
    let count = || runtime.block_on(archive.count(&Query::default())).unwrap();
    let day = |entry: std::io::Result<std::fs::DirEntry>| Some(entry.unwrap().path()).filter(|path| path.is_dir());
    let days: Vec<_> = std::fs::read_dir(dir.path()).unwrap().filter_map(day).collect();
    // In the way of the first one's new name: a file, and of the others a directory that was not removed whole.
    let (first, others) = days.split_first().unwrap();
    let in_the_way = first.with_extension("dropped");
    std::fs::write(&in_the_way, "").unwrap();
    for other in others {
        let left = other.with_extension("dropped");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("left"), "").unwrap();
    }
    runtime.block_on(archive.purge(i64::MAX)).unwrap_err();
    assert_ne!(count(), 0, "what is on disk is found");
    std::fs::remove_file(&in_the_way).unwrap();
    runtime.block_on(archive.purge(i64::MAX)).unwrap();
    assert_eq!(count(), 0);
    assert!(days.iter().all(|day| !day.exists() && !day.with_extension("dropped").exists()));
    // Nothing of it is remembered as stored.
    let reports = runtime.block_on(archive.write(&[batch])).unwrap();
    assert_eq!((reports[0].stored, reports[0].duplicate), (expected, 0));
}

#[test]
fn the_oldest_day_is_let_go_and_taken_up_again() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let mut config = Config::embedded(dir.path());
    config.embedded.open_days = 2;
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    // Each batch has documents of all seven days.
    for _ in 0..2 {
        for batch in corpus::batches("b").into_iter().take(4) {
            let expected = batch.documents.len() as u64;
            let reports = runtime.block_on(archive.write(&[batch])).unwrap();
            assert_eq!((reports[0].stored, reports[0].duplicate), (expected, 0));
        }
    }
}

/// The days that are on disk.
fn days_of(runtime: &Runtime, archive: &Arc<dyn Archive>) -> Vec<i64> {
    runtime.block_on(archive.days()).unwrap().iter().map(|day| day.start_micros).collect()
}

#[test]
fn the_oldest_days_are_dropped_while_the_archive_is_too_large() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let mut config = Config::embedded(dir.path());
    config.embedded.min_free_bytes = 0;
    let batches: Vec<_> = corpus::batches("b").into_iter().take(8).collect();
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    runtime.block_on(archive.write(&batches)).unwrap();
    assert_eq!(runtime.block_on(archive.trim()).unwrap().days, 0, "no bound");
    let all = runtime.block_on(archive.days()).unwrap();
    drop(archive);
    // Room for the newest two and a half.
    let newest: u64 = all.iter().rev().take(2).map(|day| day.bytes).sum();
    config.embedded.max_bytes = newest + all[all.len() - 3].bytes / 2;
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    let trimmed = runtime.block_on(archive.trim()).unwrap();
    let gone = &all[..all.len() - 2];
    assert_eq!((trimmed.days, trimmed.events), (gone.len() as u64, gone.iter().map(|day| day.events).sum()));
    let left: Vec<i64> = all[all.len() - 2..].iter().map(|day| day.start_micros).collect();
    assert_eq!(days_of(&runtime, &archive), left);
    assert_eq!(runtime.block_on(archive.trim()).unwrap().days, 0, "it fits");
    // What was dropped can be written again, and is dropped again.
    runtime.block_on(archive.write(&batches)).unwrap();
    runtime.block_on(archive.trim()).unwrap();
    assert_eq!(days_of(&runtime, &archive), left);
    drop(archive);
    config.embedded.max_bytes = 1;
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    runtime.block_on(archive.trim()).unwrap();
    assert_eq!(days_of(&runtime, &archive), left[1..], "never the newest");
}

#[test]
fn a_full_disk_costs_the_oldest_days_and_then_holds_up_writes() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let mut config = Config::embedded(dir.path());
    let batches: Vec<_> = corpus::batches("b").into_iter().take(2).collect();
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    runtime.block_on(archive.write(&batches[..1])).unwrap();
    let newest = days_of(&runtime, &archive).pop().unwrap();
    drop(archive);
    // No disk has so much.
    config.embedded.min_free_bytes = u64::MAX;
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    // There are days to drop: until that is done, it is written to.
    runtime.block_on(archive.write(&batches[1..])).unwrap();
    assert!(runtime.block_on(archive.trim()).unwrap().days >= 6);
    assert_eq!(days_of(&runtime, &archive), [newest]);
    let refused = runtime.block_on(archive.write(&batches[..1])).unwrap_err();
    assert!(refused.is_retryable() && refused.to_string().contains("only the newest day is left"), "{refused}");
    let health = runtime.block_on(archive.health());
    assert!(!health.ready && health.detail.contains("minFreeBytes"), "{health:?}");
    assert!(runtime.block_on(archive.count(&Query::default())).unwrap() > 0, "what is there is found");
    // Nothing is lost: with room again the same batch is written.
    drop(archive);
    config.embedded.min_free_bytes = 0;
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    assert_eq!(runtime.block_on(archive.write(&batches[..1])).unwrap()[0].stored, batches[0].documents.len() as u64);
}

#[test]
fn days_that_another_version_made_are_left_alone() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let config = Config::embedded(dir.path());
    let batch = corpus::batches("b").remove(0);
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    runtime.block_on(archive.write(std::slice::from_ref(&batch))).unwrap();
    let days = runtime.block_on(archive.days()).unwrap();
    drop(archive);
    // An index of another schema in the place of two days.
    let path = |day: &str| dir.path().join(day);
    for day in ["2026-11-17", "2026-11-18"] {
        let meta = std::fs::read_to_string(path(day).join("meta.json")).unwrap();
        assert!(meta.contains("\"id_high\""), "{meta}");
        std::fs::write(path(day).join("meta.json"), meta.replace("\"id_high\"", "\"id_upper\"")).unwrap();
    }
    let others: u64 =
        days.iter().filter(|day| [17, 18].contains(&day_of_month(day.start_micros))).map(|day| day.events).sum();
    let events = batch.documents.len() as u64 - others;
    let count = |archive: &Arc<dyn Archive>| runtime.block_on(archive.count(&Query::default())).unwrap();
    for mode in [Mode::Read, Mode::Write] {
        let archive = runtime.block_on(open(&config, mode)).unwrap();
        assert_eq!(count(&archive), events);
        let size = runtime.block_on(archive.size()).unwrap();
        assert_eq!((size.days, size.events), (days.len() as u64 - 2, events));
        let health = runtime.block_on(archive.health());
        assert!(
            health.ready && health.detail.contains("2 days were made by another version and are not shown"),
            "{health:?}"
        );
    }
    // Written to, such a day begins anew beside what was there.
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    runtime.block_on(archive.write(std::slice::from_ref(&batch))).unwrap();
    assert_eq!(count(&archive), batch.documents.len() as u64);
    assert!(path("2026-11-17").exists() && path("2026-11-17.other-1").join("meta.json").exists());
    assert_eq!(runtime.block_on(archive.warnings()).len(), 1);
    drop(archive);
    let archive = runtime.block_on(open(&config, Mode::Write)).unwrap();
    assert_eq!(runtime.block_on(archive.warnings()).len(), 1, "still there");
    // And it goes when its time has come.
    let eighteenth_ends = 1_795_046_400_000_000;
    runtime.block_on(archive.purge(eighteenth_ends)).unwrap();
    assert!(!path("2026-11-17.other-1").exists() && !path("2026-11-18.other-1").exists());
    assert_eq!(runtime.block_on(archive.warnings()), Vec::<String>::new());
}

/// Of a day in November 2026.
fn day_of_month(start_micros: i64) -> i64 {
    let first_of_november = 1_793_491_200_000_000;
    (start_micros - first_of_november) / 86_400_000_000 + 1
}

/// What the process that is killed writes: each batch has documents of all seven days.
fn few() -> Vec<WriteBatch> {
    corpus::batches("b").into_iter().take(24).collect()
}

/// Set for the process that `a_killed_writer_loses_nothing…` kills.
const VICTIM: &str = "VEDETTE_TEST_VICTIM";

#[test]
fn victim() {
    let Some(dir) = std::env::var_os(VICTIM) else { return };
    let runtime = runtime();
    let archive = runtime.block_on(open(&Config::embedded(dir), Mode::Write)).unwrap();
    let mut out = std::io::stdout();
    let batches = few();
    for (at, batch) in batches.iter().enumerate() {
        if at + 1 == batches.len() {
            // It is killed before it is done: nobody says anything to it.
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        runtime.block_on(archive.write(std::slice::from_ref(batch))).unwrap();
        writeln!(out, "\nwritten {}", batch.key).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_it_reported_and_doubles_nothing() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let batches = few();
    let all: usize = batches.iter().map(|batch| batch.documents.len()).sum();
    let mut reported = std::collections::BTreeSet::new();
    // Killed at other moments of a commit each time: after n batches and some milliseconds.
    for (round, delay) in [0, 3, 7, 13, 29].into_iter().enumerate() {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "embedded::victim", "--nocapture", "--test-threads", "1"])
            .env(VICTIM, dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let written = |line: String| line.strip_prefix("written ").map(str::to_owned);
        let wanted = 3 + round;
        let first: Vec<String> = lines.by_ref().map_while(Result::ok).filter_map(written).take(wanted).collect();
        assert_eq!(first.len(), wanted);
        let until = Instant::now() + Duration::from_millis(delay);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        reported.extend(first);
        reported.extend(lines.map_while(Result::ok).filter_map(written));

        let archive = runtime.block_on(open(&Config::embedded(dir.path()), Mode::Write)).unwrap();
        let count = runtime.block_on(archive.count(&Query::default())).unwrap();
        let certain: usize = batches.iter().filter(|b| reported.contains(&b.key)).map(|b| b.documents.len()).sum();
        assert!(count >= certain as u64, "{count} of {certain} at least");
        assert!(count < all as u64, "the last batch is not written");
        drop(archive);
    }
    // What was begun and never reported is written again: as if it had been the first time.
    let archive = runtime.block_on(open(&Config::embedded(dir.path()), Mode::Write)).unwrap();
    for (batch, report) in batches.iter().zip(runtime.block_on(archive.write(&batches)).unwrap()) {
        assert_eq!((report.stored, report.duplicate), (batch.documents.len() as u64, 0), "{}", batch.key);
    }
    let count = runtime.block_on(archive.count(&Query::default())).unwrap();
    assert_eq!(count, all as u64);
}

/// Who asks and goes away keeps no thread busy: many who do so don't keep others from their answers.
#[test]
fn a_question_that_nobody_waits_for_is_left_off() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let archive = runtime.block_on(open(&Config::embedded(dir.path()), Mode::Write)).unwrap();
    runtime.block_on(archive.write(&few())).unwrap();
    let part = || vedette_archive::Filter::contains(vedette_archive::Field::Name, ["no such name"]);
    // As much as can be asked: seconds of walking each.
    let long = Query::of(vedette_archive::Filter::Any(vec![part(); 900]));
    runtime.block_on(async {
        for _ in 0..200 {
            let asked = tokio::time::timeout(Duration::from_millis(1), archive.count(&long)).await;
            assert!(asked.is_err(), "it is long");
        }
        let count = tokio::time::timeout(Duration::from_secs(60), archive.count(&Query::default())).await;
        assert!(count.unwrap().unwrap() > 0);
    });
}
