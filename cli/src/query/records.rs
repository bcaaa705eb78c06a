//! Records, a line for each request.

use comfy_table::Cell;
use vedette_console::api::{Coverage, Event, Events};

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
            Output::Json => self.lines(console, Vec::new()).await,
            Output::Csv => self.lines(console, self.csv()?).await,
            Output::Table => self.table(console).await,
        }
    }

    fn wanted(&self) -> u64 {
        match self.limit.unwrap_or(USUAL) {
            0 => u64::MAX,
            limit => limit,
        }
    }

    /// The parameters that make the console write CSV.
    fn csv(&self) -> Result<Parameters, Failure> {
        let names = columns::exported(&self.columns)?;
        let mut parameters = vec![("format", "csv".to_owned())];
        if !names.is_empty() {
            parameters.push(("columns", names.join(",")));
        }
        Ok(parameters)
    }

    /// What the console exports, in constant memory: the documents as they are stored, unless more is said.
    async fn lines(&self, console: &Console, how: Parameters) -> Result<(), Failure> {
        let mut parameters = [self.sorted(), how].concat();
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
        let mut rows = Rows { each_stage: self.stages, ..Rows::default() };
        let (mut total, mut kept) = (0, Coverage::default());
        let mut cursor = None;
        // One more than is shown: its coming says that all stages of the last one are there.
        while rows.len() <= self.wanted() {
            let size = (self.wanted() - rows.len()).saturating_add(1).min(PAGE);
            let page = self.page(console, size, cursor.take()).await?;
            total = page.total.unwrap_or(total);
            kept = page.coverage.unwrap_or(kept);
            page.items.into_iter().for_each(|event| rows.add(event));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let all = cursor.is_none() && rows.len() <= self.wanted();
        let shown = rows.len().min(self.wanted());
        for event in rows.shown.iter().take(usize::try_from(shown).unwrap_or(usize::MAX)) {
            table.add_row(columns.iter().map(|column| Cell::new(column.cell(event))));
        }
        if shown > 0 {
            term::write(format!("{}\n", table.trim_fmt()).as_bytes())?;
        }
        summary(shown, total, all)?;
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

/// Events, those of one request as one.
#[derive(Default)]
struct Rows {
    shown: Vec<Event>,
    each_stage: bool,
}

impl Rows {
    fn len(&self) -> u64 {
        self.shown.len() as u64
    }

    /// Adds one, or puts it in the place of an earlier stage of the same request. The id is the client's choice: only what
    /// differs in nothing but the stage and what is known by then is taken for the same, so that no request can hide another.
    fn add(&mut self, event: Event) {
        // Stages come together, since a request has one time.
        let near = self.shown.iter_mut().rev().take_while(|shown| shown.time == event.time);
        match near.into_iter().find(|shown| !self.each_stage && are_stages(shown, &event)) {
            Some(shown) if order(shown) < order(&event) => *shown = event,
            Some(_) => {}
            None => self.shown.push(event),
        }
    }
}

fn are_stages(one: &Event, other: &Event) -> bool {
    let of = |event: &Event| {
        [&event.cluster, &event.audit_id, &event.user, &event.verb, &event.request_uri, &event.ip].map(String::clone)
    };
    one.stage != other.stage && !one.audit_id.is_empty() && of(one) == of(other)
}

/// Stages in the order in which a request comes to them.
fn order(event: &Event) -> u8 {
    match event.stage.as_str() {
        "RequestReceived" => 0,
        "ResponseStarted" => 1,
        _ => 2,
    }
}

/// Writes how many there are.
pub(super) fn summary(shown: u64, total: u64, all: bool) -> Result<(), Failure> {
    let records = term::count(total, "record", "records");
    let summary = match (all, shown < total) {
        (true, true) => format!("{records} of {}", term::count(shown, "request", "requests")),
        (true, false) => records,
        (false, _) => format!("{records}, {} shown (--limit 0 shows all)", term::count(shown, "request", "requests")),
    };
    term::write(format!("{}\n", Paint::Dim.over(&summary, term::stdout_color())).as_bytes())
}

#[cfg(test)]
mod tests {
    use vedette_console::api::Event;

    use super::Rows;

    fn event(id: &str, user: &str, stage: &str) -> Event {
        let (audit_id, user, stage) = (id.to_owned(), user.to_owned(), stage.to_owned());
        Event { audit_id, user, stage, time: "2026-11-22T14:05:09Z".to_owned(), ..Event::default() }
    }

    /// Which of the events are shown, as `id user stage`.
    fn check(each_stage: bool, events: &[[&str; 3]], expected: &[&str]) {
        let mut rows = Rows { each_stage, ..Rows::default() };
        events.iter().for_each(|[id, user, stage]| rows.add(event(id, user, stage)));
        let shown: Vec<String> =
            rows.shown.iter().map(|event| format!("{} {} {}", event.audit_id, event.user, event.stage)).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_stages_of_a_request_are_one_row() {
        let [received, started, complete] = ["RequestReceived", "ResponseStarted", "ResponseComplete"];
        let session = [["a", "eve", complete], ["b", "eve", received], ["a", "eve", received], ["a", "eve", started]];
        check(false, &session, &["a eve ResponseComplete", "b eve RequestReceived"]);
        check(true, &session[2..], &["a eve RequestReceived", "a eve ResponseStarted"]);
    }

    #[test]
    fn no_request_hides_another_by_taking_its_id() {
        let [received, complete] = ["RequestReceived", "ResponseComplete"];
        check(
            false,
            &[["a", "eve", received], ["a", "bob", complete]],
            &["a eve RequestReceived", "a bob ResponseComplete"],
        );
        check(false, &[["a", "eve", complete]; 2], &["a eve ResponseComplete", "a eve ResponseComplete"]);
        check(
            false,
            &[["", "eve", received], ["", "eve", complete]],
            &[" eve RequestReceived", " eve ResponseComplete"],
        );
    }
}
