//! Writing: `_bulk` with `create`, each item answered on its own.
//!
//! `create` with the event's id makes a second write no write (409). Who stored the document that is there already is asked
//! of the document itself, which keeps the key of its batch: this batch, in an earlier delivery or in a request whose
//! answer was lost, or another one. So a batch reports the same counts however often it is written.

use std::collections::HashMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use vedette_audit::document::Document;
use vedette_audit::identity::EventId;

use super::document::{BATCH, Form, push};
use super::names::Names;
use super::transport::{Body, Gzip, Reason, SHORT, Transport};
use crate::config::SearchConfig;
use crate::day::Day;
use crate::error::ArchiveError;
use crate::{BatchReport, Rejected, WriteBatch};

/// Attempts for the items of one request before the whole write is given up (and, by its caller, begun again).
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Bytes of an answer for each item sent, at most.
const ANSWER_PER_ITEM: usize = 8 << 10;
/// Documents that are asked at a time who stored them.
const ASKED: usize = 1_000;

/// A document to send.
struct Item<'a> {
    document: &'a Document,
    key: &'a str,
    form: Form,
}

/// What became of an event.
#[derive(Clone, Debug)]
enum Fate {
    Created,
    Exists,
    Rejected(String),
}

type Fates<'a> = Vec<(&'a Document, Fate)>;

/// Where requests go.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) transport: &'a Transport,
    pub(super) config: &'a SearchConfig,
    pub(super) names: &'a Names,
}

/// Writes the batches; see [`crate::Archive::write`].
pub(super) async fn write(target: Target<'_>, batches: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError> {
    // Of the same event in several places the first is sent.
    let mut first: HashMap<EventId, usize> = HashMap::new();
    let mut items = Vec::new();
    for (at, batch) in batches.iter().enumerate() {
        for document in &batch.documents {
            if let std::collections::hash_map::Entry::Vacant(entry) = first.entry(document.id) {
                entry.insert(at);
                items.push(Item { document, key: &batch.key, form: Form::of(document) });
            }
        }
    }
    let requests: Vec<Vec<Item<'_>>> = cut(items, target.config.bulk_documents, target.config.bulk_bytes);
    // A request is compressed when its turn comes: so many are in memory, and no more.
    let sends: Vec<_> = requests.into_iter().map(|items| send(target, items)).collect();
    let in_flight = target.config.bulk_in_flight.max(1);
    let fates: Vec<Fates<'_>> = futures::stream::iter(sends).buffer_unordered(in_flight).try_collect().await?;
    let mut exist = Vec::new();
    let mut fate_of: HashMap<EventId, Fate> = HashMap::new();
    for (document, fate) in fates.into_iter().flatten() {
        if matches!(fate, Fate::Exists) {
            exist.push(document);
        }
        fate_of.insert(document.id, fate);
    }
    let stored_by = stored_by(target, &exist).await?;
    Ok(batches.iter().enumerate().map(|(at, batch)| report(at, batch, batches, &first, &fate_of, &stored_by)).collect())
}

/// Counts a batch's documents.
fn report(
    at: usize,
    batch: &WriteBatch,
    batches: &[WriteBatch],
    first: &HashMap<EventId, usize>,
    fates: &HashMap<EventId, Fate>,
    stored_by: &HashMap<EventId, String>,
) -> BatchReport {
    let mut report = BatchReport::default();
    let mut seen = std::collections::HashSet::new();
    for (index, document) in batch.documents.iter().enumerate() {
        let sender = first.get(&document.id).copied().unwrap_or(at);
        let own = match fates.get(&document.id) {
            Some(Fate::Rejected(reason)) => {
                report.rejected.push(Rejected { index, reason: reason.clone() });
                continue;
            }
            Some(Fate::Exists) => stored_by.get(&document.id).is_some_and(|key| *key == batch.key),
            _ => batches.get(sender).is_some_and(|other| other.key == batch.key),
        };
        // The same event twice in one batch is stored once.
        if own && seen.insert(document.id) {
            report.stored += 1;
        } else {
            report.duplicate += 1;
        }
    }
    report
}

/// Cuts what is to be sent into requests.
fn cut<'a>(items: Vec<Item<'a>>, max_items: usize, max_bytes: usize) -> Vec<Vec<Item<'a>>> {
    let (mut requests, mut bytes) = (Vec::new(), 0);
    let mut request = Vec::new();
    for item in items {
        let size = item.document.json.len();
        if !request.is_empty() && (request.len() >= max_items.max(1) || bytes + size > max_bytes) {
            requests.push(std::mem::take(&mut request));
            bytes = 0;
        }
        bytes += size;
        request.push(item);
    }
    if !request.is_empty() {
        requests.push(request);
    }
    requests
}

