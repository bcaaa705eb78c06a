//! `RuleDistribution`: the snapshot in force for whoever subscribes.
//!
//! A snapshot is packed once and shared by all streams. A subscriber that is slow or has gone costs nothing but its stream: it is
//! sent the next snapshot only after it has answered the one before, and what came between is left out.

use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use prometheus::IntCounterVec;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use vedette_proto::rules::v1::rule_distribution_server::RuleDistribution;
use vedette_proto::rules::v1::subscribe_request::Message;
use vedette_proto::rules::v1::{self as proto, Hello, SubscribeRequest, WatchNamespacesRequest};
use vedette_service::Context;
use vedette_service::metrics::MetricError;
use vedette_service::snapshot::Snapshot;

use super::access::Access;
use crate::namespaces::Namespaces;
use crate::subscribers::{Connected, Subscriber, Subscribers};

/// How long a subscriber may take to say who it is.
const HELLO: Duration = Duration::from_secs(10);
/// The longest name, version or reason that is kept of a subscriber, in bytes.
const NAME_LIMIT: usize = 253;
const REASON_LIMIT: usize = 2048;

type Stream_<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the server of `RuleDistribution` needs.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// What is in force; `None` until that is known.
    pub snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    /// Who is connected.
    pub subscribers: Subscribers,
    /// The namespaces of the clusters.
    pub namespaces: Namespaces,
    /// Who may subscribe.
    pub access: Access,
    /// Answers by `service` and `result`: `applied` or `refused`.
    pub answers: IntCounterVec,
    /// Ends all streams.
    pub shutdown: CancellationToken,
}

/// How often snapshots were answered in which way.
///
/// # Errors
/// If they are counted already.
pub fn answers(ctx: &Context) -> Result<IntCounterVec, MetricError> {
    ctx.counters("subscriber_answers_total", "Answers of subscribers to snapshots", &["service", "result"])
}

#[tonic::async_trait]
impl RuleDistribution for Distribution {
    type SubscribeStream = Stream_<proto::Snapshot>;
    type WatchNamespacesStream = Stream_<proto::NamespaceChanges>;

    async fn subscribe(
        &self,
        request: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.access.subscriber(&request)?;
        let mut requests = request.into_inner();
        let first = tokio::time::timeout(HELLO, requests.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("the first message did not come in 10 seconds"))??;
        let Some(SubscribeRequest { message: Some(Message::Hello(hello)) }) = first else {
            return Err(Status::invalid_argument("the first message is `hello`"));
        };
        let subscriber = subscriber(&hello)?;
        tracing::info!(
            subscriber.service = subscriber.service,
            subscriber.name = subscriber.name,
            policy.generation = hello.generation,
            "a subscriber has connected"
        );
        let (sender, snapshots) = mpsc::channel(1);
        let session = Session {
            connected: self.subscribers.connect(subscriber.clone()),
            who: subscriber,
            has: (hello.generation, hello.hash.to_vec()),
            sent: None,
            refused: None,
            answers: self.answers.clone(),
        };
        let (snapshot, shutdown) = (self.snapshot.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {
                    let _ = sender.send(Err(Status::unavailable("this operator is stopping: connect again"))).await;
                }
                () = session.run(requests, snapshot, &sender) => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(snapshots))))
    }

    async fn watch_namespaces(
        &self,
        request: Request<WatchNamespacesRequest>,
    ) -> Result<Response<Self::WatchNamespacesStream>, Status> {
        self.access.subscriber(&request)?;
        let changes = self.namespaces.follow(request.into_inner().clusters);
        let ended = self.shutdown.clone().cancelled_owned();
        Ok(Response::new(Box::pin(futures::StreamExt::take_until(changes, ended))))
    }
}

