//! What the documents of KubeSphere become.

use serde_json::{Value, json};

use super::*;
use crate::api::{ConditionStatus, NAMESPACE, Webhook};
use crate::reconcile::condition::{ARGS_IGNORED, IMAGE_IGNORED};

/// The `Webhook` of both of KubeSphere's documents, as it is there.
const SEED: &str = include_str!("../../../tests/it/seeds/webhook.yaml");

fn webhook(spec: &Value) -> Webhook {
    let mut webhook: Value = serde_yaml_ng::from_str(SEED).unwrap();
    for (key, value) in spec.as_object().unwrap() {
        webhook["spec"][key] = value.clone();
    }
    webhook["metadata"]["uid"] = json!("5e1f");
    serde_json::from_value(webhook).unwrap()
}

fn wanted_of(spec: &Value) -> Wanted {
    let observed = Observed { cluster_ip: Some("10.96.3.4".to_owned()), bundle: "PEM".to_owned() };
    wanted(&webhook(spec), &Settings::default(), &observed)
}

fn body<'a>(wanted: &'a Wanted, kind: Kind, name: &str) -> &'a Value {
    &wanted.objects.iter().find(|it| it.kind == kind && it.name == name).unwrap_or_else(|| panic!("no {name}")).body
}

fn pod<'a>(wanted: &'a Wanted, name: &str) -> &'a Value {
    body(wanted, Kind::Deployment, name).pointer("/spec/template/spec").unwrap()
}

fn variable<'a>(wanted: &'a Wanted, service: &str, name: &str) -> Option<&'a str> {
    let env = pod(wanted, &format!("vedette-{service}"))["containers"][0]["env"].as_array().unwrap();
    let name = format!("VEDETTE_{}_{name}", service.to_uppercase());
    env.iter().find(|it| it["name"] == name.as_str())?["value"].as_str()
}

fn finding<'a>(wanted: &'a Wanted, kind: &str) -> &'a Finding {
    wanted.findings.iter().find(|it| it.kind == kind).unwrap()
}

fn is(holds: bool) -> ConditionStatus {
    holds.into()
}

#[test]
fn the_seeds_become_services_deployments_budgets_and_files() {
    let wanted = wanted_of(&json!({}));
    let of = |kind| {
        let mut names: Vec<_> = wanted.objects.iter().filter(|it| it.kind == kind).map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        names
    };
    let services = ["vedette-alerter", "vedette-archiver", "vedette-console", "vedette-evaluator", "vedette-ingest"];
    for kind in [Kind::Deployment, Kind::PodDisruptionBudget, Kind::ServiceAccount] {
        assert_eq!(of(kind), services);
    }
    assert_eq!(of(Kind::Service), ["kube-auditing-webhook-svc", "vedette-console"]);
    assert_eq!(of(Kind::ConfigMap), [FILES]);
    assert_eq!(wanted.objects[0].name, SERVICE, "it comes first: its address goes into a certificate");
    for object in &wanted.objects {
        let metadata = &object.body["metadata"];
        assert_eq!(metadata["namespace"], NAMESPACE);
        assert_eq!(metadata["labels"][MANAGED_BY], MANAGER);
        assert_eq!(metadata["ownerReferences"][0]["uid"], "5e1f");
        assert_eq!(metadata["ownerReferences"][0]["kind"], "Webhook");
    }
    for service in services {
        assert_eq!(body(&wanted, Kind::Deployment, service)["spec"]["replicas"], 2);
    }
}

