//! A small HTTP receiver that does as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::mpsc;
use vedette_rules::{Receiver, ReceiverKind};
use vedette_service::tls;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the receiver does with a POST.
pub(crate) enum Reply {
    Status(u16),
    /// Keeps the connection and never answers.
    Hang,
}

type Script = Box<dyn FnMut(&Value) -> Reply + Send>;

/// The receiver.
pub(crate) struct Hook {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    posts: mpsc::UnboundedReceiver<(u16, Value)>,
    handle: axum_server::Handle<SocketAddr>,
    ca: Option<Vec<u8>>,
    _files: tempfile::TempDir,
}

#[derive(Clone)]
struct Desk {
    script: Arc<Mutex<Script>>,
    posts: mpsc::UnboundedSender<(u16, Value)>,
}

impl Hook {
    /// One that takes everything.
    pub(crate) async fn start() -> Self {
        Self::start_with(false).await
    }

    /// One that speaks TLS with a certificate of its own authority.
    pub(crate) async fn start_tls() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(with_tls: bool) -> Self {
        let files = tempfile::tempdir().unwrap();
        let script: Script = Box::new(|_| Reply::Status(200));
        let script = Arc::new(Mutex::new(script));
        let (sender, posts) = mpsc::unbounded_channel();
        let app = Router::new().fallback(take).with_state(Desk { script: Arc::clone(&script), posts: sender });
        let handle = axum_server::Handle::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut ca = None;
        if with_tls {
            let made = tls::self_signed(files.path(), &["127.0.0.1".to_owned()]).unwrap();
            ca = Some(std::fs::read(&made.ca).unwrap());
            let config = tls::server_config(&made.certificate, &made.key, None).unwrap();
            let config = axum_server::tls_rustls::RustlsConfig::from_config(config);
            let server = axum_server::from_tcp_rustls(listener, config).unwrap().handle(handle.clone());
            tokio::spawn(server.serve(app.into_make_service()));
        } else {
            let server = axum_server::from_tcp(listener).unwrap().handle(handle.clone());
            tokio::spawn(server.serve(app.into_make_service()));
        }
        Self { address, script, posts, handle, ca, _files: files }
    }

    /// Changes what it does from now on.
    pub(crate) fn script(&self, script: impl FnMut(&Value) -> Reply + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// It as a webhook receiver of this name.
    pub(crate) fn receiver(&self, name: &str) -> Receiver {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/hook", self.address);
        Receiver { name: name.to_owned(), kind: ReceiverKind::Webhook, url, ca_bundle: self.ca.clone() }
    }

    /// The next POST: the status that it got (0: none), and its body.
    pub(crate) async fn next(&mut self) -> (u16, Value) {
        tokio::time::timeout(PATIENCE, self.posts.recv()).await.expect("a POST in time").expect("the server lives")
    }

    /// The names of the objects of the next `count` alerts that it took.
    pub(crate) async fn taken(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            if let (200, body) = self.next().await {
                names.extend(names_of(&body));
            }
        }
        names.sort();
        names
    }

    /// The names in the POSTs that have come and were not looked at yet.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.posts.try_recv().ok()).flat_map(|(_, body)| names_of(&body)).collect()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// The label `name` of each alert in a webhook's body.
pub(crate) fn names_of(body: &Value) -> Vec<String> {
    let alerts = body["alerts"].as_array().expect("a webhook's body");
    alerts.iter().map(|alert| alert["labels"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn take(State(desk): State<Desk>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let reply = (desk.script.lock().unwrap())(&body);
    match reply {
        Reply::Status(code) => {
            let _ = desk.posts.send((code, body));
            (StatusCode::from_u16(code).unwrap(), "says the receiver").into_response()
        }
        Reply::Hang => {
            let _ = desk.posts.send((0, body));
            std::future::pending().await
        }
    }
}
