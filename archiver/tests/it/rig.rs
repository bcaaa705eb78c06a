//! A nats-server, an embedded archive, and an archiver that can be stopped and killed.

use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use vedette_archive::{Archive, Mode, Page, Query};
use vedette_archiver::{CommitConfig, Config};
use vedette_audit::event::Event;
use vedette_bus::Bus;
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::{
    ArchiveCounts, ArchiveEntry, ArchiveMatch, ArchiveResult, Blind, DeadLetter, IngestCounts, book_entry::Applied,
};
use vedette_service::Context;

const PATIENCE: Duration = Duration::from_secs(60);
/// Seconds until the broker delivers again, where a test does not need another time.
const ACK_WAIT: u64 = 2;
/// Longer than any test waits: what the broker delivers again, it was given back.
pub(crate) const FOREVER: u64 = 120;

/// Everything that a test needs.
pub(crate) struct Rig {
    nats: NatsServer,
    pub(crate) bus: Bus,
    archive: Arc<dyn Archive>,
    _folder: TempDir,
    pub(crate) retention_days: u32,
    /// What one commit may have.
    pub(crate) commit: CommitConfig,
    broker: vedette_bus::Config,
    running: Vec<Running>,
}

/// An archiver in a runtime of its own, which can be taken from under it.
struct Running {
    runtime: Runtime,
    ctx: Context,
    task: tokio::task::JoinHandle<()>,
}

