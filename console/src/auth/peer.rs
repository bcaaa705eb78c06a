//! Whose certificate a connection has.
//!
//! TLS asks for a client certificate and verifies one that is shown; this notes its names for the requests of the connection. A
//! connection without one is like any other.

use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsAcceptor;
use futures::future::BoxFuture;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tower::Layer;
use vedette_service::subject;
use webpki::EndEntityCert;

/// The client certificate of a connection, which TLS has verified.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    certificate: Option<Arc<CertificateDer<'static>>>,
}

impl Peer {
    /// Whether the certificate has one of these names, as its common name or as a DNS name.
    pub(crate) fn is_one_of(&self, names: &[String]) -> bool {
        let Some(certificate) = &self.certificate else { return false };
        let common = subject::of(certificate).map(|subject| subject.common_name);
        let certificate = EndEntityCert::try_from(certificate.as_ref());
        names
            .iter()
            .any(|name| common.as_deref() == Some(name) || certificate.as_ref().is_ok_and(|it| covers(it, name)))
    }

    #[cfg(test)]
    pub(super) fn with(certificate: Option<CertificateDer<'static>>) -> Self {
        Self { certificate: certificate.map(Arc::new) }
    }
}

fn covers(certificate: &EndEntityCert<'_>, name: &str) -> bool {
    let Ok(name) = ServerName::try_from(name) else { return false };
    matches!(name, ServerName::DnsName(_)) && certificate.verify_is_valid_for_subject_name(&name).is_ok()
}

/// Accepts connections, and notes their certificates.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor(pub(crate) RustlsAcceptor);

impl<I, S> Accept<I, S> for Acceptor
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Send + 'static,
{
    type Stream = TlsStream<I>;
    type Service = AddExtension<S, Peer>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let accepting = self.0.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let certificate = certificate.map(|certificate| Arc::new(certificate.clone().into_owned()));
            Ok((stream, Extension(Peer { certificate }).layer(service)))
        })
    }
}
