//! HTTPS in to stored in JetStream: sender, gateway and broker share the machine's cores.

use vedette_e2e::Service;

use crate::Effort;
use crate::broker::{Broker, EVENTS, Sync, runtime};
use crate::load::{self, Load};
use crate::measure::{Rounds, cpu_of, peak_resident, quantile};
use crate::policy;
use crate::sample::{BATCH, Sample, Shapes};
use crate::services::{self, Gateway, Rules, SERVICE_MEMORY};
use crate::table::{Bar, Row, Table, Unit};

/// Connections of the sender, and so POSTs under way at a time.
const CONNECTIONS: usize = 8;
/// What is expected in advance, to make rounds last about as long as asked for.
const GUESS: usize = 60_000;

/// One round: the gateway's load and the same messages published with nothing around.
#[derive(Debug)]
struct Round {
    load: Load,
    bare: f64,
    /// Events that the gateway had taken for each second of its own CPU time.
    per_core: f64,
    resident: f64,
    messages: usize,
    bytes: usize,
}

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let mut table = Table::default();
    let joined = sample.joined();
    let seconds = effort.seconds as usize;
    let always = rounds(&joined, Sync::Always, effort.rounds, GUESS * seconds);
    let resident = always.iter().map(|round| round.resident).fold(0.0, f64::max);
    let row = report(&mut table, &format!("POSTs of {BATCH} events, synced"), &always);
    table.push(row.bar(Bar::at_least(50_000.0)).bar(Bar::at_least(150_000.0).later()));
    let bar = Bar::below(SERVICE_MEMORY);
    table.push(Row::new("ingest's memory at its peak under that", resident, Unit::Mebibytes).bar(bar));

    let fewer = effort.rounds.div_ceil(2);
    let interval = rounds(&joined, Sync::Interval, fewer, GUESS * seconds);
    let row = report(&mut table, &format!("POSTs of {BATCH} events, synced every 2 min"), &interval);
    table.push(row.bar(Bar::at_least(250_000.0).later()));
    let sent = rounds(&sample.as_sent(), Sync::Always, fewer, GUESS / 4 * seconds);
    let row = report(&mut table, "lists as they were sent (92 events), synced", &sent);
    table.push(row);
    table.note(format!(
        "P = 1 stream, {CONNECTIONS} HTTPS connections with one POST under way on each, every event distinct; the limit is \
         the very messages that the gateway stored, published again with {CONNECTIONS} under way"
    ));
    table.note("the stream holds a whole round: both durables exist, no evaluator runs");
    table
}

/// Adds what is known about a load beside its rate, and makes the row of the rate.
fn report(table: &mut Table, what: &str, measured: &[Round]) -> Row {
    let rates = measured.iter().map(|round| round.load.rate()).collect();
    let bare = measured.iter().map(|round| round.load.events as f64 / round.bare).collect();
    let rounds = Rounds::of(vec![rates, bare, measured.iter().map(|round| round.per_core).collect()]);
    let latencies: Vec<f64> = measured.iter().flat_map(|round| round.load.latencies.iter().copied()).collect();
    let last = &measured[measured.len() - 1];
    let (least, most) = rounds.range(0);
    table.note(format!(
        "{what}: rounds from {least:.0} to {most:.0} events/s; a POST is answered in {:.0} ms (median), {:.0} ms (p99); \
         {:.0} events for each second of the gateway's own CPU time; a message has {} B, an event {} B of it",
        quantile(latencies.clone(), 0.5),
        quantile(latencies, 0.99),
        rounds.median(2),
        last.bytes / last.messages,
        last.bytes / last.load.events,
    ));
    Row::new(what, rounds.median(0), Unit::Events).against("bare publishing", rounds.median(1), rounds.ratio(0, 1))
}

/// The first round is thrown away: it warms the files.
fn rounds(shapes: &Shapes, sync: Sync, count: usize, events: usize) -> Vec<Round> {
    (0..=count).map(|seed| round(shapes, sync, events, seed as u32)).skip(1).collect()
}

fn round(shapes: &Shapes, sync: Sync, events: usize, seed: u32) -> Round {
    let runtime = runtime();
    let broker = Broker::start(&runtime, sync);
    let mut files = policy::shipped();
    files.push(policy::webhook("[]"));
    let rules = Rules::new(&files);
    let Gateway { service, url } = services::ingest(&broker.url(), &rules);
    let posts = shapes.make(events, seed);
    let before = cpu_of(service.id());
    let load = load::send(&runtime, &url, posts, CONNECTIONS);
    let cpu = cpu_of(service.id()) - before;
    let resident = peak_resident(service.id());
    assert_published(&service, load.events);
    drop(service);
    let messages = broker.messages(EVENTS);
    let bare = broker.publish_bare(&messages, CONNECTIONS);
    let bytes = messages.iter().map(crate::broker::Message::bytes).sum();
    let per_core = load.events as f64 / cpu.as_secs_f64();
    Round { load, bare, per_core, resident, messages: messages.len(), bytes }
}

/// A rate of events that were dropped on the way would be no rate.
fn assert_published(service: &Service, events: usize) {
    let published = service.metric("vedette_ingest_published_total", &[]);
    assert_eq!(published, events as f64, "not every event was published");
}