#[test]
fn the_service_answers_on_the_ports_of_both_documents() {
    let ports = |spec: Value| {
        let wanted = wanted_of(&spec);
        let listed = body(&wanted, Kind::Service, SERVICE)["spec"]["ports"].as_array().unwrap().clone();
        let ports: Vec<_> = listed.iter().map(|it| it["port"].as_u64().unwrap()).collect();
        (
            ports,
            variable(&wanted, "ingest", "LISTEN").unwrap().to_owned(),
            variable(&wanted, "ingest", "TLS__MODE").unwrap().to_owned(),
        )
    };
    let case = |ports: &[u64], listen: &str, mode: &str| (ports.to_vec(), listen.to_owned(), mode.to_owned());
    assert_eq!(ports(json!({})), case(&[443, 6443], "0.0.0.0:6443", "files"));
    assert_eq!(ports(json!({"useHTTPS": true, "port": 9000})), case(&[443, 6443, 9000], "0.0.0.0:9000", "files"));
    assert_eq!(ports(json!({"useHTTPS": false})), case(&[80, 8080], "0.0.0.0:8080", "off"));
    // A pod may not listen there, the Service may; and 0 is Go's way of saying nothing.
    assert_eq!(ports(json!({"port": 444})), case(&[443, 6443, 444], "0.0.0.0:6443", "files"));
    assert_eq!(ports(json!({"port": 0})), case(&[443, 6443], "0.0.0.0:6443", "files"));
}

#[test]
fn ingest_alone_has_the_key_that_secrets_are_hashed_with() {
    let wanted = wanted_of(&json!({}));
    let volume = json!({"name": "redaction", "secret": {"secretName": "vedette-redaction-key", "defaultMode": 0o440}});
    for component in Component::ALL {
        let pod = pod(&wanted, &component.program());
        let mounted = pod["volumes"].as_array().unwrap().contains(&volume);
        assert_eq!(mounted, component == Component::Ingest, "{}", component.name());
    }
    assert_eq!(variable(&wanted, "ingest", "REDACTION__KEY_FILE"), Some("/etc/vedette/redaction/key"));
}

