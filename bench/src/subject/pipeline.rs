//! The whole way: POSTs in, records in the embedded archive, every service a process of its own.

use std::time::{Duration, Instant};

use vedette_rules::{RuleSet, SourceFile};

use crate::Effort;
use crate::broker::{ARCHIVE_RESULTS, Broker, EVENTS, Sync, runtime};
use crate::load;
use crate::measure::{median, peak_resident};
use crate::receiver::Receiver;
use crate::sample::{Post, Sample, Shapes, events_of};
use crate::services::{self, ENGINE_MEMORY, Rules, SERVICE_MEMORY};
use crate::table::{Bar, Row, Table, Unit};
use crate::{policy, sets};

/// Expected in advance, to make rounds last about as long as asked for.
const GUESS: usize = 20_000;
const CONNECTIONS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(600);
const SERVICES: [&str; 4] = ["ingest", "evaluator", "archiver", "alerter"];

#[derive(Debug)]
struct Round {
    /// Events posted a second, until the last of them is stored.
    rate: f64,
    /// Events posted a second until the last answer.
    taken: f64,
    /// Part of the events that is stored.
    share: f64,
    /// Of the four services.
    resident: [f64; 4],
}

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let mut table = Table::default();
    let shapes = sample.joined();
    let mut everything = policy::shipped();
    everything.push(policy::archive_all());
    let mut resident = [0.0_f64; 4];
    for (what, files, bar) in
        [("the shipped rules", policy::shipped(), 40_000.0), ("everything archived", everything, 20_000.0)]
    {
        let events = GUESS * effort.seconds as usize;
        let rounds: Vec<Round> =
            (0..effort.rounds.div_ceil(2)).map(|seed| round(&shapes, &files, events, seed as u32)).collect();
        for round in &rounds {
            for (most, resident) in resident.iter_mut().zip(round.resident) {
                *most = most.max(resident);
            }
        }
        let rate = median(rounds.iter().map(|round| round.rate).collect());
        let taken = median(rounds.iter().map(|round| round.taken).collect());
        let row = Row::new(format!("POST → stored, {what}"), rate, Unit::Events);
        table.push(row.against("answered 200", taken, rate / taken).bar(Bar::at_least(bar).later()));
        table.note(format!("{what}: {:.0} % of the events are stored", rounds[0].share * 100.0));
    }
    for (name, resident) in SERVICES.iter().zip(resident) {
        let bar = Bar::below(if *name == "archiver" { ENGINE_MEMORY } else { SERVICE_MEMORY });
        table.push(Row::new(format!("{name}'s memory at its peak"), resident, Unit::Mebibytes).bar(bar));
    }
    table.note(format!(
        "sender ({CONNECTIONS} connections), synced broker, four services and the receiver of alerts share the cores; the number of \
         records is held against what the rules say"
    ));
    table
}

fn round(shapes: &Shapes, files: &[SourceFile], events: usize, seed: u32) -> Round {
    let runtime = runtime();
    let receiver = Receiver::start(&runtime);
    let broker = Broker::start(&runtime, Sync::Always);
    let mut files = files.to_vec();
    files.push(policy::webhook(&format!(
        "[{{ name: bench, type: alertmanager, config: {{ url: {:?} }} }}]",
        receiver.url()
    )));
    let rules = Rules::new(&files);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let archive = folder.path().join("archive");
    let gateway = services::ingest(&broker.url(), &rules);
    let mut others = [
        services::evaluator(&broker.url(), &rules),
        services::embedded_archiver(&broker.url(), &archive),
        services::alerter(&broker.url(), &rules),
    ];
    let posts = shapes.make(events, seed);
    let events: usize = posts.iter().map(|post| post.events).sum();
    let expected = archived(&sets::compile(&files), &posts);
    let start = Instant::now();
    let load = load::send(&runtime, &gateway.url, posts, CONNECTIONS);
    // Results are published before events are acknowledged: looked at in this order, nothing is between the two.
    while broker.left(EVENTS) + broker.left(ARCHIVE_RESULTS) > 0 {
        assert!(start.elapsed() < PATIENCE, "events are still not stored");
        std::thread::sleep(Duration::from_millis(20));
    }
    let rate = events as f64 / start.elapsed().as_secs_f64();
    let resident = [&gateway.service, &others[0], &others[1], &others[2]].map(|service| peak_resident(service.id()));
    others[1].stop();
    let stored = runtime.block_on(async {
        let config = vedette_archive::Config::embedded(&archive);
        let archive =
            vedette_archive::open(&config, vedette_archive::Mode::Read).await.expect("the archive can be read");
        archive.size().await.expect("the archive answers").events
    });
    assert_eq!(stored, expected, "the archive does not hold what the rules say");
    Round { rate, taken: load.rate(), share: expected as f64 / events as f64, resident }
}

/// How many of the events these rules store.
fn archived(set: &RuleSet, posts: &[Post]) -> u64 {
    let stored = |event: &&[u8]| set.decide(event).expect("an event is one").archive;
    posts.iter().flat_map(events_of).filter(stored).count() as u64
}
