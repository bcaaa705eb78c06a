//! Certificates that are read again when their files change.
//!
//! They are renewed while a service runs (a kubelet swaps a Secret's files, an administrator copies new ones), and a restart for that
//! would be an interruption for nothing. The files are looked at when someone connects, at most once a second: what nobody asks for
//! needs no watching. What cannot be used (a key that does not belong to its certificate yet, half a file) leaves what was there.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::pem::PemObject;

use super::{TlsError, certificates};
use crate::chain;

/// How often files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// What tells one version of a file from the next, as long as nobody sets clocks back.
type Stamp = (i64, i64, u64, u64);

/// What is made of files, and made again when they change.
struct Watched<T> {
    files: Vec<PathBuf>,
    look: Duration,
    read: Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>,
    held: ArcSwap<T>,
    seen: Mutex<Seen>,
}

struct Seen {
    at: Instant,
    stamps: Vec<Option<Stamp>>,
    failed: bool,
}

impl<T> Watched<T> {
    fn new(
        files: Vec<PathBuf>,
        look: Duration,
        read: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        // Before they are read: a change in between is seen as one.
        let stamps = stamps(&files);
        let held = ArcSwap::from_pointee(read()?);
        let seen = Mutex::new(Seen { at: Instant::now(), stamps, failed: false });
        Ok(Self { files, look, read: Box::new(read), held, seen })
    }

    fn get(&self) -> Arc<T> {
        // Who comes while another looks takes what is there.
        if let Ok(mut seen) = self.seen.try_lock() {
            self.refresh(&mut seen);
        }
        self.held.load_full()
    }

    fn refresh(&self, seen: &mut Seen) {
        if seen.at.elapsed() < self.look {
            return;
        }
        seen.at = Instant::now();
        let stamps = stamps(&self.files);
        // Files that could not be used are tried again: two files are not swapped at the same moment.
        if stamps == seen.stamps && !seen.failed {
            return;
        }
        let file = self.files.first().map(PathBuf::as_path).unwrap_or(Path::new("")).display();
        match (self.read)() {
            Ok(new) => {
                self.held.store(Arc::new(new));
                seen.failed = false;
                tracing::info!(%file, "certificates were renewed");
            }
            Err(error) => {
                if !seen.failed || stamps != seen.stamps {
                    tracing::warn!(%file, error = %chain(&error), "new certificates cannot be used: the old ones stay");
                }
                seen.failed = true;
            }
        }
        seen.stamps = stamps;
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.seen.lock().unwrap_or_else(PoisonError::into_inner).failed;
        f.debug_struct("Watched").field("files", &self.files).field("failed", &failed).finish_non_exhaustive()
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |file: &PathBuf| {
        let found = fs::metadata(file).ok()?;
        Some((found.mtime(), found.mtime_nsec(), found.ino(), found.size()))
    };
    files.iter().map(stamp).collect()
}

/// The server's own certificate.
#[derive(Debug)]
pub(super) struct Own(Watched<CertifiedKey>);

impl Own {
    pub(super) fn new(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::looking(certificate, key, LOOK)
    }

    pub(super) fn looking(certificate: &Path, key: &Path, look: Duration) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let files = vec![certificate.clone(), key.clone()];
        Watched::new(files, look, move || certified(&certificate, &key)).map(Self)
    }
}

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.get())
    }
}

fn certified(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Pem {
        what: "a private key",
        file: key.to_owned(),
        source,
    })?;
    CertifiedKey::from_der(certificates(certificate)?, key_der, &rustls::crypto::ring::default_provider())
        .map_err(|source| TlsError::Use { certificate: certificate.to_owned(), source })
}

/// The authorities of clients' certificates.
#[derive(Debug)]
pub(super) struct Clients {
    verifier: Watched<Arc<dyn ClientCertVerifier>>,
    optional: bool,
}

impl Clients {
    pub(super) fn new(file: &Path, optional: bool) -> Result<Self, TlsError> {
        Self::looking(file, optional, LOOK)
    }

    pub(super) fn looking(file: &Path, optional: bool, look: Duration) -> Result<Self, TlsError> {
        let owned = file.to_owned();
        let verifier = Watched::new(vec![file.to_owned()], look, move || verifier(&owned, optional))?;
        Ok(Self { verifier, optional })
    }
}

fn verifier(file: &Path, optional: bool) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| TlsError::ClientCa { file: file.to_owned(), source };
    let mut roots = rustls::RootCertStore::empty();
    for authority in certificates(file)? {
        roots.add(authority).map_err(|error| failed(error.into()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = if optional { verifier.allow_unauthenticated() } else { verifier };
    verifier.build().map_err(|error| failed(error.into()))
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        !self.optional
    }

    /// None: they may be others tomorrow. A client that has one certificate shows it anyway.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verifier.get().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.get().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.get().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.get().supported_verify_schemes()
    }
}
