//! Making a result fit into a message.
//!
//! A result is about as large as its batch, except where very many rules hold for very many events. Then the events that
//! weigh most in it are taken out and become dead letters: loud, counted, and in few rounds.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use prost::Message;
use vedette_proto::bus::v1::{AlertResult, ArchiveResult};

use crate::decide::{Culprit, Decided};

/// The most bytes that a result may have before it is compressed: half of what a reader unpacks.
const MAX_RAW: usize = vedette_bus::MAX_RAW_BYTES / 2;
/// The most bytes of a result as it is sent: what the broker takes, less room for headers.
const MAX_PACKED: usize = vedette_bus::MAX_PAYLOAD - 64 * 1024;

/// A result made of parts that belong to events.
pub(crate) trait Result: Message {
    /// The event of each part and the bytes that the part takes.
    fn parts(&self) -> Vec<(Bytes, usize)>;
    /// Takes the parts of these events out, and counts the events as dead letters.
    fn shed(&mut self, events: &HashSet<Bytes>);
}

/// Encodes what was decided, without what can't be sent; events that had to go are added to the culprits. `json` are the
/// batch's events by id.
pub(crate) fn pack<R: Result>(decided: &mut Decided<R>, json: impl Fn(&Bytes) -> Option<(usize, Bytes)>) -> Bytes {
    pack_within(decided, json, MAX_RAW, MAX_PACKED)
}

fn pack_within<R: Result>(
    decided: &mut Decided<R>,
    json: impl Fn(&Bytes) -> Option<(usize, Bytes)>,
    mut max_raw: usize,
    max_packed: usize,
) -> Bytes {
    loop {
        let raw = decided.result.encoded_len();
        if raw <= max_raw {
            let packed = vedette_bus::encode(&decided.result);
            let parts = decided.result.parts();
            if packed.len() <= max_packed || parts.is_empty() {
                return packed;
            }
            max_raw = raw / 2;
        }
        let heaviest = heaviest(&decided.result.parts(), raw.saturating_sub(max_raw));
        if heaviest.is_empty() {
            return vedette_bus::encode(&decided.result);
        }
        decided.result.shed(&heaviest);
        decided.culprits.extend(heaviest.iter().filter_map(&json).map(|(index, json)| Culprit {
            index,
            reason: "result_too_large",
            detail: "the event's part of the result does not fit into a message".to_owned(),
            json,
        }));
    }
}

/// The heaviest events, as many as weigh at least `excess` bytes.
fn heaviest(parts: &[(Bytes, usize)], excess: usize) -> HashSet<Bytes> {
    let mut weights: HashMap<&Bytes, usize> = HashMap::new();
    for (event, bytes) in parts {
        *weights.entry(event).or_default() += bytes;
    }
    let mut weights: Vec<(&Bytes, usize)> = weights.into_iter().collect();
    weights.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let mut shed = 0;
    let enough = weights.into_iter().take_while(|(_, bytes)| {
        let more = shed < excess;
        shed += bytes;
        more
    });
    enough.map(|(event, _)| event.clone()).collect()
}

impl Result for ArchiveResult {
    fn parts(&self) -> Vec<(Bytes, usize)> {
        self.matches.iter().map(|part| (part.id.clone(), part.encoded_len())).collect()
    }

    fn shed(&mut self, events: &HashSet<Bytes>) {
        let before = self.matches.len();
        self.matches.retain(|part| !events.contains(&part.id));
        let gone = (before - self.matches.len()) as u64;
        if let Some(counts) = &mut self.counts {
            counts.archived -= gone;
            counts.dead_lettered += gone;
        }
    }
}

impl Result for AlertResult {
    fn parts(&self) -> Vec<(Bytes, usize)> {
        self.alerts.iter().map(|part| (part.event_id.clone(), part.encoded_len())).collect()
    }

    fn shed(&mut self, events: &HashSet<Bytes>) {
        let before = self.alerts.len();
        self.alerts.retain(|part| !events.contains(&part.event_id));
        if let Some(counts) = &mut self.counts {
            counts.alerts -= (before - self.alerts.len()) as u64;
            counts.alerted -= events.len() as u64;
            counts.dead_lettered += events.len() as u64;
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

    #[test]
    fn what_fits_is_left_alone() {
        let matches = vec![ArchiveMatch { id: id(1), json: "{}".into(), rules: vec!["a.b".to_owned()] }];
        let counts = Some(ArchiveCounts { evaluated: 1, archived: 1, ..ArchiveCounts::default() });
        let result = ArchiveResult { matches, counts, ..ArchiveResult::default() };
        let mut decided = Decided { result: result.clone(), culprits: Vec::new(), mismatches: 0 };
        let packed = pack(&mut decided, |_| None);
        assert_eq!(vedette_bus::decode::<ArchiveResult>(&packed, 1 << 20).unwrap(), result);
        assert_eq!(decided.culprits, []);
    }

    #[test]
    fn the_heaviest_event_goes_first_and_is_counted() {
        let alert = |event, length| Alert { event_id: id(event), message: "m".repeat(length), ..Alert::default() };
        let counts = Some(AlertCounts { evaluated: 3, alerted: 2, alerts: 3, dead_lettered: 0 });
        let alerts = vec![alert(1, 10), alert(2, 600), alert(2, 600)];
        let result = AlertResult { alerts, counts, ..AlertResult::default() };
        let mut decided = Decided { result, culprits: Vec::new(), mismatches: 0 };
        let packed = pack_within(&mut decided, |id| Some((usize::from(id[0]), "{}".into())), 500, 1 << 20);
        let sent: AlertResult = vedette_bus::decode(&packed, 1 << 20).unwrap();
        assert_eq!(sent.alerts.iter().map(|alert| alert.event_id[0]).collect::<Vec<_>>(), [1]);
        assert_eq!(sent.counts.unwrap(), AlertCounts { evaluated: 3, alerted: 1, alerts: 1, dead_lettered: 1 });
        assert_eq!(decided.culprits.iter().map(|culprit| culprit.index).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_result_that_does_not_compress_is_cut_until_it_does() {
        let matches =
            (0..8).map(|n| ArchiveMatch { id: id(n), json: vec![n; 400].into(), rules: Vec::new() }).collect();
        let counts = Some(ArchiveCounts { evaluated: 8, archived: 8, ..ArchiveCounts::default() });
        let result = ArchiveResult { matches, counts, ..ArchiveResult::default() };
        let mut decided = Decided { result, culprits: Vec::new(), mismatches: 0 };
        pack_within(&mut decided, |id| Some((usize::from(id[0]), "{}".into())), 1 << 20, 1);
        assert_eq!(decided.result.counts.unwrap().dead_lettered, 8);
        assert_eq!(decided.culprits.len(), 8);
    }
}
