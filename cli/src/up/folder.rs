//! The folder of `vedette up`, one process at a time.
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::outcome::Failure;

/// The folder, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes it if it is not there, for its owner alone: it holds audit records and keys.
    pub(crate) fn lock(path: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::failed(format!("can't use the data folder `{}`", path.display()))
                .because(error)
                .help("name another with --data-dir")
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = fs::canonicalize(path).map_err(failed)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                let what = format!("another `vedette up` (process {}) uses `{}`", pid.trim(), path.display());
                return Err(Failure::failed(what).help("end it, or name another folder with --data-dir"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where something of that name is kept.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::Folder;

    #[test]
    fn a_folder_is_used_by_one_at_a_time_and_belongs_to_its_owner() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a").join("b");
        let first = Folder::lock(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let error = Folder::lock(&path).unwrap_err().render(false);
        assert!(error.contains(&format!("another `vedette up` (process {})", std::process::id())), "{error}");
        drop(first);
        Folder::lock(&path).unwrap();
    }
}
