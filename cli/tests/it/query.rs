//! `vedette query`: every way to ask, on a few events whose answers can be seen.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use vedette_e2e::wait;

use super::kit::{Home, LIMIT, Up, errors, json, rows, text};

const MINUTES_A_DAY: i64 = 24 * 60;

/// A request of so many minutes ago, and whatever else is said of it.
fn event(minutes_ago: i64, who: [&str; 2], what: [&str; 3], more: Value) -> Value {
    let [user, ip] = who;
    let [verb, resource, name] = what;
    let received = Timestamp::now() - SignedDuration::from_mins(minutes_ago);
    let time = |after: SignedDuration| format!("{:.6}", received + after);
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "stage": "ResponseComplete",
        "auditID": format!("{minutes_ago} {user} {verb}"), "verb": verb,
        "requestURI": format!("/api/v1/namespaces/payments/{resource}/{name}"),
        "user": {"username": user, "groups": ["dev"]}, "sourceIPs": [ip],
        "objectRef": {"resource": resource, "namespace": "payments", "name": name, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": time(SignedDuration::ZERO), "stageTimestamp": time(SignedDuration::from_millis(9_050)),
    });
    for (member, value) in more.as_object().unwrap() {
        event[member] = value.clone();
    }
    event
}

fn settings(version: &str, timeout: &str) -> Value {
    let metadata = json!({"name": "settings", "namespace": "payments", "resourceVersion": version});
    json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": {"timeout": timeout}})
}

/// What the questions below are about.
fn events() -> Vec<Value> {
    let (alice, bob, dave, mallory) =
        (["alice", "10.0.0.8"], ["bob", "10.0.0.9"], ["dave", "10.0.0.7"], ["mallory", "10.0.0.6"]);
    let credential = json!({"authentication.kubernetes.io/credential-id": ["JTI=alice-1"]});
    vec![
        event(3 * MINUTES_A_DAY, alice, ["create", "pods", "old"], json!({})),
        event(50, alice, ["create", "configmaps", "settings"], json!({"responseObject": settings("7", "1s")})),
        event(
            40,
            ["alice", "10.0.0.66"],
            ["update", "configmaps", "settings"],
            json!({
                "user": {"username": "alice", "extra": credential},
                "requestObject": settings("7", "10s"), "responseObject": settings("8", "10s"),
            }),
        ),
        event(35, bob, ["patch", "configmaps", "settings"], json!({"level": "Metadata"})),
        event(
            30,
            dave,
            ["create", "pods", "db-0"],
            json!({
                "requestURI": "/api/v1/namespaces/payments/pods/db-0/exec?command=sh&command=-c&command=cat%20%2Fetc%2Fpasswd",
                "objectRef": {"resource": "pods", "namespace": "payments", "name": "db-0", "subresource": "exec"},
                "responseStatus": {"code": 101},
            }),
        ),
        event(
            20,
            mallory,
            ["get", "secrets", "db"],
            json!({"level": "Metadata", "responseStatus": {"code": 403, "status": "Failure", "reason": "Forbidden"}}),
        ),
    ]
}

fn write(home: &Home, name: &str, events: &[Value]) -> PathBuf {
    let file = home.path(name);
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    fs::write(&file, lines.join("\n")).unwrap();
    file
}

/// The lines of an answer, without those of what is kept, and without times and other numbers of the moment.
fn check(up: &Up, arguments: &[&str], expected: &[&str]) -> Vec<String> {
    let answer = up.ask(&[&["query"], arguments].concat());
    let mut lines = rows(&answer);
    let kept = lines.iter().position(|line| line.starts_with("kept since ")).unwrap_or(lines.len());
    let coverage = lines.split_off(kept);
    let masked = |word: &str| word.starts_with("20") && word.contains(['-', ':']) || is_clock(word);
    let lines: Vec<String> =
        lines.iter().map(|line| line.split(' ').filter(|word| !masked(word)).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, expected, "{arguments:?}");
    coverage
}

/// `14:05:09`
fn is_clock(word: &str) -> bool {
    word.len() == 8 && word.split(':').count() == 3 && word.chars().all(|c| c.is_ascii_digit() || c == ':')
}

