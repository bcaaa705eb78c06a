//! A nats-server with an alerter on it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_alerter::{Clock, Config};
use vedette_bus::{Bus, Overview};
use vedette_e2e::NatsServer;
use vedette_proto::bus::v1::{Alert, AlertCounts, AlertEntry, AlertResult, book_entry::Applied};
use vedette_rules::{Policy, Receiver};
use vedette_service::policy::PolicyWatch;
use vedette_service::{Context, Health};

const PATIENCE: Duration = Duration::from_secs(30);
/// Seconds until the broker delivers again.
const ACK_WAIT: u64 = 5;

/// A clock that is set by hand.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<Mutex<Timestamp>>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl TestClock {
    pub(crate) fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

/// The broker, and an alerter that was started on it.
pub(crate) struct Rig {
    pub(crate) nats: NatsServer,
    pub(crate) bus: Bus,
    pub(crate) clock: TestClock,
    pub(crate) registry: prometheus::Registry,
    /// What the alerter says of itself.
    pub(crate) health: Health,
    alerter: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Rig {
    /// A broker without an alerter yet.
    pub(crate) async fn new() -> Self {
        vedette_service::tls::install_provider();
        let nats = tokio::task::spawn_blocking(NatsServer::start).await.unwrap();
        let config =
            vedette_bus::Config { url: nats.url(), ack_wait_seconds: ACK_WAIT, ..vedette_bus::Config::default() };
        let bus = Bus::connect("test", &config).await.unwrap();
        bus.ensure().await.unwrap();
        let clock = TestClock(Arc::new(Mutex::new(Timestamp::now())));
        Self { nats, bus, clock, registry: prometheus::Registry::new(), health: Health::default(), alerter: None }
    }

    /// A broker and an alerter for these receivers.
    pub(crate) async fn with(receivers: Vec<Receiver>) -> Self {
        let mut rig = Self::new().await;
        rig.start(receivers, quick());
        rig
    }

    /// Starts an alerter.
    pub(crate) fn start(&mut self, receivers: Vec<Receiver>, config: Config) {
        let built = Policy::build_with(&[], 1, |settings| settings.receivers = receivers).unwrap();
        self.start_on(PolicyWatch::fixed(built.policy), config);
    }

    /// Starts an alerter with this policy.
    pub(crate) fn start_on(&mut self, policy: PolicyWatch, config: Config) {
        self.registry = prometheus::Registry::new();
        let shutdown = CancellationToken::new();
        let ctx = Context::new("alerter", self.registry.clone(), shutdown.clone());
        self.health = ctx.health.clone();
        let (bus, clock) = (self.bus.clone(), Arc::new(self.clock.clone()));
        let task = tokio::spawn(async move {
            vedette_alerter::run_with(config, bus, policy, clock, ctx).await.unwrap();
        });
        self.alerter = Some((shutdown, task));
    }

    /// Ends the alerter in good order.
    pub(crate) async fn stop(&mut self) {
        let (shutdown, task) = self.alerter.take().expect("an alerter runs");
        shutdown.cancel();
        tokio::time::timeout(PATIENCE, task).await.expect("the alerter ends in time").unwrap();
    }

    /// Publishes the result of a batch with alerts about objects of these names.
    pub(crate) async fn publish(&self, batch: &str, names: &[&str]) {
        self.publish_alerts(batch, names.iter().map(|name| self.alert(name)).collect()).await;
    }

    pub(crate) async fn publish_alerts(&self, batch: &str, alerts: Vec<Alert>) {
        self.bus.publish_alert_result(&self.result(batch, alerts)).await.unwrap();
    }

    /// The same batch a second time, which the broker does not know again.
    pub(crate) async fn publish_again(&self, batch: &str, names: &[&str]) {
        let result = self.result(batch, names.iter().map(|name| self.alert(name)).collect());
        let client = async_nats::connect(self.nats.url()).await.unwrap();
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{batch}/again"));
        let packed = vedette_bus::encode(&result);
        let broker = async_nats::jetstream::new(client);
        let stored = broker.publish_with_headers("vedette.results.alert.member", headers, packed).await.unwrap();
        stored.await.unwrap();
    }

    fn result(&self, batch: &str, alerts: Vec<Alert>) -> AlertResult {
        let count = alerts.len() as u64;
        AlertResult {
            batch: batch.to_owned(),
            cluster: "member".to_owned(),
            received_unix_nanos: i64::try_from(self.clock.now().as_nanosecond()).unwrap(),
            generation: 1,
            counts: Some(AlertCounts { evaluated: 100, alerted: count, alerts: count, ..AlertCounts::default() }),
            alerts,
        }
    }

    /// An alert about an object of this name, a second old.
    pub(crate) fn alert(&self, name: &str) -> Alert {
        let mut id = name.as_bytes().to_vec();
        id.resize(16, 0);
        Alert {
            event_id: id.into(),
            rule_id: "kubesphere-logging-system/alerting-rule/CreateHostnetworkPod".to_owned(),
            rule: "CreateHostnetworkPod".to_owned(),
            priority: "WARNING".to_owned(),
            message: format!("admin create HostNetwork Pod {name} in Namespace default."),
            audit_id: "b0bb3ccb-3f5f-4d62-9c2b-9a8d0f1b2c3d".to_owned(),
            stage_timestamp: (self.clock.now() - SignedDuration::from_secs(1)).to_string(),
            namespace: "default".to_owned(),
            user: "admin".to_owned(),
            verb: "create".to_owned(),
            resource: "pods".to_owned(),
            name: name.to_owned(),
            request_uri: "/api/v1/namespaces/default/pods".to_owned(),
            source_ip: "10.0.0.7".to_owned(),
            ..Alert::default()
        }
    }

    /// The sum of the books of these batches, once they are all written.
    pub(crate) async fn books(&self, batches: &[&str]) -> AlertEntry {
        let mut missing: Vec<&str> = batches.to_vec();
        let mut sum = AlertEntry::default();
        let mut books = self.bus.books();
        while !missing.is_empty() {
            let books = tokio::time::timeout(PATIENCE, books.next()).await.expect("books in time").unwrap();
            assert_eq!((books.service.as_str(), books.cluster.as_str()), ("alerter", "member"));
            for entry in books.entries {
                let Some(Applied::Alert(alert)) = entry.applied else { panic!("not the alerter's: {entry:?}") };
                let Some(place) = missing.iter().position(|batch| *batch == entry.batch) else { continue };
                missing.swap_remove(place);
                let counts = alert.counts.expect("the evaluation's counts");
                assert_eq!(
                    counts.alerts + counts.requeued,
                    alert.sent + alert.unrouted + alert.rejected,
                    "batch {}",
                    entry.batch
                );
                sum.sent += alert.sent;
                sum.unrouted += alert.unrouted;
                sum.rejected += alert.rejected;
            }
        }
        sum
    }

    /// Waits until nothing waits for the alerter any more.
    pub(crate) async fn settled(&self) {
        self.until("everything is acknowledged", |overview| {
            let alerter = overview.consumers.iter().find(|it| it.name == "alerter").expect("the alerter's consumer");
            alerter.pending == 0 && alerter.ack_pending == 0
        })
        .await;
    }

    /// The dead letters' reasons, once there are as many letters.
    pub(crate) async fn dead(&self, count: u64) -> Vec<(String, u64)> {
        let dead = self.until("the dead letters", |it| it.dead.messages >= count && it.dead.complete).await.dead;
        assert!(dead.reasons.keys().all(|(service, _)| service == "alerter"), "{dead:?}");
        dead.reasons.into_iter().map(|((_, reason), letters)| (reason, letters)).collect()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Overview) -> bool) -> Overview {
        let look = async {
            loop {
                match self.bus.overview().await {
                    Ok(overview) if holds(&overview) => return overview,
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
    }

    /// The sum of a metric's samples whose labels have this value, or of all for ""; none where there is no such sample.
    pub(crate) fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let samples = family.into_iter().flat_map(|family| family.get_metric());
        samples
            .filter(|sample| label.is_empty() || sample.get_label().iter().any(|it| it.value() == label))
            .map(|sample| sample.get_counter().get_value() + sample.get_gauge().get_value())
            .reduce(|sum, value| sum + value)
    }
}

/// Waits until this holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let look = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// Settings that make failures quick.
pub(crate) fn quick() -> Config {
    let mut config = Config::default();
    config.nats.ack_wait_seconds = ACK_WAIT;
    config.delivery.timeout_seconds = 1;
    config.delivery.hold_seconds = 0;
    config.delivery.drain_seconds = 1;
    config.console_url = Some("http://console.example".to_owned());
    config
}
