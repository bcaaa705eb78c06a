//! What is kept, below each answer.

use vedette_console::api::Coverage;

use super::columns::time;
use crate::outcome::Failure;
use crate::term::{self, Paint, plain};

/// Writes it.
pub(super) fn write(coverage: &Coverage) -> Result<(), Failure> {
    for line in lines(coverage) {
        term::write(format!("{}\n", Paint::Dim.over(&line, term::stdout_color())).as_bytes())?;
    }
    Ok(())
}

/// It in words.
fn lines(coverage: &Coverage) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match &coverage.oldest {
        None => "kept: nothing yet".to_owned(),
        Some(oldest) => {
            let retention = match coverage.retention_days {
                0 => String::new(),
                days => format!(", for {days} days"),
            };
            let before = if coverage.begins_before { "; what was before is not here" } else { "" };
            format!("kept since {} UTC{retention}{before}", time(oldest))
        }
    });
    if !coverage.gaps.is_empty() {
        lines.push(format!("no record at all of {}", coverage.gaps.join(", ")));
    }
    if let Some(losses) = coverage.losses {
        let mut parts = Vec::new();
        for (number, what) in [
            (losses.dropped, "dropped by settings"),
            (losses.dead_lettered, "in dead letters"),
            (losses.in_flight, "messages on their way"),
        ] {
            if number > 0 {
                parts.push(format!("{} {what}", term::thousands(number)));
            }
        }
        if !parts.is_empty() {
            lines.push(format!("not kept: {}", parts.join(", ")));
        }
    }
    lines.extend(
        coverage
            .rules
            .iter()
            .filter(|kept| kept.kept)
            .map(|kept| format!("`{}`: kept by {}", plain(&kept.event), kept.rules.join(", "))),
    );
    lines.extend(refusals(coverage));
    lines
}

/// What no rule keeps, in words.
pub(super) fn refusals(coverage: &Coverage) -> Vec<String> {
    let refused = coverage.rules.iter().filter(|kept| !kept.kept);
    refused.map(|kept| format!("`{}`: not kept, {}", plain(&kept.event), kept.reason)).collect()
}

#[cfg(test)]
mod tests {
    use vedette_console::api::{Coverage, Kept, Losses};

    use super::lines;

    #[test]
    fn says_what_is_kept_and_what_is_not() {
        let coverage = Coverage {
            oldest: Some("2026-11-18T00:00:01.5Z".to_owned()),
            retention_days: 9,
            begins_before: true,
            losses: Some(Losses { dropped: 0, dead_lettered: 2, in_flight: 0 }),
            rules: vec![
                Kept {
                    event: "get secrets a/b".to_owned(),
                    kept: true,
                    rules: vec!["e.s".to_owned()],
                    ..Kept::default()
                },
                Kept { event: "get pods a/b".to_owned(), reason: "no rule".to_owned(), ..Kept::default() },
            ],
            ..Coverage::default()
        };
        assert_eq!(
            lines(&coverage),
            [
                "kept since 2026-11-18 00:00:01 UTC, for 9 days; what was before is not here",
                "not kept: 2 in dead letters",
                "`get secrets a/b`: kept by e.s",
                "`get pods a/b`: not kept, no rule",
            ]
        );
    }
}
