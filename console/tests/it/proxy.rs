//! A trusted proxy in front, over real TLS: whose words are believed, and whose are not.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use reqwest::{Certificate, Client, Identity, Method};
use vedette_archive::Mode;
use vedette_console::{Administrators, AuthConfig, Config, ProxyConfig, TenancyConfig, Tls};
use vedette_service::tls;

use super::rig::{Rig, TOKEN};

const STATUS: &str = "/api/v1/status";

/// An authority of client certificates.
pub(crate) struct Authority {
    pub(crate) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn identity(&self, common_name: &str) -> Identity {
        let (certificate, key) = self.signed(common_name);
        Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap()
    }

    /// A client certificate of this common name, and its key.
    pub(crate) fn signed(&self, common_name: &str) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_believed_by_its_certificate_alone() {
    tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let files = tls::self_signed(&folder.path().join("tls"), &["127.0.0.1".to_owned()]).unwrap();
    let (ours, others) = (Authority::new(), Authority::new());
    let client_ca_file = folder.path().join("client-ca.pem");
    std::fs::write(&client_ca_file, &ours.certificate).unwrap();
    let root = Certificate::from_pem(&std::fs::read(&files.ca).unwrap()).unwrap();
    let client = |identity: Option<Identity>| {
        let client = Client::builder().add_root_certificate(root.clone());
        identity.into_iter().fold(client, |client, identity| client.identity(identity)).build().unwrap()
    };
    let archive = vedette_archive::Config::embedded(folder.path().join("archive"));
    let archive = vedette_archive::open(&archive, Mode::Write).await.unwrap();
    let config = Config {
        token: Some(TOKEN.into()),
        tls: Some(Tls { cert: files.certificate, key: files.key }),
        auth: AuthConfig {
            proxy: Some(ProxyConfig { client_ca_file, allowed_names: vec!["front-proxy".to_owned()] }),
            ..AuthConfig::default()
        },
        tenancy: TenancyConfig {
            administrators: Administrators { groups: vec!["auditors".to_owned()] },
            ..TenancyConfig::default()
        },
        ..Config::default()
    };
    let rig = Rig::start_with(archive, config, Client::new()).await;
    let check = async |identity: Option<Identity>, headers: &[(&str, &str)], expected: Option<u16>| {
        let request = client(identity).get(format!("https://{}{STATUS}", rig.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.ok().map(|it| it.status().as_u16());
        assert_eq!(answer, expected, "{headers:?}");
    };
    let auditor = [("x-remote-user", "ann"), ("x-remote-group", "dev"), ("x-remote-group", "auditors")];
    let bearer = format!("Bearer {TOKEN}");
    let administrator = [("authorization", bearer.as_str())];
    let proxy = || Some(ours.identity("front-proxy"));
    check(proxy(), &auditor, Some(200)).await;
    check(proxy(), &auditor[..2], Some(403)).await;
    check(proxy(), &[auditor[0], ("x-remote-user", "bob"), auditor[2]], Some(401)).await;
    check(proxy(), &[], Some(401)).await;
    check(proxy(), &administrator, Some(200)).await;
    check(Some(ours.identity("somebody")), &auditor, Some(401)).await;
    check(None, &auditor, Some(401)).await;
    check(None, &administrator, Some(200)).await;
    // One of another authority does not even get a connection.
    check(Some(others.identity("front-proxy")), &auditor, None).await;

    // What a page of another site has a browser send comes with the proxy's word, too.
    let send = async |method: Method, headers: &[(&str, &str)]| {
        let request = client(proxy()).request(method, format!("https://{}/api/v1/searches/none", rig.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap().status().as_u16()
    };
    let own = format!("https://{}", rig.address);
    let foreign = ("origin", "https://elsewhere.example");
    for (headers, expected) in [
        (vec![], 404),
        (vec![("sec-fetch-site", "same-origin")], 404),
        (vec![("sec-fetch-site", "none")], 404),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("sec-fetch-site", "same-site")], 403),
        (vec![("origin", own.as_str())], 404),
        (vec![("origin", "null")], 403),
        (vec![foreign], 403),
        // The proxy may have changed the host; the browser knows.
        (vec![foreign, ("sec-fetch-site", "same-origin")], 404),
        (vec![("origin", own.as_str()), ("sec-fetch-site", "cross-site")], 403),
    ] {
        let by_proxy = [&auditor[..], &headers[..]].concat();
        assert_eq!(send(Method::DELETE, &by_proxy).await, expected, "{headers:?}");
        assert_eq!(send(Method::GET, &by_proxy).await, 404, "{headers:?}");
        // A token is shown by who has it alone.
        assert_eq!(send(Method::DELETE, &[&administrator[..], &headers[..]].concat()).await, 404, "{headers:?}");
    }
    rig.stop().await;
}
