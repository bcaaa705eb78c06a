//! Connections after TLS has been agreed on, by certificates that are read again when their files change.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures::Stream;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use vedette_service::{chain, tls};

use super::ServeError;

/// How long TLS may take to be agreed on.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many connections may be agreeing at once.
const AGREEING: usize = 256;
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
    /// Takes connections of `listener` until `shutdown`.
    ///
    /// # Errors
    /// If the certificates can't be read.
    pub fn new(files: TlsFiles, listener: TcpListener, shutdown: CancellationToken) -> Result<Self, ServeError> {
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let current = Current { changed: files.changed(), config: files.read()?, files };
        let (sender, agreed) = mpsc::channel(AGREEING);
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = accept(listener, current, sender) => {}
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
            // Stopping: whoever serves is told so too.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept(listener: TcpListener, mut current: Current, agreed: mpsc::Sender<TlsStream<TcpStream>>) {
    loop {
        let Ok(permit) = agreed.clone().reserve_owned().await else { return };
        let Ok((connection, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let acceptor = TlsAcceptor::from(current.latest());
        tokio::spawn(async move {
            // What fails here is the caller's to say.
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(connection)).await {
                let _ = stream.get_ref().0.set_nodelay(true);
                permit.send(stream);
            }
        });
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
