//! Every service in this process, each as it would run alone.
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vedette_archive::{Archive, Mode};
use vedette_bus::Bus;
use vedette_ingest::Ingest;
use vedette_operator::config::RulesConfig;
use vedette_operator::serve::ServeConfig;
use vedette_operator::standalone::Standalone;
use vedette_service::admin::{self, AdminConfig, AdminServer};
use vedette_service::operator::OperatorConfig;
use vedette_service::policy::{self, PolicyConfig, PolicyError, PolicyWatch};
use vedette_service::{Context, chain};

use super::folder::Folder;
use crate::outcome::Failure;

/// Until all services must be ready.
const READY: Duration = Duration::from_secs(60);
/// Until all must have ended after being asked to.
const DRAIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// What the services are told.
pub(crate) struct Wiring {
    pub(crate) nats_url: String,
    /// Where the broker says how it is set up.
    pub(crate) nats_monitor: String,
    pub(crate) rules: Vec<PathBuf>,
    pub(crate) archive: vedette_archive::Config,
    pub(crate) receivers: Vec<vedette_rules::Receiver>,
    pub(crate) webhook: SocketAddr,
    /// Files of senders' tokens by cluster.
    pub(crate) sender_tokens: BTreeMap<String, PathBuf>,
    pub(crate) console: TcpListener,
    pub(crate) console_url: String,
    /// Where rules are managed.
    pub(crate) operator: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
}

/// The services, as far as they can be asked.
pub(crate) struct Services {
    contexts: Vec<Context>,
    shutdown: CancellationToken,
    policy: PolicyWatch,
    registry: prometheus::Registry,
    webhook: SocketAddr,
    side_door: Option<(AdminServer, CancellationToken)>,
}

