//! A document on its way into the engine and back.
//!
//! It goes in as it is, with the key of its batch as a last member, and comes out without it, byte for byte. Where an
//! engine can't take it as it is, it goes in wrapped: the fields that are searched, made anew, and the document itself as
//! one string, which no engine looks into. That is so for a document with a time that the engine would not read, and for
//! one that the engine refused (a number of a thousand digits, a member named twice deep in a body): a body must not be
//! able to keep an event out of the archive.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use vedette_audit::document::Document;
use vedette_audit::event::Event;

use super::compile::{TIME, instant};
use crate::day::Day;

/// The member with the key of the batch that stored the document.
pub(super) const BATCH: &str = "VedetteBatch";
const WRAPPED: &str = "VedetteRaw";

/// How a document is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    AsIs,
    Wrapped,
}

impl Form {
    /// The form to try first.
    pub(super) fn of(document: &Document) -> Self {
        let readable = Event::parse(&document.json)
            .is_ok_and(|event| reads_as(&event.request_received_timestamp(), document.time_micros));
        let plain = serde_json::from_slice(&document.json).is_ok_and(|Dotted(dotted)| !dotted);
        if readable && plain && document.json.ends_with(b"}") { Self::AsIs } else { Self::Wrapped }
    }
}

/// Whether a member of the document itself has a dot in its name. Engines take `"Vedette.Tenant": …` for the member of a member, so
/// that a sender could say anything of an event beside what it is. Deeper names reach no field that is mapped.
struct Dotted(bool);

impl<'de> Deserialize<'de> for Dotted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Dotted;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Dotted, A::Error> {
                let mut dotted = false;
                while let Some((name, IgnoredAny)) = members.next_entry::<Cow<'de, str>, _>()? {
                    dotted |= name.contains('.');
                }
                Ok(Dotted(dotted))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

/// Appends the document as one line without its end.
pub(super) fn push(document: &Document, key: &str, form: Form, out: &mut Vec<u8>) {
    let key = json!(key).to_string();
    match form {
        Form::AsIs => {
            let body = document.json.strip_suffix(b"}").unwrap_or(&document.json);
            // Line breaks stand only between tokens: within strings JSON has them escaped.
            out.extend(body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
            out.extend_from_slice(format!(",\"{BATCH}\":{key}}}").as_bytes());
        }
        Form::Wrapped => {
            let raw = json!(String::from_utf8_lossy(&document.json));
            let searched = searched(document).to_string();
            let searched = searched.strip_prefix('{').unwrap_or(&searched);
            let searched = searched.strip_suffix('}').unwrap_or(searched);
            out.extend_from_slice(format!("{{\"{WRAPPED}\":{raw},{searched},\"{BATCH}\":{key}}}").as_bytes());
        }
    }
}

/// The document in what the engine gives back.
pub(super) fn unwrap(source: &str) -> Vec<u8> {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        #[serde(rename = "VedetteRaw")]
        raw: String,
    }
    if source.starts_with(&format!("{{\"{WRAPPED}\":"))
        && let Ok(Wrapped { raw }) = serde_json::from_str(source)
    {
        return raw.into_bytes();
    }
    let start = format!(",\"{BATCH}\":\"");
    match source.rfind(&start).map(|at| (source.get(..at), source.get(at + start.len()..))) {
        // The key is the last member if nothing but its own end follows.
        Some((Some(document), Some(key))) if key.find('"') == key.len().checked_sub(2) && key.ends_with("\"}") => {
            format!("{document}}}").into_bytes()
        }
        _ => source.as_bytes().to_vec(),
    }
}

/// Whether the engine reads this text as this instant: RFC 3339 as Kubernetes writes it, in a year that fits.
fn reads_as(text: &str, micros: i64) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        text.as_bytes().get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let at = |index: usize| text.as_bytes().get(index).copied();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let numbers = [0..4, 5..7, 8..10, 11..13, 14..16, 17..19];
    let Some(rest) = text.get(19..) else { return false };
    let zone =
        rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let fraction = rest.len() - zone.len();
    let offset = match zone.as_bytes() {
        [b'Z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()),
        _ => false,
    };
    separators.iter().all(|(index, separator)| at(*index) == Some(*separator))
        && numbers.into_iter().all(digits)
        && text.get(17..19).is_some_and(|seconds| seconds < "60")
        && (fraction == 0 || (2..=10).contains(&fraction))
        && offset
        && (0..Day::LAST.end_micros()).contains(&micros)
        && text.parse::<jiff::Timestamp>().is_ok_and(|instant| instant.as_microsecond() == micros)
}

