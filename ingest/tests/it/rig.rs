//! Ingest beside a nats-server, and what a test asks of them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use reqwest::{Certificate, Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use vedette_bus::{Bus, Delivery, Kind};
use vedette_e2e::NatsServer;
use vedette_ingest::{
    Config, Ingest,
    config::{Limits, TlsMode},
};
use vedette_proto::bus::v1::{DeadLetter, EventBatch};
use vedette_service::{Context, policy::PolicyConfig};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PATH: &str = "/audit/webhook/event";

/// A running ingest with its broker.
pub(crate) struct Rig {
    pub(crate) nats: NatsServer,
    pub(crate) client: Client,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) ca: Option<PathBuf>,
    context: Context,
    served: Option<JoinHandle<()>>,
    config: Config,
    folder: TempDir,
}

impl Rig {
    /// Starts with level RequestResponse, Kubernetes events enabled, and what `adjust` changes.
    pub(crate) async fn start(adjust: impl FnOnce(&mut Config, &Path)) -> Self {
        Self::start_on(NatsServer::start(), adjust).await
    }

    /// The same beside this broker.
    pub(crate) async fn start_on(nats: NatsServer, adjust: impl FnOnce(&mut Config, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).unwrap();
        write_policy(&rules, "RequestResponse", true);
        let mut config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            limits: Limits { body_seconds: 300, idle_seconds: 60, publish_milliseconds: 60_000, ..Limits::default() },
            policy: PolicyConfig { dir: rules, ..PolicyConfig::default() },
            ..Config::default()
        };
        config.tls.directory = folder.path().join("tls");
        config.redaction.key_file = folder.path().join("redaction.key");
        config.nats.url = nats.url();
        adjust(&mut config, folder.path());
        let context = Context::new("ingest", prometheus::Registry::new(), CancellationToken::new());
        let ingest = Ingest::start(config.clone(), context.clone()).await.unwrap();
        assert!(context.health.is_ready(), "{:?}", context.health.components());
        let (addresses, ca) = (ingest.addresses().to_vec(), ingest.ca().map(Path::to_owned));
        let served = Some(tokio::spawn(ingest.serve()));
        let client = client(ca.as_deref()).build().unwrap();
        Self { nats, client, addresses, ca, context, served, config, folder }
    }

    /// Plain HTTP, for what no client does.
    pub(crate) async fn start_plain(adjust: impl FnOnce(&mut Config)) -> Self {
        Self::start(|config, _| {
            config.tls.mode = Some(TlsMode::Off);
            adjust(config);
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.addresses[0])
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Posts to the path without a cluster.
    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> Answer {
        self.post_to(PATH, body).await
    }

    pub(crate) async fn post_to(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.client.post(self.url(path)).body(body).send().await.unwrap()).await
    }

    /// A connection to do with as one likes.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addresses[0]).await.unwrap()
    }

    /// Changes the policy's settings; they are in force some time later.
    pub(crate) fn set_policy(&self, level: &str, k8s: bool) {
        write_policy(&self.config.policy.dir, level, k8s);
    }

    pub(crate) async fn bus(&self) -> Bus {
        Bus::connect("test", &self.config.nats).await.unwrap()
    }

    /// The next `messages` event messages, in order, acknowledged for the archive.
    pub(crate) async fn messages(&self, messages: usize) -> Vec<Delivery<EventBatch>> {
        let bus = self.bus().await;
        let mut deliveries = bus.events(Kind::Archive);
        let mut all = Vec::new();
        for _ in 0..messages {
            let delivery = timeout(PATIENCE, deliveries.next()).await.expect("a message in time").unwrap();
            delivery.ack().await.unwrap();
            all.push(delivery);
        }
        all
    }

    /// How many event messages there are.
    pub(crate) async fn stored(&self) -> u64 {
        let overview = self.bus().await.overview().await.unwrap();
        overview
            .streams
            .iter()
            .filter(|stream| stream.name.starts_with("VEDETTE_EVENTS"))
            .map(|stream| stream.messages)
            .sum()
    }

    /// All dead letters.
    pub(crate) async fn letters(&self) -> Vec<DeadLetter> {
        let client = async_nats::connect(self.nats.url()).await.unwrap();
        let mut stream = async_nats::jetstream::new(client).get_stream("VEDETTE_DEAD").await.unwrap();
        let state = stream.info().await.unwrap().state.clone();
        let mut letters = Vec::new();
        for sequence in state.first_sequence.max(1)..=state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            letters.push(vedette_bus::decode(&message.payload, vedette_bus::MAX_RAW_BYTES).unwrap());
        }
        letters
    }

    /// The sum of a metric's samples whose labels have one of these values; of all without any.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let families = self.context.registry.gather();
        let family = families.iter().find(|family| family.name() == format!("vedette_ingest_{name}")).expect(name);
        let fits = |sample: &&prometheus::proto::Metric| {
            labels.is_empty() || sample.get_label().iter().any(|label| labels.contains(&label.value()))
        };
        let value =
            |sample: &prometheus::proto::Metric| sample.get_counter().get_value() + sample.get_gauge().get_value();
        family.get_metric().iter().filter(fits).map(value).sum()
    }

    /// Asks again and again until `probe` says yes.
    pub(crate) async fn until(&self, what: &str, mut probe: impl AsyncFnMut(&Self) -> bool) {
        let asking = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            while !probe(self).await {
                ticks.tick().await;
            }
        };
        timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
    }

    /// Begins the shutdown.
    pub(crate) fn stop(&self) {
        self.context.shutdown.cancel();
    }

    /// Waits for the end of the service.
    pub(crate) async fn stopped(&mut self) {
        timeout(PATIENCE, self.served.take().unwrap()).await.expect("an end in time").unwrap();
        assert!(self.context.join(PATIENCE).await);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.context.shutdown.cancel();
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) version: reqwest::Version,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers, version) = (response.status().as_u16(), response.headers().clone(), response.version());
        let bytes = response.bytes().await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&bytes)));
        Self { status, headers, version, json }
    }

    pub(crate) fn message(&self) -> &str {
        self.json["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// One count of an accepted body.
    pub(crate) fn events(&self, count: &str) -> u64 {
        assert_eq!(self.status, 200, "{self:?}");
        self.json["events"][count].as_u64().unwrap()
    }

    #[track_caller]
    pub(crate) fn check(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.message().contains(words), "{words:?} is not in {:?}", self.message());
        assert_eq!(self.json["code"], status);
        assert_eq!(self.json["status"], if status == 200 { "Success" } else { "Failure" });
    }
}

