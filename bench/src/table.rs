//! What a subject reports: rows with a figure, what it is held against, and the bar.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, presets};

/// The rows of one subject, and notes that say how they came about.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    value: Quantity,
    against: Option<(String, Quantity)>,
    ratio: Option<f64>,
    bars: Vec<Bar>,
}

/// A number with its unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quantity(pub(crate) f64, pub(crate) Unit);

/// The units that the tables use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Events a second of wall-clock time.
    Events,
    /// Events a second of one core's time.
    EventsPerCore,
    /// Alerts a second.
    Alerts,
    /// Milliseconds.
    Milliseconds,
    /// MiB.
    Mebibytes,
    /// Bytes an event.
    BytesPerEvent,
    /// Bytes a rule.
    BytesPerRule,
}

/// A limit that a figure must keep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    limit: Limit,
    in_force: bool,
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    AtLeast(f64),
    Below(f64),
    Ratio(f64),
}

impl Table {
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// How many bars that are in force were missed.
    pub(crate) fn missed(&self) -> usize {
        self.rows.iter().map(|row| row.bars.iter().filter(|bar| bar.in_force && !row.meets(bar)).count()).sum()
    }
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self { what: what.into(), value: Quantity(value, unit), against: None, ratio: None, bars: Vec::new() }
    }

    /// What it is held against, and the ratio of the two as the rounds gave it.
    pub(crate) fn against(mut self, what: impl Into<String>, value: f64, ratio: f64) -> Self {
        self.against = Some((what.into(), Quantity(value, self.value.1)));
        self.ratio = Some(ratio);
        self
    }

    /// Another figure beside it, of whatever unit, with no ratio.
    pub(crate) fn beside(mut self, what: impl Into<String>, value: Quantity) -> Self {
        self.against = Some((what.into(), value));
        self
    }

    /// Adds a bar.
    pub(crate) fn bar(mut self, bar: Bar) -> Self {
        self.bars.push(bar);
        self
    }

    fn meets(&self, bar: &Bar) -> bool {
        match bar.limit {
            Limit::AtLeast(limit) => self.value.0 >= limit,
            Limit::Below(limit) => self.value.0 < limit,
            Limit::Ratio(limit) => self.ratio.is_some_and(|ratio| ratio >= limit),
        }
    }

    fn cells(&self) -> [String; 5] {
        let against = self.against.as_ref().map(|(what, value)| format!("{what}: {value}"));
        let ratio = self.ratio.map(|ratio| format!("{ratio:.2}"));
        let bars: Vec<String> = self.bars.iter().map(|bar| self.verdict(bar)).collect();
        [
            self.what.clone(),
            self.value.to_string(),
            against.unwrap_or_default(),
            ratio.unwrap_or_default(),
            bars.join("; "),
        ]
    }

    fn verdict(&self, bar: &Bar) -> String {
        let limit = match bar.limit {
            Limit::AtLeast(limit) => format!("≥ {}", grouped(limit)),
            Limit::Below(limit) => format!("< {}", grouped(limit)),
            Limit::Ratio(limit) => format!("ratio ≥ {limit:.2}"),
        };
        let met = if self.meets(bar) { "met" } else { "missed" };
        let when = if bar.in_force { "" } else { " (later)" };
        format!("{limit}{when}: {met}")
    }
}

impl Bar {
    /// In force now: missing it fails the run.
    pub(crate) fn at_least(limit: f64) -> Self {
        Self { limit: Limit::AtLeast(limit), in_force: true }
    }

    /// In force now: missing it fails the run.
    pub(crate) fn below(limit: f64) -> Self {
        Self { limit: Limit::Below(limit), in_force: true }
    }

    /// The figure must be this part of what it is held against.
    pub(crate) fn ratio(limit: f64) -> Self {
        Self { limit: Limit::Ratio(limit), in_force: true }
    }

    /// The product's bar, not in force yet: only reported.
    pub(crate) fn later(self) -> Self {
        Self { in_force: false, ..self }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["what", "measured", "held against", "ratio", "bar"]);
        for row in &self.rows {
            table.add_row(row.cells());
        }
        for column in [1, 3] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        write!(out, "{table}")?;
        for note in &self.notes {
            write!(out, "\n- {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, unit) = *self;
        let number = match unit {
            Unit::Milliseconds | Unit::Mebibytes if value < 1000.0 => format!("{value:.1}"),
            _ => grouped(value),
        };
        let unit = match unit {
            Unit::Events => "events/s",
            Unit::EventsPerCore => "events/core-s",
            Unit::Alerts => "alerts/s",
            Unit::Milliseconds => "ms",
            Unit::Mebibytes => "MiB",
            Unit::BytesPerEvent => "B/event",
            Unit::BytesPerRule => "B/rule",
        };
        write!(out, "{number} {unit}")
    }
}

/// A whole number with commas between the thousands.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Bar, Row, Table, Unit, grouped};

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0.0, 999.4, 1000.0, 1_234_567.0].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn only_a_bar_in_force_counts_as_missed() {
        let mut table = Table::default();
        table.push(Row::new("a", 10.0, Unit::Events).bar(Bar::at_least(11.0)).bar(Bar::at_least(12.0).later()));
        table
            .push(Row::new("b", 10.0, Unit::Events).against("c", 20.0, 0.5).bar(Bar::ratio(0.5)).bar(Bar::below(11.0)));
        assert_eq!(table.missed(), 1);
        let text = table.to_string();
        assert!(text.contains("≥ 11: missed") && text.contains("≥ 12 (later): missed"), "{text}");
        assert!(text.contains("ratio ≥ 0.50: met") && text.contains("< 11: met"), "{text}");
    }
}
