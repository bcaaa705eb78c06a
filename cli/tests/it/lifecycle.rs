//! Starting, stopping, being killed, starting again.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use vedette_e2e::{Alertmanager, Engine, SearchNode, wait};

use super::kit::{Home, LIMIT, Up, errors, expected, json, more_lists, sample_lines, text, vedette};

/// What becomes of lists of the sample, as the oracle counted it.
#[derive(Default)]
struct Count {
    lists: usize,
    received: u64,
    stored: u64,
    alerted: u64,
    requests: u64,
}

impl Count {
    fn add(&mut self, expected: &Value, lists: impl IntoIterator<Item = Value>) {
        let demo = &expected["demo"];
        let mut requests = BTreeSet::new();
        for (list, classes) in lists.into_iter().zip(demo["lists"].as_array().unwrap()) {
            self.lists += 1;
            let (events, id) = match list["items"].as_array() {
                Some(events) => (events, "auditID"),
                None => (list["Items"].as_array().unwrap(), "AuditID"),
            };
            for (event, class) in events.iter().zip(classes.as_str().unwrap().chars()) {
                let class = &demo["classes"][class.to_string()];
                self.received += 1;
                self.stored += u64::from(class["stored"] == true);
                if !class["alerts"].as_array().unwrap().is_empty() {
                    self.alerted += 1;
                    requests.insert(event[id].as_str().unwrap().to_owned());
                }
            }
        }
        // No request is in two parts.
        self.requests += requests.len() as u64;
    }
}

/// Of the first lists of the sample's traffic.
fn count(lists: usize) -> Count {
    let mut count = Count::default();
    count.add(&expected("expected.json"), sample_lines().take(lists).map(|line| serde_json::from_str(&line).unwrap()));
    count
}

/// Of the whole bundled sample.
fn count_bundled() -> Count {
    let mut count = count(usize::MAX);
    count.add(&expected("expected-incidents.json"), more_lists());
    count
}

fn thousands(number: u64) -> String {
    let text = number.to_string();
    if text.len() <= 3 { text } else { format!("{},{}", &text[..text.len() - 3], &text[text.len() - 3..]) }
}

fn balanced(count: &Count) -> String {
    let ignored = count.received - count.stored;
    format!(
        "received {} = stored {} + ignored {} · dead 0   ✓ the books balance",
        thousands(count.received),
        thousands(count.stored),
        thousands(ignored)
    )
}

/// No process of this folder is left.
fn nothing_runs(home: &Home) {
    assert_eq!(home.nats_server(), None, "nats-server still runs");
}

/// How many alerts the console has, once it has read all of their log; as many as the books count.
fn logged(up: &Up) -> u64 {
    let alerts = wait::until(LIMIT, "the whole alert log", || {
        let alerts = up.get("alerts?limit=1");
        (alerts["kept"]["complete"] == true).then_some(alerts)
    });
    assert_eq!(alerts["total"], up.status()["books"]["total"]["alert"]["alerts"]);
    alerts["total"].as_u64().unwrap()
}

fn stored(up: &Up) -> u64 {
    json(&up.ask(&["query", "--stats", "-o", "json"]))["events"].as_u64().unwrap()
}

