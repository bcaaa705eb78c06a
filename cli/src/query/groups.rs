//! Groups: who, from where, how often, since when.

use comfy_table::Cell;
use vedette_console::api::Groups;

use super::{Output, QueryCommand, columns, coverage};
use crate::console::{Console, GROUPS};
use crate::outcome::Failure;
use crate::term::{self, Paint, plain};

/// Other names for fields, as the search language has them.
const ALIASES: [(&str, &str); 8] = [
    ("ns", "namespace"),
    ("sub", "subresource"),
    ("cred", "credential"),
    ("cmd", "command"),
    ("agent", "userAgent"),
    ("ws", "workspace"),
    ("uri", "path"),
    ("anyip", "sourceIP"),
];

impl QueryCommand {
    pub(super) async fn groups(&self, console: &Console) -> Result<(), Failure> {
        let name = |name: &String| {
            let alias = ALIASES.iter().find(|(alias, _)| name.trim().eq_ignore_ascii_case(alias));
            alias.map_or(name.trim(), |(_, name)| name).to_owned()
        };
        let by: Vec<String> = self.by.iter().map(name).collect();
        let mut parameters = self.parameters();
        parameters.extend([("by", by.join(",")), ("top", self.top.to_string())]);
        parameters.extend(self.new_since.clone().map(|since| ("newSince", since)));
        if self.output == Output::Json {
            let text = console.text(GROUPS, &parameters).await?;
            return term::write(format!("{text}\n").as_bytes());
        }
        let groups: Groups = Self::ask(console, GROUPS, &parameters).await?;
        let mut heads: Vec<String> = groups.by.iter().map(|by| by.to_uppercase()).collect();
        heads.extend(["COUNT", "FIRST SEEN (UTC)", "LAST SEEN (UTC)"].map(str::to_owned));
        let tells_new = groups.new_since.is_some();
        if tells_new {
            heads.push("NEW".to_owned());
        }
        let mut table = term::table(&heads);
        for group in &groups.rows {
            let value = |value: &String| if value.is_empty() { "—".to_owned() } else { plain(value) };
            let mut cells: Vec<String> = group.values.iter().map(value).collect();
            let times = [&group.first_seen, &group.last_seen].map(|time| columns::time(time));
            cells.push(term::thousands(group.count));
            cells.extend(times);
            if tells_new {
                cells.push(if group.new == Some(true) { "new" } else { "" }.to_owned());
            }
            table.add_row(cells.into_iter().map(Cell::new));
        }
        if !groups.rows.is_empty() {
            term::write(format!("{}\n", table.trim_fmt()).as_bytes())?;
        }
        let shown = groups.rows.len() as u64;
        let more = match shown < groups.total {
            true => format!(", {} shown (--top {} shows more)", term::thousands(shown), groups.total.min(1_000)),
            false => String::new(),
        };
        let since = groups.new_since.map(|since| format!("; new: not seen since {} UTC before", columns::time(&since)));
        let summary = format!("{}{more}{}", term::count(groups.total, "group", "groups"), since.unwrap_or_default());
        term::write(format!("{}\n", Paint::Dim.over(&summary, term::stdout_color())).as_bytes())?;
        coverage::write(&groups.coverage)
    }
}
