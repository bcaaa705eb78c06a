use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Sample;

fn open(folder: &std::path::Path, now: &str) -> Sample {
    Sample::open(folder, None, "the embedded archive", now.parse().unwrap()).unwrap()
}

fn events(sample: &Sample) -> Vec<Value> {
    let lists = sample.due().unwrap();
    lists
        .iter()
        .flat_map(|list| serde_json::from_slice::<Value>(&list.body).unwrap()["items"].as_array().unwrap().clone())
        .collect()
}

#[test]
fn the_bundled_sample_lies_in_the_twelve_hours_before_the_anchor_request_by_request() {
    let folder = tempfile::tempdir().unwrap();
    let now: Timestamp = "2027-03-01T12:00:00.7Z".parse().unwrap();
    let sample = open(folder.path(), &now.to_string());
    let events = events(&sample);
    assert_eq!(events.len() as u64, sample.events());
    assert_eq!(sample.events(), 15_459);
    assert_eq!(sample.anchor().to_string(), "2027-03-01T12:00:00Z");

    let raw = super::unpack(None).unwrap();
    let before: Vec<Value> = super::lists(&raw)
        .unwrap()
        .iter()
        .flat_map(|list| serde_json::from_slice::<Value>(&list.body).unwrap()["items"].as_array().unwrap().clone())
        .collect();
    let at = |event: &Value, name: &str| event[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    let mut offsets: BTreeMap<&str, BTreeSet<SignedDuration>> = BTreeMap::new();
    let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
    for (before, after) in before.iter().zip(&events) {
        let received = at(after, "requestReceivedTimestamp");
        let offset = received.duration_since(at(before, "requestReceivedTimestamp"));
        assert_eq!(at(after, "stageTimestamp").duration_since(at(before, "stageTimestamp")), offset);
        offsets.entry(before["auditID"].as_str().unwrap()).or_default().insert(offset);
        let age = sample.anchor().duration_since(received);
        assert!(age > SignedDuration::ZERO && age < SignedDuration::from_hours(12), "{age}");
        assert!(at(after, "stageTimestamp") < sample.anchor(), "{after}");
        *hours.entry(age.as_hours()).or_default() += 1;
        let mut rest = [before.clone(), after.clone()];
        for event in &mut rest {
            for name in ["requestReceivedTimestamp", "stageTimestamp"] {
                event.as_object_mut().unwrap().remove(name);
            }
        }
        assert_eq!(rest[0], rest[1], "nothing else changes");
    }
    assert!(offsets.values().all(|offsets| offsets.len() == 1), "each request moves as a whole");
    assert_eq!(hours.len(), 12, "{hours:?}");
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
