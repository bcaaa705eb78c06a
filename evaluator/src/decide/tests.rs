use vedette_proto::bus::v1::Event as Wire;
use vedette_rules::{Policy, SourceFile};

use super::*;

const RULES: &str = r#"
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata: {name: keep, namespace: ops, labels: {type: archiving}}
spec:
  rules:
  - {name: changes, type: rule, enable: true, priority: DEBUG, condition: 'Verb in ("create", "delete")'}
---
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata: {name: shout, namespace: ops, labels: {type: alerting}}
spec:
  rules:
  - {name: Deleted, type: rule, enable: true, priority: WARNING, condition: 'Verb = "delete"', output: '${Verb} ${ObjectRef.Name}'}
  - {name: Watched, type: rule, enable: true, priority: WARNING, condition: 'Verb = "watch"', output: 'watched'}
  - {name: Host, type: rule, enable: true, priority: WARNING, condition: 'Verb = "create" and RequestObject.spec.hostNetwork = true', output: 'host'}
"#;

fn rules() -> RuleSet {
    let files = [SourceFile { name: "rules.yaml".to_owned(), text: RULES.to_owned() }];
    Policy::build(&files, 7).unwrap().policy.rules
}

fn batch(verbs: &[&str]) -> EventBatch {
    let event = |(index, verb): (usize, &&str)| {
        Wire {
        id: vec![u8::try_from(index).unwrap(); 16].into(),
        json: format!(
            r#"{{"level":"Metadata","auditID":"a-{index}","verb":"{verb}","user":{{"username":"alice"}},"sourceIPs":["1.1.1.1","127.0.0.1"],
                "objectRef":{{"resource":"pods","namespace":"shop","name":"p-{index}"}}}}"#
        )
        .into(),
    }
    };
    EventBatch {
        cluster: "east".to_owned(),
        received_unix_nanos: 5,
        events: verbs.iter().enumerate().map(event).collect(),
        ..EventBatch::default()
    }
}

fn case<'a>(events: &'a EventBatch, ingest: &'a IngestCounts, rules: &'a RuleSet, careful: bool) -> Case<'a> {
    Case { batch: "b-1", events, ingest, rules, generation: 7, careful, max_bytes: fit::MAX_RAW }
}

#[test]
fn every_event_is_counted_once_for_the_archive() {
    let (rules, events) = (rules(), batch(&["create", "delete", "watch", "get", "get"]));
    let ingest = IngestCounts { received: 9, published: 5, ..IngestCounts::default() };
    let decided = archive(&case(&events, &ingest, &rules, false));
    let result = decided.result;
    let counts = ArchiveCounts { evaluated: 5, archived: 2, alerted_only: 1, ignored: 2, ..ArchiveCounts::default() };
    assert_eq!(result.counts, Some(counts));
    assert_eq!((result.batch.as_str(), result.cluster.as_str(), result.generation), ("b-1", "east", 7));
    assert_eq!((result.ingest, result.received_unix_nanos), (Some(ingest), 5));
    let kept: Vec<_> = result.matches.iter().map(|kept| (kept.id[0], kept.rules.clone())).collect();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(kept, [(0, names(&["keep.changes"])), (1, names(&["keep.changes", "shout.Deleted"]))]);
    assert_eq!(result.matches[0].json, events.events[0].json);
}

#[test]
fn a_rule_that_lacks_a_body_is_named_with_field_and_level() {
    let (rules, events) = (rules(), batch(&["create", "create", "get"]));
    let decided = archive(&case(&events, &IngestCounts::default(), &rules, false));
    let expected = Blind {
        rule: "shout.Host".to_owned(),
        field: "RequestObject.spec.hostNetwork".to_owned(),
        level: "Metadata".to_owned(),
        events: 2,
    };
    assert_eq!(decided.result.blind, [expected]);
}

#[test]
fn an_alert_carries_what_the_receiver_needs() {
    let (rules, events) = (rules(), batch(&["get", "delete"]));
    let decided = alert(&case(&events, &IngestCounts::default(), &rules, false));
    assert_eq!(
        decided.result.counts,
        Some(AlertCounts { evaluated: 2, alerted: 1, alerts: 1, ..AlertCounts::default() })
    );
    let [raised] = &decided.result.alerts[..] else { panic!("{:?}", decided.result.alerts) };
    assert_eq!(
        (raised.rule_id.as_str(), raised.rule.as_str(), raised.priority.as_str()),
        ("ops/shout/Deleted", "Deleted", "WARNING")
    );
    assert_eq!((raised.message.as_str(), raised.user.as_str(), raised.name.as_str()), ("delete p-1", "alice", "p-1"));
    assert_eq!((raised.namespace.as_str(), raised.audit_id.as_str()), ("shop", "a-1"));
    assert_eq!(raised.source_ip, "127.0.0.1", "earlier addresses are the client's claims");
    assert_eq!(raised.event_id, events.events[1].id);
}

