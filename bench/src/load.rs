//! A light sender of POSTs: bodies made beforehand, a few connections, one POST at a time on each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::sample::Post;

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Load {
    /// From the first byte sent to the last answer.
    pub(crate) seconds: f64,
    pub(crate) events: usize,
    /// From sending a POST to its answer, in milliseconds.
    pub(crate) latencies: Vec<f64>,
}

impl Load {
    /// Events a second.
    pub(crate) fn rate(&self) -> f64 {
        self.events as f64 / self.seconds
    }
}

/// A client of one connection that trusts any certificate.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .danger_accept_invalid_certs(true)
        .http1_only()
        .pool_max_idle_per_host(1)
        .tcp_nodelay(true)
        .timeout(Duration::from_secs(60))
        .build()
        .expect("a client can be made")
}

/// Sends all POSTs as fast as they are answered.
///
/// # Panics
/// If one is answered otherwise than 200: a gateway that sheds load has no rate.
pub(crate) fn send(runtime: &Runtime, url: &str, posts: Vec<Post>, connections: usize) -> Load {
    let events = posts.iter().map(|post| post.events).sum();
    let posts: Arc<[Post]> = posts.into();
    let next = Arc::new(AtomicUsize::new(0));
    let clients: Vec<reqwest::Client> = (0..connections).map(|_| client()).collect();
    runtime.block_on(async {
        // Connections are made before the clock starts, as a kube-apiserver keeps its own.
        for client in &clients {
            let _ = client.get(url).send().await.expect("the gateway answers").bytes().await;
        }
        let start = Instant::now();
        let lanes = clients.into_iter().map(|client| {
            let (posts, next, url) = (Arc::clone(&posts), Arc::clone(&next), url.to_owned());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while let Some(post) = posts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    post_one(&client, &url, post).await;
                    latencies.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                latencies
            })
        });
        let mut latencies = Vec::new();
        for lane in futures::future::join_all(lanes).await {
            latencies.extend(lane.expect("a sender ends well"));
        }
        Load { seconds: start.elapsed().as_secs_f64(), events, latencies }
    })
}

/// Sends POSTs at a fixed pace, whatever the answers take: `pause` between two of them. Calls `sending` with each POST at
/// the moment that it goes out.
pub(crate) fn send_paced(
    runtime: &Runtime,
    url: &str,
    posts: &[Post],
    pause: Duration,
    sending: &(dyn Fn(&Post) + Sync),
) {
    let client = client();
    runtime.block_on(async {
        let mut ticks = tokio::time::interval(pause);
        let mut sent = Vec::new();
        for post in posts {
            ticks.tick().await;
            sending(post);
            let (client, url, post) = (client.clone(), url.to_owned(), post.clone());
            sent.push(tokio::spawn(async move { post_one(&client, &url, &post).await }));
        }
        for answered in futures::future::join_all(sent).await {
            answered.expect("a sender ends well");
        }
    });
}

async fn post_one(client: &reqwest::Client, url: &str, post: &Post) {
    let request = client.post(url).header("content-type", "application/json").body(post.body.clone());
    let response = request.send().await.expect("the gateway answers");
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    assert!(status == reqwest::StatusCode::OK, "the gateway answered {status}: {text}");
}
