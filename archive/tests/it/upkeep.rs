//! Real engines that were not ours from the start: indices that an older version made, a template that goes missing,
//! documents that others wrote.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use vedette_archive::{Archive, By, Field, Filter, MAX_DEPTH, Mode, Pattern, Piece, Query, WriteBatch, open};
use vedette_audit::document::Document;
use vedette_e2e::Engine;

use crate::corpus;
use crate::search::{PREFIX, Rig};

fn template() -> String {
    format!("_index_template/vedette-{PREFIX}")
}

fn index(day: u32) -> String {
    format!("{PREFIX}-2026.11.{day:02}")
}

/// A request for a path that is no resource.
fn event(day: u32, id: &str) -> Document {
    corpus::document(&format!(
        r#"{{"AuditID":"{id}","Verb":"get","RequestURI":"/metrics","User":{{"Username":"eve"}},
            "RequestReceivedTimestamp":"2026-11-{day:02}T01:00:00Z"}}"#
    ))
}

fn write(rig: &Rig, archive: &Arc<dyn Archive>, key: &str, documents: Vec<Document>) {
    let stored = documents.len() as u64;
    let report = rig.runtime.block_on(archive.write(&[WriteBatch { key: key.to_owned(), documents }])).unwrap();
    assert_eq!(report[0].stored, stored, "{report:?}");
    rig.refresh();
}

/// An index as the first version's template made it, with a document of that time.
fn made_by_the_first_version(rig: &Rig, properties: &Value, day: u32) {
    let mut properties = properties.clone();
    let own = properties["Vedette"]["properties"].as_object_mut().unwrap();
    for field in ["CredentialID", "Command", "Path", "Tenant", "DurationMicros"] {
        own.remove(field).unwrap();
    }
    own.insert("EventID".to_owned(), json!({ "type": "keyword" }));
    let mappings = json!({ "dynamic": false, "date_detection": false, "properties": properties });
    let made = rig.ask(Method::PUT, &index(day), json!({ "mappings": mappings }));
    assert_eq!(made["acknowledged"], true, "{made}");
    let old = event(day, "old");
    let path = format!("{}/_doc/{}", index(day), old.id);
    rig.ask(Method::PUT, &path, serde_json::from_slice(&old.json).unwrap());
}

fn mapping(rig: &Rig, day: u32) -> Value {
    rig.ask(Method::GET, &format!("{}/_mapping", index(day)), Value::Null)[index(day)]["mappings"].clone()
}

/// What an older version made knows the new fields from now on, what it wrote is told, and what others made stays.
fn upgrades(rig: &Rig) {
    drop(rig.open());
    let whole = rig.ask(Method::GET, &template(), Value::Null);
    let whole = &whole["index_templates"][0]["index_template"]["template"]["mappings"]["properties"];
    rig.ask(Method::DELETE, &template(), Value::Null);
    for day in [10, 11, 12] {
        made_by_the_first_version(rig, whole, day);
    }
    rig.ask(Method::PUT, &format!("{}/_settings", index(12)), json!({ "index.blocks.read_only": true }));
    rig.ask(Method::POST, &format!("{}/_doc", index(13)), json!({ "Verb": "get", "AuditID": "foreign" }));
    let foreign = mapping(rig, 13);

    let archive = rig.open();
    let expected = [
        "what an older version wrote to the indices of 2 days from 2026-11-10 to 2026-11-11 is not found by Vedette.Command, \
         Vedette.CredentialID, Vedette.DurationMicros, Vedette.EventID, Vedette.Path, Vedette.Tenant",
        "the indices of 2026-11-12 can't be given the fields of this version: ",
    ];
    let warnings = rig.runtime.block_on(archive.warnings());
    assert_eq!(warnings.len(), 2, "{}: {warnings:?}", rig.name);
    assert_eq!(warnings[0], expected[0]);
    assert!(warnings[1].starts_with(expected[1]), "{warnings:?}");
    let health = rig.runtime.block_on(archive.health());
    assert!(health.ready && health.detail.contains(expected[0]), "{health:?}");
    assert_eq!(mapping(rig, 13), foreign, "{}: not ours", rig.name);

    let new: Vec<Document> = [10, 11, 13, 14].iter().map(|day| event(*day, "new")).collect();
    write(rig, &archive, "new", new.clone());
    let count = |filter: Filter| rig.runtime.block_on(archive.count(&Query::of(filter))).unwrap();
    assert_eq!(count(Filter::is(Field::User, ["eve"])), 7);
    assert_eq!(count(Filter::is(Field::Path, ["/metrics"])), 4, "{}: those that were written since", rig.name);
    assert_eq!(count(Filter::Id(new.iter().map(|document| document.id).collect())), 4);

    // A second start finds nothing to do, and the console tells the same. The last one can be mended by now.
    rig.ask(Method::PUT, &format!("{}/_settings", index(12)), json!({ "index.blocks.read_only": null }));
    let before = mapping(rig, 10);
    let warnings = rig.runtime.block_on(rig.open().warnings());
    let all = expected[0].replace("2 days", "3 days").replace("to 2026-11-11", "to 2026-11-12");
    assert_eq!(warnings, std::slice::from_ref(&all));
    assert_eq!(mapping(rig, 10), before);
    let reader = rig.runtime.block_on(open(&rig.config(), Mode::Read)).unwrap();
    assert_eq!(rig.runtime.block_on(reader.warnings()), [all]);
    rig.clear(&archive);
    assert_eq!(rig.runtime.block_on(rig.open().warnings()), Vec::<String>::new(), "it goes with the days");
}

