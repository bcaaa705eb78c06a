//! `vedette rules` as its users run it: the built program, its output and its exit codes.
#![expect(clippy::unwrap_used, reason = "a test stops at a surprise")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

const RULE: &str = "\
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata:
  name: r
  labels: {type: archiving}
spec:
  rules:
  - {name: all, type: rule, enable: true, priority: DEBUG, condition: Verb exists}
---
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata:
  name: a
  labels: {type: alerting}
spec:
  rules:
  - {name: host, type: rule, enable: true, priority: WARNING, condition: RequestObject.spec.hostNetwork, output: '${Verb} by ${User.Username}'}
  - {name: low, type: rule, enable: true, priority: INFO, condition: 'Verb = \"create\"'}
";

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        bench.write("rules.yaml", RULE);
        bench
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs `vedette rules` in the folder.
    fn run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .arg("rules")
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A program that refuses its arguments does not read.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }

    /// The lines of `eval` on `events`, and its exit code.
    fn eval(&self, events: impl AsRef<[u8]>, args: &[&str]) -> (Vec<String>, i32) {
        let output = self
            .run(&[&["eval", "--rules", "rules.yaml", "--events", "-", "-o", "json"], args].concat(), events.as_ref());
        let text = String::from_utf8(output.stdout).unwrap();
        (text.lines().map(str::to_owned).collect(), output.status.code().unwrap())
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn event(id: &str, verb: &str) -> Value {
    json!({"level": "RequestResponse", "auditID": id, "stage": "ResponseComplete", "requestURI": "/x", "verb": verb,
        "user": {"username": "eve"}, "objectRef": {"resource": "pods"},
        "requestObject": {"spec": {"hostNetwork": true}}})
}

fn list(items: &[Value]) -> String {
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items}).to_string()
}

#[test]
fn check_says_everything_and_fails_only_for_errors() {
    let bench = Bench::new();
    let good = bench.run(&["check", "rules.yaml", "--audit-level", "RequestResponse"], b"");
    assert_eq!(stderr(&good), "1 file, 3 rules in force: 0 errors, 0 warnings\n");
    assert_eq!((good.status.code(), good.stdout.len()), (Some(0), 0));

    for level in [&[][..], &["--audit-level", "Metadata"]] {
        let warned = bench.run(&[&["check", "rules.yaml"], level].concat(), b"");
        let text = stderr(&warned);
        assert!(text.contains("warning[VR0405]: the rule `a.host` reads `RequestObject.spec.hostNetwork`, which level `Metadata` leaves out"), "{text}");
        assert!(text.contains("needs level `Request`") && text.ends_with("0 errors, 1 warning\n"), "{text}");
        assert_eq!(warned.status.code(), Some(0));
    }

    bench.write("broken.yaml", RULE.replace("Verb exists", "Verv exist").replace("priority: INFO", "priority: LOW"));
    let broken = bench.run(&["check", "broken.yaml"], b"");
    let text = stderr(&broken);
    assert!(text.contains("error[VR0206]") && text.contains("--> broken.yaml:8:76"), "{text}");
    assert!(text.contains("did you mean `Verb`?") && text.contains("error[VR0104]: `LOW` is no priority"), "{text}");
    assert_eq!(broken.status.code(), Some(1));
}

#[test]
fn check_takes_files_and_folders_as_one_set() {
    let bench = Bench::new();
    std::fs::create_dir(bench.dir.path().join("more")).unwrap();
    bench.write("more/b.yml", RULE.replace("name: r\n", "name: s\n").replace("name: a\n", "name: b\n"));
    bench.write("more/.hidden.yaml", "no: rules");
    bench.write("more/notes.txt", "no rules");
    let both = bench.run(&["check", "rules.yaml", "more", "--audit-level", "RequestResponse"], b"");
    assert_eq!(stderr(&both), "2 files, 6 rules in force: 0 errors, 0 warnings\n");
    let twice = bench.run(&["check", "rules.yaml", ".", "--audit-level", "Request"], b"");
    assert!(stderr(&twice).contains("VR0103"), "{}", stderr(&twice));
    std::fs::create_dir(bench.dir.path().join("empty")).unwrap();
    for (path, said) in [("nowhere", "can't read `nowhere`"), ("empty", "no rules in `empty`")] {
        let missing = bench.run(&["check", path], b"");
        assert!(stderr(&missing).contains(said), "{}", stderr(&missing));
        assert_eq!(missing.status.code(), Some(1));
    }
    assert_eq!(bench.run(&["check", "rules.yaml", "--audit-level", "All"], b"").status.code(), Some(2));
}

