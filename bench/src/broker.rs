//! A fresh broker with Vedette's streams, what is in it, and publishing to it with nothing else around.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use futures::{StreamExt, stream as futures_stream};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vedette_audit::{Level, event::Event};
use vedette_bus::Bus;
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::{self, AlertResult, ArchiveCounts, ArchiveMatch, ArchiveResult, EventBatch, IngestCounts};
use xxhash_rust::xxh3::xxh3_128;

use crate::measure::{Progress, cpu_of};
use crate::sample::{self, Post};

/// The cluster that everything belongs to unless said otherwise.
pub(crate) const CLUSTER: &str = "default";
pub(crate) const EVENTS: &str = "VEDETTE_EVENTS_0";
pub(crate) const ARCHIVE_RESULTS: &str = "VEDETTE_RESULTS_ARCHIVE";
pub(crate) const ALERT_RESULTS: &str = "VEDETTE_RESULTS_ALERT";

const BARE: &str = "BARE";
/// How long a drain may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// When the broker writes through to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Before each acknowledgement: as shipped.
    Always,
    /// Every two minutes: nats-server's default.
    Interval,
}

/// A nats-server on an empty folder with Vedette's streams and durables, and a connection to it.
#[derive(Debug)]
pub(crate) struct Broker {
    bus: Bus,
    context: jetstream::Context,
    server: NatsServer,
    _folder: Option<TempDir>,
    runtime: Arc<Runtime>,
}

/// One message as it stands in a stream.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    headers: HeaderMap,
    payload: Bytes,
}

/// What a drain took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    /// Events a second.
    pub(crate) rate: f64,
    /// Events a second of the processes' own CPU time.
    pub(crate) per_core: f64,
}

/// A runtime whose work is done by one thread: a sender that takes no more than it must.
pub(crate) fn runtime() -> Arc<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    Arc::new(runtime.expect("a runtime can be made"))
}

