//! Writing to the embedded archive, and to Tantivy with the same fields and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tantivy::indexer::IndexWriterOptions;
use tantivy::schema::Schema;
use tantivy::{Index, IndexSettings, IndexWriter, TantivyDocument};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vedette_archive::{Archive, Config, Field, Mode, WriteBatch};
use vedette_audit::document::Document;
use vedette_e2e::SearchNode;
use xxhash_rust::xxh3::xxh3_64;

use crate::Effort;
use crate::broker::{results, runtime};
use crate::measure::{Rounds, cpu_of, median, process_time};
use crate::sample::{BATCH, Sample, Shapes};
use crate::subject::archiver;
use crate::table::{Bar, Row, Table, Unit};

/// Documents of one commit.
const COMMIT: usize = 10_000;
/// Expected in advance, to make rounds last about as long as asked for.
const GUESS: usize = 20_000;
/// The same of a search engine.
const ENGINE_GUESS: usize = 6_000;

/// How fast documents were written.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Events a second by the wall clock.
    wall: f64,
    /// Events a second of CPU time, all threads.
    core: f64,
}

/// What the archive made of the documents, for Tantivy to do the same.
#[derive(Debug)]
struct Made {
    schema: Schema,
    settings: IndexSettings,
    bytes_per_event: f64,
}

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let runtime = runtime();
    let shapes = sample.joined();
    let events = (GUESS * effort.seconds as usize).next_multiple_of(COMMIT);
    let (mut ours, mut bare, mut bytes) = (Vec::new(), Vec::new(), 0.0);
    for seed in 0..effort.rounds {
        let batches = batches(&shapes, events, seed as u32);
        let (rate, made) = archive(&runtime, &batches);
        ours.push(rate);
        bare.push(tantivy(&made, &batches));
        bytes = made.bytes_per_event;
    }
    let column = |rates: &[Rate], pick: fn(&Rate) -> f64| rates.iter().map(pick).collect::<Vec<f64>>();
    let rounds = Rounds::of(vec![
        column(&ours, |rate| rate.core),
        column(&bare, |rate| rate.core),
        column(&ours, |rate| rate.wall),
        column(&bare, |rate| rate.wall),
    ]);
    let mut table = Table::default();
    let row = Row::new("embedded archive, durable writes", rounds.median(0), Unit::EventsPerCore);
    table.push(row.against("Tantivy alone", rounds.median(1), rounds.ratio(0, 1)));
    let row = Row::new("the same by the wall clock", rounds.median(2), Unit::Events);
    table.push(row.against("Tantivy alone", rounds.median(3), rounds.ratio(2, 3)));
    let engine = elasticsearch(&runtime, &shapes, effort);
    let (name, per_core) = (effort.engine.name(), rounds.median(0));
    let row = Row::new("durable writes again", per_core, Unit::EventsPerCore);
    table.push(row.against(name, engine.core, per_core / engine.core).bar(Bar::ratio(5.0).later()));
    let size = Row::new("on disk, before merging is over", bytes, Unit::BytesPerEvent);
    let size = size.against(name, engine.bytes_per_event, bytes / engine.bytes_per_event);
    table.push(size.bar(Bar::below(engine.bytes_per_event / 3.0).later()));
    table.note(format!(
        "{name}: the node's own CPU time while the bare bulk loader runs, one load before it to warm up; what it merges later \
         is not counted"
    ));
    table.note(format!(
        "{events} documents a round, a commit for each {COMMIT}; Tantivy has the archive's own schema, settings, memory and \
         number of threads, and its documents are made beforehand"
    ));
    table
}

fn batches(shapes: &Shapes, events: usize, seed: u32) -> Vec<WriteBatch> {
    let posts = shapes.make(events, seed);
    let results = posts.iter().map(results);
    results.map(|result| WriteBatch { key: result.batch.clone(), documents: archiver::documents(&result) }).collect()
}

fn archive(runtime: &Runtime, batches: &[WriteBatch]) -> (Rate, Made) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = Config::embedded(folder.path());
    runtime.block_on(async {
        let archive: Arc<dyn Archive> =
            vedette_archive::open(&config, Mode::Write).await.expect("the archive can be opened");
        let events = batches.iter().map(|batch| batch.documents.len()).sum();
        let clock = Clock::start(events);
        for commit in batches.chunks(COMMIT / BATCH) {
            for report in archive.write(commit).await.expect("the archive takes documents") {
                assert_eq!((report.stored, report.duplicate), (BATCH as u64, 0), "every document is a new one");
            }
        }
        let rate = clock.stop();
        let size = archive.size().await.expect("the archive answers");
        assert_eq!(size.events, events as u64);
        (rate, made(&folder, size.bytes as f64 / events as f64))
    })
}

