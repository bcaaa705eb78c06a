//! Making a result fit into a message.
//!
//! While a batch is decided, [`Room`] bounds what its result holds: a small batch may have millions of alerts where very
//! many rules hold. What is within that bound and still too large when it is compressed loses the events that weigh most
//! in it. Either way they become dead letters: loud, and counted.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use vedette_proto::bus::v1::{AlertResult, ArchiveResult};

use crate::decide::{self, Decided};

/// The most bytes that the parts of a result may have before it is compressed: half of what a reader unpacks, so that the
/// rest of the message always fits too.
pub(crate) const MAX_RAW: usize = vedette_bus::MAX_RAW_BYTES / 2;
/// The most bytes of a result as it is sent: what the broker takes, less room for headers.
const MAX_PACKED: usize = vedette_bus::MAX_PAYLOAD - 64 * 1024;

/// What is left of the bytes that a result may have.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes so many bytes, or nothing where they are not left.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// The bytes that a part adds to a result.
pub(crate) fn size(part: &impl Message) -> usize {
    let bytes = part.encoded_len();
    1 + prost::length_delimiter_len(bytes) + bytes
}

/// A result made of parts that belong to events.
pub(crate) trait Result: Message {
    /// The bytes of each part.
    fn sizes(&self) -> Vec<usize>;
    /// Takes out the parts that are `gone`, and counts these `events` as dead letters.
    fn shed(&mut self, gone: &[bool], events: u64);
}

/// Encodes what was decided, without what can't be sent; events that had to go are added to the culprits. `json` is the
/// event at a place of the batch.
pub(crate) fn pack<R: Result>(decided: &mut Decided<R>, json: impl Fn(usize) -> Option<Bytes>) -> Bytes {
    pack_within(decided, json, MAX_PACKED)
}

fn pack_within<R: Result>(decided: &mut Decided<R>, json: impl Fn(usize) -> Option<Bytes>, max_packed: usize) -> Bytes {
    loop {
        let packed = vedette_bus::encode(&decided.result);
        if packed.len() <= max_packed || decided.places.is_empty() {
            return packed;
        }
        let heaviest = heaviest(&decided.places, &decided.result.sizes());
        let gone: Vec<bool> = decided.places.iter().map(|place| heaviest.contains(place)).collect();
        decided.result.shed(&gone, heaviest.len() as u64);
        decided.places.retain(|place| !heaviest.contains(place));
        let events = heaviest.into_iter().filter_map(|place| Some((place, json(place)?)));
        decided.culprits.extend(events.map(|(place, json)| decide::too_large(place, &json)));
    }
}

/// The heaviest events, as many as weigh at least half of all.
fn heaviest(places: &[usize], sizes: &[usize]) -> BTreeSet<usize> {
    let mut weights: BTreeMap<usize, usize> = BTreeMap::new();
    for (place, bytes) in places.iter().zip(sizes) {
        *weights.entry(*place).or_default() += bytes;
    }
    let excess = sizes.iter().sum::<usize>() / 2;
    let mut weights: Vec<(usize, usize)> = weights.into_iter().collect();
    weights.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let mut shed = 0;
    let enough = weights.into_iter().take_while(|(_, bytes)| {
        let more = shed <= excess;
        shed += bytes;
        more
    });
    enough.map(|(place, _)| place).collect()
}

/// Keeps the parts that are not `gone`; gives how many went.
fn retain<T>(parts: &mut Vec<T>, gone: &[bool]) -> u64 {
    let before = parts.len();
    let mut gone = gone.iter();
    parts.retain(|_| gone.next() != Some(&true));
    (before - parts.len()) as u64
}

impl Result for ArchiveResult {
    fn sizes(&self) -> Vec<usize> {
        self.matches.iter().map(size).collect()
    }

    fn shed(&mut self, gone: &[bool], events: u64) {
        retain(&mut self.matches, gone);
        if let Some(counts) = &mut self.counts {
            counts.archived -= events;
            counts.dead_lettered += events;
        }
    }
}

impl Result for AlertResult {
    fn sizes(&self) -> Vec<usize> {
        self.alerts.iter().map(size).collect()
    }

