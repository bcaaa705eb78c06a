use super::*;

fn webhook(spec: Value, owners: &[(&str, &str)]) -> DynamicObject {
    let fields = |manager: &(&str, &str)| {
        json!({"manager": manager.0, "operation": "Apply", "fieldsType": "FieldsV1",
               "fieldsV1": {"f:spec": {format!("f:{}", manager.1): {}}}})
    };
    let managed: Vec<_> = owners.iter().map(fields).collect();
    serde_json::from_value(json!({
        "apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Webhook",
        "metadata": {"name": "kube-auditing-webhook", "uid": "1", "generation": 7, "managedFields": managed},
        "spec": spec,
    }))
    .unwrap()
}

#[test]
fn what_the_documents_write_is_mirrored_to_where_kubesphere_reads_it() {
    let there = json!({"k8sAuditingEnabled": true});
    assert_eq!(mirrored(&webhook(json!({"auditing": there}), &[])), Some(true));
    assert_eq!(mirrored(&webhook(json!({}), &[])), None);
    assert_eq!(mirrored(&webhook(json!({"k8sAuditingEnabled": true}), &[])), None);
    // Ours follows; another's stays.
    let both = json!({"auditing": {"k8sAuditingEnabled": false}, "k8sAuditingEnabled": true});
    let (ours, theirs) = ((MANAGER, "k8sAuditingEnabled"), ("kubectl-edit", "k8sAuditingEnabled"));
    assert_eq!(mirrored(&webhook(both.clone(), &[ours])), Some(false));
    assert_eq!(mirrored(&webhook(both.clone(), &[theirs])), None);
    assert_eq!(mirrored(&webhook(both.clone(), &[ours, theirs])), None);
    assert_eq!(mirrored(&webhook(both, &[("kubectl-edit", "replicas")])), Some(false));
}

#[test]
fn a_status_that_says_so_already_is_not_written_again() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let finding = |holds: bool, message: &str| vec![Finding::new(condition::RECONCILED, holds, "R", message)];
    let mut object = webhook(json!({}), &[]);
    let accepted = json!({"type": "Accepted", "status": "True", "observedGeneration": 7,
                          "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "A", "message": ""});
    object.data["status"] = json!({"conditions": [accepted]});
    let first = status(&object, finding(true, "a"), at(100)).unwrap();
    assert_eq!(first["status"]["conditions"].as_array().unwrap().len(), 1, "another's condition is written too");
    assert_eq!(first["status"]["conditions"][0]["lastTransitionTime"], "1970-01-01T00:01:40Z");
    assert_eq!(first["status"]["conditions"][0]["observedGeneration"], 7);
    object.data["status"]["conditions"].as_array_mut().unwrap().push(first["status"]["conditions"][0].clone());
    assert_eq!(status(&object, finding(true, "a"), at(200)), None);
    let worded = status(&object, finding(true, "b"), at(200)).unwrap();
    assert_eq!(worded["status"]["conditions"][0]["lastTransitionTime"], "1970-01-01T00:01:40Z");
    let turned = status(&object, finding(false, "b"), at(200)).unwrap();
    assert_eq!(turned["status"]["conditions"][0]["lastTransitionTime"], "1970-01-01T00:03:20Z");
}

#[test]
fn the_finalizer_goes_and_others_stay() {
    let mut object = webhook(json!({}), &[]);
    object.metadata.finalizers = Some(vec!["a/b".to_owned(), FINALIZER.to_owned()]);
    object.metadata.resource_version = Some("12".to_owned());
    assert_eq!(released(&object), json!({"metadata": {"resourceVersion": "12", "finalizers": ["a/b"]}}));
}