#[test]
fn an_image_of_the_reference_is_named_and_not_run() {
    let ours = "vedette/vedette-ingest:0.1.0";
    for image in [
        "kubesphere/kube-auditing-webhook:v0.2.0",
        "r.example.com:5000/ks/kube-auditing-webhook@sha256:00",
        "kube-auditing-operator",
    ] {
        let wanted = wanted_of(&json!({"image": image}));
        assert_eq!(pod(&wanted, "vedette-ingest")["containers"][0]["image"], ours);
        let finding = finding(&wanted, IMAGE_IGNORED);
        assert_eq!((finding.status, finding.reason), (is(true), "MeantForKubeSphere"));
        for part in [image, ours, "spec.components.<service>.image"] {
            assert!(finding.message.contains(part), "{}", finding.message);
        }
    }
    let wanted = wanted_of(&json!({
        "image": "r.example.com/vedette:1",
        "components": {"console": {"image": "r.example.com/console:2"}, "alerter": {"image": "kubesphere/kube-auditing-webhook"}},
    }));
    let image = |name| pod(&wanted, name)["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image("vedette-ingest"), "r.example.com/vedette:1");
    assert_eq!(image("vedette-console"), "r.example.com/console:2");
    assert_eq!(image("vedette-alerter"), "r.example.com/vedette:1");
    assert!(finding(&wanted, IMAGE_IGNORED).message.contains("spec.components.alerter.image"));
    let wanted = wanted_of(&json!({"image": "r.example.com/{component}:1"}));
    assert_eq!(pod(&wanted, "vedette-alerter")["containers"][0]["image"], "r.example.com/alerter:1");
    assert_eq!(finding(&wanted, IMAGE_IGNORED).status, is(false));
    assert_eq!(finding(&wanted, ARGS_IGNORED).status, is(false));
}

#[test]
fn arguments_of_the_reference_are_named_and_not_passed_on() {
    let wanted = wanted_of(&json!({"args": ["--send-to", "x"]}));
    let finding = finding(&wanted, ARGS_IGNORED);
    assert_eq!(finding.status, is(true));
    assert!(finding.message.contains("--send-to x"), "{}", finding.message);
    assert!(pod(&wanted, "vedette-ingest")["containers"][0].get("args").is_none());
}

#[test]
fn how_pods_run_is_honoured_and_each_service_can_differ() {
    let toleration = json!([{"key": "a", "operator": "Exists"}]);
    let affinity =
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}});
    let wanted = wanted_of(&json!({
        "replicas": 3,
        "resources": {"limits": {"cpu": 1, "memory": "64Mi"}},
        "affinity": affinity,
        "tolerations": toleration,
        "nodeSelector": {"disk": "ssd"},
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}],
        "components": {"evaluator": {
            "replicas": 5,
            "resources": {"requests": {"cpu": "2"}},
            "affinity": {"podAffinity": {}},
            "tolerations": [],
            "nodeSelector": {"cpu": "fast"},
            "env": {"VEDETTE_EVALUATOR_WORKERS": "4", "VEDETTE_EVALUATOR_NATS__URL": "nats://other:4222", "RUST_LOG": "debug"},
        }},
    }));
    let (ingest, evaluator) = (pod(&wanted, "vedette-ingest"), pod(&wanted, "vedette-evaluator"));
    assert_eq!(body(&wanted, Kind::Deployment, "vedette-ingest")["spec"]["replicas"], 3);
    assert_eq!(body(&wanted, Kind::Deployment, "vedette-evaluator")["spec"]["replicas"], 5);
    assert_eq!(ingest["containers"][0]["resources"], json!({"limits": {"cpu": 1, "memory": "64Mi"}}));
    assert_eq!(evaluator["containers"][0]["resources"], json!({"requests": {"cpu": "2"}}));
    assert_eq!((&ingest["affinity"], &evaluator["affinity"]), (&affinity, &json!({"podAffinity": {}})));
    assert_eq!((&ingest["tolerations"], &evaluator["tolerations"]), (&toleration, &json!([])));
    assert_eq!(
        (&ingest["nodeSelector"], &evaluator["nodeSelector"]),
        (&json!({"disk": "ssd"}), &json!({"cpu": "fast"}))
    );
    for pod in [ingest, evaluator] {
        assert_eq!(pod["containers"][0]["imagePullPolicy"], "Always");
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    }
    assert_eq!(variable(&wanted, "evaluator", "WORKERS"), Some("4"));
    assert_eq!(variable(&wanted, "evaluator", "NATS__URL"), Some("nats://other:4222"));
    assert_eq!(variable(&wanted, "ingest", "NATS__URL"), Some("nats://nats:4222"));
}

#[test]
fn what_nobody_asked_for_is_left_to_others() {
    let wanted = wanted_of(&json!({}));
    let pod = pod(&wanted, "vedette-ingest");
    for field in ["affinity", "tolerations", "nodeSelector", "imagePullSecrets", "priorityClassName"] {
        assert!(pod.get(field).is_none(), "{field}");
    }
    for field in ["resources", "imagePullPolicy", "args", "envFrom"] {
        assert!(pod["containers"][0].get(field).is_none(), "{field}");
    }
}

#[test]
fn pods_meet_the_restricted_standard_and_are_probed() {
    let wanted = wanted_of(&json!({}));
    for component in Component::ALL {
        let pod = pod(&wanted, &component.program());
        let (all, container) = (&pod["securityContext"], &pod["containers"][0]);
        assert_eq!(all["runAsNonRoot"], true);
        assert_eq!(all["seccompProfile"]["type"], "RuntimeDefault");
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
        assert_eq!(pod["automountServiceAccountToken"], component == Component::Console);
        assert_eq!(container["command"], json!([component.program()]));
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
        assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
        let listen = variable(&wanted, component.name(), "ADMIN__LISTEN").unwrap();
        assert_eq!(listen, format!("0.0.0.0:{}", container["ports"][0]["containerPort"]));
        assert_eq!(pod["volumes"][0]["emptyDir"], json!({"sizeLimit": "256Mi"}));
        // What is mounted is there, and what is read is mounted.
        let mounted: Vec<_> =
            container["volumeMounts"].as_array().unwrap().iter().map(|it| it["mountPath"].as_str().unwrap()).collect();
        for value in container["env"].as_array().unwrap().iter().filter_map(|it| it["value"].as_str()) {
            if value.starts_with('/') {
                assert!(mounted.iter().any(|path| value.starts_with(path)), "{value} is not mounted");
            }
        }
    }
}

