//! The web pages, out of the program itself.
//!
//! `npm run build` in `console/web` makes the files, and building the program puts them into it; a program that was built without them
//! serves a page that says so. Whoever opens the console has no token yet, so the pages stand before the gate: there is nothing in
//! them but what is in the repository. Everything else comes from the API.
//!
//! **Invariants.** What is served is what was there when the program was built: a path is a key among these files and never reaches a
//! file system, and is not even decoded. No page runs a script, applies a style or asks anybody that the policy of [`policy`] does not
//! name, so that what an event says can do nothing in a browser but be read.

mod file;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::auth::OidcConfig;
use file::{BROTLI, Coding, File, GZIP, Lasting};

/// The files as they were built, if they were.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Dist;

/// The page that is the whole application.
const INDEX: &str = "index.html";
/// What stands in its place where the pages are not built in.
const NOT_BUILT: &str = include_str!("pages/not_built.html");
/// Where the files are whose names change with what is in them.
const ASSETS: &str = "assets/";
/// The first parts of paths that are not pages.
const API: [&str; 2] = ["api", "kapis"];

const HEADERS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The pages, ready to be served.
#[derive(Debug)]
pub(crate) struct Pages {
    /// By their path under the root, without a slash before it.
    files: HashMap<String, File>,
    index: File,
    policy: HeaderValue,
}

impl Pages {
    /// Those that were built in, for a console where people sign in with this provider.
    pub(crate) fn built_in(oidc: Option<&OidcConfig>) -> Self {
        let bytes = |path: &str| {
            Dist::get(path).map(|file| match file.data {
                Cow::Borrowed(data) => Bytes::from_static(data),
                Cow::Owned(data) => Bytes::from(data),
            })
        };
        Self::of(Dist::iter().filter_map(|path| Some((path.to_string(), bytes(&path)?))), oidc)
    }

    /// These files. One that is another's name with `.br` or `.gz` behind it is the same, compressed.
    pub(crate) fn of(files: impl IntoIterator<Item = (String, Bytes)>, oidc: Option<&OidcConfig>) -> Self {
        let contents: HashMap<String, Bytes> = files.into_iter().collect();
        let of_another = |path: &str, it: Coding| it.is_of(path).is_some_and(|path| contents.contains_key(path));
        let mut files = HashMap::new();
        for (path, content) in &contents {
            if of_another(path, BROTLI) || of_another(path, GZIP) {
                continue;
            }
            let packed = |coding: Coding| contents.get(&format!("{path}{}", coding.extension)).cloned();
            let lasting = if path.starts_with(ASSETS) { Lasting::ForEver } else { Lasting::ToBeAsked };
            let file = File::new(path, content.clone(), lasting);
            let file = file.packed(BROTLI, packed(BROTLI)).packed(GZIP, packed(GZIP));
            files.insert(path.clone(), file);
        }
        let not_built = || File::new(INDEX, Bytes::from_static(NOT_BUILT.as_bytes()), Lasting::ToBeAsked);
        let index = files.get(INDEX).cloned().unwrap_or_else(not_built);
        Self { files, index, policy: policy(oidc) }
    }

    fn respond(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response {
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut response = if ![Method::GET, Method::HEAD].contains(method) {
            let told = [(ALLOW, "GET, HEAD"), (CACHE_CONTROL, "no-store")];
            (StatusCode::METHOD_NOT_ALLOWED, told, "pages can be read, and nothing else\n").into_response()
        } else if let Some(file) = self.files.get(path) {
            file.respond(headers)
        } else if path.is_empty() || (!path.starts_with(ASSETS) && is_browser(headers)) {
            // A place within the application, which finds its own way.
            self.index.respond(headers)
        } else {
            // Also for whoever probes the health of a service at the wrong port.
            (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], "there is nothing here\n").into_response()
        };
        for (name, value) in HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        response
    }
}

/// Answers what is not for the API.
pub(crate) async fn answer(State(pages): State<Arc<Pages>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let first = path.strip_prefix('/').and_then(|path| path.split('/').next());
    match first {
        Some(first) if API.contains(&first) => next.run(request).await,
        _ => pages.respond(request.method(), path, request.headers()),
    }
}

/// Whether whoever asks would show a page to a person.
fn is_browser(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().is_some_and(|it| it.trim() == "text/html"))
}

/// What pages may do: run and show what this console serves, and ask it and the provider.
fn policy(oidc: Option<&OidcConfig>) -> HeaderValue {
    let provider = oidc.and_then(|oidc| reqwest::Url::parse(&oidc.issuer).ok()).map(|url| url.origin());
    let provider = provider.map(|origin| format!(" {}", origin.ascii_serialization())).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'{provider}; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}
