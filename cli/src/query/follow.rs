//! Events as they come.
//!
//! Rows are written when they come, so that a column can't know how wide it will be: it is as wide as its widest value so far.

use std::process::ExitCode;

use serde::Deserialize;
use vedette_console::api::{Coverage, Event};

use super::{Output, QueryCommand, columns, coverage};
use crate::console::{COVERAGE, Console, TAIL};
use crate::outcome::{Failure, Outcome};
use crate::term::{self, Paint, plain};

/// What a message of the tail is about.
#[derive(Deserialize)]
struct Missed {
    count: u64,
}

#[derive(Deserialize)]
struct End {
    reason: String,
}

impl QueryCommand {
    /// Shows events until Ctrl-C.
    pub(super) async fn follow(&self, console: &Console) -> Outcome {
        tokio::select! {
            ended = self.tail(console) => ended.map(|()| ExitCode::SUCCESS),
            pressed = tokio::signal::ctrl_c() => match pressed {
                Ok(()) => Ok(ExitCode::SUCCESS),
                Err(error) => Err(Failure::failed("can't listen for signals").because(error)),
            },
        }
    }

    async fn tail(&self, console: &Console) -> Result<(), Failure> {
        let mut rows = match self.output {
            Output::Table => Some(Rows::new(columns::named(&self.columns)?)),
            Output::Json | Output::Csv => None,
        };
        let kept: Coverage = Self::ask(console, COVERAGE, &self.parameters()).await?;
        let mut lines = console.lines(TAIL, &self.parameters()).await?;
        for line in coverage::refusals(&kept) {
            note(&line);
        }
        note("following; Ctrl-C ends it");
        if let Some(rows) = &mut rows {
            let heads = rows.columns.iter().map(|column| column.head()).collect();
            term::write(rows.line(heads).as_bytes())?;
        }
        let (mut name, mut data) = (Vec::new(), Vec::new());
        while let Some(line) = lines.next().await? {
            if let Some(value) = line.strip_prefix(b"event: ") {
                name = value.to_vec();
            } else if let Some(value) = line.strip_prefix(b"data: ") {
                data = value.to_vec();
            } else if line.is_empty() && !data.is_empty() {
                let (name, data) = (std::mem::take(&mut name), std::mem::take(&mut data));
                let strange = |error| console.strange().because(error);
                match name.as_slice() {
                    b"event" => match &mut rows {
                        None => term::write(&[data.as_slice(), b"\n"].concat())?,
                        Some(rows) => {
                            let event: Event = serde_json::from_slice(&data).map_err(strange)?;
                            let cells = rows.columns.iter().map(|column| column.cell(&event)).collect();
                            term::write(rows.line(cells).as_bytes())?;
                        }
                    },
                    b"missed" => {
                        let missed: Missed = serde_json::from_slice(&data).map_err(strange)?;
                        let batches = term::count(missed.count, "batch of events was", "batches of events were");
                        note(&format!(
                            "{batches} missed here: they came too fast; what is stored is found without --follow"
                        ));
                    }
                    b"end" => {
                        let end: End = serde_json::from_slice(&data).map_err(strange)?;
                        return Err(Failure::failed(format!("no more events come: {}", plain(&end.reason))));
                    }
                    _ => {}
                }
            }
        }
        Err(Failure::failed("no more events come: the console closed the connection"))
    }
}

/// Says something that is no event.
fn note(text: &str) {
    eprintln!("{}", Paint::Dim.over(text, term::stderr_color()));
}

/// Rows one after the other.
struct Rows {
    columns: Vec<columns::Column>,
    widths: Vec<usize>,
}

impl Rows {
    fn new(columns: Vec<columns::Column>) -> Self {
        let widths = columns.iter().map(|column| column.width()).collect();
        Self { columns, widths }
    }

    /// A row of these cells, its end included.
    fn line(&mut self, cells: Vec<String>) -> String {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&mut self.widths) {
            *width = cell.chars().count().max(*width);
            line.push_str(&format!("{cell:<0$}  ", *width));
        }
        format!("{}\n", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::{Rows, columns};

    #[test]
    fn columns_grow_with_what_comes() {
        let mut rows = Rows::new(columns::named(&["verb".to_owned(), "code".to_owned()]).unwrap());
        let mut line = |cells: [&str; 2]| rows.line(cells.map(str::to_owned).to_vec());
        assert_eq!(line(["VERB", "CODE"]), "VERB    CODE\n");
        assert_eq!(line(["get", "200"]), "get     200\n");
        assert_eq!(line(["deletecollection", ""]), "deletecollection\n");
        assert_eq!(line(["get", "404"]), "get               404\n");
    }
}