#[test]
fn subscribers_know_the_operator_and_the_archive_is_known_to_those_who_need_it() {
    let wanted = wanted_of(&json!({}));
    for service in ["ingest", "evaluator", "alerter", "console"] {
        let url = "https://vedette-operator.kubesphere-logging-system.svc:9443";
        assert_eq!(variable(&wanted, service, "POLICY__OPERATOR__URL"), Some(url));
        assert_eq!(variable(&wanted, service, "POLICY__OPERATOR__CA"), Some("/etc/vedette/client/ca.crt"));
        assert_eq!(variable(&wanted, service, "POLICY__STATE_DIR"), Some("/var/lib/vedette/policy"));
    }
    for service in ["ingest", "evaluator", "alerter"] {
        assert_eq!(variable(&wanted, service, "ARCHIVE__ENGINE"), None);
    }
    assert_eq!(variable(&wanted, "archiver", "POLICY__OPERATOR__URL"), None);
    for service in ["archiver", "console"] {
        assert_eq!(variable(&wanted, service, "ARCHIVE__ENGINE"), Some("search"));
        assert_eq!(
            variable(&wanted, service, "ARCHIVE__SEARCH__URLS"),
            Some("[\"http://opensearch-cluster-data:9200\"]")
        );
    }
}

#[test]
fn the_cluster_says_who_asks_the_console_and_what_they_see() {
    let of = |settings: &Settings| wanted(&webhook(&json!({})), settings, &Observed::default());
    let plain = of(&Settings { cluster: "east".to_owned(), ..Settings::default() });
    assert_eq!(variable(&plain, "ingest", "CLUSTER"), Some("east"));
    assert_eq!(variable(&plain, "console", "AUTH__KUBERNETES__CLUSTER"), Some("east"));
    assert_eq!(variable(&plain, "console", "TENANCY__CLUSTERS"), Some(r#"[{"name":"east"}]"#));

    // What the installation says is over that, and over what is said of all services.
    let clusters = json!([{"name": "east"}, {"name": "west", "kubeconfig": "/etc/vedette/console/west"}]);
    let console = json!({
        "auth": {
            "kubernetes": null,
            "oidc": {"issuer": "https://id.example.com", "clientId": "vedette"},
            "proxy": {"clientCaFile": "/etc/vedette/console/ca.pem", "allowedNames": ["front"]},
        },
        "tenancy": {"clusters": clusters, "administrators": {"groups": ["auditors"]}},
        "archive": {"search": {"indexPrefix": "other"}},
    });
    let other = of(&Settings {
        console: console.as_object().unwrap().clone(),
        console_secret: Some("files".to_owned()),
        ..Settings::default()
    });
    assert_eq!(variable(&other, "console", "AUTH__KUBERNETES__CLUSTER"), None);
    assert_eq!(variable(&other, "console", "AUTH__OIDC__CLIENT_ID"), Some("vedette"));
    assert_eq!(variable(&other, "console", "AUTH__PROXY__ALLOWED_NAMES"), Some(r#"["front"]"#));
    let told: Value = serde_json::from_str(variable(&other, "console", "TENANCY__CLUSTERS").unwrap()).unwrap();
    assert_eq!(told, clusters);
    assert_eq!(variable(&other, "console", "TENANCY__ADMINISTRATORS__GROUPS"), Some(r#"["auditors"]"#));
    assert_eq!(variable(&other, "console", "ARCHIVE__SEARCH__INDEX_PREFIX"), Some("other"));
    assert_eq!(variable(&other, "console", "ARCHIVE__ENGINE"), Some("search"));
    assert_eq!(variable(&other, "archiver", "ARCHIVE__SEARCH__INDEX_PREFIX"), None);
    let volume = json!({"name": "console", "secret": {"secretName": "files", "defaultMode": 0o440}});
    for component in Component::ALL {
        let mounted = pod(&other, &component.program())["volumes"].as_array().unwrap().contains(&volume);
        assert_eq!(mounted, component == Component::Console, "{}", component.name());
    }
}

#[test]
fn the_files_for_a_kube_apiserver_are_ready_to_use() {
    let wanted = wanted_of(&json!({}));
    let data = &body(&wanted, Kind::ConfigMap, FILES)["data"];
    let policy: Value = serde_yaml_ng::from_str(data["audit-policy.yaml"].as_str().unwrap()).unwrap();
    assert_eq!(policy["kind"], "Policy");
    let config: Value = serde_yaml_ng::from_str(data["audit-webhook.yaml"].as_str().unwrap()).unwrap();
    let cluster = &config["clusters"][0]["cluster"];
    assert_eq!(cluster["server"], "https://10.96.3.4:443/audit/webhook/event");
    assert_eq!(cluster["certificate-authority-data"], "UEVN");
    // The shape of the seeds' own file.
    assert_eq!(config["contexts"][0]["context"], json!({"cluster": "kube-auditing", "user": ""}));
    let plain = wanted_of(&json!({"useHTTPS": false}));
    let config: Value =
        serde_yaml_ng::from_str(body(&plain, Kind::ConfigMap, FILES)["data"]["audit-webhook.yaml"].as_str().unwrap())
            .unwrap();
    assert_eq!(config["clusters"][0]["cluster"], json!({"server": "http://10.96.3.4:80/audit/webhook/event"}));
}

#[test]
fn secrets_that_are_made_are_those_that_may_be() {
    let mut made: Vec<_> =
        crate::reconcile::secrets::held(&Settings::default(), None, true).iter().map(|it| it.secret).collect();
    made.extend([
        crate::reconcile::secrets::AUTHORITY,
        crate::reconcile::secrets::CONSOLE_TOKEN,
        crate::reconcile::secrets::REDACTION_KEY,
    ]);
    made.sort_unstable();
    let mut allowed = crate::reconcile::permissions::SECRETS.to_vec();
    allowed.sort_unstable();
    assert_eq!(made, allowed);
}

#[test]
fn certificates_of_services_are_named_as_no_user_is() {
    use crate::authority::{Authority, Certificate, Issued, Side, Subject};
    use crate::reconcile::secrets::{certificate, held};
    let now = jiff::Timestamp::now();
    let mut authority = Authority::read(&Default::default()).unwrap();
    authority.renew(now).unwrap();
    let data = |it: &Issued| {
        [("tls.crt", &it.certificate), ("tls.key", &it.key)].map(|(key, text)| (key.to_owned(), text.clone())).into()
    };
    let mut clients = Vec::new();
    for held in held(&Settings::default(), None, true) {
        let issued = certificate(&authority, &held, None, now).unwrap();
        assert_eq!(certificate(&authority, &held, Some(&data(&issued)), now).unwrap(), issued);
        if held.subject.side == Side::Client {
            clients.push(Certificate::read(&issued.certificate).unwrap().name().to_owned());
            // As it was issued once, by the bare name.
            let bare = Subject { name: held.subject.names[0].clone(), ..held.subject.clone() };
            let old = authority.issue(&bare, now).unwrap();
            assert_ne!(certificate(&authority, &held, Some(&data(&old)), now).unwrap(), old);
        }
    }
    assert_eq!(clients, ["vedette:ingest", "vedette:evaluator", "vedette:alerter", "vedette:console"]);
}
