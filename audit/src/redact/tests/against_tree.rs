//! An oracle that builds the tree and asks of every value what stands around it.

use base64::engine::general_purpose;
use proptest::prelude::*;

use super::*;

/// Whatever must not go on holds this, or its base64.
const PLANTED: &str = "pl4nted";

/// Any JSON with members' names that mean something.
fn body() -> impl Strategy<Value = Value> {
    let names = vec![
        "data",
        "stringData",
        "kind",
        "metadata",
        "annotations",
        "items",
        "spec",
        "status",
        "token",
        "x",
        "Data",
        "value",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "Secret",
            "Pod",
            "SecretList",
            "TokenReview",
            "{}",
            "[",
            "\"Secret\"",
            "plain",
            "\u{e9}\\u"
        ])
        .prop_map(Value::from),
        "[a-z]{1,8}".prop_map(|text| Value::from(format!("{PLANTED}{text}"))),
        "[a-z]{1,8}".prop_map(|text| Value::from(general_purpose::STANDARD.encode(format!("{PLANTED}{text}")))),
    ];
    leaf.prop_recursive(6, 24, 6, move |inner| {
        let names = names.clone();
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(names.clone()), inner.clone(), 0..5)
                .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            // A Secret, so that there are enough of them.
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"data": {"a": a}, "kind": "Secret", "x": b})),
            // JSON inside a string.
            inner.prop_map(|value| Value::from(json!({"a": value}).to_string())),
        ]
    })
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

fn kind<'a>(value: &'a Value, wanted: &str) -> bool {
    let Some(members) = value.as_object() else { return false };
    members.iter().any(|(name, value): (&'a String, _)| is(name, "kind") && value == wanted)
}

/// Replaces what is in a Secret or token anywhere below, as a person would write it down.
fn redact(value: &mut Value, nested: u32) {
    let secret = kind(value, "Secret") || kind(value, "SecretList");
    let list = kind(value, "SecretList");
    let token = kind(value, "TokenReview");
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if secret && is(name, "data") {
                    hide(value, true);
                } else if secret && is(name, "stringData") {
                    hide(value, false);
                } else if token && (is(name, "spec") || is(name, "status")) {
                    tokens(value, nested);
                } else if list && is(name, "items") {
                    items(value, nested);
                } else {
                    redact(value, nested);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|value| redact(value, nested)),
        Value::String(text) if may_be_json(text) => match serde_json::from_str::<Value>(text) {
            Ok(_) if nested == MAX_NESTED => *text = hidden(text.as_bytes()),
            Ok(mut inner) => {
                redact(&mut inner, nested + 1);
                *text = inner.to_string();
            }
            Err(_) if nested == MAX_NESTED => *text = hidden(text.as_bytes()),
            Err(_) => {}
        },
        _ => {}
    }
}

fn may_be_json(text: &str) -> bool {
    text.starts_with(['{', '[', ' ']) && ["\"Secret", "\"TokenRe", "\\u"].iter().any(|word| text.contains(word))
}

/// The value of `items` of a list of Secrets.
fn items(value: &mut Value, nested: u32) {
    let each: Vec<&mut Value> = match value {
        Value::Array(elements) => elements.iter_mut().collect(),
        Value::Object(members) => members.iter_mut().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    };
    for (name, value) in each.into_iter().filter_map(Value::as_object_mut).flatten() {
        if is(name, "data") || is(name, "stringData") {
            hide(value, is(name, "data"));
        }
    }
    redact(value, nested);
}

fn tokens(value: &mut Value, nested: u32) {
    match value {
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| is(name, "token")).for_each(|(_, value)| hide(value, false));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|value| tokens(value, nested)),
        _ => {}
    }
    redact(value, nested);
}

fn hide(value: &mut Value, base64: bool) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|value| hide(value, base64)),
        Value::Array(elements) => elements.iter_mut().for_each(|value| hide(value, base64)),
        Value::String(text) if !text.is_empty() && !text.starts_with(PREFIX) => {
            let decoded = general_purpose::STANDARD.decode(text.as_bytes()).ok().filter(|_| base64);
            *text = hidden(decoded.as_deref().unwrap_or(text.as_bytes()));
        }
        Value::Number(number) => *value = hidden(number.to_string()).into(),
        _ => {}
    }
}

/// JSON inside strings as what it is, so that only values count.
fn opened(value: Value) -> Value {
    match value {
        Value::String(text) if text.starts_with(['{', '[']) => match serde_json::from_str(&text) {
            Ok(inner) => json!({"inside": opened(inner)}),
            Err(_) => text.into(),
        },
        Value::Array(elements) => elements.into_iter().map(opened).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, opened(value))).collect(),
        other => other,
    }
}