    fn shed(&mut self, gone: &[bool], events: u64) {
        let alerts = retain(&mut self.alerts, gone);
        if let Some(counts) = &mut self.counts {
            counts.alerts -= alerts;
            counts.alerted -= events;
            counts.dead_lettered += events;
        }
    }
}

#[cfg(test)]
mod tests {
    use vedette_proto::bus::v1::{Alert, AlertCounts, ArchiveCounts, ArchiveMatch};

    use super::*;

    fn id(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 16])
    }

    /// Text that does not compress.
    fn noise(bytes: u32, seed: u32) -> String {
        let step = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(char::from(b'!' + u8::try_from((*state >> 24) % 90).unwrap()))
        };
        std::iter::repeat_n((), bytes as usize).scan(seed, |state, ()| step(state)).collect()
    }

    fn places(culprits: &[decide::Culprit]) -> Vec<usize> {
        culprits.iter().map(|culprit| culprit.index).collect()
    }

    #[test]
    fn room_is_taken_until_there_is_no_more() {
        let mut room = Room::new(10);
        assert_eq!([6, 5, 4, 1].map(|bytes| room.take(bytes)), [true, false, true, false]);
    }

    #[test]
    fn a_part_is_as_large_as_it_makes_the_message() {
        for length in [0, 1, 100, 200, 20_000] {
            let part = Alert { message: "m".repeat(length), ..Alert::default() };
            let result = AlertResult { alerts: vec![part.clone()], ..AlertResult::default() };
            assert_eq!(size(&part), result.encoded_len());
        }
    }

    #[test]
    fn what_fits_is_left_alone() {
        let matches = vec![ArchiveMatch { id: id(1), json: "{}".into(), rules: vec!["a.b".to_owned()] }];
        let counts = Some(ArchiveCounts { evaluated: 1, archived: 1, ..ArchiveCounts::default() });
        let result = ArchiveResult { matches, counts, ..ArchiveResult::default() };
        let mut decided = Decided { result: result.clone(), places: vec![0], culprits: Vec::new(), mismatches: 0 };
        let packed = pack(&mut decided, |_| None);
        assert_eq!(vedette_bus::decode::<ArchiveResult>(&packed, 1 << 20).unwrap(), result);
        assert_eq!(decided.culprits, []);
    }

    /// The first two events are the same one twice: they go together or not at all, and each is counted.
    #[test]
    fn the_heaviest_events_go_first_and_each_is_counted() {
        let alert =
            |event, length| Alert { event_id: id(event), message: noise(length, u32::from(event)), ..Alert::default() };
        let counts = Some(AlertCounts { evaluated: 4, alerted: 3, alerts: 5, ..AlertCounts::default() });
        let alerts = vec![alert(2, 600), alert(3, 600), alert(2, 600), alert(3, 600), alert(1, 10)];
        let result = AlertResult { alerts, counts, ..AlertResult::default() };
        let mut decided = Decided { result, places: vec![0, 0, 1, 1, 3], culprits: Vec::new(), mismatches: 0 };
        let packed = pack_within(&mut decided, |_| Some("{}".into()), 500);
        let sent: AlertResult = vedette_bus::decode(&packed, 1 << 20).unwrap();
        assert_eq!(sent.alerts.iter().map(|alert| alert.event_id[0]).collect::<Vec<_>>(), [1]);
        assert_eq!(
            sent.counts.unwrap(),
            AlertCounts { evaluated: 4, alerted: 1, alerts: 1, dead_lettered: 2, ..AlertCounts::default() }
        );
        assert_eq!((places(&decided.culprits), decided.places), (vec![0, 1], vec![3]));
    }

    #[test]
    fn a_result_that_does_not_compress_is_cut_until_it_does() {
        let matches =
            (0..8).map(|n| ArchiveMatch { id: id(n), json: vec![n; 400].into(), rules: Vec::new() }).collect();
        let counts = Some(ArchiveCounts { evaluated: 8, archived: 8, ..ArchiveCounts::default() });
        let result = ArchiveResult { matches, counts, ..ArchiveResult::default() };
        let mut decided = Decided { result, places: (0..8).collect(), culprits: Vec::new(), mismatches: 0 };
        pack_within(&mut decided, |_| Some("{}".into()), 1);
        assert_eq!(decided.result.counts.unwrap().dead_lettered, 8);
        assert_eq!(decided.culprits.len(), 8);
    }
}