/// Gone while we run: it is there again before the next day has an index.
fn puts_a_template_that_has_gone(rig: &Rig) {
    let archive = rig.open();
    write(rig, &archive, "a", vec![event(15, "a")]);
    rig.ask(Method::DELETE, &template(), Value::Null);
    write(rig, &archive, "b", vec![event(15, "b"), event(16, "b")]);
    assert_eq!(mapping(rig, 16), mapping(rig, 15), "{}", rig.name);
    assert_eq!(mapping(rig, 16)["dynamic"], "false");
    rig.clear(&archive);
}

/// Of documents without our members the actor and the address are found as the console shows them.
fn finds_whose_documents_of_others_are(rig: &Rig) {
    let archive = rig.open();
    let own = [
        r#""User":{"Username":"root"},"ImpersonatedUser":{"Username":"amy"},"SourceIPs":["10.0.0.1","10.0.0.2"]"#,
        r#""User":{"Username":"amy"},"SourceIPs":["10.0.0.1"]"#,
        r#""ObjectRef":{"Resource":"pods"}"#,
    ];
    let events: Vec<String> = own
        .iter()
        .map(|members| format!(r#"{{"Verb":"get","RequestReceivedTimestamp":"2026-11-17T01:00:00Z",{members}}}"#))
        .collect();
    write(rig, &archive, "own", events.iter().map(|event| corpus::document(event)).collect());
    // In an index of ours, and in one of KubeSphere's.
    rig.ask(Method::DELETE, &template(), Value::Null);
    for event in &events {
        for day in [17, 18] {
            let written = rig.ask(Method::POST, &format!("{}/_doc", index(day)), serde_json::from_str(event).unwrap());
            assert_eq!(written["result"], "created", "{written}");
        }
    }
    rig.refresh();
    // How many of ours, and how many of theirs in each of the two indices.
    let check = |filter: Filter, ours: u64, theirs: u64| {
        let count = |of: Filter| {
            let count = rig.runtime.block_on(archive.count(&Query::of(of)));
            count.unwrap_or_else(|error| panic!("{}: {error} for {filter:?}", rig.name))
        };
        assert_eq!(count(filter.clone()), ours + 2 * theirs, "{}: {filter:?}", rig.name);
        assert_eq!(count(Filter::Not(Box::new(filter.clone()))), 9 - ours - 2 * theirs, "{}: not {filter:?}", rig.name);
        // As deep as may be.
        let room = if matches!(filter, Filter::Any(_)) { MAX_DEPTH - 2 } else { MAX_DEPTH - 1 };
        let deep = (0..room).fold(filter.clone(), |filter, _| Filter::Not(Box::new(filter)));
        let found = ours + 2 * theirs;
        assert_eq!(count(deep), if room % 2 == 0 { found } else { 9 - found }, "{}", rig.name);
    };
    let like = |field, pieces: &[Piece]| Filter::Like(field, vec![Pattern::new(pieces.iter().cloned())]);
    let text = |text: &str| Piece::Text(text.to_owned());
    check(Filter::is(Field::Actor, ["amy"]), 2, 2);
    check(Filter::is(Field::Actor, ["root"]), 0, 0);
    check(Filter::is(Field::Actor, [""]), 1, 1);
    check(Filter::is(Field::Actor, ["amy", ""]), 3, 3);
    check(Filter::contains(Field::Actor, ["M", "x"]), 2, 2);
    check(Filter::contains(Field::Actor, ["oo"]), 0, 0);
    check(Filter::Begins(Field::Actor, vec!["A".to_owned()]), 2, 2);
    check(like(Field::Actor, &[text("a"), Piece::One, text("y")]), 2, 2);
    check(like(Field::Actor, &[Piece::Any]), 2, 2);
    let several = vec![Pattern::new([Piece::Any]), Pattern::text("x")];
    check(Filter::Like(Field::Actor, several), 2, 2);
    check(like(Field::Actor, &[text("r"), Piece::Any]), 0, 0);
    check(Filter::is(Field::Address, ["10.0.0.2"]), 1, 1);
    // Which of several is the last can't be told.
    check(Filter::is(Field::Address, ["10.0.0.1"]), 1, 2);
    check(Filter::is(Field::Address, [""]), 1, 1);
    check(like(Field::Address, &[text("10."), Piece::Any]), 2, 2);
    // As many conditions as there may be.
    let names = |n: u32| format!("{n}x");
    let each = Filter::Any((0..140).map(|n| Filter::is(Field::Actor, [names(n)])).collect());
    check(each, 0, 0);
    check(Filter::contains(Field::Actor, (0..256).map(names)), 0, 0);
    check(Filter::contains(Field::Address, (0..256).map(names)), 0, 0);
    // What only documents of ours are grouped by.
    let groups = rig.runtime.block_on(archive.group(&Query::default(), &[By::Field(Field::Actor)], 10)).unwrap();
    let counts: Vec<_> = groups.rows.iter().map(|row| (row.values[0].as_str(), row.count)).collect();
    assert_eq!(counts, [("", 7), ("amy", 2)]);
    rig.clear(&archive);
}

/// The times of a group reach to its first and its last document.
fn tells_times_that_reach_to_the_last_document(rig: &Rig) {
    let archive = rig.open();
    let times = ["2026-11-17T01:00:00.000001Z", "2026-11-17T01:00:00.999999Z"];
    let event = |time| format!(r#"{{"Verb":"get","RequestReceivedTimestamp":"{time}"}}"#);
    let documents: Vec<Document> = times.iter().map(|time| corpus::document(&event(*time))).collect();
    let (first, last) = (documents[0].time_micros, documents[1].time_micros);
    write(rig, &archive, "times", documents);
    let groups = rig.runtime.block_on(archive.group(&Query::default(), &[By::Field(Field::Verb)], 10)).unwrap();
    let group = &groups.rows[0];
    assert_eq!((group.first_micros, group.last_micros), (first - 1, last), "{}", rig.name);
    let query = Query {
        start_micros: Some(group.first_micros),
        end_micros: Some(group.last_micros),
        filter: Filter::everything(),
    };
    assert_eq!(rig.runtime.block_on(archive.count(&query)).unwrap(), group.count);
    rig.clear(&archive);
}

fn keeps_up(engine: Engine) {
    let rig = Rig::start(engine);
    upgrades(&rig);
    puts_a_template_that_has_gone(&rig);
    finds_whose_documents_of_others_are(&rig);
    tells_times_that_reach_to_the_last_document(&rig);
}

#[test]
fn search_engines_are_kept_up_elasticsearch_7() {
    keeps_up(Engine::Es7);
}

#[test]
fn search_engines_are_kept_up_elasticsearch_9() {
    keeps_up(Engine::Es9);
}

#[test]
fn search_engines_are_kept_up_opensearch() {
    keeps_up(Engine::OpenSearch);
}
