//! A diagnostic as it is shown in a terminal: the message, the place, the lines of the file with the span marked, and the help.

use std::fmt::Write as _;
use std::ops::Range;

use crate::syntax::turns_text;
use crate::{Diagnostic, Severity, SourceFile};

/// Whether to write colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With the escapes of a terminal.
    Colour,
}

/// The longest line that is shown, in characters.
const WIDTH: usize = 160;

/// Renders `diagnostic`, which is about one of `files`.
pub fn render(diagnostic: &Diagnostic, files: &[SourceFile], style: Style) -> String {
    let Diagnostic { code, severity, message, file, span, line, column, label, help, .. } = diagnostic;
    let paint = Paint { style, colour: colour(*severity) };
    let mut out = String::new();
    let title = paint.strong(&format!("{severity}[{code}]"));
    let _ = writeln!(out, "{title}: {}", paint.bold(&visible(message)));
    let text = files.iter().find(|it| it.name == *file).map_or("", |it| it.text.as_str());
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let _ = writeln!(out, "{margin}{} {}:{line}:{column}", paint.faint("-->"), visible(file));
    let shown = line_around(text, span.start);
    if let Some(source) = text.get(shown.clone()).filter(|source| !source.trim().is_empty()) {
        // A span may go on over several lines: the first is marked.
        let within = |offset: usize| offset.clamp(shown.start, shown.end) - shown.start;
        let before = source.get(..within(span.start)).unwrap_or_default();
        let marked = source.get(within(span.start)..within(span.end)).unwrap_or_default();
        let (skipped, source) = window(source, before.chars().count());
        let before: String = before.chars().skip(skipped).collect();
        let indent: String = visible(&before).chars().map(|it| if it == '\t' { '\t' } else { ' ' }).collect();
        let room = WIDTH.saturating_sub(indent.chars().count()).max(1);
        let carets = "^".repeat(visible(marked).chars().count().clamp(1, room));
        let bar = paint.faint("|");
        let _ = writeln!(out, "{margin} {bar}");
        let _ = writeln!(out, "{} {bar} {}", paint.faint(&number), visible(&source));
        let marked = format!("{carets}{}{label}", if label.is_empty() { "" } else { " " });
        let _ = writeln!(out, "{margin} {bar} {indent}{}", paint.strong(&marked));
    }
    if let Some(help) = help {
        let _ = writeln!(out, "{margin} {} {}", paint.faint("= help:"), visible(help));
    }
    out
}

/// The bytes of the line that `offset` is in, without its line break: found from there, since a file may be as long as it likes and have
/// a thousand findings.
fn line_around(text: &str, offset: usize) -> Range<usize> {
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = before.len() + after.find('\n').unwrap_or(after.len());
    let kept = text.get(start..end).unwrap_or_default().trim_end_matches('\r');
    start..start + kept.len()
}

/// The part of a long line around character `at`, and how many characters before it are left out.
fn window(source: &str, at: usize) -> (usize, String) {
    let count = source.chars().count();
    if count <= WIDTH {
        return (0, source.to_owned());
    }
    let skipped = at.saturating_sub(WIDTH / 2).min(count - WIDTH);
    (skipped, source.chars().skip(skipped).take(WIDTH).collect())
}

/// A text as a terminal may be given it: control characters made harmless, what turns the direction of text around escaped; tabs stay.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '\t' => shown.push(it),
            _ if it.is_control() => shown.push('\u{fffd}'),
            _ if turns_text(it) => shown.extend(it.escape_unicode()),
            _ => shown.push(it),
        }
    }
    shown
}

fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "31",
        Severity::Warning => "33",
        Severity::Note => "36",
    }
}

struct Paint {
    style: Style,
    colour: &'static str,
}

impl Paint {
    fn strong(&self, text: &str) -> String {
        self.wrap(&format!("1;{}", self.colour), text)
    }

    fn bold(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn faint(&self, text: &str) -> String {
        self.wrap("34", text)
    }

    fn wrap(&self, codes: &str, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("\u{1b}[{codes}m{text}\u{1b}[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_around_a_byte_is_found() {
        let text = "ab\r\ncd\n\nef";
        let lines: Vec<_> = (0..=text.len() + 1).map(|at| &text[line_around(text, at)]).collect();
        assert_eq!(lines, ["ab", "ab", "ab", "ab", "cd", "cd", "cd", "", "ef", "ef", "ef", "ef"]);
    }

    #[test]
    fn nothing_that_turns_text_around_is_shown_as_it_is() {
        assert_eq!(visible("a\u{202e}b\u{2066}\u{1b}\tä"), "a\\u{202e}b\\u{2066}\u{fffd}\tä");
    }
}
