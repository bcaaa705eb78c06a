//! Who may send what.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use reqwest::{Client, Identity};

use crate::rig::{Answer, PATH, Rig, client, list};

async fn post(client: &Client, url: String, token: Option<&str>) -> Answer {
    let request = client.post(url).body(list("items", "a", 1, 0));
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_tokens_for_their_own_cluster_alone() {
    let rig = Rig::start(|config, folder| {
        config.tokens.insert("default".to_owned(), "one".into());
        let file = folder.join("member-1");
        std::fs::write(&file, "two\n").unwrap();
        config.token_files.insert("member-1".to_owned(), file);
    })
    .await;
    let member = format!("{PATH}/member-1");
    let nobody = post(&rig.client, rig.url(PATH), None).await;
    nobody.check(401, "bearer token");
    assert_eq!(nobody.header("www-authenticate"), "Bearer realm=\"vedette\"");
    post(&rig.client, rig.url(PATH), Some("three")).await.check(401, "known here");
    post(&rig.client, rig.url(PATH), Some("one")).await.check(200, "");
    post(&rig.client, rig.url(&member), Some("two")).await.check(200, "");
    post(&rig.client, rig.url(&member), Some("one")).await.check(403, "not for the cluster `member-1`");
    post(&rig.client, rig.url(PATH), Some("two")).await.check(403, "not for the cluster `default`");
    let services = rig.bus().await.services().await.unwrap();
    assert_eq!(services[0].name, "vedette-ingest");
    assert_eq!(services[0].metadata["authentication"], "token");
    assert_eq!(rig.metric("received_total", &[]), 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_client_certificates_for_the_clusters_that_they_name() {
    let authority = Authority::new();
    let rig = Rig::start(|config, folder| {
        let file = folder.join("clients.crt");
        std::fs::write(&file, &authority.pem).unwrap();
        config.tls.client_ca = Some(file);
    })
    .await;
    let with = |identity: String| {
        client(rig.ca.as_deref()).identity(Identity::from_pem(identity.as_bytes()).unwrap()).build().unwrap()
    };
    let member = with(authority.sign("member-1"));
    post(&member, rig.url(&format!("{PATH}/member-1")), None).await.check(200, "");
    post(&member, rig.url(&format!("{PATH}/member-2")), None).await.check(403, "member-2");
    post(&member, rig.url(PATH), None).await.check(403, "default");
    post(&rig.client, rig.url(PATH), None).await.check(401, "client certificate");
    let stranger = with(Authority::new().sign("member-1"));
    let url = rig.url(&format!("{PATH}/member-1"));
    assert!(
        stranger.post(url).body("{}").send().await.is_err(),
        "a certificate of another authority ends the handshake"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_it_takes_anyone() {
    let rig = Rig::start(|config, _| config.durability = vedette_ingest::config::Durability::Synced).await;
    post(&rig.client, rig.url(&format!("{PATH}/made-up")), None).await.check(200, "");
    let services = rig.bus().await.services().await.unwrap();
    assert_eq!(services[0].metadata["authentication"], "none");
    assert_eq!(services[0].metadata["durability"], "synced");
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_its_self_signed_certificate() {
    let rig = Rig::start(|_, _| {}).await;
    let names = ["ca.crt", "tls.crt", "tls.key"];
    let read = |folder: &Path| names.map(|name| std::fs::read(folder.join("tls").join(name)).unwrap());
    let before = read(rig.folder());
    let again = Rig::start(|config, _| config.tls.directory = rig.folder().join("tls")).await;
    assert_eq!(read(rig.folder()), before);
    post(&rig.client, again.url(PATH), None).await.check(200, "");
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A client's certificate and key.
    fn sign(&self, name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        format!("{}{}", certificate.pem(), key.serialize_pem())
    }
}