/// The services, as far as they run.
pub(crate) struct Running(JoinSet<(&'static str, Result<(), String>)>);

impl Running {
    /// Returns when one of them ended though nobody asked it to.
    pub(crate) async fn ended(&mut self) -> Failure {
        match self.0.join_next().await {
            Some(Ok((name, Ok(())))) => Failure::failed(format!("the {name} ended by itself")),
            Some(Ok((name, Err(error)))) => failed(name).because(error),
            Some(Err(error)) => Failure::failed("a service crashed").because(error),
            None => Failure::failed("no service runs"),
        }
    }
}

impl Services {
    /// Starts all of them. They are not ready yet: see [`Self::ready`].
    pub(crate) async fn start(folder: &Folder, wiring: Wiring) -> Result<(Self, Running), Failure> {
        let shutdown = CancellationToken::new();
        // Whatever fails on the way ends what was started.
        let guard = shutdown.clone().drop_guard();
        let registry = prometheus::Registry::new();
        let context = |name| Context::new(name, registry.clone(), shutdown.clone());
        let nats = vedette_bus::Config { url: wiring.nats_url, ..vedette_bus::Config::default() };
        let managed = wiring.rules.clone();
        let rules = policy_config(folder, wiring.rules, wiring.receivers)?;

        // First, so that errors in the rules are told by one who can tell them well.
        let own = context("up");
        let policy = policy::watch(&rules, &own).await.map_err(refused)?;
        let archive = open(&wiring.archive).await?;

        let mut contexts = Vec::new();
        let mut running = JoinSet::new();
        let ingest = context("ingest");
        let config = vedette_ingest::Config {
            listen: vec![wiring.webhook],
            tls: vedette_ingest::config::TlsConfig {
                directory: folder.join("tls"),
                ..vedette_ingest::config::TlsConfig::default()
            },
            token_files: wiring.sender_tokens,
            redaction: vedette_ingest::config::RedactionConfig {
                key_file: folder.join("redaction.key"),
                ..vedette_ingest::config::RedactionConfig::default()
            },
            monitor_url: Some(wiring.nats_monitor),
            nats: nats.clone(),
            policy: rules.clone(),
            ..vedette_ingest::Config::default()
        };
        // Alone, since it makes the streams; the others find them there.
        let webhook_service = Ingest::start(config, ingest.clone())
            .await
            .map_err(|error| failed("ingest").because(chain(&error).to_string()))?;
        let webhook = webhook_service.addresses().first().copied().unwrap_or(wiring.webhook);
        running.spawn(async move {
            webhook_service.serve().await;
            ("ingest", Ok(()))
        });
        contexts.push(ingest);

        let config = vedette_evaluator::Config { nats: nats.clone(), policy: rules.clone(), ..Default::default() };
        let evaluator = context("evaluator");
        contexts.push(evaluator.clone());
        running.spawn(async move { ("evaluator", said(vedette_evaluator::run(config, evaluator).await)) });

        let config =
            vedette_archiver::Config { nats: nats.clone(), archive: wiring.archive.clone(), ..Default::default() };
        let (archiver, shared) = (context("archiver"), Arc::clone(&archive));
        contexts.push(archiver.clone());
        running.spawn(async move { ("archiver", said(vedette_archiver::run_with(shared, config, archiver).await)) });

        let config = vedette_alerter::Config {
            nats: nats.clone(),
            policy: rules.clone(),
            console_url: Some(wiring.console_url),
            ..vedette_alerter::Config::default()
        };
        let alerter = context("alerter");
        contexts.push(alerter.clone());
        running.spawn(async move { ("alerter", said(vedette_alerter::run(config, alerter).await)) });

        let bus = Bus::connect("vedette-console", &nats).await;
        let bus = bus.map_err(|error| failed("console").because(chain(&error).to_string()))?;
        let managing = manage(folder, managed, wiring.operator, context("operator")).await?;
        let operator = OperatorConfig { url: format!("http://{}", managing.address()), ..OperatorConfig::default() };
        // Nobody waits for it: the services read the same files by themselves.
        running.spawn(async move { ("operator", said(managing.run().await)) });

        let config = vedette_console::Config {
            token_file: Some(folder.join("token")),
            archive: wiring.archive,
            // So that answers can say which rules keep what is asked for.
            policy: Some(rules),
            management: Some(operator),
            nats,
            ..vedette_console::Config::default()
        };
        let console = context("console");
        contexts.push(console.clone());
        running.spawn(async move {
            ("console", said(vedette_console::run_on(wiring.console, archive, bus, config, console).await))
        });

        contexts.push(own);
        let side_door = side_door(wiring.admin, &contexts).await?;
        guard.disarm();
        Ok((Self { contexts, shutdown, policy, registry, webhook, side_door }, Running(running)))
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> &PolicyWatch {
        &self.policy
    }

    /// Whether the rules' files were refused, so that the last good ones are in force.
    pub(crate) fn policy_is_old(&self) -> bool {
        let families = self.registry.gather();
        let refused = families.iter().find(|family| family.name() == "vedette_up_policy_refused");
        refused
            .and_then(|family| family.get_metric().first())
            .is_some_and(|metric| metric.get_gauge().get_value() > 0.0)
    }

    /// Where the webhook listens.
    pub(crate) fn webhook(&self) -> SocketAddr {
        self.webhook
    }

    /// Returns when all are ready.
    pub(crate) fn ready(&self) -> impl Future<Output = Result<(), Failure>> + use<> {
        let contexts = self.contexts.clone();
        async move {
            let end = Instant::now() + READY;
            while !contexts.iter().all(|context| context.health.is_ready()) {
                if Instant::now() > end {
                    let help = "they say more in the log; see vedette.log in the data folder";
                    return Err(Failure::failed(format!("not ready: {}", unready(&contexts))).help(help));
                }
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        }
    }

    /// Lets all of them finish what they have in hand.
    pub(crate) async fn stop(mut self, mut running: Running) {
        self.shutdown.cancel();
        let draining = async {
            while let Some(ended) = running.0.join_next().await {
                match ended {
                    Ok((name, Err(error))) => tracing::error!(service = name, error, "did not end well"),
                    Err(error) if !error.is_cancelled() => tracing::error!(%error, "a service crashed"),
                    _ => {}
                }
            }
            for context in &self.contexts {
                context.join(DRAIN).await;
            }
        };
        if tokio::time::timeout(DRAIN, draining).await.is_err() {
            tracing::error!(limit.seconds = DRAIN.as_secs(), "services did not end in time");
        }
        if let Some((server, stop)) = self.side_door.take() {
            stop.cancel();
            let _ = tokio::time::timeout(Duration::from_secs(3), server.stopped()).await;
        }
    }
}

/// The operator on the same files that the services read. What is made is written to the first directory.
async fn manage(
    folder: &Folder,
    rules: Vec<PathBuf>,
    listen: SocketAddr,
    context: Context,
) -> Result<Standalone, Failure> {
    let mut places = rules.into_iter();
    let dir = places.next().ok_or_else(|| failed("operator"))?;
    let config = vedette_operator::Config {
        rules: Some(RulesConfig { dir, more: places.collect(), state_dir: folder.join("policy"), token_file: None }),
        grpc: ServeConfig { listen, ..ServeConfig::default() },
        ..vedette_operator::Config::default()
    };
    Standalone::start(config, context).await.map_err(|error| {
        let help = "name another address with --operator-listen";
        failed("operator").because(chain(&error).to_string()).help(help)
    })
}

fn failed(name: &str) -> Failure {
    Failure::failed(format!("the {name} can't run"))
}

fn said<E: std::error::Error + 'static>(result: Result<(), E>) -> Result<(), String> {
    result.map_err(|error| chain(&error).to_string())
}

fn refused(error: PolicyError) -> Failure {
    let help = match &error {
        PolicyError::Rejected { .. } => "correct them; `vedette rules check` shows each with its line",
        _ => "name directories of rules with --rules, or run this in the repository, where deploy/rules is",
    };
    Failure::usage("the rules can't be used").because(chain(&error).to_string()).help(help)
}

fn policy_config(
    folder: &Folder,
    rules: Vec<PathBuf>,
    receivers: Vec<vedette_rules::Receiver>,
) -> Result<PolicyConfig, Failure> {
    let mut rules = rules.into_iter();
    let dir = rules.next().ok_or_else(|| Failure::usage("there are no rules").help("name a directory with --rules"))?;
    let state_dir = Some(folder.join("policy"));
    Ok(PolicyConfig { dir, more: rules.collect(), state_dir, receivers, ..PolicyConfig::default() })
}

async fn open(config: &vedette_archive::Config) -> Result<Arc<dyn Archive>, Failure> {
    vedette_archive::open(config, Mode::Write)
        .await
        .map_err(|error| Failure::failed("the archive can't be opened").because(chain(&error).to_string()))
}

async fn side_door(
    listen: Option<SocketAddr>,
    contexts: &[Context],
) -> Result<Option<(AdminServer, CancellationToken)>, Failure> {
    let stop = CancellationToken::new();
    let server = admin::serve(&AdminConfig { listen }, contexts, stop.clone())
        .await
        .map_err(|error| Failure::failed("health and metrics can't be served").because(chain(&error).to_string()))?;
    Ok(server.map(|server| (server, stop)))
}

fn unready(contexts: &[Context]) -> String {
    let names = contexts.iter().filter(|context| !context.health.is_ready()).map(|context| {
        let parts = context.health.components();
        let why = parts.into_iter().find_map(|part| Some(format!("{}: {}", part.name, part.reason?)));
        format!("{} ({})", context.name, why.unwrap_or_else(|| "starting".to_owned()))
    });
    names.collect::<Vec<_>>().join(", ")
}
