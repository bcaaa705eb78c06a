//! Deciding events: the rule engine on one thread, with the rules of [`sets`].

use std::hint::black_box;

use vedette_rules::{Policy, RuleSet, SourceFile};

use crate::Effort;
use crate::measure::{Rounds, median, per_core, thread_time};
use crate::sample::Sample;
use crate::sets;
use crate::table::{Bar, Row, Table, Unit, grouped};

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let events = &sample.events;
    let measured = [
        ("100 shared rules", sets::shared(100), 600_000.0),
        ("1,000 shared rules", sets::shared(1_000), 300_000.0),
        ("100 diverse rules", sets::diverse(100), 600_000.0),
        ("1,000 diverse rules", sets::diverse(1_000), 300_000.0),
    ];
    let compiled: Vec<RuleSet> =
        measured.iter().map(|(_, file, _)| sets::compile(std::slice::from_ref(file))).collect();
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
    for (index, (what, _, bar)) in measured.iter().enumerate() {
        let row = Row::new(format!("parse + {what}"), rounds.median(index + 1), Unit::EventsPerCore);
        let row = row.against("sonic-rs to a tree", rounds.median(0), rounds.ratio(index + 1, 0));
        table.push(row.bar(Bar::at_least(*bar)));
    }
    let files = [
        ("1,000 shared rules", sets::shared(1_000), Bar::below(20.0)),
        ("10,000 shared rules", sets::shared(10_000), Bar::below(200.0)),
        ("1,000 diverse rules", sets::diverse(1_000), Bar::below(20.0)),
        ("10,000 diverse rules", sets::diverse(10_000), Bar::below(200.0)),
    ];
    for (what, file, bar) in files {
        let time = compile_time(&file, effort.rounds);
        table.push(Row::new(format!("compiling {what}"), time, Unit::Milliseconds).bar(bar));
    }
    memory(&mut table);
    #[cfg(feature = "peers")]
    if let [ours, ..] = &compiled[..] {
        peers(events, ours, effort, &mut table);
    }
    table.note("every event is parsed and held against every rule; one thread, its own CPU time");
    table
}

/// The 100 shared rules against the same in VRL and CEL.
#[cfg(feature = "peers")]
fn peers(events: &[Vec<u8>], ours: &RuleSet, effort: &Effort, table: &mut Table) {
    use crate::peers::{Cel, Vrl};

    let (vrl, cel) = (Vrl::new(100), Cel::new(100));
    for event in events.iter().step_by(101) {
        let matched = ours.decide(event).expect("an event is one").matched.len();
        assert_eq!((vrl.decide(event), cel.decide(event)), (matched, matched), "the rules say the same everywhere");
    }
    // A slow engine must not make the benchmark endless: a share of the events does for it.
    let some: Vec<&Vec<u8>> = events.iter().step_by(16).collect();
    let over = |decide: &dyn Fn(&[u8]) -> usize| {
        per_core(|| {
            some.iter().for_each(|event| {
                black_box(decide(event));
            });
            some.len()
        })
    };
    let mut decide = || over(&|event| ours.decide(event).expect("an event is one").matched.len());
    let (mut by_vrl, mut by_cel) = (|| over(&|event| vrl.decide(event)), || over(&|event| cel.decide(event)));
    let rounds = Rounds::run(effort.rounds, &mut [&mut decide, &mut by_vrl, &mut by_cel]);
    for (index, what, bar) in [(1, "VRL", 20.0), (2, "cel-rust", 50.0)] {
        let row = Row::new("parse + 100 shared rules", rounds.median(0), Unit::EventsPerCore);
        table.push(row.against(what, rounds.median(index), rounds.ratio(0, index)).bar(Bar::ratio(bar)));
    }
}

/// What the compiled rules keep, as a program beside this one counts it.
fn memory(table: &mut Table) {
    let program = std::env::current_exe().expect("this program has a path").with_file_name("vedette-bench-memory");
    let output = std::process::Command::new(&program).output();
    let output = output.unwrap_or_else(|error| panic!("start {}: {error}", program.display()));
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let [set, count, bytes] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("three words: {line}") };
        let (count, bytes) = (count.parse().expect("a number"), bytes.parse().expect("a number"));
        table.push(Row::new(format!("memory of {} {set} rules", grouped(count)), bytes, Unit::BytesPerRule));
    }
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
