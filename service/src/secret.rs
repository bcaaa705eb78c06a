//! A secret of a service's own, kept in a file that is made where there is none.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// Bytes of chance in a secret that is made here.
const BYTES: usize = 32;
/// A file larger than this is no secret's.
const FILE_LIMIT: u64 = 4_096;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file can't be read.
    #[error("read the secret in {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file can't be made.
    #[error("write a new secret to {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("{} is too large to hold a secret", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// The system gives no random bytes.
    #[error("make a secret: the system gives no random bytes")]
    Random,
}

/// The secret in `file`, without white space around it; made if there is no such file, `what` being what the log calls it.
///
/// # Errors
/// If it can't be read or made.
pub fn load(file: &Path, what: &'static str) -> Result<SecretString, SecretError> {
    let read = |source| SecretError::Read { file: file.to_owned(), source };
    let metadata = match std::fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(file, what)?;
            std::fs::metadata(file).map_err(read)?
        }
        other => other.map_err(read)?,
    };
    if metadata.permissions().mode() & 0o007 != 0 {
        tracing::warn!(file = %file.display(), secret = what, "anybody on this machine can read this secret");
    }
    if metadata.len() > FILE_LIMIT {
        return Err(SecretError::TooLarge { file: file.to_owned() });
    }
    let text = std::fs::read_to_string(file).map_err(read)?;
    Ok(SecretString::from(text.trim()))
}

/// Writes a new secret to `file`, 64 hexadecimal digits, for its owner alone, unless there is one. Whoever looks at the file sees none
/// or the whole one, also if this is killed meanwhile; of two that make it at the same time, one wins.
///
/// # Errors
/// If the file can't be written, or the system gives no random bytes.
pub fn make(file: &Path, what: &'static str) -> Result<(), SecretError> {
    if file.exists() {
        return Ok(());
    }
    let write = |source| SecretError::Write { file: file.to_owned(), source };
    let secret = random()?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(write)?;
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let new = file.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = || {
        let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        out.write_all(secret.as_bytes())?;
        out.write_all(b"\n")?;
        out.sync_all()?;
        std::fs::hard_link(&new, file)
    };
    let result = written();
    // Its name is only a step to the right one.
    let _ = std::fs::remove_file(&new);
    match result {
        Ok(()) => {
            tracing::info!(file = %file.display(), secret = what, "made a secret");
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(write(error)),
    }
}

fn random() -> Result<String, SecretError> {
    let mut bytes = [0; BYTES];
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| SecretError::Random)?;
    Ok(bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_missing_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("secret");
        let made = load(&file, "key").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!((made.expose_secret(), made.expose_secret().len()), (text.trim(), 64));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(&file, "key").unwrap().expose_secret(), made.expose_secret());
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
        let other = load(&folder.path().join("other"), "key").unwrap();
        assert_ne!(other.expose_secret(), made.expose_secret());
    }

    #[test]
    fn what_cannot_be_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large");
        std::fs::write(&file, "x".repeat(5_000)).unwrap();
        assert!(matches!(load(&file, "key"), Err(SecretError::TooLarge { .. })));
        assert!(matches!(load(folder.path(), "key"), Err(SecretError::Read { .. })));
        assert!(matches!(make(&file.join("inside"), "key"), Err(SecretError::Write { .. })));
    }
}
