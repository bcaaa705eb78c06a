//! Writing: each event once, and durable when the call returns.
//!
//! Documents go to the index of their own day, and each day is committed on its own, so that a process can be killed
//! between two days' commits. What was applied is recognised by the documents themselves: each keeps the key of the
//! batch that stored it, in a column of the same commit. A batch that comes again finds its own documents and counts them
//! as stored, as it did the first time, whichever of its days had been committed; documents of other batches are
//! duplicates. Nothing else has to be kept in step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, IndexWriter, TERMINATED, Term};
use vedette_audit::identity::EventId;

use super::days::{DayIndex, Days, engine};
use super::filter::Filter;
use super::lock::Lock;
use super::schema::{BATCH, ID_HIGH, Slots, high, schema};
use crate::config::EmbeddedConfig;
use crate::day::Day;
use crate::error::{ArchiveError, OpenError};
use crate::{BatchReport, WriteBatch};

/// What Tantivy needs at least.
pub(super) const MIN_MEMORY_BYTES: usize = 15_000_000;
/// How long what was dropped may take to come free.
const SETTLE: Duration = Duration::from_secs(60);

/// The archive's one writer.
pub(super) struct Writer {
    _lock: Lock,
    days: Arc<Days>,
    slots: Slots,
    memory_bytes: usize,
    max_open: usize,
    max_bytes: u64,
    min_free_bytes: u64,
    /// When days were dropped for the disk's sake, and what came free did not show yet.
    waiting: Option<Instant>,
    /// The days open for writing, the least recently used first.
    open: Vec<DayWriter>,
}

struct DayWriter {
    day: Day,
    index: Arc<DayIndex>,
    writer: IndexWriter,
    filter: Filter,
}

/// A day that can be dropped.
struct Kept {
    day: Day,
    /// Where it lies, if another version made it.
    other: Option<PathBuf>,
}

/// A document's place in what is written: batch and index in it.
type Place = (usize, usize);

impl Writer {
    pub(super) fn new(config: &EmbeddedConfig, lock: Lock, days: Arc<Days>) -> Self {
        let max_open = config.open_days.max(1);
        let memory_bytes = (config.writer_memory_bytes / max_open).max(MIN_MEMORY_BYTES);
        Self {
            _lock: lock,
            days,
            slots: schema().1,
            memory_bytes,
            max_open,
            max_bytes: config.max_bytes,
            min_free_bytes: config.min_free_bytes,
            waiting: None,
            open: Vec::new(),
        }
    }

    pub(super) fn lock(dir: &Path) -> Result<Lock, OpenError> {
        std::fs::create_dir_all(dir).map_err(|source| OpenError::Io {
            action: "make the directory",
            path: dir.to_path_buf(),
            source,
        })?;
        Lock::take(dir)
    }

