//! The certificate authority of an installation: who is the operator, who is ingest, and who may ask for rules.
//!
//! It lives in a Secret, so that the next leader goes on with it, and everything that it signs in Secrets beside it. Nothing here
//! asks for the time: what is due is decided by the `now` that it is told, and so a test can live through twenty years.
//!
//! **The life of an authority** is ten years. After eight the next one is made and put into the bundle that everybody trusts; the old
//! one goes on signing for another year, in which an administrator replaces the file on the control plane's nodes and nobody
//! notices anything; then the new one signs. The old one stays in the bundle until the last certificate that it can have signed
//! has ended.
//!
//! **Invariants.** A certificate that is issued ends before its authority does. The bundle holds the authority of every certificate
//! that was issued and has not ended. A key that must not sign any more is thrown away.

mod certificate;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

pub use certificate::Certificate;

/// The bundle of authorities, in every Secret with a certificate.
pub const BUNDLE: &str = "ca.crt";
/// The keys of the authorities that may still sign.
pub const KEYS: &str = "ca.key";
/// A certificate.
pub const CERTIFICATE: &str = "tls.crt";
/// Its key.
pub const KEY: &str = "tls.key";

const DAY: i64 = 24 * 60 * 60;
const AUTHORITY_LIFE: i64 = 3650 * DAY;
const LEAF_LIFE: i64 = 90 * DAY;
/// Clocks differ.
const SKEW: i64 = 5 * 60;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// What is kept is no certificate or key.
    #[error("read the {what} of the authority")]
    Read {
        /// Which part.
        what: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certificate cannot be made.
    #[error("make a certificate for {name}")]
    Make {
        /// Whose.
        name: String,
        /// Why.
        source: rcgen::Error,
    },
    /// No authority may sign.
    #[error("no authority has a key to sign with")]
    NoSigner,
}

/// Whom a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name; of a client also the only one that it is known by.
    pub name: String,
    /// The names and addresses of a server.
    pub names: Vec<String>,
    /// Which side it is on.
    pub side: Side,
}

/// Which side of a connection a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that listens.
    Server,
    /// The one that comes.
    Client,
}

/// A certificate with its key, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// The authorities that are trusted, the newest first.
#[derive(Debug)]
pub struct Authority {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    certificate: Certificate,
    key: Option<KeyPair>,
}

impl Known {
    /// When it was made.
    fn begins(&self) -> i64 {
        self.certificate.begins()
    }

    fn ends(&self) -> i64 {
        self.certificate.ends()
    }

    /// So much of its life, in percent.
    fn at(&self, percent: i64) -> i64 {
        self.begins() + (self.ends() - self.begins()) / 100 * percent
    }
}

impl Authority {
    /// What a Secret holds; none if it holds nothing.
    ///
    /// # Errors
    /// If it holds something that cannot be read: making another authority in its place is not for a program to decide.
    pub fn read(data: &BTreeMap<String, String>) -> Result<Self, AuthorityError> {
        let failed = |what| move |source| AuthorityError::Read { what, source };
        let certificates = data.get(BUNDLE).map_or(Ok(Vec::new()), |pem| Certificate::read_all(pem));
        let certificates = certificates.map_err(|error| failed("certificates")(error.into()))?;
        let mut keys = Vec::new();
        for pem in certificate::blocks(data.get(KEYS).map_or("", String::as_str)) {
            keys.push(KeyPair::from_pem(&pem).map_err(|error| failed("keys")(error.into()))?);
        }
        let known = certificates.into_iter().map(|certificate| {
            let own = keys.iter().position(|key| certificate.has_key(key));
            Known { certificate, key: own.map(|at| keys.swap_remove(at)) }
        });
        Ok(Self { known: known.collect() })
    }

    /// The Secret's content.
    pub fn data(&self) -> BTreeMap<String, String> {
        let keys = self.known.iter().filter_map(|it| it.key.as_ref()).map(KeyPair::serialize_pem).collect();
        BTreeMap::from([(BUNDLE.to_owned(), self.bundle()), (KEYS.to_owned(), keys)])
    }

    /// The certificates of all that are trusted.
    pub fn bundle(&self) -> String {
        self.known.iter().map(|it| it.certificate.pem()).collect()
    }

