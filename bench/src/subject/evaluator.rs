//! Event messages in, results out.

use std::hint::black_box;

use crate::Effort;
use crate::broker::{Broker, EVENTS, Sync, runtime};
use crate::measure::{Rounds, peak_resident, per_core};
use crate::sample::{BATCH, Sample, Shapes};
use crate::services::{self, Rules, SERVICE_MEMORY};
use crate::table::{Bar, Row, Table, Unit};
use crate::{policy, sets};

/// Expected in advance, to make rounds last about as long as asked for.
const GUESS: usize = 40_000;

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let shapes = sample.joined();
    let mut files = policy::shipped();
    files.push(policy::webhook("[]"));
    let set = sets::compile(&files);
    let rules = Rules::new(&files);
    let (mut wall, mut cpu, mut alone, mut resident) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for seed in 0..effort.rounds {
        let (drained, memory) = round(&shapes, &rules, GUESS * effort.seconds as usize, seed as u32);
        wall.push(drained.rate);
        cpu.push(drained.per_core);
        resident = resident.max(memory);
        alone.push(per_core(|| {
            for event in &sample.events {
                black_box(set.decide(event).expect("an event is one"));
            }
            sample.events.len()
        }));
    }
    let rounds = Rounds::of(vec![wall, cpu, alone]);
    let mut table = Table::default();
    let row = Row::new("message in → both results out", rounds.median(1), Unit::EventsPerCore);
    let row = row.against("decide alone, once", rounds.median(2), rounds.ratio(1, 2));
    table.push(row.bar(Bar::at_least(200_000.0).later()));
    table.push(Row::new("the same by the wall clock, broker on the same cores", rounds.median(0), Unit::Events));
    let bar = Bar::below(SERVICE_MEMORY);
    table.push(Row::new("evaluator's memory at its peak", resident, Unit::Mebibytes).bar(bar));
    table.note(format!(
        "the shipped rules; messages of {BATCH} events; each message is taken, decided and answered twice: consumers archive and \
         alert; synced broker"
    ));
    table
}

fn round(shapes: &Shapes, rules: &Rules, events: usize, seed: u32) -> (crate::broker::Drained, f64) {
    let runtime = runtime();
    let broker = Broker::start(&runtime, Sync::Always);
    let messages = broker.fill(&shapes.make(events, seed));
    let service = services::evaluator(&broker.url(), rules);
    let drained = broker.drain(EVENTS, messages, BATCH as u64, &[service.id()]);
    (drained, peak_resident(service.id()))
}
