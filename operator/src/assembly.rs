//! The operator of a cluster, put together: which part gets what, and that none of them is left behind.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use kube::Client;
use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use vedette_service::{Context, chain, host};

use crate::admission::{self, Admission, AdmissionConfig};
use crate::config::KubernetesConfig;
use crate::control::{self, Control};
use crate::fleet::{self, Fleet};
use crate::index::Index;
use crate::leader::{self, Candidate};
use crate::manage::{self, Management};
use crate::namespaces::{self, Namespaces};
use crate::parts::Parts;
use crate::serve::distribution::Distribution;
use crate::subscribers::Subscribers;
use crate::{Config, Error, reconcile, serve};

/// The lease by which one of several operators acts.
const LEASE: &str = "vedette-operator";
/// How often the webhook's registration is made sure of.
const REGISTRATION: Duration = Duration::from_secs(60);

/// The operator, ready to run.
pub struct Operator {
    config: Config,
    ctx: Context,
    client: Client,
    identity: String,
    listening: serve::Listening,
    admission: Option<(tokio::net::TcpListener, serve::TlsFiles)>,
}

impl Operator {
    /// Finds the cluster, fetches the certificate and listens.
    ///
    /// # Errors
    /// If there is none, or an address is taken.
    pub async fn start(mut config: Config, ctx: Context) -> Result<Self, Error> {
        if let Some(settings) = &mut config.reconcile {
            settings.cluster.clone_from(&config.kubernetes.cluster);
        }
        let client = client(&config.kubernetes).await?;
        let identity = config.kubernetes.identity.clone().unwrap_or_else(unlike_others);
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
        let stop = || ctx.shutdown.clone();
        // Whatever part fails, the others are not left behind.
        let _guard = stop().drop_guard();
        let namespace = config.kubernetes.namespace.clone();
        let (lead, leads) = watch::channel(false);
        let (subscribers, fleet, namespaces) = (Subscribers::default(), Fleet::default(), Namespaces::default());
        let index = Arc::new(RwLock::new(Index::default()));
        let (snapshot, served) = watch::channel(None);
        let (outcome, verdicts) = watch::channel(None);
        let mut parts = Parts::default();

        let candidate = Candidate { lease: LEASE.to_owned(), identity: identity.clone() };
        parts.add("leader", done(leader::run(Api::namespaced(client.clone(), &namespace), candidate, lead, stop())));
        let cluster = config.kubernetes.cluster.clone();
        parts.add("namespaces", done(namespaces::watch(client.clone(), cluster, namespaces.clone(), stop())));
        let maps = Api::namespaced(client.clone(), &namespace);
        parts.add("notes", done(fleet::write(maps.clone(), identity.clone(), subscribers.clone(), stop())));
        parts.add("fleet", done(fleet::read(maps, identity, fleet.clone(), stop())));

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
        let inner = ctx.clone();
        parts.add("control", async move { Ok(control::run(control, &inner).await?) });

        let management = Management::new(manage::Parts {
            backend: Arc::new(manage::Cluster::new(client.clone(), stop())),
            gate: manage::Gate::kubernetes(client.clone()),
            verdicts: manage::Verdicts { outcome: verdicts.clone(), snapshot: served.clone() },
            index: Arc::clone(&index),
            subscribers: subscribers.clone(),
            fleet,
            shutdown: stop(),
        });
        let distribution = Distribution {
            snapshot: served,
            subscribers,
            namespaces,
            access: config.grpc.access()?,
            answers: serve::distribution::answers(&ctx)?,
            shutdown: stop(),
        };
        let serving = listening.serve(distribution, |routes| routes.add_service(management.server()), stop());
        parts.add("grpc", async move { Ok(serving.await?) });

        if let Some((listener, files)) = admission {
            let turns = Arc::new(Semaphore::new(admission::TURNS));
            let admission = Admission { index, outcome: verdicts, turns, answers: admission::answers(&ctx)? };
            let (answering, stopped) = (admission::serve(admission, listener, files, stop()), stop());
            parts.add("admission", async move { Ok(answering.await?) });
            let (client, leads) = (client.clone(), leads.clone());
            parts.add("registration", done(registering(client, namespace, config.admission, leads, stopped)));
        }
        if let Some(settings) = config.reconcile {
            if let Some(folder) = config.grpc.folder().map(Path::to_owned) {
                let (client, settings, stopped) = (client.clone(), settings.clone(), stop());
                parts.add("certificate", async move {
                    reconcile::keep_certificate(client, settings, &folder, stopped).await;
                    Ok(())
                });
            }
            let reconciling = reconcile::run(client, settings, leads, stop());
            parts.add("reconcile", async move { Ok(reconciling.await?) });
        }
        parts.all(&ctx.shutdown).await
    }
}

/// A part that can't fail.
async fn done(part: impl Future<Output = ()>) -> Result<(), Error> {
    part.await;
    Ok(())
}

/// Keeps the webhook registered while this operator leads.
async fn registering(
    client: Client,
    namespace: String,
    config: AdmissionConfig,
    mut leads: watch::Receiver<bool>,
    shutdown: CancellationToken,
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

async fn client(config: &KubernetesConfig) -> Result<Client, Error> {
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
    Client::try_from(found).map_err(|error| Error::Cluster(error.into()))
}

/// The host's name, and something that tells two operators on one host apart.
fn unlike_others() -> String {
    let name = host::name().to_lowercase();
    let name = if name.is_empty() { "operator" } else { name.as_str() };
    format!("{name}-{:08x}", fastrand::u32(..))
}
