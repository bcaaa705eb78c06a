//! Who a real cluster says that callers are.

use std::time::Duration;

use reqwest::Client;
use vedette_archive::Mode;
use vedette_console::{Administrators, AuthConfig, Config, KubernetesAuth, TenancyCluster, TenancyConfig};
use vedette_e2e::ControlPlane;

use super::rig::{Rig, TOKEN};

const STATUS: &str = "/api/v1/status";
const MAX_AGE: u64 = 8;

async fn rig(kubernetes: KubernetesAuth, clusters: Vec<TenancyCluster>, folder: &std::path::Path) -> Rig {
    let archive = vedette_archive::Config::embedded(folder);
    let archive = vedette_archive::open(&archive, Mode::Write).await.unwrap();
    let tokens_file = folder.with_extension("csv");
    std::fs::write(&tokens_file, "anns-token,ann,1,auditors\nbobs-token,bob,2\nroots-token,root,3,system:masters\n")
        .unwrap();
    let auth = AuthConfig { kubernetes: Some(kubernetes), tokens_file: Some(tokens_file), ..AuthConfig::default() };
    let groups = vec!["auditors".to_owned(), "system:serviceaccounts:auditors".to_owned()];
    let administrators = Administrators { groups };
    let tenancy = TenancyConfig { clusters, administrators, max_age_seconds: MAX_AGE, ..TenancyConfig::default() };
    let config = Config { token: Some(TOKEN.into()), auth, tenancy, ..Config::default() };
    vedette_service::tls::install_provider();
    Rig::start_with(archive, config, Client::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_says_whose_a_token_is() {
    let kube = tokio::task::spawn_blocking(ControlPlane::bare).await.unwrap();
    for namespace in ["auditors", "others"] {
        kube.kubectl_ok(&["create", "namespace", namespace], None);
        kube.kubectl_ok(&["create", "serviceaccount", "robot", "-n", namespace], None);
    }
    let token = |namespace: &str, audience: Option<&str>| {
        let audience = audience.map(|it| format!("--audience={it}"));
        let args = ["create", "token", "robot", "-n", namespace].into_iter().chain(audience.as_deref());
        kube.kubectl_ok(&args.collect::<Vec<_>>(), None).trim().to_owned()
    };
    let (auditor, other) = (token("auditors", None), token("others", None));
    let for_us = token("auditors", Some("vedette"));
    let folder = tempfile::tempdir().unwrap();
    let of = |audiences: &[&str]| KubernetesAuth {
        kubeconfig: Some(kube.kubeconfig()),
        audiences: audiences.iter().map(|it| (*it).to_owned()).collect(),
        ..KubernetesAuth::default()
    };
    let plain = rig(of(&[]), Vec::new(), &folder.path().join("plain")).await;
    let with_audience = rig(of(&["vedette"]), Vec::new(), &folder.path().join("audience")).await;
    let cluster = TenancyCluster { name: "default".to_owned(), kubeconfig: Some(kube.kubeconfig()) };
    let watching = rig(of(&[]), vec![cluster], &folder.path().join("watching")).await;
    let check = async |rig: &Rig, token: &str, expected: u16| {
        let answer = rig.client.get(rig.url(STATUS)).bearer_auth(token).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, expected, "{text}");
    };
    check(&plain, &auditor, 200).await;
    check(&plain, &other, 403).await;
    check(&plain, &for_us, 401).await;
    check(&plain, "nonsense", 401).await;
    check(&plain, &auditor[..auditor.len() - 4], 401).await;
    check(&with_audience, &for_us, 200).await;
    check(&with_audience, &auditor, 401).await;
    // Files of tokens, whatever the cluster says.
    for (token, expected) in [("anns-token", 200), ("bobs-token", 403), ("roots-token", 200)] {
        check(&plain, token, expected).await;
    }

    // One that is known and may not see everything; as long as what they may see is not known, that is not said.
    let bob = async || {
        let answer = watching.client.get(watching.url(STATUS)).bearer_auth("bobs-token").send().await.unwrap();
        answer.status().as_u16()
    };
    let eventually = async |expected: u16| {
        let waiting = async {
            while bob().await != expected {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never {expected}"));
    };
    eventually(403).await;

    let fresh = token("auditors", None);
    check(&plain, &fresh, 200).await;
    kube.pause();
    check(&plain, &fresh, 200).await;
    eventually(503).await;
    check(&watching, "anns-token", 200).await;
    check(&watching, TOKEN, 200).await;
    // A token that nobody was asked about is not let in, and is not called wrong either.
    check(&plain, &token_like(&auditor), 503).await;
    check(&plain, TOKEN, 200).await;
    kube.resume();
    check(&plain, &token_like(&auditor), 401).await;
}

/// One that looks like it, and is another.
fn token_like(token: &str) -> String {
    format!("{token}x")
}
