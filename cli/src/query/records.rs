//! Records, one a line.

use comfy_table::Cell;
use vedette_console::api::{Coverage, Events};

use super::{Output, Parameters, QueryCommand, columns, coverage};
use crate::console::{Console, EVENTS, EXPORT};
use crate::outcome::Failure;
use crate::term::{self, Paint};

/// Records shown unless another number is asked for.
const USUAL: u64 = 50;
/// Records asked for at a time.
const PAGE: u64 = 500;

impl QueryCommand {
    pub(super) async fn records(&self, console: &Console) -> Result<(), Failure> {
        match self.output {
            Output::Json => self.lines(console).await,
            Output::Table => self.table(console).await,
        }
    }

    fn wanted(&self) -> u64 {
        match self.limit.unwrap_or(USUAL) {
            0 => u64::MAX,
            limit => limit,
        }
    }

    /// The documents as they are stored, in constant memory.
    async fn lines(&self, console: &Console) -> Result<(), Failure> {
        let mut parameters = self.sorted();
        if self.wanted() != u64::MAX {
            parameters.push(("limit", self.wanted().to_string()));
        }
        let mut lines = console.lines(EXPORT, &parameters).await?;
        while let Some(line) = lines.next().await? {
            term::write(&[line.as_slice(), b"\n"].concat())?;
        }
        Ok(())
    }

    async fn table(&self, console: &Console) -> Result<(), Failure> {
        let columns = columns::named(&self.columns)?;
        let heads: Vec<String> = columns.iter().map(|column| column.head()).collect();
        let mut table = term::table(&heads);
        let (mut shown, mut total, mut kept) = (0, 0, Coverage::default());
        let mut cursor = None;
        loop {
            let page = self.page(console, (self.wanted() - shown).min(PAGE), cursor.take()).await?;
            shown += page.items.len() as u64;
            total = page.total.unwrap_or(total);
            kept = page.coverage.unwrap_or(kept);
            for event in &page.items {
                table.add_row(columns.iter().map(|column| Cell::new(column.cell(event))));
            }
            cursor = page.next.filter(|_| shown < self.wanted());
            if cursor.is_none() {
                break;
            }
        }
        if shown > 0 {
            term::write(format!("{}\n", table.trim_fmt()).as_bytes())?;
        }
        summary(shown, total)?;
        coverage::write(&kept)
    }

    /// A page of events.
    pub(super) async fn page(&self, console: &Console, size: u64, cursor: Option<String>) -> Result<Events, Failure> {
        let mut parameters: Parameters = self.sorted();
        parameters.push(("limit", size.to_string()));
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        Self::ask(console, EVENTS, &parameters).await
    }
}

/// Writes how many there are.
pub(super) fn summary(shown: u64, total: u64) -> Result<(), Failure> {
    let more = match shown < total {
        true => format!(", {} shown (--limit 0 shows all)", term::thousands(shown)),
        false => String::new(),
    };
    let summary = format!("{}{more}", term::count(total, "record", "records"));
    term::write(format!("{}\n", Paint::Dim.over(&summary, term::stdout_color())).as_bytes())
}
