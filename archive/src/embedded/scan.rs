//! One question of every segment that can have an answer, two segments at a time.
//!
//! Each segment's own span of time decides what is asked of it: nothing where the range misses it, the filter alone where it
//! lies within, and the time too only where the range cuts it. Segments hold what came together, so that few are cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tantivy::collector::Collector;
use tantivy::query::{EnableScoring, Weight};
use tantivy::{Searcher, SegmentReader};

use super::compile::Compiled;
use super::days::{Days, engine};
use super::schema::TIME;
use super::stop::Stop;
use crate::error::ArchiveError;
use crate::query::Query;

/// Threads of one question. More would make a few questions together starve whoever writes.
const THREADS: usize = 2;
/// Documents below which a second thread costs more than it saves.
const SMALL: u64 = 10_000;

/// A segment, and what is asked of it.
pub(super) struct Part {
    stop: Stop,
    pub(super) searcher: Searcher,
    pub(super) segment: u32,
    pub(super) weight: Arc<dyn Weight>,
    /// Every document of the segment matches.
    pub(super) whole: bool,
    /// The times of its first and of its last document, in microseconds.
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Part {
    pub(super) fn reader(&self) -> &SegmentReader {
        self.searcher.segment_reader(self.segment)
    }

    /// How many documents match.
    pub(super) fn count(&self) -> tantivy::Result<u64> {
        if self.whole {
            return Ok(u64::from(self.reader().num_docs()));
        }
        self.weight.count(self.reader()).map(u64::from)
    }
}

/// The segments that can have documents of the query's time, by day.
pub(super) fn parts(days: &Days, query: &Query, compiled: &Compiled) -> Result<Vec<Part>, ArchiveError> {
    let stop = &compiled.stop;
    let failed = |error| engine("search a day", error);
    let mut parts = Vec::new();
    for (_, index) in days.within(query.start_micros, query.end_micros)? {
        let searcher = index.searcher();
        let weigh = |timed: bool| -> Result<Arc<dyn Weight>, ArchiveError> {
            let clause = compiled.clause(timed);
            clause.weight(EnableScoring::disabled_from_searcher(&searcher)).map(Arc::from).map_err(failed)
        };
        let (mut plain, mut timed) = (None, None);
        for (segment, reader) in (0..).zip(searcher.segment_readers()) {
            let times = reader.fast_fields().i64(TIME).map_err(failed)?;
            let (first, last) = (times.min_value(), times.max_value());
            let after = query.start_micros.is_none_or(|start| start <= first);
            let before = query.end_micros.is_none_or(|end| last <= end);
            if query.start_micros.is_some_and(|start| last < start) || query.end_micros.is_some_and(|end| end < first) {
                continue;
            }
            let slot = if after && before { &mut plain } else { &mut timed };
            let weight = match slot {
                Some(weight) => Arc::clone(weight),
                None => Arc::clone(slot.insert(weigh(!(after && before))?)),
            };
            let whole = after && before && compiled.everything && !reader.has_deletes();
            parts.push(Part { stop: stop.clone(), searcher: searcher.clone(), segment, weight, whole, first, last });
        }
    }
    Ok(parts)
}

/// What the work makes of each part, in the order of the parts; they are begun in that order.
pub(super) fn each<T: Send>(
    parts: &[Part],
    work: impl Fn(&Part) -> tantivy::Result<T> + Sync,
) -> Result<Vec<T>, ArchiveError> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(at) else { return Ok(done) };
            match part.stop.check().and_then(|()| work(part)) {
                Ok(made) => done.push((at, made)),
                Err(error) => {
                    // Whoever works beside stops as well.
                    next.store(parts.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    let documents: u64 = parts.iter().map(|part| u64::from(part.reader().max_doc())).sum();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let more = if documents < SMALL { 0 } else { THREADS.min(cores).min(parts.len()).saturating_sub(1) };
    let mut all = thread::scope(|scope| {
        // Where no thread can be had, this one does it all.
        let others: Vec<_> = (0..more).filter_map(|_| thread::Builder::new().spawn_scoped(scope, take).ok()).collect();
        let mut all = take().map_err(|error| engine("search a day", error))?;
        for other in others {
            let done = other.join().map_err(|_| ArchiveError::unavailable("a search broke down".to_owned()))?;
            all.extend(done.map_err(|error| engine("search a day", error))?);
        }
        Ok(all)
    })?;
    all.sort_unstable_by_key(|(at, _)| *at);
    Ok(all.into_iter().map(|(_, made)| made).collect())
}

/// What a collector makes of all the parts.
pub(super) fn gather<C: Collector>(parts: &[Part], collector: &C) -> Result<C::Fruit, ArchiveError> {
    let found = each(parts, |part| collector.collect_segment(part.weight.as_ref(), part.segment, part.reader()))?;
    collector.merge_fruits(found).map_err(|error| engine("search a day", error))
}
