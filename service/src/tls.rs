//! TLS for what a service listens on.
//!
//! One cryptography for the whole system (ring), certificates from files, or, for a first start, made once and kept.

mod reload;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::place;
use reload::{Clients, Own};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A PEM file cannot be read.
    #[error("read {what} from {}", file.display())]
    Pem {
        /// What it should hold.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// A PEM file holds no certificate.
    #[error("{} holds no certificate", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// Certificate and key do not go together, or one of them is of no use.
    #[error("use the certificate {} with its key", certificate.display())]
    Use {
        /// The certificate.
        certificate: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Clients' certificates cannot be verified with these.
    #[error("verify clients' certificates with {}", file.display())]
    ClientCa {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certificate cannot be made.
    #[error("make a certificate")]
    Make(#[source] rcgen::Error),
    /// A certificate or key cannot be kept.
    #[error("write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The files of a certificate that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The authority's certificate, for clients to trust.
    pub ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key, readable by its owner alone.
    pub key: PathBuf,
}

/// Makes ring the cryptography of this process. Later calls do nothing.
pub fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A server's side of TLS: HTTP/2 and 1.1, and with `client_ca` only for clients with a certificate of that authority.
/// All three files are read again when they change.
///
/// # Errors
/// If a file cannot be read, or they do not go together.
pub fn server_config(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<Arc<ServerConfig>, TlsError> {
    server_config_with(certificate, key, client_ca, false)
}

/// As [`server_config`]; with `optional`, clients without a certificate may come too, and are to be told apart by whoever asks.
///
/// # Errors
/// If a file cannot be read, or they do not go together.
pub fn server_config_with(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
    optional: bool,
) -> Result<Arc<ServerConfig>, TlsError> {
    install_provider();
    let own = Arc::new(Own::new(certificate, key)?);
    let clients = client_ca.map(|file| Clients::new(file, optional)).transpose()?;
    Ok(Arc::new(config(own, clients)))
}

fn config(own: Arc<Own>, clients: Option<Clients>) -> ServerConfig {
    let builder = match clients {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(clients) => ServerConfig::builder().with_client_cert_verifier(Arc::new(clients)),
    };
    let mut config = builder.with_cert_resolver(own);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Pem { what: "certificates", file: file.to_owned(), source };
    let all: Vec<_> = CertificateDer::pem_file_iter(file).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if all.is_empty() { Err(TlsError::Empty { file: file.to_owned() }) } else { Ok(all) }
}

/// A certificate for these names and addresses, signed by an authority of its own: made once and kept in `folder` (`ca.crt`,
/// `tls.crt`, `tls.key`), so that what clients were told to trust stays. The authority's key is thrown away: nobody can ever
/// sign a second certificate that those clients would trust.
///
/// To get one for other names, remove the files.
///
/// # Errors
/// If it cannot be made or written.
pub fn self_signed(folder: &Path, names: &[String]) -> Result<Files, TlsError> {
    let files = Files { ca: folder.join("ca.crt"), certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    // The key is written last: with it, the others are there.
    if files.key.exists() && files.certificate.exists() && files.ca.exists() {
        return Ok(files);
    }
    install_provider();
    let written = |source| TlsError::Write { file: folder.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(written)?;

    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Vedette, made at first start");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    lifetime(&mut authority);
    let authority_key = KeyPair::generate().map_err(TlsError::Make)?;
    let authority_certificate = authority.self_signed(&authority_key).map_err(TlsError::Make)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut server = CertificateParams::new(names.to_vec()).map_err(TlsError::Make)?;
    server.distinguished_name = rcgen::DistinguishedName::new();
    server.distinguished_name.push(DnType::CommonName, "vedette");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.use_authority_key_identifier_extension = true;
    lifetime(&mut server);
    let key = KeyPair::generate().map_err(TlsError::Make)?;
    let certificate = server.signed_by(&key, &issuer).map_err(TlsError::Make)?;

    write(&files.ca, &authority_certificate.pem(), 0o644)?;
    write(&files.certificate, &certificate.pem(), 0o644)?;
    write(&files.key, &key.serialize_pem(), 0o600)?;
    Ok(files)
}

/// Long enough that nobody is surprised; it is trusted by name only, by those who copied it.
fn lifetime(certificate: &mut CertificateParams) {
    certificate.not_before = date_time_ymd(2026, 1, 1);
    certificate.not_after = date_time_ymd(2046, 1, 1);
}

fn write(file: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let failed = |source| TlsError::Write { file: file.to_owned(), source };
    place::write_as(file, text.as_bytes(), mode).map_err(failed)
}

#[cfg(test)]
mod tests;
