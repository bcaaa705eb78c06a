//! The chart's account may do just what the operator does: what the apiserver's own audit says that it did is held against the table.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use vedette_e2e::{ControlPlane, ports};
use vedette_operator::admission::AdmissionConfig;
use vedette_operator::api::NAMESPACE;
use vedette_operator::reconcile::Settings;
use vedette_operator::reconcile::permissions::{NEEDED, OPERATOR, Permission};
use vedette_proto::rules::v1 as proto;

use crate::chart::render;
use crate::lab::{Lab, SEEDS, eventually};
use crate::manage::kit::{Client, entry, labels, rule, wait};
use crate::manage::rbac::{account, everything};
use crate::running::Running;

const ACCOUNT: &str = "system:serviceaccount:kubesphere-logging-system:vedette-operator";

/// What is needed only at moments that this test does not bring about.
const RARE: &[(&str, &str, &str)] = &[
    // An Event that comes again within minutes is patched.
    ("events.k8s.io", "events", "patch"),
];

/// Who audits here: what the operator's account has done, and what it was refused.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Value>>>);

impl Seen {
    /// Listens as an audit webhook. Gives the folder with the apiserver's files.
    async fn listen(&self) -> (TempDir, PathBuf, PathBuf) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let seen = self.clone();
        let take = async move |Json(list): Json<Value>| {
            seen.0.lock().unwrap().extend(list["items"].as_array().unwrap().iter().cloned());
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(take))).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        let (webhook, policy) = (folder.path().join("webhook"), folder.path().join("policy"));
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": url}}], "users": [],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]});
        std::fs::write(&webhook, config.to_string()).unwrap();
        let rules = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "users": [ACCOUNT]}, {"level": "None"}]});
        std::fs::write(&policy, rules.to_string()).unwrap();
        (folder, webhook, policy)
    }

    /// Group, resource with subresource, and verb of what was done; of what was refused, if `refused`.
    fn done(&self, refused: bool) -> BTreeSet<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let seen = self.0.lock().unwrap();
        let wanted = seen.iter().filter(|it| (it["responseStatus"]["code"] == 403) == refused);
        let done = wanted.flat_map(|it| {
            let of = &it["objectRef"];
            let resource = match of["subresource"].as_str() {
                Some(sub) => format!("{}/{sub}", text(&of["resource"])),
                None => text(&of["resource"]),
            };
            // To apply what is not there yet is to create it, and takes both permissions.
            let created = (it["verb"] == "patch" && it["responseStatus"]["code"] == 201).then(|| "create".to_owned());
            let verbs = [Some(text(&it["verb"])), created];
            verbs.into_iter().flatten().map(move |verb| (text(&of["apiGroup"]), resource.clone(), verb))
        });
        done.collect()
    }
}

fn key(it: &Permission) -> (String, String, String) {
    (it.group.to_owned(), it.resource.to_owned(), it.verb.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_charts_account_may_do_what_the_operator_does_and_no_more() {
    vedette_service::tls::install_provider();
    let seen = Seen::default();
    let (folder, webhook, policy) = seen.listen().await;
    let plane = Lab { kube: ControlPlane::start(&webhook, &policy) };
    plane.kube.install_definitions();
    plane.kube.kubectl_ok(&["apply", "--server-side", "-f", "-"], Some(&render(&[])));

    // As the account, with everything that the chart configures: certificates of its own making, admission, reconciling.
    let kubeconfig = folder.path().join("operator.kubeconfig");
    let token = plane.kubectl(&["create", "token", "vedette-operator"]);
    let admin: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(plane.kube.kubeconfig()).unwrap()).unwrap();
    let mut own = admin.clone();
    own["users"][0]["user"] = json!({"token": token.trim()});
    std::fs::write(&kubeconfig, own.to_string()).unwrap();
    let certificates = folder.path().join("tls");
    let start = async |identity: &str| {
        let port = ports::free();
        let of = |name: &str| Some(certificates.join(identity).join(name));
        Running::start_on(kubeconfig.clone(), identity, |config| {
            config.grpc.certificate = of("tls.crt");
            config.grpc.key = of("tls.key");
            config.grpc.client_ca = of("ca.crt");
            config.admission = AdmissionConfig {
                listen: Some(format!("127.0.0.1:{port}").parse().unwrap()),
                certificate: of("tls.crt"),
                key: of("tls.key"),
                ca: of("ca.crt"),
                // The certificate is for the Service's names, which resolve nowhere here.
                url: Some(format!("https://vedette-operator.{NAMESPACE}.svc:{port}")),
                service: None,
            };
            config.reconcile = Some(Settings::default());
        })
        .await
    };
    let one = start("one").await;
    for (_, document) in SEEDS {
        plane.apply(document);
    }
    eventually("reconciled", || plane.is("Reconciled", "Applied")).await;
    eventually("in force", || plane.is("Accepted", "InForce")).await;
    eventually("registered", || {
        let found = ["get", "validatingwebhookconfigurations", "vedette-rules", "--ignore-not-found", "-o", "name"];
        !plane.kube.kubectl_ok(&found, None).is_empty()
    })
    .await;
    // Somebody manages rules, over TLS and with a token.
    let ca = Certificate::from_pem(std::fs::read(certificates.join("one/ca.crt")).unwrap());
    let name = format!("vedette-operator.{NAMESPACE}.svc");
    let tls = ClientTlsConfig::new().ca_certificate(ca).domain_name(name);
    let endpoint = Endpoint::from_shared(one.url.replace("http", "https")).unwrap().tls_config(tls).unwrap();
    let manager = account(&plane, "manager", NAMESPACE);
    everything(&plane, "manager");
    let mut client = Client::over(endpoint.connect().await.unwrap(), Some(&manager));
    wait(async || client.evaluators().await.ok()).await;
    client.create("managed", rule("archiving", vec![entry("x", "Verb = get")])).await.unwrap();
    let managed = client.get("managed").await.unwrap();
    client.update("managed", proto::Rule { labels: labels("alerting"), ..managed }, None).await.unwrap();
    client.delete("managed", "").await.unwrap();

    let two = start("two").await;
    one.end().await;
    plane.kubectl(&["delete", "ar", "--all"]);
    eventually("the other leads", || {
        let lease = plane.get("leases/vedette-operator").unwrap();
        lease["spec"]["holderIdentity"] == "two"
    })
    .await;
    plane.kubectl(&["delete", "--wait=false", "awh", "--all"]);
    eventually("cleaned up", || plane.kubectl(&["get", "awh", "-o", "name"]).is_empty()).await;
    two.end().await;

    let granted: BTreeSet<_> = NEEDED.iter().chain(OPERATOR).map(key).collect();
    let rare = |it: &(String, String, String)| RARE.contains(&(it.0.as_str(), it.1.as_str(), it.2.as_str()));
    let unused = || -> Vec<_> {
        let done = seen.done(false);
        granted.iter().filter(|it| !done.contains(*it) && !rare(it)).cloned().collect()
    };
    // Audit events come a second later.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(15);
    while !unused().is_empty() && std::time::Instant::now() < end {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(seen.done(true), BTreeSet::new(), "refused");
    assert_eq!(unused(), [], "granted and never used");
}
