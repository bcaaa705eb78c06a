//! The main job on real input: all events of the sample over HTTPS, each accounted for, exactly the right ones stored once,
//! the right alerts with the right messages.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use vedette_e2e::Engine;

use crate::sample::{self, Expected, Key, List};
use crate::sender::Sender;
use crate::stack::Stack;
use crate::{alerts, store};

const SEND: Duration = Duration::from_secs(120);
const SETTLE: Duration = Duration::from_secs(120);
/// Lists on their way at once.
const CONCURRENT: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipeline_accounts_for_every_event_with_elasticsearch() {
    pipeline(Engine::Es9, "demo").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipeline_accounts_for_every_event_with_opensearch() {
    pipeline(Engine::OpenSearch, "demo").await;
}

/// The seeds' default level: bodies are gone before any rule sees them, and that is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipeline_strips_bodies_and_names_the_rules_that_miss_them() {
    let stack = pipeline(Engine::Es7, "metadata").await;
    let status = stack.ask("/api/v1/status").await.unwrap();
    let mut blind: Vec<sample::Blind> = serde_json::from_value(status["blindRules"].clone()).unwrap();
    blind.sort();
    assert_eq!(blind, Expected::load("metadata").blind);
}

async fn pipeline(engine: Engine, settings: &str) -> Stack {
    let (lists, expected) = (sample::lists(), Expected::load(settings));
    let mut stack = Stack::start(Some(engine), &expected.settings);
    let sender = Sender::new(stack.ingest_urls());
    let end = Instant::now() + SEND;
    let lists = std::sync::Arc::new(lists);
    let tasks: Vec<_> = (0..CONCURRENT)
        .map(|first| {
            let (sender, lists) = (sender.clone(), lists.clone());
            tokio::spawn(async move {
                for list in lists.iter().skip(first).step_by(CONCURRENT) {
                    sender.deliver("/audit/webhook/event", &list.body, end).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }

    let total = stack.settled(expected.received, SETTLE).await;
    assert_eq!(total["ingest"]["published"], expected.received - expected.dropped);
    assert_eq!(total["ingest"]["deadLettered"], serde_json::json!({}));
    assert_eq!(total["archive"]["stored"], expected.stored);
    assert_eq!(total["archive"]["ignored"], expected.ignored);
    assert_eq!(total["archive"]["alertedOnly"], expected.alerted_only);
    assert_eq!((&total["archive"]["duplicate"], &total["archive"]["rejected"]), (&0.into(), &0.into()));
    assert_eq!(total["alert"]["sent"], expected.alerts_sent());
    assert_eq!((&total["alert"]["unrouted"], &total["alert"]["rejected"]), (&0.into(), &0.into()));

    holds_exactly(&stack, &expected.stored_events(&lists), &["default".to_owned()]).await;
    let wanted = sorted(expected.alerts.clone().unwrap());
    assert_eq!(alerts::held(&stack.client, &stack.alertmanager.url()).await, wanted);
    reads_back(&stack, &lists, &expected).await;

    // A second time, as a sender does that missed the answers: nothing is added anywhere.
    for list in lists.iter().take(20) {
        sender.deliver("/audit/webhook/event", &list.body, end).await;
    }
    stack.settled(expected.received, SETTLE).await;
    let node = stack.search.as_ref().unwrap();
    assert_eq!(store::count(&stack.client, &node.url()).await, expected.stored);
    stack.stop_all_but_console();
    stack
}

/// Asserts that the archive holds these events, each once for each cluster, with the rules that held, and nothing else.
pub(crate) async fn holds_exactly(stack: &Stack, events: &BTreeMap<Key, Vec<String>>, clusters: &[String]) {
    let stored = match &stack.search {
        Some(node) => store::all(&stack.client, &node.url()).await,
        None => store::exported(stack, clusters).await,
    };
    let mut found = BTreeMap::new();
    for document in stored {
        let twice = found.insert((document.cluster, document.key), document.rules);
        assert!(twice.is_none(), "an event is stored twice");
    }
    for cluster in clusters {
        for (key, rules) in events {
            let rules_found = found.remove(&(cluster.clone(), key.clone()));
            assert_eq!(rules_found.as_ref(), Some(rules), "{key:?} of {cluster}");
        }
    }
    assert!(found.is_empty(), "stored, but no rule says so: {:?}", found.into_iter().next());
}

/// KubeSphere's query endpoint gives what was stored.
async fn reads_back(stack: &Stack, lists: &[List], expected: &Expected) {
    let path = "/kapis/tenant.kubesphere.io/v1alpha2/auditing/events";
    let answer = stack.ask(&format!("{path}?operation=statistics&start_time=0")).await.unwrap();
    assert_eq!(answer["statistics"]["events"], expected.stored, "{answer}");
    // The newest page, newest first, as its console asks for it.
    let answer = stack.ask(&format!("{path}?size=50&start_time=0")).await.unwrap();
    assert_eq!(answer["query"]["total"], expected.stored);
    let records = answer["query"]["records"].as_array().unwrap();
    assert_eq!(records.len(), 50);
    let stored = expected.stored_events(lists);
    let text = |record: &serde_json::Value, name: &str| record[name].as_str().unwrap().to_owned();
    let times: Vec<_> = records.iter().map(|record| text(record, "RequestReceivedTimestamp")).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    for record in records {
        let key = Key(text(record, "AuditID"), text(record, "Stage"), text(record, "StageTimestamp"));
        assert!(stored.contains_key(&key), "{key:?}");
    }
}

pub(crate) fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}
