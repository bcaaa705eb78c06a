//! Questions to Elasticsearch: our own time over what the engine says that it took.
//!
//! Between the archive and the node stands a proxy that reads `took` from each answer as it passes. What it costs itself is
//! counted as ours, so that the figures are an upper bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_ENCODING, header::CONTENT_TYPE};
use axum::response::Response;
use reqwest::Client;
use vedette_archive::{Archive, ArchiveError, By, Config, Field, Filter, Interval, Mode, Page, Query, WriteBatch};
use vedette_e2e::{Engine, SearchNode};

use crate::Effort;
use crate::broker::{results, runtime};
use crate::measure::{median, quantile};
use crate::sample::Sample;
use crate::subject::archiver;
use crate::table::{Bar, Quantity, Row, Table, Unit, grouped};

/// Documents in the engine.
const DOCUMENTS: usize = 50_000;
/// Questions before those that count.
const WARM: usize = 20;
/// Each question is asked so often: p99 is the slowest but two.
const TIMES: usize = 200;

/// What the engine said of its answers to one question, in milliseconds.
type Took = Arc<AtomicU64>;

#[derive(Clone)]
struct Proxy {
    client: Client,
    node: String,
    took: Took,
}

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let node = SearchNode::start(Engine::Es9);
    let runtime = runtime();
    let took = Took::default();
    let proxy = Proxy {
        client: Client::builder().no_proxy().build().expect("a client can be made"),
        node: node.url(),
        took: Arc::clone(&took),
    };
    let url = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port can be had");
        let address = listener.local_addr().expect("it has an address");
        let app = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    });
    let archive =
        runtime.block_on(vedette_archive::open(&Config::search(url), Mode::Write)).expect("the archive can be opened");
    let written = runtime.block_on(fill(sample, archive.as_ref()));
    let refresh = proxy.client.post(format!("{}/_refresh", node.url())).send();
    runtime.block_on(refresh).expect("the node answers").error_for_status().expect("it can be refreshed");

    let mut table = Table::default();
    let times = TIMES * (effort.seconds as usize).max(1);
    for (what, ask) in questions() {
        let (mut over, mut engine) = (Vec::new(), Vec::new());
        for at in 0..WARM + times {
            took.store(0, Ordering::Relaxed);
            let begun = Instant::now();
            runtime.block_on(asked(archive.as_ref(), &ask)).expect("the archive answers");
            let wall = begun.elapsed();
            // Whole milliseconds, cut: up to one of the engine's own is counted as ours.
            let took = Duration::from_millis(took.load(Ordering::Relaxed));
            if at >= WARM {
                over.push(wall.saturating_sub(took).as_secs_f64() * 1_000.0);
                engine.push(took.as_secs_f64() * 1_000.0);
            }
        }
        let row = Row::new(
            format!("{what}: over the engine's own time, p99"),
            quantile(over.clone(), 0.99),
            Unit::Milliseconds,
        );
        let beside = format!("median {:.1} ms; the engine's own, median", median(over));
        table.push(row.bar(Bar::below(10.0)).beside(beside, Quantity(median(engine), Unit::Milliseconds)));
    }
    table.note(format!("{} documents in Elasticsearch 9, each question {times} times", grouped(written as f64)));
    table
}

/// Passes a request on, and notes what the engine says that it took.
async fn pass(State(proxy): State<Proxy>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = proxy.client.request(method, format!("{}{path}", proxy.node)).body(body);
    for name in [CONTENT_TYPE, CONTENT_ENCODING] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value.clone());
        }
    }
    let answer = request.send().await.expect("the node answers");
    let status = StatusCode::from_u16(answer.status().as_u16()).expect("a status");
    let body = answer.bytes().await.expect("an answer is read");
    if let Some(took) = took(&body) {
        proxy.took.fetch_add(took, Ordering::Relaxed);
    }
    let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    response.body(Body::from(body)).expect("a response can be made")
}

/// `took` at the beginning of an answer.
fn took(body: &[u8]) -> Option<u64> {
    let rest = body.strip_prefix(br#"{"took":"#)?;
    let digits: String = rest.iter().map(|byte| char::from(*byte)).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

async fn fill(sample: &Sample, archive: &dyn Archive) -> usize {
    let posts = sample.joined().make(DOCUMENTS, 1);
    let mut written = 0;
    for post in &posts {
        let result = results(post);
        let batch = WriteBatch { key: result.batch.clone(), documents: archiver::documents(&result) };
        written += batch.documents.len();
        archive.write(&[batch]).await.expect("the archive takes documents");
    }
    written
}

enum Ask {
    Page(Filter),
    Histogram(Filter),
    Facets(Filter),
    Groups(Filter),
    Statistics(Filter),
}

fn questions() -> Vec<(&'static str, Ask)> {
    let filter = || Filter::is(Field::Verb, ["update", "patch", "create"]).and(Filter::is(Field::Resource, ["leases"]));
    vec![
        ("newest 50 and how many, everything", Ask::Page(Filter::everything())),
        ("newest 50 and how many, verb and resource", Ask::Page(filter())),
        ("newest 50 and how many, part of a name", Ask::Page(Filter::contains(Field::Name, ["SYSTEM"]))),
        ("histogram of 30 min", Ask::Histogram(filter())),
        ("facets of actor, verb, resource, code", Ask::Facets(filter())),
        ("groups of actor and verb", Ask::Groups(filter())),
        ("statistics", Ask::Statistics(filter())),
    ]
}

async fn asked(archive: &dyn Archive, ask: &Ask) -> Result<(), ArchiveError> {
    let by = |field| By::Field(field);
    match ask {
        Ask::Page(filter) => {
            let page = Page { size: 50, ..Page::default() };
            archive.search(&Query::of(filter.clone()), &page).await.map(drop)
        }
        Ask::Histogram(filter) => {
            archive.histogram(&Query::of(filter.clone()), Interval::seconds(1_800)).await.map(drop)
        }
        Ask::Facets(filter) => {
            let by = [by(Field::Actor), by(Field::Verb), by(Field::Resource), By::Code];
            archive.facets(&Query::of(filter.clone()), &by, 10).await.map(drop)
        }
        Ask::Groups(filter) => {
            let by = [by(Field::Actor), by(Field::Verb)];
            archive.group(&Query::of(filter.clone()), &by, 10).await.map(drop)
        }
        Ask::Statistics(filter) => archive.statistics(&Query::of(filter.clone())).await.map(drop),
    }
}
