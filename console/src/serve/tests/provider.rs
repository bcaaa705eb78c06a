//! Whom pages may ask where people sign in with a provider: whoever its document names, and nobody that it smuggles in.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, ETAG};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::pages::{self, SCRIPT, built, oidc, policy, served};

/// Longer than what is known of a provider is not asked again.
const LATER: Duration = Duration::from_secs(6 * 60);

/// A provider that says this of where tokens are, and has no keys.
struct Provider {
    issuer: String,
    tokens: Arc<Mutex<Value>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Provider {
    async fn start(tokens: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let tokens = Arc::new(Mutex::new(tokens));
        let (said, name) = (Arc::clone(&tokens), issuer.clone());
        let document = async move || {
            let tokens = said.lock().unwrap().clone();
            Json(json!({ "issuer": name, "jwks_uri": format!("{name}/keys"), "token_endpoint": tokens }))
        };
        let app = axum::Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/keys", get(async || Json(json!({ "keys": [] }))));
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, tokens, task }
    }
}

async fn console(issuer: &str) -> axum::Router {
    served(built(), Some(oidc(issuer))).await
}

/// The policy of a page, and what it is told apart from others by.
async fn page(console: &axum::Router, path: &str) -> (String, String) {
    let (status, headers, _) = pages::get(console, path, &[]).await;
    assert_eq!(status, StatusCode::OK, "{path}");
    let text = |name| headers[name].to_str().unwrap().to_owned();
    (text(CONTENT_SECURITY_POLICY), text(ETAG))
}

#[tokio::test]
async fn pages_may_ask_where_the_provider_says_that_tokens_are() {
    let provider = Provider::start("https://oauth2.example.com/token".into()).await;
    let console = console(&provider.issuer).await;
    let expected = policy(&format!(" {} https://oauth2.example.com", provider.issuer));
    for path in ["/", "/index.html"] {
        assert_eq!(page(&console, path).await.0, expected, "{path}");
    }
    for path in [SCRIPT, "/favicon.svg"] {
        assert_eq!(page(&console, path).await.0, policy(""), "{path}: what is no page asks nobody");
    }
    let own = format!("{}/token", provider.issuer);
    *provider.tokens.lock().unwrap() = own.into();
    let again = self::console(&provider.issuer).await;
    assert_eq!(page(&again, "/").await.0, policy(&format!(" {}", provider.issuer)), "once is enough");
    provider.task.abort();
}

#[tokio::test]
async fn what_a_document_smuggles_in_is_not_in_the_policy() {
    let check = async |tokens: Value, more: &str| {
        let provider = Provider::start(tokens.clone()).await;
        let console = console(&provider.issuer).await;
        assert_eq!(page(&console, "/").await.0, policy(&format!(" {}{more}", provider.issuer)), "{tokens}");
        provider.task.abort();
    };
    check("https://a.example:8443/token".into(), " https://a.example:8443").await;
    check("http://127.0.0.1:8/token".into(), " http://127.0.0.1:8").await;
    for tokens in [
        Value::Null,
        json!(1),
        json!(["https://a.example/token"]),
        "https://a.example;script-src*/".into(),
        "https://*/token".into(),
        "https://a.example https://b.example/".into(),
        "https://a.example\r\nset-cookie: a=b".into(),
        "http://a.example/token".into(),
        "'unsafe-inline'".into(),
        "data:".into(),
        "*".into(),
    ] {
        check(tokens, "").await;
    }
}

#[tokio::test]
async fn pages_are_there_while_the_provider_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    let away = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for issuer in [silent, away] {
        let console = console(&issuer).await;
        let asked = Instant::now();
        assert_eq!(page(&console, "/").await.0, policy(&format!(" {issuer}")));
        assert!(asked.elapsed() < Duration::from_secs(5), "the page waits for {issuer}");
    }
}

#[tokio::test]
async fn a_page_follows_what_the_provider_says_later() {
    let provider = Provider::start("https://a.example/token".into()).await;
    let console = console(&provider.issuer).await;
    let later = async || {
        tokio::time::pause();
        tokio::time::advance(LATER).await;
        tokio::time::resume();
    };
    let expected = |tokens: &str| policy(&format!(" {}{tokens}", provider.issuer));
    let first = page(&console, "/").await;
    assert_eq!(first.0, expected(" https://a.example"));
    *provider.tokens.lock().unwrap() = "https://b.example/token".into();
    assert_eq!(page(&console, "/").await, first, "it is not asked for every page");
    later().await;
    // A browser that has the page with the old policy gets it with the new one.
    let (status, headers, body) = pages::get(&console, "/", &[("if-none-match", &first.1)]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "<!doctype html>"));
    assert_eq!(headers[CONTENT_SECURITY_POLICY], expected(" https://b.example").as_str());
    provider.task.abort();
    later().await;
    assert_eq!(page(&console, "/").await.0, expected(" https://b.example"), "what it said last");
}
