//! The pages, and what is told to whoever is not known yet.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Endless, console};
use crate::OidcConfig;
use crate::config::Config;
use crate::pages::Pages;

pub(super) const SCRIPT: &str = "/assets/index-B1x2.js";

/// What a build makes.
pub(super) fn built() -> Vec<(&'static str, &'static str)> {
    vec![
        ("index.html", "<!doctype html>"),
        ("index.html.gz", "index, gzip"),
        ("favicon.svg", "<svg/>"),
        ("manifest.webmanifest", "{}"),
        ("assets/index-B1x2.js", "script"),
        ("assets/index-B1x2.js.br", "script, br"),
        ("assets/index-B1x2.js.gz", "script, gzip"),
        ("assets/index-C3d4.css", "style"),
        ("assets/font-E5f6.woff2", "font"),
    ]
}

pub(super) async fn served(files: Vec<(&'static str, &'static str)>, oidc: Option<OidcConfig>) -> axum::Router {
    let pages = Pages::of(files.into_iter().map(|(path, content)| (path.to_owned(), content.into())));
    let mut config = Config { token: Some("correct-horse-battery".into()), ..Config::default() };
    config.auth.oidc = oidc;
    console(Arc::new(Endless { pages: 0.into() }), config, pages).await
}

pub(super) fn oidc(issuer: &str) -> OidcConfig {
    serde_json::from_value(json!({ "issuer": issuer, "clientId": "vedette" })).unwrap()
}

