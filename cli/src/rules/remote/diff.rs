//! `vedette rules diff`: what `apply` would change.
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Server;
use super::document::{Documents, Resource, find, same, wanted};
use crate::outcome::Outcome;
use crate::term;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;
/// The longest texts that are compared line by line, in lines: time and room grow with their product.
const LINES: usize = 5000;

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
                let before = there.as_ref().map(|it| Resource::of(it)?.yaml()).transpose()?.unwrap_or_default();
                let after = Resource::of(&wanted)?.yaml()?;
                let from = if there.is_some() { rule.name.as_str() } else { "/dev/null" };
                let text = format!("--- {from}\n+++ {}\n{}", rule.name, unified(&before, &after));
                term::write(text.as_bytes())?;
            }
            Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        })
    }
}

/// A line of a difference: what stays, what goes, what comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    Same(&'a str),
    Gone(&'a str),
    Come(&'a str),
}

/// The difference in the form that `diff -u` and `patch` know.
fn unified(before: &str, after: &str) -> String {
    let steps = steps(&before.lines().collect::<Vec<_>>(), &after.lines().collect::<Vec<_>>());
    let changed: Vec<usize> =
        steps.iter().enumerate().filter(|(_, step)| !matches!(step, Step::Same(_))).map(|(index, _)| index).collect();
    let mut text = String::new();
    let mut rest = changed.as_slice();
    while let Some((first, _)) = rest.split_first() {
        // Changes that are near share a hunk.
        let near = rest.windows(2).take_while(|pair| matches!(pair, [a, b] if b - a <= 2 * CONTEXT)).count() + 1;
        let (hunk, later) = rest.split_at(near);
        let (start, end) = (first.saturating_sub(CONTEXT), hunk.last().unwrap_or(first) + CONTEXT + 1);
        let shown = steps.get(start..end.min(steps.len())).unwrap_or_default();
        let count = |of: &[Step<'_>], without: fn(&Step<'_>) -> bool| of.iter().filter(|step| !without(step)).count();
        let (old, new): (fn(&Step<'_>) -> bool, fn(&Step<'_>) -> bool) =
            (|step| matches!(step, Step::Come(_)), |step| matches!(step, Step::Gone(_)));
        let above = steps.get(..start).unwrap_or_default();
        let line = |above: usize, shown: usize| if shown == 0 { above } else { above + 1 };
        let (was, is) = (count(shown, old), count(shown, new));
        text.push_str(&format!(
            "@@ -{},{was} +{},{is} @@\n",
            line(count(above, old), was),
            line(count(above, new), is)
        ));
        for step in shown {
            let (sign, line) = match step {
                Step::Same(line) => (' ', line),
                Step::Gone(line) => ('-', line),
                Step::Come(line) => ('+', line),
            };
            text.push_str(&format!("{sign}{}\n", term::plain(line)));
        }
        rest = later;
    }
    text
}

/// The shortest way from one text to another.
fn steps<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Step<'a>> {
    if before.len().saturating_mul(after.len()) > LINES * LINES {
        return before.iter().map(|it| Step::Gone(it)).chain(after.iter().map(|it| Step::Come(it))).collect();
    }
    // How many lines are common from each pair of places on.
    let width = after.len() + 1;
    let mut common = vec![0_u32; (before.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            let best = if old == new {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut steps) = (0, 0, Vec::new());
    loop {
        match (before.get(i), after.get(j)) {
            (Some(old), Some(new)) if old == new => {
                steps.push(Step::Same(old));
                (i, j) = (i + 1, j + 1);
            }
            (Some(old), new) if new.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                steps.push(Step::Gone(old));
                i += 1;
            }
            (_, Some(new)) => {
                steps.push(Step::Come(new));
                j += 1;
            }
            _ => return steps,
        }
    }
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
