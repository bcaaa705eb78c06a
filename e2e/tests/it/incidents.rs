//! What the five incidents of `docs/tour.md` need is in the sample: who, from where, when. Read from the files alone, so that the
//! product's own answers can be held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use vedette_e2e::tools;

use crate::sample;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const DEPLOYER: &str = "system:serviceaccount:ci:deployer";

/// An event, and how many milliseconds before the end of its incident it is laid.
struct Event {
    incident: String,
    ago: i64,
    value: Value,
}

impl Event {
    fn text(&self, path: &str) -> &str {
        self.value.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn code(&self) -> i64 {
        self.value["responseStatus"]["code"].as_i64().unwrap_or_default()
    }

    /// Who is taken to have done it: the impersonated user, else the caller.
    fn actor(&self) -> &str {
        Some(self.text("/impersonatedUser/username"))
            .filter(|actor| !actor.is_empty())
            .unwrap_or(self.text("/user/username"))
    }

    fn ip(&self) -> &str {
        self.value["sourceIPs"].as_array().unwrap().last().unwrap().as_str().unwrap()
    }

    fn credential(&self) -> &str {
        self.text("/user/extra/authentication.kubernetes.io~1credential-id/0")
    }

    fn object(&self) -> [&str; 3] {
        ["/objectRef/namespace", "/objectRef/resource", "/objectRef/name"].map(|path| self.text(path))
    }

    fn changes(&self) -> bool {
        ["create", "update", "patch", "delete"].contains(&self.text("/verb"))
    }

    /// Whether the shipped rules keep it, in short: a reading that nobody keeps answers no question.
    fn kept(&self) -> bool {
        let [_, resource, _] = self.object();
        let session = ["exec", "attach", "portforward"].contains(&self.text("/objectRef/subresource"));
        self.changes() || resource == "secrets" || session || [401, 403].contains(&self.code())
    }

    /// The last stage that there is, once a request.
    fn over(&self) -> bool {
        self.text("/stage") == "ResponseComplete" || self.code() == 401
    }

    /// From receiving to this stage. The sample is played in one go, so both lie in the same hour.
    fn took(&self) -> Duration {
        let seconds = |path: &str| {
            let text = self.text(path);
            let minutes: f64 = text[14..16].parse().unwrap();
            minutes * 60.0 + text[17..text.len() - 1].parse::<f64>().unwrap()
        };
        Duration::from_secs_f64((seconds("/stageTimestamp") - seconds("/requestReceivedTimestamp")).rem_euclid(3600.0))
    }
}

fn events() -> Vec<Event> {
    let table = std::fs::read(tools::repository("e2e/testdata/incidents-places.json")).unwrap();
    let table: Vec<Value> = serde_json::from_slice(&table).unwrap();
    let mut places = BTreeMap::new();
    for incident in &table {
        for (request, ago) in incident["agoMs"].as_object().unwrap() {
            let place = (incident["incident"].as_str().unwrap(), ago.as_i64().unwrap());
            assert!(places.insert(request.as_str(), place).is_none(), "a request has one place");
        }
    }
    let mut events = Vec::new();
    for line in sample::incidents().lines() {
        let list: Value = serde_json::from_str(line).unwrap();
        for value in list["items"].as_array().unwrap() {
            let (incident, ago) = places[value["auditID"].as_str().unwrap()];
            events.push(Event { incident: incident.to_owned(), ago, value: value.clone() });
        }
    }
    assert!(events.iter().all(|event| event.ago < 8 * DAY));
    events
}

#[test]
fn secret_reads_are_there_by_name_by_list_and_by_watch() {
    let events = events();
    let reads = |event: &&Event| {
        let [namespace, resource, name] = event.object();
        let named = ["", "db"].contains(&name) && ["", "payments"].contains(&namespace);
        named
            && resource == "secrets"
            && ["get", "list", "watch"].contains(&event.text("/verb"))
            && event.over()
            && event.code() == 200
    };
    let all: Vec<&Event> = events.iter().filter(reads).collect();
    let week: BTreeSet<_> = all
        .iter()
        .filter(|event| event.ago < 7 * DAY)
        .map(|event| (event.actor(), event.ip(), event.text("/verb"), event.text("/objectRef/namespace")))
        .collect();
    let expected = [
        ("alice", "127.0.0.2", "get", "payments"),
        ("alice", "127.0.0.2", "list", "payments"),
        ("bob", "127.0.0.3", "get", "payments"),
        ("bob", "127.0.0.3", "list", "payments"),
        ("bob", "127.0.0.13", "get", "payments"),
        ("bob", "127.0.0.30", "get", "payments"),
        ("carol", "127.0.0.4", "get", "payments"),
        ("carol", "127.0.0.4", "watch", "payments"),
        ("system:serviceaccount:backup:velero", "127.0.0.21", "list", ""),
        (DEPLOYER, "127.0.0.66", "get", "payments"),
        (DEPLOYER, "127.0.0.66", "list", "payments"),
        ("system:serviceaccount:monitoring:exporter", "127.0.0.22", "list", ""),
        ("system:serviceaccount:monitoring:exporter", "127.0.0.22", "watch", ""),
        ("system:serviceaccount:payments:api", "127.0.0.20", "get", "payments"),
    ];
    assert_eq!(week, BTreeSet::from(expected));
    assert_eq!(all.iter().filter(|event| event.ago >= 7 * DAY).count(), 1, "one is older than the question");
    assert!(
        events.iter().any(|event| event.actor() == "dave" && event.object()[1] == "secrets" && event.code() == 403)
    );
    let bodies = |event: &&Event| event.object()[1] == "secrets" && event.text("/level") != "Metadata";
    assert_eq!(events.iter().filter(bodies).count(), 0, "no secret is in the repository");
}

#[test]
fn stolen_token_is_an_old_credential_at_a_new_address() {
    let events = events();
    let own: Vec<&Event> =
        events.iter().filter(|event| event.text("/user/username") == DEPLOYER && event.kept()).collect();
    let oldest = |ip: &str| own.iter().filter(|event| event.ip() == ip).map(|event| event.ago).max().unwrap();
    assert!(oldest("127.0.0.10") > 7 * DAY && oldest("127.0.0.1") > 7 * DAY);
    assert!(oldest("127.0.0.66") < 24 * HOUR);
    let days: BTreeSet<_> =
        own.iter().filter(|event| event.ip() == "127.0.0.10").map(|event| event.ago / DAY).collect();
    assert_eq!(days.len(), 8, "normal use on every day");
    let credentials: BTreeSet<_> = own.iter().map(|event| event.credential()).collect();
    assert!(credentials.len() >= 5 && credentials.iter().all(|credential| credential.starts_with("JTI=")));

    let thief: Vec<&Event> = own.iter().filter(|event| event.ip() == "127.0.0.66").copied().collect();
    let stolen: BTreeSet<_> = thief.iter().map(|event| event.credential()).collect();
    assert_eq!(stolen.len(), 1);
    let (known, new): (Vec<&Event>, Vec<&Event>) =
        own.iter().filter(|event| stolen.contains(event.credential())).partition(|event| event.ip() == "127.0.0.10");
    assert!(known.iter().any(|event| event.ago > 7 * DAY) && known.iter().any(|event| event.ago < 24 * HOUR));
    assert_eq!(new.len(), thief.len());
    let did: BTreeSet<_> = thief
        .iter()
        .filter(|event| event.over())
        .map(|event| (event.text("/verb"), event.object()[1], event.text("/objectRef/subresource"), event.code()))
        .collect();
    for deed in [
        ("list", "secrets", "", 403),
        ("list", "secrets", "", 200),
        ("get", "secrets", "", 200),
        ("create", "pods", "", 201),
        ("get", "pods", "exec", 101),
        ("create", "clusterrolebindings", "", 403),
        ("delete", "pods", "", 200),
    ] {
        assert!(did.contains(&deed), "{deed:?} in {did:?}");
    }
}

#[test]
fn outage_follows_changes_of_which_each_shows_what_was_before() {
    let events = events();
    let alice = |event: &&Event| event.incident == "outage" && event.actor() == "alice" && event.changes();
    let changes: Vec<&Event> = events.iter().filter(alice).collect();
    let before: Vec<&Event> = changes.iter().filter(|event| (0..2 * HOUR).contains(&event.ago)).copied().collect();
    assert_eq!((changes.len(), before.len()), (13, 12), "one lies after it");
    assert_eq!(before.iter().filter(|event| event.code() == 403).count(), 1);
    assert_eq!(before.iter().filter(|event| event.text("/user/username") != "alice").count(), 1, "by impersonation");
    let verbs: BTreeSet<_> = before.iter().map(|event| event.text("/verb")).collect();
    assert_eq!(verbs, BTreeSet::from(["create", "delete", "patch", "update"]));
    let bare: BTreeSet<_> =
        before.iter().filter(|event| event.text("/level") == "Metadata").map(|event| event.object()[1]).collect();
    assert_eq!(bare, BTreeSet::from(["ingresses", "secrets"]));
    for change in before.iter().filter(|event| event.text("/level") != "Metadata" && event.code() < 300) {
        // In the order in which it was played, which is that of the object's versions.
        let place = events.iter().position(|event| std::ptr::eq(event, *change)).unwrap();
        let earlier = events[..place].iter().rev().find(|event| event.changes() && event.object() == change.object());
        let earlier = earlier.unwrap_or_else(|| panic!("nothing is known of {:?} before", change.object()));
        assert!(earlier.value["responseObject"].is_object(), "{:?}", change.object());
        assert!(change.value["requestObject"].is_object() || change.text("/verb") == "delete");
        assert!(
            earlier.incident != "outage" || earlier.ago > change.ago,
            "time goes on as the versions do: {:?}",
            change.object()
        );
    }
    // Nothing else that might fall into the same hours is hers.
    let stray = |event: &&Event| event.incident != "outage" && event.actor() == "alice" && event.changes();
    assert_eq!(events.iter().filter(stray).filter(|event| event.ago < 2 * DAY).count(), 0);
}

#[test]
fn sessions_have_actors_commands_and_durations() {
    let events = events();
    let inside = |event: &&Event| event.object()[0] == "payments" && event.object()[1] == "pods";
    let sessions: Vec<&Event> = events
        .iter()
        .filter(inside)
        .filter(|event| ["exec", "attach", "portforward"].contains(&event.text("/objectRef/subresource")))
        .collect();
    let requests: BTreeSet<_> = sessions.iter().map(|event| event.text("/auditID")).collect();
    assert_eq!(sessions.len(), 3 * requests.len(), "each has its three stages");
    let ended: Vec<&Event> = sessions.iter().filter(|event| event.over()).copied().collect();
    assert_eq!((ended.len(), ended.iter().filter(|event| event.code() == 101).count()), (16, 16));
    assert!(ended.iter().all(|event| event.took() > Duration::from_millis(500)));
    let kinds: BTreeSet<_> =
        ended.iter().map(|event| (event.text("/verb"), event.text("/objectRef/subresource"))).collect();
    assert_eq!(kinds.len(), 6, "each by SPDY and by WebSocket: {kinds:?}");
    let actors: BTreeSet<_> = ended.iter().map(|event| event.actor()).collect();
    assert_eq!(actors, BTreeSet::from(["alice", "bob", "carol", "dave", "mallory", DEPLOYER]));
    let passwd = ended
        .iter()
        .find(|event| event.text("/requestURI").contains("command=sh&command=-c&command=cat%20%2Fetc%2Fpasswd"));
    let passwd = passwd.expect("dave reads the users");
    assert_eq!((passwd.actor(), passwd.text("/verb")), ("dave", "create"), "it raises an alert");
    assert!(passwd.took() > Duration::from_secs(5));
    let around = events.iter().filter(|event| {
        event.actor() == "dave" && event.over() && event.kept() && (event.ago - passwd.ago).abs() < 15 * 60_000
    });
    assert_eq!(around.count(), 7);
}

#[test]
fn burst_of_refusals_has_one_actor_and_some_that_got_through() {
    let events = events();
    let burst: Vec<&Event> = events.iter().filter(|event| event.incident == "burst").collect();
    assert!(burst.iter().all(|event| event.actor() == "mallory" && event.ip() == "127.0.0.77" && event.ago < HOUR));
    let (first, last) = (burst.iter().map(|event| event.ago).max(), burst.iter().map(|event| event.ago).min());
    assert!(first.unwrap() - last.unwrap() < 60_000, "within a minute");
    let refused: Vec<_> = burst.iter().filter(|event| event.code() == 403).collect();
    assert_eq!((burst.len(), refused.len()), (177, 174));
    assert_eq!(refused.iter().map(|event| event.object()[1]).collect::<BTreeSet<_>>().len(), 22);
    let through: BTreeSet<_> = burst
        .iter()
        .filter(|event| event.code() < 300)
        .map(|event| (event.text("/verb"), event.object(), event.kept()))
        .collect();
    let expected = [
        ("create", ["sandbox", "configmaps", "notes"], true),
        ("list", ["payments", "pods", ""], false),
        ("list", ["sandbox", "secrets", ""], true),
    ];
    assert_eq!(through, BTreeSet::from(expected));
}

#[test]
fn others_are_there_that_the_rules_are_for() {
    let events = events();
    let count = |holds: &dyn Fn(&Event) -> bool| events.iter().filter(|event| event.over() && holds(event)).count();
    let body = |event: &Event, path: &str| event.value.pointer(&format!("/requestObject/spec/{path}")).is_some();
    assert_eq!(count(&|event| event.code() == 401), 6);
    assert_eq!(count(&|event| event.changes() && body(event, "containers/0/ports/0/hostPort")), 1);
    assert_eq!(count(&|event| event.changes() && body(event, "hostNetwork")), 1);
    assert_eq!(count(&|event| event.text("/verb") == "create" && body(event, "ports/0/nodePort")), 1);
    assert_eq!(count(&|event| !event.text("/impersonatedUser/username").is_empty()), 4);
    let namespace =
        |verb: &str| count(&|event| event.object()[1..] == ["namespaces", "preview-17"] && event.text("/verb") == verb);
    assert_eq!((namespace("create"), namespace("delete")), (2, 1), "deleted, and made again");
}
