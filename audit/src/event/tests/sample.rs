//! All events of the sample that a real kube-apiserver sent.

use std::{io::Read, path::Path};

use serde_json::Value;

use super::*;
use crate::{
    document::Document,
    list::{Cutter, Limits},
};

#[test]
fn every_real_event_is_read_as_serde_json_reads_it() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/testdata/kube-apiserver-eventlists.ndjson.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let mut events = 0;
    let mut ids = std::collections::HashSet::new();
    for line in text.lines() {
        let list: Value = serde_json::from_str(line).unwrap();
        let expected = list["items"].as_array().unwrap();
        let mut at = 0;
        let mut cutter = Cutter::new(Limits::default());
        cutter
            .push(line.as_bytes(), &mut |item| {
                check_event(item.bytes, &expected[at]);
                ids.insert(Event::parse(item.bytes).unwrap().id("default"));
                at += 1;
            })
            .unwrap();
        cutter.finish().unwrap();
        assert_eq!(at, expected.len());
        events += at;
    }
    assert_eq!((events, ids.len()), (15_459, 15_459));
}

fn check_event(item: &[u8], expected: &Value) {
    let event = Event::parse(item).unwrap();
    let text = |pointer: &str| expected.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    for (read, pointer) in [
        (event.level(), "/level"),
        (event.audit_id(), "/auditID"),
        (event.stage(), "/stage"),
        (event.request_uri(), "/requestURI"),
        (event.verb(), "/verb"),
        (event.username(), "/user/username"),
        (event.impersonated_username(), "/impersonatedUser/username"),
        (event.user_agent(), "/userAgent"),
        (event.resource(), "/objectRef/resource"),
        (event.namespace(), "/objectRef/namespace"),
        (event.name(), "/objectRef/name"),
        (event.subresource(), "/objectRef/subresource"),
        (event.api_group(), "/objectRef/apiGroup"),
        (event.status(), "/responseStatus/status"),
        (event.reason(), "/responseStatus/reason"),
        (event.stage_timestamp(), "/stageTimestamp"),
        (event.request_received_timestamp(), "/requestReceivedTimestamp"),
    ] {
        assert_eq!(read, text(pointer), "{pointer}");
    }
    assert_eq!(event.code(), expected.pointer("/responseStatus/code").and_then(Value::as_i64));

    let mut stripped = Vec::new();
    event.rewrite(Level::Metadata, "c1", &mut stripped);
    let mut wanted = expected.clone();
    let members = wanted.as_object_mut().unwrap();
    members.remove("requestObject");
    members.remove("responseObject");
    members.insert("level".into(), "Metadata".into());
    members.insert("Cluster".into(), "c1".into());
    assert_eq!(serde_json::from_slice::<Value>(&stripped).unwrap(), wanted);

    let id = event.id("c1");
    let document = Document::build(id, &stripped, &["r.a".to_owned()], 0).unwrap();
    let stored: Value = serde_json::from_slice(&document.json).unwrap();
    assert_eq!(stored["Verb"], expected["verb"]);
    assert_eq!(stored["User"]["Username"], expected.pointer("/user/username").cloned().unwrap_or_default());
    assert_eq!(stored["ResponseStatus"], expected.get("responseStatus").cloned().unwrap_or_default());
    assert_eq!(stored["Vedette"]["EventID"], id.to_string());
    assert_ne!(document.time_micros, 0);
}
