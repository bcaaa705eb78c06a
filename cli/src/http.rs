//! HTTP clients: whom they trust, and what is said when nobody answers.
use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder};

use crate::outcome::Failure;

/// Where systems keep the certificates that they trust, besides `SSL_CERT_FILE`.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Whom a client believes to be the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trust<'a> {
    /// Who the system trusts.
    System,
    /// The certificates of this file alone.
    File(&'a Path),
    /// Anyone.
    Anyone,
}

/// A client that says it is `agent`.
pub(crate) fn client(agent: &str, trust: Trust<'_>) -> Result<Client, Failure> {
    // Another command in the same process may have done so before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(format!("{agent}/{}", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none());
    let builder = match trust {
        Trust::Anyone => builder.danger_accept_invalid_certs(true),
        Trust::File(path) => {
            let certificates = read(path).map_err(|error| {
                Failure::usage(format!("can't read the certificates in `{}`", path.display())).because(error)
            })?;
            add(builder, certificates)
        }
        Trust::System => add(builder, system()),
    };
    builder.build().map_err(|error| Failure::failed("can't set up the HTTP client").because(error))
}

fn add(builder: ClientBuilder, certificates: Vec<Certificate>) -> ClientBuilder {
    certificates.into_iter().fold(builder, ClientBuilder::add_root_certificate)
}

/// Without any, only `https` addresses fail, and they say why.
fn system() -> Vec<Certificate> {
    let own = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let places = own.into_iter().chain(SYSTEM.iter().map(std::path::PathBuf::from));
    places.into_iter().find_map(|path| read(&path).ok()).unwrap_or_default()
}

fn read(path: &Path) -> Result<Vec<Certificate>, Box<dyn std::error::Error + Send + Sync>> {
    let certificates = Certificate::from_pem_bundle(&std::fs::read(path)?)?;
    if certificates.is_empty() {
        return Err("it holds no certificate".into());
    }
    Ok(certificates)
}
