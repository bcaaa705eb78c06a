//! Putting a file in its place for good.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Moves a file that is on the disk itself to where it is looked for, in the same folder. The folder is synced too: without
/// that, a power failure takes the name away again.
pub(crate) fn put(draft: &Path, file: &Path) -> io::Result<()> {
    fs::rename(draft, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Writes `file`, with its folder if that is not there: on the disk itself and never by halves.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = file.with_extension("new");
    let mut out = File::create(&draft)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    put(&draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_put_in_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (draft, file) = (folder.path().join("new"), folder.path().join("old"));
        fs::write(&draft, "new").unwrap();
        fs::write(&file, "old").unwrap();
        put(&draft, &file).unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap(), draft.exists()), ("new".to_owned(), false));
        assert!(put(&draft, &file).is_err());
    }
}
