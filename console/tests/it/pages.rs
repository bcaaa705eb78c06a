//! The pages in a real browser, where who looks matters: people whom a real provider knows, and tenants of a real cluster. What everybody does
//! there is tried on `vedette up`, by the tests of the program.

use std::net::TcpListener;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};
use vedette_archive::{Mode, WriteBatch};
use vedette_audit::{Document, Event, Level};
use vedette_console::{Administrators, AuthConfig, Config, OidcConfig, TenancyCluster, TenancyConfig};
use vedette_e2e::{ControlPlane, browser, ports};

use super::oidc::Provider;
use super::rig::{Rig, TOKEN, items};

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_with_their_provider() {
    vedette_service::tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let console = format!("http://{}", listener.local_addr().unwrap());
    // Tokens are at another origin than the issuer, as with some of the largest providers.
    let (port, tokens) = (ports::free(), ports::free());
    let pages = Some((console.as_str(), tokens));
    let provider = Provider::start_for(port, &format!("http://127.0.0.1:{port}"), folder.path(), pages);

    let archive = vedette_archive::Config::embedded(folder.path().join("archive"));
    let archive = vedette_archive::open(&archive, Mode::Write).await.unwrap();
    let oidc = json!({"issuer": provider.issuer, "clientId": "vedette", "groupsClaim": "groups"});
    let oidc: OidcConfig = serde_json::from_value(oidc).unwrap();
    let administrators = Administrators { groups: vec!["auditors".to_owned()] };
    let config = Config {
        token: Some(TOKEN.into()),
        auth: AuthConfig { oidc: Some(oidc), ..AuthConfig::default() },
        tenancy: TenancyConfig { administrators, ..TenancyConfig::default() },
        ..Config::default()
    };
    let rig = Rig::start_on(listener, archive, config, Client::new()).await;
    tokio::task::spawn_blocking(move || {
        browser::run(
            &["browser/oidc.test.ts"],
            &[("VEDETTE_CONSOLE", &console), ("VEDETTE_OIDC_CONSOLE", &console), ("VEDETTE_TOKEN", TOKEN)],
        );
    })
    .await
    .unwrap();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_of_a_cluster_see_their_own() {
    vedette_service::tls::install_provider();
    let kube = tokio::task::spawn_blocking(ControlPlane::bare).await.unwrap();
    for namespace in ["shop", "vault"] {
        kube.kubectl_ok(&["create", "namespace", namespace], None);
    }
    kube.kubectl_ok(&["create", "role", "reader", "-n", "shop", "--verb=list", "--resource=events"], None);
    kube.kubectl_ok(&["create", "rolebinding", "bob", "-n", "shop", "--role=reader", "--user=bob"], None);

    // What happened in namespaces before there were these is not theirs.
    let folder = tempfile::tempdir().unwrap();
    let archive = vedette_archive::Config::embedded(folder.path().join("archive"));
    let archive = vedette_archive::open(&archive, Mode::Write).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let documents: Vec<Document> =
        items().iter().take(120).enumerate().map(|(place, item)| document(place, item)).collect();
    archive.write(&[WriteBatch { key: "tenants".to_owned(), documents }]).await.unwrap();

    let tokens_file = folder.path().join("tokens.csv");
    std::fs::write(&tokens_file, "bobs-token-for-tests,bob,2\n").unwrap();
    let clusters = vec![TenancyCluster { name: "default".to_owned(), kubeconfig: Some(kube.kubeconfig()) }];
    let config = Config {
        token: Some(TOKEN.into()),
        auth: AuthConfig { tokens_file: Some(tokens_file), ..AuthConfig::default() },
        tenancy: TenancyConfig { clusters, ..TenancyConfig::default() },
        ..Config::default()
    };
    let rig = Rig::start_with(archive, config, Client::new()).await;
    let console = rig.url("");
    tokio::task::spawn_blocking(move || {
        browser::run(
            &["browser/tenant.test.ts"],
            &[
                ("VEDETTE_CONSOLE", &console),
                ("VEDETTE_TENANT_CONSOLE", &console),
                ("VEDETTE_TENANT_TOKEN", "bobs-token-for-tests"),
                ("VEDETTE_TOKEN", TOKEN),
            ],
        );
    })
    .await
    .unwrap();
    rig.stop().await;
}

/// An event of the sample, as if it were of now, and in one of the two namespaces or in none.
fn document(place: usize, item: &[u8]) -> Document {
    let mut event: Value = serde_json::from_slice(item).unwrap();
    let now = format!("{:.6}", Timestamp::now());
    event["requestReceivedTimestamp"] = now.as_str().into();
    event["stageTimestamp"] = now.into();
    let namespace = ["shop", "vault", ""][place % 3];
    event["objectRef"] = json!({"resource": "configmaps", "namespace": namespace, "name": format!("of-{namespace}-{place}"), "apiVersion": "v1"});
    let text = serde_json::to_vec(&event).unwrap();
    let event = Event::parse(&text).unwrap();
    let mut json = Vec::new();
    event.rewrite(Level::Metadata, "default", &mut json);
    Document::build(event.id("default"), &json, &["archiving-rule.archiving".to_owned()], 1_700_000_000_000_000_000)
        .unwrap()
}
