//! Listening: connections, TLS, HTTP/1.1 and HTTP/2, and ending in good order.
//!
//! Hyper is driven here rather than by a framework, because what a webhook must withstand is in the connections: slow
//! handshakes and heads, idle ones, too many of them, and whose certificate it is.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vedette_service::chain;

use crate::{auth::Peer, config::Limits, handler::Handler};

/// How long requests in hand may take when the service ends.
const DRAIN: Duration = Duration::from_secs(15);
/// What is waited when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// What a connection may buffer: the memory of many slow senders.
const READ_BUFFER: usize = 128 * 1024;
const HTTP2_STREAM_WINDOW: u32 = 512 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;
const HTTP2_STREAMS: u32 = 64;
const HTTP2_PING: Duration = Duration::from_secs(30);

/// One request that is not answered yet.
struct InHand(Arc<watch::Sender<usize>>);

impl InHand {
    fn new(requests: &Arc<watch::Sender<usize>>) -> Self {
        requests.send_modify(|requests| *requests += 1);
        Self(Arc::clone(requests))
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.send_modify(|requests| *requests -= 1);
    }
}

/// What all connections share.
pub(crate) struct Server {
    pub(crate) handler: Arc<Handler>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) limits: Limits,
    pub(crate) shutdown: CancellationToken,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) connections: TaskTracker,
}

impl Server {
    pub(crate) fn new(handler: Handler, tls: Option<TlsAcceptor>, limits: Limits, shutdown: CancellationToken) -> Self {
        let slots = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        let connections = handler.tasks.clone();
        Self { handler: Arc::new(handler), tls, limits, shutdown, slots, connections }
    }

    /// Serves all listeners until the shutdown, then lets requests in hand end.
    pub(crate) async fn serve(self, listeners: Vec<TcpListener>) {
        let server = Arc::new(self);
        let accepting = TaskTracker::new();
        for listener in listeners {
            accepting.spawn(Arc::clone(&server).accept(listener));
        }
        accepting.close();
        accepting.wait().await;
        server.connections.close();
        if tokio::time::timeout(DRAIN, server.connections.wait()).await.is_err() {
            tracing::warn!(connections = server.connections.len(), "connections did not end in time");
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.shutdown.cancelled() => return,
                accepted = self.next(&listener) => accepted,
            };
            match accepted {
                Ok((stream, address, slot)) => {
                    let server = Arc::clone(&self);
                    self.connections.spawn(async move { server.connection(stream, address, slot).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(NO_ROOM).await;
                }
            }
        }
    }

    /// The next connection, once there is room for it.
    async fn next(&self, listener: &TcpListener) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(std::io::Error::other)?;
        let (stream, address) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, address, slot))
    }

    async fn connection(&self, stream: TcpStream, address: SocketAddr, _slot: OwnedSemaphorePermit) {
        let deadline = Instant::now() + self.limits.handshake();
        let connections = &self.handler.metrics.connections;
        connections.inc();
        match &self.tls {
            None => self.http(stream, Peer { address: address.ip(), certificate: None }, deadline).await,
            Some(tls) => match tokio::time::timeout_at(deadline, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let certificates = stream.get_ref().1.peer_certificates();
                    let certificate = certificates.and_then(|chain| chain.first());
                    let certificate = certificate.map(|certificate| Arc::new(certificate.clone().into_owned()));
                    self.http(stream, Peer { address: address.ip(), certificate }, deadline).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "shake hands"),
                Err(_) => tracing::debug!("a handshake took too long"),
            },
        }
        connections.dec();
    }

    /// Serves one connection; the first request's head must be there by `deadline`, and it ends where no request is in hand
    /// for long.
    async fn http<S>(&self, stream: S, peer: Peer, deadline: Instant)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Arc::new(peer);
        let (requests, mut in_hand) = watch::channel(0_usize);
        let requests = Arc::new(requests);
        let service = service_fn(|request: Request<Incoming>| {
            let request_in_hand = InHand::new(&requests);
            let (handler, peer) = (Arc::clone(&self.handler), Arc::clone(&peer));
            async move {
                let response = handler.handle(request, &peer).await;
                drop(request_in_hand);
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let builder = self.builder();
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let (mut waiting, mut ending, mut until) = (true, false, deadline);
        let result = loop {
            let idle = *in_hand.borrow() == 0;
            tokio::select! {
                result = connection.as_mut() => break result,
                Ok(()) = in_hand.changed() => {
                    waiting = false;
                    until = Instant::now() + self.limits.keep_alive();
                }
                () = tokio::time::sleep_until(until), if waiting => {
                    tracing::debug!("a request's head took too long");
                    return;
                }
                () = tokio::time::sleep_until(until), if idle && !waiting && !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.shutdown.cancelled(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(error = %chain(&*error), "a connection broke off");
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.keep_alive())
            .max_buf_size(READ_BUFFER);
        builder
            .http2()
            .timer(TokioTimer::new())
            .initial_stream_window_size(HTTP2_STREAM_WINDOW)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
            .max_concurrent_streams(HTTP2_STREAMS)
            .max_header_list_size(16 * 1024)
            .keep_alive_interval(HTTP2_PING)
            .keep_alive_timeout(HTTP2_PING);
        builder
    }
}
