//! The rules over the console's API, before the operator that `vedette up` runs, on real events.

use std::fs;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use vedette_e2e::{tools, wait};

use super::kit::{Home, LIMIT, Up};

const EXEC: &str = "apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata:
  name: exec
  namespace: audit
  labels:
    type: alerting
spec:
  rules:
  - name: Exec
    type: rule
    condition: ObjectRef.Subresource = \"exec\"
    enable: true
    output: ${User.Username} ran something
    priority: WARNING
";

/// The same with a name that is not defined, in line 12 from column 51 to 57.
fn broken() -> String {
    EXEC.replace("\"exec\"", "\"exec\" and ${nope}")
}

/// The console, asked by its administrator.
struct Console {
    runtime: Runtime,
    client: Client,
    base: String,
    token: String,
}

impl Console {
    fn of(up: &Up, home: &Home) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = fs::read_to_string(home.data().join("token")).unwrap().trim().to_owned();
        Self { runtime: Runtime::new().unwrap(), client: Client::new(), base: up.console(), token }
    }

    fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.runtime.block_on(async {
            let request = self.client.request(method, format!("{}/api/v1/{path}", self.base)).bearer_auth(&self.token);
            let request = if body.is_null() { request } else { request.json(&body) };
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
        })
    }

    #[track_caller]
    fn ok(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert_eq!(status, 200, "{path}: {answer:#}");
        answer
    }

    #[track_caller]
    fn refused(&self, expected: u16, method: Method, path: &str, body: Value) -> Value {
        let (status, problem) = self.ask(method, path, body);
        assert_eq!(status, expected, "{path}: {problem:#}");
        problem
    }
}

#[test]
fn rules_are_shown_tried_changed_and_deleted() {
    let home = Home::new();
    let rules = home.path("rules");
    fs::create_dir(&rules).unwrap();
    for file in fs::read_dir(tools::repository("deploy/rules")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), rules.join(file.file_name())).unwrap();
    }
    let demo = tools::repository("deploy/demo");
    let up = home.start(&["--rules", rules.to_str().unwrap(), "--rules", demo.to_str().unwrap()]);
    let console = Console::of(&up, &home);
    wait::until(LIMIT, "the operator's rules", || {
        (console.ask(Method::GET, "rules", Value::Null).0 == 200).then_some(())
    });
    shows_all(&console);
    checks(&console);
    tries(&console);
    changes(&console);
    assert!(up.stop().success());
}

fn shows_all(console: &Console) {
    let all = console.ok(Method::GET, "rules", Value::Null);
    let items = all["items"].as_array().unwrap();
    let names: Vec<_> = items.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.iter().any(|name| name.ends_with("/rules/archiving-rule")), "{names:?}");
    assert!(all["generation"].as_u64().unwrap() > 0 && all["evaluators"].is_array());
    for rule in items {
        assert_eq!(rule["state"], "inForce", "{rule:#}");
        assert!(
            rule["source"].as_str().unwrap().starts_with("apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\n")
        );
        let (namespace, name) = rule["name"].as_str().unwrap()["namespaces/".len()..].split_once("/rules/").unwrap();
        assert_eq!(
            console.ok(Method::GET, &format!("rules/{namespace}/{name}"), Value::Null)["source"],
            rule["source"]
        );
        let checked = console.ok(Method::POST, "rules/check", json!({"source": rule["source"]}));
        assert_eq!(checked["accepted"], true, "what is shown can be given back: {checked:#}");
    }
    let kinds: Vec<_> = items.iter().flat_map(|it| it["entries"].as_array().unwrap()).map(|it| &it["kind"]).collect();
    assert!(kinds.contains(&&json!("rule")), "{kinds:?}");
    console.refused(404, Method::GET, "rules/audit/nothing", Value::Null);
}

fn checks(console: &Console) {
    let check = |source: String| console.ok(Method::POST, "rules/check", json!({"source": source}));
    let good = check(EXEC.to_owned());
    assert_eq!((&good["accepted"], &good["diagnostics"]), (&json!(true), &json!([])), "{good:#}");
    let refused = check(broken());
    assert_eq!(refused["accepted"], false);
    let found = &refused["diagnostics"][0];
    assert_eq!((&found["severity"], &found["document"]), (&json!("error"), &json!("source")), "{refused:#}");
    assert_eq!(found["path"], "spec.rules[0].condition");
    assert_eq!(
        [&found["line"], &found["column"], &found["endLine"], &found["endColumn"]],
        [&json!(12), &json!(51), &json!(12), &json!(58)],
        "{found:#}"
    );
    let no_yaml = check("a: [b".to_owned());
    assert_eq!(no_yaml["accepted"], false, "{no_yaml:#}");
}

