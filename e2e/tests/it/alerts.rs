//! What a real Alertmanager holds.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::sample::Alert;

#[derive(Debug, Deserialize)]
struct Held {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Every alert in the Alertmanager at `url`, sorted; alerts with labels of their own kind (`source` …) as they are.
pub(crate) async fn held(client: &reqwest::Client, url: &str) -> Vec<Alert> {
    let answer = client.get(format!("{url}/api/v2/alerts")).send().await.unwrap();
    let held: Vec<Held> = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let alert = |held: Held| Alert { labels: held.labels, message: held.annotations["message"].clone() };
    let mut alerts: Vec<_> = held.into_iter().map(alert).collect();
    alerts.sort();
    alerts
}
