//! Who is let through to the operator, and with what token.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use tonic::Code;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use vedette_console::{AuthConfig, KubernetesAuth, TenancyCluster};
use vedette_e2e::ControlPlane;
use vedette_service::operator::OperatorConfig;
use vedette_service::tls;

use super::super::proxy::Authority;
use super::super::rig::{Rig, TOKEN};
use super::stub::Stub;
use super::{PATH, ask, refusal, rig, rig_of};

/// Whom Kubernetes knows speaks for themselves; whom only the console knows does not get to an operator, unless they see everything.
#[tokio::test(flavor = "multi_thread")]
async fn callers_are_shown_to_the_operator_as_themselves_or_not_at_all() {
    let kube = tokio::task::spawn_blocking(ControlPlane::bare).await.unwrap();
    kube.kubectl_ok(&["create", "serviceaccount", "robot", "-n", "default"], None);
    let robot = kube.kubectl_ok(&["create", "token", "robot", "-n", "default"], None).trim().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let tokens_file = folder.path().join("tokens.csv");
    std::fs::write(&tokens_file, "bobs-token,bob,2\nroots-token,root,3,system:masters\n").unwrap();
    let kubernetes = KubernetesAuth { kubeconfig: Some(kube.kubeconfig()), ..KubernetesAuth::default() };
    let auth = AuthConfig { kubernetes: Some(kubernetes), tokens_file: Some(tokens_file), ..AuthConfig::default() };
    let cluster = TenancyCluster { name: "default".to_owned(), kubeconfig: Some(kube.kubeconfig()) };
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let (rig, _sample) = rig(&url, auth.clone(), vec![cluster.clone()]).await;
    known(&rig, &robot).await;
    let get = async |token: &str| ask(&rig, Method::GET, PATH, token, None).await;
    let bearer = |token: &str| Some(format!("Bearer {token}"));

    // An operator that asks nobody would let a tenant do anything.
    let (status, problem) = get(&robot).await;
    assert_eq!(status, 403, "{problem:#}");
    assert_eq!(stub.shown(), [("evaluators", None)]);
    stub.0.lock().unwrap().asks = true;
    assert_eq!(get(&robot).await.0, 200);
    assert_eq!(stub.shown(), [("evaluators", None), ("get", bearer(&robot))]);
    // That it asks counts for a while.
    assert_eq!(get(&robot).await.0, 200);
    assert_eq!(stub.shown(), [("get", bearer(&robot))]);
    // Who has just been known to Kubernetes, and to the operator no longer is: their session is what it was.
    stub.refuses(refusal(Code::Unauthenticated, "UNAUTHENTICATED", &[]));
    let (status, problem) = get(&robot).await;
    assert_eq!(status, 403);
    assert!(problem["message"].as_str().unwrap().starts_with("the operator does not know you"), "{problem:#}");
    stub.shown();
    stub.refuses(None);

    let (status, problem) = get("bobs-token").await;
    assert_eq!(status, 403, "{problem:#}");
    assert_eq!(stub.shown(), [], "the operator hears nothing of a tenant whom it can't know");
    for administrator in ["roots-token", TOKEN] {
        assert_eq!(get(administrator).await.0, 200);
        assert_eq!(stub.shown(), [("get", bearer(administrator))]);
    }
    stop.cancel();
    rig.stop().await;

    // One that is elsewhere hears no token that is the console's, and the console's certificate does not speak for a tenant.
    let authority = Authority::new();
    let files = tls::self_signed(&folder.path().join("tls"), &["127.0.0.1".to_owned()]).unwrap();
    let read = |file: &Path| std::fs::read(file).unwrap();
    let server = ServerTlsConfig::new().identity(Identity::from_pem(read(&files.certificate), read(&files.key)));
    let server = server.client_ca_root(Certificate::from_pem(&authority.certificate)).client_auth_optional(true);
    let (url, stop) = stub.start_tls(server).await;
    let (certificate, key) = authority.signed("ann");
    let own = [("own.crt", certificate), ("own.key", key)].map(|(name, text)| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        Some(file)
    });
    let [certificate, key] = own;
    let operator = OperatorConfig { url, ca: Some(files.ca), certificate, key, ..OperatorConfig::default() };
    let (rig, _sample) = rig_of(operator, auth, vec![cluster]).await;
    known(&rig, &robot).await;
    for administrator in ["roots-token", TOKEN] {
        let (status, problem) = ask(&rig, Method::GET, PATH, administrator, None).await;
        assert_eq!(status, 403, "{problem:#}");
        assert_eq!(stub.shown(), [], "the console's tokens are shown to nobody");
    }
    let (status, problem) = ask(&rig, Method::GET, PATH, &robot, None).await;
    assert_eq!(status, 200, "{problem:#}");
    assert_eq!(stub.shown(), [("evaluators", None), ("get", bearer(&robot))]);
    stop.cancel();
    rig.stop().await;
}

/// Waits until it is known what they may see.
async fn known(rig: &Rig, token: &str) {
    let known = async {
        while ask(rig, Method::GET, "/api/v1/me", token, None).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), known).await.expect("it is known what they see");
}
