//! All of Vedette's services as processes of their own around one broker, as many of each as scales.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use vedette_e2e::{Alertmanager, Engine, NatsServer, SearchNode, Service, ports, tools};

use crate::sample::Settings;
use crate::sender::insecure_client;

const TOKEN: &str = "a-token-for-tests";
const ARCHIVE: &str = "archive";

/// Everything, running.
pub(crate) struct Stack {
    pub(crate) services: Vec<Service>,
    pub(crate) names: Vec<String>,
    pub(crate) nats: NatsServer,
    /// Where records go; without it, into the embedded archive, which has one archiver.
    pub(crate) search: Option<SearchNode>,
    pub(crate) alertmanager: Alertmanager,
    pub(crate) client: reqwest::Client,
    ingests: Vec<u16>,
    console: u16,
    folder: TempDir,
}

impl Stack {
    /// Starts everything under the shipped rules and a `Webhook` with these settings, and waits until all of it is ready.
    pub(crate) fn start(engine: Option<Engine>, settings: &Settings) -> Self {
        Self::start_with(engine, settings, &[])
    }

    /// The same, with variables of every service's environment.
    pub(crate) fn start_with(engine: Option<Engine>, settings: &Settings, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("vedette-stack-").tempdir().unwrap();
        let alertmanager = Alertmanager::start();
        let policy = folder.path().join("policy");
        write_policy(&policy, settings, &alertmanager.url());
        Self::run(engine, folder, alertmanager, &format!("dir: {policy:?}"), env)
    }

    /// Everything with the embedded archive, under the rules and settings of this operator.
    pub(crate) fn start_on(operator: &str) -> Self {
        Self::start_under(&format!("operator: {{ url: {operator:?} }}"), &[])
    }

    /// The same, with rules and settings from wherever this part of `policy` says.
    pub(crate) fn start_under(policy: &str, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("vedette-stack-").tempdir().unwrap();
        Self::run(None, folder, Alertmanager::start(), policy, env)
    }

    fn run(
        engine: Option<Engine>,
        folder: TempDir,
        alertmanager: Alertmanager,
        policy: &str,
        env: &[(&str, &str)],
    ) -> Self {
        let nats = NatsServer::start();
        let search = engine.map(SearchNode::start);

        // A killed service's batches come back soon.
        let broker = format!("nats: {{ url: {:?}, ackWaitSeconds: 5 }}\n", nats.url());
        // The sample keeps its own time, whenever the test runs.
        let archive = match &search {
            Some(node) => {
                format!("archive: {{ engine: search, search: {{ urls: [{:?}] }}, retentionDays: 0 }}\n", node.url())
            }
            None => {
                let dir = folder.path().join(ARCHIVE);
                format!("archive: {{ engine: embedded, embedded: {{ dir: {dir:?} }}, retentionDays: 0 }}\n")
            }
        };
        let state = |name: &str| {
            let dir = folder.path().join(name);
            std::fs::create_dir_all(&dir).unwrap();
            dir
        };
        let rules = |name: &str| format!("policy: {{ {policy}, stateDir: {:?} }}\n", state(name));

        let (ingests, console) = (vec![ports::free(), ports::free()], ports::free());
        let mut plans = Vec::new();
        for (i, port) in ingests.iter().enumerate() {
            let name = format!("ingest-{i}");
            let tls = state(&name).join("tls");
            // Replicas have one key.
            let key = folder.path().join("redaction.key");
            let own = format!(
                "listen: \"127.0.0.1:{port}\"\ntls: {{ directory: {tls:?} }}\nredaction: {{ keyFile: {key:?} }}\ndurability: synced\n"
            );
            plans.push(("vedette-ingest", format!("{own}{broker}{}", rules(&name)), name));
        }
        for name in ["evaluator-0", "evaluator-1"] {
            plans.push(("vedette-evaluator", format!("{broker}{}", rules(name)), name.to_owned()));
        }
        let archivers = if engine.is_some() { 2 } else { 1 };
        for i in 0..archivers {
            plans.push(("vedette-archiver", format!("{broker}{archive}"), format!("archiver-{i}")));
        }
        for name in ["alerter-0", "alerter-1"] {
            // Exact counts want no budget.
            let config = format!("{broker}{}labelSetsPerMinute: 0\n", rules(name));
            plans.push(("vedette-alerter", config, name.to_owned()));
        }
        let config = format!("listen: \"127.0.0.1:{console}\"\ntoken: {TOKEN}\n{broker}{archive}");
        plans.push(("vedette-console", config, "console".to_owned()));

        let mut services: Vec<_> =
            plans.iter().map(|(program, config, _)| Service::spawn(program, config, env)).collect();
        services.iter_mut().for_each(Service::wait_ready);
        let names = plans.into_iter().map(|(_, _, name)| name).collect();
        let client = insecure_client();
        Self { services, names, nats, search, alertmanager, client, ingests, console, folder }
    }

