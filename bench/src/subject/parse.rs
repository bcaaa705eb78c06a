//! Reading events: what ingest does with every byte that arrives.

use std::hint::black_box;

use vedette_audit::Level;
use vedette_audit::document::Document;
use vedette_audit::event::Event;
use vedette_audit::list::{Cutter, Limits};

use crate::Effort;
use crate::measure::{Rounds, per_core};
use crate::sample::Sample;
use crate::table::{Row, Table, Unit};

const CLUSTER: &str = "default";
/// Bytes that a body is fed in, about what TLS hands on at a time.
const CHUNK: usize = 16 << 10;

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let posts = sample.joined().make(sample.events.len(), 1);
    let events = &sample.events;
    let mut out = Vec::with_capacity(64 << 10);
    let mut dom = || {
        per_core(|| {
            for event in events {
                black_box(sonic_rs::from_slice::<sonic_rs::Value>(event).expect("an event is JSON"));
            }
            events.len()
        })
    };
    let mut parse = || {
        per_core(|| {
            for event in events {
                black_box(Event::parse(event).expect("an event is one"));
            }
            events.len()
        })
    };
    let mut read = || {
        per_core(|| {
            for event in events {
                let event = Event::parse(event).expect("an event is one");
                out.clear();
                black_box(event.id(CLUSTER));
                black_box(event.rewrite(Level::RequestResponse, CLUSTER, &mut out));
            }
            events.len()
        })
    };
    let mut stripped = Vec::with_capacity(64 << 10);
    let mut bodies = || {
        per_core(|| {
            let mut count = 0;
            for post in &posts {
                let mut cutter = Cutter::new(Limits::default());
                for chunk in post.body.chunks(CHUNK) {
                    let cut = cutter.push(chunk, &mut |item| {
                        let event = Event::parse(item.bytes).expect("an event is one");
                        stripped.clear();
                        black_box(event.id(CLUSTER));
                        black_box(event.rewrite(Level::Metadata, CLUSTER, &mut stripped));
                        count += 1;
                    });
                    cut.expect("a POST is a list");
                }
                cutter.finish().expect("a POST is a whole list");
            }
            count
        })
    };
    let ids: Vec<_> = events.iter().map(|event| Event::parse(event).expect("an event is one").id(CLUSTER)).collect();
    let rules = ["archiving-rule.archiving".to_owned()];
    let mut documents = || {
        per_core(|| {
            for (event, id) in events.iter().zip(&ids) {
                black_box(Document::build(*id, event, &rules, 0).expect("an event is one"));
            }
            events.len()
        })
    };
    let rounds = Rounds::run(effort.rounds, &mut [&mut dom, &mut parse, &mut read, &mut bodies, &mut documents]);

    let mut table = Table::default();
    let peer = "sonic-rs to a tree";
    for (subject, what) in [
        (1, "Event::parse: every field we read, checked"),
        (2, "the same + identity + rewriting with bodies"),
        (3, "a POST cut in 16 KiB pieces + all that, without bodies"),
        (4, "Document::build: the record as it is stored"),
    ] {
        let row = Row::new(what, rounds.median(subject), Unit::EventsPerCore);
        table.push(row.against(peer, rounds.median(0), rounds.ratio(subject, 0)));
    }
    let rate = rounds.median(2) * sample.bytes() as f64 / events.len() as f64 / 1e6;
    table.note(format!(
        "parse + identity + rewriting reads {rate:.0} MB a second of one core; one thread, its own CPU time"
    ));
    table
}