fn tries(console: &Console) {
    let tried = |body: Value| console.ok(Method::POST, "rules/try", body);
    let trial = tried(json!({"source": EXEC, "q": "ns:payments last:24h", "rule": "Exec", "limit": 200}));
    assert_eq!(trial["accepted"], true, "{trial:#}");
    let items = trial["items"].as_array().unwrap();
    assert_eq!(trial["events"], items.len());
    let execs = items.iter().filter(|it| it["event"]["subresource"] == "exec").count();
    assert!(execs > 0 && execs < items.len(), "{execs} of {}", items.len());
    for item in items {
        let exec = item["event"]["subresource"] == "exec";
        assert_eq!(item["rules"], if exec { json!(["exec.Exec"]) } else { json!([]) }, "{item:#}");
        assert_eq!(item["alerts"].as_array().unwrap().len(), usize::from(exec), "{item:#}");
        let verdict = if exec { "exec.Exec holds\n" } else { "exec.Exec does not hold\n" };
        let explanation = item["explanation"].as_str().unwrap();
        assert!(explanation.lines().next().unwrap().ends_with(verdict.trim_end()), "{explanation}");
        assert_eq!(item.get("error"), None, "{item:#}");
        if exec {
            let user = item["event"]["user"].as_str().unwrap();
            assert_eq!(item["alerts"][0], json!({"rule": "exec.Exec", "message": format!("{user} ran something")}));
        }
    }
    let times: Vec<_> = items.iter().map(|it| it["event"]["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other), "the newest first");

    let recent = tried(json!({"source": EXEC}));
    assert_eq!(recent["events"], 100);
    assert!(recent["items"].as_array().unwrap().iter().all(|it| it.get("explanation").is_none()));
    let refused = tried(json!({"source": broken()}));
    assert_eq!((&refused["accepted"], &refused["events"], &refused["items"]), (&json!(false), &json!(0), &json!([])));
    assert_eq!(refused["diagnostics"][0]["line"], 12);
    let problem = console.refused(400, Method::POST, "rules/try", json!({"source": EXEC, "rule": "Exex"}));
    assert_eq!(problem["parameter"], "rule", "{problem:#}");
}

fn changes(console: &Console) {
    let path = "rules/audit/exec";
    let put = |source: &str, etag: Option<&Value>| {
        let body = etag.map_or(json!({"source": source}), |etag| json!({"source": source, "etag": etag}));
        console.ask(Method::PUT, path, body)
    };
    // One that is to be changed has to be there.
    assert_eq!(put(EXEC, Some(&json!("x"))).0, 404);
    console.ok(Method::PUT, &format!("{path}?validateOnly=true"), json!({"source": EXEC}));
    console.refused(404, Method::GET, path, Value::Null);
    let (status, made) = put(EXEC, None);
    assert_eq!(status, 200, "{made:#}");
    assert_eq!((&made["source"], &made["state"]), (&json!(EXEC), &json!("inForce")), "{made:#}");
    assert_eq!((&made["rulesInForce"], &made["labels"]), (&json!(1), &json!({"type": "alerting"})));
    let entry = json!({"name": "Exec", "desc": "", "kind": "rule", "condition": "ObjectRef.Subresource = \"exec\"",
        "output": "${User.Username} ran something", "priority": "WARNING", "enabled": true});
    assert_eq!(made["entries"], json!([entry]));

    let attach = EXEC.replace("\"exec\"", "\"attach\"");
    let (status, changed) = put(&attach, Some(&made["etag"]));
    assert_eq!((status, &changed["source"]), (200, &json!(attach)), "{changed:#}");
    let (status, problem) = put(EXEC, Some(&made["etag"]));
    assert_eq!(status, 409, "{problem:#}");
    let (status, problem) = put(&broken(), Some(&changed["etag"]));
    assert_eq!(status, 400, "{problem:#}");
    let found = &problem["diagnostics"][0];
    assert_eq!((&found["document"], &found["line"], &found["column"]), (&json!("source"), &json!(12), &json!(51)));
    let (status, problem) = put("a: [b", None);
    assert_eq!((status, &problem["parameter"]), (400, &json!("source")), "{problem:#}");
    assert_eq!(problem["diagnostics"][0]["severity"], "error", "{problem:#}");

    // What others define can be used, when it is tried too; and what is used can't be taken away.
    let with_list = format!("{attach}  - name: deeds\n    type: list\n    list: [exec, attach]\n");
    let (status, answer) = put(&with_list, None);
    assert_eq!(status, 200, "{answer:#}");
    let user = EXEC.replace("name: exec", "name: user").replace("= \"exec\"", "in ${exec.deeds}");
    let trial =
        console.ok(Method::POST, "rules/try", json!({"source": user, "q": "sub:exec last:24h", "rule": "user.Exec"}));
    assert_eq!(trial["accepted"], true, "{trial:#}");
    let items = trial["items"].as_array().unwrap();
    assert!(!items.is_empty() && items.iter().all(|it| it["rules"] == json!(["user.Exec"])), "{trial:#}");
    console.ok(Method::PUT, "rules/audit/user", json!({"source": user}));
    let checked = console.ok(Method::POST, "rules/check", json!({"source": attach}));
    assert_eq!(checked["accepted"], false);
    let elsewhere = &checked["diagnostics"][0];
    assert_eq!(
        (&elsewhere["document"], elsewhere.get("line")),
        (&json!("namespaces/audit/rules/user"), None),
        "{checked:#}"
    );

    let (_, now) = console.ask(Method::GET, "rules/audit/user", Value::Null);
    console.refused(409, Method::DELETE, "rules/audit/user?etag=x", Value::Null);
    let etag = now["etag"].as_str().unwrap();
    let (status, _) = console.ask(Method::DELETE, &format!("rules/audit/user?etag={etag}"), Value::Null);
    assert_eq!(status, 204);
    console.refused(404, Method::DELETE, "rules/audit/user", Value::Null);
}
