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

/// What a day's directory that another version made is renamed to when the day is written to again.
const OTHER: &str = "other";

/// All days, by date.
pub(super) struct Days {
    dir: PathBuf,
    mode: Mode,
    open: RwLock<BTreeMap<Day, Arc<DayIndex>>>,
    /// Directories of days that another version made, and that this one can't read.
    others: Mutex<BTreeMap<PathBuf, Day>>,
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
        let days = Self { dir: dir.to_path_buf(), mode, open: RwLock::default(), others: Mutex::default() };
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
        self.move_away(&dir, day)?;
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
        let Some(index) = DayIndex::of(index, dir)? else {
            // As it was looked at a moment ago it was not.
            return Err(ArchiveError::unavailable("a day was made by another version"));
        };
        let index = Arc::new(index);
        self.write().insert(day, Arc::clone(&index));
        Ok(index)
    }

    /// Drops a day for good; readers that have it open keep what they see. Returns how many documents it had.
    pub(super) fn drop_day(&self, day: Day) -> Result<u64, ArchiveError> {
        self.remove(&self.path(day), || self.write().remove(&day).map_or(0, |index| index.searcher().num_docs()))
    }

    /// Drops a day that another version made.
    pub(super) fn drop_other(&self, path: &Path) -> Result<(), ArchiveError> {
        self.remove(path, || {
            self.others().remove(path);
        })
    }

    /// Removes a directory, and calls `forget` when it can't be taken for a day any more.
    fn remove<T>(&self, path: &Path, forget: impl FnOnce() -> T) -> Result<T, ArchiveError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let dropped = self.dir.join(format!("{name}.{DROPPED}"));
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't remove a day's directory", error);
        let gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(failed),
        };
        // What an earlier drop left half removed is in the way of the new name.
        gone(fs::remove_dir_all(&dropped))?;
        gone(fs::rename(path, &dropped))?;
        // Not before: a day that stays on disk stays in the answers, and is dropped by the next purge.
        let forgotten = forget();
        sync(&self.dir)?;
        gone(fs::remove_dir_all(&dropped))?;
        Ok(forgotten)
    }

    /// The directories of days that another version made.
    pub(super) fn others(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Day>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a day that another version made and that is written to again.
    fn move_away(&self, dir: &Path, day: Day) -> Result<(), ArchiveError> {
        if !self.others().contains_key(dir) {
            return Ok(());
        }
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't make room for a day", error);
        let free = (1..).map(|n| self.dir.join(format!("{}.{OTHER}-{n}", day.name('-')))).find(|path| !path.exists());
        let Some(other) = free else { return Ok(()) };
        fs::rename(dir, &other).map_err(failed)?;
        sync(&self.dir)?;
        let mut others = self.others();
        others.remove(dir);
        others.insert(other, day);
        Ok(())
    }

    /// Bytes of the disk that are free for us.
    pub(super) fn free_bytes(&self) -> Result<u64, ArchiveError> {
        let disk = rustix::fs::statvfs(&self.dir)
            .map_err(|error| ArchiveError::unavailable_by("can't measure the disk", io::Error::from(error)))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Bytes of all files of a day.
    pub(super) fn bytes_of(&self, day: Day) -> Result<u64, ArchiveError> {
        self.bytes_in(&self.path(day))
    }

    /// Bytes of all files in a day's directory.
    pub(super) fn bytes_in(&self, dir: &Path) -> Result<u64, ArchiveError> {
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't measure the archive", error);
        let entries = match fs::read_dir(dir) {
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
    pub(super) fn refresh(&self) -> Result<(), ArchiveError> {
        let (names, moved) = self.names()?;
        let known: BTreeSet<Day> = self.read().keys().copied().collect();
        let mut others: BTreeMap<PathBuf, Day> = moved;
        for day in names.difference(&known) {
            let path = self.path(*day);
            match DayIndex::open(path.clone())? {
                Opened::Day(index) => {
                    self.write().insert(*day, index);
                }
                Opened::Another => {
                    others.insert(path, *day);
                }
                Opened::Nothing => {}
            }
        }
        self.write().retain(|day, _| names.contains(day));
        let mut seen = self.others();
        for path in others.keys().filter(|path| !seen.contains_key(*path)) {
            tracing::warn!(day = %path.display(), "this day was made by another version and is not shown");
        }
        *seen = others;
        Ok(())
    }

    /// The days that have a directory, and the directories that were moved away.
    fn names(&self) -> Result<(BTreeSet<Day>, BTreeMap<PathBuf, Day>), ArchiveError> {
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't list the archive's days", error);
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
            entries => entries.map_err(failed)?,
        };
        let (mut days, mut moved) = (BTreeSet::new(), BTreeMap::new());
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            match name.split_once('.') {
                None => days.extend(Day::parse(name, '-')),
                Some((day, kind)) if kind.starts_with(OTHER) && !kind.ends_with(DROPPED) => {
                    if let Some(day) = Day::parse(day, '-') {
                        moved.insert(path, day);
                    }
                }
                Some(_) => {}
            }
        }
        Ok((days, moved))
    }

    fn remove_dropped(&self) -> Result<(), ArchiveError> {
        let failed = |error: io::Error| ArchiveError::unavailable_by("can't remove a dropped day", error);
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('.'));
            let day = name.and_then(|(day, _)| Day::parse(day, '-'));
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

/// What there is in a day's directory.
enum Opened {
    Day(Arc<DayIndex>),
    /// What another version made.
    Another,
    /// Its first commit is still to come, or it is gone by now.
    Nothing,
}

impl DayIndex {
    fn open(dir: PathBuf) -> Result<Opened, ArchiveError> {
        if !dir.join("meta.json").exists() {
            return Ok(Opened::Nothing);
        }
        match Index::open_in_dir(&dir) {
            Ok(index) => Ok(Self::of(index, dir)?.map_or(Opened::Another, |index| Opened::Day(Arc::new(index)))),
            Err(_) if !dir.exists() => Ok(Opened::Nothing),
            Err(TantivyError::IncompatibleIndex(_)) => Ok(Opened::Another),
            Err(error) => Err(engine("open a day's index", error)),
        }
    }

    /// `None` for one that another version made.
    fn of(index: Index, dir: PathBuf) -> Result<Option<Self>, ArchiveError> {
        if !schema::fits(&index) {
            return Ok(None);
        }
        let stamp = stamp(&dir);
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(CACHED_BLOCKS)
            .try_into()
            .map_err(|error| engine("read a day's index", error))?;
        Ok(Some(Self { index, dir, reader, stamp: Mutex::new(stamp) }))
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
