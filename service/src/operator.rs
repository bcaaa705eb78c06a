//! The way to the operator: where it is, how each side knows the other, and what happens while it is away.
//!
//! A connection carries one stream and ends with it; the next is made from the files as they are then, so that certificates
//! and tokens are renewed without a restart. A server that is away is asked again at random moments, further and further apart, so that
//! a thousand subscribers do not come back all at once.

mod link;
#[cfg(test)]
pub(crate) mod script;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};
use tonic::{Request, Status};

use crate::blocking::blocking;
use crate::host;

pub(crate) use link::Link;

/// The longest name of a subscriber, in bytes.
const SUBSCRIBER_LIMIT: usize = 253;

/// The operator that rules come from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorConfig {
    /// `https://host:port`. Plain `http://` goes to this machine alone.
    pub url: String,
    /// PEM certificates of the authority that the operator's certificate comes from. Needed with `https`.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// This service's own certificate, PEM, by which the operator knows it.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// A file that holds a bearer token, sent with each call.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// What the operator calls this instance; unless given, the host's name, and outside a container the process's id.
    #[serde(default)]
    pub subscriber: Option<String>,
}

/// Why there is no answer from the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// A setting makes no sense.
    #[error("`operator.{key}`: {problem}")]
    Setting {
        /// Its key.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file cannot be read.
    #[error("read {what} from {}", file.display())]
    Read {
        /// What it should hold.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {what}", file.display())]
    Holds {
        /// What it should hold.
        what: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// The certificates or the key are of no use.
    #[error("use the certificates for the operator")]
    Tls(#[source] tonic::transport::Error),
    /// It cannot be reached.
    #[error("reach the operator")]
    Connect(#[source] tonic::transport::Error),
    /// It refuses the call, or the connection broke.
    #[error("ask the operator")]
    Call(#[source] Box<Status>),
    /// It said nothing in time.
    #[error("the operator did not answer in time")]
    Silent,
    /// It ended the stream.
    #[error("the operator ended the stream")]
    Ended,
}

impl From<Status> for OperatorError {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

/// How long things take at most, and how far apart attempts are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Until a server answers.
    pub(crate) answer: Duration,
    /// Between pings on a quiet connection, and until one is answered.
    pub(crate) ping: Duration,
    pub(crate) pong: Duration,
    /// Between attempts: at first, and at most.
    pub(crate) soon: Duration,
    pub(crate) late: Duration,
    /// Until the first answer that a service cannot start without.
    pub(crate) first: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            ping: Duration::from_secs(10),
            pong: Duration::from_secs(5),
            soon: Duration::from_millis(100),
            late: Duration::from_secs(10),
            first: Duration::from_secs(30),
        }
    }
}

/// Shows the operator who calls, with every call; with nothing in it, that nobody says.
#[derive(Clone, Debug)]
pub struct Bearer(pub Option<MetadataValue<Ascii>>);

impl Bearer {
    fn show<T>(&self, request: &mut Request<T>) {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        self.show(&mut request);
        Ok(request)
    }
}

/// A connection, and what shows the operator who calls.
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    bearer: Bearer,
}

impl Connection {
    /// A call of this message.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        self.bearer.show(&mut request);
        request
    }
}

impl OperatorConfig {
    /// Checks what can be known before anything is read or connected.
    ///
    /// # Errors
    /// The first setting that makes no sense by itself or beside others.
    pub fn validate(&self) -> Result<(), OperatorError> {
        let wrong = |key, problem| Err(OperatorError::Setting { key, problem });
        let Ok(uri) = self.url.parse::<Uri>() else { return wrong("url", "expected `https://host:port`") };
        let bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        let userinfo = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let host = uri.host().unwrap_or_default();
        if host.is_empty() || userinfo || !bare {
            return wrong("url", "expected `https://host:port` and nothing else");
        }
        match uri.scheme_str() {
            Some("https") if self.ca.is_none() => return wrong("ca", "is needed to know the operator by"),
            Some("https") => {}
            Some("http") if !is_loopback(host) => {
                return wrong("url", "plain http goes to this machine alone: expected `https://`");
            }
            Some("http") if self.ca.is_some() || self.certificate.is_some() => {
                return wrong("url", "`ca` and `certificate` are for `https://`");
            }
            Some("http") => {}
            _ => return wrong("url", "expected `https://`"),
        }
        if self.certificate.is_some() != self.key.is_some() {
            return wrong("certificate", "expected `certificate` and `key` together");
        }
        if self.subscriber.as_ref().is_some_and(|name| !is_name(name)) {
            return wrong("subscriber", "expected 1 to 253 bytes of text");
        }
        Ok(())
    }

    /// Whether the operator is on this machine: plain `http://` goes nowhere else.
    pub fn is_here(&self) -> bool {
        self.url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some_and(is_loopback))
    }

    /// What the operator calls this instance.
    pub(crate) fn subscriber(&self) -> String {
        // A container's host is its pod, which has one of each; elsewhere two of a kind may share one.
        let process = match std::process::id() {
            1 => String::new(),
            id => format!("-{id}"),
        };
        let name = self.subscriber.clone().unwrap_or_else(|| format!("{}{process}", host::name()));
        let name = name.get(..name.floor_char_boundary(SUBSCRIBER_LIMIT)).unwrap_or_default();
        if is_name(name) { name.to_owned() } else { "unnamed".to_owned() }
    }

    /// Connects with certificates and token as they are in their files now.
    pub(crate) async fn connect(&self, pace: &Pace) -> Result<Connection, OperatorError> {
        let config = self.clone();
        let (tls, token) = blocking(move || config.read()).await?;
        let endpoint = Endpoint::from_shared(self.url.clone()).map_err(OperatorError::Connect)?;
        let mut endpoint = endpoint
            .connect_timeout(pace.answer)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(pace.ping)
            .keep_alive_timeout(pace.pong)
            .keep_alive_while_idle(true);
        if let Some(tls) = tls {
            endpoint = endpoint.tls_config(tls).map_err(OperatorError::Tls)?;
        }
        let channel = in_time(pace, endpoint.connect()).await?.map_err(OperatorError::Connect)?;
        Ok(Connection { channel, bearer: Bearer(token) })
    }

    /// A connection for calls that say themselves who calls, with certificates as they are in their files now.
    ///
    /// # Errors
    /// If a file is of no use, or the operator can't be reached in time.
    pub async fn channel(&self) -> Result<Channel, OperatorError> {
        Ok(self.connect(&Pace::default()).await?.channel)
    }

    fn read(&self) -> Result<(Option<ClientTlsConfig>, Option<MetadataValue<Ascii>>), OperatorError> {
        let token = match &self.token_file {
            Some(file) => Some(token(file)?),
            None => None,
        };
        let Some(ca) = &self.ca else { return Ok((None, token)) };
        let authority = pem(ca, "certificate")?;
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            tls = tls.identity(Identity::from_pem(pem(certificate, "certificate")?, pem(key, "private key")?));
        }
        Ok((Some(tls), token))
    }
}

