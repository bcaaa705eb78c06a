use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

fn names() -> Vec<String> {
    vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
}

/// A handshake and one byte over it, so that the server's view of the client's certificate is seen too.
async fn greet(
    server: Arc<ServerConfig>,
    ca: &Path,
    client: Option<&Files>,
    name: &'static str,
) -> std::io::Result<u8> {
    let mut roots = rustls::RootCertStore::empty();
    for authority in certificates(ca).unwrap() {
        roots.add(authority).unwrap();
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(files) => config
            .with_client_auth_cert(
                certificates(&files.certificate).unwrap(),
                PrivateKeyDer::from_pem_file(&files.key).unwrap(),
            )
            .unwrap(),
    };
    let (near, far) = tokio::io::duplex(64 * 1024);
    let serve = async {
        let mut stream = TlsAcceptor::from(server).accept(far).await?;
        stream.write_all(b"!").await?;
        stream.shutdown().await
    };
    let ask = async {
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(ServerName::try_from(name).unwrap(), near).await?;
        stream.read_u8().await
    };
    let (served, asked) = tokio::join!(serve, ask);
    served.and(asked)
}

#[tokio::test]
async fn a_certificate_made_here_is_trusted_for_its_names_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = self_signed(folder.path(), &names()).unwrap();
    let server = server_config(&files.certificate, &files.key, None).unwrap();
    for name in ["localhost", "127.0.0.1"] {
        assert_eq!(greet(Arc::clone(&server), &files.ca, None, name).await.unwrap(), b'!');
    }
    assert!(greet(server, &files.ca, None, "example.org").await.is_err());
}

#[test]
fn it_is_made_once_and_its_key_is_its_owners() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("tls");
    let files = self_signed(&folder, &names()).unwrap();
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files.key), 0o600);
    assert_eq!(mode(&folder), 0o700);
    let key = fs::read(&files.key).unwrap();
    assert_eq!(self_signed(&folder, &["other".to_owned()]).unwrap(), files);
    assert_eq!(fs::read(&files.key).unwrap(), key);
    // Interrupted before the key was written: all are made again, and go together.
    fs::remove_file(&files.key).unwrap();
    self_signed(&folder, &names()).unwrap();
    server_config(&files.certificate, &files.key, None).unwrap();
}

#[tokio::test]
async fn a_client_without_the_right_certificate_is_refused() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = self_signed(ours.path(), &names()).unwrap();
    let client = client_files(theirs.path());
    let stranger = client_files(&theirs.path().join("stranger"));
    let config = server_config(&server.certificate, &server.key, Some(&client.ca)).unwrap();
    assert_eq!(greet(Arc::clone(&config), &server.ca, Some(&client), "localhost").await.unwrap(), b'!');
    assert!(greet(Arc::clone(&config), &server.ca, None, "localhost").await.is_err());
    assert!(greet(config, &server.ca, Some(&stranger), "localhost").await.is_err());
    let optional = server_config_with(&server.certificate, &server.key, Some(&client.ca), true).unwrap();
    assert_eq!(greet(Arc::clone(&optional), &server.ca, None, "localhost").await.unwrap(), b'!');
    assert!(greet(optional, &server.ca, Some(&stranger), "localhost").await.is_err());
}

/// A client's certificate and the authority that signed it.
fn client_files(folder: &Path) -> Files {
    install_provider();
    fs::create_dir_all(folder).unwrap();
    let files = Files { ca: folder.join("ca.crt"), certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    fs::write(&files.ca, authority.self_signed(&authority_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let mut client = CertificateParams::default();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    fs::write(&files.certificate, client.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

#[test]
fn what_is_wrong_with_files_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = self_signed(&folder.path().join("a"), &names()).unwrap();
    let other = self_signed(&folder.path().join("b"), &names()).unwrap();
    let missing = folder.path().join("none.crt");
    assert!(matches!(server_config(&missing, &files.key, None), Err(TlsError::Pem { file, .. }) if file == missing));
    assert!(matches!(server_config(&files.certificate, &other.key, None), Err(TlsError::Use { .. })));
    assert!(matches!(server_config(&files.key, &files.key, None), Err(TlsError::Empty { .. })));
}

#[tokio::test]
async fn renewed_files_are_served_without_a_restart() {
    install_provider();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (old, new) = (self_signed(&at("old"), &names()).unwrap(), self_signed(&at("new"), &names()).unwrap());
    let (certificate, key) = (at("tls.crt"), at("tls.key"));
    fs::copy(&old.certificate, &certificate).unwrap();
    fs::copy(&old.key, &key).unwrap();
    let own = Arc::new(Own::looking(&certificate, &key, Duration::ZERO).unwrap());
    let server = Arc::new(config(own, None));
    assert_eq!(greet(Arc::clone(&server), &old.ca, None, "localhost").await.unwrap(), b'!');

    // Half of the change, and half a file: what was there is served.
    fs::copy(&new.certificate, &certificate).unwrap();
    assert_eq!(greet(Arc::clone(&server), &old.ca, None, "localhost").await.unwrap(), b'!');
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    assert_eq!(greet(Arc::clone(&server), &old.ca, None, "localhost").await.unwrap(), b'!');
    fs::copy(&new.key, &key).unwrap();
    assert_eq!(greet(Arc::clone(&server), &new.ca, None, "localhost").await.unwrap(), b'!');
    assert!(greet(Arc::clone(&server), &old.ca, None, "localhost").await.is_err());
    // Files that are gone take nothing away.
    fs::remove_file(&key).unwrap();
    assert_eq!(greet(server, &new.ca, None, "localhost").await.unwrap(), b'!');
}

#[tokio::test]
async fn clients_of_a_renewed_authority_are_taken_without_a_restart() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = self_signed(ours.path(), &names()).unwrap();
    let (old, new) = (client_files(&theirs.path().join("old")), client_files(&theirs.path().join("new")));
    let bundle = theirs.path().join("ca.crt");
    fs::copy(&old.ca, &bundle).unwrap();
    let clients = Clients::looking(&bundle, false, Duration::ZERO).unwrap();
    let own = Arc::new(Own::new(&server.certificate, &server.key).unwrap());
    let config = Arc::new(config(own, Some(clients)));
    assert!(greet(Arc::clone(&config), &server.ca, Some(&new), "localhost").await.is_err());
    fs::write(&bundle, [fs::read(&new.ca).unwrap(), fs::read(&old.ca).unwrap()].concat()).unwrap();
    for client in [&old, &new] {
        assert_eq!(greet(Arc::clone(&config), &server.ca, Some(client), "localhost").await.unwrap(), b'!');
    }
    fs::copy(&new.ca, &bundle).unwrap();
    assert!(greet(config, &server.ca, Some(&old), "localhost").await.is_err());
}
