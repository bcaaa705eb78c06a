//! Secrets that were planted into bodies: where they are after a 200.

use std::path::Path;

use vedette_ingest::config::FieldsConfig;

use crate::rig::Rig;

const PLANTED: &str = "planted-pa55word";
/// What it is in base64.
const BASE64: &str = "cGxhbnRlZC1wYTU1d29yZA==";

/// A list in which it stands eleven times, in every way that there is.
fn planted() -> String {
    let applied = format!(r#"{{\"kind\":\"Secret\",\"stringData\":{{\"p\":\"{PLANTED}\"}}}}\n"#);
    let secret = format!(
        r#"{{"metadata":{{"annotations":{{"kubectl.kubernetes.io/last-applied-configuration":"{applied}"}}}},"data":{{"p":"{BASE64}"}},"\u0073tringData":{{"p":"{PLANTED}"}},"kind":"Secret"}}"#
    );
    let events = [
        ("secrets", secret.clone()),
        ("widgets", format!(r#"[{{"inside":{secret}}}]"#)),
        ("secrets", format!(r#"[{{"op":"add","path":"/data/p","value":"{BASE64}"}}]"#)),
        ("secrets", format!(r#""{PLANTED}""#)),
        ("tokenreviews", format!(r#"{{"spec":{{"token":"{PLANTED}"}}}}"#)),
        ("databases", format!(r#"{{"spec":{{"password":"{PLANTED}"}}}}"#)),
    ];
    let events = events.map(|(resource, body)| {
        format!(r#"{{"verb":"patch","objectRef":{{"resource":"{resource}"}},"requestObject":{body}}}"#)
    });
    let changed = format!(r#"{{\"patch\":[{{\"op\":\"add\",\"path\":\"/data/p\",\"value\":\"{BASE64}\"}}]}}"#);
    let annotated = format!(
        r#"{{"verb":"create","objectRef":{{"resource":"secrets"}},"annotations":{{"patch.webhook.admission.k8s.io/round_0_index_0":"{changed}"}}}}"#
    );
    format!(r#"{{"items":[{},{annotated}]}}"#, events.join(","))
}

/// All bytes of all files in a folder.
fn all_bytes(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // A broker at work takes files away.
        all.extend(if path.is_dir() { all_bytes(&path) } else { std::fs::read(&path).unwrap_or_default() });
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn redacts_before_anything_reaches_the_broker() {
    let field = FieldsConfig { group: None, resource: "databases".into(), fields: vec!["spec.password".into()] };
    let rig = Rig::start(|config, _| config.redaction.fields.push(field)).await;
    assert_eq!(rig.post(planted()).await.events("published"), 7);
    // One of it would be found, were it there: what is published is packed.
    let store = all_bytes(rig.nats.folder());
    assert!(!store.is_empty() && !holds(&store, PLANTED) && !holds(&store, BASE64));
    let messages = rig.messages(1).await;
    let events = &messages[0].message.as_ref().unwrap().events;
    let published: Vec<_> = events.iter().map(|event| std::str::from_utf8(&event.json).unwrap()).collect();
    let published = published.join("\n");
    assert!(!published.contains(PLANTED) && !published.contains(BASE64), "{published}");
    let hashes: Vec<_> = published.split("redacted:").skip(1).map(|rest| &rest[..32]).collect();
    assert_eq!(hashes.len(), 11, "{published}");
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "one secret has one hash: {published}");
    assert_eq!(rig.metric("redacted_values_total", &[]), 11.0);
    // The same list again has the same names, and nothing is counted twice.
    assert_eq!(rig.post(planted()).await.events("duplicate"), 7);
    assert_eq!(rig.metric("redacted_values_total", &[]), 11.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn redacts_nothing_where_it_is_turned_off() {
    let rig = Rig::start(|config, _| config.redaction.enabled = false).await;
    assert_eq!(rig.post(planted()).await.events("published"), 7);
    let messages = rig.messages(1).await;
    let event = &messages[0].message.as_ref().unwrap().events[0];
    assert!(holds(&event.json, PLANTED) && !holds(&event.json, "redacted:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn redacts_with_the_key_of_the_file_after_a_restart_too() {
    let hash = async |key: &str| {
        let rig = Rig::start(|config, folder| {
            config.redaction.key_file = folder.join("key");
            std::fs::write(&config.redaction.key_file, key).unwrap();
        })
        .await;
        rig.post(planted()).await.events("published");
        let json =
            String::from_utf8(rig.messages(1).await[0].message.as_ref().unwrap().events[0].json.to_vec()).unwrap();
        json.split("redacted:").nth(1).unwrap()[..32].to_owned()
    };
    let (one, other) = ("01".repeat(32), "02".repeat(32));
    assert_eq!(hash(&one).await, hash(&format!("{one}\n")).await);
    assert_ne!(hash(&one).await, hash(&other).await);
}
