//! Deciding events: the rule engine on one thread.

use std::hint::black_box;

use vedette_rules::{Policy, RuleSet, SourceFile};

use crate::Effort;
use crate::measure::{Rounds, median, per_core, thread_time};
use crate::policy;
use crate::sample::Sample;
use crate::table::{Bar, Row, Table, Unit};

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let events = &sample.events;
    let sets = [
        ("100 rules of data/bench-rules.md", policy::shared(100), Some(600_000.0)),
        ("1,000 of them", policy::shared(1_000), Some(300_000.0)),
        ("100 rules that differ throughout", policy::diverse(100), Some(600_000.0)),
        ("1,000 that differ throughout", policy::diverse(1_000), Some(300_000.0)),
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
    let decide = |set: &RuleSet| {
        per_core(|| {
            for event in events {
                black_box(set.decide(event).expect("an event is one"));
            }
            events.len()
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
            Some(bar) => row.bar(Bar::at_least(*bar)),
            None => row,
        });
    }
    let compiled = [
        ("1,000 rules of data/bench-rules.md", policy::shared(1_000), 20.0),
        ("10,000 of them", policy::shared(10_000), 200.0),
        ("1,000 that differ throughout", policy::diverse(1_000), 20.0),
        ("10,000 that differ throughout", policy::diverse(10_000), 200.0),
    ];
    for (what, file, bar) in compiled {
        let time = compile_time(&file, effort.rounds);
        table.push(Row::new(format!("compiling {what}"), time, Unit::Milliseconds).bar(Bar::below(bar)));
    }
    table.note("every event is parsed and held against every rule; one thread, its own CPU time");
    table
}

/// Milliseconds of one thread's time from text to a rule set.
fn compile_time(file: &SourceFile, rounds: usize) -> f64 {
    let times = (0..rounds.max(3)).map(|_| {
        let start = thread_time();
        black_box(Policy::build(std::slice::from_ref(file), 1)).expect("the rules compile");
        (thread_time() - start).as_secs_f64() * 1e3
    });
    median(times.collect())
}
