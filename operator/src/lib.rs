//! The operator: `Rule` and `Webhook` resources as the source of truth, compiled, distributed, and answered for.
//!
//! The way of a change: `control::watch` sees it → [`index`] compiles everything and says what is to be in force → [`store`] gives
//! that a generation → [`serve::distribution`] sends it to whoever subscribes → [`subscribers`] knows who has it → [`status`]
//! says so in the resource. [`admission`] says beforehand what would come of it.
//!
//! **Invariants.** What is served compiled as a whole. A generation stands for one content, only grows, and outlives restarts and
//! changes of the leader. One bad resource changes nothing about the others.

pub mod admission;
pub mod api;
pub mod authority;
pub mod config;
pub mod control;
pub mod document;
pub mod fleet;
pub mod index;
pub mod leader;
pub mod manage;
pub mod namespaces;
pub mod reconcile;
pub mod serve;
pub mod standalone;
pub mod status;
pub mod store;
pub mod subscribers;

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::watch;
use tokio::task::JoinSet;
use vedette_service::metrics::MetricError;
use vedette_service::{Context, chain};

pub use config::Config;
use control::Control;
use fleet::Fleet;
use index::Index;
use leader::Candidate;
use manage::Management;
use namespaces::Namespaces;
use serve::distribution::Distribution;
use subscribers::Subscribers;

/// The lease by which one of several operators acts.
const LEASE: &str = "vedette-operator";
/// How often the webhook's registration is made sure of.
const REGISTRATION: Duration = Duration::from_secs(60);

