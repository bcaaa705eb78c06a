//! One request, from its head to its answer.

use std::{sync::Arc, time::Instant};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, EXPECT},
    http::request::Parts,
};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span, field};
use vedette_audit::{
    Redactor,
    list::{self, Cutter},
};
use vedette_bus::Bus;
use vedette_service::{namespaces::Namespaces, policy::PolicyWatch, telemetry::SPANS};

use crate::{
    auth::{Guard, Peer},
    body::{Coding, Reader},
    budget::{Budget, Denied, Rates, Share},
    config::Limits,
    intake::{Finished, Intake, Terms},
    label,
    loss::Loss,
    metrics::Metrics,
    publish::{self, Outcome},
    refusal::{self, Refusal},
};

const PATH: &str = "/audit/webhook/event";

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Handler {
    /// The cluster of the path that names none.
    pub(crate) cluster: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) guard: Arc<Guard>,
    pub(crate) policy: PolicyWatch,
    pub(crate) namespaces: Namespaces,
    pub(crate) redactor: Option<Arc<Redactor>>,
    pub(crate) bus: Bus,
    /// Why nothing may be published now: without their consumers, the streams would drop what they acknowledge.
    pub(crate) closed: watch::Receiver<Option<&'static str>>,
    pub(crate) budget: Budget,
    pub(crate) rates: Rates,
    pub(crate) metrics: Metrics,
    /// What must end before the service does.
    pub(crate) tasks: TaskTracker,
}

/// A body that was read whole: what is to be published, and what of the budget it holds.
struct Taken {
    cluster: Arc<str>,
    parts: Vec<Finished>,
    share: Share,
}

impl Handler {
    /// Answers one request.
    pub(crate) async fn handle(self: &Arc<Self>, request: Request<Incoming>, peer: &Peer) -> Response<Full<Bytes>> {
        let span = span(request.method());
        let response = self.answer(request, peer).instrument(span.clone()).await;
        let status = response.status();
        self.metrics.answered(status);
        span.record("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        response
    }

    async fn answer(self: &Arc<Self>, request: Request<Incoming>, peer: &Peer) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let mut reader = Reader::new(body, &self.limits);
        let mut loss = Loss::new(self.metrics.sender_lost.clone());
        match self.take(&head, &mut reader, peer, &mut loss).await {
            Ok(taken) => match self.publish(taken, loss).await {
                Ok(outcome) => success(&outcome),
                Err(refusal) => refused(&refusal),
            },
            Err(refusal) => {
                // A sender that still waits to be told to send has nothing under way.
                let waits = head.headers.contains_key(EXPECT) && !reader.touched();
                if refusal.status != StatusCode::REQUEST_TIMEOUT && !waits {
                    reader.drain(|chunk| loss.read(chunk)).await;
                }
                refused(&refusal)
            }
        }
    }

    /// Reads a body. What a known sender loses with it is told to `loss`.
    async fn take(
        &self,
        head: &Parts,
        reader: &mut Reader<'_>,
        peer: &Peer,
        loss: &mut Loss,
    ) -> Result<Taken, Refusal> {
        let (cluster, named) = self.cluster_of(head.uri.path())?;
        if head.method != Method::POST {
            return Err(Refusal::method_not_allowed());
        }
        self.guard.check(&cluster, named, peer, head.headers.get(AUTHORIZATION))?;
        // What anyone else writes there could be anything.
        Span::current().record("url.path", head.uri.path()).record("vedette.cluster", &*cluster);
        let coding = Coding::of(&head.headers)?;
        // What is packed is not unpacked only to be counted: KubeSphere's sender packs nothing.
        let counted = coding == Coding::Identity;
        loss.go_on_with(counted.then(|| Cutter::new(self.list_limits())));
        let announced = reader.announced().filter(|_| coding == Coding::Identity);
        if let Some(bytes) = announced {
            self.charge(&cluster, usize::try_from(bytes).unwrap_or(usize::MAX))?;
        }
        let mut intake = Intake::new(self.terms(&cluster), self.list_limits());
        let mut share = self.budget.share(&cluster);
        let mut free = self.rates.burst();
        let read = reader
            .read(coding, |chunk| {
                self.metrics.bytes.inc_by(chunk.len() as u64);
                let pushed = intake.push(chunk);
                loss.seen(intake.seen());
                pushed?;
                if announced.is_none() {
                    // A body that has emptied a full bucket is charged no more: it could never pass.
                    let charged = chunk.len().min(free);
                    free -= charged;
                    self.charge(&cluster, charged)?;
                }
                share.hold(intake.held()).map_err(|denied| self.denied(denied))
            })
            .await;
        if let Err(refusal) = read {
            loss.go_on_with(intake.rest().filter(|_| counted));
            return Err(refusal);
        }
        let mut parts = intake.finish()?;
        let events: u64 = parts.iter().map(|part| part.counts.received).sum();
        Span::current()
            .record("vedette.events", events as i64)
            .record("messaging.batch.message_count", parts.len() as i64);
        // From here on only what is published is held; its bytes until the client has let go of them.
        share.hold(parts.iter().map(Finished::held).sum()).map_err(|denied| self.denied(denied))?;
        for message in parts.iter_mut().flat_map(Finished::messages) {
            *message = share.part(std::mem::take(message));
        }
        Ok(Taken { cluster, parts, share })
    }