/// A client that trusts only this authority.
pub(crate) fn client(ca: Option<&Path>) -> reqwest::ClientBuilder {
    vedette_service::tls::install_provider();
    let builder = Client::builder().timeout(PATIENCE * 5);
    match ca {
        Some(ca) => builder.add_root_certificate(Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap()),
        None => builder,
    }
}

/// Reads one answer from a connection; empty where it ends without one.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while !is_whole(&text) {
            // A connection that is cut off has ended too.
            let length = stream.read(&mut buffer).await.unwrap_or(0);
            if length == 0 {
                return;
            }
            text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    };
    timeout(PATIENCE, reading).await.expect("an answer in time");
    text
}

/// Whether the answer's head is there, and as much of its body as it announces.
fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// Sends a request's head that announces `length` bytes, and the beginning of its body.
pub(crate) async fn begin(stream: &mut TcpStream, length: usize, extra: &str, body: &[u8]) {
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{extra}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
}

/// A list of `count` events told apart by `mark`, each with a body of `size` bytes.
pub(crate) fn list(member: &str, mark: &str, count: usize, size: usize) -> Bytes {
    let filler = "x".repeat(size);
    let events: Vec<_> = (0..count)
        .map(|index| {
            format!(
                r#"{{"level":"Request","verb":"create","auditID":"{mark}-{index}","objectRef":{{"resource":"r"}},"requestObject":"{filler}"}}"#
            )
        })
        .collect();
    Bytes::from(format!(r#"{{"{member}":[{}]}}"#, events.join(",")))
}

fn write_policy(folder: &Path, level: &str, k8s: bool) {
    let text = format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata: {{name: kube-auditing-webhook}}\n\
         spec: {{auditLevel: {level}, k8sAuditingEnabled: {k8s}}}\n"
    );
    let (file, new) = (folder.join("webhook.yaml"), folder.join(".new"));
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}
