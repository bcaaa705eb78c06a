//! The embedded engine: Tantivy, one index for each UTC day of the events' own time.
//!
//! ```text
//! <dir>/LOCK          held by the one process that writes
//! <dir>/2026-11-22/   the index of that day
//! ```
//!
//! Days are disjoint in time. So retention drops directories, a query opens only the days of its range and filters by time
//! only in the two that the range cuts, and a sorted page is read from one day after the other.
//!
//! Searching is blocking work on memory-mapped files and runs on tokio's blocking threads; writing is one call at a time.

mod collect;
mod compile;
mod days;
mod distinct;
mod filter;
mod group;
mod lock;
mod scan;
mod schema;
mod source;
mod stop;
mod together;
mod walk;
mod writer;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tantivy::TantivyDocument;
use tantivy::collector::{Collector, Count};
use tantivy::schema::Value;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use vedette_audit::identity::EventId;

use crate::by::{self, By, largest};
use crate::config::{EmbeddedConfig, Mode};
use crate::day::Day;
use crate::error::{ArchiveError, OpenError, page_too_large, too_many_buckets, too_many_groups};
use crate::query::{Cursor, CursorKey, MAX_FACETS, MAX_PAGE_BYTES};
use crate::{
    Archive, BatchReport, Bucket, DaySize, Facet, Group, Groups, Health, Hits, Interval, Page, Purged, Query,
    Statistics, WriteBatch,
};

use collect::{Histogram, Top};
use compile::Compiled;
use days::{DayIndex, Days, engine};
use distinct::AuditIds;
use group::{Facets, Grouped, Tally};
use schema::{Slots, high};
use stop::Stop;
use writer::Writer;

/// Questions that are answered at a time: each takes up to two threads.
const READERS: usize = 4;

pub(crate) struct Embedded {
    days: Arc<Days>,
    slots: Slots,
    /// Questions that are answered at a time; others wait.
    readers: Arc<Semaphore>,
    /// None where it is open for reading alone.
    writer: Option<tokio::sync::Mutex<Writer>>,
    /// What the last write failed with, if it did.
    trouble: Mutex<Option<String>>,
}

impl Embedded {
    pub(crate) async fn open(config: &EmbeddedConfig, mode: Mode) -> Result<Self, OpenError> {
        let config = config.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let lock = (mode == Mode::Write).then(|| Writer::lock(&config.dir)).transpose()?;
            let days = Arc::new(Days::open(&config.dir, mode).map_err(OpenError::Engine)?);
            let writer = lock.map(|lock| tokio::sync::Mutex::new(Writer::new(&config, lock, Arc::clone(&days))));
            let readers = Arc::new(Semaphore::new(READERS));
            Ok(Self { days, slots: schema::schema().1, readers, writer, trouble: Mutex::new(None) })
        });
        opened.await.map_err(|error| OpenError::Engine(ArchiveError::unavailable_by("opening was given up", error)))?
    }

    fn writer(&self) -> Result<&tokio::sync::Mutex<Writer>, ArchiveError> {
        self.writer.as_ref().ok_or_else(|| ArchiveError::refused("it is open for reading alone"))
    }

    fn note<T>(&self, result: &Result<T, ArchiveError>) {
        let trouble = result.as_ref().err().map(ToString::to_string);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Runs a query's work on a blocking thread. It leaves off when this is dropped, and keeps its place until it has.
    async fn read<T: Send + 'static>(
        &self,
        query: &Query,
        work: impl FnOnce(&Days, &Slots, &Query, &Compiled) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        query.check()?;
        let (days, slots, query) = (Arc::clone(&self.days), self.slots.clone(), query.clone());
        let place = Arc::clone(&self.readers).acquire_owned().await;
        let place = place.map_err(|error| ArchiveError::unavailable_by("the search was given up", error))?;
        let stop = Stop::default();
        let _asking = stop.on_drop();
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            let compiled = Compiled::new(&query, &slots, &stop)?;
            work(&days, &slots, &query, &compiled)
        });
        done.await.map_err(|error| ArchiveError::unavailable_by("the search was given up", error))?
    }
}