/// Sends one request's items until each has its fate; items that fail for the moment are sent again, alone. A request that
/// fails as a whole is the caller's to send again: it knows what else to do while the engine is away.
async fn send<'a>(target: Target<'_>, mut items: Vec<Item<'a>>) -> Result<Fates<'a>, ArchiveError> {
    let mut done = Vec::with_capacity(items.len());
    let mut attempt = 0;
    while !items.is_empty() {
        let (again, trouble) = match once(target, &items).await {
            Ok(answered) => sort(items, answered, attempt, &mut done),
            Err(Failed::TooLarge) if items.len() > 1 => {
                let half = items.split_off(items.len() / 2);
                for part in [items, half] {
                    done.extend(Box::pin(send(target, part)).await?);
                }
                return Ok(done);
            }
            Err(Failed::TooLarge) => {
                let reason = "larger than the engine takes (http.max_content_length)".to_owned();
                let fates = items.iter().map(|item| (item.document, Fate::Rejected(reason.clone())));
                done.extend(fates);
                return Ok(done);
            }
            Err(Failed::Other(error)) => return Err(error),
        };
        items = again;
        let Some(trouble) = trouble else { continue };
        attempt += 1;
        if attempt == ATTEMPTS {
            return Err(trouble);
        }
        tokio::time::sleep(pause(attempt)).await;
    }
    Ok(done)
}

/// Takes out the items that have their fate. What is left is to be sent again: at once if nothing is the matter with the
/// engine, else after a pause, with what it said.
fn sort<'a>(
    items: Vec<Item<'a>>,
    answered: Vec<Answered>,
    attempt: u32,
    done: &mut Fates<'a>,
) -> (Vec<Item<'a>>, Option<ArchiveError>) {
    let (mut again, mut trouble) = (Vec::new(), None);
    for (mut item, answered) in items.into_iter().zip(answered) {
        let fate = match answered.verdict() {
            Verdict::Created => Fate::Created,
            Verdict::Exists => Fate::Exists,
            Verdict::Refused(_) if item.form == Form::AsIs => {
                item.form = Form::Wrapped;
                again.push(item);
                continue;
            }
            Verdict::Refused(reason) => Fate::Rejected(reason.to_string()),
            Verdict::Later(status, reason) => {
                // An engine may stumble over a document without saying that it is the document.
                if status == 500 && attempt + 2 >= ATTEMPTS {
                    item.form = Form::Wrapped;
                }
                trouble = Some(ArchiveError::unavailable(format!("the engine answered {status}: {reason}")));
                again.push(item);
                continue;
            }
        };
        done.push((item.document, fate));
    }
    (again, trouble)
}

/// Why a request failed as a whole.
enum Failed {
    /// It is too large for the engine.
    TooLarge,
    Other(ArchiveError),
}

/// Sends the items once: the answer to each, in order.
async fn once(target: Target<'_>, items: &[Item<'_>]) -> Result<Vec<Answered>, Failed> {
    let other = Failed::Other;
    let mut gzip = Gzip::new();
    let mut line = Vec::new();
    for item in items {
        line.clear();
        let action =
            json!({ "create": { "_index": index(target.names, item.document), "_id": item.document.id.to_string() } });
        line.extend_from_slice(action.to_string().as_bytes());
        line.push(b'\n');
        push(item.document, item.key, item.form, &mut line);
        line.push(b'\n');
        gzip.push(&line);
    }
    let body = Body::lines(gzip.finish().map_err(other)?);
    let limit = SHORT + items.len() * ANSWER_PER_ITEM;
    let path = "_bulk?filter_path=errors,items.*.status,items.*.error";
    let answer = target.transport.send(Method::POST, path, Some(body), limit).await.map_err(other)?;
    if answer.status.as_u16() == 413 {
        return Err(Failed::TooLarge);
    }
    if !answer.status.is_success() {
        let (status, reason) = (answer.status.as_u16(), Reason::of(&answer.body));
        if status != 400 || reason.kind.is_empty() {
            // Not the engine's own answer to what it was sent: a proxy, a wrong address.
            return Err(other(ArchiveError::unavailable(format!("the engine answered {status}: {reason}"))));
        }
    }
    let bulk: Bulk = answer.success().and_then(|answer| answer.parse()).map_err(other)?;
    if bulk.items.len() != items.len() {
        return Err(other(ArchiveError::unavailable("the engine did not answer for each document")));
    }
    Ok(bulk.items.into_iter().map(|item| item.create).collect())
}

