//! Traces as a collector sees them: one list's way through all services, over real OTLP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::time::{Instant, sleep};
use tonic::{Request, Response, Status};

use crate::sample::{self, Expected};
use crate::sender::Sender;
use crate::stack::Stack;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const SEND: Duration = Duration::from_secs(30);
const ARRIVE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_follow_a_list_through_all_services() {
    let (lists, expected) = (sample::lists(), Expected::load("demo"));
    let alerts = |list: &usize| expected.classes(*list).into_iter().flatten().any(|class| !class.alerts.is_empty());
    let list = &lists[(0..lists.len()).find(alerts).expect("the sample raises alerts")];
    let collector = Collector::default();
    let endpoint = collector.clone().serve().await;
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let stack = Stack::start_with(None, &expected.settings, &env);

    let path = "/audit/webhook/event/traced";
    Sender::new(stack.ingest_urls()).deliver(path, &list.body, Instant::now() + SEND).await;

    let post = collector.wait("ingest", "POST /audit/webhook/event", |_| true).await;
    assert_eq!(text(&post, "http.request.method"), "POST");
    assert_eq!((text(&post, "url.path").as_str(), text(&post, "vedette.cluster").as_str()), (path, "traced"));
    assert_eq!(number(&post, "http.response.status_code"), 200);
    assert_eq!(number(&post, "vedette.events"), list.events.len() as i64);
    assert_eq!(number(&post, "messaging.batch.message_count"), 1);

    let child = |span: &Span| span.trace_id == post.trace_id && span.parent_span_id == post.span_id;
    let mut evaluated = BTreeMap::new();
    for kind in ["archive", "alert"] {
        let group = |span: &Span| child(span) && text(span, "messaging.consumer.group.name") == kind;
        let span = collector.wait("evaluator", "evaluate", group).await;
        assert_eq!(text(&span, "vedette.cluster"), "traced");
        assert!(number(&span, "vedette.generation") > 0);
        evaluated.insert(kind, span);
    }
    let linked = |span: &Span, kind: &str| {
        let wanted = &evaluated[kind];
        span.links.iter().any(|link| link.trace_id == wanted.trace_id && link.span_id == wanted.span_id)
    };
    let commit = collector.wait("archiver", "commit", |span| linked(span, "archive")).await;
    assert_eq!(number(&commit, "messaging.batch.message_count"), 1);
    assert!(number(&commit, "vedette.documents") > 0);
    let sent = collector.wait("alerter", "send alerts", |span| linked(span, "alert")).await;
    assert_eq!(text(&sent, "vedette.receiver"), "alert");
    assert!(number(&sent, "vedette.alerts") > 0);

    // What is done for a collector, and what runs below, is not told to it.
    let names = ["POST /audit/webhook/event", "evaluate", "commit", "send alerts"];
    let others = collector.0.lock().unwrap().iter().find(|(_, span)| !names.contains(&span.name.as_str())).cloned();
    assert_eq!(others, None);
}

/// What has been exported, by service.
#[derive(Debug, Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

impl Collector {
    /// Takes exports on a free port until the test ends.
    async fn serve(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().route_service(EXPORT, TraceServiceServer::new(self));
        tokio::spawn(async move { axum::serve(listener, app).await });
        endpoint
    }

    /// The first span of this service and name that is `wanted`.
    async fn wait(&self, service: &str, name: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        let end = Instant::now() + ARRIVE;
        loop {
            let found =
                self.0.lock().unwrap().iter().find_map(|(own, span)| {
                    (own == service && span.name == name && wanted(span)).then(|| span.clone())
                });
            if let Some(span) = found {
                return span;
            }
            assert!(Instant::now() < end, "no span `{name}` of {service} came: {:#?}", self.0.lock().unwrap());
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for exported in request.into_inner().resource_spans {
            let service = attribute(&exported.resource.unwrap().attributes, "service.name");
            let Some(Value::StringValue(service)) = service else { panic!("a resource without a name") };
            let spans = exported.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.0.lock().unwrap().extend(spans.map(|span| (service.clone(), span)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<Value> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value
}

fn text(span: &Span, key: &str) -> String {
    match attribute(&span.attributes, key) {
        Some(Value::StringValue(text)) => text,
        other => panic!("`{key}` is {other:?} in {span:#?}"),
    }
}

fn number(span: &Span, key: &str) -> i64 {
    match attribute(&span.attributes, key) {
        Some(Value::IntValue(number)) => number,
        other => panic!("`{key}` is {other:?} in {span:#?}"),
    }
}
