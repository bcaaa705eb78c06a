//! The examples of `docs/api/README.md`, as they stand there, with the tool that they name.

use std::process::Command;

use vedette_e2e::tools;

use super::kit::{Place, mask, rule};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_documentation_run() {
    let place = Place::directory().await;
    let mut client = place.client().await;
    let manual = std::fs::read_to_string(tools::repository("docs/api/README.md")).unwrap();
    let examples: Vec<&str> = manual.split("```sh\n").skip(1).map(|it| it.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 6);
    let run = |example: &str| {
        let line = example.replacen("grpcurl", "\"$GRPCURL\"", 1).replace("localhost:9444", "\"$ADDRESS\"");
        let mut command = Command::new("bash");
        command.args(["-c", &line]).env("GRPCURL", tools::path("grpcurl"));
        let output = command.env("ADDRESS", place.url().trim_start_matches("http://")).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let made: serde_json::Value = serde_json::from_str(&run(examples[0])).unwrap();
    assert_eq!(made["status"]["state"], "IN_FORCE");
    let changed = run(&examples[1].replace("ETAG", made["etag"].as_str().unwrap()));
    assert!(changed.contains("\"archiving\"") && changed.contains("opened a shell"), "{changed}");
    assert_eq!(run(examples[2]).trim(), "{}");
    assert!(run(examples[3]).contains("shells.exec does not hold"));
    assert!(run(examples[4]).contains("generation"));
    run(examples[5]);

    // The details of an error are shown as text, since reflection knows them.
    let broken = examples[0].replace(r#"Verb = \"create\""#, "Verb = (");
    let line = broken.replacen("grpcurl", "\"$GRPCURL\"", 1).replace("localhost:9444", "\"$ADDRESS\"");
    let mut command = Command::new("bash");
    command.args(["-c", &line]).env("GRPCURL", tools::path("grpcurl"));
    let output = command.env("ADDRESS", place.url().trim_start_matches("http://")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("rule.entries[0].rule.condition") && said.contains("BROKEN_RULE"), "{said}");

    // Nothing is left of it.
    client.update("shells", rule("alerting", vec![]), mask(&["labels"])).await.unwrap_err();
    place.end().await;
}
