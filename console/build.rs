//! Has cargo notice that the web pages were built: the files that there are it notices by itself, others and those to come it does not.

use std::path::Path;

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/dist");
    // A folder that is not there would be news at every build, so its parent is looked at until it comes.
    if let Some(there) = dist.ancestors().find(|folder| folder.is_dir()) {
        println!("cargo::rerun-if-changed={}", there.display());
    }
}
