//! One receiver: where its POSTs go, and what its answers mean.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use vedette_rules::{Receiver, ReceiverKind};

/// Bytes of a refusal that are read, for the dead letter's reason.
const REFUSAL_BYTES: usize = 1_024;
/// The longest wait that a receiver can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A receiver that can be sent to.
#[derive(Debug)]
pub(crate) struct Target {
    receiver: Receiver,
    url: Url,
    client: Client,
}

/// What became of a POST.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The receiver took it.
    Taken,
    /// The receiver refuses these alerts and would refuse them again.
    Refused {
        /// The status code.
        status: u16,
        /// What the receiver says about it; bounded.
        detail: String,
    },
    /// The receiver is away, or can't take anything now.
    Unavailable {
        /// A word of a bounded set.
        reason: &'static str,
        /// For how long it asks to be left alone.
        retry_after: Option<Duration>,
    },
}

/// Why a receiver can't be sent to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("the receiver's URL can't be used")]
    Url,
    #[error("read the receiver's caBundle")]
    CaBundle(#[source] reqwest::Error),
    #[error("the receiver's caBundle holds no certificate")]
    NoCertificate,
    #[error("make the receiver's client")]
    Client(#[source] reqwest::Error),
}

impl Target {
    /// A client for this receiver; `roots` are trusted where it brings no certificates of its own.
    pub(crate) fn new(receiver: Receiver, roots: &[Certificate], timeout: Duration) -> Result<Self, TargetError> {
        let url = endpoint(&receiver).ok_or(TargetError::Url)?;
        let own = match &receiver.ca_bundle {
            Some(pem) => Some(Certificate::from_pem_bundle(pem).map_err(TargetError::CaBundle)?),
            None => None,
        };
        if own.as_ref().is_some_and(Vec::is_empty) {
            return Err(TargetError::NoCertificate);
        }
        let mut client = Client::builder()
            .use_rustls_tls()
            .user_agent(concat!("vedette-alerter/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .pool_max_idle_per_host(1)
            // A redirect would send alerts where nobody configured them to go.
            .redirect(reqwest::redirect::Policy::none());
        for certificate in own.as_deref().unwrap_or(roots) {
            client = client.add_root_certificate(certificate.clone());
        }
        let client = client.build().map_err(TargetError::Client)?;
        Ok(Self { receiver, url, client })
    }

    /// Sends one body and reads what the answer means.
    pub(crate) async fn post(&self, body: Vec<u8>) -> Answer {
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        match request.send().await {
            Ok(response) => judge(response).await,
            Err(error) => {
                let reason = if error.is_timeout() { "timeout" } else { "unreachable" };
                let error = error.without_url();
                let error = vedette_service::chain(&error);
                tracing::debug!(receiver.name = %self.receiver.name, %error, "post to the receiver failed");
                Answer::Unavailable { reason, retry_after: None }
            }
        }
    }
}

/// The URL that POSTs go to.
///
/// An Alertmanager's is the base that it is reached at, behind a path if it has one; the path of its API is put after it
/// unless it is there already. A webhook's is used as it is.
fn endpoint(receiver: &Receiver) -> Option<Url> {
    let mut url = Url::parse(&receiver.url).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    if receiver.kind == ReceiverKind::Alertmanager {
        let path = url.path().trim_end_matches('/');
        let base = path.strip_suffix("/api/v2/alerts").or_else(|| path.strip_suffix("/api/v1/alerts")).unwrap_or(path);
        let path = format!("{base}/api/v2/alerts");
        url.set_path(&path);
    }
    Some(url)
}

/// What an answer means. Only answers that speak of the alerts themselves refuse them for good: a wrong path, missing
/// credentials or a redirect are a matter of configuration, and alerts wait until it is put right.
async fn judge(response: Response) -> Answer {
    let status = response.status();
    if status.is_success() {
        return Answer::Taken;
    }
    let refused = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY
    );
    if refused {
        return Answer::Refused { status: status.as_u16(), detail: beginning(response).await };
    }
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let reason = match status.as_u16() {
        408 => "timeout",
        429 => "busy",
        401 | 403 | 407 => "unauthorised",
        500.. => "server_error",
        _ => "misconfigured",
    };
    Answer::Unavailable { reason, retry_after: retry_after.map(|s| Duration::from_secs(s).min(RETRY_AFTER_MAX)) }
}

/// The beginning of an answer's body, as text on one line.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend(chunk.iter().take(REFUSAL_BYTES - bytes.len()));
        if bytes.len() >= REFUSAL_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use vedette_rules::{Receiver, ReceiverKind};

    use super::{Target, TargetError, endpoint};

    fn receiver(kind: ReceiverKind, url: &str) -> Receiver {
        Receiver { name: "r".to_owned(), kind, url: url.to_owned(), ca_bundle: None }
    }

    fn check(kind: ReceiverKind, url: &str) -> Option<String> {
        endpoint(&receiver(kind, url)).map(|url| url.to_string())
    }

    #[test]
    fn an_alertmanager_is_posted_to_at_its_api() {
        let check = |url| check(ReceiverKind::Alertmanager, url);
        let plain = Some("http://am:9093/api/v2/alerts".to_owned());
        assert_eq!(check("http://am:9093"), plain);
        assert_eq!(check("http://am:9093/"), plain);
        assert_eq!(check("http://am:9093/api/v2/alerts"), plain);
        assert_eq!(check("http://am:9093/api/v2/alerts/"), plain);
        assert_eq!(check("http://am:9093/api/v1/alerts"), plain, "the version that Alertmanager 0.27 dropped");
        let prefixed = Some("https://am/monitoring/am/api/v2/alerts".to_owned());
        assert_eq!(check("https://am/monitoring/am"), prefixed);
        assert_eq!(check("https://am/monitoring/am/api/v2/alerts"), prefixed);
    }

    #[test]
    fn a_webhook_is_posted_to_as_it_is_written() {
        let check = |url| check(ReceiverKind::Webhook, url);
        assert_eq!(check("http://hook:8080/a/b?token=x"), Some("http://hook:8080/a/b?token=x".to_owned()));
        assert_eq!(check("http://hook"), Some("http://hook/".to_owned()));
        assert_eq!(check("ftp://hook/"), None);
        assert_eq!(check("hook:8080"), None);
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        vedette_service::tls::install_provider();
        let with = |pem: &str| {
            let receiver = Receiver { ca_bundle: Some(pem.into()), ..receiver(ReceiverKind::Webhook, "https://hook") };
            Target::new(receiver, &[], std::time::Duration::from_secs(1))
        };
        assert!(matches!(with("no certificate"), Err(TargetError::NoCertificate)));
        assert!(matches!(
            with("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            Err(TargetError::Client(_) | TargetError::CaBundle(_))
        ));
    }
}
