//! `vedette rules apply|get|delete|diff` as their users run them: the built program against an operator on a directory.
#![expect(clippy::unwrap_used, reason = "a test stops at a surprise")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use vedette_operator::Config;
use vedette_operator::config::RulesConfig;
use vedette_operator::serve::ServeConfig;
use vedette_operator::standalone::Standalone;
use vedette_service::Context;

const TOKEN: &str = "secret-token";

/// An operator in this process, and a folder for files.
struct Bench {
    folder: TempDir,
    url: String,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Bench {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("rules")).unwrap();
        std::fs::write(path("token"), TOKEN).unwrap();
        let config = Config {
            rules: Some(RulesConfig {
                dir: path("rules"),
                more: Vec::new(),
                state_dir: path("state"),
                token_file: Some(path("token")),
            }),
            grpc: ServeConfig { listen: "127.0.0.1:0".parse().unwrap(), ..ServeConfig::default() },
            ..Config::default()
        };
        let runtime = Runtime::new().unwrap();
        let stop = CancellationToken::new();
        let context = Context::new("operator", prometheus::Registry::new(), stop.clone());
        let standalone = runtime.block_on(Standalone::start(config, context)).unwrap();
        let url = format!("http://{}", standalone.address());
        runtime.spawn(standalone.run());
        let bench = Self { folder, url, stop, _runtime: runtime };
        vedette_e2e::wait::until(std::time::Duration::from_secs(60), "the rules", || {
            bench.write("probe.yaml", rule("probe", "Verb exists"));
            (code(&bench.run(&["apply", "-f", "probe.yaml", "--dry-run"])) == 0).then_some(())
        });
        bench
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        command.arg("rules").args(args).current_dir(self.folder.path());
        command.env("VEDETTE_SERVER", &self.url).env_remove("VEDETTE_TOKEN");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).env("VEDETTE_TOKEN", TOKEN).output().unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn rule(name: &str, condition: &str) -> String {
    format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: {name}\n  namespace: audit\n  labels: \
         {{type: alerting}}\nspec:\n  rules:\n  - name: x\n    type: rule\n    enable: true\n    priority: WARNING\n    \
         condition: {condition}\n"
    )
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// What is printed, and the exit code.
#[track_caller]
fn says(output: &Output, expected: &str, with: i32) {
    assert_eq!((text(output).as_str(), code(output)), (expected, with), "{}", errors(output));
}

#[test]
fn rules_are_applied_shown_compared_and_deleted() {
    let bench = Bench::start();
    bench.write("a.yaml", rule("a", "Verb = \"get\""));
    says(&bench.run(&["apply", "-f", "a.yaml", "--dry-run"]), "rule/a created (dry run)\n", 0);
    says(&bench.run(&["get", "-n", "audit"]), "no rules\n", 0);
    says(&bench.run(&["apply", "-f", "a.yaml"]), "rule/a created\n", 0);
    says(&bench.run(&["apply", "-f", "a.yaml"]), "rule/a unchanged\n", 0);
    says(&bench.run(&["diff", "-f", "a.yaml"]), "", 0);

    bench.write("a.yaml", rule("a", "Verb = \"list\""));
    let differs = bench.run(&["diff", "-f", "a.yaml"]);
    assert_eq!(code(&differs), 1, "{}", errors(&differs));
    let shown = text(&differs);
    assert!(shown.starts_with("--- namespaces/audit/rules/a\n+++ namespaces/audit/rules/a\n@@ "), "{shown}");
    assert!(shown.contains("\n-    condition: Verb = \"get\"\n+    condition: Verb = \"list\"\n"), "{shown}");
    says(&bench.run(&["apply", "-f", "a.yaml"]), "rule/a configured\n", 0);

    let table = text(&bench.run(&["get", "-A"]));
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split("   ").map(str::trim).collect()).collect();
    let row =
        |index: usize| rows.get(index).map(|row| row.iter().filter(|it| !it.is_empty()).copied().collect::<Vec<_>>());
    assert_eq!(row(0).unwrap(), ["NAMESPACE", "NAME", "TYPE", "STATE", "IN FORCE", "ENTRIES"]);
    assert_eq!(row(1).unwrap(), ["audit", "a", "alerting", "IN_FORCE", "1", "1"]);
    let json: Value = serde_json::from_str(&text(&bench.run(&["get", "a", "-n", "audit", "-o", "json"]))).unwrap();
    assert_eq!((&json["kind"], &json["status"]["state"]), (&"Rule".into(), &"IN_FORCE".into()));
    says(&bench.run(&["get", "-A", "--filter", "labels.type = archiving"]), "no rules\n", 0);

    // What is shown as YAML can be applied as it is.
    let yaml = bench.run(&["get", "a", "-n", "audit", "-o", "yaml"]);
    bench.write("again.yaml", &yaml.stdout);
    says(&bench.run(&["apply", "-f", "again.yaml"]), "rule/a unchanged\n", 0);

    says(&bench.run(&["delete", "a", "-n", "audit"]), "rule/a deleted\n", 0);
    let gone = bench.run(&["delete", "a", "-n", "audit"]);
    says(&gone, "", 1);
    assert!(errors(&gone).contains("there is no namespaces/audit/rules/a"), "{}", errors(&gone));
    says(&bench.run(&["delete", "a", "-n", "audit", "--ignore-not-found"]), "rule/a deleted\n", 0);
    assert_eq!(code(&bench.run(&["get", "a", "-n", "audit"])), 1);
}

