//! Connections after TLS has been agreed on, by certificates that are read again when their files change.
//!
//! Those that are still agreeing are bounded, all of them and those of one address, so that whoever connects and says nothing keeps out
//! themselves rather than others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures::Stream;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use vedette_service::{chain, tls};

use super::ServeError;

/// How long TLS may take to be agreed on.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// How many connections may be agreeing at once, and how many of one address.
const AGREEING: usize = 256;
const OF_ONE: usize = 64;
/// How many that have agreed may wait to be served.
const WAITING: usize = 64;
/// How long to wait when the system gives no connection, for want of file descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the certificates are.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// A PEM certificate with its chain.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// PEM certificates of the authority of clients' certificates, which clients may do without.
    pub client_ca: Option<PathBuf>,
}

/// Connections of a listener, for tonic as a stream and for axum as a listener.
#[derive(Debug)]
pub struct TlsListener {
    agreed: mpsc::Receiver<TlsStream<TcpStream>>,
    address: SocketAddr,
}

impl TlsListener {
    /// Takes connections of `listener` until `shutdown`, and causes it if they can't be taken any more: whoever serves would wait for ever.
    ///
    /// # Errors
    /// If the certificates can't be read.
    pub fn new(files: TlsFiles, listener: TcpListener, shutdown: CancellationToken) -> Result<Self, ServeError> {
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let current = Current { changed: files.changed(), config: files.read()?, files };
        let (sender, agreed) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            // However it ends.
            let _end = shutdown.clone().drop_guard();
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = accept(listener, current, sender) => {
                    if !shutdown.is_cancelled() {
                        tracing::error!(%address, "no more connections are taken: ending");
                    }
                }
            }
        });
        Ok(Self { agreed, address })
    }
}

impl Stream for TlsListener {
    type Item = std::io::Result<TlsStream<TcpStream>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.agreed.poll_recv(cx).map(|next| next.map(Ok))
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.agreed.recv().await {
            Some(stream) => {
                let address = stream.get_ref().0.peer_addr().unwrap_or(self.address);
                (stream, address)
            }
            // Stopping, for whatever reason: whoever serves is told so too.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept(listener: TcpListener, mut current: Current, agreed: mpsc::Sender<TlsStream<TcpStream>>) {
    let (turns, sources) = (Arc::new(Semaphore::new(AGREEING)), Sources::default());
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let accepted = tokio::select! {
            // Nobody serves any more.
            () = agreed.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((connection, from)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(source) = sources.enter(from.ip()) else { continue };
        let acceptor = TlsAcceptor::from(current.latest());
        let agreed = agreed.clone();
        tokio::spawn(async move {
            let _turn = turn;
            let stream = tokio::time::timeout(HANDSHAKE, acceptor.accept(connection)).await;
            drop(source);
            // What fails here is the caller's to say.
            if let Ok(Ok(stream)) = stream {
                let _ = stream.get_ref().0.set_nodelay(true);
                let _ = agreed.send(stream).await;
            }
        });
    }
}

/// How many connections of an address are agreeing. Cheap to clone.
#[derive(Debug, Clone, Default)]
struct Sources(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One that does, until it is dropped.
#[derive(Debug)]
struct Source(Sources, IpAddr);

impl Sources {
    /// Counts one more, if it may be.
    fn enter(&self, address: IpAddr) -> Option<Source> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(address).or_default();
        if *count >= OF_ONE {
            return None;
        }
        *count += 1;
        Some(Source(self.clone(), address))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.1);
            }
        }
    }
}

impl TlsFiles {
    fn read(&self) -> Result<Arc<ServerConfig>, tls::TlsError> {
        tls::server_config_with(&self.certificate, &self.key, self.client_ca.as_deref(), true)
    }

    fn changed(&self) -> [Option<SystemTime>; 3] {
        let changed = |file: &Path| std::fs::metadata(file).and_then(|it| it.modified()).ok();
        [changed(&self.certificate), changed(&self.key), self.client_ca.as_deref().and_then(changed)]
    }
}

/// The certificates as last read.
struct Current {
    files: TlsFiles,
    changed: [Option<SystemTime>; 3],
    config: Arc<ServerConfig>,
}

impl Current {
    /// Those of the files, if they are others by now and good; a set that is half written stays out.
    fn latest(&mut self) -> Arc<ServerConfig> {
        let changed = self.files.changed();
        if changed != self.changed {
            match self.files.read() {
                Ok(config) => (self.config, self.changed) = (config, changed),
                Err(error) => tracing::warn!(error = %chain(&error), "keeping the certificates from before"),
            }
        }
        Arc::clone(&self.config)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio_stream::StreamExt;

    use super::*;

    #[test]
    fn connections_of_one_address_are_bounded_and_others_are_not_kept_out() {
        let sources = Sources::default();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut held: Vec<_> = (0..OF_ONE).map(|_| sources.enter(one).unwrap()).collect();
        assert!(sources.enter(one).is_none() && sources.enter(two).is_some());
        held.pop();
        held.push(sources.enter(one).unwrap());
        drop(held);
        assert!(sources.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_silent_are_closed_and_a_listener_that_is_left_ends_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let made = tls::self_signed(folder.path(), &["127.0.0.1".to_owned()]).unwrap();
        let files = TlsFiles { certificate: made.certificate, key: made.key, client_ca: None };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let mut connections = TlsListener::new(files, listener, shutdown.clone()).unwrap();
        let mut silent = Vec::new();
        for _ in 0..OF_ONE {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        // One too many is closed at once, the others when their time is over.
        let mut more = TcpStream::connect(address).await.unwrap();
        let before = tokio::time::Instant::now();
        assert!(matches!(more.read(&mut [0]).await, Ok(0) | Err(_)));
        assert!(before.elapsed() < HANDSHAKE);
        for mut it in silent {
            assert!(matches!(it.read(&mut [0]).await, Ok(0) | Err(_)));
        }
        assert!(before.elapsed() < HANDSHAKE * 3);
        assert!(tokio::time::timeout(PAUSE, connections.next()).await.is_err());
        assert!(!shutdown.is_cancelled());
        drop(connections);
        tokio::time::timeout(HANDSHAKE, shutdown.cancelled()).await.unwrap();
    }
}