/// What a search engine makes of such documents.
#[derive(Debug)]
struct Engine {
    /// Events a second of the engine's own CPU time.
    core: f64,
    bytes_per_event: f64,
}

fn elasticsearch(runtime: &Runtime, shapes: &Shapes, effort: &Effort) -> Engine {
    let node = SearchNode::start(effort.engine);
    let config = Config::search(node.url());
    let archive = runtime.block_on(vedette_archive::open(&config, Mode::Write)).expect("the engine takes the template");
    let events = ENGINE_GUESS * effort.seconds as usize;
    let mut rates = Vec::new();
    for seed in 0..=effort.rounds as u32 {
        let documents: Vec<Document> =
            batches(shapes, events, seed).into_iter().flat_map(|batch| batch.documents).collect();
        let bodies = archiver::bodies(&documents);
        let before = cpu_of(node.id());
        archiver::load(runtime, &format!("{}/_bulk", node.url()), &bodies);
        let spent = cpu_of(node.id()).saturating_sub(before);
        rates.push(documents.len() as f64 / spent.as_secs_f64());
    }
    let size = runtime.block_on(archive.size()).expect("the engine answers");
    Engine { core: median(rates.split_off(1)), bytes_per_event: size.bytes as f64 / size.events as f64 }
}

/// Looks at the one day that was written.
fn made(folder: &TempDir, bytes_per_event: f64) -> Made {
    let entries = std::fs::read_dir(folder.path()).expect("the archive can be listed");
    let days: Vec<_> =
        entries.map(|entry| entry.expect("an entry can be read").path()).filter(|path| path.is_dir()).collect();
    assert_eq!(days.len(), 1, "the sample is of one day");
    let index = Index::open_in_dir(&days[0]).expect("a day is an index");
    Made { schema: index.schema(), settings: index.settings().clone(), bytes_per_event }
}

fn tantivy(made: &Made, batches: &[WriteBatch]) -> Rate {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let builder = Index::builder().schema(made.schema.clone()).settings(made.settings.clone());
    let index = builder.create_in_dir(folder.path()).expect("an index can be made");
    let config = Config::default().embedded;
    let options = IndexWriterOptions::builder()
        .num_worker_threads(1)
        .num_merge_threads(1)
        .memory_budget_per_thread(config.writer_memory_bytes / config.open_days)
        .build();
    let mut writer: IndexWriter = index.writer_with_options(options).expect("an index can be written");
    let documents =
        batches.iter().flat_map(|batch| batch.documents.iter().map(|document| (document, batch.key.as_str())));
    let documents: Vec<TantivyDocument> =
        documents.map(|(document, key)| convert(&made.schema, document, key)).collect();
    let clock = Clock::start(documents.len());
    let mut added = 0;
    for document in documents {
        writer.add_document(document).expect("a document can be added");
        added += 1;
        if added % COMMIT == 0 {
            writer.commit().expect("an index can be committed");
        }
    }
    writer.commit().expect("an index can be committed");
    clock.stop()
}

/// The fields that the archive gives a document, by name.
fn convert(schema: &Schema, document: &Document, key: &str) -> TantivyDocument {
    let mut doc = TantivyDocument::new();
    let field = |name: &str| schema.get_field(name).unwrap_or_else(|_| panic!("the archive's schema has no {name}"));
    let (id, fields) = (document.id.as_bytes(), &document.fields);
    doc.add_bytes(field("id"), id);
    doc.add_u64(field("id_high"), u64::from_be_bytes(id[..8].try_into().expect("eight bytes")));
    doc.add_text(field("batch"), key);
    doc.add_i64(field("time"), document.time_micros);
    doc.add_u64(field("audit"), xxh3_64(fields.audit_id.as_bytes()));
    doc.add_bytes(field("json"), &document.json);
    if let Some(code) = fields.code {
        doc.add_i64(field("code"), code);
    }
    if let Some(duration) = fields.duration_micros {
        doc.add_i64(field("duration"), duration);
    }
    for of in Field::ALL.iter().filter(|of| **of != Field::AuditId) {
        for value in of.values(fields) {
            doc.add_text(field(of.name()), value);
        }
    }
    doc
}

/// Wall-clock and CPU time of this process.
#[derive(Debug)]
struct Clock {
    events: usize,
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    fn start(events: usize) -> Self {
        Self { events, wall: Instant::now(), cpu: process_time() }
    }

    fn stop(self) -> Rate {
        let events = self.events as f64;
        let cpu = process_time().saturating_sub(self.cpu);
        Rate { wall: events / self.wall.elapsed().as_secs_f64(), core: events / cpu.as_secs_f64() }
    }
}
