//! serde_json as the oracle: what is JSON, and what the members say.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::*;

/// Any JSON of at most a few levels.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::hash_map("[a-zA-Z\"\\\\\u{e9}]{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A text, or nothing.
fn text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(any::<String>())
}

/// Whether serde_json takes the text as JSON; it keeps no depth here, nor builds numbers or strings.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn is_taken(text: &str) -> bool {
    match Event::parse(text.as_bytes()) {
        Ok(_) => true,
        Err(error) => matches!(error.kind, EventErrorKind::Bad { .. }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_json_is_taken_for_json(value in value(), spaces in proptest::collection::vec(0..6usize, 1..20)) {
        let spaced = respaced(&value.to_string(), &spaces);
        prop_assert!(is_json(&spaced) && is_taken(&spaced), "{spaced}");
    }

    #[test]
    fn damaged_json_is_judged_alike(
        value in value(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), "[{}\\[\\],:\"\\\\0-9eE+.a-u \n\u{1}\u{e9}-]{0,2}", 0..3usize), 1..4),
    ) {
        let mut text: Vec<char> = json!({"verb": "get", "a": value}).to_string().chars().collect();
        for (at, put, cut) in damage {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, put.chars());
            if text.is_empty() {
                text.push('{');
            }
        }
        let text: String = text.into_iter().collect();
        prop_assert_eq!(is_taken(&text), is_json(&text), "{}", text);
    }

    #[test]
    fn tokens_in_any_order_are_judged_alike(
        text in proptest::collection::vec(
            prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"a\"", "\"verb\"", "1", "-0.5e+1", "null", "true", " ", "\\u00e9", "\""]),
            0..12,
        ),
    ) {
        let text = text.concat();
        prop_assert_eq!(is_taken(&text), is_json(&text), "{}", text);
    }

    #[test]
    fn members_say_what_serde_json_reads(
        texts in proptest::collection::vec(text(), 16),
        groups in proptest::collection::vec(any::<String>(), 0..4),
        addresses in proptest::collection::vec(any::<String>(), 0..4),
        code in proptest::option::of(any::<i64>()),
        body in value(),
        upper in any::<bool>(),
        spaces in proptest::collection::vec(0..6usize, 1..20),
    ) {
        let name = |name: &str| if upper { name.to_uppercase() } else { name.to_owned() };
        let event = json!({
            name("verb"): "get",
            name("level"): texts[0], name("auditID"): texts[1], name("stage"): texts[2], name("requestURI"): texts[3],
            name("user"): {name("username"): texts[4], name("groups"): groups},
            name("impersonatedUser"): {name("username"): texts[5]},
            name("userAgent"): texts[6], name("sourceIPs"): addresses,
            name("objectRef"): {
                name("resource"): texts[7], name("namespace"): texts[8], name("name"): texts[9],
                name("subresource"): texts[10], name("apiGroup"): texts[11],
            },
            name("responseStatus"): {name("code"): code, name("status"): texts[12], name("reason"): texts[13]},
            name("workspace"): texts[14], name("devops"): texts[15],
            name("requestObject"): body,
        });
        let json = respaced(&event.to_string(), &spaces);
        let event = Event::parse(json.as_bytes()).unwrap();
        let read = [
            event.level(), event.audit_id(), event.stage(), event.request_uri(), event.username(),
            event.impersonated_username(), event.user_agent(), event.resource(), event.namespace(), event.name(),
            event.subresource(), event.api_group(), event.status(), event.reason(), event.workspace(), event.devops(),
        ];
        for (read, written) in read.iter().zip(&texts) {
            prop_assert_eq!(&**read, written.as_deref().unwrap_or_default());
        }
        prop_assert_eq!(event.groups().collect::<Vec<_>>(), groups);
        prop_assert_eq!(event.source_ips().collect::<Vec<_>>(), addresses);
        prop_assert_eq!(event.code(), code);
        let read = event.request_object().map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
        // Floats are compared as written again: serde_json need not round-trip them exactly.
        prop_assert_eq!(read.to_string(), serde_json::from_str::<Value>(&body.to_string()).unwrap().to_string());
    }

    #[test]
    fn rewriting_leaves_just_what_it_should(
        members in proptest::collection::vec(
            (
                prop::sample::select(vec![
                    "requestObject", "RequestObject", "responseObject", "RESPONSEOBJECT", "level", "Level", "Cluster",
                    "cluster", "kind", "a", "annotations", "Annotations", "patched", "objectRef", "workspace", "Workspace", "vedette", "Vedette",
                ]),
                0..3usize,
            ),
            0..14,
        ),
        target in prop::sample::select(vec![Level::Metadata, Level::Request, Level::RequestResponse]),
        workspace in prop::sample::select(vec![None, Some("w")]),
        uid in prop::sample::select(vec![None, Some("u")]),
        spaces in proptest::collection::vec(0..6usize, 1..20),
        verb_at in any::<prop::sample::Index>(),
    ) {
        let levels = ["Metadata", "RequestResponse", "Request"];
        let objects = [json!({"resource": "pods"}), json!({"resource": ""}), json!({"Resource": "pods", "name": "x"})];
        let mut members: Vec<(String, Value)> = members
            .into_iter()
            .map(|(name, pick)| {
                let value = match name.to_ascii_lowercase().as_str() {
                    "level" => levels[pick].into(),
                    "cluster" => "theirs".into(),
                    "workspace" => [json!(""), Value::Null, json!("own")][pick].clone(),
                    "annotations" => json!({"a": pick}),
                    "patched" => [
                        json!({"patch.webhook.admission.k8s.io/x": "{}"}),
                        json!({"a": 1, "patch.webhook.admission.k8s.io/x": "}", "patch.webhook.admission.k8s.io/y": [1]}),
                        json!({"Patch.webhook.admission.k8s.io/x": null, "patch.webhook.admission.k8s.io/y": 1, "z": "patch."}),
                    ][pick].clone(),
                    "vedette" => [json!({"NamespaceUID": "forged"}), json!({"namespaceUid": 1}), json!("forged")][pick].clone(),
                    "objectref" => objects[pick].clone(),
                    _ => json!([{"Cluster": pick, "level": "x"}, "} ,"]),
                };
                (if name == "patched" { "annotations" } else { name }.to_owned(), value)
            })
            .collect();
        members.insert(verb_at.index(members.len() + 1), ("verb".into(), "get".into()));
        let write = |members: &[(String, Value)]| {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
            format!("{{{}}}", members.join(","))
        };
        let recorded = members.iter().rfind(|(name, _)| name.eq_ignore_ascii_case("level")).map(|(_, level)| level.clone());
        let object = members.iter().rfind(|(name, _)| name == "objectRef").map(|(_, object)| object);
        let about_a_resource = object.is_some_and(|object| *object != objects[1]);
        let applied = if about_a_resource { target } else { Level::Metadata };
        let recorded = recorded.and_then(|level| level.as_str()?.parse::<Level>().ok());
        let lower = recorded.is_none_or(|level| level > applied);
        let bodiless = recorded.unwrap_or(applied).min(applied) < Level::Request;
        let own = members.iter().rfind(|(name, _)| name.eq_ignore_ascii_case("workspace"));
        let workspace = workspace.filter(|_| own.is_none_or(|(_, own)| *own != json!("own")));
        let mut expected = vec![("Cluster".to_owned(), json!("c"))];
        expected.extend(workspace.map(|workspace| ("Workspace".to_owned(), json!(workspace))));
        expected.extend(uid.map(|uid| ("Vedette".to_owned(), json!({"NamespaceUID": uid}))));
        for (name, value) in &members {
            match name.to_ascii_lowercase().as_str() {
                "cluster" | "vedette" => {}
                "workspace" if workspace.is_some() => {}
                "requestobject" if applied < Level::Request => {}
                "responseobject" if applied < Level::RequestResponse => {}
                "annotations" if bodiless => {
                    let mut value = value.clone();
                    value.as_object_mut().unwrap().retain(|name, _| !name.to_ascii_lowercase().starts_with("patch.webhook.admission"));
                    expected.push((name.clone(), value));
                }
                "level" if lower => expected.push((name.clone(), applied.as_str().into())),
                _ => expected.push((name.clone(), value.clone())),
            }
        }
        let json = respaced(&write(&members), &spaces);
        let mut out = Vec::new();
        Event::parse(json.as_bytes()).unwrap().rewrite_in(target, "c", Placed { workspace, namespace_uid: uid }, None, &mut out);
        prop_assert_eq!(Event::parse(&out).unwrap().namespace_uid(), uid.unwrap_or_default());
        prop_assert!(is_json(std::str::from_utf8(&out).unwrap()));
        let compact = EventId::of("", &out, true, std::iter::empty());
        prop_assert_eq!(compact, EventId::of("", write(&expected).as_bytes(), true, std::iter::empty()), "{}", json);
    }
}
