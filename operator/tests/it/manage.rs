//! Managing rules: one suite for both keepers of them, the resources of a cluster and the files of a directory.

mod examples;
pub(crate) mod kit;
pub(crate) mod rbac;

use tonic::Code;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_change::Change;
use vedette_proto::rules::v1::rule_status::State;

use kit::{Client, NAMESPACE, Place, alias, entry, labels, mask, refused, rule, violations};

/// Everything that holds of both.
async fn suite(client: &mut Client) {
    creates_reads_changes_and_deletes(client).await;
    refuses_what_does_not_compile_before_it_is_written(client).await;
    refuses_names_masks_and_etags_that_are_wrong(client).await;
    changes_nothing_when_asked_to_validate(client).await;
    lists_by_pages_and_filters(client).await;
    validates_and_evaluates(client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_a_directory_are_managed() {
    let place = Place::directory().await;
    let mut client = place.client().await;
    suite(&mut client).await;
    watches(&mut client).await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_a_cluster_are_managed() {
    let place = Place::cluster().await;
    let mut client = place.client().await;
    suite(&mut client).await;
    watches(&mut client).await;
    seen_by_kubectl_and_the_reverse(&place, &mut client).await;
    place.end().await;
}

async fn creates_reads_changes_and_deletes(client: &mut Client) {
    let made = client.create("first", rule("alerting", vec![entry("x", r#"Verb = "get""#)])).await.unwrap();
    assert_eq!(made.name, format!("namespaces/{NAMESPACE}/rules/first"));
    assert!(!made.etag.is_empty());
    let status = made.status.clone().unwrap();
    assert_eq!((status.state(), status.rules_in_force), (State::InForce, 1), "{status:?}");

    let found = client.get("first").await.unwrap();
    assert_eq!((&found.etag, &found.entries, &found.labels), (&made.etag, &made.entries, &made.labels));

    let error = client.create("first", rule("alerting", vec![])).await.unwrap_err();
    let info = refused(&error, Code::AlreadyExists, "RULE_EXISTS").resource_info().unwrap().clone();
    assert_eq!((info.resource_type.as_str(), info.resource_name), ("vedette.rules.v1/Rule", made.name.clone()));

    // Only what the mask names is changed.
    let change = proto::Rule { etag: made.etag.clone(), ..rule("archiving", vec![entry("y", "Verb exists")]) };
    let changed = client.update("first", change, mask(&["entries"])).await.unwrap();
    assert_eq!(changed.labels, labels("alerting"));
    assert_eq!(changed.entries[0].name, "y");
    assert_ne!(changed.etag, made.etag);
    assert_eq!(changed.status.clone().unwrap().state(), State::InForce);

    // Written again as it is, it stays what it is.
    let same = client.update("first", changed.clone(), mask(&["*"])).await.unwrap();
    assert_eq!(same.etag, changed.etag);

    let error = client.delete("first", &made.etag).await.unwrap_err();
    let details = refused(&error, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(details.error_info().unwrap().metadata["etag"], changed.etag);
    client.delete("first", &changed.etag).await.unwrap();
    let error = client.get("first").await.unwrap_err();
    assert_eq!(refused(&error, Code::NotFound, "RULE_NOT_FOUND").resource_info().unwrap().resource_name, made.name);
    refused(&client.delete("first", "").await.unwrap_err(), Code::NotFound, "RULE_NOT_FOUND");
    client.delete_if_there("first").await.unwrap();
}

async fn refuses_what_does_not_compile_before_it_is_written(client: &mut Client) {
    let broken =
        rule("alerting", vec![alias("who", "User.Username"), entry("x", "Verb = ("), entry("y", "Verb in ${nothing}")]);
    let error = client.create("broken", broken.clone()).await.unwrap_err();
    let found = violations(&refused(&error, Code::InvalidArgument, "BROKEN_RULE"));
    assert_eq!(found[0].0, "rule.entries[1].rule.condition");
    assert!(found[0].1.contains("character 8: error[VR0207]: expected a value after `=`"), "{found:?}");
    assert_eq!((found[0].2.as_str(), found[1].0.as_str()), ("VR0207", "rule.entries[2].rule.condition"));
    refused(&client.get("broken").await.unwrap_err(), Code::NotFound, "RULE_NOT_FOUND");

    let good = client.create("broken", rule("alerting", vec![entry("x", "Verb exists")])).await.unwrap();
    let error = client.update("broken", broken, mask(&["entries"])).await.unwrap_err();
    refused(&error, Code::InvalidArgument, "BROKEN_RULE");
    assert_eq!(client.get("broken").await.unwrap().etag, good.etag);
    client.delete("broken", "").await.unwrap();
}

async fn refuses_names_masks_and_etags_that_are_wrong(client: &mut Client) {
    for name in ["Upper", "a/b", "..", "", "a_b"] {
        let error = client.create(name, rule("alerting", vec![])).await.unwrap_err();
        assert_eq!(violations(&refused(&error, Code::InvalidArgument, "INVALID_FIELD"))[0].0, "rule_id", "{name}");
    }
    let nameless = proto::Entry { name: "x".to_owned(), ..proto::Entry::default() };
    let error = client.create("none", rule("alerting", vec![nameless])).await.unwrap_err();
    assert_eq!(violations(&refused(&error, Code::InvalidArgument, "INVALID_FIELD"))[0].0, "rule.entries[0]");
    let error = client.create("none", rule("not a label", vec![])).await.unwrap_err();
    assert_eq!(violations(&refused(&error, Code::InvalidArgument, "INVALID_FIELD"))[0].0, "rule.labels.type");

    let error = client.update("none", rule("alerting", vec![]), mask(&["entries"])).await.unwrap_err();
    refused(&error, Code::NotFound, "RULE_NOT_FOUND");
    let one = rule("alerting", vec![entry("x", "Verb exists")]);
    let made = client.update_or_create("none", one.clone()).await.unwrap();
    assert_eq!(made.status.unwrap().state(), State::InForce);
    let error = client.update("none", one.clone(), mask(&["status"])).await.unwrap_err();
    assert_eq!(violations(&refused(&error, Code::InvalidArgument, "INVALID_FIELD"))[0].0, "update_mask");
    let stale = proto::Rule { etag: "old".to_owned(), ..one };
    let error = client.update("none", stale, mask(&["entries"])).await.unwrap_err();
    refused(&error, Code::Aborted, "ETAG_MISMATCH");
    client.delete("none", "").await.unwrap();
}

async fn changes_nothing_when_asked_to_validate(client: &mut Client) {
    let made = client.try_create("trial", rule("alerting", vec![entry("x", "Verb exists")])).await.unwrap();
    assert_eq!(made.name, format!("namespaces/{NAMESPACE}/rules/trial"));
    refused(&client.get("trial").await.unwrap_err(), Code::NotFound, "RULE_NOT_FOUND");
    let error = client.try_create("trial", rule("alerting", vec![entry("x", "Verb = (")])).await.unwrap_err();
    refused(&error, Code::InvalidArgument, "BROKEN_RULE");
}

async fn lists_by_pages_and_filters(client: &mut Client) {
    for (index, kind) in ["alerting", "archiving", "alerting", "neither", "alerting"].into_iter().enumerate() {
        client.create(&format!("page-{index}"), rule(kind, vec![entry("x", "Verb exists")])).await.unwrap();
    }
    let all = client.names("namespaces/-", 2, "name:page-").await;
    assert_eq!(all, ["page-0", "page-1", "page-2", "page-3", "page-4"]);
    let alerting = client.names(&format!("namespaces/{NAMESPACE}"), 2, "labels.type = alerting AND name:page-").await;
    assert_eq!(alerting, ["page-0", "page-2", "page-4"]);
    assert_eq!(client.names("namespaces/-", 0, "name:page- AND state = NOT_SELECTED").await, ["page-3"]);
    assert!(client.names("namespaces/nowhere", 0, "").await.is_empty());

    let request = |filter: &str, page_token: &str, page_size| proto::ListRulesRequest {
        parent: "namespaces/-".to_owned(),
        filter: filter.to_owned(),
        page_token: page_token.to_owned(),
        page_size,
    };
    let first = client.list(request("", "", 1)).await.unwrap();
    assert_eq!((first.rules.len(), first.next_page_token.is_empty()), (1, false));
    let error = client.list(request("name:x", &first.next_page_token, 1)).await.unwrap_err();
    assert_eq!(violations(&refused(&error, Code::InvalidArgument, "INVALID_FIELD"))[0].0, "page_token");
    for (filter, page_size, field) in [("state = SOME", 0, "filter"), ("", -1, "page_size")] {
        let error = client.list(request(filter, "", page_size)).await.unwrap_err();
        assert_eq!(violations(&refused(&error, Code::InvalidArgument, "INVALID_FIELD"))[0].0, field);
    }
    for index in 0..5 {
        client.delete(&format!("page-{index}"), "").await.unwrap();
    }
}

async fn validates_and_evaluates(client: &mut Client) {
    client
        .create("base", rule("alerting", vec![alias("who", "User.Username"), entry("gets", r#"Verb = "get""#)]))
        .await
        .unwrap();
    let document = |name: &str, condition: &str| proto::Document {
        name: "my.yaml".to_owned(),
        text: format!(
            "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata: {{name: {name}, namespace: {NAMESPACE}, labels: \
             {{type: alerting}}}}\nspec:\n  rules:\n  - {{name: x, type: rule, enable: true, priority: WARNING, condition: \
             '{condition}', output: 'by ${{base.who}}'}}\n"
        ),
    };
    // What is in force can be used; what is given takes the place of what has its name.
    let answer = client.validate(vec![document("other", "${base.who} = \"eve\"")]).await.unwrap();
    assert!(answer.accepted, "{answer:?}");
    let answer = client.validate(vec![document("base", "Verb exists")]).await.unwrap();
    assert!(!answer.accepted);
    let answer = client.validate(vec![document("other", "Verb = (")]).await.unwrap();
    let found = &answer.diagnostics[0];
    assert_eq!((found.code.as_str(), found.document.as_str(), found.line, found.offset), ("VR0207", "my.yaml", 6, 7));

    let event = |verb: &str| {
        let text = format!(
            r#"{{"level":"Metadata","auditID":"1","stage":"ResponseComplete","requestURI":"/x","verb":"{verb}","user":{{"username":"eve"}}}}"#
        );
        text.into_bytes().into()
    };
    let request = proto::EvaluateRulesRequest {
        events: vec![event("get"), event("list"), b"{".to_vec().into()],
        explain: true,
        ..proto::EvaluateRulesRequest::default()
    };
    let answer = client.evaluate(request).await.unwrap();
    let [first, second, third] = answer.evaluations.as_slice() else { panic!("{answer:?}") };
    assert_eq!((first.rules.as_slice(), first.alerts.len()), (["base.gets".to_owned()].as_slice(), 1));
    assert!(first.explanations[0].starts_with("base.gets holds\n✓ Verb = \"get\""), "{first:?}");
    assert!(second.rules.is_empty() && second.explanations[0].contains("✗"), "{second:?}");
    assert!(!third.error.is_empty());

    let too_many = proto::EvaluateRulesRequest { events: vec![event("get"); 1001], ..Default::default() };
    refused(&client.evaluate(too_many).await.unwrap_err(), Code::InvalidArgument, "INVALID_FIELD");
    let unknown =
        proto::EvaluateRulesRequest { explain: true, rules: vec!["base.gest".to_owned()], ..Default::default() };
    let error = client.evaluate(unknown).await.unwrap_err();
    assert!(violations(&refused(&error, Code::InvalidArgument, "INVALID_FIELD"))[0].1.contains("`base.gets`"));
    client.delete("base", "").await.unwrap();
    assert!(client.evaluators().await.unwrap().generation > 0);
}

async fn watches(client: &mut Client) {
    client.create("seen", rule("alerting", vec![entry("x", "Verb exists")])).await.unwrap();
    let mut changes = client.watch("labels.type = alerting").await;
    loop {
        match changes.next().await {
            Change::Set(rule) => assert_eq!(rule.labels, labels("alerting")),
            Change::Complete(true) => break,
            other => panic!("{other:?}"),
        }
    }
    client.update("seen", rule("alerting", vec![entry("y", "Verb exists")]), mask(&["entries"])).await.unwrap();
    changes.until(|change| matches!(change, Change::Set(rule) if rule.entries[0].name == "y")).await;
    // What the filter takes no more is gone for this watcher.
    client.update("seen", rule("archiving", vec![]), mask(&["labels"])).await.unwrap();
    let name = format!("namespaces/{NAMESPACE}/rules/seen");
    changes.until(|change| *change == Change::Removed(name.clone())).await;
    client.delete("seen", "").await.unwrap();
}

async fn seen_by_kubectl_and_the_reverse(place: &Place, client: &mut Client) {
    let plane = place.plane();
    client.create("over-grpc", rule("alerting", vec![entry("x", r#"Verb = "get""#)])).await.unwrap();
    let found = plane.json(&["-n", NAMESPACE, "--show-managed-fields", "rules/over-grpc"]);
    assert_eq!(found["spec"]["rules"][0]["condition"], r#"Verb = "get""#);
    let writer = &found["metadata"]["annotations"]["management.vedette.io/written-by"];
    assert_eq!(writer, "system:serviceaccount:kubesphere-logging-system:manager");
    let managers = found["metadata"]["managedFields"].to_string();
    assert!(managers.contains("vedette-management"), "{managers}");
    plane.wait_conditions("rules/over-grpc", &["Accepted=True InForce"]);

    // The status is the operator's and changes no etag, so that what was read can be written.
    let before = client.get("over-grpc").await.unwrap();
    let kubectl = ["-n", NAMESPACE, "label", "rules/over-grpc", "type=archiving", "--overwrite"];
    plane.kube.kubectl_ok(&kubectl, None);
    let after = client.get("over-grpc").await.unwrap();
    assert_eq!(after.labels, labels("archiving"));
    let error = client.delete("over-grpc", &before.etag).await.unwrap_err();
    refused(&error, Code::Aborted, "ETAG_MISMATCH");
    client.delete("over-grpc", &after.etag).await.unwrap();
    let gone = plane.kube.kubectl(&["-n", NAMESPACE, "get", "rules/over-grpc"], None);
    assert!(!gone.status.success());

    // A definition's own checks come through as violations.
    let error = client.create_in("nowhere", "x", rule("alerting", vec![entry("x", "Verb exists")])).await.unwrap_err();
    refused(&error, Code::NotFound, "NAMESPACE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_people_write_are_theirs() {
    let place = Place::directory().await;
    let mut client = place.client().await;
    let text = |name: &str| {
        format!(
            "# by hand\napiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata: {{name: {name}, namespace: {NAMESPACE}, \
             labels: {{type: alerting}}}}\nspec:\n  rules:\n  - {{name: x, type: rule, priority: INFO, condition: Verb exists}}\n"
        )
    };
    std::fs::write(place.file("two.yaml"), format!("{}---\n{}", text("one"), text("two"))).unwrap();
    std::fs::write(place.file("alone.yaml"), text("alone")).unwrap();
    std::fs::write(place.file("bad.yaml"), "{").unwrap();
    client.until_in_force("two").await;
    let change = rule("alerting", vec![entry("y", "Verb exists")]);
    let error = client.update("two", change.clone(), mask(&["entries"])).await.unwrap_err();
    refused(&error, Code::FailedPrecondition, "SHARED_FILE");
    assert!(error.message().contains("two.yaml: change it there"), "{}", error.message());
    refused(&client.delete("one", "").await.unwrap_err(), Code::FailedPrecondition, "SHARED_FILE");
    client.update("alone", change.clone(), mask(&["entries"])).await.unwrap();
    assert!(std::fs::read_to_string(place.file("alone.yaml")).unwrap().contains("name: y"));
    client.create("made", change).await.unwrap();
    let made = place.file(&format!("{NAMESPACE}.made.yaml"));
    assert!(made.exists());
    client.delete("made", "").await.unwrap();
    assert!(!made.exists());
    // Nothing is left of what was written on the way.
    let left = std::fs::read_dir(place.file(".")).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.starts_with('.')));

    // A file that breaks as a whole takes nothing out of force: neither its own rules nor others.
    std::fs::write(place.file("two.yaml"), "{").unwrap();
    client.create("later", rule("alerting", vec![entry("z", "Verb exists")])).await.unwrap();
    let event = br#"{"level":"Metadata","auditID":"1","stage":"ResponseComplete","requestURI":"/x","verb":"get"}"#;
    let request = proto::EvaluateRulesRequest { events: vec![event.to_vec().into()], ..Default::default() };
    let decided = client.evaluate(request).await.unwrap();
    assert_eq!(decided.evaluations[0].rules, ["alone.y", "later.z", "one.x", "two.x"]);
    client.delete("later", "").await.unwrap();

    // A generation outlives the process, and the rules that were in force outlive their file's breaking.
    let before = client.evaluators().await.unwrap().generation;
    std::fs::write(place.file("alone.yaml"), text("alone").replace("Verb exists", "Verb = (")).unwrap();
    let place = place.restart().await;
    let mut client = place.client().await;
    let found = client.until("alone", State::LastGoodInForce).await;
    assert!(found.status.unwrap().diagnostics.iter().any(|it| it.code == "VR0207"));
    assert!(client.evaluators().await.unwrap().generation >= before);
    place.end().await;
}
