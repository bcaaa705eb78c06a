//! The last good set of rules on disk.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vedette_rules::SourceFile;

use crate::{place, snapshot};

use super::PolicyError;

/// The set that was in force last.
#[derive(Debug)]
pub(super) struct LastGood {
    pub(super) generation: u64,
    pub(super) files: Vec<SourceFile>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    generation: u64,
    files: Vec<StoredFile>,
}

#[derive(Serialize, Deserialize)]
struct StoredFile {
    name: String,
    text: String,
}

impl LastGood {
    pub(super) fn of(generation: u64, files: &[SourceFile]) -> Self {
        Self { generation, files: files.to_vec() }
    }

    pub(super) fn hash(&self) -> blake3::Hash {
        snapshot::hash(&self.files)
    }

    /// What is kept in `file`; nothing, if it is not there or is no such set.
    pub(super) fn read(file: &Path) -> Result<Option<Self>, PolicyError> {
        let text = match fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PolicyError::State { path: file.to_owned(), source }),
        };
        match serde_json::from_slice::<Stored>(&text) {
            Ok(stored) => {
                let files =
                    stored.files.into_iter().map(|file| SourceFile { name: file.name, text: file.text }).collect();
                Ok(Some(Self { generation: stored.generation, files }))
            }
            Err(error) => {
                tracing::warn!(%error, path = %file.display(), "ignoring the last good rules, which cannot be read");
                Ok(None)
            }
        }
    }

    /// Keeps it in `file`, on the disk itself and never by halves.
    pub(super) fn write(self, file: &Path) -> Result<(), PolicyError> {
        let failed = |source| PolicyError::State { path: file.to_owned(), source };
        let files = self.files.into_iter().map(|file| StoredFile { name: file.name, text: file.text }).collect();
        let stored = Stored { generation: self.generation, files };
        let text = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
        place::write(file, &text).map_err(failed)
    }
}
