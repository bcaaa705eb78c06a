//! One file as browsers get it: in the encoding that they take, and not again if they have it.

use axum::body::Bytes;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

pub(super) const BROTLI: Coding = Coding { name: "br", extension: ".br" };
pub(super) const GZIP: Coding = Coding { name: "gzip", extension: ".gz" };

/// A way in which a file was compressed beforehand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    /// As HTTP calls it.
    name: &'static str,
    /// What is put behind the name of the file.
    pub(super) extension: &'static str,
}

/// For how long a browser may use what it has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lasting {
    /// Another content has another name.
    ForEver,
    /// It asks each time whether it is still the same.
    ToBeAsked,
}

/// A file.
#[derive(Clone, Debug)]
pub(super) struct File {
    content_type: &'static str,
    lasting: Lasting,
    plain: Content,
    /// The best first.
    packed: Vec<(Coding, Content)>,
}

/// Bytes with what tells them apart from others.
#[derive(Clone, Debug)]
struct Content {
    bytes: Bytes,
    tag: String,
}

impl Coding {
    /// The name of the file that this path is a compressed form of, if it is one.
    pub(super) fn is_of(self, path: &str) -> Option<&str> {
        path.strip_suffix(self.extension)
    }
}

impl File {
    pub(super) fn new(path: &str, bytes: Bytes, lasting: Lasting) -> Self {
        Self { content_type: content_type(path), lasting, plain: Content::new(bytes), packed: Vec::new() }
    }

    /// The same, also in this encoding: each better than those to come.
    pub(super) fn packed(mut self, coding: Coding, bytes: Option<Bytes>) -> Self {
        self.packed.extend(bytes.map(|bytes| (coding, Content::new(bytes))));
        self
    }

    /// Whether a browser shows it by itself, and it does what its policy lets it.
    pub(super) fn is_page(&self) -> bool {
        self.content_type.starts_with("text/html")
    }

    /// The answer to a request with these headers, under this policy.
    pub(super) fn respond(&self, headers: &HeaderMap, policy: &HeaderValue) -> Response {
        let mut best = (0.0, None, &self.plain);
        for (coding, content) in &self.packed {
            let quality = quality(headers, coding.name);
            if quality > best.0 {
                best = (quality, Some(coding.name), content);
            }
        }
        let (_, coding, content) = best;
        let lasting = match self.lasting {
            Lasting::ForEver => "public, max-age=31536000, immutable",
            Lasting::ToBeAsked => "no-cache",
        };
        let mut told = HeaderMap::new();
        told.insert(CACHE_CONTROL, HeaderValue::from_static(lasting));
        told.insert(VARY, HeaderValue::from_static("accept-encoding"));
        // Not every browser takes another policy for what it has already.
        let tag = format!("\"{}-{}\"", content.tag, tag(policy.as_bytes()));
        told.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
        if elements(headers, IF_NONE_MATCH).any(|it| it == "*" || it.trim_start_matches("W/") == tag) {
            // What it would have, as HTTP wants it: not that of this answer.
            told.insert(CONTENT_LENGTH, content.bytes.len().into());
            return (StatusCode::NOT_MODIFIED, told).into_response();
        }
        told.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        told.extend(coding.map(|coding| (CONTENT_ENCODING, HeaderValue::from_static(coding))));
        (told, content.bytes.clone()).into_response()
    }
}

impl Content {
    fn new(bytes: Bytes) -> Self {
        let tag = tag(&bytes);
        Self { bytes, tag }
    }
}

/// What no other bytes have.
fn tag(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().get(..32).unwrap_or_default().to_owned()
}

/// The elements of a header that is a list.
fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// How much a client wants an encoding; 0: it does not take it.
fn quality(headers: &HeaderMap, coding: &str) -> f32 {
    let mut of_any = 0.0;
    for element in elements(headers, ACCEPT_ENCODING) {
        let (name, weight) = element.split_once(';').unwrap_or((element, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|it| it.parse().ok()).unwrap_or(0.0);
        if name.trim().eq_ignore_ascii_case(coding) {
            return weight;
        }
        if name.trim() == "*" {
            of_any = weight;
        }
    }
    of_any
}

/// By the ending of the name: nothing is guessed, as browsers are told not to.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