/// The event as KubeSphere's apiserver sends it and ingest passes it on.
#[test]
fn an_alert_of_an_event_in_kubespheres_spelling_carries_the_same() {
    let sent = include_bytes!("../../../audit/testdata/event-kubesphere-workspace-devops-cluster.json");
    let mut json = Vec::new();
    Event::parse(sent).unwrap().rewrite(vedette_audit::Level::Metadata, "host", &mut json);
    let events = EventBatch {
        cluster: "host".to_owned(),
        events: vec![Wire { id: vec![7; 16].into(), json: json.into() }],
        ..EventBatch::default()
    };
    let text = RULES.replace("'Verb = \"delete\"'", "'Workspace = \"demo-workspace\" and Verb = \"create\"'");
    let rules = Policy::build(&[SourceFile { name: "rules.yaml".to_owned(), text }], 7).unwrap().policy.rules;
    let decided = alert(&case(&events, &IngestCounts::default(), &rules, false));
    let expected = Alert {
        event_id: vec![7; 16].into(),
        rule_id: "ops/shout/Deleted".to_owned(),
        rule: "Deleted".to_owned(),
        priority: "WARNING".to_owned(),
        message: "create build".to_owned(),
        audit_id: "b8a4c3d0-63a2-4c4d-8d2f-0a4f6f4f2a77".to_owned(),
        stage_timestamp: "2026-11-22T08:40:42.194355321+08:00".to_owned(),
        namespace: "demo-devops8rl2k".to_owned(),
        workspace: "demo-workspace".to_owned(),
        user: "project-admin".to_owned(),
        verb: "create".to_owned(),
        resource: "pipelines".to_owned(),
        name: "build".to_owned(),
        request_uri: "/kapis/devops.kubesphere.io/v1alpha3/namespaces/demo-devops8rl2k/pipelines".to_owned(),
        source_ip: "192.168.9.2".to_owned(),
        request_received_timestamp: "2026-11-22T08:40:42.175190123+08:00".to_owned(),
        ..Alert::default()
    };
    assert_eq!(decided.result.alerts, [expected]);
}

/// What tells who may see it, and what was done: as the stored document says it.
#[test]
fn an_alert_says_whose_namespace_it_is_of_and_what_was_executed() {
    let sent = r#"{"level":"Metadata","auditID":"a","stage":"ResponseComplete","verb":"delete",
        "requestURI":"/api/v1/namespaces/shop/pods/p/exec?command=sh&command=-c&command=id","user":{"username":"alice"},
        "impersonatedUser":{"username":"root"},"objectRef":{"resource":"pods","subresource":"exec","namespace":"shop","name":"p"},
        "vedette":{"namespaceUID":"forged"},"requestReceivedTimestamp":"2026-11-22T08:00:00.000001Z",
        "stageTimestamp":"2026-11-22T08:00:01Z"}"#;
    let event = Event::parse(sent.as_bytes()).unwrap();
    let placed = vedette_audit::event::Placed { namespace_uid: Some("u1"), workspace: None };
    let mut json = Vec::new();
    event.rewrite_in(vedette_audit::Level::Metadata, "host", placed, None, &mut json);
    let document = vedette_audit::Document::build(event.id("host"), &json, &[], 0).unwrap();
    let events = EventBatch {
        cluster: "host".to_owned(),
        events: vec![Wire { id: vec![7; 16].into(), json: json.into() }],
        ..EventBatch::default()
    };
    let decided = alert(&case(&events, &IngestCounts::default(), &rules(), false));
    let [raised] = &decided.result.alerts[..] else { panic!("{:?}", decided.result.alerts) };
    assert_eq!((raised.tenant.as_str(), raised.tenant == document.fields.tenant), ("host/u1", true));
    assert_eq!((raised.user.as_str(), raised.impersonated_user.as_str()), ("alice", "root"));
    assert_eq!((raised.command.as_str(), raised.command == document.fields.command), ("sh -c id", true));
    assert_eq!(raised.request_received_timestamp, "2026-11-22T08:00:00.000001Z");
}

