//! What the archive holds: a real search engine's by its own API and not by the product's; the embedded one's by export, the
//! only way to it.

use serde_json::{Value, json};

use crate::sample::Key;
use crate::stack::Stack;

const INDEX: &str = "ks-whizard-auditing-*";
const PAGE: usize = 5_000;

/// A stored document.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) cluster: String,
    pub(crate) rules: Vec<String>,
}

/// How many documents are stored, as of now.
pub(crate) async fn count(client: &reqwest::Client, url: &str) -> u64 {
    let path = format!("{url}/{INDEX}/_refresh");
    let answer = client.post(path).send().await.unwrap();
    assert!(answer.status().is_success() || answer.status() == 404, "{}", answer.status());
    let answer = call(client.get(format!("{url}/{INDEX}/_count"))).await;
    answer["count"].as_u64().unwrap()
}

/// Every document, in no order.
pub(crate) async fn all(client: &reqwest::Client, url: &str) -> Vec<Stored> {
    count(client, url).await;
    let source = ["AuditID", "Stage", "StageTimestamp", "Cluster", "Vedette.Rules"];
    let question = json!({ "size": PAGE, "_source": source, "sort": ["_doc"] });
    let mut page = call(client.post(format!("{url}/{INDEX}/_search?scroll=1m")).json(&question)).await;
    let mut stored = Vec::new();
    loop {
        let hits = page["hits"]["hits"].as_array().unwrap();
        if hits.is_empty() {
            return stored;
        }
        stored.extend(hits.iter().map(|hit| document(&hit["_source"])));
        let next = json!({ "scroll": "1m", "scroll_id": page["_scroll_id"] });
        page = call(client.post(format!("{url}/_search/scroll")).json(&next)).await;
    }
}

/// Every record of these clusters, and that there are no others.
pub(crate) async fn exported(stack: &Stack, clusters: &[String]) -> Vec<Stored> {
    let path = "/kapis/tenant.kubesphere.io/v1alpha2/auditing/events";
    let mut stored = Vec::new();
    for cluster in clusters {
        let url = format!("{}{path}?operation=export&cluster={cluster}", stack.console_url());
        let answer = stack.client.get(url).bearer_auth(stack.token()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status}: {text}");
        stored.extend(text.lines().map(|line| document(&serde_json::from_str(line).unwrap())));
    }
    let answer = stack.ask(&format!("{path}?operation=statistics")).await.unwrap();
    assert_eq!(answer["statistics"]["events"], stored.len(), "there are records of other clusters");
    stored
}

fn document(source: &Value) -> Stored {
    let text = |name: &str| source[name].as_str().unwrap_or_default().to_owned();
    let rules = source["Vedette"]["Rules"].as_array().unwrap().iter().map(|rule| rule.as_str().unwrap().to_owned());
    Stored {
        key: Key(text("AuditID"), text("Stage"), text("StageTimestamp")),
        cluster: text("Cluster"),
        rules: rules.collect(),
    }
}

async fn call(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}
