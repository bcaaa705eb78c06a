//! The other commands, against one that runs.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use vedette_e2e::{Service, tools, wait};

use super::kit::{Home, LIMIT, errors, json, rows, text, vedette};

/// An event of a kube-apiserver, with the body of what was created unless the level left it out.
fn event(number: u32, level: &str) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": level, "auditID": format!("id-{number}"),
        "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/payments/pods", "verb": "create",
        "user": {"username": "alice@example.test", "groups": ["dev"]}, "sourceIPs": ["203.0.113.9", "10.0.0.8"],
        "objectRef": {"resource": "pods", "namespace": "payments", "name": format!("web-{number}"), "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "requestReceivedTimestamp": format!("2026-11-22T10:00:{number:02}.000000Z"),
        "stageTimestamp": format!("2026-11-22T10:00:{number:02}.250000Z"),
    });
    if level != "Metadata" {
        event["requestObject"] = json!({"spec": {"hostNetwork": true}});
    }
    event
}

#[test]
fn a_log_file_of_single_events_is_replayed_found_and_shown() {
    let home = Home::new();
    let up = home.start(&["--no-sample", "--retention-days", "0"]);
    let file = home.path("audit.log");
    let lines: Vec<String> = (0..30).map(|number| event(number, "Request").to_string()).collect();
    fs::write(&file, lines.join("\n")).unwrap();

    let replayed = up.replay(&file, &["--cluster", "edge-1", "--batch-size", "8", "-o", "json"]);
    assert!(replayed.status.success(), "{}", errors(&replayed));
    let report = json(&replayed);
    assert_eq!(report["accepted"]["lists"], 4);
    assert_eq!(report["accepted"]["events"], 30);
    assert_eq!(report["refused"]["events"], 0);
    up.settled("the events", |status| status["books"]["total"]["archive"]["stored"] == 30);

    let found = up.ask(&["query", "user:alice@example.test resource:pod", "--limit", "2", "--sort", "asc"]);
    assert_eq!(
        rows(&found),
        [
            "TIME (UTC) USER VERB OBJECT CODE IP",
            "2026-11-22 10:00:00 alice@example.test create pods payments/web-0 201 10.0.0.8",
            "2026-11-22 10:00:01 alice@example.test create pods payments/web-1 201 10.0.0.8",
            "30 records, 2 requests shown (--limit 0 shows all)",
            "kept since 2026-11-22 10:00:00 UTC; what was before is not here",
            "`create, update, patch, delete, deletecollection pods by alice@example.test`: kept by \
             alerting-rule.ResourceChange, archiving-rule.archiving",
            "`get, list, watch pods by alice@example.test`: not kept, no rule in force stores them",
        ]
    );
    let all = up.ask(&["query", "cluster:edge-1", "--limit", "0", "-o", "json"]);
    let documents: Vec<Value> = text(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 30);
    assert_eq!(documents[0]["AuditID"], "id-29");
    assert_eq!(documents[0]["Cluster"], "edge-1");
    for (query, expected) in [
        ("", 30),
        ("name:web-1,web-2", 2),
        ("name~EB-2", 11),
        ("code:201 verb:create ns:payments", 30),
        ("code:404", 0),
        ("cluster:other", 0),
        ("2026-11-22T10:00:10..10:00:19", 10),
        ("anyip:203.0.*", 30),
        ("ip:203.0.*", 0),
        ("duration:250ms..250ms", 30),
    ] {
        assert_eq!(json(&up.ask(&["query", query, "--stats", "-o", "json"]))["events"], expected, "{query}");
    }
    let histogram = up.ask(&["query", "since:2026-11-22", "--histogram", "10s", "-o", "json"]);
    let buckets: Vec<Value> = text(&histogram).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(buckets[0], json!({"time": "2026-11-22T10:00:00.000000Z", "count": 10}));
    let none = up.ask(&["query", "code:404"]);
    assert_eq!((rows(&none)[0].as_str(), none.status.code()), ("0 records", Some(0)));

    // The same once more adds nothing: the events are the same.
    assert!(up.replay(&file, &["--cluster", "edge-1", "--batch-size", "7"]).status.success());
    let status = up.settled("the repetition", |status| status["books"]["total"]["ingest"]["received"] == 60);
    assert_eq!(status["books"]["total"]["archive"]["duplicate"], 30);
    assert_eq!(json(&up.ask(&["query", "--stats", "-o", "json"]))["events"], 30);
    assert!(up.stop().success());
}