/// The keys of the batches that stored these events.
async fn stored_by(target: Target<'_>, events: &[&Document]) -> Result<HashMap<EventId, String>, ArchiveError> {
    #[derive(Deserialize)]
    struct Found {
        docs: Vec<Doc>,
    }
    #[derive(Deserialize)]
    struct Doc {
        #[serde(rename = "_id")]
        id: String,
        #[serde(rename = "_source", default)]
        source: HashMap<String, serde_json::Value>,
    }
    let mut keys = HashMap::new();
    for part in events.chunks(ASKED) {
        let doc =
            |document: &&Document| json!({ "_index": index(target.names, document), "_id": document.id.to_string() });
        let docs: Vec<_> = part.iter().map(doc).collect();
        let path = format!("_mget?_source_includes={BATCH}");
        let limit = SHORT + part.len() * ANSWER_PER_ITEM;
        let found: Found = target.transport.json(Method::POST, &path, Some(&json!({ "docs": docs })), limit).await?;
        for Doc { id, source } in found.docs {
            if let (Ok(id), Some(key)) = (id.parse(), source.get(BATCH).and_then(serde_json::Value::as_str)) {
                keys.insert(id, key.to_owned());
            }
        }
    }
    Ok(keys)
}

/// The index that a document belongs to.
fn index(names: &Names, document: &Document) -> String {
    names.index(&document.fields.cluster, Day::of(document.time_micros))
}

/// Twice as long each time, and half of it by chance, so that several archivers don't come back together.
fn pause(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
}

#[derive(Deserialize)]
struct Bulk {
    items: Vec<BulkItem>,
}

#[derive(Deserialize)]
struct BulkItem {
    create: Answered,
}

#[derive(Deserialize)]
struct Answered {
    status: u16,
    #[serde(default)]
    error: serde_json::Value,
}

/// What an item's answer means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Created,
    Exists,
    /// It would be refused again.
    Refused(Reason),
    /// The engine can't now.
    Later(u16, Reason),
}

impl Answered {
    fn verdict(&self) -> Verdict {
        let reason = Reason::of_error(&self.error);
        match self.status {
            200..=299 => Verdict::Created,
            409 => Verdict::Exists,
            400 if !is_the_clusters(&reason) => Verdict::Refused(reason),
            413 | 422 => Verdict::Refused(reason),
            status => Verdict::Later(status, reason),
        }
    }
}

/// Whether a 400 is about the index or the cluster and not about the document: an index that is closed, or one that can't
/// be made since the cluster has too many shards.
fn is_the_clusters(reason: &Reason) -> bool {
    matches!(
        reason.kind.as_str(),
        "index_closed_exception" | "validation_exception" | "cluster_block_exception" | "invalid_index_name_exception"
    ) || reason.text.contains("shards open")
        || reason.text.contains("maximum shards")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Answered, Verdict};

    fn check(status: u16, kind: &str, reason: &str, expected: &str) {
        let answered = Answered { status, error: json!({ "type": kind, "reason": reason }) };
        let verdict = match answered.verdict() {
            Verdict::Created => "created",
            Verdict::Exists => "exists",
            Verdict::Refused(_) => "refused",
            Verdict::Later(..) => "later",
        };
        assert_eq!(verdict, expected, "{status} {kind} {reason}");
    }

    #[test]
    fn tells_a_bad_document_from_a_cluster_in_trouble() {
        check(201, "", "", "created");
        check(409, "version_conflict_engine_exception", "document already exists", "exists");
        check(400, "mapper_parsing_exception", "failed to parse", "refused");
        check(400, "illegal_argument_exception", "Document contains at least one immense term", "refused");
        check(400, "index_closed_exception", "closed", "later");
        check(400, "validation_exception", "this cluster currently has [1000]/[1000] maximum shards open;", "later");
        check(403, "cluster_block_exception", "index [x] blocked by: [FORBIDDEN/12/index read-only]", "later");
        check(404, "index_not_found_exception", "no such index", "later");
        check(429, "es_rejected_execution_exception", "rejected", "later");
        check(503, "unavailable_shards_exception", "primary shard is not active", "later");
    }
}
