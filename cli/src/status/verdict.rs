//! What is wrong, and what only needs attention.
use vedette_console::document::{Consumer, Status};

use crate::term::{count, plain, thousands};

/// The services that an installation has at least one of.
const SERVICES: [&str; 4] = ["vedette-ingest", "vedette-evaluator", "vedette-archiver", "vedette-alerter"];

/// What is wrong, and what only needs attention.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Events are lost or stuck, or may be: exit code 1.
    pub(crate) problems: Vec<String>,
    /// Nothing is lost, but somebody should look.
    pub(crate) notes: Vec<String>,
}

/// Judges a status.
pub(crate) fn of(status: &Status) -> Verdict {
    Verdict { problems: problems(status), notes: notes(status) }
}

fn problems(status: &Status) -> Vec<String> {
    let mut problems = Vec::new();
    if !status.books.balanced {
        let broken = status.books.equations.iter().filter(|equation| !equation.holds);
        let broken: Vec<String> =
            broken.map(|it| format!("{}: {} ≠ {}", it.name, thousands(it.left), thousands(it.right))).collect();
        problems.push(format!("the books do not balance: {}", broken.join("; ")));
    }
    if !status.broker.connected {
        problems.push("the broker is away".to_owned());
    } else if let Some(message) = &status.broker.message {
        problems.push(message.clone());
    }
    if !status.archive.ready {
        problems.push(format!("the archive is away: {}", status.archive.detail));
    }
    if status.broker.connected {
        for name in SERVICES {
            if !status.services.iter().any(|service| service.name == name) {
                problems.push(format!("{name} does not run"));
            }
        }
    }
    for consumer in status.broker.consumers.iter().filter(|consumer| stuck(consumer)) {
        let messages = count(consumer.pending, "message waits", "messages wait");
        problems.push(format!("{messages} in {} and nobody takes them (consumer {})", consumer.stream, consumer.name));
    }
    problems
}

/// Messages wait, none are being worked on, and nobody asks for them.
fn stuck(consumer: &Consumer) -> bool {
    consumer.pending > 0 && consumer.ack_pending == 0 && consumer.waiting == 0
}

fn notes(status: &Status) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(dead) = status.dead_letters.as_ref().filter(|dead| dead.messages > 0) {
        let reasons: Vec<String> =
            dead.reasons.iter().map(|it| format!("{} {} {}", it.service, it.reason, thousands(it.messages))).collect();
        notes.push(format!("{}: {}", count(dead.messages, "dead letter", "dead letters"), reasons.join(", ")));
    }
    for blind in &status.blind_rules {
        notes.push(format!(
            "rule {} could not decide {}: level {} does not record {}",
            plain(&blind.rule),
            count(blind.events, "event", "events"),
            plain(&blind.level),
            plain(&blind.field),
        ));
    }
    if !status.blind_rules.is_empty() && !status.blind_rules_complete {
        notes.push("more rules could not decide than are listed".to_owned());
    }
    let says =
        |key: &str, what: &str| status.services.iter().any(|it| it.metadata.get(key).is_some_and(|how| how == what));
    if says("authentication", "none") {
        notes.push("the webhook takes events from anyone: no token and no client certificate is configured".to_owned());
    }
    if says("redaction", "off") {
        notes.push("secrets in bodies are stored as they are: redaction is off".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::of;
    use vedette_console::document::Status;

    fn status(text: &str) -> Status {
        serde_json::from_str(text).unwrap()
    }

    const SERVICES: &str = r#"[{"name":"vedette-ingest","metadata":{"authentication":"token"}},
        {"name":"vedette-evaluator"},{"name":"vedette-archiver"},{"name":"vedette-alerter"}]"#;

    #[test]
    fn all_is_well_when_the_books_balance_and_everybody_is_there() {
        let text = format!(
            r#"{{"books":{{"balanced":true}},"broker":{{"connected":true,"consumers":[
                {{"stream":"E","name":"archive","pending":9,"ackPending":3,"waiting":0}},
                {{"stream":"E","name":"alert","pending":0,"ackPending":0,"waiting":0}}]}},
                "archive":{{"ready":true}},"services":{SERVICES},"blindRulesComplete":true,"deadLetters":{{"messages":0}}}}"#
        );
        assert_eq!(of(&status(&text)), Default::default());
    }

    #[test]
    fn what_loses_events_is_a_problem() {
        let text = r#"{"books":{"balanced":false,"equations":[{"name":"a = b","left":2,"right":1,"holds":false},
            {"name":"c = d","left":1,"right":1,"holds":true}]},
            "broker":{"connected":true,"message":"odd","consumers":[{"stream":"E","name":"archive","pending":1}]},
            "archive":{"ready":false,"detail":"no answer"},"services":[]}"#;
        let verdict = of(&status(text));
        assert_eq!(
            verdict.problems,
            [
                "the books do not balance: a = b: 2 ≠ 1",
                "odd",
                "the archive is away: no answer",
                "vedette-ingest does not run",
                "vedette-evaluator does not run",
                "vedette-archiver does not run",
                "vedette-alerter does not run",
                "1 message waits in E and nobody takes them (consumer archive)",
            ]
        );
        let away = of(&status(r#"{"books":{"balanced":true},"archive":{"ready":true}}"#));
        assert_eq!(away.problems, ["the broker is away"], "who runs is not known then");
    }

    #[test]
    fn what_only_needs_attention_is_a_note() {
        let text = format!(
            r#"{{"books":{{"balanced":true}},"broker":{{"connected":true}},"archive":{{"ready":true}},"services":{},
                "blindRulesComplete":true,
                "blindRules":[{{"rule":"alerting-rule.CreateHostnetworkPod","field":"RequestObject.spec.hostNetwork","level":"Metadata","events":7}}],
                "deadLetters":{{"messages":2,"reasons":[{{"service":"ingest","reason":"no_verb","messages":2}}]}}}}"#,
            SERVICES.replace("token", "none")
        );
        let verdict = of(&status(&text));
        assert!(verdict.problems.is_empty());
        assert_eq!(
            verdict.notes,
            [
                "2 dead letters: ingest no_verb 2",
                "rule alerting-rule.CreateHostnetworkPod could not decide 7 events: level Metadata does not record RequestObject.spec.hostNetwork",
                "the webhook takes events from anyone: no token and no client certificate is configured",
            ]
        );
    }
}