#[test]
fn a_first_start_tells_what_became_of_the_sample_and_a_second_one_adds_nothing() {
    let home = Home::new();
    let sample = home.small_sample(30);
    let count = count(30);
    let arguments = ["--sample", sample.to_str().unwrap()];
    let up = home.start(&arguments);
    let lines: Vec<String> = up.text().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], " 4/5 start    nats · services · rules: 3 resources, 0 errors");
    assert_eq!(
        lines[1],
        format!(" 5/5 sample   {} events over HTTPS, spread over the last 12 h", thousands(count.received))
    );
    assert_eq!(lines[2], format!("      {}", balanced(&count)));
    assert!(lines[3].starts_with(&format!("      alerts   {} requests", count.requests)), "{}", lines[3]);
    assert!(up.text().contains("\n demo settings: k8sAuditingEnabled on, level RequestResponse\n"), "{}", up.text());
    assert_eq!(stored(&up), count.stored);
    assert_eq!(json(&up.ask(&["query", "last:12h", "--stats", "-o", "json"]))["events"], count.stored);
    let token = home.data().join("token");
    assert_eq!(fs::metadata(token).unwrap().permissions().mode() & 0o777, 0o600);
    let before = up.status();
    assert_eq!(before["books"]["total"]["alert"]["alerted"], count.alerted);
    let alerts = logged(&up);
    assert!(alerts >= count.alerted && count.alerted > 0, "an event has an alert for each rule");

    assert!(home.nats_server().is_some());
    let err = up.err.clone();
    assert!(up.stop().success());
    nothing_runs(&home);
    assert!(fs::read_to_string(err).unwrap().contains(" stopped; data stays in "));

    let up = home.start(&arguments);
    assert!(up.text().contains("events, here since the start of "), "{}", up.text());
    assert!(up.text().contains(&format!("      {}\n", balanced(&count))), "{}", up.text());
    assert!(up.text().contains(&format!("      alerts   {} requests", count.requests)), "{}", up.text());
    assert_eq!(stored(&up), count.stored);
    assert_eq!(up.status()["books"]["total"], before["books"]["total"]);
    assert_eq!(logged(&up), alerts);
    up.signal(Signal::TERM);
    let mut up = up;
    assert!(up.ended().success());
    nothing_runs(&home);
}

#[test]
fn a_first_start_that_is_killed_is_completed_by_the_second_one() {
    let home = Home::new();
    let count = count_bundled();
    let up = home.spawn(&[]);
    let sent = home.data().join("sample").join("sent");
    let taken = |sent: &Path| fs::read_to_string(sent).map_or(0, |text| text.lines().count());
    // Looked at more often than `wait::until` does, which would let it come to the end.
    let end = Instant::now() + LIMIT;
    while taken(&sent) < 10 {
        assert!(Instant::now() < end, "nothing is sent");
        std::thread::sleep(Duration::from_millis(5));
    }
    let left = home.nats_server();
    up.kill();
    let first = taken(&sent);
    assert!(first < count.lists, "it was killed too late");
    assert!(
        left.is_some_and(|pid| test_kill_process(Pid::from_raw(pid as i32).unwrap()).is_ok()),
        "nats-server outlives it"
    );

    let up = home.start(&[]);
    assert_ne!(home.nats_server(), left, "the old nats-server is gone");
    assert!(up.line("5/5 sample").contains("an earlier start was interrupted"), "{}", up.text());
    assert_eq!(up.line("the books"), format!("      {}", balanced(&count)));
    assert!(up.line("alerts ").starts_with(&format!("      alerts   {} requests", count.requests)), "{}", up.text());
    assert_eq!(stored(&up), count.stored);
    let statistics = up.status();
    assert_eq!(statistics["books"]["total"]["archive"]["duplicate"], 0);
    assert_eq!(statistics["books"]["total"]["alert"]["alerted"], count.alerted);
    assert!(logged(&up) >= count.alerted);
    assert!(up.stop().success());
    nothing_runs(&home);
}

#[test]
fn records_go_to_the_search_engine_that_a_flag_names() {
    let node = SearchNode::start(Engine::OpenSearch);
    for flag in ["--elasticsearch", "--opensearch"] {
        let home = Home::new();
        let sample = home.small_sample(5);
        // Both write the same batches to the same engine: the second one finds its own events, and adds none.
        let up = home.start(&["--no-sample", "--retention-days", "0", flag, &node.url()]);
        assert!(up.replay(&sample, &["--cluster", "edge-1"]).status.success());
        let count = count(5);
        let status = up.settled("the sample", |status| {
            status["books"]["total"]["ingest"]["received"] == count.received && status["archive"]["ready"] == true
        });
        assert!(status["archive"]["detail"].as_str().unwrap().starts_with("OpenSearch 3."), "{status:#}");
        assert_eq!(status["books"]["total"]["archive"]["stored"], count.stored, "{status:#}");
        let found = || json(&up.ask(&["query", "--stats", "-o", "json"]))["events"] == count.stored;
        wait::until(LIMIT, "the engine to show them", || found().then_some(()));
        assert!(!home.data().join("archive").exists(), "there is no embedded archive beside it");
        assert!(up.stop().success());
        nothing_runs(&home);
    }
}

