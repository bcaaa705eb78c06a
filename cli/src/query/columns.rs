//! What a row shows of an event.

use jiff::Timestamp;
use vedette_console::api::Event;

use crate::outcome::Failure;
use crate::term::plain;

/// A column: its names, the first of which heads it, and what it shows.
#[derive(Clone, Copy)]
pub(super) struct Column {
    names: &'static [&'static str],
    text: fn(&Event) -> String,
}

const COLUMNS: [Column; 24] = [
    Column { names: &["time"], text: |event| time(&event.time) },
    Column { names: &["actor"], text: |event| event.actor.clone() },
    Column { names: &["user"], text: user },
    Column { names: &["verb"], text: |event| event.verb.clone() },
    Column { names: &["object"], text: object },
    Column { names: &["resource"], text: |event| event.resource.clone() },
    Column { names: &["sub", "subresource"], text: |event| event.subresource.clone() },
    Column { names: &["namespace", "ns"], text: |event| event.namespace.clone() },
    Column { names: &["name"], text: |event| event.name.clone() },
    Column { names: &["code"], text: |event| event.code.map(|code| code.to_string()).unwrap_or_default() },
    Column { names: &["ip"], text: |event| event.ip.clone() },
    Column { names: &["sourceips"], text: |event| event.source_ips.join(" ") },
    Column { names: &["cred", "credential"], text: |event| event.credential.clone() },
    Column { names: &["cmd", "command"], text: |event| event.command.clone() },
    Column { names: &["duration"], text: took },
    Column { names: &["agent", "useragent"], text: |event| event.user_agent.clone() },
    Column { names: &["cluster"], text: |event| event.cluster.clone() },
    Column { names: &["workspace", "ws"], text: |event| event.workspace.clone() },
    Column { names: &["level"], text: |event| event.level.clone() },
    Column { names: &["stage"], text: |event| event.stage.clone() },
    Column { names: &["reason"], text: |event| event.reason.clone() },
    Column { names: &["rules"], text: |event| event.rules.join(" ") },
    Column { names: &["uri"], text: |event| event.request_uri.clone() },
    Column { names: &["id"], text: |event| event.id.clone() },
];

/// What is shown unless columns are asked for.
const USUAL: [&str; 6] = ["time", "user", "verb", "object", "code", "ip"];

/// The columns of these names; without names the usual ones.
pub(super) fn named(names: &[String]) -> Result<Vec<Column>, Failure> {
    let find = |name: &str| COLUMNS.iter().find(|column| column.names.iter().any(|it| it.eq_ignore_ascii_case(name)));
    if names.is_empty() {
        return Ok(USUAL.iter().filter_map(|name| find(name)).copied().collect());
    }
    let unknown = |name: &str| {
        let all: Vec<&str> = COLUMNS.iter().filter_map(|column| column.names.first()).copied().collect();
        Failure::usage(format!("`{name}` is no column")).help(format!("the columns are {}", all.join(", ")))
    };
    names.iter().map(|name| find(name.trim()).copied().ok_or_else(|| unknown(name))).collect()
}

/// The same columns as the console names them in CSV.
pub(super) fn exported(names: &[String]) -> Result<Vec<&'static str>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let of = |column: Column| match column.names.first().copied().unwrap_or_default() {
        "object" => vec!["resource", "subresource", "namespace", "name"],
        "sub" => vec!["subresource"],
        "sourceips" => vec!["sourceIPs"],
        "cred" => vec!["credential"],
        "cmd" => vec!["command"],
        "duration" => vec!["durationMicros"],
        "agent" => vec!["userAgent"],
        "uri" => vec!["requestURI"],
        name => vec![name],
    };
    Ok(named(names)?.into_iter().flat_map(of).collect())
}

impl Column {
    /// As it stands above the column.
    pub(super) fn head(self) -> String {
        let name = self.names.first().copied().unwrap_or_default().to_uppercase();
        if name == "TIME" { format!("{name} (UTC)") } else { name }
    }