impl Broker {
    pub(crate) fn start(runtime: &Arc<Runtime>, sync: Sync) -> Self {
        let (server, folder) = match sync {
            Sync::Always => (NatsServer::start(), None),
            Sync::Interval => {
                let folder = tempfile::tempdir().expect("a folder can be made");
                let store = folder.path().join("store");
                let block = format!("jetstream {{ store_dir: {store:?}, sync_interval: \"2m\", max_file: 16GB }}");
                (NatsServer::start_with(&block), Some(folder))
            }
        };
        let config = vedette_bus::Config { url: server.url(), ..vedette_bus::Config::default() };
        let (bus, context) = runtime.block_on(async {
            let bus = Bus::connect("vedette-bench", &config).await.expect("the broker can be reached");
            bus.ensure().await.expect("the streams can be made");
            let client = async_nats::connect(server.url()).await.expect("the broker can be reached");
            let context = jetstream::context::ContextBuilder::new().timeout(Duration::from_secs(30)).build(client);
            (bus, context)
        });
        Self { bus, context, server, _folder: folder, runtime: Arc::clone(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Publishes these POSTs as ingest would, a message each. Returns how many messages that made.
    pub(crate) fn fill(&self, posts: &[Post]) -> u64 {
        let publish = |post: &Post| {
            let (id, events) = (batch_id(post), batch(post));
            let count = events.events.len() as u64;
            let counts = IngestCounts { received: count, published: count, ..IngestCounts::default() };
            let payload = vedette_bus::encode(&events);
            async move {
                let timeout = Duration::from_secs(30);
                self.bus
                    .publish_events(CLUSTER, &id, &counts, payload, timeout)
                    .await
                    .expect("events can be published");
            }
        };
        let sends = futures_stream::iter(posts).map(publish).buffer_unordered(16);
        self.runtime.block_on(sends.collect::<Vec<()>>());
        posts.len() as u64
    }

    /// Publishes an archive result for each of these POSTs, all events archived. Returns how many messages that made.
    pub(crate) fn fill_archive_results(&self, posts: &[Post]) -> u64 {
        let publish = |post: &Post| {
            let result = results(post);
            async move { self.bus.publish_archive_result(&result).await.expect("results can be published") }
        };
        let sends = futures_stream::iter(posts).map(publish).buffer_unordered(16);
        self.runtime.block_on(sends.collect::<Vec<_>>());
        posts.len() as u64
    }

    /// Publishes these alert results. Returns how many messages that made.
    pub(crate) fn fill_alert_results(&self, results: &[AlertResult]) -> u64 {
        let publish =
            |result| async move { self.bus.publish_alert_result(result).await.expect("results can be published") };
        let sends = futures_stream::iter(results).map(publish).buffer_unordered(16);
        self.runtime.block_on(sends.collect::<Vec<_>>());
        results.len() as u64
    }

    /// Messages in a stream.
    pub(crate) fn left(&self, stream: &str) -> u64 {
        self.runtime.block_on(self.state(stream)).messages
    }

    async fn state(&self, stream: &str) -> stream::State {
        self.context.get_stream(stream).await.expect("the stream is there").cached_info().state.clone()
    }

    /// Waits until a stream is empty, and says how fast its messages, of so many events each, left it.
    ///
    /// # Panics
    /// If that takes longer than ten minutes.
    pub(crate) fn drain(&self, stream: &str, messages: u64, events: u64, processes: &[u32]) -> Drained {
        let start = Instant::now();
        let mut progress = Progress::default();
        loop {
            let left = self.left(stream);
            let cpu = processes.iter().map(|process| cpu_of(*process)).sum();
            progress.note(cpu, messages.saturating_sub(left) * events);
            if left == 0 {
                let (rate, per_core) = progress.rates(messages * events);
                return Drained { rate, per_core };
            }
            assert!(start.elapsed() < PATIENCE, "{left} messages are left in {stream}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every message of a stream, as it was published.
    pub(crate) fn messages(&self, stream: &str) -> Vec<Message> {
        self.runtime.block_on(async {
            let stream = self.context.get_stream(stream).await.expect("the stream is there");
            let state = stream.cached_info().state.clone();
            let mut messages = Vec::new();
            for sequence in state.first_sequence..=state.last_sequence {
                let message = stream.get_raw_message(sequence).await.expect("the message is there");
                messages.push(Message { headers: message.headers, payload: message.payload });
            }
            messages
        })
    }

    /// Publishes messages to a stream that nobody reads, waiting for the broker's acknowledgement, with so many under way.
    /// Returns the seconds that it took.
    pub(crate) fn publish_bare(&self, messages: &[Message], in_flight: usize) -> f64 {
        self.runtime.block_on(async {
            let config = stream::Config {
                name: BARE.to_owned(),
                subjects: vec!["bare.*".to_owned()],
                discard: stream::DiscardPolicy::New,
                max_bytes: 4 << 30,
                duplicate_window: Duration::from_secs(600),
                ..stream::Config::default()
            };
            self.context.create_stream(config).await.expect("a stream can be made");
            let start = Instant::now();
            let next = AtomicUsize::new(0);
            let lane = || async {
                while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = self.context.publish_with_headers(
                        "bare.default",
                        message.headers.clone(),
                        message.payload.clone(),
                    );
                    let acknowledged = sent.await.expect("a message can be sent").await.expect("the broker stores it");
                    assert!(!acknowledged.duplicate, "the broker took a message for another one's duplicate");
                }
            };
            futures::future::join_all((0..in_flight).map(|_| lane())).await;
            let seconds = start.elapsed().as_secs_f64();
            self.context.delete_stream(BARE).await.expect("the stream can be deleted");
            seconds
        })
    }
}

/// The message that ingest makes of a POST, at level RequestResponse.
pub(crate) fn batch(post: &Post) -> EventBatch {
    let events = sample::events_of(post).into_iter().map(|item| {
        let event = Event::parse(item).expect("an event is one");
        let mut json = Vec::with_capacity(item.len() + 32);
        event.rewrite(Level::RequestResponse, CLUSTER, &mut json);
        v1::Event { id: event.id(CLUSTER).as_bytes().to_vec().into(), json: json.into() }
    });
    EventBatch { cluster: CLUSTER.to_owned(), received_unix_nanos: 1, generation: 1, events: events.collect() }
}

/// The archive result of a POST, all events archived.
pub(crate) fn results(post: &Post) -> ArchiveResult {
    let batch = batch(post);
    let count = batch.events.len() as u64;
    let rules = vec!["archiving-rule.archiving".to_owned()];
    let matches =
        batch.events.into_iter().map(|event| ArchiveMatch { id: event.id, json: event.json, rules: rules.clone() });
    ArchiveResult {
        batch: batch_id(post),
        cluster: batch.cluster,
        received_unix_nanos: batch.received_unix_nanos,
        generation: 1,
        ingest: Some(IngestCounts { received: count, published: count, ..IngestCounts::default() }),
        counts: Some(ArchiveCounts { evaluated: count, archived: count, ..ArchiveCounts::default() }),
        matches: matches.collect(),
        blind: Vec::new(),
    }
}

fn batch_id(post: &Post) -> String {
    format!("{:032x}", xxh3_128(&post.body))
}

impl Message {
    /// Bytes of the payload.
    pub(crate) fn bytes(&self) -> usize {
        self.payload.len()
    }
}