/// The fields that queries read, made from what the document is indexed by.
fn searched(document: &Document) -> serde_json::Value {
    let fields = &document.fields;
    let micros = document.time_micros.clamp(0, Day::LAST.end_micros() - 1);
    let mut value = json!({
        "Workspace": fields.workspace,
        "ObjectRef": { "Namespace": fields.namespace },
        "User": { "Groups": fields.groups },
        "SourceIPs": fields.source_ips,
        "ResponseStatus": {},
        TIME: instant(micros),
        "Vedette": { "EventID": document.id.to_string(), "Rules": fields.rules },
    });
    let texts: [(&str, &str, &str); 21] = [
        ("", "Devops", &fields.devops),
        ("", "Cluster", &fields.cluster),
        ("", "Level", &fields.level),
        ("", "AuditID", &fields.audit_id),
        ("", "Stage", &fields.stage),
        ("", "RequestURI", &fields.request_uri),
        ("", "Verb", &fields.verb),
        ("", "UserAgent", &fields.user_agent),
        ("User", "Username", &fields.user),
        ("ObjectRef", "Resource", &fields.resource),
        ("ObjectRef", "Name", &fields.name),
        ("ObjectRef", "Subresource", &fields.subresource),
        ("ObjectRef", "APIGroup", &fields.api_group),
        ("ResponseStatus", "status", &fields.status),
        ("ResponseStatus", "reason", &fields.reason),
        ("Vedette", "Actor", &fields.actor),
        ("Vedette", "SourceIP", &fields.source_ip),
        ("Vedette", "CredentialID", &fields.credential),
        ("Vedette", "Command", &fields.command),
        ("Vedette", "Path", &fields.path),
        ("Vedette", "Tenant", &fields.tenant),
    ];
    for (object, name, text) in texts {
        let place = if object.is_empty() { Some(&mut value) } else { value.get_mut(object) };
        if let Some(place) = place.and_then(|place| place.as_object_mut()).filter(|_| !text.is_empty()) {
            place.insert(name.to_owned(), json!(text));
        }
    }
    if let (Some(code), Some(status)) = (fields.code, value.get_mut("ResponseStatus").and_then(|v| v.as_object_mut())) {
        status.insert("code".to_owned(), json!(code));
    }
    if let (Some(duration), Some(own)) =
        (fields.duration_micros, value.get_mut("Vedette").and_then(|own| own.as_object_mut()))
    {
        own.insert("DurationMicros".to_owned(), json!(duration));
    }
    value
}

#[cfg(test)]
mod tests {
    use vedette_audit::document::Document;
    use vedette_audit::identity::EventId;

    use super::{Form, push, reads_as, unwrap};

    fn document(json: &str) -> Document {
        Document::build(EventId::from_bytes([7; 16]), json.as_bytes(), &["r.x".to_owned()], 1_000).unwrap()
    }

    fn line(document: &Document, form: Form) -> String {
        let mut line = Vec::new();
        push(document, "00ff", form, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn comes_back_as_it_went_in() {
        let time = "2026-11-22T01:02:03.000004Z";
        let json = format!(
            r#"{{"verb":"get","requestReceivedTimestamp":"{time}","user":{{"username":"ü\",\"VedetteBatch\":\"x\"}}"}}}}"#
        );
        let document = document(&json);
        for form in [Form::AsIs, Form::Wrapped] {
            let line = line(&document, form);
            assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
            assert!(line.ends_with(r#","VedetteBatch":"00ff"}"#), "{line}");
            assert_eq!(unwrap(&line), document.json, "{form:?}");
        }
        assert_eq!(unwrap(r#"{"a":1}"#), br#"{"a":1}"#, "a document that someone else wrote");
    }

    #[test]
    fn is_one_line_whatever_was_sent() {
        let document = document("{\"verb\":\"get\",\"requestObject\":{\n\"a\":\r\n1}}");
        assert!(!line(&document, Form::AsIs).contains(['\n', '\r']));
        assert!(!line(&document, Form::Wrapped).contains(['\n', '\r']));
    }

    #[test]
    fn is_wrapped_where_a_name_could_be_another_members() {
        let form = |more: &str| {
            let time = r#""requestReceivedTimestamp":"2026-11-22T01:02:03.000004Z""#;
            Form::of(&document(&format!(r#"{{"verb":"get",{time},{more}}}"#)))
        };
        assert_eq!(form(r#""Vedette.Tenant":"prod/uid""#), Form::Wrapped);
        assert_eq!(form(r#""Object\u0052ef\u002eNamespace":"x""#), Form::Wrapped);
        assert_eq!(
            form(r#""user":{"username":"a","extra":{"authentication.kubernetes.io/credential-id":["x"]}}"#),
            Form::AsIs
        );
        assert_eq!(form(r#""requestObject":{"Vedette.Tenant":"x"}"#), Form::AsIs);
    }

    #[test]
    fn is_wrapped_where_the_engine_could_not_read_its_time() {
        let form = |time: &str| Form::of(&document(&format!(r#"{{"verb":"get","requestReceivedTimestamp":{time}}}"#)));
        assert_eq!(form(r#""2026-11-22T01:02:03.000004Z""#), Form::AsIs);
        assert_eq!(form(r#""2026-11-22T01:02:03Z""#), Form::AsIs);
        assert_eq!(form(r#""2026-11-22T01:02:03.123456789+05:30""#), Form::AsIs);
        for time in ["null", r#""""#, r#""yesterday""#, r#""2026-11-22 01:02:03Z""#, r#""1969-11-22T01:02:03Z""#] {
            assert_eq!(form(time), Form::Wrapped, "{time}");
        }
        for time in [
            "2026-11-22T01:02:03",
            "2026-11-22T01:02:60Z",
            "2026-11-22T01:02:03.Z",
            "20261122T010203Z",
            "2262-01-01T00:00:00Z",
        ] {
            assert_eq!(form(&format!("\"{time}\"")), Form::Wrapped, "{time}");
        }
        assert!(!reads_as("2026-11-22T01:02:03Z", 0));
    }
}
