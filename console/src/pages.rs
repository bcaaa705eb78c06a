//! The web pages, out of the program itself.
//!
//! `npm run build` in `console/web` makes the files, and building the program puts them into it; a program that was built without them
//! serves a page that says so. Whoever opens the console has no token yet, so the pages stand before the gate: there is nothing in
//! them but what is in the repository. Everything else comes from the API.
//!
//! **Invariants.** What is served is what was there when the program was built: a path is a key among these files and never reaches a
//! file system, and is not even decoded. No page runs a script, applies a style or asks anybody that the policy of [`policy`] does not
//! name, so that what an event says can do nothing in a browser but be read. A page and its policy are one: a browser that has it with
//! another policy has another page.

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

use crate::auth::Origin;
use crate::serve::Shared;
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
}

impl Pages {
    /// Those that were built in.
    pub(crate) fn built_in() -> Self {
        let bytes = |path: &str| {
            Dist::get(path).map(|file| match file.data {
                Cow::Borrowed(data) => Bytes::from_static(data),
                Cow::Owned(data) => Bytes::from(data),
            })
        };
        Self::of(Dist::iter().filter_map(|path| Some((path.to_string(), bytes(&path)?))))
    }

    /// These files. One that is another's name with `.br` or `.gz` behind it is the same, compressed.
    pub(crate) fn of(files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
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
        Self { files, index }
    }

    /// The file that this path means to whoever asks.
    fn find(&self, path: &str, headers: &HeaderMap) -> Option<&File> {
        // A place within the application, which finds its own way. Anything else is nothing, also for whoever probes the health of a service
        // at the wrong port.
        let within = || path.is_empty() || (!path.starts_with(ASSETS) && is_browser(headers));
        self.files.get(path).or_else(|| within().then_some(&self.index))
    }
}

/// Answers what is not for the API.
pub(crate) async fn answer(
    State((pages, shared)): State<(Arc<Pages>, Arc<Shared>)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.split('/').next().is_some_and(|first| API.contains(&first)) {
        return next.run(request).await;
    }
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let found = pages.find(path, request.headers());
    let (request, _) = request.into_parts();
    let asked = match found {
        Some(file) if is_read && file.is_page() => shared.access.asked_by_pages().await,
        _ => Vec::new(),
    };
    let policy = policy(&asked);
    let mut response = match found {
        _ if !is_read => {
            let told = [(ALLOW, "GET, HEAD"), (CACHE_CONTROL, "no-store")];
            (StatusCode::METHOD_NOT_ALLOWED, told, "pages can be read, and nothing else\n").into_response()
        }
        Some(file) => file.respond(&request.headers, &policy),
        None => (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], "there is nothing here\n").into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// Whether whoever asks would show a page to a person.
fn is_browser(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().is_some_and(|it| it.trim() == "text/html"))
}

/// What a page may do: run and show what this console serves, and ask it and these others.
fn policy(asked: &[Origin]) -> HeaderValue {
    let asked: String = asked.iter().map(|origin| format!(" {origin}")).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'{asked}; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}