fn found(resource: &str, body: &Value) -> Option<Value> {
    let (found, _) = rewritten(&event(resource, &body.to_string(), "null"), Some(&redactor()));
    let found: Value = serde_json::from_str(&found).unwrap();
    let body = found["requestObject"].clone();
    // Replaced as a whole: it was too small for what it held.
    (!body.as_str().is_some_and(|text| text.starts_with(PREFIX))).then_some(body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_body_loses_its_secrets_and_nothing_else(body in body()) {
        let mut expected = body.clone();
        redact(&mut expected, 0);
        if let Some(found) = found("pods", &body) {
            prop_assert_eq!(opened(found), opened(expected), "{}", body);
        }
    }

    #[test]
    fn nothing_planted_into_a_secrets_body_goes_on(
        data in body(),
        string_data in body(),
        odd in body(),
        path in prop::sample::select(vec!["", "/data", "/data/x", "/stringData/x", "/metadata/labels/x", "data"]),
        shape in 0..6usize,
    ) {
        let secret = json!({"data": {"x": data}, "stringData": {"x": string_data}});
        let applied = json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": secret.to_string()}}});
        let body = match shape {
            0 => json!({"data": data, "STRINGDATA": string_data, "metadata": applied["metadata"]}),
            1 => json!({"kind": "SecretList", "items": [secret, secret, applied]}),
            2 => json!([{"op": "add", "path": path, "value": data}, {"op": "test", "path": path, "value": string_data}, odd]),
            3 => json!({"data": {"$patch": "replace", "x": data}, "stringDta": odd, "$retainKeys": []}),
            4 => json!(secret.to_string()),
            _ => json!({"metadata": applied["metadata"], "kind": "Secret", "data": {}, "stringData": {"x": odd}}),
        };
        let (found, _) = rewritten(&event("secrets", &body.to_string(), "null"), Some(&redactor()));
        prop_assert!(!found.contains(PLANTED), "{}", found);
        // Four thirds of a byte are in common to what begins alike.
        prop_assert!(!found.contains(&general_purpose::STANDARD.encode(PLANTED)[..9]), "{}", found);
    }

    #[test]
    fn nothing_planted_into_what_a_webhook_changed_goes_on(
        value in body(),
        odd in body(),
        path in prop::sample::select(vec!["", "/data", "/data/x", "/stringData/x", "/metadata/labels/x", "data"]),
        shape in 0..6usize,
        name in prop::sample::select(vec!["patch.webhook.admission.k8s.io/round_0_index_0", "Patch.Webhook.admission.k8s.io/"]),
        upper in any::<bool>(),
        level in prop::sample::select(vec![Level::Metadata, Level::Request, Level::RequestResponse]),
    ) {
        let patch = json!([{"op": "add", "path": path, "value": value}, {"op": "test", "value": odd, "x": odd}, odd]);
        let note = match shape {
            0 => json!(json!({"configuration": "c", "webhook": "w", "patch": patch, "patchType": "JSONPatch"}).to_string()),
            1 => json!(json!({"patch": odd, "x": value, "Patch": patch}).to_string()),
            2 => json!({"patch": patch, "x": odd}),
            3 => json!(patch.to_string()),
            4 => json!(json!({"patch": patch.to_string()}).to_string()),
            _ => odd,
        };
        let annotations = if upper { "Annotations" } else { "annotations" };
        let event = format!(
            r#"{{"verb":"patch","objectRef":{{"resource":"secrets"}},"{annotations}":{}}}"#,
            json!({"a": "b", name: note, "c": "d"})
        );
        let parsed = Event::parse(event.as_bytes()).unwrap();
        let mut out = Vec::new();
        parsed.rewrite_in(level, "c1", Placed::default(), Some(&redactor()), &mut out);
        let found = String::from_utf8(out).unwrap();
        Event::parse(found.as_bytes()).unwrap();
        prop_assert!(!found.contains(PLANTED), "{}", found);
        prop_assert!(!found.contains(&general_purpose::STANDARD.encode(PLANTED)[..9]), "{}", found);
        prop_assert_eq!(found.contains("dmission"), level > Level::Metadata, "{}", found);
    }

    #[test]
    fn bytes_that_are_any_json_come_out_as_an_event(
        tokens in prop::collection::vec(
            prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"kind\"", "\"Secret\"", "\"data\"", "\"\\u0053\"", "1", "null", "\"{\\\"kind\\\":\\\"Secret\\\"}\"", " "]),
            0..14,
        ),
        resource in prop::sample::select(vec!["secrets", "pods", "tokenreviews", "configmaps"]),
    ) {
        let event = event(resource, &tokens.concat(), "null");
        if Event::parse(event.as_bytes()).is_ok() {
            let (found, _) = rewritten(&event, Some(&redactor()));
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&found).is_ok(), "{}", found);
        }
    }
}
