//! What the tests stand on: a broker, a folder of rules, evaluators that run in this process.

use std::fs;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_bus::{Bus, encode};
use vedette_e2e::NatsServer;
use vedette_evaluator::{Config, Error};
use vedette_proto::bus::v1::{AlertResult, ArchiveResult, DeadLetter, Event, EventBatch, IngestCounts};
use vedette_service::Context;

/// Far more than any step should take: what waits this long has failed.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Waits until `check` holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    within(what, async {
        while !check().await {
            ticks.tick().await;
        }
    })
    .await;
}

/// An archiving rule and an alerting rule, each for one verb.
pub(crate) fn rules(kept: &str, alerted: &str) -> String {
    format!(
        r#"apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata: {{name: keep, namespace: ops, labels: {{type: archiving}}}}
spec:
  rules:
  - {{name: kept, type: rule, enable: true, priority: DEBUG, condition: 'Verb = "{kept}"'}}
---
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata: {{name: shout, namespace: ops, labels: {{type: alerting}}}}
spec:
  rules:
  - {{name: Loud, type: rule, enable: true, priority: WARNING, condition: 'Verb = "{alerted}"', output: '${{Verb}} ${{ObjectRef.Name}}'}}
  - {{name: Host, type: rule, enable: true, priority: WARNING, condition: 'Verb = "{kept}" and RequestObject.spec.hostNetwork = true', output: 'host'}}
"#
    )
}

/// A broker and a folder of rules.
pub(crate) struct Rig {
    pub(crate) server: NatsServer,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) nats: vedette_bus::Config,
    pub(crate) bus: Bus,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A broker with streams of the limits that `adjust` sets.
    pub(crate) async fn start_with(adjust: impl FnOnce(&mut vedette_bus::Config)) -> Self {
        let server = NatsServer::start();
        let mut nats = vedette_bus::Config { url: server.url(), ack_wait_seconds: 2, ..vedette_bus::Config::default() };
        let limits = &mut nats.limits;
        (limits.events_bytes, limits.results_bytes) = (64 << 20, 64 << 20);
        (limits.dead_bytes, limits.books_bytes, limits.alerts_bytes) = (64 << 20, 16 << 20, 16 << 20);
        adjust(&mut nats);
        let bus = Bus::connect("test", &nats).await.unwrap();
        bus.ensure().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rules")).unwrap();
        let rig = Self { server, folder, nats, bus };
        rig.write("rules.yaml", &rules("create", "delete"));
        rig
    }

    /// Puts a file of rules in place, as an editor does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let draft = self.folder.path().join("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.folder.path().join("rules").join(name)).unwrap();
    }

    pub(crate) fn config(&self) -> Config {
        let policy = vedette_service::policy::PolicyConfig {
            dir: self.folder.path().join("rules"),
            ..vedette_service::policy::PolicyConfig::default()
        };
        Config { nats: self.nats.clone(), policy, workers: 2, ..Config::default() }
    }

    /// Starts an evaluator, and waits until it is ready.
    pub(crate) async fn evaluator(&self) -> Evaluator {
        let ctx = Context::new("evaluator", prometheus::Registry::new(), CancellationToken::new());
        let task = tokio::spawn(vedette_evaluator::run(self.config(), ctx.clone()));
        until("the evaluator", async || ctx.health.is_ready()).await;
        Evaluator { ctx, task }
    }

    /// Publishes a batch of events of these verbs.
    pub(crate) async fn publish(&self, id: &str, verbs: &[&str]) {
        self.publish_events(id, verbs.iter().enumerate().map(|(index, verb)| event(id, index, verb)).collect()).await;
    }

    pub(crate) async fn publish_events(&self, id: &str, events: Vec<Event>) {
        let counts = counts(events.len() as u64);
        let batch = EventBatch { cluster: "east".to_owned(), received_unix_nanos: 77, generation: 3, events };
        let timeout = Duration::from_secs(10);
        self.bus.publish_events("east", id, &counts, encode(&batch), timeout).await.unwrap();
    }

    /// The next archive result, acknowledged.
    pub(crate) async fn archived(&self) -> ArchiveResult {
        let delivery = within("an archive result", self.bus.archive_results().next()).await.unwrap();
        delivery.ack().await.unwrap();
        delivery.message.unwrap()
    }

    /// The next alert result, acknowledged.
    pub(crate) async fn alerted(&self) -> AlertResult {
        let delivery = within("an alert result", self.bus.alert_results().next()).await.unwrap();
        delivery.ack().await.unwrap();
        delivery.message.unwrap()
    }

    /// Waits until every event message has gone both ways.
    pub(crate) async fn drained(&self) {
        until("the events to be through", async || self.messages("VEDETTE_EVENTS_0").await == 0).await;
    }

    pub(crate) async fn messages(&self, stream: &str) -> u64 {
        let overview = self.bus.overview().await.unwrap();
        overview.streams.iter().find(|found| found.name == stream).unwrap().messages
    }

    /// A client that knows nothing of the bus.
    pub(crate) async fn plain(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(async_nats::connect(self.server.url()).await.unwrap())
    }

    /// All dead letters, with their message ids.
    pub(crate) async fn letters(&self) -> Vec<(String, DeadLetter)> {
        let mut stream = self.plain().await.get_stream("VEDETTE_DEAD").await.unwrap();
        let last = stream.info().await.unwrap().state.last_sequence;
        let mut letters = Vec::new();
        for sequence in 1..=last {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let id = message.headers.get("Nats-Msg-Id").unwrap().to_string();
            letters.push((id, vedette_bus::decode(&message.payload, vedette_bus::MAX_RAW_BYTES).unwrap()));
        }
        letters
    }
}

/// A running evaluator.
pub(crate) struct Evaluator {
    pub(crate) ctx: Context,
    task: JoinHandle<Result<(), Error>>,
}

impl Evaluator {
    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.ctx.shutdown.cancel();
        within("the evaluator's end", self.task).await.unwrap().unwrap();
        assert!(self.ctx.join(LIMIT).await, "a task outlived the evaluator");
    }

    /// Ends it as a kill does: at once, with nothing finished.
    pub(crate) fn kill(self) {
        self.task.abort();
    }

    /// The value of a line of `/metrics`, zero if there is none.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let page = String::from_utf8(vedette_service::metrics::render(&self.ctx.registry)).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }
}

pub(crate) fn event(batch: &str, index: usize, verb: &str) -> Event {
    let json = format!(
        r#"{{"level":"Metadata","auditID":"{batch}-{index}","stage":"ResponseComplete","requestURI":"/x","verb":"{verb}",
            "user":{{"username":"alice"}},"objectRef":{{"resource":"pods","namespace":"shop","name":"p-{index}"}},"Cluster":"east"}}"#
    );
    let mut id = [0; 16];
    let name = format!("{batch}{index}");
    id.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    Event { id: id.to_vec().into(), json: json.into() }
}

pub(crate) fn counts(published: u64) -> IngestCounts {
    let dropped = [("level_none".to_owned(), 2)].into();
    IngestCounts { received: published + 2, published, dropped, ..IngestCounts::default() }
}