#[test]
fn status_names_what_needs_attention() {
    let home = Home::new();
    let up = home.start(&["--no-sample"]);
    let empty = up.ask(&["status"]);
    assert_eq!(empty.status.code(), Some(0), "{}", text(&empty));
    assert!(text(&empty).starts_with("books     ✓ they balance; nothing is under way\n"), "{}", text(&empty));
    assert!(text(&empty).contains("! the webhook takes events from anyone"), "{}", text(&empty));

    let mut bad = event(1, "Metadata");
    bad["verb"] = json!(7);
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event(0, "Metadata"), bad]});
    let file = home.path("list.json");
    fs::write(&file, list.to_string()).unwrap();
    assert!(up.replay(&file, &[]).status.success(), "the good one goes on");
    up.settled("the event", |status| status["books"]["total"]["ingest"]["received"] == 2);

    let answer = up.ask(&["status"]);
    assert_eq!(answer.status.code(), Some(0), "attention is no failure: {}", text(&answer));
    let shown = text(&answer);
    assert!(shown.contains("received 2 = stored 1 + ignored 0 · dead 1"), "{shown}");
    assert!(shown.contains("! 1 dead letter: ingest "), "{shown}");
    let blind =
        "CreateHostnetworkPod could not decide 1 event: level Metadata does not record RequestObject.spec.hostNetwork";
    assert!(shown.contains(blind), "{shown}");
    let document = up.status();
    assert_eq!(document["problems"], json!([]));
    assert!(document["notes"].as_array().unwrap().len() >= 3, "{document}");
    assert!(up.stop().success());

    let gone = vedette().args(["status", "--url", "http://127.0.0.1:9", "--token", "x"]).output().unwrap();
    assert_eq!(gone.status.code(), Some(2));
    assert!(errors(&gone).contains("start it with `vedette up`"), "{}", errors(&gone));
}

#[test]
fn status_says_when_the_broker_is_away() {
    // A console alone, whose broker is not there: everything else it knows, it says.
    let home = Home::new();
    let port = vedette_e2e::ports::free();
    let config = format!(
        "listen: 127.0.0.1:{port}\ntoken: a-long-enough-token\narchive: {{ embedded: {{ dir: {:?} }} }}\n\
         nats: {{ url: \"nats://127.0.0.1:9\" }}\n",
        home.path("archive")
    );
    let mut service = Service::spawn("vedette-console", &config, &[]);
    let url = format!("http://127.0.0.1:{port}");
    let ask = || vedette().args(["status", "--url", &url, "--token", "a-long-enough-token"]).output().unwrap();
    let answer = wait::until(LIMIT, "the console", || Some(ask()).filter(|answer| answer.status.code() != Some(2)));
    service.kill();
    assert_eq!(answer.status.code(), Some(1), "{}{}", text(&answer), errors(&answer));
    assert!(text(&answer).contains("✗ the broker is away"), "{}", text(&answer));
}

