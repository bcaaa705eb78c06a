//! The days that there are, open for reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tantivy::directory::MmapDirectory;
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher, TantivyError};

use super::schema;
use crate::config::Mode;
use crate::day::Day;
use crate::error::ArchiveError;

/// Blocks of the document store that each segment keeps decompressed.
const CACHED_BLOCKS: usize = 4;
/// What a day's directory is renamed to before it is removed, so that half a day is never taken for one.
const DROPPED: &str = "dropped";

/// All days, by date.
pub(super) struct Days {
    dir: PathBuf,
    mode: Mode,
    open: RwLock<BTreeMap<Day, Arc<DayIndex>>>,
}

/// One day's index, open for reading.
pub(super) struct DayIndex {
    pub(super) index: Index,
    dir: PathBuf,
    reader: IndexReader,
    /// Which commit the reader shows, where another process writes.
    stamp: Mutex<Option<Stamp>>,
}

/// Tells one state of a day's `meta.json` from another: it is replaced as a whole by every commit and merge.
type Stamp = (u64, i64, i64);

impl Days {
    /// Opens the days in the directory. Where it is written to, what a purge left half removed is removed.
    pub(super) fn open(dir: &Path, mode: Mode) -> Result<Self, ArchiveError> {
        let days = Self { dir: dir.to_path_buf(), mode, open: RwLock::default() };
        if mode == Mode::Write {
            days.remove_dropped()?;
        }
        days.refresh()?;
        Ok(days)
    }

    /// The days that have documents of this time, oldest first. Where another process writes, as they are now.
    pub(super) fn within(
        &self,
        start_micros: Option<i64>,
        end_micros: Option<i64>,
    ) -> Result<Vec<(Day, Arc<DayIndex>)>, ArchiveError> {
        if self.mode == Mode::Read {
            self.refresh()?;
        }
        let first = start_micros.map_or(Day::FIRST, Day::of);
        let last = end_micros.map_or(Day::LAST, Day::of);
        if first > last {
            return Ok(Vec::new());
        }
        let days: Vec<_> = self.read().range(first..=last).map(|(day, index)| (*day, Arc::clone(index))).collect();
        if self.mode == Mode::Read {
            for (_, index) in &days {
                index.reload_if_changed()?;
            }
        }
        Ok(days)
    }

    /// The day's index; made if it is not there.
    pub(super) fn create(&self, day: Day) -> Result<Arc<DayIndex>, ArchiveError> {
        if let Some(index) = self.read().get(&day) {
            return Ok(Arc::clone(index));
        }
        let dir = self.path(day);
        fs::create_dir_all(&dir)
            .map_err(|error| ArchiveError::unavailable_by("can't make a day's directory", error))?;
        let directory = MmapDirectory::open(&dir).map_err(|error| engine("open a day's directory", error.into()))?;
        let settings = tantivy::IndexSettings {
            docstore_compression: tantivy::store::Compressor::Zstd(tantivy::store::ZstdCompressor {
                compression_level: Some(3),
            }),
            docstore_blocksize: 128 << 10,
            ..tantivy::IndexSettings::default()
        };
        let index = Index::builder()
            .schema(schema::schema().0)
            .settings(settings)
            .open_or_create(directory)
            .map_err(|error| engine("make a day's index", error))?;
        sync(&self.dir)?;
        let index = Arc::new(DayIndex::of(index, dir)?);
        self.write().insert(day, Arc::clone(&index));
        Ok(index)
    }