#[test]
fn mistakes_are_shown_where_they_stand_and_nothing_is_written() {
    let bench = Bench::start();
    bench.write("two.yaml", format!("{}---\n{}", rule("good", "Verb exists"), rule("bad", "Verb = (")));
    let refused = bench.run(&["apply", "-f", "two.yaml"]);
    says(&refused, "", 1);
    let shown = errors(&refused);
    assert!(shown.contains("error[VR0207]: expected a value after `=`") && shown.contains("two.yaml:27:23"), "{shown}");
    assert!(shown.contains("nothing was applied"), "{shown}");
    says(&bench.run(&["get", "-A"]), "no rules\n", 0);
    let diff = bench.run(&["diff", "-f", "missing.yaml"]);
    assert_eq!(code(&diff), 2);
}

#[test]
fn who_may_not_or_finds_nobody_is_told() {
    let bench = Bench::start();
    let refused = bench.command(&["get", "-A"]).output().unwrap();
    assert_eq!(code(&refused), 2);
    assert!(errors(&refused).contains("show the token of this operator"), "{}", errors(&refused));
    let token = bench.folder.path().join("token");
    let let_in = bench.command(&["get", "-A", "--token-file", token.to_str().unwrap()]).output().unwrap();
    says(&let_in, "no rules\n", 0);
    let nobody = bench.run(&["diff", "-f", "probe.yaml", "--server", "http://127.0.0.1:9"]);
    assert_eq!(code(&nobody), 2);
    assert!(errors(&nobody).contains("the operator does not answer at http://127.0.0.1:9"), "{}", errors(&nobody));
}

#[test]
fn a_rule_that_comes_before_what_it_uses_is_applied_after_it() {
    let bench = Bench::start();
    let used = "  - {name: who, type: alias, alias: User.Username}\n";
    let both = format!("{}---\n{}{used}", rule("a", "${z.who} = eve"), rule("z", "Verb exists"));
    bench.write("both.yaml", both);
    let dry = bench.run(&["apply", "-f", "both.yaml", "--dry-run"]);
    says(&dry, "rule/a applied after the others (dry run)\nrule/z created (dry run)\n", 0);
    says(&bench.run(&["apply", "-f", "both.yaml"]), "rule/z created\nrule/a created\n", 0);
    says(&bench.run(&["apply", "-f", "both.yaml"]), "rule/a unchanged\nrule/z unchanged\n", 0);
}