    /// Makes what is due and throws away what is over. Whether anything changed.
    ///
    /// # Errors
    /// If an authority cannot be made.
    pub fn renew(&mut self, now: Timestamp) -> Result<bool, AuthorityError> {
        let now = now.as_second();
        let before = self.data();
        let due = !self.known.iter().any(|it| it.key.is_some() && now < it.at(80));
        if due {
            self.known.insert(0, make(now)?);
        }
        let newest = self.known.first().map_or(0, Known::begins);
        for it in &mut self.known {
            if it.begins() < newest && now >= it.at(90) {
                it.key = None;
            }
        }
        self.known.retain(|it| now < it.ends() && (it.key.is_some() || now < it.at(90) + LEAF_LIFE));
        Ok(self.data() != before)
    }

    /// A certificate for `subject`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn issue(&self, subject: &Subject, now: Timestamp) -> Result<Issued, AuthorityError> {
        let signer = self.signer().ok_or(AuthorityError::NoSigner)?;
        let (certificate, key) = (&signer.certificate, signer.key.as_ref().ok_or(AuthorityError::NoSigner)?);
        let failed = |source| AuthorityError::Make { name: subject.name.clone(), source };
        let issuer = Issuer::new(authority_params(certificate.name()), key);

        let names = if subject.names.is_empty() { vec![subject.name.clone()] } else { subject.names.clone() };
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject.name.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match subject.side {
            Side::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Side::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        lifetime(&mut params, now.as_second(), LEAF_LIFE);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Whether `issued` still serves `subject`, or why another is to be issued.
    pub fn serves(&self, issued: &Issued, subject: &Subject, now: Timestamp) -> Result<(), Due> {
        let now = now.as_second();
        let leaf = Certificate::read(&issued.certificate).map_err(|_| Due::Unreadable)?;
        let key = KeyPair::from_pem(&issued.key).map_err(|_| Due::Unreadable)?;
        if !leaf.has_key(&key) {
            return Err(Due::Unreadable);
        }
        if !self.known.iter().any(|it| leaf.is_signed_by(&it.certificate)) {
            return Err(Due::Stranger);
        }
        if leaf.name() != subject.name || !leaf.is_for(subject) {
            return Err(Due::Names);
        }
        if now >= leaf.begins() + (leaf.ends() - leaf.begins()) / 3 * 2 {
            return Err(Due::Age);
        }
        Ok(())
    }

    /// The oldest that may: a new one waits in the bundle until the old one's time is over.
    fn signer(&self) -> Option<&Known> {
        self.known.iter().rfind(|it| it.key.is_some())
    }

    /// When something is to be done next, if nothing else happens.
    pub fn next(&self, now: Timestamp) -> Option<SignedDuration> {
        let newest = self.known.first()?;
        let left = newest.at(80) - now.as_second();
        Some(SignedDuration::from_secs(left.clamp(0, LEAF_LIFE / 90)))
    }
}

/// Why a certificate is to be issued again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It is no certificate, or its key is another's.
    Unreadable,
    /// No authority that is trusted has signed it.
    Stranger,
    /// It is for other names.
    Names,
    /// Two thirds of its life are over.
    Age,
}

fn make(now: i64) -> Result<Known, AuthorityError> {
    let made = Timestamp::from_second(now).map(|it| it.to_string()).unwrap_or_default();
    let name = format!("Vedette authority of {made}");
    let failed = |source| AuthorityError::Make { name: name.clone(), source };
    let mut params = authority_params(&name);
    lifetime(&mut params, now, AUTHORITY_LIFE);
    let key = KeyPair::generate().map_err(failed)?;
    let pem = params.self_signed(&key).map_err(failed)?.pem();
    let certificate =
        Certificate::read(&pem).map_err(|error| AuthorityError::Read { what: "certificates", source: error.into() })?;
    Ok(Known { certificate, key: Some(key) })
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn lifetime(params: &mut CertificateParams, now: i64, seconds: i64) {
    let at = |second: i64| {
        let since = std::time::Duration::from_secs(u64::try_from(second).unwrap_or_default());
        rcgen::date_time_ymd(1970, 1, 1) + since
    };
    params.not_before = at(now - SKEW);
    params.not_after = at(now + seconds);
}

#[cfg(test)]
mod tests;