    /// Drops a day for good; readers that have it open keep what they see. Returns how many documents it had.
    pub(super) fn drop_day(&self, day: Day) -> Result<u64, ArchiveError> {
        let dropped = self.dir.join(format!("{}.{DROPPED}", day.name('-')));
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't remove a day's directory", error);
        let gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(failed),
        };
        // What an earlier drop left half removed is in the way of the new name.
        gone(fs::remove_dir_all(&dropped))?;
        gone(fs::rename(self.path(day), &dropped))?;
        // Not before: a day that stays on disk stays in the answers, and is dropped by the next purge.
        let events = self.write().remove(&day).map_or(0, |index| index.searcher().num_docs());
        sync(&self.dir)?;
        gone(fs::remove_dir_all(&dropped))?;
        Ok(events)
    }

    /// Bytes of all files of a day.
    pub(super) fn bytes_of(&self, day: Day) -> Result<u64, ArchiveError> {
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't measure the archive", error);
        let entries = match fs::read_dir(self.path(day)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries.map_err(failed)?,
        };
        let mut bytes = 0;
        for entry in entries {
            // Merging removes files at any time.
            bytes += entry.map_err(failed)?.metadata().map_or(0, |metadata| metadata.len());
        }
        Ok(bytes)
    }

    /// Takes up new days and lets go of those that were dropped.
    fn refresh(&self) -> Result<(), ArchiveError> {
        let names = self.names()?;
        let known: BTreeSet<Day> = self.read().keys().copied().collect();
        if names == known {
            return Ok(());
        }
        for day in names.difference(&known) {
            if let Some(index) = DayIndex::open(self.path(*day))? {
                self.write().insert(*day, Arc::new(index));
            }
        }
        self.write().retain(|day, _| names.contains(day));
        Ok(())
    }

    fn names(&self) -> Result<BTreeSet<Day>, ArchiveError> {
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't list the archive's days", error);
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries.map_err(failed)?,
        };
        let mut days = BTreeSet::new();
        for entry in entries {
            days.extend(entry.map_err(failed)?.file_name().to_str().and_then(|name| Day::parse(name, '-')));
        }
        Ok(days)
    }

    fn remove_dropped(&self) -> Result<(), ArchiveError> {
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't remove a dropped day", error);
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let day = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| Day::parse(stem, '-'));
            if day.is_some() && path.extension().is_some_and(|extension| extension == DROPPED) {
                fs::remove_dir_all(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn path(&self, day: Day) -> PathBuf {
        self.dir.join(day.name('-'))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Day, Arc<DayIndex>>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Day, Arc<DayIndex>>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DayIndex {
    /// Opens a day; `None` if its first commit is still to come, or it is gone by now.
    fn open(dir: PathBuf) -> Result<Option<Self>, ArchiveError> {
        if !dir.join("meta.json").exists() {
            return Ok(None);
        }
        match Index::open_in_dir(&dir) {
            Ok(index) => Self::of(index, dir).map(Some),
            Err(_) if !dir.exists() => Ok(None),
            Err(error) => Err(engine("open a day's index", error)),
        }
    }

    fn of(index: Index, dir: PathBuf) -> Result<Self, ArchiveError> {
        if !schema::fits(&index) {
            let message = format!("{} was made by another version", dir.display());
            return Err(ArchiveError::unavailable(message));
        }
        let stamp = stamp(&dir);
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(CACHED_BLOCKS)
            .try_into()
            .map_err(|error| engine("read a day's index", error))?;
        Ok(Self { index, dir, reader, stamp: Mutex::new(stamp) })
    }

    /// What is committed, as of the last reload.
    pub(super) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Shows the last commit.
    pub(super) fn reload(&self) -> Result<(), ArchiveError> {
        self.reader.reload().map_err(|error| engine("read a day's index", error))
    }

    /// Makes the last commit's files, and the file that names them, survive a power failure.
    pub(super) fn sync(&self) -> Result<(), ArchiveError> {
        sync(&self.dir)
    }

    fn reload_if_changed(&self) -> Result<(), ArchiveError> {
        let mut shown = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.dir);
        // No stamp: the day was dropped; what is open is shown to the end.
        if now.is_some() && now != *shown {
            self.reload()?;
            *shown = now;
        }
        Ok(())
    }
}

fn stamp(dir: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(dir.join("meta.json")).ok()?;
    Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
}

fn sync(dir: &Path) -> Result<(), ArchiveError> {
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| ArchiveError::unavailable_by("can't sync a directory", error))
}

/// An error of the engine. None of them is the documents' own fault: the disk, the files, or memory.
pub(super) fn engine(action: &str, error: TantivyError) -> ArchiveError {
    ArchiveError::unavailable_by(format!("can't {action}"), error)
}
