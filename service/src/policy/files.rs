//! Reading a directory of rules as one set.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use vedette_rules::SourceFile;

use super::PolicyError;
use crate::snapshot::hash;

const MAX_FILES: usize = 10_000;
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The YAML files of all places, sorted by name.
#[derive(Debug)]
pub(super) struct FileSet {
    pub(super) files: Vec<SourceFile>,
    /// Over names and texts.
    pub(super) hash: blake3::Hash,
    /// When the newest of the directory and its files was changed, in milliseconds since the Unix epoch.
    pub(super) modified_ms: u64,
}

/// Directories and files that make one set.
#[derive(Debug, Clone)]
pub(super) struct Places(Vec<PathBuf>);

impl Places {
    pub(super) fn new(first: &Path, more: &[PathBuf]) -> Self {
        Self(std::iter::once(first.to_owned()).chain(more.iter().cloned()).collect())
    }

    pub(super) fn all(&self) -> &[PathBuf] {
        &self.0
    }

    /// All of them, for people.
    pub(super) fn name(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }

    /// Reads the YAML files of each place, or the place itself where it is a file. Hidden names are left out: they are editors'
    /// drafts and the inner side of a ConfigMap. Where there are several places, a file is named with its place.
    pub(super) fn read(&self) -> Result<FileSet, PolicyError> {
        let mut set = FileSet { files: Vec::new(), hash: hash(&[]), modified_ms: 0 };
        let mut budget = MAX_BYTES;
        for place in &self.0 {
            read_place(place, self.0.len() > 1, &mut budget, &mut set)?;
        }
        set.files.sort_by(|a, b| a.name.cmp(&b.name));
        set.hash = hash(&set.files);
        Ok(set)
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.0.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { ", " }, place.display())?;
        }
        Ok(())
    }
}

fn read_place(path: &Path, full_names: bool, budget: &mut u64, set: &mut FileSet) -> Result<(), PolicyError> {
    let failed = |source| PolicyError::Read { path: path.to_owned(), source };
    let named = |file: &Path| match file.file_name() {
        Some(name) if !full_names => name.to_string_lossy().into_owned(),
        _ => file.display().to_string(),
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    set.modified_ms = set.modified_ms.max(milliseconds(metadata.modified().ok()));
    if metadata.is_file() {
        set.files.push(SourceFile { name: named(path), text: read_text(path, path, budget)? });
        return Ok(());
    }
    let before = set.files.len();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if !file.file_name().and_then(|name| name.to_str()).is_some_and(is_rules) {
            continue;
        }
        // A link to nowhere is a file that is about to be there.
        let Ok(metadata) = fs::metadata(&file) else { continue };
        if !metadata.is_file() {
            continue;
        }
        if set.files.len() == MAX_FILES {
            return Err(PolicyError::TooLarge { path: path.to_owned(), limit: "10,000 files" });
        }
        set.modified_ms = set.modified_ms.max(milliseconds(metadata.modified().ok()));
        set.files.push(SourceFile { name: named(&file), text: read_text(path, &file, budget)? });
    }
    if set.files.len() == before {
        return Err(PolicyError::Empty { path: path.to_owned() });
    }
    Ok(())
}

fn is_rules(name: &str) -> bool {
    !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

fn read_text(path: &Path, file: &Path, budget: &mut u64) -> Result<String, PolicyError> {
    let failed = |source| PolicyError::Read { path: file.to_owned(), source };
    let mut text = String::new();
    let open = fs::File::open(file).map_err(failed)?;
    let length = open.take(*budget + 1).read_to_string(&mut text).map_err(failed)? as u64;
    *budget =
        budget.checked_sub(length).ok_or_else(|| PolicyError::TooLarge { path: path.to_owned(), limit: "32 MiB" })?;
    Ok(text)
}

fn milliseconds(time: Option<SystemTime>) -> u64 {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}
