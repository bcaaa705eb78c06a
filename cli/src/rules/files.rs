//! Files of rules: reading them, and showing what the compiler says about them.
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use vedette_rules::render::{Style, render};
use vedette_rules::{Diagnostic, SourceFile};

use crate::outcome::Failure;
use crate::term;

/// What all files together may hold, in bytes: as much as the services take.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Reads files, and the YAML files of folders, as the services do: what lies deeper, and hidden names, are left out.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, Failure> {
    let (files, failures) = read_all(paths);
    failures.into_iter().next().map_or(Ok(files), Err)
}

/// The same, whatever can't be read: that is said of each.
pub(crate) fn read_all(paths: &[PathBuf]) -> (Vec<SourceFile>, Vec<Failure>) {
    let (mut files, mut failures) = (Vec::new(), Vec::new());
    let mut budget = MAX_BYTES;
    // A file that was named twice is meant once.
    let mut seen = HashSet::new();
    for path in paths {
        let inside = match inside(path) {
            Ok(inside) => inside,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        for path in inside.into_iter().filter(|path| seen.insert(path.clone())) {
            match file(&path, &mut budget) {
                Ok(file) => files.push(file),
                Err(failure) => failures.push(failure),
            }
        }
    }
    (files, failures)
}

/// The files that a path names.
fn inside(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |source: io::Error| Failure::usage(format!("can't read `{}`", path.display())).because(source);
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut inside = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_rules) && path.is_file() {
            inside.push(path);
        }
    }
    if inside.is_empty() {
        let failure = Failure::usage(format!("no rules in `{}`", path.display()));
        return Err(failure.help("a folder's files that end in .yaml or .yml are read"));
    }
    inside.sort();
    Ok(inside)
}

fn is_rules(name: &str) -> bool {
    !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

fn file(path: &Path, budget: &mut u64) -> Result<SourceFile, Failure> {
    let failed = |source: io::Error| Failure::usage(format!("can't read `{}`", path.display())).because(source);
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(failed)?.take(*budget + 1).read_to_end(&mut bytes).map_err(failed)?;
    *budget = budget
        .checked_sub(bytes.len() as u64)
        .ok_or_else(|| Failure::usage(format!("the rules together are larger than {MAX_BYTES} bytes")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::failed(format!("`{}` is not UTF-8 at byte {at}", path.display()))
    })?;
    Ok(SourceFile { name: path.display().to_string(), text })
}

/// Shows diagnostics on standard error.
pub(crate) fn print(files: &[SourceFile], diagnostics: &[Diagnostic]) {
    let style = if term::stderr_color() { Style::Colour } else { Style::Plain };
    let mut out = BufWriter::new(io::stderr().lock());
    for diagnostic in diagnostics {
        // Where standard error is gone nobody can be told.
        let _ = writeln!(out, "{}", render(diagnostic, files, style));
    }
    let _ = out.flush();
}
