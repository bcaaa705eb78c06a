//! Who gets in, and what everybody else is told.

use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::Value;
use vedette_archive::Mode;
use vedette_console::{Config, Tls};
use vedette_service::tls;

use super::rig::{Rig, TOKEN};

async fn rig() -> (Rig, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = vedette_archive::Config::embedded(folder.path());
    let archive = vedette_archive::open(&config, Mode::Write).await.unwrap();
    (Rig::start(archive).await, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_without_the_token() {
    let (rig, _folder) = rig().await;
    let events = "/kapis/tenant.kubesphere.io/v1alpha2/auditing/events";
    for path in ["/api/v1/status", "/api/v1/me", events, "/api/v1/nothing", "/api/", "/api", "/kapis/nothing"] {
        for authorization in ["", "Bearer wrong-token-for-tests-alone", "Basic YTpi", TOKEN] {
            let request = rig.client.get(rig.url(path)).header("authorization", authorization);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} {authorization}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"vedette\"");
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["code"], 401);
        }
    }
    assert_eq!(rig.get(&format!("/api/v1/status?token={TOKEN}")).await.0, StatusCode::OK);
    let by_query = rig.client.get(rig.url(&format!("/api/v1/status?token={TOKEN}"))).send().await.unwrap();
    assert_eq!(by_query.status(), StatusCode::UNAUTHORIZED, "a token in a URL ends in logs: it is no way in");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_are_there_for_anybody() {
    let (rig, _folder) = rig().await;
    for path in ["/", "/events/0123", "/nothing", "/metrics"] {
        // As a browser asks: whoever would not show it is told that there is nothing.
        let visit = |request: reqwest::RequestBuilder| request.header("accept", "text/html,*/*;q=0.8").send();
        let answer = visit(rig.client.get(rig.url(path))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let tag = answer.headers()["etag"].clone();
        let length = answer.bytes().await.unwrap().len().to_string();
        let head = visit(rig.client.head(rig.url(path))).await.unwrap();
        assert_eq!(
            (head.status(), head.headers()["content-length"].to_str().unwrap()),
            (StatusCode::OK, length.as_str())
        );
        let again = visit(rig.client.get(rig.url(path)).header("if-none-match", tag)).await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(again.bytes().await.unwrap().is_empty());
    }
    let settings = rig.client.get(rig.url("/api/v1/settings")).send().await.unwrap();
    assert_eq!(settings.status(), StatusCode::OK);
    assert_eq!(settings.json::<Value>().await.unwrap()["oidc"], Value::Null);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_cannot_be_done_says_so() {
    let (rig, _folder) = rig().await;
    let check = async |method: Method, path: &str| {
        let answer = rig.client.request(method, rig.url(path)).bearer_auth(TOKEN).send().await.unwrap();
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], status);
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(headers.contains_key("content-security-policy"));
        status
    };
    assert_eq!(check(Method::GET, "/api/nothing").await, 404);
    assert_eq!(check(Method::GET, "/kapis/clusters//tenant.kubesphere.io/v1alpha2/auditing/events").await, 404);
    assert_eq!(check(Method::POST, "/api/v1/status").await, 405);
    let events = "/kapis/tenant.kubesphere.io/v1alpha2/auditing/events";
    assert_eq!(check(Method::DELETE, events).await, 405);
    assert_eq!(check(Method::GET, &format!("{events}?start_time=now")).await, 400);
    assert_eq!(check(Method::GET, &format!("{events}?from=10000")).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_it_speaks_tls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = tls::self_signed(&folder.path().join("tls"), &["127.0.0.1".to_owned()]).unwrap();
    let archive = vedette_archive::Config::embedded(folder.path().join("archive"));
    let archive = vedette_archive::open(&archive, Mode::Write).await.unwrap();
    let ca = Certificate::from_pem(&std::fs::read(&files.ca).unwrap()).unwrap();
    let client = Client::builder().add_root_certificate(ca).build().unwrap();
    let config = Config {
        token: Some(TOKEN.into()),
        tls: Some(Tls { cert: files.certificate, key: files.key }),
        ..Config::default()
    };
    let rig = Rig::start_with(archive, config, client).await;
    let get = |scheme: &str| {
        let url = format!("{scheme}://{}/api/v1/status", rig.address);
        rig.client.get(url).bearer_auth(TOKEN).send()
    };
    let answer = get("https").await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, reqwest::Version::HTTP_2));
    assert!(get("http").await.is_err());
    rig.stop().await;
}
