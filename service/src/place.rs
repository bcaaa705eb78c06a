//! Putting a file in its place for good: whoever reads sees the old or the new, and after a power failure one of them is there.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The mode of a file of which nothing else is said: what the process's mask leaves of this.
pub const ANYBODY: u32 = 0o666;

/// Writes `file`, with its folder if that is not there: on the disk itself and never by halves.
///
/// # Errors
/// If it can't be written; what was there before is there still.
pub fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder(file))?;
    write_as(file, bytes, ANYBODY)
}

/// The same in a folder that is there, with this mode from its first byte on.
///
/// # Errors
/// If it can't be written; what was there before is there still.
pub fn write_as(file: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // Hidden, so that nobody who reads the folder takes it for a file of its kind.
    let mut name = OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(".new");
    let draft = file.with_file_name(name);
    // One that is left over has the mode that it was made with.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&draft, file)?;
    sync_folder(file)
}

/// Removes `file`.
///
/// # Errors
/// If it can't be removed.
pub fn remove(file: &Path) -> io::Result<()> {
    fs::remove_file(file)?;
    sync_folder(file)
}

/// Without this, a power failure takes a new name away again, or brings an old one back.
fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder(file))?.sync_all()
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_put_in_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inside").join("old");
        write(&file, b"old").unwrap();
        write_as(&file, b"new", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        remove(&file).unwrap();
        assert!(remove(&file).is_err());
    }

    #[test]
    fn a_draft_that_is_left_over_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let (file, draft) = (folder.path().join("key"), folder.path().join(".key.new"));
        fs::write(&draft, "half").unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o644)).unwrap();
        write_as(&file, b"whole", 0o600).unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap(), draft.exists()), ("whole".to_owned(), false));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