#[test]
fn a_nats_server_that_is_killed_comes_back_and_nothing_is_lost() {
    let home = Home::new();
    let sample = home.small_sample(5);
    let mut up = home.start(&["--no-sample"]);
    assert!(!up.text().contains("5/5"), "{}", up.text());
    assert!(up.replay(&sample, &["--cluster", "edge-1"]).status.success());
    let pid = home.nats_server().unwrap();
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    wait::until(LIMIT, "the message", || up.errors().contains("nats-server is back").then_some(()));
    assert!(up.errors().contains("nats-server ended, starting it again: status signal 9"), "{}", up.errors());
    assert_ne!(home.nats_server().unwrap(), pid);
    // The same events for another cluster are others.
    let answer = up.replay(&sample, &["--cluster", "edge-2", "--backoff-ms", "200", "--attempts", "20"]);
    assert!(answer.status.success(), "{}", text(&answer));
    let count = count(5);
    let status =
        up.settled("both clusters", |status| status["books"]["total"]["ingest"]["received"] == 2 * count.received);
    assert_eq!(status["books"]["clusters"]["edge-1"], status["books"]["clusters"]["edge-2"]);
    assert_eq!(status["books"]["balanced"], true);
    assert_eq!(stored(&up), 2 * count.stored);
    up.signal(Signal::INT);
    assert!(up.ended().success());
    nothing_runs(&home);
}

#[test]
fn an_edited_webhook_is_in_force_without_a_restart_and_a_broken_one_is_not() {
    let home = Home::new();
    let rules = home.path("rules");
    fs::create_dir(&rules).unwrap();
    for file in ["rules/archiving-rule.yaml", "demo/webhook.yaml"] {
        let from = vedette_e2e::tools::repository("deploy").join(file);
        fs::copy(&from, rules.join(from.file_name().unwrap())).unwrap();
    }
    let sample = home.small_sample(1);
    let up = home.start(&["--no-sample", "--rules", rules.to_str().unwrap()]);
    assert!(up.line("4/5").ends_with("rules: 1 resource, 0 errors"), "{}", up.text());
    let webhook = fs::read_to_string(rules.join("webhook.yaml")).unwrap();
    let write = |text: &str| {
        fs::write(home.path("draft"), text).unwrap();
        fs::rename(home.path("draft"), rules.join("webhook.yaml")).unwrap();
    };

    write(&webhook.replace("auditLevel: RequestResponse", "auditLevel: Everything"));
    wait::until(LIMIT, "the refusal", || up.errors().contains("keeping the rules that are in force").then_some(()));
    assert!(up.errors().contains("webhook.yaml:"), "the place is named: {}", up.errors());
    assert!(up.replay(&sample, &["--cluster", "before"]).status.success());

    write(&webhook.replace("k8sAuditingEnabled: true", "k8sAuditingEnabled: false"));
    // Ingest takes it when it is told; until then events are received as before.
    let mut number = 0;
    wait::until(LIMIT, "the change", || {
        number += 1;
        assert!(up.replay(&sample, &["--cluster", &format!("after-{number}")]).status.success());
        let status =
            up.settled("the events", |status| !status["books"]["clusters"][format!("after-{number}")].is_null());
        let sums = &status["books"]["clusters"][format!("after-{number}")]["ingest"];
        (sums["dropped"]["k8s_auditing_disabled"] == sums["received"]).then_some(())
    });
    let before = &up.status()["books"]["clusters"]["before"]["ingest"];
    assert_eq!(before["published"], before["received"], "the broken file changed nothing");
    assert!(up.stop().success());
}

#[test]
fn alerts_reach_the_alertmanager_that_is_named() {
    let home = Home::new();
    let alertmanager = Alertmanager::start();
    let sample = home.small_sample(12);
    let count = count(12);
    assert!(count.alerted > 0);
    let up = home.start(&["--sample", sample.to_str().unwrap(), "--alertmanager", &alertmanager.url()]);
    assert_eq!(up.line("alerts "), format!("      alerts   {} requests", count.requests));
    let status = up.settled("the alerts", |status| status["books"]["total"]["alert"]["sent"] == count.alerted);
    assert_eq!(status["books"]["total"]["alert"]["unrouted"], 0);
    assert!(up.stop().success());
}