    /// `https://127.0.0.1:port` of each ingest.
    pub(crate) fn ingest_urls(&self) -> Vec<String> {
        self.ingests.iter().map(|port| format!("https://127.0.0.1:{port}")).collect()
    }

    /// `http://127.0.0.1:port` of the console.
    pub(crate) fn console_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.console)
    }

    /// Where the embedded archive is.
    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.path().join(ARCHIVE)
    }

    /// The token that the console wants.
    pub(crate) fn token(&self) -> &'static str {
        TOKEN
    }

    /// An instance by its name, as `evaluator-0`.
    pub(crate) fn service(&mut self, name: &str) -> &mut Service {
        let index = self.names.iter().position(|own| own == name).unwrap();
        &mut self.services[index]
    }

    /// The sum of a metric over all instances of a service.
    pub(crate) fn metric(&self, service: &str, name: &str, labels: &[&str]) -> f64 {
        let instances = self.names.iter().zip(&self.services).filter(|(own, _)| own.starts_with(service));
        instances.map(|(_, service)| service.metric(name, labels)).sum()
    }

    /// The console's answer to a GET, None while it has none.
    pub(crate) async fn ask(&self, path: &str) -> Option<Value> {
        let request = self.client.get(format!("{}{path}", self.console_url())).bearer_auth(TOKEN);
        let answer = request.send().await.ok()?;
        if answer.status() != 200 {
            return None;
        }
        serde_json::from_str(&answer.text().await.ok()?).ok()
    }

    /// Waits until everything that came in is accounted for: `received` events are in the books, nothing is on its way, and
    /// every equation holds. Gives the sums.
    pub(crate) async fn settled(&self, received: u64, limit: Duration) -> Value {
        let end = Instant::now() + limit;
        let mut last = Value::Null;
        loop {
            if let Some(status) = self.ask("/api/v1/status").await {
                let books = &status["books"];
                if books["settled"] == true && books["total"]["ingest"]["received"] == received {
                    return books["total"].clone();
                }
                last = books.clone();
            }
            assert!(Instant::now() < end, "the books are not settled at {received} events: {last:#}");
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Ends every service but the console in good order, and asserts that each can.
    pub(crate) fn stop_all_but_console(&mut self) {
        let others = self.names.iter().zip(&mut self.services).filter(|(name, _)| *name != "console");
        others.for_each(|(_, service)| service.stop());
    }
}

/// The shipped rules and a `Webhook` in one folder.
fn write_policy(folder: &Path, settings: &Settings, alertmanager: &str) {
    std::fs::create_dir_all(folder).unwrap();
    for file in std::fs::read_dir(tools::repository("deploy/rules")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    let webhook = format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata:\n  name: kube-auditing-webhook\nspec:\n  \
         auditLevel: {}\n  k8sAuditingEnabled: true\n  archivingPriority: {}\n  alertingPriority: {}\n  receivers:\n  \
         - name: alert\n    type: alertmanager\n    config:\n      url: {alertmanager}\n",
        settings.level, settings.archiving, settings.alerting
    );
    std::fs::write(folder.join("webhook.yaml"), webhook).unwrap();
}