#[test]
fn check_says_everything_although_a_file_cannot_be_read() {
    let bench = Bench::new();
    bench.write("a.yaml", b"kind: \xff");
    bench.write(
        "b.yaml",
        RULE.replace("Verb exists", "Verb =").replace("name: r\n", "name: s\n").replace("name: a\n", "name: b\n"),
    );
    let output = bench.run(&["check", "nowhere", "a.yaml", "b.yaml", "rules.yaml", "--audit-level", "Request"], b"");
    let text = stderr(&output);
    for said in ["error: can't read `nowhere`", "error: `a.yaml` is not UTF-8 at byte 6", "--> b.yaml:8:"] {
        assert!(text.contains(said), "{text}");
    }
    assert!(text.ends_with("\n2 files: 3 errors, 0 warnings\n"), "{text}");
    assert_eq!(output.status.code(), Some(1));
    let good = bench.run(&["check", "rules.yaml", "nowhere", "--audit-level", "Request"], b"");
    assert!(stderr(&good).ends_with("\n1 file: 1 error, 0 warnings\n"), "{}", stderr(&good));
    assert_eq!(good.status.code(), Some(1));
}

#[test]
fn eval_decides_every_event_in_order() {
    let bench = Bench::new();
    let events = list(&[event("1", "create"), event("2", "get")]);
    let (lines, code) = bench.eval(events, &[]);
    let host = |verb: &str| format!(r#"{{"rule":"a.host","priority":"WARNING","message":"{verb} by eve"}}"#);
    assert_eq!(
        lines,
        [
            format!(
                r#"{{"auditID":"1","stage":"ResponseComplete","archive":true,"rules":["a.host","a.low","r.all"],"alerts":[{}]}}"#,
                host("create")
            ),
            format!(
                r#"{{"auditID":"2","stage":"ResponseComplete","archive":true,"rules":["a.host","r.all"],"alerts":[{}]}}"#,
                host("get")
            ),
        ]
    );
    assert_eq!(code, 0);
}

#[test]
fn eval_takes_lists_of_both_spellings_and_single_events_in_any_white_space_and_gzip() {
    let bench = Bench::new();
    let sphere = json!({"Items": [{"Level": "Metadata", "AuditID": "3", "Stage": "s", "Verb": "create", "User": {"Username": "x"}}]});
    let text = format!(
        "\n {}\t{:#}{}\r\n{}  ",
        list(&[event("1", "get"), event("2", "get")]),
        sphere,
        event("4", "get"),
        event("5", "get")
    );
    let ids = |lines: &[String]| {
        lines
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["auditID"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (lines, code) = bench.eval(&text, &[]);
    assert_eq!((ids(&lines), code), (vec!["1".into(), "2".into(), "3".into(), "4".into(), "5".into()], 0));
    assert!(lines[2].contains(r#""archive":true,"rules":["a.low","r.all"]"#), "{}", lines[2]);

    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(bench.eval(&packed, &[]).0, lines, "from standard input");
    bench.write("events", &packed);
    let output = bench.run(&["eval", "--rules", ".", "--events", "events"], b"");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().lines().collect::<Vec<_>>(),
        lines,
        "known by its first bytes"
    );
}

#[test]
fn eval_strips_to_the_level_and_weighs_priorities() {
    let bench = Bench::new();
    let events = list(&[event("1", "create")]);
    let rest = |args: &[&str]| {
        let (lines, code) = bench.eval(&events, args);
        assert_eq!((lines.len(), code), (1, 0));
        lines[0].split_once(r#""stage":"ResponseComplete","#).unwrap().1.to_owned()
    };
    let stored = r#""archive":true,"rules":["a.low","r.all"],"alerts":[]}"#;
    assert_eq!(rest(&["--audit-level", "Metadata"]), stored);
    assert_eq!(rest(&["--audit-level", "None"]), r#""archive":false,"rules":[],"alerts":[]}"#);
    assert!(rest(&["--audit-level", "Request"]).contains("a.host"));
    // Above every archiving rule; the alerting rule below alertingPriority still stores.
    assert_eq!(rest(&["--audit-level", "Metadata", "--archiving-priority", "WARNING"]), stored);
    let both = rest(&["--audit-level", "Metadata", "--archiving-priority", "INFO", "--alerting-priority", "INFO"]);
    assert_eq!(
        both,
        r#""archive":false,"rules":["a.low","r.all"],"alerts":[{"rule":"a.low","priority":"INFO","message":"eve create pods"}]}"#
    );
    let none = json!({"level": "None", "auditID": "1", "verb": "create"}).to_string();
    assert!(bench.eval(none, &[]).0[0].ends_with(r#""archive":false,"rules":[],"alerts":[]}"#));
}

#[test]
fn a_bad_event_stands_in_its_place_and_the_others_are_decided() {
    let bench = Bench::new();
    let bad = json!({"level": "Metadata", "auditID": "b"});
    let events = format!(
        "{}\n{{\"items\": [{},\n{bad},\n{}]}}\n{}",
        event("1", "get"),
        event("2", "get"),
        event("3", "get"),
        event("4", "get")
    );
    let (lines, code) = bench.eval(events, &[]);
    assert_eq!((lines.len(), code), (5, 1));
    for (index, line) in lines.iter().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        if index == 2 {
            assert_eq!(
                (&line["error"]["code"], &line["error"]["line"]),
                (&json!("no_verb_or_uri"), &json!(3)),
                "{line}"
            );
            assert!(line["error"]["message"].is_string());
            assert_eq!(line.as_object().unwrap().len(), 1);
        } else {
            assert!(line["error"].is_null() && line["archive"].as_bool().unwrap(), "{line}");
        }
    }
    assert_eq!(bench.eval("", &[]), (vec![], 0));
}

/// A bad event has the same code by itself as in a list, and its own line.
#[test]
fn a_bad_event_is_told_by_code_and_line() {
    let bench = Bench::new();
    // Code and line of each line of output; nothing where it is a decision.
    let check = |text: &[u8], expected: &[(&str, u64)]| {
        let (lines, code) = bench.eval(text, &[]);
        let found: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let found = found.iter().map(|line| {
            let error = &line["error"];
            (error["code"].as_str().unwrap_or_default(), error["line"].as_u64().unwrap_or_default())
        });
        assert_eq!((found.collect::<Vec<_>>(), code), (expected.to_vec(), 1), "{lines:?}");
    };
    let good = r#"{"verb":"get"}"#;
    check(b"nothing", &[("not_object", 1)]);
    check(b"[1]", &[("not_object", 1)]);
    check(format!("{good}\nx {good}").as_bytes(), &[("", 0), ("not_object", 2), ("", 0)]);
    check(b"{\"verb\":", &[("syntax", 1)]);
    check(b"{\"verb\":\"get\",\n\n\"requestURI\" 7}", &[("syntax", 3)]);
    check(b"{\"verb\":7}", &[("wrong_type", 1)]);
    check(b"\n{\"items\":[{},\n{\"verb\":7}]}", &[("no_verb_or_uri", 2), ("wrong_type", 3)]);
    check(b"{\"verb\":\"\xff\"}", &[("not_utf8", 1)]);
    check(b"{\"items\":[{\"verb\":\"\xff\"}]}", &[("not_utf8", 1)]);
    let deep = format!(r#"{{"verb":"get","requestObject":{}{}}}"#, "[".repeat(128), "]".repeat(128));
    check(format!("{good}\n{deep}").as_bytes(), &[("", 0), ("too_deep", 2)]);
    check(format!("{{\"items\":[\n{deep}]}}").as_bytes(), &[("too_deep", 2)]);
    let huge = format!(r#"{{"verb":"get","unknown":"{}"}}"#, "x".repeat(8 << 20));
    check(format!("{huge}\n{good}").as_bytes(), &[("too_large", 1), ("", 0)]);
    // The last line of a log whose writer was killed, and what was written since.
    let log = format!("{good}\n{{\"verb\":\"ge\n{good}\n{good}");
    check(log.as_bytes(), &[("", 0), ("syntax", 2), ("", 0), ("", 0)]);
}

#[test]
fn eval_with_broken_rules_says_where_and_decides_nothing() {
    let bench = Bench::new();
    bench.write("rules.yaml", RULE.replace("Verb exists", "Verb ="));
    let output = bench.run(&["eval", "--rules", "rules.yaml", "--events", "-"], list(&[event("1", "get")]).as_bytes());
    assert!(output.stdout.is_empty() && stderr(&output).contains("--> rules.yaml:8:"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    let missing = Bench::new().run(&["eval", "--rules", "rules.yaml", "--events", "nowhere"], b"");
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn rules_are_read_as_kubesphere_reads_them_where_that_is_asked_for() {
    let bench = Bench::new();
    let condition = "Verb = \\\"get\\\" or Verb = \\\"list\\\" and ObjectRef.Name exists";
    bench.write("rules.yaml", RULE.replace("condition: Verb exists", &format!("condition: \"{condition}\"")));
    let events = list(&[event("1", "get")]);
    let held = |args: &[&str]| bench.eval(&events, args).0[0].contains("r.all");
    assert!(held(&[]) && !held(&["--compat", "kubesphere"]));
    let checked = bench.run(&["check", "rules.yaml", "--audit-level", "RequestResponse"], b"");
    assert!(stderr(&checked).contains("warning[VR0213]"), "{}", stderr(&checked));
    let theirs = bench.run(&["check", "rules.yaml", "--audit-level", "RequestResponse", "--compat", "kubesphere"], b"");
    assert_eq!(stderr(&theirs), "1 file, 3 rules in force: 0 errors, 0 warnings\n");
}

#[test]
fn explain_shows_each_part_with_its_value() {
    let bench = Bench::new();
    let events = list(&[event("1", "get"), event("2", "create")]);
    let explain = |args: &[&str]| {
        let output = bench.run(&[&["explain", "rules.yaml"], args].concat(), events.as_bytes());
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output), output.status.code())
    };
    assert_eq!(
        explain(&["low", "--event", "-"]).0,
        "a.low does not hold for the event 1 (ResponseComplete)\n✗ Verb = \"create\"    Verb is `get`\n"
    );
    assert_eq!(
        explain(&["a.low", "--event", "-", "--index", "2"]).0,
        "a.low holds for the event 2 (ResponseComplete)\n✓ Verb = \"create\"    Verb is `create`\n"
    );
    let (text, _, code) = explain(&["host", "--event", "-", "--audit-level", "Metadata"]);
    assert!(text.contains("cannot be decided") && text.contains("was not recorded"), "{text}");
    assert_eq!(code, Some(0));
    for (args, part) in [
        (&["hosts", "--event", "-"][..], "did you mean `a.host`?"),
        (&["low", "--event", "-", "--index", "3"], "it holds 2"),
        (&["low", "--event", "nowhere"], "can't read `nowhere`"),
    ] {
        let (text, errors, code) = explain(args);
        assert!(text.is_empty() && errors.contains(part) && code == Some(2), "{args:?}: {errors}");
    }
}

#[test]
fn tests_of_rules_are_run_and_reported() {
    let bench = Bench::new();
    let test = |rules: &str| {
        format!(
            "apiVersion: auditing.vedette.io/v1alpha1\nkind: RuleTest\nmetadata: {{name: t}}\nspec:\n  cases:\n  - name: c\n    event: {{level: Metadata, verb: create, objectRef: {{resource: pods}}}}\n    rules: {rules}\n"
        )
    };
    let run = |args: &[&str]| {
        let output = bench.run(&[&["test"], args].concat(), b"");
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output), output.status.code())
    };
    bench.write("tests.yaml", test("[a.low, r.all]"));
    assert_eq!(run(&["."]), ("PASS t: c\n1 passed, 0 failed\n".to_owned(), String::new(), Some(0)));
    bench.write("tests.yaml", test("[a.low, a.host]"));
    assert_eq!(
        run(&["rules.yaml", "tests.yaml"]),
        (
            "FAIL t: c\n  --> tests.yaml:6\n  - a.host: undecided, since the event's level left out RequestObject.spec.hostNetwork\n  + r.all: holds, and is not expected\n0 passed, 1 failed\n".to_owned(),
            String::new(),
            Some(1)
        )
    );
    bench.write("tests.yaml", test("[a.lwo]"));
    let (_, errors, code) = run(&["."]);
    assert!(errors.contains("error[VR0602]: no rule in force is called `a.lwo`") && code == Some(1), "{errors}");
    let (_, errors, code) = run(&["rules.yaml"]);
    assert!(errors.contains("there is no test among these files") && code == Some(1), "{errors}");
    let checked = bench.run(&["check", ".", "--audit-level", "RequestResponse"], b"");
    assert_eq!(stderr(&checked), "2 files, 3 rules in force: 0 errors, 0 warnings\n");
}

#[test]
fn the_schema_is_printed() {
    let output = Bench::new().run(&["schema"], b"");
    let printed = String::from_utf8(output.stdout).unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules/schema.json");
    assert_eq!(printed, std::fs::read_to_string(committed).unwrap());
}

/// The expectations were counted from the events by a script that knows nothing of this program.
#[test]
fn the_sample_is_decided_as_counted_without_the_product() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (rules, sample) = (root.join("deploy/rules"), root.join("e2e/testdata/kube-apiserver-eventlists.ndjson.gz"));
    let expected = std::fs::read_to_string(root.join("e2e/testdata/expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let output =
        Bench::new().run(&["eval", "--rules", rules.to_str().unwrap(), "--events", sample.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stored = lines.iter().filter(|line| line["archive"] == true).count();
    assert_eq!(json!([lines.len(), stored]), json!([expected["demo"]["received"], expected["demo"]["stored"]]));
    for (rule, count) in expected["demo"]["rules"].as_object().unwrap() {
        let held = lines.iter().filter(|line| line["rules"].as_array().unwrap().contains(&json!(rule))).count();
        assert_eq!(json!(held), *count, "{rule}");
    }
    let alerting = lines.iter().filter(|line| !line["alerts"].as_array().unwrap().is_empty());
    let requests: BTreeSet<_> = alerting.map(|line| line["auditID"].as_str().unwrap()).collect();
    assert_eq!(requests.len(), 145);
}