    /// How wide it is before anything wider came.
    pub(super) fn width(self) -> usize {
        match self.names.first().copied().unwrap_or_default() {
            "time" => 19,
            "actor" | "user" => 24,
            "verb" => 6,
            "object" => 40,
            "ip" => 12,
            _ => self.head().len(),
        }
    }

    /// What it shows of an event, harmless on a terminal.
    pub(super) fn cell(self, event: &Event) -> String {
        plain(&(self.text)(event))
    }
}

/// `2026-11-22 14:05:09`; what is no time as it is.
pub(super) fn time(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// `730 ms`, `9.0 s`, `3 m 20 s`.
fn duration(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{seconds}.{} s", micros / 100_000 % 10),
        _ => format!("{} m {} s", seconds / 60, seconds % 60),
    }
}

/// How long it took; at a stage before the last one, at least.
fn took(event: &Event) -> String {
    let so_far = matches!(event.stage.as_str(), "RequestReceived" | "ResponseStarted");
    let mark = if so_far { "≥ " } else { "" };
    event.duration_micros.map(|micros| format!("{mark}{}", duration(micros))).unwrap_or_default()
}

/// Who acted, and who acted for them.
pub(super) fn who(event: &Event) -> String {
    match event.impersonated_user.as_str() {
        "" => event.actor.clone(),
        _ => format!("{} (through {})", event.actor, event.user),
    }
}

fn user(event: &Event) -> String {
    match event.impersonated_user.as_str() {
        "" => event.user.clone(),
        other => format!("{} as {other}", event.user),
    }
}

/// `pods/exec payments/db-0`, or the URI where there is no object.
pub(super) fn object(event: &Event) -> String {
    if event.resource.is_empty() {
        return event.request_uri.clone();
    }
    let mut text = event.resource.clone();
    if !event.subresource.is_empty() {
        text = format!("{text}/{}", event.subresource);
    }
    match (event.namespace.as_str(), event.name.as_str()) {
        ("", "") => text,
        ("", name) => format!("{text} {name}"),
        (namespace, name) => format!("{text} {namespace}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use vedette_console::api::Event;

    use super::{duration, named};

    fn check(event: Event, expected: [&str; 6]) {
        let cells: Vec<String> = named(&[]).unwrap().iter().map(|column| column.cell(&event)).collect();
        assert_eq!(cells, expected);
    }

    #[test]
    fn a_row_says_who_did_what_to_what() {
        let event = Event {
            time: "2026-11-22T14:05:09.123456Z".to_owned(),
            user: "admin".to_owned(),
            impersonated_user: "bob".to_owned(),
            verb: "get".to_owned(),
            resource: "pods".to_owned(),
            subresource: "exec".to_owned(),
            namespace: "payments".to_owned(),
            name: "db-0".to_owned(),
            code: Some(101),
            ip: "10.0.0.1".to_owned(),
            ..Event::default()
        };
        check(event, ["2026-11-22 14:05:09", "admin as bob", "get", "pods/exec payments/db-0", "101", "10.0.0.1"]);
    }

    #[test]
    fn what_is_missing_is_empty_and_what_is_there_is_harmless() {
        check(Event::default(), ["", "", "", "", "", ""]);
        let event = Event { request_uri: "/healthz\u{1b}[2J".to_owned(), ..Event::default() };
        check(event, ["", "", "", "/healthz\u{fffd}[2J", "", ""]);
        let event = Event { resource: "secrets".to_owned(), namespace: "a".to_owned(), ..Event::default() };
        check(event, ["", "", "", "secrets a/", "", ""]);
    }

    #[test]
    fn an_unknown_column_is_named() {
        let failure = named(&["time".to_owned(), "colour".to_owned()]).err().unwrap().render(false);
        assert!(failure.contains("`colour`") && failure.contains("duration"), "{failure}");
    }

    #[test]
    fn a_duration_has_a_fitting_unit() {
        assert_eq!(duration(999), "999 µs");
        assert_eq!(duration(730_000), "730 ms");
        assert_eq!(duration(9_040_000), "9.0 s");
        assert_eq!(duration(200_000_000), "3 m 20 s");
    }
}
