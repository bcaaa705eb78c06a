//! What of a certificate decides whether it still serves.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Side, Subject};

/// A certificate as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pem: String,
    name: String,
    begins: i64,
    ends: i64,
    /// In DER.
    subject: Vec<u8>,
    issuer: Vec<u8>,
    key: Vec<u8>,
    names: BTreeSet<String>,
    server: bool,
    client: bool,
}

/// Why a text is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// It is not PEM.
    #[error("read PEM")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// It is no certificate of X.509.
    #[error("read X.509: {0}")]
    Der(String),
    /// There is none in it.
    #[error("there is no certificate")]
    Empty,
}

impl Certificate {
    /// The first one of a text.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(pem: &str) -> Result<Self, CertificateError> {
        Self::read_all(pem)?.into_iter().next().ok_or(CertificateError::Empty)
    }

    /// All of a text.
    pub(super) fn read_all(pem: &str) -> Result<Vec<Self>, CertificateError> {
        let ders: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        ders.map_err(CertificateError::Pem)?.iter().zip(blocks(pem)).map(|(der, pem)| Self::of(der, pem)).collect()
    }

    fn of(der: &[u8], pem: String) -> Result<Self, CertificateError> {
        let failed = |error: &dyn std::fmt::Display| CertificateError::Der(error.to_string());
        let (_, it) = X509Certificate::from_der(der).map_err(|error| failed(&error))?;
        let names = it.subject_alternative_name().map_err(|error| failed(&error))?;
        let usage = it.extended_key_usage().map_err(|error| failed(&error))?;
        let name = it.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            begins: it.validity().not_before.timestamp(),
            ends: it.validity().not_after.timestamp(),
            subject: it.subject().as_raw().to_owned(),
            issuer: it.issuer().as_raw().to_owned(),
            key: it.public_key().subject_public_key.data.to_vec(),
            names: names.iter().flat_map(|names| &names.value.general_names).filter_map(name_of).collect(),
            server: usage.as_ref().is_some_and(|it| it.value.server_auth),
            client: usage.as_ref().is_some_and(|it| it.value.client_auth),
            pem,
        })
    }

    /// As text.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its common name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When its life begins, in seconds since 1970.
    pub fn begins(&self) -> i64 {
        self.begins
    }

    /// When it ends.
    pub fn ends(&self) -> i64 {
        self.ends
    }

    pub(super) fn has_key(&self, key: &KeyPair) -> bool {
        key.der_bytes() == self.key
    }

    /// By the names alone: authorities made here never share one, and a signature that is none is refused by whoever connects.
    pub(super) fn is_signed_by(&self, authority: &Self) -> bool {
        self.issuer == authority.subject
    }

    pub(super) fn is_for(&self, subject: &Subject) -> bool {
        let own = [subject.name.clone()];
        let wanted = if subject.names.is_empty() { own.as_slice() } else { subject.names.as_slice() };
        let side = match subject.side {
            Side::Server => self.server,
            Side::Client => self.client,
        };
        side && wanted.iter().cloned().collect::<BTreeSet<_>>() == self.names
    }
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|it| it.to_string())
        }
        _ => None,
    }
}

/// The blocks of a PEM text, each with its line of dashes at the end.
pub(super) fn blocks(pem: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block = String::new();
    for line in pem.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if block.is_empty() && !line.starts_with("-----BEGIN") {
            continue;
        }
        block.push_str(line);
        block.push('\n');
        if line.starts_with("-----END") {
            blocks.push(std::mem::take(&mut block));
        }
    }
    blocks
}
