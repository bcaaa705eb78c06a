//! `vedette rules diff`: what `apply` would change.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use similar::TextDiff;

use super::Server;
use super::document::{Documents, find, same, wanted, yaml};
use crate::outcome::Outcome;
use crate::term;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;
/// How long the shortest difference of two texts is looked for; what is found by then is one too.
const PATIENCE: Duration = Duration::from_secs(2);

/// Show what `apply` would change at an operator
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules diff -f my-rule.yaml
  vedette rules diff -f rules/ -n audit && echo nothing to do

Exit code 0 if nothing would change, 1 if something would, above 1 if it could not be found out.")]
pub(crate) struct Diff {
    /// A file or folder with `Rule` resources; may be given several times
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The namespace of rules that name none [default: default]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    server: Server,
}

impl Diff {
    /// Compares the files with what is there.
    pub(crate) fn run(self) -> Outcome {
        // 1 is an answer here.
        self.compare().map_err(crate::outcome::Failure::or_usage)
    }

    fn compare(&self) -> Outcome {
        let documents = Documents::read(&self.files, self.namespace.as_deref())?;
        self.server.talk(async |client| {
            let mut differs = false;
            for rule in &documents.rules {
                let there = find(client, &rule.name).await?;
                let wanted = wanted(rule, there.as_ref());
                if there.as_ref().is_some_and(|it| same(it, &wanted)) {
                    continue;
                }
                differs = true;
                let before = there.as_ref().map(yaml).transpose()?.unwrap_or_default();
                let after = yaml(&wanted)?;
                let from = if there.is_some() { rule.name.as_str() } else { "/dev/null" };
                let text = format!("--- {from}\n+++ {}\n{}", rule.name, unified(&before, &after));
                term::write(text.as_bytes())?;
            }
            Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        })
    }
}

/// The difference in the form that `diff -u` and `patch` know.
fn unified(before: &str, after: &str) -> String {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    let text = diff.unified_diff().context_radius(CONTEXT).to_string();
    text.lines().map(|line| format!("{}\n", term::plain(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn differences_are_those_of_diff() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n";
        let after = "a\nb\nX\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n";
        assert_eq!(
            unified(before, after),
            "@@ -1,6 +1,6 @@\n a\n b\n-c\n+X\n d\n e\n f\n@@ -10,3 +10,4 @@\n j\n k\n l\n+m\n"
        );
        assert_eq!(unified("", "a\nb\n"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(unified("a\n", "a\n"), "");
    }
}
