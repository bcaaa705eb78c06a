//! The browser tests of the console's pages, `console/web/browser`, which drive a real Chromium.

use std::time::Duration;

use crate::process::Plan;
use crate::{tools, wait};

/// What all tests of one call may take, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(1_200);

/// Runs vitest with these arguments, all tests if they name none, and with these variables: `console/web/browser/kit.ts` says which it
/// wants.
/// Pictures of the pages are left in `target/screenshots`.
///
/// # Panics
/// If one fails, with what they say; or if `scripts/pages.sh` has not been there.
pub fn run(arguments: &[&str], variables: &[(&str, &str)]) {
    let web = tools::repository("console/web");
    let vitest = web.join("node_modules/vitest/vitest.mjs");
    assert!(vitest.is_file(), "no {}: run `scripts/pages.sh`", vitest.display());
    let folder = tempfile::tempdir().expect("a folder can be made");
    let text = |path: std::path::PathBuf| path.to_str().expect("paths are text").to_owned();
    let plan = Plan::new("vitest", tools::system("node", "nodejs"), folder.path().join("log"))
        .args([text(vitest).as_str(), "run", "--config", "browser/vitest.config.ts"])
        .args(arguments)
        .folder(web)
        .env("VEDETTE_CHROMIUM", text(tools::system("chromium", "chromium")))
        .env("VEDETTE_SCREENSHOTS", text(tools::repository(".").join("target/screenshots")))
        .env("NO_COLOR", "1");
    let mut tests = variables.iter().fold(plan, |plan, (name, value)| plan.env(*name, *value)).start();
    let status = wait::until(LIMIT, "the browser tests' end", || tests.ended());
    let said = tests.log();
    assert!(status.success(), "browser tests end with {status}:\n{said}");
    println!("{said}");
}
