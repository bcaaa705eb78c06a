//! The query API, and the web pages that stand on it.
//!
//! It reads: the archive, through the trait that hides which engine it is, and the broker's state and books. It holds no
//! state of its own but running sums of the books and the newest alerts, which it reads from their beginning at each start.
//!
//! - KubeSphere's query endpoints, for its console and its users' scripts.
//! - `/api/v1`, our own ([`api`]), for the web console and `vedette query`.
//! - `GET /api/v1/status`, for administrators.
//! - The web pages, for anybody: what they show comes from `/api/v1`.
//! - The rules, where an operator is configured ([`management`]): every decision about them is the operator's.
//!
//! **Invariants.** Of the API, nothing but what must be known to sign in is answered unless it is known who asks and what they may see.
//! What an engine says when it fails never reaches a client. No answer is held in memory as a whole unless it is small. There are no
//! health pages here: those are on the administrator's address, as for every service.

mod access;
mod alerts;
pub mod api;
mod auth;
mod books;
mod config;
pub mod document;
mod failure;
mod kubesphere;
mod management;
mod metrics;
mod pager;
mod pages;
mod scope;
pub mod search;
mod serve;
mod standing;
mod status;
mod tail;
mod tenancy;
mod token;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vedette_archive::{Archive, Mode, OpenError};
use vedette_bus::{Bus, ConnectError};
use vedette_service::policy::{PolicyConfig, PolicyWatch};
use vedette_service::{Component, Context, chain};

pub use auth::{AuthConfig, AuthError, KubernetesAuth, OidcConfig, ProxyConfig};
pub use config::{Config, Limits, SettingError, Tls};
pub use tenancy::{Administrators, TenancyCluster, TenancyConfig};
pub use token::{TokenError, make_token};

use access::Access;
use alerts::SharedAlerts;
use books::SharedLedger;
use metrics::Metrics;
use serve::{Found, Read, Shared};

