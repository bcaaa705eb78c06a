//! An operator for tests: a real server on a real socket that says what a test tells it, and a wire to it that can be cut.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_distribution_server::{RuleDistribution, RuleDistributionServer};
use vedette_proto::rules::v1::subscribe_request::Message;

/// Far more than anything here should take: a test that waits this long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Impatient, but no ping is late on a busy machine.
pub(crate) fn pace() -> super::Pace {
    super::Pace {
        answer: LIMIT,
        soon: Duration::from_millis(10),
        late: Duration::from_millis(200),
        first: LIMIT,
        ..super::Pace::default()
    }
}

/// What a subscriber said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// With its bearer token.
    Hello(proto::Hello, Option<String>),
    Applied(proto::Applied),
    Refused(proto::Refused),
}

/// A server that runs until it is dropped, and then is gone with all its connections.
pub(crate) struct Operator {
    pub(crate) address: SocketAddr,
    /// What it sends: at once to whoever has not got it, then each new one.
    pub(crate) snapshot: watch::Sender<Option<proto::Snapshot>>,
    /// The same of namespaces: the complete list, and the last change since.
    pub(crate) namespaces: watch::Sender<(Option<proto::NamespaceChanges>, Option<proto::NamespaceChanges>)>,
    heard: mpsc::UnboundedReceiver<Heard>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Clone)]
struct Script {
    snapshot: watch::Receiver<Option<proto::Snapshot>>,
    namespaces: watch::Receiver<(Option<proto::NamespaceChanges>, Option<proto::NamespaceChanges>)>,
    heard: mpsc::UnboundedSender<Heard>,
}

impl Operator {
    pub(crate) fn start(snapshot: Option<proto::Snapshot>) -> Self {
        Self::start_with(snapshot, None)
    }

    pub(crate) fn start_with(snapshot: Option<proto::Snapshot>, tls: Option<ServerTlsConfig>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let (snapshot, snapshots) = watch::channel(snapshot);
        let (namespaces, changes) = watch::channel((None, None));
        let (hearing, heard) = mpsc::unbounded_channel();
        let script = Script { snapshot: snapshots, namespaces: changes, heard: hearing };
        runtime.spawn(async move {
            let incoming = TcpListenerStream::new(TcpListener::from_std(socket).unwrap());
            let mut server = Server::builder();
            if let Some(tls) = tls {
                server = server.tls_config(tls).unwrap();
            }
            server.add_service(RuleDistributionServer::new(script)).serve_with_incoming(incoming).await.unwrap();
        });
        Self { address, snapshot, namespaces, heard, runtime: Some(runtime) }
    }

    /// What is heard next.
    pub(crate) async fn heard(&mut self) -> Heard {
        tokio::time::timeout(LIMIT, self.heard.recv()).await.expect("nothing was heard").unwrap()
    }

    /// The next answer, past greetings.
    pub(crate) async fn answer(&mut self) -> Heard {
        loop {
            match self.heard().await {
                Heard::Hello(..) => {}
                answer => return answer,
            }
        }
    }

    pub(crate) fn has_heard(&mut self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }

    pub(crate) fn send(&self, snapshot: proto::Snapshot) {
        self.snapshot.send_replace(Some(snapshot));
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl RuleDistribution for Script {
    type SubscribeStream = Answers<proto::Snapshot>;
    type WatchNamespacesStream = Answers<proto::NamespaceChanges>;

    async fn subscribe(
        &self,
        request: Request<Streaming<proto::SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let token = request.metadata().get("authorization").map(|token| token.to_str().unwrap().to_owned());
        let mut said = request.into_inner();
        let mut script = self.clone();
        let (sender, answers) = mpsc::channel(1);
        tokio::spawn(async move {
            let Some(Ok(proto::SubscribeRequest { message: Some(Message::Hello(hello)) })) = said.next().await else {
                panic!("no greeting")
            };
            let _ = script.heard.send(Heard::Hello(hello.clone(), token));
            let first = script.snapshot.borrow_and_update().clone();
            let mut next = first.filter(|it| (it.generation, &it.hash) != (hello.generation, &hello.hash));
            loop {
                if let Some(snapshot) = next {
                    if sender.send(Ok(snapshot)).await.is_err() {
                        return;
                    }
                    let heard = match said.next().await {
                        Some(Ok(proto::SubscribeRequest { message: Some(Message::Applied(it)) })) => Heard::Applied(it),
                        Some(Ok(proto::SubscribeRequest { message: Some(Message::Refused(it)) })) => Heard::Refused(it),
                        // It has gone.
                        _ => return,
                    };
                    let _ = script.heard.send(heard);
                }
                if script.snapshot.changed().await.is_err() {
                    return;
                }
                next = script.snapshot.borrow_and_update().clone();
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn watch_namespaces(
        &self,
        _: Request<proto::WatchNamespacesRequest>,
    ) -> Result<Response<Self::WatchNamespacesStream>, Status> {
        let mut script = self.clone();
        let (sender, answers) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut next = script.namespaces.borrow_and_update().0.clone();
            loop {
                if let Some(changes) = next.take()
                    && sender.send(Ok(changes)).await.is_err()
                {
                    return;
                }
                if script.namespaces.changed().await.is_err() {
                    return;
                }
                let (complete, change) = script.namespaces.borrow_and_update().clone();
                next = change.or(complete);
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

/// What is at a wire's other end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// Nobody: connections are closed, new ones at once.
    Nobody,
    /// Nobody who would say so: connections stay, and nothing goes through.
    Silence,
    Server(SocketAddr),
}

/// An address that stays while what is behind it changes.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    end: watch::Sender<End>,
    accepted: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    pub(crate) async fn to(end: End) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, receiver) = watch::channel(end);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(near, receiver.clone()));
            }
        });
        Self { address, end: sender, accepted, task }
    }

    pub(crate) fn lead(&self, end: End) {
        self.end.send_replace(end);
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.address.port())
    }

    /// Waits until somebody has tried once more, and failed: the next try has begun.
    pub(crate) async fn tried(&self) {
        let before = self.accepted.load(Ordering::SeqCst);
        until(|| self.accepted.load(Ordering::SeqCst) >= before + 2).await;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut near: TcpStream, mut end: watch::Receiver<End>) {
    let now = *end.borrow_and_update();
    match now {
        End::Nobody => {}
        End::Silence => {
            let _ = end.changed().await;
        }
        End::Server(address) => {
            let Ok(mut far) = TcpStream::connect(address).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = end.changed() => {
                    if *end.borrow_and_update() == End::Silence {
                        let _ = end.changed().await;
                    }
                }
            }
        }
    }
}

pub(crate) async fn until(check: impl Fn() -> bool) {
    let reached = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !check() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, reached).await.expect("it never came to be");
}

/// An authority and what it signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A server's side, for clients with a certificate of this authority alone.
    pub(crate) fn server(&self) -> ServerTlsConfig {
        let (certificate, key) = self.sign("localhost");
        let identity = Identity::from_pem(certificate, key);
        ServerTlsConfig::new().identity(identity).client_ca_root(Certificate::from_pem(&self.pem))
    }

    /// Writes `ca.crt`, `tls.crt` and `tls.key` for a client.
    pub(crate) fn write(&self, folder: &Path) -> [PathBuf; 3] {
        let (certificate, key) = self.sign("subscriber");
        let files = ["ca.crt", "tls.crt", "tls.key"].map(|name| folder.join(name));
        for (file, text) in files.iter().zip([&self.pem, &certificate, &key]) {
            std::fs::write(file, text).unwrap();
        }
        files
    }
}
