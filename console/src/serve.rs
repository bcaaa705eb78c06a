//! Serving the pages and the API: who may ask, how long an answer may take, how many at a time.
//!
//! Every request passes the same gate before anything looks at it: who asks and what they may see, then a place among those that are
//! answered at a time. Before it stand only the pages and what must be known to sign in, which are the same for everybody. A long
//! answer keeps its place until its last byte is handed over, and loses it, cut short where the client can tell, when nobody reads it.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use futures::stream;
use hyper_util::rt::TokioTimer;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vedette_archive::Archive;
use vedette_bus::Bus;
use vedette_rules::Policy;
use vedette_service::policy::PolicyWatch;
use vedette_service::{Context, tls};

use crate::Error;
use crate::access::{self, Access};
use crate::alerts::SharedAlerts;
use crate::api::{self, Settings};
use crate::auth::{Acceptor, Caller, Peer};
use crate::books::SharedLedger;
use crate::config::{Config, Limits};
use crate::failure::Failure;
use crate::kubesphere;
use crate::management::Management;
use crate::metrics::Metrics;
use crate::pager::{Chunk, Pager, Rows};
use crate::pages::{self, Pages};
use crate::scope::{Scope, owner};
use crate::status::{BooksCache, StatusCache};
use crate::tail::Tail;
use crate::tenancy::View;

/// Until a client must have sent its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// What answers that are under way may still take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// Parts of a long answer that wait for the client to read them.
const PARTS: usize = 2;
/// Bytes after which a part is handed over.
const PART_BYTES: usize = 1 << 20;
/// Of the requests that are answered at a time, one caller has this part.
const SHARE: usize = 4;
/// Requests of one caller that wait for their turn.
const WAITING: usize = 64;

const HEADERS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (CACHE_CONTROL, "no-store"),
];

/// What the handlers share.
pub(crate) struct Shared {
    pub(crate) access: Access,
    pub(crate) limits: Limits,
    pub(crate) settings: Settings,
    archive: watch::Receiver<Option<Arc<dyn Archive>>>,
    bus: watch::Receiver<Option<Bus>>,
    pub(crate) ledger: SharedLedger,
    pub(crate) alerts: SharedAlerts,
    pub(crate) status: StatusCache,
    pub(crate) books: BooksCache,
    pub(crate) metrics: Metrics,
    pub(crate) tail: Tail,
    /// Days after which the archive drops events; 0: never.
    pub(crate) retention_days: u32,
    policy: watch::Receiver<Option<PolicyWatch>>,
    /// Where rules are managed, if that is configured.
    pub(crate) management: Option<Arc<Management>>,
    places: Arc<Semaphore>,
    /// The places of each caller who has any, by [`Scope::owner`].
    shares: Mutex<HashMap<String, Weak<Share>>>,
    streams: TaskTracker,
}

/// What is looked for at the start, each as soon as it is there.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) archive: watch::Receiver<Option<Arc<dyn Archive>>>,
    pub(crate) bus: watch::Receiver<Option<Bus>>,
    pub(crate) policy: watch::Receiver<Option<PolicyWatch>>,
}

/// What the broker's logs are read into.
#[derive(Clone, Default)]
pub(crate) struct Read {
    pub(crate) ledger: SharedLedger,
    pub(crate) alerts: SharedAlerts,
}

/// A place among the requests that are answered at a time.
#[derive(Clone, Debug)]
pub(crate) struct Permit {
    _place: Arc<OwnedSemaphorePermit>,
    /// Of those that the caller has.
    _share: Option<Arc<(OwnedSemaphorePermit, Arc<Share>)>>,
}

