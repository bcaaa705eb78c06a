//! A sender of audit events that behaves as a kube-apiserver does: one POST for each list, the same body again when it
//! was not answered 200, to whichever ingest the Service gives it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two attempts; a kube-apiserver waits longer.
const PAUSE: Duration = Duration::from_millis(100);

/// Sends lists to several ingests in turn.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    client: reqwest::Client,
    bases: Vec<String>,
    next: Arc<AtomicUsize>,
    /// Lists that were answered 200.
    pub(crate) accepted: Arc<AtomicUsize>,
    /// Attempts that were not.
    pub(crate) refused: Arc<AtomicUsize>,
}

impl Sender {
    /// A sender to these ingests (`https://127.0.0.1:port`), whose certificates it does not check, as the seeds' kubeconfig
    /// has it.
    pub(crate) fn new(bases: Vec<String>) -> Self {
        Self {
            client: insecure_client(),
            bases,
            next: Arc::default(),
            accepted: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// Sends one list until it is answered 200.
    ///
    /// # Panics
    /// If it is answered something that another attempt cannot better, or not taken before `end`.
    pub(crate) async fn deliver(&self, path: &str, body: &str, end: Instant) {
        loop {
            let base = &self.bases[self.next.fetch_add(1, Ordering::Relaxed) % self.bases.len()];
            let request = self.client.post(format!("{base}{path}")).header("content-type", "application/json");
            let answer = request.body(body.to_owned()).send().await;
            match answer {
                Ok(answer) if answer.status() == 200 => {
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Ok(answer) if answer.status().is_client_error() && answer.status() != 429 => {
                    panic!(
                        "ingest refused a good list: {} {}",
                        answer.status(),
                        answer.text().await.unwrap_or_default()
                    );
                }
                // Away, overloaded or killed: again.
                Ok(_) | Err(_) => self.refused.fetch_add(1, Ordering::Relaxed),
            };
            assert!(Instant::now() < end, "no ingest took a list in time");
            sleep(PAUSE).await;
        }
    }
}

/// A client that takes any certificate.
pub(crate) fn insecure_client() -> reqwest::Client {
    // A second call finds it installed: that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .danger_accept_invalid_certs(true)
        .timeout(Duration::from_secs(10))
        .no_proxy()
        .build()
        .unwrap()
}
