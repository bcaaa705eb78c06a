//! Engines that are away, hang, or refuse: what the client is told, and what it is not.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use reqwest::Client;
use tokio::net::TcpListener;
use vedette_archive::Mode;
use vedette_console::{Config, Limits};

use super::rig::{Rig, TOKEN};

const EVENTS: &str = "/kapis/tenant.kubesphere.io/v1alpha2/auditing/events";
const SECRET: &str = "the-engines-own-words";

/// A console whose archive is a search engine at this address.
async fn rig(engine: SocketAddr, limits: Limits) -> Rig {
    vedette_service::tls::install_provider();
    let mut archive = vedette_archive::Config::search(format!("http://{engine}"));
    // Longer than the console's own time in the test of an engine that hangs, which opening waits for too.
    archive.search.timeout_seconds = 3;
    let archive = vedette_archive::open(&archive, Mode::Read).await.unwrap();
    let config = Config { token: Some(TOKEN.into()), limits, ..Config::default() };
    Rig::start_with(archive, config, Client::new()).await
}

/// Asks each operation and compares the status; the engine's words and address must not show.
async fn check(engine: SocketAddr, limits: Limits, expected: u16) {
    let rig = rig(engine, limits).await;
    for operation in ["query", "statistics", "histogram", "export"] {
        let (status, text) = rig.get(&format!("{EVENTS}?operation={operation}")).await;
        assert_eq!(status, expected, "{operation}: {text}");
        assert!(!text.contains(SECRET) && !text.contains(&engine.port().to_string()), "{text}");
    }
    let status = rig.json("/api/v1/status").await;
    assert_eq!(status["archive"]["ready"], false);
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_away_is_503() {
    let (listener, address) = listener().await;
    drop(listener);
    check(address, Limits::default(), 503).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_refuses_is_502() {
    let (listener, address) = listener().await;
    let app = Router::new()
        .route("/", get(async || r#"{"version":{"number":"7.17.29"}}"#))
        .fallback(async || (StatusCode::BAD_REQUEST, format!(r#"{{"error":"{SECRET}"}}"#)));
    let engine = tokio::spawn(async move { axum::serve(listener, app).await });
    check(address, Limits::default(), 502).await;
    engine.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_is_504_and_keeps_its_place_no_longer() {
    // Connections are taken by the kernel, and nobody reads them.
    let (_listener, address) = listener().await;
    let limits = Limits { timeout_seconds: 1, concurrent: 1 };
    let rig = rig(address, limits).await;
    let first = rig.get(EVENTS);
    let second = rig.get(EVENTS);
    let (first, second) =
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(first, second) }).await.unwrap();
    let mut both = [first.0.as_u16(), second.0.as_u16()];
    both.sort();
    assert!(
        both == [503, 504] || both == [504, 504],
        "the second waited for a place in vain, or got it late: {both:?}"
    );
    assert_eq!(rig.get(EVENTS).await.0, 504, "there is a place again");
}
