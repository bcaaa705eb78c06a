//! What is gathered from the documents that match.

use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, ColumnIndex, ColumnValues};
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

use super::schema::{ID_HIGH, TIME};
use crate::interval::Interval;
use crate::query::MAX_BUCKETS;

/// One value for each document.
pub(super) type Values<T> = Arc<dyn ColumnValues<T>>;

/// The times of a segment's documents, which all have one.
pub(super) fn times(reader: &SegmentReader) -> tantivy::Result<Values<i64>> {
    Ok(all(reader.fast_fields().i64(TIME)?, 0))
}

/// The values of a column that has one for each document; a column of another kind is read the long way.
fn all<T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static>(column: Column<T>, without: T) -> Values<T> {
    match column.index {
        ColumnIndex::Full => column.values,
        _ => column.first_or_default_col(without),
    }
}

/// The first documents in the order of time and id, or the last ones.
#[derive(Clone)]
pub(super) struct Top {
    pub(super) limit: usize,
    pub(super) newest_first: bool,
    /// Only what comes after this.
    pub(super) after: Option<Key>,
    /// The time, as in a key, that is certain to be none of the first: as many documents as asked for are at it or before
    /// it. It is shared by the segments, so that the second looks only for what is better than the first has.
    pub(super) bound: Arc<AtomicU64>,
}

impl Top {
    pub(super) fn new(limit: usize, newest_first: bool, after: Option<Key>) -> Self {
        Self { limit, newest_first, after, bound: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Whether documents of these times can be among the first. Both times are of the segment's own documents.
    pub(super) fn wants(&self, first_micros: i64, last_micros: i64) -> bool {
        let (best, worst) = if self.newest_first { (last_micros, first_micros) } else { (first_micros, last_micros) };
        let time = |micros| key(micros, 0, self.newest_first).0;
        time(best) <= self.bound.load(Ordering::Relaxed) && self.after.is_none_or(|(after, _)| after <= time(worst))
    }
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
    bound: Arc<AtomicU64>,
    times: Values<i64>,
    ids: Values<u64>,
    moments: Vec<i64>,
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
            bound: Arc::clone(&self.bound),
            times: times(reader)?,
            ids: all(reader.fast_fields().u64(ID_HIGH)?, 0),
            moments: Vec::new(),
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

impl TopOfSegment {
    /// The latest time in the order that is still looked for.
    fn limit(&self) -> u64 {
        let own =
            if self.heap.len() < self.limit { u64::MAX } else { self.heap.peek().map_or(0, |((time, _), _)| *time) };
        own.min(self.bound.load(Ordering::Relaxed))
    }

    fn add(&mut self, doc: DocId, time_micros: i64) {
        let key = key(time_micros, self.ids.get_val(doc), self.newest_first);
        if self.after.is_some_and(|after| key <= after) {
            return;
        }
        self.heap.push((key, doc));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
        if self.heap.len() == self.limit
            && let Some(((last, _), _)) = self.heap.peek()
        {
            self.bound.fetch_min(*last, Ordering::Relaxed);
        }
    }
}

impl SegmentCollector for TopOfSegment {
    type Fruit = Vec<(Key, DocAddress)>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.collect_block(&[doc]);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        let mut moments = std::mem::take(&mut self.moments);
        moments.resize(docs.len(), 0);
        self.times.get_vals(docs, &mut moments);
        let mut limit = self.limit();
        for (doc, time_micros) in docs.iter().zip(&moments) {
            if key(*time_micros, 0, self.newest_first).0 <= limit {
                self.add(*doc, *time_micros);
                limit = self.limit();
            }
        }
        self.moments = moments;
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
    moments: Vec<i64>,
    /// The bucket of the document before: its beginning in milliseconds, its microseconds, how many fell into it.
    last: (i64, Range<i64>, u64),
    counts: Option<HashMap<i64, u64>>,
}

impl Collector for Histogram {
    type Fruit = Option<HashMap<i64, u64>>;
    type Child = HistogramOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<HistogramOfSegment> {
        Ok(HistogramOfSegment {
            interval: self.interval,
            times: times(reader)?,
            moments: Vec::new(),
            last: (0, 0..0, 0),
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
        let (start, _, count) = self.last.clone();
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
        self.collect_block(&[doc]);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        let mut moments = std::mem::take(&mut self.moments);
        moments.resize(docs.len(), 0);
        self.times.get_vals(docs, &mut moments);
        for time in &moments {
            if !self.last.1.contains(time) {
                self.put_away();
                let start = self.interval.floor(time.div_euclid(1_000));
                let micros = |ms: i64| ms.saturating_mul(1_000);
                self.last = (start, micros(start)..micros(self.interval.next(start)), 0);
            }
            self.last.2 += 1;
        }
        self.moments = moments;
    }

    fn harvest(mut self) -> Self::Fruit {
        self.put_away();
        self.counts
    }
}
