//! Events as lines of CSV (RFC 4180).
//!
//! Fields carry text that attackers choose, and spreadsheets run what begins like a formula: such a cell gets an apostrophe
//! before it, as OWASP advises, in ASCII and in full width. Cells are quoted for readers that part them at `;` or a tab, too.

use super::event::Event;
use crate::failure::Failure;

/// A column: its name and what it shows.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    text: fn(&Event) -> String,
}

/// All columns; the first [`USUAL`] are there unless others are asked for.
pub(crate) const COLUMNS: [Column; 29] = [
    Column { name: "time", text: |event| event.time.clone() },
    Column { name: "cluster", text: |event| event.cluster.clone() },
    Column { name: "actor", text: |event| event.actor.clone() },
    Column { name: "verb", text: |event| event.verb.clone() },
    Column { name: "resource", text: |event| event.resource.clone() },
    Column { name: "subresource", text: |event| event.subresource.clone() },
    Column { name: "namespace", text: |event| event.namespace.clone() },
    Column { name: "name", text: |event| event.name.clone() },
    Column { name: "code", text: |event| event.code.map(|code| code.to_string()).unwrap_or_default() },
    Column { name: "ip", text: |event| event.ip.clone() },
    Column { name: "id", text: |event| event.id.clone() },
    Column { name: "stageTime", text: |event| event.stage_time.clone() },
    Column { name: "stage", text: |event| event.stage.clone() },
    Column { name: "level", text: |event| event.level.clone() },
    Column { name: "workspace", text: |event| event.workspace.clone() },
    Column { name: "user", text: |event| event.user.clone() },
    Column { name: "impersonatedUser", text: |event| event.impersonated_user.clone() },
    Column { name: "groups", text: |event| event.groups.join(" ") },
    Column { name: "credential", text: |event| event.credential.clone() },
    Column { name: "sourceIPs", text: |event| event.source_ips.join(" ") },
    Column { name: "userAgent", text: |event| event.user_agent.clone() },
    Column { name: "apiGroup", text: |event| event.api_group.clone() },
    Column { name: "command", text: |event| event.command.clone() },
    Column { name: "durationMicros", text: |event| event.duration_micros.map(|it| it.to_string()).unwrap_or_default() },
    Column { name: "status", text: |event| event.status.clone() },
    Column { name: "reason", text: |event| event.reason.clone() },
    Column { name: "requestURI", text: |event| event.request_uri.clone() },
    Column { name: "auditID", text: |event| event.audit_id.clone() },
    Column { name: "rules", text: |event| event.rules.join(" ") },
];

const USUAL: usize = 11;

/// The columns of these names, with commas between them.
pub(crate) fn named(names: Option<&str>) -> Result<Vec<Column>, Failure> {
    let Some(names) = names else { return Ok(COLUMNS.iter().take(USUAL).copied().collect()) };
    let find = |name: &str| COLUMNS.iter().find(|column| column.name.eq_ignore_ascii_case(name)).copied();
    let unknown = |name: &str| {
        let all: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        let name: String = name.chars().take(64).collect();
        Failure::bad("columns", format!("`{name}` is no column: there are {}", all.join(", ")))
    };
    let mut columns: Vec<Column> = Vec::new();
    for name in names.split(',').map(str::trim) {
        let column = find(name).ok_or_else(|| unknown(name))?;
        if columns.iter().any(|known| known.name == column.name) {
            return Err(Failure::bad("columns", format!("`{}` is named twice", column.name)));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// The line with the columns' names.
pub(crate) fn head(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    names.join(",") + "\r\n"
}

/// An event's line, without its end.
pub(crate) fn line(columns: &[Column], event: &Event) -> String {
    let cells: Vec<String> = columns.iter().map(|column| cell(&(column.text)(event))).collect();
    cells.join(",")
}

fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', ';', '\t', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        let check = |text: &str, expected: &str| assert_eq!(cell(text), expected);
        check("alice", "alice");
        check("a,\"b\"\n", "\"a,\"\"b\"\"\n\"");
        check("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\"");
        check("-1", "'-1");
        check("＝1", "'＝1");
        check("x;=1", "\"x;=1\"");
    }
}
