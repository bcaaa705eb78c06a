//! The five incidents of `docs/tour.md`, with the commands that stand there, on the sample that `vedette up` sends.

use std::fs;
use std::process::Command;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use vedette_e2e::tools;

use super::kit::{Home, Up, errors, rows, text};

const DEPLOYER: &str = "system:serviceaccount:ci:deployer";

/// An answer's lines, above and below the line that says since when events are kept; that there is one is a part of every answer.
struct Answer {
    found: Vec<String>,
    coverage: Vec<String>,
}

fn ask(up: &Up, arguments: &[&str]) -> Answer {
    let mut found = rows(&up.ask(&[&["query"], arguments].concat()));
    let kept = found.iter().position(|line| line.starts_with("kept since ") && line.contains("for 9 days"));
    let coverage = found.split_off(kept.unwrap_or_else(|| panic!("{arguments:?}: no coverage in {found:#?}")));
    Answer { found, coverage }
}

impl Answer {
    /// The line that begins so, without its beginning.
    fn line(&self, start: &str) -> &str {
        let line = self.found.iter().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no `{start}` in {:#?}", self.found))
    }

    fn has(&self, part: &str) -> bool {
        self.found.iter().any(|line| line.contains(part))
    }

    #[track_caller]
    fn covered(&self, expected: &str) {
        assert!(self.coverage.iter().any(|line| line == expected), "no `{expected}` in {:#?}", self.coverage);
    }
}

#[test]
fn the_five_questions_have_their_answers() {
    let home = Home::new();
    let up = home.start(&["--retention-days", "9"]);
    who_read_this_secret(&up);
    is_a_stolen_token_in_use(&up);
    what_did_she_change(&up);
    who_executed_what(&up);
    where_does_this_burst_come_from(&up);
    the_examples_of_the_query_api_run(&up, &home);
    assert!(up.line(" next ").contains("query 'sub:exec last:12h'"), "{}", up.text());
    assert!(ask(&up, &["sub:exec last:12h"]).has("pods/exec payments/ledger-0"));
    assert!(up.stop().success());
}

fn who_read_this_secret(up: &Up) {
    let answer = ask(up, &["reads:payments/secrets/db last:7d", "--by", "actor,ip"]);
    assert_eq!(answer.found[0], "ACTOR IP EVENTS FIRST SEEN (UTC) LAST SEEN (UTC)");
    for (reader, events) in [
        ("alice 127.0.0.2", "2"),
        ("bob 127.0.0.3", "2"),
        ("bob 127.0.0.13", "1"),
        ("bob 127.0.0.30", "1"),
        ("carol 127.0.0.4", "3"),
        ("system:serviceaccount:payments:api 127.0.0.20", "7"),
        // Who lists or watches all secrets of all namespaces has read it, too.
        ("system:serviceaccount:backup:velero 127.0.0.21", "7"),
        ("system:serviceaccount:monitoring:exporter 127.0.0.22", "9"),
        (&format!("{DEPLOYER} 127.0.0.66"), "2"),
    ] {
        let line = answer.line(&format!("{reader} "));
        assert_eq!(line.split(' ').next(), Some(events), "{reader}: {line}");
    }
    assert!(!answer.has("dave") && !answer.has("mallory"), "who was refused has not read it: {:#?}", answer.found);
    answer.covered("`get secrets payments/db`: kept by evidence-rule.SecretRead");
    answer.covered("`list, watch secrets in payments`: kept by evidence-rule.SecretRead");

    let refused = ask(up, &["resource:secrets ns:payments name:db is:denied last:7d", "--by", "actor,ip"]);
    assert!(refused.line("dave 127.0.0.5 ").starts_with("2 "), "{:#?}", refused.found);
}

fn is_a_stolen_token_in_use(up: &Up) {
    let user = format!("user:{DEPLOYER} last:24h");
    let pairs = ask(up, &[&user, "--by", "ip,cred", "--new-since", "7d"]);
    let stolen = "JTI=1dc6c343-bb70-4516-a01b-303ed95f6534";
    assert!(
        pairs.line(&format!("127.0.0.66 {stolen} ")).ends_with(" ip"),
        "its credential is none: {:#?}",
        pairs.found
    );
    assert!(!pairs.line(&format!("127.0.0.10 {stolen} ")).ends_with(|c: char| c.is_alphabetic()));
    assert!(pairs.line("127.0.0.1 JTI=").ends_with(" credential"), "of an account that is known there");
    pairs.covered(&format!(
        "`get, list, watch by {DEPLOYER}`: not kept, no rule in force stores them whatever the resource"
    ));

    let addresses = ask(up, &[&user, "--by", "ip", "--new-since", "7d"]);
    let new: Vec<_> = addresses.found.iter().filter(|line| line.ends_with(" new")).collect();
    assert!(matches!(new.as_slice(), [line] if line.starts_with("127.0.0.66 ")), "{:#?}", addresses.found);

    let all = ask(up, &[&format!("user:{DEPLOYER} ip:127.0.0.66 last:24h"), "--sort", "asc"]);
    let deeds = [
        "list secrets 403",
        "list secrets payments/ 200",
        "get secrets payments/db 200",
        "create pods payments/debug-7f2 201",
        "get pods/exec payments/debug-7f2 101",
        "create clusterrolebindings 403",
        "delete pods payments/debug-7f2 200",
    ];
    let places = deeds.map(|deed| all.found.iter().position(|line| line.contains(&format!(" {deed} "))));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?} in {:#?}", all.found);
}

fn what_did_she_change(up: &Up) {
    // Until some time after 14:05 the last outage is yesterday's, which has to be said then.
    let now = TimeZone::UTC.to_datetime(Timestamp::now());
    let today = now.time() < Time::constant(12, 5, 0, 0) || now.time() > Time::constant(14, 25, 0, 0);
    let day = if today { String::new() } else { format!("{}T", now.date().yesterday().unwrap()) };
    let answer = ask(up, &[&format!("actor:alice change:yes {day}12:05..14:05"), "--diff", "--sort", "asc"]);
    let heads: Vec<_> = answer.found.iter().filter_map(|line| line.split_once(" alice ")).collect();
    assert_eq!(heads.len(), 11, "{:#?}", answer.found);
    assert!(heads.is_sorted_by_key(|(time, _)| *time), "oldest first");
    let changes: Vec<_> = heads.iter().map(|(_, what)| *what).collect();
    let kubesphere = "(through system:serviceaccount:kubesphere-system:kubesphere)";
    assert_eq!(
        changes,
        [
            "update configmaps checkout/checkout 200",
            "update deployments checkout/checkout 200",
            "patch services checkout/checkout 200",
            "patch secrets payments/stripe 200",
            "patch ingresses checkout/shop 200",
            &format!("{kubesphere} patch configmaps checkout/feature-flags 200"),
            "update deployments checkout/checkout 200",
            "patch deployments checkout/checkout 200",
            "patch deployments/scale checkout/checkout 200",
            "update services checkout/checkout 200",
            "delete configmaps checkout/feature-flags 200",
        ]
    );
    let pool = "spec.template.spec.containers[name=checkout].env[name=DB_POOL].value";
    for [path, before, after] in [
        ["data.timeout", r#""3s""#, r#""30s""#],
        [pool, r#""50""#, r#""500""#],
        ["spec.replicas", "4", "1"],
        ["spec.ports[0].targetPort", "8080", "8081"],
    ] {
        let at = answer.found.iter().position(|line| *line == format!("- {path}: {before}"));
        let at = at.unwrap_or_else(|| panic!("no {path} in {:#?}", answer.found));
        assert_eq!(answer.found[at + 1], format!("+ {path}: {after}"));
    }
    let bare = answer.found.windows(2).filter(|lines| lines[1] == "no body: level Metadata");
    let bare: Vec<_> = bare.map(|lines| lines[0].rsplit_once(" patch ").unwrap().1).collect();
    assert_eq!(bare, ["secrets payments/stripe 200", "ingresses checkout/shop 200"]);
    assert!(answer.line("deleted, as it was at ").ends_with(':'));
    assert!(answer.has(r#"- data: {"express":"on","giftcards":"on"}"#), "as it was deleted: {:#?}", answer.found);
    let kept = "kept by archiving-rule.archiving";
    assert!(answer.coverage[1].starts_with("`create, update, patch, delete, deletecollection by alice`: kept by "));
    assert!(answer.coverage[1].contains(kept.trim_start_matches("kept by ")), "{:#?}", answer.coverage);
}

fn who_executed_what(up: &Up) {
    let query = "sub:exec,attach,portforward ns:payments last:7d";
    let answer = ask(up, &[query, "--columns", "time,actor,name,cmd,duration"]);
    assert_eq!(answer.found[0], "TIME (UTC) ACTOR NAME CMD DURATION");
    let rows = answer.found.iter().filter_map(|line| line.split(' ').nth(2).map(|actor| (actor, line)));
    let of = |actor: &str| -> Vec<String> {
        let own = rows.clone().filter(|(who, _)| *who == actor);
        own.map(|(_, line)| line.split(' ').skip(3).collect::<Vec<_>>().join(" ")).collect()
    };
    let dave = of("dave");
    assert_eq!(dave.len(), 6, "one a session: {dave:#?}");
    for (session, seconds) in [
        ("ledger-0 sh -c cat /etc/passwd ", 5.0..9.0),
        ("ledger-0 sh -c tar cz /var/lib/ledger | base64 ", 9.0..12.0),
        ("ledger-0 id ", 0.5..5.0),
        // Of a forwarded port there is no command.
        ("ledger-0 ", 4.0..9.0),
    ] {
        let took = dave.iter().filter_map(|line| line.strip_prefix(session)?.strip_suffix(" s")?.parse::<f64>().ok());
        assert!(took.into_iter().any(|took| seconds.contains(&took)), "{session} in {dave:#?}");
    }
    assert!(
        of(DEPLOYER)[0].starts_with("debug-7f2 sh -c cat /host/etc/shadow | base64 | curl "),
        "{:#?}",
        of(DEPLOYER)
    );
    assert!(answer.coverage.iter().filter(|line| line.contains("pods/")).all(|line| line.contains(": kept by ")));
    answer.covered(
        "`pods/exec in payments`: kept by alerting-rule.ResourceChange, archiving-rule.archiving, evidence-rule.PodAccess",
    );

    let around = ask(up, &["actor:dave last:4h", "--sort", "asc"]);
    for deed in
        ["get secrets payments/db 403", "create pods/exec payments/ledger-0 101", "delete pods payments/ledger-0 403"]
    {
        assert!(around.has(deed), "{deed} in {:#?}", around.found);
    }
}

fn where_does_this_burst_come_from(up: &Up) {
    let answer = ask(up, &["code:403 last:1h", "--by", "actor,resource", "--top", "10"]);
    assert!(answer.found[1].starts_with("mallory secrets 41 "), "{:#?}", answer.found);
    assert!(answer.line("mallory pods ").starts_with("15 "));
    assert!(answer.coverage[1].starts_with("`requests with code 403`: kept by "), "{:#?}", answer.coverage);
    assert!(answer.coverage[1].contains("evidence-rule.Refused"), "{:#?}", answer.coverage);

    let through = ask(up, &["actor:mallory last:1h !code:403"]);
    assert!(through.has("list secrets sandbox/ 200") && through.has("create configmaps sandbox/notes 201"));
    through.covered("`get, list, watch by mallory`: not kept, no rule in force stores them whatever the resource");
}

/// The examples of `docs/api/query.md`, as they stand there.
fn the_examples_of_the_query_api_run(up: &Up, home: &Home) {
    let manual = fs::read_to_string(tools::repository("docs/api/query.md")).unwrap();
    let token = home.data().join("token");
    let manual =
        manual.replace("http://localhost:8080", &up.console()).replace(".vedette/token", token.to_str().unwrap());
    let mut examples = manual.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let beginning = examples.next().unwrap();
    let answers = [
        r#""total":"#,
        r#""items":[{"#,
        r#""path":"spec.template.spec.containers[name=checkout].image""#,
        r#""requests":"#,
        r#""series":["1xx","2xx","3xx","4xx","5xx","…"]"#,
        r#"{"value":"mallory","count":174}"#,
        r#""new":true,"newValues":[true,false]"#,
        r#""evidence-rule.SecretRead""#,
        "time,actor,verb,resource,namespace,name,code\r\n",
        "",
        r#""outcome":"unrouted""#,
        r#""latest":{"#,
        r#""series":["WARNING"#,
        r#""name":"refused""#,
        r#""state":"inForce""#,
        r#""rules":["exec.Exec"]"#,
        r#""place":[11,14]"#,
    ];
    let examples: Vec<&str> = examples.collect();
    assert_eq!(examples.len(), answers.len());
    for (example, expected) in examples.into_iter().zip(answers) {
        let script = format!("set -euo pipefail\n{beginning}{example}");
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{example}{}{}", text(&output), errors(&output));
        assert!(text(&output).contains(expected), "no `{expected}`: {example}{}", text(&output));
    }
}
