//! A subscriber as simple as can be: it takes what compiles and is newer than what it has, and refuses the rest.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use vedette_proto::rules::v1::rule_distribution_client::RuleDistributionClient;
use vedette_proto::rules::v1::subscribe_request::Message;
use vedette_proto::rules::v1::{Applied, Hello, Refused, SubscribeRequest};
use vedette_rules::{Policy, SourceFile};
use vedette_service::snapshot::Snapshot;

use crate::running::PATIENCE;

/// What it has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Has {
    pub(crate) generation: u64,
    pub(crate) rules: usize,
    pub(crate) documents: Vec<SourceFile>,
}

impl Has {
    pub(crate) fn text(&self) -> String {
        self.documents.iter().map(|it| it.text.as_str()).collect()
    }
}

/// A connected subscriber; dropping it closes the connection.
pub(crate) struct Evaluator {
    has: watch::Receiver<Has>,
    task: JoinHandle<Result<(), Box<tonic::Status>>>,
}

impl Evaluator {
    /// Subscribes. Whatever contains `refuses` is refused.
    pub(crate) async fn connect(url: &str, name: &str, refuses: Option<&'static str>) -> Self {
        Self::connect_with(url, name, refuses, 0).await
    }

    /// The same, with this generation in force already, of other rules.
    pub(crate) async fn connect_with(url: &str, name: &str, refuses: Option<&'static str>, generation: u64) -> Self {
        let channel = tonic::transport::Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap();
        let mut client = RuleDistributionClient::new(channel);
        let (answers, requests) = mpsc::channel(4);
        let hello =
            Hello { subscriber: name.to_owned(), service: "evaluator".to_owned(), generation, ..Hello::default() };
        answers.send(SubscribeRequest { message: Some(Message::Hello(hello)) }).await.unwrap();
        let (sender, has) = watch::channel(Has::default());
        let task = tokio::spawn(async move {
            let mut in_force = generation;
            let mut snapshots = client.subscribe(ReceiverStream::new(requests)).await.map_err(Box::new)?.into_inner();
            while let Some(message) = snapshots.message().await.map_err(Box::new)? {
                let (snapshot, documents) = Snapshot::unpack(message).unwrap();
                let generation = snapshot.generation();
                let built = Policy::build(&documents, generation).unwrap();
                let rules = built.policy.rules.rules().count();
                let unwanted = refuses.is_some_and(|it| documents.iter().any(|file| file.text.contains(it)));
                let answer = if unwanted || generation <= in_force {
                    let reason = if unwanted { "not these" } else { "older than what is in force" };
                    Message::Refused(Refused { generation, reason: reason.to_owned(), diagnostics: Vec::new() })
                } else {
                    in_force = generation;
                    sender.send_replace(Has { generation, rules, documents });
                    Message::Applied(Applied { generation, rules: rules as u64 })
                };
                if answers.send(SubscribeRequest { message: Some(answer) }).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        Self { has, task }
    }

    /// Waits for rules that satisfy `wanted`.
    pub(crate) async fn wait(&mut self, what: &str, wanted: impl FnMut(&Has) -> bool) -> Has {
        let waited = tokio::time::timeout(PATIENCE, self.has.wait_for(wanted)).await;
        match waited {
            Ok(Ok(has)) => has.clone(),
            Ok(Err(_)) => panic!("{what}: the stream ended"),
            Err(_) => panic!("{what}: it never came"),
        }
    }

    pub(crate) fn close(self) {
        self.task.abort();
    }
}