/// What the books say, by batch.
#[derive(Debug)]
pub(crate) struct Books(BTreeMap<String, ArchiveEntry>);

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with_ack_wait(ACK_WAIT).await
    }

    /// One whose archive may have so many bytes.
    pub(crate) async fn with_max_bytes(max_bytes: u64) -> Self {
        Self::with(ACK_WAIT, max_bytes).await
    }

    /// One whose broker waits so many seconds for acknowledgements.
    pub(crate) async fn with_ack_wait(ack_wait_seconds: u64) -> Self {
        Self::with(ack_wait_seconds, 0).await
    }

    async fn with(ack_wait_seconds: u64, max_bytes: u64) -> Self {
        vedette_service::tls::install_provider();
        let nats = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
        let broker = vedette_bus::Config { url: nats.url(), ack_wait_seconds, ..vedette_bus::Config::default() };
        let bus = Bus::connect("test", &broker).await.unwrap();
        bus.ensure().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = vedette_archive::Config::embedded(folder.path());
        config.embedded.max_bytes = max_bytes;
        let archive = vedette_archive::open(&config, Mode::Write).await.unwrap();
        let commit = CommitConfig { delay_millis: 20, ..CommitConfig::default() };
        Self { nats, bus, archive, _folder: folder, retention_days: 0, commit, broker, running: Vec::new() }
    }

    /// The archive that outlives archivers.
    pub(crate) fn archive(&self) -> Arc<dyn Archive> {
        Arc::clone(&self.archive)
    }

    pub(crate) fn start(&mut self, archive: Arc<dyn Archive>) {
        assert!(self.running.is_empty(), "one runs already");
        self.start_another(archive);
    }

    pub(crate) fn start_another(&mut self, archive: Arc<dyn Archive>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let ctx = Context::new("archiver", prometheus::Registry::new(), CancellationToken::new());
        let mut config = Config { nats: self.broker.clone(), commit: self.commit.clone(), ..Config::default() };
        config.archive.retention_days = self.retention_days;
        let running = ctx.clone();
        let task = runtime.spawn(async move { vedette_archiver::run_with(archive, config, running).await.unwrap() });
        self.running.push(Running { runtime, ctx, task });
    }

    /// Ends the archivers in good order.
    pub(crate) async fn stop(&mut self) {
        for Running { runtime, ctx, task } in self.running.drain(..) {
            ctx.shutdown.cancel();
            tokio::time::timeout(PATIENCE, task).await.expect("it ends in time").unwrap();
            assert!(ctx.join(PATIENCE).await, "its tasks end in time");
            runtime.shutdown_background();
        }
    }

    /// Takes the runtime from under the archivers: they end wherever they are.
    pub(crate) async fn kill(&mut self) {
        for Running { runtime, .. } in self.running.drain(..) {
            // Blocking pieces end by themselves; no task goes on at an await.
            tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
        }
    }

    pub(crate) async fn publish(&self, result: &ArchiveResult) {
        self.bus.publish_archive_result(result).await.unwrap();
    }

    /// Waits until anything is in the archive, and then some time.
    pub(crate) async fn written_or_waited(&self, then: Duration) {
        let before = self.archive.count(&Query::default()).await.unwrap();
        let written = async {
            while self.archive.count(&Query::default()).await.unwrap() == before {
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(500), written).await;
        tokio::time::sleep(then).await;
    }

    /// The books, once they have so many batches.
    pub(crate) async fn books(&self, count: usize) -> Books {
        let mut entries = BTreeMap::new();
        let mut books = self.bus.books();
        let reading = async {
            while entries.len() < count {
                for entry in books.next().await.unwrap().entries {
                    let Some(Applied::Archive(applied)) = entry.applied else { continue };
                    // Booked twice, it is booked alike.
                    let before = entries.insert(entry.batch.clone(), applied.clone());
                    assert!(before.is_none_or(|before| before == applied), "{}", entry.batch);
                }
            }
        };
        if tokio::time::timeout(PATIENCE, reading).await.is_err() {
            panic!("the books have {} batches of {count}: {:?}", entries.len(), entries.keys());
        }
        Books(entries)
    }

    /// Waits until every result is acknowledged.
    pub(crate) async fn drained(&self) {
        let draining = async {
            loop {
                let overview = self.bus.overview().await.unwrap();
                let results = overview.streams.iter().find(|stream| stream.name == "VEDETTE_RESULTS_ARCHIVE").unwrap();
                if results.messages == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, draining).await.expect("all results are acknowledged");
    }

    /// The names of the objects in the archive.
    pub(crate) async fn names(&self) -> Vec<String> {
        let page = Page { size: 10_000, newest_first: false, ..Page::default() };
        let hits = self.archive.search(&Query::default(), &page).await.unwrap();
        let mut names: Vec<String> =
            hits.documents.iter().map(|json| Event::parse(json).unwrap().name().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let client = async_nats::connect(self.nats.url()).await.unwrap();
        let context = async_nats::jetstream::new(client);
        let stream = context.get_stream("VEDETTE_DEAD").await.unwrap();
        let mut letters = Vec::new();
        for sequence in 1..=stream.cached_info().state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            letters.push(vedette_bus::decode::<DeadLetter>(&message.payload, 1 << 20).unwrap());
        }
        letters
    }

    /// Why a component of the archiver is not ready.
    pub(crate) async fn component(&self, name: &str) -> Option<String> {
        let states = self.running[0].ctx.health.components();
        states.into_iter().find(|state| state.name == name).expect("it has that component").reason
    }

    /// Waits until a metric has this value.
    pub(crate) async fn metric_reaches(&self, name: &str, value: f64) {
        let reaching = async {
            while self.find_metric(name) != Some(value) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reaching)
            .await
            .unwrap_or_else(|_| panic!("{name} is {:?}", self.find_metric(name)));
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.find_metric(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// `None` as long as the archiver starts.
    fn find_metric(&self, name: &str) -> Option<f64> {
        let page = String::from_utf8(vedette_service::metrics::render(&self.running[0].ctx.registry)).unwrap();
        let line = page.lines().find(|line| line.starts_with(name))?;
        Some(line.rsplit(' ').next()?.parse().unwrap())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for running in self.running.drain(..) {
            running.runtime.shutdown_background();
        }
    }
}

impl Deref for Books {
    type Target = BTreeMap<String, ArchiveEntry>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Books {
    pub(crate) fn stored_duplicate_rejected(&self, batch: &str) -> (u64, u64, u64) {
        let entry = &self[batch];
        (entry.stored, entry.duplicate, entry.rejected)
    }

    /// Every batch's counts add up.
    pub(crate) fn balance(&self) {
        for (batch, entry) in self.iter() {
            let counts = entry.counts.unwrap();
            assert_eq!(counts.archived + counts.requeued, entry.stored + entry.duplicate + entry.rejected, "{batch}");
            assert_eq!(entry.ingest.clone().unwrap_or_default().published, counts.evaluated, "{batch}");
        }
    }
}

/// The n-th event, as ingest rewrites it.
pub(crate) fn event(n: usize) -> String {
    format!(
        r#"{{"level":"Metadata","auditID":"id-{n}","stage":"ResponseComplete","verb":"create","user":{{"username":"alice"}},"objectRef":{{"resource":"pods","namespace":"default","name":"pod-{n}"}},"requestReceivedTimestamp":"2020-02-0{}T10:00:00.{n:06}Z","Cluster":"default"}}"#,
        1 + n / 1_000
    )
}

/// The result of a batch in which these events matched.
pub(crate) fn result(batch: &str, evaluated: u64, events: Range<usize>) -> ArchiveResult {
    let archived = events.len() as u64;
    let matches = events.map(|n| {
        let json = event(n);
        let id = Event::parse(json.as_bytes()).unwrap().id("default");
        ArchiveMatch {
            id: id.as_bytes().to_vec().into(),
            json: json.into(),
            rules: vec!["archiving-rule.archiving".to_owned()],
        }
    });
    ArchiveResult {
        batch: batch.to_owned(),
        cluster: "default".to_owned(),
        received_unix_nanos: 1_600_000_000_000_000_000,
        generation: 1,
        ingest: Some(IngestCounts { received: evaluated, published: evaluated, ..IngestCounts::default() }),
        counts: Some(ArchiveCounts { evaluated, archived, ignored: evaluated - archived, ..ArchiveCounts::default() }),
        matches: matches.collect(),
        blind: vec![Blind {
            rule: "r".to_owned(),
            field: "requestObject.spec".to_owned(),
            level: "Metadata".to_owned(),
            events: 1,
        }],
    }
}