/// What one caller has of the places.
#[derive(Debug)]
struct Share {
    places: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Shared {
    pub(crate) fn new(
        config: &Config,
        access: Access,
        found: Found,
        read: Read,
        metrics: Metrics,
        stop: &CancellationToken,
    ) -> Self {
        let Found { archive, bus, policy } = found;
        let Read { ledger, alerts } = read;
        Self {
            access,
            limits: config.limits.clone(),
            settings: Settings::of(config),
            archive,
            ledger,
            alerts,
            status: StatusCache::default(),
            books: BooksCache::default(),
            metrics,
            tail: Tail::new(bus.clone(), stop.clone()),
            retention_days: config.archive.retention_days,
            policy,
            management: config.management.clone().map(Management::new).map(Arc::new),
            bus,
            places: Arc::new(Semaphore::new(config.limits.concurrent)),
            shares: Mutex::default(),
            streams: TaskTracker::new(),
        }
    }

    /// The archive, once it is open.
    pub(crate) fn archive(&self) -> Result<Arc<dyn Archive>, Failure> {
        self.archive.borrow().clone().ok_or_else(|| Failure::unavailable("the archive is not open yet"))
    }

    /// What a caller may see of the archive.
    fn scope(&self, caller: &Caller, view: &View) -> Scope {
        // A day more, since days are dropped as a whole.
        let kept = i64::from(self.retention_days) + 1;
        let old = Timestamp::now().as_microsecond().saturating_sub(kept.saturating_mul(86_400_000_000));
        Scope::of(caller, view, if self.retention_days == 0 { 0 } else { old })
    }

    /// The same as it is now, for whoever began to read a while ago: with what they showed then.
    pub(crate) async fn scope_now(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Scope, Failure> {
        let (caller, view) = self.access.ask(headers, peer).await?;
        Ok(self.scope(&caller, &view))
    }

    /// A place among the requests that are answered at a time: of the caller's own first, so that nobody takes all of them.
    async fn place(&self, owner: &str) -> Result<Permit, Failure> {
        let share = {
            let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
            match shares.get(owner).and_then(Weak::upgrade) {
                Some(share) => share,
                None => {
                    shares.retain(|_, share| share.strong_count() > 0);
                    let places = (self.limits.concurrent / SHARE).max(1);
                    let share =
                        Arc::new(Share { places: Arc::new(Semaphore::new(places)), waiting: Semaphore::new(WAITING) });
                    shares.insert(owner.to_owned(), Arc::downgrade(&share));
                    share
                }
            }
        };
        let waiting = share.waiting.try_acquire().map_err(|_| busy())?;
        let own = Arc::clone(&share.places).acquire_owned().await.map_err(|_| busy())?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| busy())?;
        drop(waiting);
        Ok(Permit { _place: Arc::new(place), _share: Some(Arc::new((own, share))) })
    }

    /// The rules in force, where they are configured and once they are there.
    pub(crate) fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.borrow().as_ref().map(PolicyWatch::current)
    }

    /// The broker, once there is a connection.
    pub(crate) fn bus(&self) -> Option<Bus> {
        self.bus.borrow().clone()
    }

    /// A body that goes through records as fast as the client reads, holding a few at a time.
    pub(crate) fn stream(self: &Arc<Self>, permit: Permit, pager: Pager, first: Chunk, rows: Rows) -> Body {
        let (sender, parts) = mpsc::channel(PARTS);
        let stalled = self.limits.timeout();
        self.streams.spawn(async move {
            let _permit = permit;
            send_rows(sender, pager, first, rows, stalled).await;
        });
        // A body that ends before its last part must end badly: otherwise a part would pass for the whole.
        Body::from_stream(stream::unfold(Some(parts), |parts| async {
            let mut parts = parts?;
            match parts.recv().await {
                Some(Part::Rows(bytes)) => Some((Ok(bytes), Some(parts))),
                Some(Part::Last(bytes)) => Some((Ok(bytes), None)),
                None => Some((Err(std::io::Error::other("the answer was cut short")), None)),
            }
        }))
    }
}

/// A part of a long answer.
enum Part {
    Rows(Bytes),
    Last(Bytes),
}

async fn send_rows(sender: mpsc::Sender<Part>, mut pager: Pager, first: Chunk, rows: Rows, stalled: Duration) {
    let mut out = rows.head.into_bytes();
    let mut chunk = Some(first);
    let mut begun = false;
    while let Some(documents) = chunk.take().map(|chunk| chunk.documents) {
        for document in documents {
            if std::mem::replace(&mut begun, true) {
                out.extend_from_slice(rows.separator.as_bytes());
            }
            match &rows.row {
                Some(row) => out.extend_from_slice(&row(&document)),
                None => out.extend_from_slice(&document),
            }
            if out.len() > PART_BYTES && !send(&sender, &mut out, stalled).await {
                return;
            }
        }
        if !send(&sender, &mut out, stalled).await {
            return;
        }
        chunk = match pager.next().await {
            Ok(chunk) => chunk,
            Err(end) => {
                // Its message is logged where it is made; the client sees an answer that breaks off.
                tracing::warn!(failure = %Failure::from(end), "a long answer was cut short");
                return;
            }
        };
    }
    // If nobody reads it any more, nobody misses it.
    let _ = sender.send_timeout(Part::Last(Bytes::from_static(rows.tail.as_bytes())), stalled).await;
}