    /// Writes the batches; see [`crate::Archive::write`].
    pub(super) fn write(&mut self, batches: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError> {
        self.check_disk()?;
        let mut by_day: BTreeMap<Day, Vec<Place>> = BTreeMap::new();
        for (batch, WriteBatch { documents, .. }) in batches.iter().enumerate() {
            for (index, document) in documents.iter().enumerate() {
                by_day.entry(Day::of(document.time_micros)).or_default().push((batch, index));
            }
        }
        let mut reports = vec![BatchReport::default(); batches.len()];
        for (day, places) in by_day {
            let mut writer = self.open(day)?;
            // After a failure the day's writer can't be trusted any more: it is let go, with what it had not committed.
            writer.apply(&self.slots, batches, &places, &mut reports)?;
            self.open.push(writer);
        }
        Ok(reports)
    }

    /// Drops the days that ended by then: how many, and with how many documents.
    pub(super) fn purge(&mut self, older_than_micros: i64) -> Result<(u64, u64), ArchiveError> {
        let (mut days, mut events) = (0, 0);
        for kept in self.kept()? {
            if kept.day.end_micros() <= older_than_micros {
                events += self.let_go(&kept)?;
                days += 1;
            }
        }
        Ok((days, events))
    }

    /// Drops the oldest days while there are too many bytes or too few are free; never the newest. How many, and with how
    /// many documents.
    pub(super) fn trim(&mut self) -> Result<(u64, u64), ArchiveError> {
        let kept = self.kept()?;
        let mut bytes = 0_u64;
        for kept in &kept {
            bytes = bytes.saturating_add(kept.bytes(&self.days)?);
        }
        let missing = self.min_free_bytes.saturating_sub(self.days.free_bytes()?);
        // Dropped files take room for as long as a reader has them open. To drop more meanwhile would drop too much.
        let waits = self.waiting.is_some_and(|since| since.elapsed() < SETTLE);
        let for_disk = if waits { 0 } else { missing };
        let excess = if self.max_bytes == 0 { 0 } else { bytes.saturating_sub(self.max_bytes) };
        let (mut wanted, mut days, mut events) = (for_disk.max(excess), 0, 0);
        let newest = newest(&kept);
        for kept in kept.into_iter().filter(|kept| Some(kept.day) != newest) {
            if wanted == 0 {
                break;
            }
            wanted = wanted.saturating_sub(kept.bytes(&self.days)?);
            events += self.let_go(&kept)?;
            days += 1;
        }
        if days > 0 && for_disk > 0 {
            self.waiting = Some(Instant::now());
        }
        Ok((days, events))
    }

    /// Whether there is room to write.
    fn check_disk(&mut self) -> Result<(), ArchiveError> {
        let free = self.days.free_bytes()?;
        if free >= self.min_free_bytes {
            return Ok(());
        }
        let kept = self.kept()?;
        let newest = newest(&kept);
        if kept.iter().any(|kept| Some(kept.day) != newest) {
            // There are days to drop: they are, by whoever calls `trim`.
            return Ok(());
        }
        let mebibytes = |bytes: u64| bytes >> 20;
        Err(ArchiveError::unavailable(format!(
            "the disk has {} MiB free, less than the {} MiB of `embedded.minFreeBytes`, and only the newest day is left to drop",
            mebibytes(free),
            mebibytes(self.min_free_bytes)
        )))
    }

    /// All days, the oldest first, also those that another version made.
    fn kept(&self) -> Result<Vec<Kept>, ArchiveError> {
        let ours = self.days.within(None, None)?.into_iter().map(|(day, _)| Kept { day, other: None });
        let others: Vec<Kept> =
            self.days.others().iter().map(|(path, day)| Kept { day: *day, other: Some(path.clone()) }).collect();
        let mut kept: Vec<Kept> = ours.chain(others).collect();
        kept.sort_by_key(|kept| kept.day);
        Ok(kept)
    }

    /// Drops a day; how many documents it had, as far as this version can tell.
    fn let_go(&mut self, kept: &Kept) -> Result<u64, ArchiveError> {
        match &kept.other {
            Some(path) => self.days.drop_other(path).map(|()| 0),
            None => {
                self.open.retain(|writer| writer.day != kept.day);
                self.days.drop_day(kept.day)
            }
        }
    }

    /// Takes the day's writer out of the open ones, opening it if it is not.
    fn open(&mut self, day: Day) -> Result<DayWriter, ArchiveError> {
        if let Some(at) = self.open.iter().position(|writer| writer.day == day) {
            return Ok(self.open.remove(at));
        }
        while self.open.len() >= self.max_open {
            let idle = self.open.remove(0);
            // What is committed stays; only the merging of segments can fail here, and it is made up for later.
            if let Err(error) = idle.writer.wait_merging_threads() {
                tracing::warn!(error = %error, "merging failed");
            }
            idle.index.reload()?;
        }
        DayWriter::open(day, self.days.create(day)?, self.memory_bytes)
    }
}

impl Kept {
    fn bytes(&self, days: &Days) -> Result<u64, ArchiveError> {
        self.other.as_ref().map_or_else(|| days.bytes_of(self.day), |path| days.bytes_in(path))
    }
}

/// The newest day: what claims to be of later than tomorrow does not make today an old one.
fn newest(kept: &[Kept]) -> Option<Day> {
    let tomorrow = Day::of(jiff::Timestamp::now().as_microsecond().saturating_add(86_400_000_000));
    let newest = kept.iter().rev().find(|kept| kept.day <= tomorrow).or(kept.last());
    newest.map(|kept| kept.day)
}

impl DayWriter {
    fn open(day: Day, index: Arc<DayIndex>, memory_bytes: usize) -> Result<Self, ArchiveError> {
        let options = tantivy::indexer::IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(memory_bytes)
            .build();
        let writer =
            index.index.writer_with_options(options).map_err(|error| engine("open a day for writing", error))?;
        index.reload()?;
        let mut filter = Filter::default();
        for segment in index.searcher().segment_readers() {
            let ids = segment.fast_fields().u64(ID_HIGH).map_err(|error| engine("read ids", error))?;
            for id in segment.doc_ids_alive().filter_map(|doc| ids.first(doc)) {
                filter.insert(id);
            }
        }
        Ok(Self { day, index, writer, filter })
    }

