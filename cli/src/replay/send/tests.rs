use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::HeaderValue;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::{Retry, Sender};

/// Answers each request with the next of `answers` and remembers what was asked.
async fn server(answers: Vec<&'static str>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let requests = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        let mut connection = 0;
        while let Ok((stream, _)) = listener.accept().await {
            connection += 1;
            let mut stream = BufReader::new(stream);
            while let Some(mut request) = read_request(&mut stream).await {
                request.push_str(&format!("\nconnection {connection}"));
                requests.lock().unwrap().push(request);
                let Some(answer) = answers.next() else { return };
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (format!("http://{address}/audit/webhook/event?token=dropped"), asked)
}

async fn read_request(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<String> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    Some(head + &String::from_utf8(body).unwrap())
}

fn sender(url: &str, attempts: u32) -> Sender {
    let http = crate::http::client("vedette-replay", crate::http::Trust::System).unwrap();
    let authorization = Some(HeaderValue::from_static("Bearer secret"));
    Sender::new(http, url.parse().unwrap(), authorization, Retry { attempts, backoff: Duration::from_millis(20) })
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const BAD: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 24\r\n\r\n{\"message\":\"no\\n list\"}\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nfull";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 6\r\n\r\nbroken";

#[tokio::test]
async fn posts_as_a_kube_apiserver_does() {
    let (url, asked) = server(vec![OK, OK]).await;
    let sender = sender(&url, 5);
    for _ in 0..2 {
        let delivery = sender.send(Bytes::from_static(b"{\"items\":[]}")).await;
        assert_eq!((delivery.retries, delivery.result), (0, Ok(())));
    }
    let asked = asked.lock().unwrap().clone();
    let first = asked[0].to_lowercase();
    assert!(first.starts_with("post /audit/webhook/event?timeout=30s http/1.1\r\n"), "{first}");
    assert!(first.contains("user-agent: vedette-replay/"), "{first}");
    assert!(first.contains("content-type: application/json\r\n"), "{first}");
    assert!(first.contains("authorization: bearer secret\r\n"), "{first}");
    assert!(first.contains("\r\n\r\n{\"items\":[]}"), "{first}");
    assert!(asked[1].ends_with("connection 1"), "the connection is used again: {}", asked[1]);
}

#[tokio::test]
async fn tries_again_after_any_error_and_gives_up_at_the_last_attempt() {
    let (url, asked) = server(vec![BAD, BROKEN, OK]).await;
    let delivery = sender(&url, 5).send(Bytes::from_static(b"{}")).await;
    assert_eq!((delivery.retries, delivery.result), (2, Ok(())));
    assert_eq!(asked.lock().unwrap().len(), 3);

    let (url, asked) = server(vec![BROKEN, BAD, OK]).await;
    let started = Instant::now();
    let delivery = sender(&url, 2).send(Bytes::from_static(b"{}")).await;
    let refusal = delivery.result.unwrap_err();
    assert_eq!((refusal.status, refusal.detail.as_str()), (Some(400), "no list"));
    assert_eq!(asked.lock().unwrap().len(), 2);
    assert!(started.elapsed() >= Duration::from_millis(20), "it waits between attempts");
}

#[tokio::test]
async fn obeys_retry_after_within_an_attempt() {
    let (url, asked) = server(vec![BUSY, OK]).await;
    let started = Instant::now();
    let delivery = sender(&url, 1).send(Bytes::from_static(b"{}")).await;
    assert_eq!((delivery.retries, delivery.result), (1, Ok(())));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn says_why_there_was_no_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let refusal = sender(&url, 1).send(Bytes::new()).await.result.unwrap_err();
    assert_eq!(refusal.status, None);
    assert!(refusal.detail.to_lowercase().contains("connection refused"), "{}", refusal.detail);
}
