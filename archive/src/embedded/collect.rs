//! What is gathered from the documents that match.

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, ColumnValues};
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

use super::schema::{AUDIT, ID_HIGH, TIME};
use crate::interval::Interval;
use crate::query::MAX_BUCKETS;

/// One value for each document.
pub(super) type Values<T> = Arc<dyn ColumnValues<T>>;

/// The first documents in the order of time and id, or the last ones.
pub(super) struct Top {
    pub(super) limit: usize,
    pub(super) newest_first: bool,
    /// Only what comes after this.
    pub(super) after: Option<Key>,
}

/// Time and the id's first half, such that what comes first is less.
pub(super) type Key = (u64, u64);

/// The key of a document.
pub(super) fn key(time_micros: i64, id_high: u64, newest_first: bool) -> Key {
    let time = time_micros as u64 ^ (1 << 63);
    if newest_first { (!time, !id_high) } else { (time, id_high) }
}

/// The time and the id's first half of a key.
pub(super) fn of_key((time, id_high): Key, newest_first: bool) -> (i64, u64) {
    let (time, id_high) = if newest_first { (!time, !id_high) } else { (time, id_high) };
    ((time ^ (1 << 63)) as i64, id_high)
}

pub(super) struct TopOfSegment {
    limit: usize,
    newest_first: bool,
    after: Option<Key>,
    segment: SegmentOrdinal,
    times: Values<i64>,
    ids: Values<u64>,
    /// The best so far, the last of them on top.
    heap: BinaryHeap<(Key, DocId)>,
}

impl Collector for Top {
    type Fruit = Vec<(Key, DocAddress)>;
    type Child = TopOfSegment;

    fn for_segment(&self, segment: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<TopOfSegment> {
        Ok(TopOfSegment {
            limit: self.limit,
            newest_first: self.newest_first,
            after: self.after,
            segment,
            times: reader.fast_fields().i64(TIME)?.first_or_default_col(0),
            ids: reader.fast_fields().u64(ID_HIGH)?.first_or_default_col(0),
            heap: BinaryHeap::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        let mut all: Vec<(Key, DocAddress)> = segments.into_iter().flatten().collect();
        all.sort_unstable();
        all.truncate(self.limit);
        Ok(all)
    }
}

impl SegmentCollector for TopOfSegment {
    type Fruit = Vec<(Key, DocAddress)>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let time_micros = self.times.get_val(doc);
        let (time, _) = key(time_micros, 0, self.newest_first);
        if self.heap.len() == self.limit && self.heap.peek().is_none_or(|((last, _), _)| time > *last) {
            return;
        }
        let key = key(time_micros, self.ids.get_val(doc), self.newest_first);
        if self.after.is_some_and(|after| key <= after) {
            return;
        }
        self.heap.push((key, doc));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    fn harvest(self) -> Self::Fruit {
        let segment = self.segment;
        self.heap.into_iter().map(|(key, doc)| (key, DocAddress::new(segment, doc))).collect()
    }
}

/// How many documents fall into each interval; `None` for more than [`MAX_BUCKETS`] of them.
pub(super) struct Histogram {
    pub(super) interval: Interval,
}

pub(super) struct HistogramOfSegment {
    interval: Interval,
    times: Values<i64>,
    /// The bucket of the document before, milliseconds: where it begins, where it ends, how many fell into it.
    last: (i64, i64, u64),
    counts: Option<HashMap<i64, u64>>,
}

impl Collector for Histogram {
    type Fruit = Option<HashMap<i64, u64>>;
    type Child = HistogramOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<HistogramOfSegment> {
        Ok(HistogramOfSegment {
            interval: self.interval,
            times: reader.fast_fields().i64(TIME)?.first_or_default_col(0),
            last: (0, 0, 0),
            counts: Some(HashMap::new()),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        let mut all = HashMap::new();
        for segment in segments {
            let Some(counts) = segment else { return Ok(None) };
            for (time_ms, count) in counts {
                *all.entry(time_ms).or_default() += count;
            }
            if all.len() > MAX_BUCKETS {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }
}

impl HistogramOfSegment {
    fn put_away(&mut self) {
        let (start, _, count) = self.last;
        let Some(counts) = self.counts.as_mut().filter(|_| count > 0) else { return };
        *counts.entry(start).or_default() += count;
        if counts.len() > MAX_BUCKETS {
            self.counts = None;
        }
    }
}

impl SegmentCollector for HistogramOfSegment {
    type Fruit = Option<HashMap<i64, u64>>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let time_ms = self.times.get_val(doc).div_euclid(1_000);
        let (start, end, _) = self.last;
        if !(start..end).contains(&time_ms) {
            self.put_away();
            let start = self.interval.floor(time_ms);
            self.last = (start, self.interval.next(start), 0);
        }
        self.last.2 += 1;
    }

    fn harvest(mut self) -> Self::Fruit {
        self.put_away();
        self.counts
    }
}

/// The hashes of the audit ids, sorted, each once for each segment, and how many documents there are.
pub(super) struct AuditIds;

pub(super) struct AuditIdsOfSegment {
    hashes: Column<u64>,
    found: Vec<u64>,
    documents: u64,
    /// How many hashes to gather before the doubles among them are dropped.
    sort_at: usize,
}

impl Collector for AuditIds {
    type Fruit = (u64, Vec<u64>);
    type Child = AuditIdsOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<AuditIdsOfSegment> {
        Ok(AuditIdsOfSegment {
            hashes: reader.fast_fields().u64(AUDIT)?,
            found: Vec::new(),
            documents: 0,
            sort_at: 1 << 16,
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<(u64, Vec<u64>)>) -> tantivy::Result<(u64, Vec<u64>)> {
        let (mut documents, mut all) = (0, Vec::new());
        for (count, found) in segments {
            documents += count;
            all.extend(found);
        }
        distinct(&mut all);
        Ok((documents, all))
    }
}

impl SegmentCollector for AuditIdsOfSegment {
    type Fruit = (u64, Vec<u64>);

    fn collect(&mut self, doc: DocId, _: Score) {
        self.documents += 1;
        self.found.extend(self.hashes.first(doc));
        if self.found.len() == self.sort_at {
            distinct(&mut self.found);
            self.sort_at = (self.found.len() * 2).max(1 << 16);
        }
    }

    fn harvest(mut self) -> Self::Fruit {
        distinct(&mut self.found);
        (self.documents, self.found)
    }
}

pub(super) fn distinct(values: &mut Vec<u64>) {
    values.sort_unstable();
    values.dedup();
}