    /// Publishes what was read, in a task of its own: what the broker stores is counted so, whether or not the sender
    /// still waits.
    async fn publish(self: &Arc<Self>, taken: Taken, mut loss: Loss) -> Result<Outcome, Refusal> {
        let closed = *self.closed.borrow();
        if let Some(why) = closed {
            return Err(Refusal::unavailable(why, std::time::Duration::from_secs(5)));
        }
        let handler = Arc::clone(self);
        let publishing = async move {
            let Taken { cluster, parts, share } = taken;
            let (bus, metrics) = (&handler.bus, &handler.metrics);
            let result = publish::publish(bus, metrics, &cluster, parts, handler.limits.publish(), &mut loss).await;
            drop(share);
            result
        };
        let publishing = self.tasks.spawn(publishing.in_current_span());
        let ended = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the events were not published");
        publishing.await.map_err(ended)?
    }

    /// The cluster of a path, and whether the path names it.
    fn cluster_of(&self, path: &str) -> Result<(Arc<str>, bool), Refusal> {
        let rest = path.strip_prefix(PATH);
        match rest.map(|rest| rest.strip_prefix('/')) {
            Some(None) if rest == Some("") => Ok((Arc::clone(&self.cluster), false)),
            Some(Some(cluster)) if vedette_bus::is_label(cluster) => Ok((cluster.into(), true)),
            Some(Some(_)) => {
                Err(Refusal::new(StatusCode::NOT_FOUND, format!("the path names no cluster: {}", label::RULE)))
            }
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, format!("expected the path {PATH} or {PATH}/<cluster>"))),
        }
    }

    fn terms(&self, cluster: &Arc<str>) -> Terms {
        let policy = self.policy.current();
        Terms {
            cluster: Arc::clone(cluster),
            received_unix_nanos: vedette_bus::unix_nanos(),
            generation: policy.generation,
            audit_level: policy.settings.audit_level,
            k8s_auditing_enabled: policy.settings.k8s_auditing_enabled,
            namespaces: self.namespaces.cluster(cluster),
            redactor: self.redactor.clone(),
        }
    }

    fn list_limits(&self) -> list::Limits {
        list::Limits { item_bytes: self.limits.event_bytes, ..list::Limits::default() }
    }

    fn charge(&self, cluster: &str, bytes: usize) -> Result<(), Refusal> {
        self.rates
            .take(cluster, bytes, Instant::now())
            .map_err(|wait| Refusal::too_many("this cluster sends more than its share", wait))
    }

    fn denied(&self, denied: Denied) -> Refusal {
        match denied {
            Denied::Busy => {
                Refusal::too_many("too many bytes are being taken in already", std::time::Duration::from_secs(1))
            }
            Denied::Never => Refusal::too_many(
                "expected a body of which less must be held at once than all bodies together may hold",
                std::time::Duration::from_secs(60),
            ),
        }
    }
}

/// The span of a POST; other requests are refused, and have none.
fn span(method: &Method) -> Span {
    if method != Method::POST {
        return Span::none();
    }
    tracing::info_span!(
        target: SPANS,
        "POST /audit/webhook/event",
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = "POST",
        http.route = "/audit/webhook/event/{cluster}",
        http.response.status_code = field::Empty,
        url.path = field::Empty,
        messaging.system = "nats",
        messaging.batch.message_count = field::Empty,
        vedette.cluster = field::Empty,
        vedette.events = field::Empty,
    )
}

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    tracing::debug!(http.status = refusal.status.as_u16(), reason = %refusal.message, "refused a request");
    refusal.response()
}

/// The answer to a body that was taken.
fn success(outcome: &Outcome) -> Response<Full<Bytes>> {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 200,
        "events": {
            "received": outcome.received,
            "published": outcome.published,
            "dropped": outcome.dropped,
            "deadLettered": outcome.dead_lettered,
            "duplicate": outcome.duplicate,
        },
    });
    refusal::response(StatusCode::OK, &status)
}