#[async_trait]
impl Archive for Embedded {
    async fn write(&self, batches: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError> {
        let mut writer = self.writer()?.lock().await;
        let written = blocking(|| writer.write(batches));
        self.note(&written);
        written
    }

    async fn search(&self, query: &Query, page: &Page) -> Result<Hits, ArchiveError> {
        page.check()?;
        let page = page.clone();
        self.read(query, move |days, slots, query, compiled| search(days, slots, query, compiled, &page)).await
    }

    async fn statistics(&self, query: &Query) -> Result<Statistics, ArchiveError> {
        self.read(query, |days, _, query, compiled| {
            let ids = AuditIds::new();
            let events = scan::gather(&scan::parts(days, query, compiled)?, &ids)?;
            Ok(Statistics { resources: ids.number(), events })
        })
        .await
    }

    async fn histogram(&self, query: &Query, interval: Interval) -> Result<Vec<Bucket>, ArchiveError> {
        self.read(query, move |days, _, query, compiled| {
            let found = scan::gather(&scan::parts(days, query, compiled)?, &Histogram { interval })?;
            let buckets: BTreeMap<i64, u64> = found.ok_or_else(too_many_buckets)?.into_iter().collect();
            Ok(buckets.into_iter().map(|(time_ms, count)| Bucket { time_ms, count }).collect())
        })
        .await
    }

    async fn facets(&self, query: &Query, by: &[By], limit: usize) -> Result<Vec<Facet>, ArchiveError> {
        by::check(by, MAX_FACETS, limit)?;
        let by = by.to_vec();
        self.read(query, move |days, _, query, compiled| {
            let facets = Facets { by: &by };
            let found = scan::each(&scan::parts(days, query, compiled)?, |part| {
                if part.whole {
                    return Ok(facets.of_whole(part.reader()));
                }
                facets.collect_segment(part.weight.as_ref(), part.segment, part.reader())
            })?;
            let counted = facets.merge_fruits(found).map_err(|error| engine("search a day", error))?;
            let counted = counted.ok_or_else(too_many_groups)?;
            Ok(counted.into_iter().map(|values| facet(values, limit)).collect())
        })
        .await
    }

    async fn group(&self, query: &Query, by: &[By], limit: usize) -> Result<Groups, ArchiveError> {
        by::check(by, 2, limit)?;
        let by = by.to_vec();
        self.read(query, move |days, _, query, compiled| {
            let found = scan::gather(&scan::parts(days, query, compiled)?, &Grouped { by: &by })?;
            let tallied = found.ok_or_else(too_many_groups)?;
            let rows = tallied.into_iter().map(|(values, Tally { count, first, last })| Group {
                values,
                count,
                first_micros: first,
                last_micros: last,
            });
            Ok(largest(rows.collect(), limit))
        })
        .await
    }

    async fn count(&self, query: &Query) -> Result<u64, ArchiveError> {
        self.read(query, |days, _, query, compiled| {
            let counts = scan::each(&scan::parts(days, query, compiled)?, scan::Part::count)?;
            Ok(counts.into_iter().sum())
        })
        .await
    }

    async fn purge(&self, older_than_micros: i64) -> Result<Purged, ArchiveError> {
        let mut writer = self.writer()?.lock().await;
        let (days, events) = blocking(|| writer.purge(older_than_micros))?;
        Ok(Purged { days, events })
    }

    async fn trim(&self) -> Result<Purged, ArchiveError> {
        let mut writer = self.writer()?.lock().await;
        let (days, events) = blocking(|| writer.trim())?;
        Ok(Purged { days, events })
    }

    async fn warnings(&self) -> Vec<String> {
        match self.days.others().len() {
            0 => Vec::new(),
            1 => vec!["1 day was made by another version and is not shown".to_owned()],
            days => vec![format!("{days} days were made by another version and are not shown")],
        }
    }

    async fn health(&self) -> Health {
        if self.writer.is_none()
            && let Err(error) = blocking(|| self.days.refresh())
        {
            return Health { ready: false, detail: error.to_string() };
        }
        let warnings = self.warnings().await;
        match &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(trouble) => Health { ready: false, detail: trouble.clone() },
            None => Health::ready("embedded", &warnings),
        }
    }

