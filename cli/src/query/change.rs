//! What requests changed.

use serde_json::Value;
use vedette_console::api::{Change, ChangeKind, Coverage, Event, Whole};

use super::{Output, QueryCommand, columns, coverage, records};
use crate::console::{Console, EVENTS};
use crate::outcome::Failure;
use crate::term::{self, Paint, plain};

/// Changes shown unless another number is asked for: each takes a request.
const USUAL: u64 = 50;
const MOST: u64 = 1_000;
/// Characters of a value that are shown.
const VALUE: usize = 200;

impl QueryCommand {
    pub(super) async fn changes(&self, console: &Console) -> Result<(), Failure> {
        let wanted = self.limit.unwrap_or(USUAL);
        if wanted == 0 || wanted > MOST {
            return Err(Failure::usage(format!("--diff shows {MOST} changes at most")).help("narrow the time"));
        }
        let page = self.page(console, wanted, None).await?;
        let color = term::stdout_color();
        for event in &page.items {
            if event.id.is_empty() {
                // Somebody else stored it.
                term::write(format!("{}\n    no difference: not stored by Vedette\n", head(event)).as_bytes())?;
                continue;
            }
            let path = format!("{EVENTS}/{}", event.id);
            if self.output == Output::Json {
                let text = console.text(&path, &[]).await?;
                term::write(format!("{text}\n").as_bytes())?;
                continue;
            }
            let whole: Whole = Self::ask(console, &path, &Vec::new()).await?;
            term::write(format!("{}\n", head(&whole.event)).as_bytes())?;
            for line in lines(&whole.change, color) {
                term::write(format!("    {line}\n").as_bytes())?;
            }
        }
        if self.output == Output::Json {
            return Ok(());
        }
        records::summary(page.items.len() as u64, page.total.unwrap_or_default(), page.next.is_none())?;
        coverage::write(&page.coverage.unwrap_or_else(Coverage::default))
    }
}

/// Who did what to what, in a line.
fn head(event: &Event) -> String {
    let code = event.code.map(|code| format!("  {code}")).unwrap_or_default();
    plain(&format!(
        "{}  {} {} {}{code}",
        columns::time(&event.time),
        columns::who(event),
        event.verb,
        columns::object(event)
    ))
}

fn lines(change: &Change, color: bool) -> Vec<String> {
    let mut lines = Vec::new();
    match change.kind {
        ChangeKind::None => lines.push(Paint::Dim.over(&plain(&change.reason), color)),
        ChangeKind::Created => lines.push("made:".to_owned()),
        ChangeKind::Deleted => lines.push(match (&change.before, change.reason.as_str()) {
            (Some(before), _) => format!("deleted, as it was at {}:", plain(&columns::time(&before.time))),
            (None, "") => "deleted:".to_owned(),
            (None, reason) => format!("deleted: {}", plain(reason)),
        }),
        ChangeKind::Patch => lines.push(format!("patch ({}):", plain(&change.reason))),
        ChangeKind::AfterOnly => lines.push(format!("after ({}):", plain(&change.reason))),
        ChangeKind::Compared if change.places.is_empty() => lines.push("no difference".to_owned()),
        ChangeKind::Compared => {
            let before = change.before.as_ref().map(|before| columns::time(&before.time)).unwrap_or_default();
            let sure = if change.exact { "" } else { "; changes that are not kept may lie between" };
            lines.push(Paint::Dim.over(&format!("since {}{sure}", plain(&before)), color));
        }
    }
    for place in &change.places {
        let path = plain(&place.path);
        if let Some(before) = &place.before {
            lines.push(Paint::Red.over(&format!("- {path}: {}", value(before)), color));
        }
        if let Some(after) = &place.after {
            lines.push(Paint::Green.over(&format!("+ {path}: {}", value(after)), color));
        }
    }
    lines.extend(change.patch.as_ref().map(value));
    lines
}

fn value(value: &Value) -> String {
    let text = plain(&value.to_string());
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