/// Hands over what there is; whether there is still somebody who reads.
async fn send(sender: &mpsc::Sender<Part>, out: &mut Vec<u8>, stalled: Duration) -> bool {
    let part = Part::Rows(Bytes::from(std::mem::take(out)));
    let sent = sender.send_timeout(part, stalled).await.is_ok();
    if !sent {
        tracing::debug!("a client stopped reading a long answer");
    }
    sent
}

/// The whole API, and the pages before it.
pub(crate) fn router(shared: Arc<Shared>, pages: Pages) -> Router {
    let known = Router::new()
        .merge(api::router())
        .merge(kubesphere::router())
        .fallback(async || Failure::not_found())
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), gate));
    api::open_router()
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .merge(known)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), answered))
        .layer(middleware::from_fn_with_state((Arc::new(pages), Arc::clone(&shared)), pages::answer))
        .with_state(shared)
}

/// What every answer of the API has, and how it is counted.
async fn answered(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let timer = shared.metrics.seconds.start_timer();
    let mut response = next.run(request).await;
    timer.observe_duration();
    shared.metrics.requests.with_label_values(&[response.status().as_str()]).inc();
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What every request passes that is not for anybody.
async fn gate(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Result<Response, Failure> {
    let peer = request.extensions().get::<Peer>().cloned();
    let (caller, view) = shared.access.ask(request.headers(), peer.as_ref()).await?;
    access::meant(&caller, &request)?;
    let timeout = shared.limits.timeout();
    let permit = tokio::time::timeout(timeout, shared.place(&owner(&caller))).await.map_err(|_| busy())??;
    request.extensions_mut().insert(permit);
    // Not before there is a place: it is large where the caller sees many namespaces.
    request.extensions_mut().insert(Arc::new(shared.scope(&caller, &view)));
    tokio::time::timeout(timeout, next.run(request)).await.map_err(|_| Failure::timed_out())
}

fn busy() -> Failure {
    Failure::unavailable("too many requests are being answered")
}

/// Serves until `ctx.shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    config: &Config,
    shared: Arc<Shared>,
    ctx: &Context,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::Serve)?;
    listener.set_nonblocking(true).map_err(Error::Serve)?;
    if config.tls.is_none() && !address.ip().is_loopback() {
        tracing::warn!(listen = %address, "the API is served without TLS outside loopback: token and records can be read on the way");
    }
    let handle = axum_server::Handle::new();
    let app = router(Arc::clone(&shared), Pages::built_in()).into_make_service();
    let stop = {
        let (handle, shutdown) = (handle.clone(), ctx.shutdown.clone());
        async move {
            shutdown.cancelled().await;
            handle.graceful_shutdown(Some(DRAIN));
        }
    };
    tracing::info!(listen = %address, tls = config.tls.is_some(), "serving the query API");
    let served = async {
        match &config.tls {
            None => {
                let mut server = axum_server::from_tcp(listener).map_err(Error::Serve)?.handle(handle);
                bound(server.http_builder());
                server.serve(app).await.map_err(Error::Serve)
            }
            Some(tls) => {
                // Asked for, and not needed: only the proxy has one.
                let clients = config.auth.proxy.as_ref().map(|proxy| proxy.client_ca_file.as_path());
                let tls = tls::server_config_with(&tls.cert, &tls.key, clients, true).map_err(Error::Tls)?;
                let acceptor = Acceptor(RustlsAcceptor::new(RustlsConfig::from_config(tls)));
                let server = axum_server::from_tcp(listener).map_err(Error::Serve)?.handle(handle);
                let mut server = server.acceptor(acceptor);
                bound(server.http_builder());
                server.serve(app).await.map_err(Error::Serve)
            }
        }
    };
    tokio::pin!(stop, served);
    let result = tokio::select! {
        result = &mut served => result,
        () = &mut stop => served.await,
    };
    shared.streams.close();
    // Streams end when their clients are gone, which they are by now.
    if tokio::time::timeout(DRAIN, shared.streams.wait()).await.is_err() {
        tracing::warn!("answers under way did not end in time");
    }
    result
}

/// Bounds what a connection may cost.
fn bound(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(32)
        .keep_alive_interval(Some(Duration::from_secs(20)));
}

#[cfg(test)]
mod tests;
