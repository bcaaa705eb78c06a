//! What a newcomer gets wrong, and what is said then.

use std::net::TcpListener;

use super::kit::{Home, errors, text, vedette};

fn refused(arguments: &[&str], code: i32, expected: &[&str]) {
    let answer = vedette().args(arguments).output().unwrap();
    assert_eq!(answer.status.code(), Some(code), "{arguments:?}: {}", errors(&answer));
    for part in expected {
        assert!(errors(&answer).contains(part), "{arguments:?}: no `{part}` in {}", errors(&answer));
    }
    assert_eq!(text(&answer), "", "{arguments:?}");
}

#[test]
fn a_port_that_is_taken_is_named_with_who_has_it() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = home.data();
    let data = data.to_str().unwrap();
    let own = format!("(process {})", std::process::id());
    refused(
        &["up", "--data-dir", data, "--console-listen", "127.0.0.1:0", "--webhook-listen", &address],
        1,
        &["error: the webhook can't listen on", &own, "--webhook-listen"],
    );
    refused(
        &["up", "--data-dir", data, "--webhook-listen", "127.0.0.1:0", "--console-listen", &address],
        1,
        &["error: the console can't listen on", &own, "--console-listen"],
    );
    assert_eq!(home.nats_server(), None);
}

#[test]
fn what_is_missing_is_named_with_the_way_out() {
    let home = Home::new();
    let data = home.data();
    let data = data.to_str().unwrap();
    let up = ["up", "--data-dir", data, "--webhook-listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0"];
    refused(&[&up[..], &["--rules", "nowhere"]].concat(), 2, &["--rules names `nowhere`"]);
    refused(&[&up[..], &["--sample", "nowhere"]].concat(), 2, &["--sample names `nowhere`"]);
    let answer = vedette().args(up).env("VEDETTE_NATS_SERVER", "/nowhere/nats-server").output().unwrap();
    assert_eq!(answer.status.code(), Some(2));
    assert!(errors(&answer).contains("VEDETTE_NATS_SERVER names `/nowhere/nats-server`"), "{}", errors(&answer));
    let elsewhere = vedette().args(up).current_dir(home.path("")).output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(2));
    assert!(errors(&elsewhere).contains("run this in the repository"), "{}", errors(&elsewhere));
    assert_eq!(home.nats_server(), None);
}

#[test]
fn questions_that_make_no_sense_are_answered_with_what_would() {
    refused(
        &["query", "user:alice vrb:get", "--token", "x"],
        2,
        &["error: unknown key `vrb`\n  | user:alice vrb:get\n  |            ^^^\n", "did you mean `verb`?"],
    );
    refused(&["query", "last:soon", "--token", "x"], 2, &["`soon` is no duration", "     ^^^^\n", "12h"]);
    refused(&["query", "-ns:kube-*", "(code:403", "--token", "x"], 2, &["  | -ns:kube-* (code:403\n  |            ^"]);
    refused(
        &["query", "--columns", "time,who", "--url", "http://127.0.0.1:9", "--token", "x"],
        2,
        &["`who` is no column", "actor"],
    );
    refused(&["query", "--follow", "until:14:05", "--token", "x"], 2, &["what is followed has no end"]);
    refused(&["query", "--stats", "-o", "csv", "--token", "x"], 2, &["`-o csv` is for records alone"]);
    refused(&["query", "--new-since", "7d", "--token", "x"], 2, &["--by"]);
    refused(&["query", "--follow", "--by", "actor", "--token", "x"], 2, &["cannot be used with"]);
    refused(&["query", "--data-dir", "nowhere"], 2, &["can't read the token in", "VEDETTE_TOKEN"]);
    refused(&["query", "--url", "ftp://host", "--token", "x"], 2, &["no address of a console"]);
    refused(&["replay", "nowhere"], 2, &["can't read `nowhere`"]);
    refused(&["replay", "Cargo.toml", "--url", "https://h/x", "--cluster", "a"], 2, &["no cluster fits behind it"]);
    refused(&["webhook-config", "--cluster", "a", "--data-dir", "nowhere"], 2, &["there is no certificate at"]);
}

#[test]
fn help_has_examples_and_the_version_is_told() {
    for command in ["up", "replay", "query", "dead-letters", "webhook-config"] {
        let help = vedette().args([command, "--help"]).output().unwrap();
        assert!(help.status.success());
        assert!(text(&help).contains("\nExamples:\n"), "{}", text(&help));
        assert!(!text(&help).contains('\u{1b}'), "no colour into a pipe");
    }
    let version = vedette().arg("--version").output().unwrap();
    assert_eq!(text(&version).trim(), concat!("vedette ", env!("CARGO_PKG_VERSION")));
}
