//! What the terminal wants: colour or none, and numbers that people can read.
use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::outcome::Failure;

/// A colour.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    Red,
    Green,
    Yellow,
    Cyan,
    Dim,
}

impl Paint {
    /// `text` in this colour, or as it is.
    pub(crate) fn over(self, text: &str, color: bool) -> String {
        if !color {
            return text.to_owned();
        }
        let code = match self {
            Self::Dim => 2,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Cyan => 36,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Whether standard output takes colour.
pub(crate) fn stdout_color() -> bool {
    wants_color() && std::io::stdout().is_terminal()
}

/// Whether standard error takes colour.
pub(crate) fn stderr_color() -> bool {
    wants_color() && std::io::stderr().is_terminal()
}

/// Whether progress may be drawn over itself.
pub(crate) fn draws() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes to the standard output. That its reader has seen enough, as `head` has, ends the program and is no failure.
pub(crate) fn write(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.map_err(|error| Failure::failed("can't write to the standard output").because(error)),
    }
}

/// A table without lines, as wide as the terminal.
pub(crate) fn table<T: AsRef<str>>(header: &[T]) -> Table {
    let mut table = Table::new();
    let names = header.iter().map(AsRef::as_ref);
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(names);
    for column in table.column_iter_mut().take(header.len().saturating_sub(1)) {
        column.set_padding((0, 2));
    }
    table
}

/// Text of events as it may stand on a terminal: what a client wrote must not steer it.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            // Marks that turn the direction of writing hide what is there.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// `15459` as `15,459`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `one list` or `3 lists`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// Bytes in decimal units: `22.6 MB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1000.0;
    let mut unit = "kB";
    for next in UNITS.into_iter().skip(1) {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, plain, thousands};

    #[test]
    fn what_a_client_wrote_does_not_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}ü"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}ü");
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(
            [0, 999, 1000, 15459, 1_000_000].map(thousands),
            ["0", "999", "1,000", "15,459", "1,000,000"].map(str::to_owned)
        );
        assert_eq!(
            [999, 1000, 22_587_637, 3_000_000_000].map(bytes),
            ["999 B", "1.0 kB", "22.6 MB", "3.0 GB"].map(str::to_owned)
        );
        assert_eq!(count(1, "list", "lists"), "1 list");
        assert_eq!(count(0, "list", "lists"), "0 lists");
    }
}
