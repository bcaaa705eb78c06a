//! Posts one list as a kube-apiserver does: the same time-out, the same number of attempts, the same waits.
//!
//! A kube-apiserver makes five attempts for a list, waits 10 s after the first and half as much again after each other,
//! and takes any error for a reason to try again. Within one attempt its HTTP client does what `Retry-After` says, up to
//! ten times. That is kept here, so that what a webhook does to `vedette replay` it does to an apiserver.
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use vedette_service::chain;

/// What a kube-apiserver's client waits for an answer; it also says so in the query.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// How often one attempt does what `Retry-After` says.
const OBEYED: u32 = 10;
/// How much of a refusal's text is kept.
const DETAIL_BYTES: usize = 400;

/// When to try again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    /// Attempts in all, at least 1.
    pub(crate) attempts: u32,
    /// The wait after the first; each further one is half as long again.
    pub(crate) backoff: Duration,
}

/// Posts lists to one address.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    http: Client,
    url: Url,
    authorization: Option<HeaderValue>,
    retry: Retry,
}

/// What became of one list.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Requests beyond the first.
    pub(crate) retries: u64,
    /// Whether the webhook took it.
    pub(crate) result: Result<(), Refusal>,
}

/// Why a list was not taken, after the last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status answered; none if there was no answer.
    pub(crate) status: Option<u16>,
    /// What the answer said, or why there was none. One line.
    pub(crate) detail: String,
}

impl Sender {
    /// Posts to `url`, whose query is replaced as a kube-apiserver replaces it.
    pub(crate) fn new(http: Client, mut url: Url, authorization: Option<HeaderValue>, retry: Retry) -> Self {
        url.set_query(Some("timeout=30s"));
        Self { http, url, authorization, retry }
    }

    /// Posts one list and tries again as set.
    pub(crate) async fn send(&self, list: Bytes) -> Delivery {
        let mut retries = 0;
        let mut wait = self.retry.backoff;
        let mut attempt = 1;
        loop {
            let refusal = match self.attempt(&list, &mut retries).await {
                Ok(()) => return Delivery { retries, result: Ok(()) },
                Err(refusal) => refusal,
            };
            if attempt >= self.retry.attempts {
                return Delivery { retries, result: Err(refusal) };
            }
            attempt += 1;
            retries += 1;
            tokio::time::sleep(wait).await;
            wait = wait.mul_f64(1.5);
        }
    }

    async fn attempt(&self, list: &Bytes, retries: &mut u64) -> Result<(), Refusal> {
        let mut obeyed = 0;
        loop {
            let mut request = self
                .http
                .post(self.url.clone())
                .timeout(TIMEOUT)
                .header(CONTENT_TYPE, "application/json")
                .body(list.clone());
            if let Some(authorization) = &self.authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            let refusal = |error: reqwest::Error| Refusal { status: None, detail: chain(&error).to_string() };
            let response = request.send().await.map_err(refusal)?;
            let status = response.status();
            if status.is_success() {
                // Read to its end, so that the connection is used again.
                let _ = response.bytes().await;
                return Ok(());
            }
            let after = retry_after(status, response.headers().get(RETRY_AFTER));
            let detail = detail(response).await;
            match after {
                Some(after) if obeyed < OBEYED => {
                    obeyed += 1;
                    *retries += 1;
                    tokio::time::sleep(after).await;
                }
                _ => return Err(Refusal { status: Some(status.as_u16()), detail }),
            }
        }
    }
}

/// What a kube-apiserver's client obeys: whole seconds, with 429 or a server's error.
fn retry_after(status: StatusCode, header: Option<&HeaderValue>) -> Option<Duration> {
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return None;
    }
    let seconds: u64 = header?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(120)))
}

async fn detail(mut response: reqwest::Response) -> String {
    let mut text = Vec::new();
    while text.len() < DETAIL_BYTES {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        text.extend_from_slice(&chunk);
    }
    text.truncate(DETAIL_BYTES);
    // A plain line, or a JSON object that says it in `message` or `error`.
    let message = serde_json::from_slice::<serde_json::Value>(&text).ok().and_then(|value| {
        let said = value.get("message").or_else(|| value.pointer("/error/message")).or_else(|| value.get("error"));
        said.and_then(|said| said.as_str()).map(str::to_owned)
    });
    let text = message.unwrap_or_else(|| String::from_utf8_lossy(&text).into_owned());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