/// How often what is not there yet is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Why the console can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting can't be.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Nobody can be let in.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The archive can't be opened.
    #[error("open the archive")]
    Archive(#[source] OpenError),
    /// The broker's settings can't be.
    #[error("connect to the broker")]
    Connect(#[source] ConnectError),
    /// The address can't be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificate can't be used.
    #[error("serve with TLS")]
    Tls(#[source] vedette_service::tls::TlsError),
    /// Serving failed.
    #[error("serve the API")]
    Serve(#[source] std::io::Error),
    /// The metrics' names are taken.
    #[error("register the metrics")]
    Metrics(#[source] prometheus::Error),
}

/// Runs until `ctx.shutdown` is cancelled and the answers under way are given. What is away at the start (the broker, an
/// archive that nobody has written to yet) is waited for; meanwhile the rest works.
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    let listener = listen(&config)?;
    let (archive_sender, archive) = watch::channel(None);
    let (bus_sender, bus) = watch::channel(None);
    let stop = ctx.shutdown.child_token();
    let helpers = tokio::spawn(find(config.clone(), ctx.clone(), stop.clone(), archive_sender, bus_sender));
    let served = serve_with(listener, config, archive, bus, &ctx, &stop).await;
    stop.cancel();
    if let Err(error) = helpers.await {
        tracing::error!(error = %error, "finding archive and broker ended badly");
    }
    served
}

/// Runs on an archive and a connection that are there already; otherwise like [`run`].
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run_with(archive: Arc<dyn Archive>, bus: Bus, config: Config, ctx: Context) -> Result<(), Error> {
    let listener = listen(&config)?;
    run_on(listener, archive, bus, config, ctx).await
}

/// Like [`run_with`], on a listener that is there already, for those who need to know the port before.
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run_on(
    listener: TcpListener,
    archive: Arc<dyn Archive>,
    bus: Bus,
    config: Config,
    ctx: Context,
) -> Result<(), Error> {
    // The senders stay, so that the receivers never see them closed.
    let (_archive_sender, archive) = watch::channel(Some(archive));
    let (_bus_sender, bus) = watch::channel(Some(bus));
    let stop = ctx.shutdown.child_token();
    let served = serve_with(listener, config, archive, bus, &ctx, &stop).await;
    stop.cancel();
    served
}

fn listen(config: &Config) -> Result<TcpListener, Error> {
    TcpListener::bind(config.listen).map_err(|source| Error::Listen { address: config.listen, source })
}

async fn serve_with(
    listener: TcpListener,
    config: Config,
    archive: watch::Receiver<Option<Arc<dyn Archive>>>,
    bus: watch::Receiver<Option<Bus>>,
    ctx: &Context,
    stop: &CancellationToken,
) -> Result<(), Error> {
    config.check()?;
    let metrics = Metrics::register(&ctx.registry).map_err(Error::Metrics)?;
    let access = Access::start(&config, &metrics, ctx, stop).await?;
    let read = Read::default();
    let (policy_sender, policy) = watch::channel(None);
    let rules = tokio::spawn(find_rules(config.policy.clone(), ctx.clone(), stop.clone(), policy_sender));
    let books = tokio::spawn(read_books(bus.clone(), read.ledger.clone(), stop.clone()));
    let alerts = tokio::spawn(read_alerts(bus.clone(), read.alerts.clone(), stop.clone()));
    let announcer = tokio::spawn(announce(bus.clone(), stop.clone()));
    let health = ctx.health.component("api");
    health.ready();
    let found = Found { archive, bus, policy };
    let shared = Arc::new(Shared::new(&config, access, found, read, metrics, stop));
    let served = serve::serve(listener, &config, shared, ctx).await;
    health.unready("stopped");
    stop.cancel();
    for task in [books, alerts, announcer, rules] {
        if let Err(error) = task.await {
            tracing::error!(error = %error, "a task of the console ended badly");
        }
    }
    served
}

/// Opens the archive and connects to the broker, trying until they are there.
async fn find(
    config: Config,
    ctx: Context,
    stop: CancellationToken,
    archive: watch::Sender<Option<Arc<dyn Archive>>>,
    bus: watch::Sender<Option<Bus>>,
) {
    let opening = async {
        let component = ctx.health.component("archive");
        let open = || vedette_archive::open(&config.archive, Mode::Read);
        if let Some(found) = until_there(open, &component, "open the archive").await {
            archive.send_replace(Some(found));
        }
    };
    let connecting = async {
        let component = ctx.health.component("broker");
        let connect = || Bus::connect("vedette-console", &config.nats);
        if let Some(found) = until_there(connect, &component, "connect to the broker").await {
            bus.send_replace(Some(found));
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = async { tokio::join!(opening, connecting) } => stop.cancelled().await,
    }
}

/// Reads the rules, where they are configured, trying until they are there. Without them answers don't say what is kept.
async fn find_rules(
    config: Option<PolicyConfig>,
    ctx: Context,
    stop: CancellationToken,
    policy: watch::Sender<Option<PolicyWatch>>,
) {
    let Some(config) = config else { return };
    let component = ctx.health.component("rules");
    let find = async {
        let watch = || vedette_service::policy::watch(&config, &ctx);
        if let Some(found) = until_there(watch, &component, "read the rules").await {
            policy.send_replace(Some(found));
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = async { find.await; policy.closed().await } => {}
    }
}

async fn until_there<T, E, F>(mut attempt: impl FnMut() -> F, component: &Component, what: &'static str) -> Option<T>
where
    F: Future<Output = Result<T, E>>,
    E: std::error::Error + 'static,
{
    let mut told = String::new();
    loop {
        match attempt().await {
            Ok(found) => {
                component.ready();
                return Some(found);
            }
            Err(error) => {
                let error = chain(&error).to_string();
                component.unready(what);
                if error != told {
                    tracing::warn!(error, what, "trying again");
                    told = error;
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Keeps the sums of the books.
async fn read_books(mut bus: watch::Receiver<Option<Bus>>, ledger: SharedLedger, stop: CancellationToken) {
    let Some(bus) = connected(&mut bus, &stop).await else { return };
    let mut books = bus.books();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = books.next() => match next {
                Some(next) => ledger.lock().apply(next),
                None => return,
            },
        }
    }
}

/// Keeps the newest alerts.
async fn read_alerts(mut bus: watch::Receiver<Option<Bus>>, alerts: SharedAlerts, stop: CancellationToken) {
    let Some(bus) = connected(&mut bus, &stop).await else { return };
    let mut log = bus.alert_log();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = log.next() => match next {
                Some(next) => alerts.lock().apply(next, jiff::Timestamp::now()),
                None => return,
            },
        }
    }
}

/// Makes the service known while it runs.
async fn announce(mut bus: watch::Receiver<Option<Bus>>, stop: CancellationToken) {
    let Some(bus) = connected(&mut bus, &stop).await else { return };
    let announced = bus.announce("vedette-console", env!("CARGO_PKG_VERSION"), Default::default()).await;
    if let Err(error) = &announced {
        tracing::warn!(error = %chain(error), "the service can't be announced");
    }
    stop.cancelled().await;
    drop(announced);
}

/// The connection, once there is one; `None` at the end.
async fn connected(bus: &mut watch::Receiver<Option<Bus>>, stop: &CancellationToken) -> Option<Bus> {
    tokio::select! {
        () = stop.cancelled() => None,
        found = bus.wait_for(Option::is_some) => found.ok()?.clone(),
    }
}