fn subscriber(hello: &Hello) -> Result<Subscriber, Status> {
    for (field, value) in [("subscriber", &hello.subscriber), ("service", &hello.service), ("version", &hello.version)]
    {
        let empty = value.is_empty() && field != "version";
        if empty || value.len() > NAME_LIMIT || value.contains(char::is_control) {
            let message = format!("`hello.{field}` is empty, longer than {NAME_LIMIT} bytes, or no text");
            return Err(Status::invalid_argument(message));
        }
    }
    Ok(Subscriber {
        name: hello.subscriber.clone(),
        service: hello.service.clone(),
        version: hello.version.clone(),
        generation: hello.generation,
        rules: 0,
        behind_since_ms: None,
        last_error: String::new(),
        connected_ms: now(),
    })
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// One subscriber's stream.
struct Session {
    connected: Connected,
    who: Subscriber,
    /// Generation and hash of what is in force there.
    has: (u64, Vec<u8>),
    /// What was sent and is not answered yet.
    sent: Option<Arc<Snapshot>>,
    /// The generation that it refused last: it is not sent again.
    refused: Option<u64>,
    answers: IntCounterVec,
}

impl Session {
    async fn run(
        mut self,
        mut requests: Streaming<SubscribeRequest>,
        mut snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
        sender: &mpsc::Sender<Result<proto::Snapshot, Status>>,
    ) {
        loop {
            let current = snapshot.borrow_and_update().clone();
            if let Some(current) = current {
                self.compare(&current);
                if self.sent.is_none() && self.lacks(&current) {
                    if sender.send(Ok(current.message())).await.is_err() {
                        return;
                    }
                    self.sent = Some(current);
                }
            }
            tokio::select! {
                changed = snapshot.changed() => if changed.is_err() { return },
                request = requests.message() => match request {
                    Ok(Some(SubscribeRequest { message: Some(message) })) => {
                        if let Err(status) = self.answered(message) {
                            let _ = sender.send(Err(status)).await;
                            return;
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return,
                },
                () = sender.closed() => return,
            }
        }
    }

    fn lacks(&self, current: &Snapshot) -> bool {
        let (generation, hash) = &self.has;
        let same = *generation == current.generation() && hash.as_slice() == current.hash().as_bytes();
        !same && self.refused != Some(current.generation())
    }

    fn compare(&self, current: &Snapshot) {
        let behind = self.has.0 < current.generation();
        let known = self.connected_is_behind();
        if behind != known {
            self.connected.update(|it| it.behind_since_ms = behind.then(now));
        }
    }

    fn connected_is_behind(&self) -> bool {
        self.connected.read(|it| it.behind_since_ms.is_some())
    }

    fn answered(&mut self, message: Message) -> Result<(), Status> {
        match message {
            Message::Hello(_) => return Err(Status::invalid_argument("`hello` comes first, and once")),
            Message::Applied(applied) => {
                let Some(sent) = self.sent.take_if(|sent| sent.generation() == applied.generation) else {
                    return Err(Status::invalid_argument("`applied` names a generation that was not sent"));
                };
                self.has = (sent.generation(), sent.hash().as_bytes().to_vec());
                self.refused = None;
                self.count("applied");
                self.connected.update(|it| {
                    it.generation = applied.generation;
                    it.rules = applied.rules;
                    it.behind_since_ms = None;
                    it.last_error.clear();
                });
            }
            Message::Refused(refused) => {
                if self.sent.take_if(|sent| sent.generation() == refused.generation).is_none() {
                    return Err(Status::invalid_argument("`refused` names a generation that was not sent"));
                }
                self.refused = Some(refused.generation);
                self.count("refused");
                let mut reason = refused.reason;
                reason.truncate(reason.floor_char_boundary(REASON_LIMIT));
                tracing::warn!(
                    subscriber.service = self.who.service,
                    subscriber.name = self.who.name,
                    policy.generation = refused.generation,
                    reason,
                    "a subscriber refused the rules"
                );
                self.connected.update(|it| it.last_error = reason);
            }
        }
        Ok(())
    }

    /// Names of services are the subscriber's to choose: those that are not ours are one.
    fn count(&self, result: &str) {
        let ours = ["ingest", "evaluator", "alerter", "console"];
        let service = ours.into_iter().find(|it| *it == self.who.service).unwrap_or("other");
        self.answers.with_label_values(&[service, result]).inc();
    }
}
