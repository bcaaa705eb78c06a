//! A week of documents for questions to be asked of: the sample's shapes with other times, ids, names, users and addresses.
//!
//! Values are skewed as they are in clusters: a few names, users and addresses make most of the events, and one document
//! in eight is of an object that was never seen before, as pods and events are. The same number always makes the same
//! documents, so that a folder that was filled once serves later runs.

use std::ops::Range;

use memchr::memmem;
use vedette_audit::EventId;
use vedette_audit::document::Document;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use crate::broker::results;
use crate::sample::{BATCH, Sample};
use crate::subject::archiver;

/// The first microsecond: Monday, 2026-11-16.
pub(crate) const START: i64 = 1_794_787_200_000_000;
pub(crate) const DAYS: i64 = 7;
pub(crate) const DAY: i64 = 86_400_000_000;
/// Changes whenever the same number makes other documents.
pub(crate) const VERSION: u32 = 1;

const NAMES: u64 = 20_000;
const USERS: u64 = 2_000;
const ADDRESSES: u64 = 5_000;
const WORDS: [&str; 8] = [
    "payments-api",
    "Checkout-Web",
    "kube-proxy",
    "ledger",
    "mailer-system",
    "search-indexer",
    "gateway",
    "cron-report",
];

/// Documents to make others of.
pub(crate) struct Week {
    shapes: Vec<Shape>,
    events: u64,
}

struct Shape {
    document: Document,
    /// What is replaced in the JSON, in order, none in another.
    places: Vec<(Range<usize>, Part)>,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Id,
    AuditId,
    Time,
    Name,
    User,
    Address,
}

impl Week {
    pub(crate) fn new(sample: &Sample, events: u64) -> Self {
        let posts = sample.joined().make(sample.events.len() / BATCH * BATCH, 0);
        let documents = posts.iter().flat_map(|post| archiver::documents(&results(post)));
        Self { shapes: documents.map(Shape::new).collect(), events }
    }

    /// How many documents the week has.
    pub(crate) fn len(&self) -> u64 {
        self.events
    }

    /// One of them; they are in the order of time.
    pub(crate) fn document(&self, number: u64) -> Document {
        let random = |of: u64| xxh3_64_with_seed(&number.to_le_bytes(), of);
        // Neighbours are of different shapes and a shape's stages lie close together, as they do in the sample.
        let shape = &self.shapes[(number % self.shapes.len() as u64) as usize];
        let time = START + ((u128::from(number) * (DAYS * DAY) as u128) / u128::from(self.events)) as i64;
        let mut document = shape.document.clone();
        document.id = EventId::from_bytes(xxh3_128_with_seed(&number.to_le_bytes(), 1).to_be_bytes());
        document.time_micros = time;
        let fields = &mut document.fields;
        let digits = format!("{:032x}", xxh3_128_with_seed(&(number / 2).to_le_bytes(), 2));
        fields.audit_id = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-");
        if !fields.name.is_empty() {
            match random(3) % 8 {
                0 => fields.name = format!("{}-{:010x}", WORDS[(number % 8) as usize], random(4) >> 24),
                1..=4 => {
                    let rank = skewed(random(5), NAMES);
                    fields.name = format!("{}-{rank:05x}", WORDS[(rank % 8) as usize]);
                }
                _ => {}
            }
        }
        if random(6) % 2 == 0 {
            let rank = skewed(random(7), USERS);
            let user = format!("user-{rank}@Example.com");
            if fields.actor == fields.user {
                fields.actor.clone_from(&user);
            }
            fields.user = user;
        }
        let rank = skewed(random(8), ADDRESSES);
        let address = format!("10.{}.{}.{}", rank >> 16, (rank >> 8) & 255, rank & 255);
        if let Some(last) = fields.source_ips.last_mut() {
            last.clone_from(&address);
        }
        fields.source_ip = address;
        document.json = shape.json(&document);
        document
    }
}

/// A number below `limit`: each power of ten below it as often as the next.
fn skewed(random: u64, limit: u64) -> u64 {
    let part = random as f64 / u64::MAX as f64;
    ((limit as f64).powf(part) as u64).clamp(1, limit) - 1
}

impl Shape {
    fn new(document: Document) -> Self {
        let fields = &document.fields;
        let id = document.id.to_string();
        let parts = [
            (Part::Id, id.as_str()),
            (Part::AuditId, &fields.audit_id),
            (Part::Name, &fields.name),
            (Part::User, &fields.user),
            (Part::Address, &fields.source_ip),
        ];
        let mut places = Vec::new();
        for (part, text) in parts.iter().filter(|(_, text)| text.len() > 3) {
            let quoted = format!("\"{text}\"");
            let found = memmem::find_iter(&document.json, quoted.as_bytes());
            places.extend(found.map(|at| (at + 1..at + 1 + text.len(), *part)));
        }
        for key in ["\"RequestReceivedTimestamp\":\"", "\"StageTimestamp\":\"", "\"ReceivedTimestamp\":\""] {
            for at in memmem::find_iter(&document.json, key.as_bytes()) {
                let start = at + key.len();
                let length = document.json[start..].iter().position(|byte| *byte == b'"').unwrap_or(0);
                places.push((start..start + length, Part::Time));
            }
        }
        places.sort_by_key(|(range, _)| (range.start, range.end));
        let mut end = 0;
        places.retain(|(range, _)| {
            let apart = range.start >= end;
            if apart {
                end = range.end;
            }
            apart
        });
        Self { document, places }
    }

    fn json(&self, document: &Document) -> Vec<u8> {
        let old = &self.document.json;
        let mut json = Vec::with_capacity(old.len() + 64);
        let id = document.id.to_string();
        let time = time(document.time_micros);
        let mut done = 0;
        for (range, part) in &self.places {
            json.extend_from_slice(&old[done..range.start]);
            json.extend_from_slice(match part {
                Part::Id => id.as_bytes(),
                Part::AuditId => document.fields.audit_id.as_bytes(),
                Part::Time => time.as_bytes(),
                Part::Name => document.fields.name.as_bytes(),
                Part::User => document.fields.user.as_bytes(),
                Part::Address => document.fields.source_ip.as_bytes(),
            });
            done = range.end;
        }
        json.extend_from_slice(&old[done..]);
        json
    }
}

/// RFC 3339; the week lies within one month.
fn time(micros: i64) -> String {
    let within = micros - START;
    let (day, rest) = (16 + within / DAY, within % DAY);
    let (second, micro) = (rest / 1_000_000, rest % 1_000_000);
    format!("2026-11-{day}T{:02}:{:02}:{:02}.{micro:06}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use vedette_audit::Event;

    use super::{DAY, DAYS, START, Week, time};
    use crate::sample::Sample;

    #[test]
    fn documents_are_distinct_and_say_the_same_as_their_json() {
        assert_eq!(time(START + DAY + 3_723_000_004), "2026-11-17T01:02:03.000004Z");
        let week = Week::new(&Sample::read(), 20_000);
        let mut ids = HashSet::new();
        let mut last = START;
        for number in 0..week.len() {
            let document = week.document(number);
            assert!(ids.insert(document.id));
            assert!(document.time_micros >= last && document.time_micros < START + DAYS * DAY);
            last = document.time_micros;
            if number % 100 == 0 {
                let event = Event::parse(&document.json).expect("a document is an event");
                assert_eq!(event.audit_id(), document.fields.audit_id);
                let json = String::from_utf8_lossy(&document.json);
                assert!(json.contains(&time(document.time_micros)), "{json}");
            }
        }
    }
}