#[test]
fn replay_says_what_was_refused_and_why() {
    let home = Home::new();
    let up = home.start(&["--no-sample"]);
    let file = home.path("lists");
    fs::write(&file, "{\"items\":[{\"verb\":\"get\"}]}\n{\"kind\":\"PodList\",\"items\":[{}]}\n").unwrap();
    let answer = up.replay(&file, &["--attempts", "2", "--backoff-ms", "1", "-o", "json"]);
    assert_eq!(answer.status.code(), Some(1));
    let report = json(&answer);
    assert_eq!(report["accepted"]["lists"], 1);
    assert_eq!(report["refused"]["lists"], 1);
    assert_eq!(report["failures"][0]["status"], 400);
    assert_eq!(report["retries"], 1);

    fs::write(&file, "{\"items\":[]}\n\n[1]").unwrap();
    let answer = up.replay(&file, &[]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(errors(&answer).contains("line 3: an object was expected"), "{}", errors(&answer));
    assert!(text(&answer).contains("accepted  1 list"), "what stands before is sent: {}", text(&answer));

    let answer = up.replay(&file, &["--ca", "/etc/hostname"]);
    assert_eq!(answer.status.code(), Some(2), "{}", errors(&answer));
    assert!(up.stop().success());
}

#[test]
fn the_files_for_an_apiserver_are_files_that_kubectl_reads() {
    let home = Home::new();
    let up = home.start(&["--no-sample"]);
    let out = home.path("audit");
    let server = up.webhook().replace("/audit/webhook/event", "");
    let run = |arguments: &[&str]| {
        let mut command = vedette();
        command.args(["webhook-config", "--cluster", "edge-1", "--server", &server, "--data-dir"]).arg(home.data());
        command.args(arguments).output().unwrap()
    };
    let written = run(&["--out", out.to_str().unwrap(), "--token", "s3cret"]);
    assert!(written.status.success(), "{}", errors(&written));
    assert!(text(&written).contains("--audit-webhook-config-file=/etc/kubernetes/audit/audit-webhook.yaml"));
    let view = Command::new(tools::path("kubectl"))
        .args(["config", "view", "--raw", "-o", "json", "--kubeconfig"])
        .arg(out.join("audit-webhook.yaml"))
        .output()
        .unwrap();
    assert!(view.status.success(), "{}", errors(&view));
    let config = json(&view);
    let cluster = &config["clusters"][0]["cluster"];
    assert_eq!(cluster["server"], format!("{server}/audit/webhook/event/edge-1"));
    assert!(cluster["certificate-authority-data"].as_str().is_some_and(|data| data.len() > 100));
    assert_eq!(cluster["insecure-skip-tls-verify"], Value::Null);
    assert_eq!(config["users"][0]["user"]["token"], "s3cret");
    assert_eq!(config["contexts"][0]["context"]["user"], config["users"][0]["name"]);

    let printed = run(&["--insecure-skip-tls-verify", "--records", "metadata"]);
    assert!(text(&printed).contains("insecure-skip-tls-verify: true"), "{}", text(&printed));
    assert!(text(&printed).contains("kind: Policy\nrules:\n- level: Metadata\n---\n"), "{}", text(&printed));
    let bad = vedette().args(["webhook-config", "--cluster", "Edge 1"]).output().unwrap();
    assert_eq!(bad.status.code(), Some(2));
    assert!(up.stop().success());
}

#[test]
fn a_rule_is_applied_without_kubernetes_and_is_in_force() {
    let home = Home::new();
    let rules = home.path("rules");
    fs::create_dir(&rules).unwrap();
    for name in ["alerting-rule.yaml", "archiving-rule.yaml"] {
        fs::copy(vedette_e2e::tools::repository("deploy/rules").join(name), rules.join(name)).unwrap();
    }
    let up = home.start(&["--no-sample", "--rules", rules.to_str().unwrap(), "deploy/demo"]);
    let file = home.path("mine.yaml");
    let yaml = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata: {name: mine, namespace: audit, labels: {type: \
                archiving}}\nspec:\n  rules:\n  - {name: all, type: rule, priority: WARNING, condition: Verb exists}\n";
    fs::write(&file, yaml).unwrap();
    let server = format!("http://127.0.0.1:{}", home.operator);
    let rules_command = |arguments: &[&str]| {
        let mut command = vedette();
        command.arg("rules").args(arguments).args(["--server", &server]);
        command.output().unwrap()
    };
    let in_force =
        || fs::read_to_string(home.data().join("vedette.log")).unwrap().matches("rules are in force").count();
    let before = in_force();
    let applied = rules_command(&["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(text(&applied), "rule/mine created\n", "{}", errors(&applied));
    assert!(rules.join("audit.mine.yaml").is_file());
    // The operator, and the services that read the same files.
    vedette_e2e::wait::until(LIMIT, "the rules in force", || (in_force() >= before + 5).then_some(()));
    let shown = rules_command(&["get", "-A", "--filter", "state != IN_FORCE"]);
    assert_eq!(text(&shown), "no rules\n", "{}", errors(&shown));
    assert!(up.stop().success());
}
