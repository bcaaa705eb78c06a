//! Archive results to Elasticsearch or OpenSearch, and a loader that does nothing but send the same documents.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Runtime;
use vedette_audit::document::Document;
use vedette_e2e::SearchNode;
use vedette_proto::bus::v1::ArchiveResult;

use crate::Effort;
use crate::broker::{ARCHIVE_RESULTS, Broker, Drained, Sync, results, runtime};
use crate::measure::{Rounds, peak_resident};
use crate::sample::{BATCH, Sample, Shapes};
use crate::services::{self, SERVICE_MEMORY};
use crate::table::{Bar, Row, Table, Unit};

/// Expected in advance, to make rounds last about as long as asked for.
const GUESS: usize = 6_000;
/// Documents and bytes of one bulk request: the archiver's defaults.
const BULK_DOCUMENTS: usize = 5_000;
const BULK_BYTES: usize = 2 << 20;
/// Bulk requests under way at a time.
const LANES: usize = 2;

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let shapes = sample.joined();
    let node = SearchNode::start(effort.engine);
    let events = GUESS * effort.seconds as usize;
    let (mut ours, mut bare, mut resident) = (Vec::new(), Vec::new(), 0.0_f64);
    // The first pair is thrown away: a cold virtual machine is several times slower. Who goes first alternates, since the
    // engine still merges what came before.
    for seed in 0..=effort.rounds {
        let seed = seed as u32;
        let (mut rate, mut loaded) = (0.0, 0.0);
        for turn in 0..2 {
            if (seed + turn).is_multiple_of(2) {
                let (drained, memory) = archiver(&shapes, &node, events, 2 * seed);
                rate = drained.rate;
                resident = resident.max(memory);
            } else {
                loaded = loader(&shapes, &node, events, 2 * seed + 1);
            }
        }
        if seed > 0 {
            ours.push(rate);
            bare.push(loaded);
        }
    }
    let rounds = Rounds::of(vec![ours, bare]);
    let mut table = Table::default();
    let what = format!("archive results → {}", effort.engine.name());
    let row = Row::new(what, rounds.median(0), Unit::Events);
    table.push(row.against("bare bulk loader", rounds.median(1), rounds.ratio(0, 1)).bar(Bar::ratio(0.9).later()));
    let bar = Bar::below(SERVICE_MEMORY);
    table.push(Row::new("archiver's memory at its peak", resident, Unit::Mebibytes).bar(bar));
    table.note(format!(
        "the same ids, `create`, the same index template, the same documents' shapes; the loader's bodies are made beforehand, \
         {LANES} requests under way; the engine has 512 MiB of heap and shares the cores"
    ));
    table
}

fn archiver(shapes: &Shapes, node: &SearchNode, events: usize, seed: u32) -> (Drained, f64) {
    let runtime = runtime();
    let broker = Broker::start(&runtime, Sync::Always);
    let messages = broker.fill_archive_results(&shapes.make(events, seed));
    let service = services::search_archiver(&broker.url(), &node.url());
    let drained = broker.drain(ARCHIVE_RESULTS, messages, BATCH as u64, &[service.id()]);
    let rejected = service.metric("vedette_archiver_events_total", &["outcome=\"rejected\""]);
    assert_eq!(rejected, 0.0, "the engine refused documents");
    (drained, peak_resident(service.id()))
}

/// Events a second.
fn loader(shapes: &Shapes, node: &SearchNode, events: usize, seed: u32) -> f64 {
    let runtime = runtime();
    let posts = shapes.make(events, seed);
    let documents: Vec<Document> = posts.iter().flat_map(|post| documents(&results(post))).collect();
    let bodies = bodies(&documents);
    let start = Instant::now();
    load(&runtime, &format!("{}/_bulk", node.url()), &bodies);
    documents.len() as f64 / start.elapsed().as_secs_f64()
}

/// The documents that an archiver makes of a result.
pub(crate) fn documents(result: &ArchiveResult) -> Vec<Document> {
    let build = |matched: &vedette_proto::bus::v1::ArchiveMatch| {
        let id = <[u8; 16]>::try_from(&matched.id[..]).expect("an id has 16 bytes");
        let id = vedette_audit::EventId::from_bytes(id);
        Document::build(id, &matched.json, &matched.rules, result.received_unix_nanos).expect("an event is one")
    };
    result.matches.iter().map(build).collect()
}

/// Bulk requests into the indices that the archiver writes to.
pub(crate) fn bodies(documents: &[Document]) -> Vec<Bytes> {
    let (mut bodies, mut body, mut count) = (Vec::new(), Vec::new(), 0);
    for document in documents {
        let day = &std::str::from_utf8(&document.json).expect("a document is text");
        let day = day.split_once(r#""RequestReceivedTimestamp":""#).expect("a document has a time").1;
        let mut head = String::new();
        writeln!(
            head,
            r#"{{"create":{{"_index":"ks-whizard-auditing-{}","_id":"{}"}}}}"#,
            day[..10].replace('-', "."),
            document.id
        )
        .expect("text can be written");
        if count == BULK_DOCUMENTS || body.len() + head.len() + document.json.len() > BULK_BYTES {
            bodies.push(Bytes::from(std::mem::take(&mut body)));
            count = 0;
        }
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&document.json);
        body.push(b'\n');
        count += 1;
    }
    bodies.push(body.into());
    bodies
}

pub(crate) fn load(runtime: &Runtime, url: &str, bodies: &[Bytes]) {
    let client = reqwest::Client::new();
    let next = AtomicUsize::new(0);
    let lane = || async {
        while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
            let request = client.post(url).header("content-type", "application/x-ndjson").body(body.clone());
            let response = request.send().await.expect("the engine answers");
            assert!(response.status().is_success(), "the engine answered {}", response.status());
            let text = response.text().await.expect("the answer can be read");
            assert!(
                text.contains(r#""errors":false"#),
                "the engine refused documents: {}",
                &text[..500.min(text.len())]
            );
        }
    };
    runtime.block_on(futures::future::join_all((0..LANES).map(|_| lane())));
}
