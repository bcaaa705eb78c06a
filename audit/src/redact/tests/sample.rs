//! Real events with secrets planted into them.

use std::{io::Read, path::Path};

use base64::engine::general_purpose;

use super::*;

const PLANTED: &str = "planted-pa55word";

#[test]
fn nothing_planted_into_real_events_goes_on() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/testdata/kube-apiserver-eventlists.ndjson.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let redactor = Redactor::new(KEY, &[]).unwrap();
    let base64 = general_purpose::STANDARD.encode(PLANTED);
    let (mut secrets, mut tokens, mut others) = (0, 0, 0);
    for line in text.lines() {
        let list: Value = serde_json::from_str(line).unwrap();
        for event in list["items"].as_array().unwrap() {
            let object = &event["objectRef"];
            let patch = event["verb"] == "patch";
            let expected = match (object["resource"].as_str(), object["subresource"].as_str()) {
                (Some("secrets"), _) if patch => {
                    secrets += 1;
                    let patch = json!([{"op": "add", "path": "/data/p", "value": base64}]);
                    check_planted(&redactor, event, &patch, &secret(object, &base64), 4)
                }
                (Some("secrets"), _) if event["verb"] == "list" => {
                    secrets += 1;
                    let list =
                        json!({"kind": "SecretList", "items": [secret(object, &base64), secret(object, &base64)]});
                    check_planted(&redactor, event, &Value::Null, &list, 6)
                }
                (Some("secrets"), _) => {
                    secrets += 1;
                    check_planted(&redactor, event, &secret(object, &base64), &secret(object, &base64), 6)
                }
                (Some("serviceaccounts"), Some("token")) | (Some("tokenreviews"), _) => {
                    tokens += 1;
                    let body = json!({"spec": {"token": PLANTED}, "status": {"token": PLANTED, "authenticated": true}});
                    check_planted(&redactor, event, &body, &body, 4)
                }
                _ => {
                    others += 1;
                    let text = event.to_string();
                    assert_eq!(rewritten(&text, Some(&redactor)), (rewritten(&text, None).0, 0), "nothing is in it");
                    continue;
                }
            };
            assert!(!expected.contains(PLANTED) && !expected.contains(&base64), "{expected}");
        }
    }
    assert_eq!((secrets, tokens, others), (1750, 261, 13_448));
}

/// A Secret as an apiserver returns it, applied by kubectl.
fn secret(object: &Value, base64: &str) -> Value {
    let applied = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": object["name"]}, "stringData": {"p": PLANTED},
    });
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": object["name"],
            "namespace": object["namespace"],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": format!("{applied}\n")},
        },
        "stringData": {"p": PLANTED},
        "data": {"p": base64},
    })
}

fn check_planted(redactor: &Redactor, event: &Value, request: &Value, response: &Value, values: u64) -> String {
    let mut planted = event.clone();
    planted["requestObject"] = request.clone();
    planted["responseObject"] = response.clone();
    let (found, count) = rewritten(&planted.to_string(), Some(redactor));
    assert_eq!(count, values, "{planted}");
    let namespace = event["objectRef"]["namespace"].as_str().unwrap_or_default();
    assert_eq!(
        found.matches(&hidden_in(namespace, PLANTED)).count() as u64,
        values,
        "one secret has one hash: {found}"
    );
    found
}