async fn ask(
    console: &axum::Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, String) {
    let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
    let request = request.method(method).uri(path).body(Body::empty()).unwrap();
    let answer = console.clone().oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

/// What pages may do that ask these besides the console.
pub(super) fn policy(asked: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'{asked}; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// What a browser asks for when somebody goes to an address.
const VISIT: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

pub(super) async fn get(
    console: &axum::Router,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, String) {
    ask(console, Method::GET, path, headers).await
}

#[tokio::test]
async fn the_application_is_at_every_path_that_is_no_file() {
    let console = served(built(), None).await;
    for path in
        ["/", "/index.html", "/events/0123", "/rules?q=a", "/signed-in?code=1", "/apis", "/API/v1/me", "//api/v1/me"]
    {
        let (status, headers, body) = get(&console, path, &[VISIT]).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "<!doctype html>"), "{path}");
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-cache", "{path}");
    }
    // Nobody who probes a service's health takes the application for the answer.
    for path in ["/healthz", "/metrics", "/events/0123"] {
        for accepted in [&[][..], &[("accept", "*/*")], &[("accept", "application/json, text/plain")]] {
            assert_eq!(get(&console, path, accepted).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
    assert_eq!(get(&console, "/", &[("accept", "*/*")]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn files_have_their_type_and_last_as_long_as_their_name() {
    let console = served(built(), None).await;
    let check = async |path: &str, content_type: &str, lasting: &str| {
        let (status, headers, _) = get(&console, path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!((text(&headers, "content-type"), text(&headers, "cache-control")), (content_type, lasting));
        assert_eq!(headers["vary"], "accept-encoding");
    };
    let for_ever = "public, max-age=31536000, immutable";
    check(SCRIPT, "text/javascript; charset=utf-8", for_ever).await;
    check("/assets/index-C3d4.css", "text/css; charset=utf-8", for_ever).await;
    check("/assets/font-E5f6.woff2", "font/woff2", for_ever).await;
    check("/favicon.svg", "image/svg+xml", "no-cache").await;
    check("/manifest.webmanifest", "application/manifest+json", "no-cache").await;
}

#[tokio::test]
async fn a_file_comes_in_the_best_encoding_that_is_taken() {
    let console = served(built(), None).await;
    let check = async |path: &str, accepted: &str, coding: Option<&str>, expected: &str| {
        let (_, headers, body) = get(&console, path, &[("accept-encoding", accepted)]).await;
        let found = headers.get("content-encoding").map(|it| it.to_str().unwrap());
        assert_eq!((found, body.as_str()), (coding, expected), "{path} {accepted}");
    };
    check(SCRIPT, "gzip, deflate, br, zstd", Some("br"), "script, br").await;
    check(SCRIPT, "gzip", Some("gzip"), "script, gzip").await;
    check(SCRIPT, "GZIP;q=1.0, br; q=0.5", Some("gzip"), "script, gzip").await;
    check(SCRIPT, "br;q=0, gzip;q=0", None, "script").await;
    check(SCRIPT, "br;q=0, *", Some("gzip"), "script, gzip").await;
    check(SCRIPT, "*;q=0", None, "script").await;
    check(SCRIPT, "", None, "script").await;
    check(SCRIPT, "br;q=NaN, gzip;q=, ;;,", None, "script").await;
    check("/", "br, gzip", Some("gzip"), "index, gzip").await;
    check("/favicon.svg", "br, gzip", None, "<svg/>").await;
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let console = served(built(), None).await;
    let mut tags = HashSet::new();
    for (path, accepted) in [("/", "gzip"), ("/", ""), (SCRIPT, "br"), (SCRIPT, "gzip"), ("/favicon.svg", "br")] {
        let (_, headers, _) = get(&console, path, &[("accept-encoding", accepted)]).await;
        let tag = text(&headers, "etag");
        assert!(tags.insert(tag.to_owned()), "{path} {accepted}: each encoding has its own");
        for known in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let asked = [("accept-encoding", accepted), ("if-none-match", known.as_str())];
            let (status, headers, body) = get(&console, path, &asked).await;
            assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path} {known}");
            assert_eq!(headers["etag"], tag);
            assert!(headers.contains_key("cache-control") && headers.contains_key("content-security-policy"));
        }
        let (status, ..) = get(&console, path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(status, StatusCode::OK);
    }
    let rebuilt = served(vec![("index.html", "<!doctype html><title>new</title>")], None).await;
    let (_, headers, _) = get(&rebuilt, "/", &[]).await;
    assert!(!tags.contains(text(&headers, "etag")));
}

#[tokio::test]
async fn pages_are_read_and_nothing_else() {
    let console = served(built(), None).await;
    for path in ["/", SCRIPT, "/events/1", "/assets/nothing"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH, Method::TRACE] {
            let (status, headers, _) = ask(&console, method, path, &[]).await;
            assert_eq!((status, text(&headers, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"), "{path}");
            assert!(headers.contains_key("content-security-policy"));
        }
        let asked = [("accept-encoding", "br"), VISIT];
        let (status, got, body) = get(&console, path, &asked).await;
        let (of_head, headers, nothing) = ask(&console, Method::HEAD, path, &asked).await;
        assert_eq!((of_head, nothing.as_str()), (status, ""));
        assert_eq!(text(&headers, "content-length"), body.len().to_string());
        assert_eq!(headers, got, "{path}");
    }
}

#[tokio::test]
async fn pages_may_do_nothing_but_ask_the_console() {
    let console = served(built(), None).await;
    for path in ["/", SCRIPT, "/favicon.svg", "/assets/nothing"] {
        let (_, headers, _) = get(&console, path, &[]).await;
        assert_eq!(headers["content-security-policy"], policy(""), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
    }
}

/// And what was built into this very program, if anything, is an application.
#[tokio::test]
async fn without_a_build_a_page_says_so() {
    let console = served(Vec::new(), None).await;
    for path in ["/", "/events/0123", "/favicon.svg"] {
        let (status, headers, body) = get(&console, path, &[VISIT]).await;
        assert_eq!((status, text(&headers, "content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
        for told in ["not built into", "未包含", "make up", "npm ci &amp;&amp; npm run build", "/api/v1"] {
            assert!(body.contains(told), "{told}");
        }
        for refused in ["<script", "<style", " style=", " on", "src=", "<link"] {
            let markup =
                body.split('>').filter_map(|it| it.split_once('<')).any(|(_, tag)| format!("<{tag}").contains(refused));
            assert!(!markup, "the policy refuses {refused}");
        }
        assert_eq!(headers["cache-control"], "no-cache");
    }
    assert_eq!(get(&console, SCRIPT, &[]).await.0, StatusCode::NOT_FOUND);

    let config = Config { token: Some("correct-horse-battery".into()), ..Config::default() };
    let archive = Arc::new(Endless { pages: 0.into() });
    let console = super::console(archive, config, Pages::built_in()).await;
    let (status, _, body) = get(&console, "/", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.to_ascii_lowercase().starts_with("<!doctype html>"));
}

#[tokio::test]
async fn a_path_is_a_name_among_the_files() {
    let console = served(built(), None).await;
    for path in [
        "/assets/",
        "/assets/nothing",
        "/assets/../../../../etc/passwd",
        "/assets/../index.html",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/index-B1x2.js%00",
        "/assets/index-B1x2.js%00.css",
        "/assets//index-B1x2.js",
        "/assets/./index-B1x2.js",
        "/assets/%69ndex-B1x2.js",
        "/assets/index-B1x2.js/",
        "/assets/index-B1x2.js.br",
        "/assets/index-B1x2.js.gz",
        "/assets/\\..\\..\\index.html",
    ] {
        let (status, headers, body) = get(&console, path, &[]).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, "there is nothing here\n"), "{path}");
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    }
    for path in ["/../../etc/passwd", "/%2e%2e/etc/passwd", "/%00", "/index.html.gz", "/.%2fapi/v1/me", "/%61pi/v1/me"]
    {
        assert_eq!(get(&console, path, &[VISIT]).await.2, "<!doctype html>", "{path}");
    }
}

/// Whatever is asked for and however: a file, or that there is none, and never anything of the API.
#[test]
fn any_path_gives_what_was_built_or_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let console = runtime.block_on(served(built(), None));
    let segment = r"[!$-.0-;=@-Z_a-z~]{0,8}|\.\.|assets|index-B1x2\.js|api|%2f|%00";
    let paths = proptest::collection::vec(segment, 0..5).prop_map(|parts| format!("/{}", parts.join("/")));
    let asked = (paths, "[ -~]{0,20}", "[ -~]{0,20}");
    let mut runner = TestRunner::new(Cases { cases: 2_000, failure_persistence: None, ..Cases::default() });
    let tried = runner.run(&asked, |(path, accepted, known)| {
        let headers = [("accept-encoding", accepted.as_str()), ("if-none-match", known.as_str()), VISIT];
        let (status, headers, body) = runtime.block_on(get(&console, &path, &headers));
        if path.split('/').nth(1).is_some_and(|first| first == "api") {
            prop_assert_eq!(status, StatusCode::UNAUTHORIZED);
        } else if known.split(',').any(|it| it.trim() == "*") && status == StatusCode::NOT_MODIFIED {
            prop_assert_eq!(body, "");
        } else {
            let one_of_these = built().iter().any(|(_, content)| *content == body);
            prop_assert_eq!(status, if one_of_these { StatusCode::OK } else { StatusCode::NOT_FOUND });
            prop_assert_eq!(one_of_these, body != "there is nothing here\n");
            prop_assert!(headers.contains_key("content-security-policy"));
        }
        Ok(())
    });
    tried.unwrap();
}

#[tokio::test]
async fn anybody_is_told_how_to_sign_in_and_nothing_else() {
    let settings = async |console: &axum::Router| {
        let (status, headers, body) = get(console, "/api/v1/settings", &[]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(headers["cache-control"], "no-store");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let plain = served(Vec::new(), None).await;
    assert_eq!(settings(&plain).await, json!({ "version": env!("CARGO_PKG_VERSION"), "rules": false }));
    let mut provider = oidc("https://id.example.com");
    let console = served(Vec::new(), Some(provider.clone())).await;
    let told = |scopes: Value| json!({ "issuer": "https://id.example.com", "clientId": "vedette", "scopes": scopes });
    assert_eq!(settings(&console).await["oidc"], told(json!(["openid", "profile", "email"])));
    provider.scopes = vec!["openid".to_owned(), "groups".to_owned()];
    let console = served(Vec::new(), Some(provider)).await;
    assert_eq!(settings(&console).await["oidc"], told(json!(["openid", "groups"])));

    let (status, _, body) = get(&console, "/api/v1/settings?a=b", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["parameter"], "a");
    let (status, headers, body) = ask(&console, Method::POST, "/api/v1/settings", &[]).await;
    assert_eq!((status, text(&headers, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["code"], 405);
    for path in
        ["/api/v1/settings/", "/api/v1/Settings", "/api/v1/settings/me", "/api/v1/status", "/api/v1/openapi.json"]
    {
        assert_eq!(get(&console, path, &[]).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn who_asks_is_told_how_they_became_known() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.csv");
    std::fs::write(&tokens, "a-token-of-the-file,ann,1,system:masters\n").unwrap();
    let mut config = Config { token: Some("correct-horse-battery".into()), ..Config::default() };
    config.auth.tokens_file = Some(tokens);
    let console = super::console(Arc::new(Endless { pages: 0.into() }), config, Pages::of([])).await;
    let known =
        [("correct-horse-battery", "vedette:administrator", "token"), ("a-token-of-the-file", "ann", "tokensFile")];
    for (token, name, via) in known {
        let authorization = format!("Bearer {token}");
        let (_, _, body) = get(&console, "/api/v1/me", &[("authorization", &authorization)]).await;
        let expected = json!({ "name": name, "everything": true, "via": via });
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    }
}
