//! A file of tokens, as kube-apiserver's `--token-auth-file` reads it.
//!
//! `token,user,uid,"group1,group2"`, a line each; groups may be left out. It is read again when it has changed: a token that is taken
//! out opens nothing two seconds later. A file that cannot be read at the moment leaves what was there, since files are not always
//! swapped in one step.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use subtle::ConstantTimeEq;
use vedette_service::chain;

use super::{AuthError, Caller, Kind};

/// How often the file is looked at, at most.
const LOOK: Duration = Duration::from_secs(1);
/// A larger file is no file of tokens.
const LIMIT: u64 = 16 << 20;

type Stamp = (i64, i64, u64, u64);

/// The file, and who its tokens are.
#[derive(Debug)]
pub(super) struct TokenFile {
    file: PathBuf,
    known: ArcSwap<Vec<Known>>,
    seen: Mutex<(Instant, Option<Stamp>)>,
}

struct Known {
    /// Hashes are compared, so that neither content nor length shows in the time that it takes.
    digest: [u8; 32],
    caller: Caller,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.caller.fmt(out)
    }
}

impl TokenFile {
    pub(super) fn open(file: &Path) -> Result<Self, AuthError> {
        let failed = |source| AuthError::Tokens { file: file.to_owned(), source };
        // Before it is read: a change in between is seen as one.
        let stamp = stamp(file);
        let known = ArcSwap::from_pointee(read(file).map_err(failed)?);
        Ok(Self { file: file.to_owned(), known, seen: Mutex::new((Instant::now(), stamp)) })
    }

    /// Whose token this is. Every token is looked at, whatever was found before.
    pub(super) fn caller(&self, token: &str) -> Option<Caller> {
        self.refresh();
        let digest = *blake3::hash(token.as_bytes()).as_bytes();
        let known = self.known.load();
        let mut found = None;
        for it in known.iter() {
            if bool::from(it.digest.ct_eq(&digest)) {
                found = Some(it);
            }
        }
        found.map(|it| it.caller.clone())
    }

    fn refresh(&self) {
        // Who comes while another looks takes what is there.
        let Ok(mut seen) = self.seen.try_lock() else { return };
        if seen.0.elapsed() < LOOK {
            return;
        }
        let stamp = stamp(&self.file);
        if stamp != seen.1 {
            match read(&self.file) {
                Ok(known) => {
                    tracing::info!(file = %self.file.display(), tokens = known.len(), "tokens changed");
                    self.known.store(Arc::new(known));
                }
                Err(error) => {
                    tracing::warn!(file = %self.file.display(), error = %chain(&error), "tokens stay as they were");
                }
            }
        }
        *seen = (Instant::now(), stamp);
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.ino(), found.size()))
}

fn read(file: &Path) -> io::Result<Vec<Known>> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    if std::fs::metadata(file)?.len() > LIMIT {
        return Err(wrong("it is too large".to_owned()));
    }
    let text = std::fs::read_to_string(file)?;
    let mut known = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = at + 1;
        let fields = fields(line).ok_or_else(|| wrong(format!("line {at}: a quoted field does not end")))?;
        let [token, user, uid, rest @ ..] = fields.as_slice() else {
            return Err(wrong(format!("line {at}: expected token, user and uid")));
        };
        if token.is_empty() || user.is_empty() {
            return Err(wrong(format!("line {at}: token and user must not be empty")));
        }
        let groups = rest.first().into_iter().flat_map(|groups| groups.split(','));
        let groups = groups.map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect();
        let mut caller = Caller::new(user.clone(), groups, Kind::TokenFile);
        caller.uid = Some(uid.clone()).filter(|uid| !uid.is_empty());
        known.push(Known { digest: *blake3::hash(token.as_bytes()).as_bytes(), caller });
    }
    Ok(known)
}

/// The fields of a line of CSV: a quote within quotes is written twice.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|it| *it == ' ').is_some() {}
        let mut field = String::new();
        if rest.next_if_eq(&'"').is_some() {
            loop {
                match (rest.next()?, rest.peek()) {
                    ('"', Some('"')) => {
                        rest.next();
                        field.push('"');
                    }
                    ('"', _) => break,
                    (other, _) => field.push(other),
                }
            }
        }
        while let Some(it) = rest.next_if(|it| *it != ',') {
            field.push(it);
        }
        fields.push(field.trim().to_owned());
        if rest.next().is_none() {
            return Some(fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_kubernetes_does() {
        let check = |line: &str, expected: Option<&[&str]>| {
            let expected = expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
            assert_eq!(fields(line), expected, "{line}");
        };
        check("t,u,i", Some(&["t", "u", "i"]));
        check(r#"t,u,i,"g1,g2""#, Some(&["t", "u", "i", "g1,g2"]));
        check(r#"t, u ,i,"a ""b""""#, Some(&["t", "u", "i", "a \"b\""]));
        check("t,u,,", Some(&["t", "u", "", ""]));
        check(r#"t,u,"i"#, None);
    }

    #[test]
    fn tokens_are_read_again_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.csv");
        std::fs::write(&file, "one,ann,1,\"dev,ops\"\n\ntwo,bob,2\n").unwrap();
        let tokens = TokenFile::open(&file).unwrap();
        let ann = tokens.caller("one").unwrap();
        assert_eq!((ann.name.as_str(), ann.uid.as_deref()), ("ann", Some("1")));
        assert_eq!(ann.groups, ["dev", "ops", "system:authenticated"]);
        assert!(tokens.caller("on").is_none() && tokens.caller("").is_none());

        let later = |text: &str| {
            std::fs::write(&file, text).unwrap();
            tokens.seen.lock().unwrap().0 -= LOOK;
        };
        later("two,bob,2\nonly,two\n");
        assert!(tokens.caller("one").is_some(), "a file with an error leaves what was there");
        later("two,bob,2\n");
        assert!(tokens.caller("one").is_none());
        assert!(tokens.caller("two").is_some());
        assert!(matches!(TokenFile::open(Path::new("/nowhere")), Err(AuthError::Tokens { .. })));
    }
}
