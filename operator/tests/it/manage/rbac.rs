//! Who may manage rules, by real tokens, certificates and roles.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_change::Change;
use vedette_service::tls;

use super::kit::{Client, NAMESPACE, entry, refused, rule, wait};
use crate::lab::Lab;
use crate::running::Running;

/// A service account with a token.
pub(crate) fn account(plane: &Lab, name: &str, namespace: &str) -> String {
    plane.kube.kubectl_ok(&["-n", namespace, "create", "serviceaccount", name], None);
    plane.kube.kubectl_ok(&["-n", namespace, "create", "token", name], None).trim().to_owned()
}

/// Lets an account of KubeSphere's namespace do everything to rules.
pub(crate) fn everything(plane: &Lab, name: &str) {
    let role = ["create", "clusterrole", "rules-admin", "--verb=*", "--resource=rules.auditing.kubesphere.io"];
    plane.kube.kubectl_ok(&role, None);
    let subject = format!("--serviceaccount={NAMESPACE}:{name}");
    plane.kube.kubectl_ok(&["create", "clusterrolebinding", name, "--clusterrole=rules-admin", &subject], None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_and_roles_decide() {
    let plane = Lab::start();
    let operator = Running::start(&plane, "one", |_| {}).await;
    let token = account(&plane, "reader", "default");
    let role =
        ["-n", NAMESPACE, "create", "role", "read", "--verb=get,list,watch", "--resource=rules.auditing.kubesphere.io"];
    plane.kube.kubectl_ok(&role, None);
    let binding = ["-n", NAMESPACE, "create", "rolebinding", "read", "--role=read", "--serviceaccount=default:reader"];
    plane.kube.kubectl_ok(&binding, None);

    let mut client = Client::connect(&operator.url, Some(&token)).await;
    let list =
        |namespace: &str| proto::ListRulesRequest { parent: format!("namespaces/{namespace}"), ..Default::default() };
    // The apiserver's authoriser hears of a new role a moment later; a refusal is remembered for a while.
    wait(async || client.list(list(NAMESPACE)).await.ok()).await;

    let error = client.list(list("default")).await.unwrap_err();
    let details = refused(&error, Code::PermissionDenied, "ACCESS_DENIED");
    let expected = r#"user "system:serviceaccount:default:reader" may not list rules.auditing.kubesphere.io in namespace "default""#;
    assert!(error.message().starts_with(expected), "{}", error.message());
    let said = &details.error_info().unwrap().metadata;
    assert_eq!((said["verb"].as_str(), said["namespace"].as_str()), ("list", "default"));
    let error = client.create("x", rule("alerting", vec![entry("x", "Verb exists")])).await.unwrap_err();
    assert!(error.message().contains("may not create rules.auditing.kubesphere.io in namespace"), "{error:?}");
    let error = client.evaluators().await.unwrap_err();
    assert!(error.message().contains("may not list rules.auditing.kubesphere.io in all namespaces"), "{error:?}");
    // Nobody is told whether there is a rule that they may not see.
    let error = client.delete("nothing", "").await.unwrap_err();
    refused(&error, Code::PermissionDenied, "ACCESS_DENIED");

    for wrong in [None, Some("nonsense"), Some(&token[..token.len() - 2])] {
        let error = Client::connect(&operator.url, wrong).await.list(list(NAMESPACE)).await.unwrap_err();
        refused(&error, Code::Unauthenticated, "UNAUTHENTICATED");
    }

    // What is revoked is so within the time that answers are kept, for what runs already too.
    let mut running = client.watch_in(NAMESPACE, "").await;
    running.until(|change| *change == Change::Complete(true)).await;
    plane.kube.kubectl_ok(&["-n", NAMESPACE, "delete", "rolebinding", "read"], None);
    let error = wait(async || client.list(list(NAMESPACE)).await.err()).await;
    refused(&error, Code::PermissionDenied, "ACCESS_DENIED");
    refused(&running.end().await, Code::PermissionDenied, "ACCESS_DENIED");
    plane.kube.kubectl_ok(&["-n", "default", "delete", "serviceaccount", "reader"], None);
    wait(async || {
        let error = client.list(list(NAMESPACE)).await.unwrap_err();
        (error.code() == Code::Unauthenticated).then_some(())
    })
    .await;
    operator.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_users_and_groups() {
    let plane = Lab::start();
    let folder = tempfile::tempdir().unwrap();
    let server = tls::self_signed(&folder.path().join("server"), &["127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let client_ca = folder.path().join("clients.crt");
    std::fs::write(&client_ca, authority.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let operator = Running::start(&plane, "one", |config| {
        config.grpc.certificate = Some(server.certificate.clone());
        config.grpc.key = Some(server.key.clone());
        config.grpc.client_ca = Some(client_ca);
    })
    .await;
    let role = ["-n", NAMESPACE, "create", "role", "read", "--verb=list", "--resource=rules.auditing.kubesphere.io"];
    plane.kube.kubectl_ok(&role, None);
    plane.kube.kubectl_ok(&["-n", NAMESPACE, "create", "rolebinding", "read", "--role=read", "--group=auditors"], None);

    let url = operator.url.replace("http://", "https://");
    let ca = Certificate::from_pem(std::fs::read(&server.ca).unwrap());
    let connect = async |who: Option<(&str, &str)>| {
        let mut config = ClientTlsConfig::new().ca_certificate(ca.clone());
        if let Some((name, group)) = who {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.distinguished_name.push(DnType::OrganizationName, group);
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            config = config.identity(Identity::from_pem(certificate.pem(), key.serialize_pem()));
        }
        let endpoint = Endpoint::from_shared(url.clone()).unwrap().tls_config(config).unwrap();
        Client::over(endpoint.connect().await.unwrap(), None)
    };
    let list = || proto::ListRulesRequest { parent: format!("namespaces/{NAMESPACE}"), ..Default::default() };
    let mut auditor = connect(Some(("eve", "auditors"))).await;
    wait(async || auditor.list(list()).await.ok()).await;
    let error = connect(Some(("eve", "others"))).await.list(list()).await.unwrap_err();
    assert!(error.message().starts_with(r#"user "eve" may not list"#), "{error:?}");
    // Those of the services are no users, whatever they say of groups.
    let error = connect(Some(("vedette:ingest", "auditors"))).await.list(list()).await.unwrap_err();
    refused(&error, Code::Unauthenticated, "UNAUTHENTICATED");
    assert!(error.message().contains("that of a service, `vedette:ingest`"), "{error:?}");
    let error = connect(None).await.list(list()).await.unwrap_err();
    refused(&error, Code::Unauthenticated, "UNAUTHENTICATED");
    operator.end().await;
}
