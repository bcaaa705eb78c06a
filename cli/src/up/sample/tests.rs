use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Sample;

fn open(folder: &std::path::Path, now: &str) -> Sample {
    Sample::open(folder, None, "the embedded archive", now.parse().unwrap()).unwrap()
}

fn events(body: &[u8]) -> Vec<Value> {
    let list: Value = serde_json::from_slice(body).unwrap();
    list["items"].as_array().or_else(|| list["Items"].as_array()).unwrap().clone()
}

/// A member of an event, however it is spelt.
fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    let member = event.as_object().unwrap().iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    member.unwrap().1.as_str().unwrap()
}

fn at(event: &Value, name: &str) -> Timestamp {
    text(event, name).parse().unwrap()
}

#[test]
fn the_bundled_sample_lies_before_the_anchor_request_by_request() {
    let folder = tempfile::tempdir().unwrap();
    let now: Timestamp = "2027-03-01T12:00:00.7Z".parse().unwrap();
    let sample = open(folder.path(), &now.to_string());
    assert_eq!(sample.anchor().to_string(), "2027-03-01T12:00:00Z");
    let mut due = sample.due().unwrap().into_iter();

    let mut counts = Vec::new();
    let mut first = sample.anchor();
    for part in &sample.parts {
        let mut offsets: BTreeMap<String, BTreeSet<SignedDuration>> = BTreeMap::new();
        let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
        for list in super::lists(&part.raw).unwrap() {
            let moved = due.next().unwrap();
            for (before, after) in events(&list.body).iter().zip(&events(&moved.body)) {
                let received = at(after, "requestReceivedTimestamp");
                let offset = received.duration_since(at(before, "requestReceivedTimestamp"));
                assert_eq!(at(after, "stageTimestamp").duration_since(at(before, "stageTimestamp")), offset);
                offsets.entry(text(before, "auditID").to_owned()).or_default().insert(offset);
                let age = sample.anchor().duration_since(received);
                let most = if part.places.is_some() { super::DAYS * 24 } else { super::HOURS };
                assert!(age > SignedDuration::ZERO && age < SignedDuration::from_hours(most), "{age}");
                assert!(at(after, "stageTimestamp") < sample.anchor(), "{after}");
                *hours.entry(age.as_hours()).or_default() += 1;
                first = first.min(received);
                let rest = [before, after].map(|event| {
                    let mut rest = event.clone();
                    let times = ["requestreceivedtimestamp", "stagetimestamp"];
                    rest.as_object_mut().unwrap().retain(|name, _| !times.contains(&&*name.to_ascii_lowercase()));
                    rest
                });
                assert_eq!(rest[0], rest[1], "nothing else changes");
            }
        }
        assert!(offsets.values().all(|offsets| offsets.len() == 1), "each request moves as a whole");
        counts.push((hours.values().sum::<u64>(), hours.len()));
    }
    assert!(due.next().is_none());
    assert_eq!(sample.since(), first);
    assert_eq!(sample.events(), counts.iter().map(|(events, _)| events).sum::<u64>());
    let [(traffic, hours), (kubesphere, _), (incidents, _)] = counts[..] else { panic!("{counts:?}") };
    assert_eq!((traffic, hours, kubesphere, incidents), (15_459, 12, 29, 471));
}

#[test]
fn every_request_of_the_incidents_has_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let sample = open(folder.path(), "2027-03-01T12:00:00Z");
    for part in &sample.parts {
        let Some(places) = &part.places else { continue };
        let lists = super::lists(&part.raw).unwrap();
        let found: BTreeSet<String> =
            lists.iter().flat_map(|list| events(&list.body)).map(|event| text(&event, "auditID").to_owned()).collect();
        let placed: BTreeSet<String> = places.before(sample.anchor()).into_keys().map(str::to_owned).collect();
        assert_eq!(found, placed);
    }
}

#[test]
fn a_later_start_makes_the_same_bytes_and_only_of_what_was_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), "2027-03-01T12:00:00Z");
    assert!(!first.begun() && !first.complete());
    let all = first.due().unwrap();
    let mut notes = first.notes().unwrap();
    for index in [0, 7] {
        notes.taken(index).unwrap();
    }
    // Killed while it wrote: this may have become 12.
    std::io::Write::write_all(&mut notes.0, b"1").unwrap();

    let second = open(folder.path(), "2027-03-05T08:00:00Z");
    assert!(second.begun() && !second.complete());
    assert_eq!(second.anchor(), first.anchor());
    let rest = second.due().unwrap();
    assert_eq!(rest.len(), all.len() - 2);
    for list in &rest {
        assert!(![0, 7].contains(&list.index));
        assert_eq!(list.body, all[list.index].body);
    }

    let mut notes = second.notes().unwrap();
    for list in &rest {
        notes.taken(list.index).unwrap();
    }
    let third = open(folder.path(), "2027-03-05T09:00:00Z");
    assert!(third.complete() && third.due().unwrap().is_empty());
}

#[test]
fn another_sample_is_not_mixed_into_one_that_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.json");
    std::fs::write(&other, r#"{"items":[{"requestReceivedTimestamp":"2026-01-01T00:00:00Z"}]}"#).unwrap();
    let data = folder.path().join("data");
    open(&data, "2027-03-01T12:00:00Z");
    let error = Sample::open(&data, Some(&other), "x", Timestamp::now()).unwrap_err().render(false);
    assert!(error.contains("begun with another file"), "{error}");
}
