//! A console with an archive of real events and a broker behind it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_archive::{Archive, Mode, WriteBatch};
use vedette_audit::document::Document;
use vedette_audit::event::Event;
use vedette_audit::list::{Cutter, Limits};
use vedette_audit::{EventId, Level};
use vedette_bus::Bus;
use vedette_console::Config;
use vedette_e2e::NatsServer;
use vedette_service::Context;

pub(crate) const TOKEN: &str = "a-token-for-tests-alone";

/// The console.
pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) bus: Bus,
    pub(crate) client: Client,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
    _nats: NatsServer,
}

/// The embedded archive, with real events in it.
pub(crate) struct Sample {
    pub(crate) archive: Arc<dyn Archive>,
    /// The events as they were sent, with their cluster, each once.
    pub(crate) events: Vec<(String, Value)>,
    _folder: tempfile::TempDir,
}

impl Rig {
    /// On this archive.
    pub(crate) async fn start(archive: Arc<dyn Archive>) -> Self {
        let config = Config { token: Some(TOKEN.into()), ..Config::default() };
        vedette_service::tls::install_provider();
        Self::start_with(archive, config, Client::new()).await
    }

    /// On this archive, with these settings.
    pub(crate) async fn start_with(archive: Arc<dyn Archive>, config: Config, client: Client) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), archive, config, client).await
    }

    /// The same where others have been told already.
    pub(crate) async fn start_on(
        listener: TcpListener,
        archive: Arc<dyn Archive>,
        config: Config,
        client: Client,
    ) -> Self {
        vedette_service::tls::install_provider();
        let nats = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
        let bus = vedette_bus::Config { url: nats.url(), ..vedette_bus::Config::default() };
        let bus = Bus::connect("test", &bus).await.unwrap();
        bus.ensure().await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let ctx = Context::new("console", prometheus::Registry::new(), stop.clone());
        let to_console = bus.clone();
        let task = tokio::spawn(async move {
            vedette_console::run_on(listener, archive, to_console, config, ctx).await.unwrap();
        });
        Self { address, bus, client, stop, task: Some(task), _nats: nats }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// GETs a path with the token.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.client.get(self.url(path)).bearer_auth(TOKEN).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// GETs a path that answers 200 with JSON.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Ends the console in good order.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let task = self.task.take().expect("it runs");
        tokio::time::timeout(Duration::from_secs(30), task).await.expect("it ends in time").unwrap();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Sample {
    /// The first lists of the sample that a kube-apiserver sent; every other event is of the cluster `member`.
    pub(crate) async fn load() -> Self {
        Self::of(items()).await
    }

    /// These events.
    pub(crate) async fn of(items: Vec<Vec<u8>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = vedette_archive::Config::embedded(folder.path());
        let archive = vedette_archive::open(&config, Mode::Write).await.unwrap();
        let mut documents: BTreeMap<EventId, Document> = BTreeMap::new();
        let mut events = Vec::new();
        for (place, item) in items.into_iter().enumerate() {
            let cluster = if place % 2 == 0 { "default" } else { "member" };
            let event = Event::parse(&item).unwrap();
            let id = event.id(cluster);
            let mut json = Vec::new();
            event.rewrite(Level::RequestResponse, cluster, &mut json);
            let rules = ["archiving-rule.archiving".to_owned()];
            let document = Document::build(id, &json, &rules, 1_700_000_000_000_000_000).unwrap();
            if documents.insert(id, document).is_none() {
                events.push((cluster.to_owned(), serde_json::from_slice(&item).unwrap()));
            }
        }
        let batch = WriteBatch { key: "test".to_owned(), documents: documents.into_values().collect() };
        let reports = archive.write(&[batch]).await.unwrap();
        assert_eq!(reports[0].stored, events.len() as u64);
        Self { archive, events, _folder: folder }
    }

    /// How many events satisfy this.
    pub(crate) fn count(&self, holds: impl Fn(&str, &Value) -> bool) -> usize {
        self.events.iter().filter(|(cluster, event)| holds(cluster, event)).count()
    }
}

/// The events of the first lists, as their bytes were sent.
pub(crate) fn items() -> Vec<Vec<u8>> {
    let file = vedette_e2e::tools::repository("e2e/testdata/kube-apiserver-eventlists.ndjson.gz");
    let lists = BufReader::new(GzDecoder::new(std::fs::File::open(file).unwrap()));
    let mut items = Vec::new();
    for list in lists.lines().take(12) {
        let mut cutter = Cutter::new(Limits::default());
        cutter.push(list.unwrap().as_bytes(), &mut |item| items.push(item.bytes.to_vec())).unwrap();
        cutter.finish().unwrap();
    }
    assert!(items.len() > 300, "{}", items.len());
    items
}
