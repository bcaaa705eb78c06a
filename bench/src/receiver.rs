//! A receiver of alerts that does nothing but count them.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use tokio::runtime::Runtime;

/// What stands once in each alert of Alertmanager's API.
const MARK: &[u8] = br#""startsAt""#;
const AUDIT_ID: &[u8] = br#""auditID":""#;

/// A server on 127.0.0.1 that takes alerts as Alertmanager does.
#[derive(Debug)]
pub(crate) struct Receiver {
    url: String,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    alerts: AtomicU64,
    keep: AtomicBool,
    kept: Mutex<Vec<Bytes>>,
    /// When each request's alert came first, by its audit id.
    arrivals: Mutex<HashMap<String, Instant>>,
}

impl Receiver {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let seen = Arc::new(Seen::default());
        let router = Router::new().fallback(take).with_state(Arc::clone(&seen));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .expect("a port of 127.0.0.1 is free");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        // It ends with the runtime.
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Alerts taken so far.
    pub(crate) fn alerts(&self) -> u64 {
        self.seen.alerts.load(Ordering::Relaxed)
    }

    /// From now on, whether bodies and times of arrival are kept.
    pub(crate) fn keep(&self, keep: bool) {
        self.seen.keep.store(keep, Ordering::Relaxed);
    }

    /// The bodies kept so far.
    pub(crate) fn kept(&self) -> Vec<Bytes> {
        self.seen.kept.lock().expect("no holder of this lock panics").clone()
    }

    /// When alerts came, by audit id, of those kept.
    pub(crate) fn arrivals(&self) -> HashMap<String, Instant> {
        self.seen.arrivals.lock().expect("no holder of this lock panics").clone()
    }
}

async fn take(State(seen): State<Arc<Seen>>, body: Bytes) -> StatusCode {
    let now = Instant::now();
    seen.alerts.fetch_add(memchr::memmem::find_iter(&body, MARK).count() as u64, Ordering::Relaxed);
    if seen.keep.load(Ordering::Relaxed) {
        let mut arrivals = seen.arrivals.lock().expect("no holder of this lock panics");
        for at in memchr::memmem::find_iter(&body, AUDIT_ID) {
            let id = &body[at + AUDIT_ID.len()..];
            let length = memchr::memchr(b'"', id).unwrap_or(id.len());
            arrivals.entry(String::from_utf8_lossy(&id[..length]).into_owned()).or_insert(now);
        }
        drop(arrivals);
        seen.kept.lock().expect("no holder of this lock panics").push(body);
    }
    StatusCode::OK
}
