//! Dead letters: what could not be processed, to look at, to try again, or to throw away. For administrators alone, since a letter
//! holds what was received as it was, secrets included.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vedette_bus::{Bus, Letter, LetterError, LetterFilter, LetterSummary, is_label};
use vedette_service::chain;

use super::params::Params;
use crate::failure::{Failure, Problem};
use crate::scope::Scope;
use crate::serve::Shared;

/// Bytes of a payload that are shown.
const SHOWN: usize = 1 << 20;

/// A dead letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// What it is called in its path.
    pub sequence: u64,
    /// When it was written.
    pub time: String,
    /// Who wrote it: `ingest`, `evaluator`, `archiver` or `alerter`.
    pub service: String,
    /// The cluster that it is of.
    pub cluster: String,
    /// Why it is one: a word of a bounded set.
    pub reason: String,
    /// The same in words.
    pub detail: String,
    /// The message that it came in; empty where it came from a sender.
    pub batch: String,
    /// Bytes of its payload.
    pub bytes: u64,
    /// Whether it can be requeued.
    pub requeueable: bool,
    /// Why it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A page of dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterPage {
    /// Newest first. May be fewer than were asked for, or none, where there are more.
    pub items: Vec<DeadLetter>,
    /// Where the next page begins: give it as `cursor`. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A dead letter with its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterWhole {
    /// The letter.
    pub letter: DeadLetter,
    /// What could not be processed, verbatim: text, or else base64. Of ingest the item as it was received, of the evaluator and the
    /// archiver the event, of the alerter what the receiver was sent; of a message that nobody could read the message.
    pub payload: String,
    /// Whether `payload` is base64.
    pub base64: bool,
    /// Whether `payload` is only the beginning, of 1 MiB.
    pub truncated: bool,
}

/// Which letters.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Which {
    /// `ingest`, `evaluator`, `archiver` or `alerter`.
    service: Option<String>,
    /// A reason, as letters have it.
    reason: Option<String>,
    /// A cluster.
    cluster: Option<String>,
    /// Letters on a page at most.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
}

/// Dead letters
#[utoipa::path(
    get, path = "/api/v1/dead-letters", operation_id = "listDeadLetters", tag = "dead letters",
    params(Which),
    responses((status = 200, body = DeadLetterPage), (status = 400, body = Problem)),
)]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    mut params: Params,
) -> Result<Json<DeadLetterPage>, Failure> {
    const SERVICES: [&str; 4] = ["ingest", "evaluator", "archiver", "alerter"];
    let service = params.word("service", None, &SERVICES.map(|name| (name, Some(name))))?;
    let reason = params.text("reason");
    let is_reason = |text: &String| text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if !reason.iter().all(is_reason) {
        return Err(Failure::bad("reason", "a word of lower-case letters, digits and `_`"));
    }
    let cluster = params.text("cluster");
    if !cluster.iter().all(|name| is_label(name)) {
        return Err(Failure::bad("cluster", "the name of a cluster: lower-case letters, digits and `-`"));
    }
    let limit = params.number("limit", 50, 1..=200)?;
    let below = params.parsed::<u64>("cursor")?;
    params.end()?;
    let filter = LetterFilter { service: service.map(str::to_owned), reason, cluster };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let page = bus(&shared)?.letters(&filter, below, limit).await.map_err(Failure::from)?;
    let items = page.letters.into_iter().map(DeadLetter::of).collect();
    Ok(Json(DeadLetterPage { items, next: page.next.map(|below| below.to_string()) }))
}

/// A dead letter with its payload
#[utoipa::path(
    get, path = "/api/v1/dead-letters/{sequence}", operation_id = "getDeadLetter", tag = "dead letters",
    params(("sequence" = u64, Path, description = "The letter's sequence")),
    responses((status = 200, body = DeadLetterWhole), (status = 404, body = Problem)),
)]
pub(crate) async fn get(
    State(shared): State<Arc<Shared>>,
    Path(sequence): Path<String>,
    params: Params,
) -> Result<Json<DeadLetterWhole>, Failure> {
    params.end()?;
    let read = bus(&shared)?.letter(named(&sequence)?).await.map_err(Failure::from)?;
    let (payload, base64, truncated) = shown(&read.letter.payload, SHOWN);
    Ok(Json(DeadLetterWhole { letter: DeadLetter::of(read.summary()), payload, base64, truncated }))
}