/// Why the operator does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no cluster that could be asked.
    #[error("find the cluster")]
    Cluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Rules can't be served.
    #[error("serve the rules")]
    Serve(#[from] serve::ServeError),
    /// Reviews can't be answered.
    #[error("answer the apiserver's reviews")]
    Admission(#[from] admission::AdmissionError),
    /// The directory's rules can't be kept.
    #[error("keep the rules of the directory")]
    Standalone(#[from] standalone::StandaloneError),
    /// What a `Webhook` describes can't be made.
    #[error("reconcile the services")]
    Reconcile(#[from] reconcile::Error),
    /// Metrics can't be made.
    #[error("make the metrics")]
    Metric(#[from] MetricError),
    /// A part ended though nobody asked it to.
    #[error("the part `{0}` ended by itself")]
    Ended(&'static str),
}

/// The operator, ready to run.
pub struct Operator {
    config: Config,
    ctx: Context,
    client: kube::Client,
    identity: String,
    listening: serve::Listening,
    admission: Option<(tokio::net::TcpListener, serve::TlsFiles)>,
}

/// Runs the operator until the context's shutdown.
///
/// # Errors
/// If it can't start, or a part of it fails.
pub async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    if config.rules.is_some() {
        return standalone::Standalone::start(config, ctx).await?.run().await;
    }
    Operator::start(config, ctx).await?.run().await
}

impl Operator {
    /// Finds the cluster and listens.
    ///
    /// # Errors
    /// If there is none, or an address is taken.
    pub async fn start(config: Config, ctx: Context) -> Result<Self, Error> {
        let client = client(&config.kubernetes).await?;
        let identity = config.kubernetes.identity.clone().unwrap_or_else(hostname);
        if let (Some(settings), Some(folder)) = (&config.reconcile, config.grpc.folder()) {
            reconcile::certificate(&client, settings, folder, jiff::Timestamp::now()).await?;
        }
        let listening = config.grpc.listen().await?;
        let admission = admission::listen(&config.admission).await?;
        Ok(Self { config, ctx, client, identity, listening, admission })
    }

    /// Where rules are served.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Runs until the context's shutdown.
    ///
    /// # Errors
    /// If a part of it fails.
    pub async fn run(self) -> Result<(), Error> {
        let Self { config, ctx, client, identity, listening, admission } = self;
        let shutdown = ctx.shutdown.clone();
        // Whatever part fails, the others are not left behind.
        let _guard = shutdown.clone().drop_guard();
        let namespace = config.kubernetes.namespace.clone();
        let (lead, leads) = watch::channel(false);
        let (subscribers, fleet, namespaces) = (Subscribers::default(), Fleet::default(), Namespaces::default());
        let index = Arc::new(RwLock::new(Index::default()));
        let (snapshot, served) = watch::channel(None);
        let (outcome, verdicts) = watch::channel(None);
        let management = Management::new(manage::Parts {
            backend: Arc::new(manage::Cluster::new(client.clone(), shutdown.clone())),
            gate: manage::Gate::kubernetes(client.clone()),
            verdicts: manage::Verdicts { outcome: verdicts, snapshot: served.clone() },
            index: Arc::clone(&index),
            subscribers: subscribers.clone(),
            fleet: fleet.clone(),
            shutdown: shutdown.clone(),
        });
        let control = Control {
            client: client.clone(),
            namespace: namespace.clone(),
            index: Arc::clone(&index),
            leads: leads.clone(),
            subscribers: subscribers.clone(),
            fleet: fleet.clone(),
            snapshot,
            outcome,
        };
        let answers =
            ctx.counters("subscriber_answers_total", "Answers of subscribers to snapshots", &["service", "result"])?;
        let distribution = Distribution {
            snapshot: served,
            subscribers: subscribers.clone(),
            namespaces: namespaces.clone(),
            access: config.grpc.access()?,
            answers,
            shutdown: shutdown.clone(),
        };
        let reviews = ctx.counters("admission_reviews_total", "Resources that were reviewed", &["result"])?;

        let mut parts: JoinSet<(&'static str, Result<(), Error>)> = JoinSet::new();
        let candidate = Candidate { lease: LEASE.to_owned(), identity: identity.clone() };
        let (api, stop) = (Api::namespaced(client.clone(), &namespace), shutdown.clone());
        parts.spawn(async move {
            leader::run(api, candidate, lead, stop).await;
            ("leader", Ok(()))
        });
        let (of, cluster, stop) = (client.clone(), config.kubernetes.cluster.clone(), shutdown.clone());
        parts.spawn(async move {
            namespaces::watch(of, cluster, namespaces, stop).await;
            ("namespaces", Ok(()))
        });
        let (maps, who, stop) = (Api::namespaced(client.clone(), &namespace), identity.clone(), shutdown.clone());
        parts.spawn(async move {
            tokio::join!(
                fleet::write(maps.clone(), &who, subscribers, stop.clone()),
                fleet::read(maps, &who, fleet, stop)
            );
            ("fleet", Ok(()))
        });
        let inner = ctx.clone();
        parts.spawn(async move { ("control", control::run(control, &inner).await.map_err(Error::from)) });
        let stop = shutdown.clone();
        parts.spawn(async move {
            (
                "grpc",
                listening
                    .serve(distribution, |routes| routes.add_service(management.server()), stop)
                    .await
                    .map_err(Error::from),
            )
        });
        if let Some((listener, files)) = admission {
            let answering = admission::Admission { index, answers: reviews };
            let stop = shutdown.clone();
            parts.spawn(async move {
                ("admission", admission::serve(answering, listener, files, stop).await.map_err(Error::from))
            });
            let (config, stop) = (config.admission.clone(), shutdown.clone());
            let (client, leads) = (client.clone(), leads.clone());
            parts.spawn(async move {
                registering(client, namespace, config, leads, stop).await;
                ("registration", Ok(()))
            });
        }
        if let Some(settings) = config.reconcile {
            if let Some(folder) = config.grpc.folder().map(std::path::Path::to_owned) {
                let (client, settings, stop) = (client.clone(), settings.clone(), shutdown.clone());
                parts.spawn(async move {
                    reconcile::keep_certificate(client, settings, &folder, stop).await;
                    ("certificate", Ok(()))
                });
            }
            let stop = shutdown.clone();
            parts.spawn(async move {
                ("reconcile", reconcile::run(client, settings, leads, stop).await.map_err(Error::from))
            });
        }
        while let Some(ended) = parts.join_next().await {
            match ended {
                Ok((_, Ok(()))) if shutdown.is_cancelled() => {}
                Ok((name, Ok(()))) => return Err(Error::Ended(name)),
                Ok((_, Err(error))) => return Err(error),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => return Err(Error::Ended("a task")),
            }
        }
        Ok(())
    }
}

/// Keeps the webhook registered while this operator leads.
async fn registering(
    client: kube::Client,
    namespace: String,
    config: admission::AdmissionConfig,
    mut leads: watch::Receiver<bool>,
    shutdown: tokio_util::sync::CancellationToken,
) {
    let mut look = tokio::time::interval(REGISTRATION);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = look.tick() => {}
            changed = leads.changed() => if changed.is_err() { return },
        }
        if *leads.borrow_and_update()
            && let Err(error) = admission::register(client.clone(), &namespace, &config).await
        {
            tracing::warn!(error = %chain(&error), "could not register the webhook; trying again");
        }
    }
}

async fn client(config: &config::KubernetesConfig) -> Result<kube::Client, Error> {
    let found = match &config.kubeconfig {
        None => kube::Config::infer().await.map_err(|error| Error::Cluster(error.into()))?,
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(file).map_err(|error| Error::Cluster(error.into()))?;
            let options = KubeConfigOptions::default();
            kube::Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|error| Error::Cluster(error.into()))?
        }
    };
    kube::Client::try_from(found).map_err(|error| Error::Cluster(error.into()))
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().to_lowercase();
    if name.is_empty() { "operator".to_owned() } else { name }
}
