//! The console's pages in a real browser, on the sample that `vedette up` sends: `console/web/browser` says what a person does there.

use std::fs;

use jiff::Timestamp;
use serde_json::json;
use vedette_e2e::browser;

use super::kit::{Home, Up, errors};

/// What somebody who attacks those who look writes wherever they can choose the text.
const PLANTED: &str =
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\u{202e}\u{0007}";

#[test]
fn the_pages_do_what_people_want() {
    let home = Home::new();
    let up = home.start(&["--retention-days", "9"]);
    plant(&home, &up);
    let token = fs::read_to_string(home.data().join("token")).unwrap();
    let (console, webhook, ca) = (up.console(), up.webhook(), home.data().join("tls/ca.crt"));
    let variables = [
        ("VEDETTE_CONSOLE", console.as_str()),
        ("VEDETTE_TOKEN", token.trim()),
        ("VEDETTE_PLANTED", PLANTED),
        ("VEDETTE_WEBHOOK", &webhook),
        ("VEDETTE_WEBHOOK_CA", ca.to_str().unwrap()),
    ];
    // Who signs in with a provider is tried on a console that has one.
    browser::run(&["--exclude", "**/oidc.test.ts"], &variables);
    assert!(up.stop().success());
}

/// Sends an event whose texts are meant for whoever looks at it.
fn plant(home: &Home, up: &Up) {
    let now = format!("{:.6}", Timestamp::now());
    let event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "stage": "ResponseComplete",
        "auditID": "9f2c7c1e-0000-4000-8000-00000000dead", "verb": "delete",
        "requestURI": format!("/api/v1/namespaces/planted/configmaps/{PLANTED}"),
        "user": {"username": format!("eve {PLANTED}"), "groups": [PLANTED]},
        "sourceIPs": ["127.0.0.99"],
        "userAgent": format!("{PLANTED}{}", "x".repeat(10_000)),
        "objectRef": {"resource": "configmaps", "namespace": "planted", "name": PLANTED, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "status": "Success", "code": 200, "reason": PLANTED, "message": PLANTED},
        "requestObject": {PLANTED: PLANTED}, "responseObject": {"data": {PLANTED: [PLANTED]}},
        "annotations": {PLANTED: PLANTED},
        "requestReceivedTimestamp": now, "stageTimestamp": now,
    });
    let file = home.path("planted.json");
    fs::write(&file, event.to_string()).unwrap();
    let sent = up.replay(&file, &[]);
    assert!(sent.status.success(), "{}", errors(&sent));
    up.settled("the planted event", |_| true);
}
