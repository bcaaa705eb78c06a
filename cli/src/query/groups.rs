//! Groups: who, from where, how often, since when.

use comfy_table::Cell;
use vedette_console::api::{Group, Groups};
use vedette_console::search::grouped_by;

use super::{Output, QueryCommand, columns, coverage};
use crate::console::{Console, GROUPS};
use crate::outcome::Failure;
use crate::term::{self, Paint, plain};

impl QueryCommand {
    pub(super) async fn groups(&self, console: &Console) -> Result<(), Failure> {
        // By the language's own words, too; what is none of them the console knows, or says what there is.
        let by: Vec<&str> = self.by.iter().map(|name| grouped_by(name.trim()).unwrap_or(name.trim())).collect();
        let mut parameters = self.parameters();
        parameters.extend([("by", by.join(",")), ("top", self.top.to_string())]);
        parameters.extend(self.new_since.clone().map(|since| ("newSince", since)));
        if self.output == Output::Json {
            let text = console.text(GROUPS, &parameters).await?;
            return term::write(format!("{text}\n").as_bytes());
        }
        let groups: Groups = Self::ask(console, GROUPS, &parameters).await?;
        let mut heads: Vec<String> = groups.by.iter().map(|by| by.to_uppercase()).collect();
        heads.extend(["EVENTS", "FIRST SEEN (UTC)", "LAST SEEN (UTC)"].map(str::to_owned));
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
                cells.push(novelty(group, &groups.by));
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
        let mut summary = vec![format!("{}{more}", term::count(groups.total, "group", "groups"))];
        summary.extend(groups.new_since.iter().map(|since| {
            format!("new: not there from {} UTC until the beginning of the query's time", columns::time(since))
        }));
        for line in summary {
            term::write(format!("{}\n", Paint::Dim.over(&line, term::stdout_color())).as_bytes())?;
        }
        coverage::write(&groups.coverage)
    }
}

/// What of a group is new: a value of a field, or only that the two come together.
fn novelty(group: &Group, by: &[String]) -> String {
    if group.new != Some(true) {
        return String::new();
    }
    let new = by.iter().zip(&group.new_values).filter(|(_, new)| **new).map(|(by, _)| by.as_str());
    let new: Vec<&str> = new.collect();
    match new.as_slice() {
        [] => "together".to_owned(),
        [_] if by.len() == 1 => "new".to_owned(),
        some => some.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use vedette_console::api::Group;

    use super::novelty;

    #[test]
    fn what_is_new_is_named() {
        let check = |by: &[&str], new: Option<bool>, new_values: &[bool], expected: &str| {
            let by: Vec<String> = by.iter().map(|by| (*by).to_owned()).collect();
            let (first_seen, last_seen) = (String::new(), String::new());
            let group =
                Group { values: Vec::new(), count: 1, first_seen, last_seen, new, new_values: new_values.to_vec() };
            assert_eq!(novelty(&group, &by), expected);
        };
        check(&["ip", "credential"], Some(true), &[true, false], "ip");
        check(&["ip", "credential"], Some(true), &[true, true], "ip, credential");
        check(&["ip", "credential"], Some(true), &[false, false], "together");
        check(&["ip", "credential"], Some(false), &[false, false], "");
        check(&["ip"], Some(true), &[true], "new");
        check(&["ip"], None, &[], "");
    }
}