    /// Stores the day's documents and counts them; commits if there are new ones.
    fn apply(
        &mut self,
        slots: &Slots,
        batches: &[WriteBatch],
        places: &[Place],
        reports: &mut [BatchReport],
    ) -> Result<(), ArchiveError> {
        let mut added: HashMap<EventId, usize> = HashMap::new();
        let mut seen: HashSet<(usize, EventId)> = HashSet::with_capacity(places.len());
        for &(at, index) in places {
            let Some(batch) = batches.get(at) else { continue };
            let (Some(document), Some(report)) = (batch.documents.get(index), reports.get_mut(at)) else { continue };
            let stored_by = match added.get(&document.id) {
                Some(other) => batches.get(*other).map(|other| other.key.clone()),
                None => self.stored_by(slots, document.id)?,
            };
            let own = match stored_by {
                Some(key) => key == batch.key,
                None => {
                    self.writer
                        .add_document(slots.index(document, &batch.key))
                        .map_err(|error| engine("add a document", error))?;
                    added.insert(document.id, at);
                    true
                }
            };
            // The same event twice in one batch is stored once.
            if own && seen.insert((at, document.id)) {
                report.stored += 1;
            } else {
                report.duplicate += 1;
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        self.writer.commit().map_err(|error| engine("commit", error))?;
        self.index.sync()?;
        for id in added.keys() {
            self.filter.insert(high(id.as_bytes()));
        }
        self.index.reload()
    }

    /// The key of the batch that stored this event, if one did.
    fn stored_by(&self, slots: &Slots, id: EventId) -> Result<Option<String>, ArchiveError> {
        if !self.filter.may_contain(high(id.as_bytes())) {
            return Ok(None);
        }
        let failed = |error: tantivy::TantivyError| engine("look up an event", error);
        let term = Term::from_field_bytes(slots.id, id.as_bytes());
        for segment in self.index.searcher().segment_readers() {
            let inverted = segment.inverted_index(slots.id).map_err(failed)?;
            let postings = inverted.read_postings(&term, IndexRecordOption::Basic);
            let Some(postings) = postings.map_err(|error| failed(error.into()))? else { continue };
            let doc = postings.doc();
            if doc == TERMINATED {
                continue;
            }
            let mut key = String::new();
            if let Some(batches) = segment.fast_fields().str(BATCH).map_err(failed)?
                && let Some(ord) = batches.ords().first(doc)
            {
                batches.ord_to_str(ord, &mut key).map_err(|error| failed(error.into()))?;
            }
            return Ok(Some(key));
        }
        Ok(None)
    }
}