#[test]
fn an_event_that_cannot_be_read_does_not_take_the_others_with_it() {
    let (rules, mut events) = (rules(), batch(&["create", "create", "get"]));
    events.events[1].json = "{\"verb\":".into();
    let decided = archive(&case(&events, &IngestCounts::default(), &rules, false));
    let counts = ArchiveCounts { evaluated: 3, archived: 1, ignored: 1, dead_lettered: 1, ..ArchiveCounts::default() };
    assert_eq!(decided.result.counts, Some(counts));
    let [culprit] = &decided.culprits[..] else { panic!("{:?}", decided.culprits) };
    assert_eq!((culprit.index, culprit.reason), (1, "unreadable"));
    assert_eq!(culprit.json, events.events[1].json);
}

#[test]
fn a_careful_look_finds_the_event_that_makes_the_rules_panic() {
    let (rules, events) = (rules(), batch(&["create", "boom", "get"]));
    let counts = IngestCounts::default();
    let judge = |json: &[u8]| {
        assert!(!String::from_utf8_lossy(json).contains("boom"), "a bug in the rules");
        rules.decide(json)
    };
    let careful = archive_by(&case(&events, &counts, &rules, true), &judge);
    assert_eq!(careful.culprits.iter().map(|found| (found.index, found.reason)).collect::<Vec<_>>(), [(1, "panicked")]);
    assert_eq!(careful.result.counts.unwrap().archived, 1);
    let careful = alert_by(&case(&events, &counts, &rules, true), &judge);
    assert_eq!(careful.result.counts.unwrap().dead_lettered, 1);
    let careless = catch_unwind(AssertUnwindSafe(|| archive_by(&case(&events, &counts, &rules, false), &judge)));
    assert!(careless.is_err(), "without care the whole batch fails, and comes again");
}

/// A small batch can have more matches than memory: what finds no room is put away while the result is built.
#[test]
fn a_result_never_grows_beyond_its_bound() {
    let (rules, mut events) = (rules(), batch(&["delete", "get", "delete", "delete", "watch"]));
    events.events[3] = events.events[2].clone();
    let ingest = IngestCounts::default();
    let whole = case(&events, &ingest, &rules, false);
    let sizes: Vec<usize> = alert(&whole).result.alerts.iter().map(fit::size).collect();
    // For the first and the last, but not for the two between them.
    let room = sizes[0] + sizes[3] + 1;
    let decided = alert(&Case { max_bytes: room, ..case(&events, &ingest, &rules, false) });
    assert_eq!(
        decided.result.counts,
        Some(AlertCounts { evaluated: 5, alerted: 2, alerts: 2, dead_lettered: 2, ..AlertCounts::default() })
    );
    assert_eq!(decided.places, [0, 4]);
    let named = |culprits: &[Culprit]| culprits.iter().map(|it| (it.index, it.reason)).collect::<Vec<_>>();
    assert_eq!(named(&decided.culprits), [(2, "result_too_large"), (3, "result_too_large")]);

    let sizes: Vec<usize> = archive(&whole).result.matches.iter().map(fit::size).collect();
    let decided = archive(&Case { max_bytes: sizes[0], ..case(&events, &ingest, &rules, false) });
    let counts = ArchiveCounts {
        evaluated: 5,
        archived: 1,
        alerted_only: 1,
        ignored: 1,
        dead_lettered: 2,
        ..ArchiveCounts::default()
    };
    assert_eq!((decided.result.counts, decided.places), (Some(counts), vec![0]));
    assert_eq!(named(&decided.culprits), [(2, "result_too_large"), (3, "result_too_large")]);
    assert!(decided.culprits.iter().all(Culprit::is_of_the_result));
}

/// Levels are the client's to make up.
#[test]
fn what_is_told_of_missing_bodies_is_bounded_too() {
    let (rules, mut events) = (rules(), batch(&["create", "create"]));
    for (event, level) in events.events.iter_mut().zip(["Metadata", "metadata"]) {
        event.json = String::from_utf8(event.json.to_vec()).unwrap().replace("Metadata", level).into();
    }
    let ingest = IngestCounts::default();
    let matches = archive(&case(&events, &ingest, &rules, false)).result.matches;
    let told = 32 + "shout.Host".len() + "RequestObject.spec.hostNetwork".len() + "Metadata".len();
    let room = matches.iter().map(fit::size).sum::<usize>() + told;
    let decided = archive(&Case { max_bytes: room, ..case(&events, &ingest, &rules, false) });
    assert_eq!(decided.result.blind.len(), 1);
    assert_eq!(decided.culprits.len(), 1);
}