#[test]
fn every_way_to_ask_has_its_answer() {
    let home = Home::new();
    let up = home.start(&["--no-sample"]);
    let file = write(&home, "audit.log", &events());
    assert!(up.replay(&file, &[]).status.success());
    up.settled("the events", |status| status["books"]["total"]["archive"]["stored"] == 6);

    let coverage = check(
        &up,
        &["sub:exec,attach ns:payments", "--columns", "time,actor,name,cmd,duration"],
        &["TIME (UTC) ACTOR NAME CMD DURATION", "dave db-0 sh -c cat /etc/passwd 9.0 s", "1 record"],
    );
    assert!(coverage[0].ends_with(", for 9 days; what was before is not here"), "{coverage:?}");
    let coverage = check(&up, &["reads:payments/secrets/db", "last:2d", "--by", "actor,ip"], &["0 groups"]);
    assert_eq!(
        coverage.iter().filter(|line| line.starts_with('`')).collect::<Vec<_>>(),
        [
            "`get secrets payments/db`: kept by evidence-rule.SecretRead",
            "`list, watch secrets in payments`: kept by evidence-rule.SecretRead",
        ]
    );
    let coverage = check(&up, &["verb:get resource:pods name:db-0 sub:\"\" last:1h"], &["0 records"]);
    let refusal = "`get pods db-0`: not kept, no rule in force stores them";
    assert_eq!(coverage.last().map(String::as_str), Some(refusal), "no hits is not the same as not kept");

    // The old address is known, and what has no credential is, too.
    check(
        &up,
        &["actor:alice last:1h", "--by", "ip,cred", "--new-since", "7d"],
        &[
            "IP CREDENTIAL EVENTS FIRST SEEN (UTC) LAST SEEN (UTC) NEW",
            "10.0.0.66 JTI=alice-1 1 ip, credential",
            "10.0.0.8 — 1",
            "2 groups",
            "new: not there from UTC until the beginning of the query's time",
        ],
    );
    let groups = json(&up.ask(&["query", "last:1h", "--by", "actor", "--top", "2", "-o", "json"]));
    assert_eq!(groups["rows"][0]["values"], json!(["alice"]));
    assert_eq!((groups["rows"].as_array().unwrap().len(), &groups["total"]), (2, &json!(4)));

    check(
        &up,
        &["change:yes resource:cm last:1h", "--diff", "--sort", "asc"],
        &[
            "alice create configmaps payments/settings 200",
            "made:",
            "+ apiVersion: \"v1\"",
            "+ data: {\"timeout\":\"1s\"}",
            "+ kind: \"ConfigMap\"",
            "+ metadata: {\"name\":\"settings\",\"namespace\":\"payments\",\"resourceVersion\":\"7\"}",
            "alice update configmaps payments/settings 200",
            "since",
            "- data.timeout: \"1s\"",
            "+ data.timeout: \"10s\"",
            "bob patch configmaps payments/settings 200",
            "no body: level Metadata",
            "3 records",
        ],
    );
    let documents = up.ask(&["query", "change:payments/configmaps/settings", "--limit", "1", "-o", "json"]);
    assert_eq!(json(&documents)["User"]["Username"], "bob", "as it is stored");
    let table = up.ask(&["query", "sub:exec", "--columns", "object,cmd,duration", "-o", "csv"]);
    assert_eq!(
        text(&table),
        "resource,subresource,namespace,name,command,durationMicros\r\npods,exec,payments,db-0,sh -c cat /etc/passwd,9050000\r\n"
    );
    check(&up, &["last:1d", "--stats"], &["5 events of 5 requests"]);
    let histogram = up.ask(&["query", "is:denied last:1d", "--histogram", "1d"]);
    assert!(rows(&histogram)[0].ends_with("1 ████████████████████████████████████████"), "{}", text(&histogram));

    let bad = up.ask(&["query", "last:1h", "--by", "colour"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(errors(&bad).contains("colour") && errors(&bad).contains("actor"), "{}", errors(&bad));
    let bad = up.ask(&["query", "actor:alice", "--by", "ip", "--new-since", "7d"]);
    assert!(errors(&bad).contains("last:"), "{}", errors(&bad));
    assert!(up.stop().success());
}

/// A `vedette query --follow` and the lines that it writes.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(home: &Home, up: &Up, name: &str, arguments: &[&str]) -> Self {
        let notes = home.path(name);
        let mut command = up.command(&[&["query", "--follow"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(File::create(&notes).unwrap()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        wait::until(LIMIT, "the tail", || {
            fs::read_to_string(&notes).unwrap().contains("following; Ctrl-C").then_some(())
        });
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("a line comes")
    }

    fn interrupt(mut self) {
        kill_process(Pid::from_raw(self.child.id() as i32).unwrap(), Signal::INT).unwrap();
        let ended = wait::until(LIMIT, "the end of the tail", || self.child.try_wait().unwrap());
        assert_eq!(ended.code(), Some(0));
    }
}

#[test]
fn events_are_followed_as_they_come() {
    let home = Home::new();
    let up = home.start(&["--no-sample"]);
    let table = Following::start(&home, &up, "notes-1", &["actor:dave"]);
    let program = Following::start(&home, &up, "notes-2", &["is:denied", "-o", "json"]);
    let file = write(&home, "audit.log", &events());
    // The subscription may be a moment behind the answer: the same events of another cluster are others.
    assert_eq!(table.next().split_whitespace().next(), Some("TIME"));
    let mut number = 0;
    let row = wait::until(LIMIT, "a row", || {
        number += 1;
        assert!(up.replay(&file, &["--cluster", &format!("c-{number}")]).status.success());
        table.lines.recv_timeout(Duration::from_secs(2)).ok()
    });
    assert!(
        row.ends_with("  dave                      create  pods/exec payments/db-0                   101   10.0.0.7"),
        "{row}"
    );
    let event: Value = serde_json::from_str(&program.next()).unwrap();
    assert_eq!((&event["actor"], &event["code"]), (&json!("mallory"), &json!(403)));
    table.interrupt();
    // Whoever follows learns that the console has gone.
    assert!(up.stop().success());
    let mut program = program;
    let ended = wait::until(LIMIT, "the end", || program.child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(1));
    assert!(fs::read_to_string(home.path("notes-2")).unwrap().contains("no more events come: "));
}