/// What `answer` gives, unless it takes too long.
pub(crate) async fn in_time<F: Future>(pace: &Pace, answer: F) -> Result<F::Output, OperatorError> {
    tokio::time::timeout(pace.answer, answer).await.map_err(|_| OperatorError::Silent)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= SUBSCRIBER_LIMIT && !name.contains(char::is_control)
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn pem(file: &Path, what: &'static str) -> Result<Vec<u8>, OperatorError> {
    let text = std::fs::read(file).map_err(|source| OperatorError::Read { what, file: file.to_owned(), source })?;
    // A file of none would be taken for an authority that trusts nobody.
    let marker: &[u8] = b"-----BEGIN ";
    if !text.windows(marker.len()).any(|window| window == marker) {
        return Err(OperatorError::Holds { what, file: file.to_owned() });
    }
    Ok(text)
}

fn token(file: &Path) -> Result<MetadataValue<Ascii>, OperatorError> {
    let what = "bearer token";
    let text =
        std::fs::read_to_string(file).map_err(|source| OperatorError::Read { what, file: file.to_owned(), source })?;
    let text = text.trim();
    let value = MetadataValue::try_from(format!("Bearer {text}")).ok().filter(|_| !text.is_empty());
    let mut value = value.ok_or_else(|| OperatorError::Holds { what, file: file.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