/// Process a dead letter again
///
/// What is in it is published once more to whoever could not do with it, and the letter is removed. Should they still not, there
/// will be another letter. A receiver may get an alert a second time; the archive has an event once.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/{sequence}/requeue", operation_id = "requeueDeadLetter", tag = "dead letters",
    params(("sequence" = u64, Path, description = "The letter's sequence")),
    responses(
        (status = 204, description = "It is on its way"),
        (status = 404, body = Problem),
        (status = 409, description = "It can't be requeued", body = Problem),
    ),
)]
pub(crate) async fn requeue(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    Path(sequence): Path<String>,
    params: Params,
) -> Result<StatusCode, Failure> {
    params.end()?;
    let Letter { sequence, letter, .. } = bus(&shared)?.requeue_letter(named(&sequence)?).await?;
    tracing::info!(
        caller = scope.caller(), sequence, letter.service = %letter.service, letter.cluster = %letter.cluster,
        letter.reason = %letter.reason, letter.batch = %letter.batch, "requeued a dead letter"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Discard a dead letter
///
/// For good: nothing else has what is in it.
#[utoipa::path(
    delete, path = "/api/v1/dead-letters/{sequence}", operation_id = "deleteDeadLetter", tag = "dead letters",
    params(("sequence" = u64, Path, description = "The letter's sequence")),
    responses((status = 204, description = "It is gone"), (status = 404, body = Problem)),
)]
pub(crate) async fn discard(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    Path(sequence): Path<String>,
    params: Params,
) -> Result<StatusCode, Failure> {
    params.end()?;
    let sequence = named(&sequence)?;
    bus(&shared)?.discard_letter(sequence).await?;
    tracing::info!(caller = scope.caller(), sequence, "discarded a dead letter");
    Ok(StatusCode::NO_CONTENT)
}

impl DeadLetter {
    fn of(read: LetterSummary) -> Self {
        let time = Timestamp::from_nanosecond(i128::from(read.unix_nanos)).unwrap_or_default();
        Self {
            sequence: read.sequence,
            time: format!("{time:.6}"),
            service: read.service,
            cluster: read.cluster,
            reason: read.reason,
            detail: read.detail,
            batch: read.batch,
            bytes: read.bytes,
            requeueable: read.stays.is_none(),
            why: read.stays.map(str::to_owned),
        }
    }
}

impl From<LetterError> for Failure {
    fn from(error: LetterError) -> Self {
        match &error {
            LetterError::Missing(_) => Self::no_letter(),
            LetterError::Stays { why, .. } => Self::conflict(format!("this letter can't be requeued: {why}")),
            LetterError::Publish { source, .. } if source.retry_after().is_none() => {
                tracing::error!(error = %chain(&error), "a dead letter can't be requeued");
                Self::broken("the broker refuses what is in the letter: see the console's log")
            }
            _ => {
                tracing::warn!(error = %chain(&error), "dead letters are out of reach");
                Self::unavailable("the broker is away, or full")
            }
        }
    }
}

fn bus(shared: &Shared) -> Result<Bus, Failure> {
    shared.bus().filter(Bus::connected).ok_or_else(|| Failure::unavailable("the broker is away"))
}

/// The letter that a path names; what is no number names none.
fn named(sequence: &str) -> Result<u64, Failure> {
    sequence.parse().map_err(|_| Failure::no_letter())
}

/// A payload as it can stand in JSON, at most so many bytes of it; whether it is base64, and whether it is cut.
fn shown(payload: &[u8], most: usize) -> (String, bool, bool) {
    let kept = payload.get(..most).unwrap_or(payload);
    let truncated = kept.len() < payload.len();
    match std::str::from_utf8(kept) {
        Ok(text) => (text.to_owned(), false, truncated),
        // The cut went through a character.
        Err(error) if truncated && error.error_len().is_none() => {
            let whole = kept.get(..error.valid_up_to()).unwrap_or_default();
            (String::from_utf8_lossy(whole).into_owned(), false, true)
        }
        Err(_) => (STANDARD.encode(kept), true, truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_payload_is_text_or_base64_and_no_longer_than_it_may_be() {
        let check = |payload: &[u8], expected: (&str, bool, bool)| {
            let (text, base64, truncated) = shown(payload, 4);
            assert_eq!((text.as_str(), base64, truncated), expected, "{payload:?}");
        };
        check(b"", ("", false, false));
        check(b"abcd", ("abcd", false, false));
        check(b"abcde", ("abcd", false, true));
        check("abcü".as_bytes(), ("abc", false, true));
        check("abü".as_bytes(), ("abü", false, false));
        check(b"ab\xff", ("YWL/", true, false));
        check(b"abc\xc3", ("YWJjww==", true, false));
        check(b"\xff\xfe\xfd\xfc\xfb", ("//79/A==", true, true));
    }
}
