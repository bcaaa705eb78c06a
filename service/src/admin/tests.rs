use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

/// A request over a plain socket: the status line and everything after it.
async fn get_page(address: SocketAddr, path: &'static str) -> (u16, String) {
    tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn the_side_door_tells_life_readiness_and_metrics() {
    let stop = CancellationToken::new();
    let context = Context::new("test", prometheus::Registry::new(), stop.clone());
    let broker = context.health.component("broker");
    let config = AdminConfig { listen: Some("127.0.0.1:0".parse().unwrap()) };
    let server = serve(&config, std::slice::from_ref(&context), stop.clone()).await.unwrap().unwrap();

    assert_eq!(get_page(server.address(), "/healthz").await.0, 200);
    let (status, page) = get_page(server.address(), "/readyz").await;
    assert_eq!(status, 503);
    assert!(page.contains(r#"{"name":"broker","ready":false,"reason":"starting"}"#), "{page}");
    broker.ready();
    let (status, page) = get_page(server.address(), "/readyz").await;
    assert_eq!(status, 200);
    assert!(page.contains(r#"{"ready":true,"services":[{"name":"test","ready":true,"#), "{page}");

    context.counter("seen_total", "Seen.").unwrap().inc();
    let (status, page) = get_page(server.address(), "/metrics").await;
    assert_eq!(status, 200);
    assert!(page.contains("vedette_test_seen_total 1") && page.contains("process_resident_memory_bytes"), "{page}");
    assert_eq!(get_page(server.address(), "/").await.0, 404);

    let address = server.address();
    stop.cancel();
    tokio::time::timeout(std::time::Duration::from_secs(10), server.stopped()).await.unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let stop = CancellationToken::new();
    let context = Context::new("test", prometheus::Registry::new(), stop.clone());
    let error = serve(&AdminConfig { listen: Some(address) }, &[context], stop).await.unwrap_err();
    assert_eq!(error.to_string(), format!("listen on {address} for the administrator"));
}

#[tokio::test]
async fn without_an_address_nothing_listens() {
    let stop = CancellationToken::new();
    let context = Context::new("test", prometheus::Registry::new(), stop.clone());
    assert!(serve(&AdminConfig::default(), &[context], stop).await.unwrap().is_none());
}
