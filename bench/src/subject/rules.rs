//! Deciding events: the rule engine on one thread.

use std::hint::black_box;
use std::time::Instant;

use vedette_rules::{Policy, RuleSet, SourceFile};

use crate::Effort;
use crate::measure::{Rounds, median, per_core};
use crate::policy;
use crate::sample::Sample;
use crate::table::{Bar, Row, Table, Unit};

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let events = &sample.events;
    let sets = [
        ("100 rules of data/bench-rules.md", policy::shared(100), Some(600_000.0)),
        ("1,000 of them", policy::shared(1_000), Some(300_000.0)),
        ("100 rules that differ throughout", policy::diverse(100), None),
        ("1,000 that differ throughout", policy::diverse(1_000), None),
    ];
    let compiled: Vec<RuleSet> = sets.iter().map(|(_, file, _)| policy::compile(std::slice::from_ref(file))).collect();
    let mut dom = || {
        per_core(|| {
            for event in events {
                black_box(sonic_rs::from_slice::<sonic_rs::Value>(event).expect("an event is JSON"));
            }
            events.len()
        })
    };
    // A slow engine must not make the benchmark endless: a share of the events does for it.
    let some: Vec<&Vec<u8>> = events.iter().step_by(8).collect();
    let decide = |set: &RuleSet| {
        per_core(|| {
            for event in &some {
                black_box(set.decide(event).expect("an event is one"));
            }
            some.len()
        })
    };
    let mut subjects: Vec<Box<dyn FnMut() -> f64>> = vec![Box::new(&mut dom)];
    for set in &compiled {
        subjects.push(Box::new(|| decide(set)));
    }
    let mut subjects: Vec<&mut dyn FnMut() -> f64> =
        subjects.iter_mut().map(|subject| &mut **subject as &mut dyn FnMut() -> f64).collect();
    let rounds = Rounds::run(effort.rounds, &mut subjects);

    let mut table = Table::default();
    for (index, (what, _, bar)) in sets.iter().enumerate() {
        let row = Row::new(format!("parse + {what}"), rounds.median(index + 1), Unit::EventsPerCore);
        let row = row.against("sonic-rs to a tree", rounds.median(0), rounds.ratio(index + 1, 0));
        table.push(match bar {
            Some(bar) => row.bar(Bar::at_least(*bar).later()),
            None => row,
        });
    }
    for index in [1, 3] {
        let (what, file, _) = &sets[index];
        let time = compile_time(file, effort.rounds);
        table.push(Row::new(format!("compiling {what}"), time, Unit::Milliseconds).bar(Bar::below(20.0).later()));
    }
    table.note("every event is parsed and held against every rule; one thread, its own CPU time");
    table
}

/// Milliseconds from text to a rule set.
fn compile_time(file: &SourceFile, rounds: usize) -> f64 {
    let times = (0..rounds.max(3)).map(|_| {
        let start = Instant::now();
        black_box(Policy::build(std::slice::from_ref(file), 1)).expect("the rules compile");
        start.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}
