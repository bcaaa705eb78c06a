//! Reading a directory of rules as one set.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use vedette_rules::SourceFile;

use super::PolicyError;

const MAX_FILES: usize = 10_000;
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The YAML files of a directory, sorted by name.
#[derive(Debug)]
pub(super) struct FileSet {
    pub(super) files: Vec<SourceFile>,
    /// Over names and texts.
    pub(super) hash: blake3::Hash,
    /// When the newest of the directory and its files was changed, in milliseconds since the Unix epoch.
    pub(super) modified_ms: u64,
}

/// Reads the YAML files of `path`, or `path` itself where it is a file. Hidden names are left out: they are editors' drafts and
/// the inner side of a ConfigMap.
pub(super) fn read(path: &Path) -> Result<FileSet, PolicyError> {
    let failed = |source| PolicyError::Read { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(failed)?;
    let mut modified_ms = milliseconds(metadata.modified().ok());
    let mut budget = MAX_BYTES;
    let mut files = Vec::new();
    if metadata.is_file() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.push(SourceFile { name, text: read_text(path, path, &mut budget)? });
    } else {
        for entry in fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            let Some(name) = file.file_name().and_then(|name| name.to_str()).filter(|name| is_rules(name)) else {
                continue;
            };
            // A link to nowhere is a file that is about to be there.
            let Ok(metadata) = fs::metadata(&file) else { continue };
            if !metadata.is_file() {
                continue;
            }
            if files.len() == MAX_FILES {
                return Err(PolicyError::TooLarge { path: path.to_owned(), limit: "10,000 files" });
            }
            modified_ms = modified_ms.max(milliseconds(metadata.modified().ok()));
            let name = name.to_owned();
            files.push(SourceFile { name, text: read_text(path, &file, &mut budget)? });
        }
        if files.is_empty() {
            return Err(PolicyError::Empty { path: path.to_owned() });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let hash = hash(&files);
    Ok(FileSet { files, hash, modified_ms })
}

/// Over names and texts, each with its length, so that no two sets look alike.
pub(super) fn hash(files: &[SourceFile]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in files.iter().flat_map(|file| [&file.name, &file.text]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
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