    async fn days(&self) -> Result<Vec<DaySize>, ArchiveError> {
        self.read(&Query::default(), |days, _, _, _| {
            let open = days.within(None, None)?;
            let size = |(day, index): &(Day, Arc<DayIndex>)| {
                let events = index.searcher().num_docs();
                Ok(DaySize { start_micros: day.start_micros(), events, bytes: days.bytes_of(*day)? })
            };
            open.iter().map(size).collect()
        })
        .await
    }
}

/// Reads a page. The segments are asked in the order of the page, and each asked alone for what is better than what
/// was found so far; one that can't have it is only counted, if at all.
fn search(days: &Days, slots: &Slots, query: &Query, compiled: &Compiled, page: &Page) -> Result<Hits, ArchiveError> {
    let failed = |error| engine("search a day", error);
    let mut parts = scan::parts(days, query, compiled)?;
    if page.newest_first {
        parts.sort_by_key(|part| Reverse(part.last));
    } else {
        parts.sort_by_key(|part| part.first);
    }
    let after = page.after.as_ref().map(|cursor| (cursor.time_micros(), cursor_high(cursor)));
    let after = after.map(|(time, id_high)| collect::key(time, id_high, page.newest_first));
    let limit = usize::try_from(page.from + page.size).unwrap_or(usize::MAX);
    let top = Top::new(limit, page.newest_first, after);
    let found = scan::each(&parts, |part| {
        let (weight, segment, reader) = (part.weight.as_ref(), part.segment, part.reader());
        if page.size == 0 || !top.wants(part.first, part.last) {
            return Ok((if page.total { part.count()? } else { 0 }, Vec::new()));
        }
        if page.total && !part.whole {
            let (count, found) = (Count, top.clone()).collect_segment(weight, segment, reader)?;
            return Ok((count as u64, found));
        }
        let found = top.collect_segment(weight, segment, reader)?;
        Ok((if page.total { part.count()? } else { 0 }, found))
    })?;
    let mut hits = Hits { total: found.iter().map(|(count, _)| count).sum(), ..Hits::default() };
    let mut places: Vec<_> = found
        .into_iter()
        .zip(&parts)
        .flat_map(|((_, found), part)| found.into_iter().map(move |(key, address)| (key, address, &part.searcher)))
        .collect();
    places.sort_unstable_by_key(|(key, address, _)| (*key, *address));
    places.truncate(limit);
    let (mut bytes, mut last) = (0, None);
    for (key, address, searcher) in places.into_iter().skip(usize::try_from(page.from).unwrap_or(usize::MAX)) {
        let document: TantivyDocument = searcher.doc(address).map_err(failed)?;
        let json = document.get_first(slots.json).and_then(|value| value.as_bytes()).unwrap_or_default();
        bytes += json.len();
        if bytes > MAX_PAGE_BYTES {
            return Err(page_too_large());
        }
        hits.documents.push(json.to_vec());
        last = Some(key);
    }
    let full = hits.documents.len() as u64 == page.size;
    hits.next = last.filter(|_| full).map(|key| {
        let (time_micros, id_high) = collect::of_key(key, page.newest_first);
        Cursor::at(time_micros, EventId::from_bytes((u128::from(id_high) << 64).to_be_bytes()))
    });
    Ok(hits)
}

/// The first half of the id at a cursor. Here every document is ours, so that another's cursor is any place of its time.
fn cursor_high(cursor: &Cursor) -> u64 {
    match &cursor.key {
        CursorKey::Event(id) => high(id.as_bytes()),
        CursorKey::Foreign { .. } => 0,
    }
}

/// The most frequent values.
fn facet(values: HashMap<String, u64>, limit: usize) -> Facet {
    let mut values: Vec<(String, u64)> = values.into_iter().collect();
    values.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    let other = values.iter().skip(limit).map(|(_, count)| count).sum();
    values.truncate(limit);
    Facet { values, other }
}

/// Runs blocking work that borrows, without holding up other tasks where the runtime has other threads.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
