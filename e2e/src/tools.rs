//! Where the programs are that `scripts/tools.sh` installs.
//!
//! They live in one cache folder for all work trees of a user, since each takes minutes to build or download.

use std::path::{Path, PathBuf};

/// The program `name` (`nats-server`, `kubectl`, `etcd`, `kube-apiserver`).
///
/// A variable `VEDETTE_` + the name in capitals with `_` for `-` overrides it, as `VEDETTE_NATS_SERVER`.
///
/// # Panics
/// If there is no such program; the message names the script that installs it.
pub fn path(name: &str) -> PathBuf {
    let variable = format!("VEDETTE_{}", name.to_uppercase().replace('-', "_"));
    let path = std::env::var_os(&variable).map_or_else(|| cache().join("bin").join(name), PathBuf::from);
    assert!(path.is_file(), "no {name} at {}: run `scripts/tools.sh`, or set {variable}", path.display());
    path
}

/// A program that Debian's package `package` installs, looked up in `PATH` and the folders for administrators.
///
/// # Panics
/// If it is in none of them.
pub fn system(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]);
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("no {name} in PATH: install Debian's package {package}, or run `scripts/tools.sh`"))
}

/// The folder that `scripts/tools.sh` installs into: `vedette` in the user's cache folder.
pub fn cache() -> PathBuf {
    let base =
        std::env::var_os("XDG_CACHE_HOME").filter(|base| !base.is_empty()).map(PathBuf::from).unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").expect("HOME or XDG_CACHE_HOME is set")).join(".cache")
        });
    base.join("vedette")
}

/// A file of this repository, by its path from the root.
pub fn repository(file: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").join(file);
    assert!(path.exists(), "no {file} in the repository");
    path
}

/// A program of this workspace, from the target folder that the running test or benchmark was built into.
///
/// # Panics
/// If it was not built.
pub fn built(name: &str) -> PathBuf {
    let running = std::env::current_exe().expect("the running program has a path");
    let folder = running.parent().expect("a program lies in a folder");
    // A test lies in the folder `deps`, beside which the programs are.
    let folder = if folder.ends_with("deps") { folder.parent().expect("`deps` lies in a folder") } else { folder };
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not built: run `make test`, or `cargo build --workspace --bins`", path.display());
    path
}