/// From KubeSphere's apiserver to Alertmanager: a list of `Items`, and an alert with the workspace.
#[test]
fn an_event_of_kubesphere_is_alerted_with_its_workspace() {
    let home = Home::new();
    let alertmanager = Alertmanager::start();
    let fixture = vedette_e2e::tools::repository("audit/testdata/event-kubesphere-workspace-devops-cluster.json");
    let mut event: Value = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
    event["ObjectRef"]["Resource"] = "pods".into();
    event["ObjectRef"]["Subresource"] = "exec".into();
    let list = home.path("list.json");
    fs::write(&list, serde_json::json!({ "Items": [event] }).to_string()).unwrap();
    let up = home.start(&["--no-sample", "--alertmanager", &alertmanager.url()]);
    assert!(up.replay(&list, &["--cluster", "member"]).status.success());
    let status = up.settled("the alert", |status| status["books"]["total"]["alert"]["sent"] == 1);
    assert_eq!(status["books"]["total"]["archive"]["stored"], 1);

    let address = alertmanager.url().strip_prefix("http://").unwrap().parse().unwrap();
    let (_, alerts) = vedette_e2e::http::get(address, "/api/v2/alerts").unwrap();
    let alerts: Value = serde_json::from_str(&alerts).unwrap();
    let labels = serde_json::json!({
        "alertname": "AttachOrExecPod",
        "alerttype": "auditing",
        "cluster": "member",
        "name": "build",
        "namespace": "demo-devops8rl2k",
        "resource": "pods",
        "rule_id": "kubesphere-logging-system/alerting-rule/AttachOrExecPod",
        "severity": "warning",
        "subresource": "exec",
        "user": "project-admin",
        "verb": "create",
        "workspace": "demo-workspace",
    });
    assert_eq!(alerts[0]["labels"], labels, "{alerts}");
    assert_eq!(alerts[0]["annotations"]["message"], "project-admin exec Pod build in Namespace demo-devops8rl2k.");
    assert!(up.stop().success());
}

#[test]
fn the_rules_of_the_last_start_are_in_force_while_the_files_are_broken() {
    let home = Home::new();
    let rules = home.path("rules");
    fs::create_dir(&rules).unwrap();
    let file = rules.join("rule.yaml");
    let from = vedette_e2e::tools::repository("deploy/rules/archiving-rule.yaml");
    let good = fs::read_to_string(from).unwrap();
    let broken = good.replace("Verb not in", "Verb not");
    assert_ne!(good, broken);
    let arguments = ["--no-sample", "--rules", rules.to_str().unwrap()];

    fs::write(&file, &broken).unwrap();
    let mut up = home.spawn(&arguments);
    assert_eq!(up.ended().code(), Some(2));
    assert!(up.errors().contains("rule.yaml:"), "{}", up.errors());
    assert!(up.errors().contains("vedette rules check"), "{}", up.errors());
    drop(up);
    nothing_runs(&home);

    fs::write(&file, &good).unwrap();
    assert!(home.start(&arguments).stop().success());
    fs::write(&file, &broken).unwrap();
    let up = home.start(&arguments);
    assert!(up.line("4/5").contains("the files have errors, the last good rules are in force"), "{}", up.text());
    assert!(up.stop().success());
}

#[test]
fn a_sender_needs_its_token_where_one_is_configured() {
    let home = Home::new();
    let sample = home.small_sample(1);
    let token = home.path("edge-token");
    fs::write(&token, "edge-secret-edge-secret\n").unwrap();
    let up = home.start(&[
        "--sample",
        sample.to_str().unwrap(),
        "--webhook-token-file",
        &format!("edge-1={}", token.display()),
    ]);
    assert!(up.line("the books").contains("✓"), "the sample has a token of its own: {}", up.text());
    let once = ["--attempts", "1", "--cluster", "edge-1"];
    let without = up.replay(&sample, &once);
    assert_eq!(without.status.code(), Some(1), "{}", text(&without));
    assert!(text(&without).contains("  401 "), "{}", text(&without));
    let with = up.replay(&sample, &[&once[..], &["--token-file", token.to_str().unwrap()]].concat());
    assert!(with.status.success(), "{}{}", text(&with), errors(&with));
    let status = up.ask(&["status"]);
    assert!(text(&status).contains("authentication token"), "{}", text(&status));

    // One process at a time.
    let second = vedette().args(["up", "--data-dir"]).arg(home.data()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(errors(&second).contains("another `vedette up` (process "), "{}", errors(&second));
    assert!(up.stop().success());
}
