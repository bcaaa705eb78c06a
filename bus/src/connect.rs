//! The connection to the broker, and what the rest of the crate needs to know about its state.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::context::{AccountError, AccountErrorKind};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::Config;
use crate::dead::DeadTally;

/// A connection to the broker. Cheap to clone; all clones share it.
#[derive(Debug, Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    config: Config,
    link: watch::Receiver<Link>,
    in_flight: Arc<Semaphore>,
    dead: tokio::sync::Mutex<DeadTally>,
    /// Whether it was said that a stream is done without.
    without_told: AtomicBool,
    /// Tasks that give back what was fetched.
    leaving: TaskTracker,
}

/// How long an end in good order may take.
const FLUSHED: Duration = Duration::from_secs(2);

/// The state of the connection; `epoch` grows with every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) up: bool,
    pub(crate) epoch: u64,
}

/// Why there is no connection to start with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The configuration makes no sense.
    #[error("the broker's configuration is wrong: {0}")]
    Config(&'static str),
    /// The credentials file cannot be read.
    #[error("read the broker's credentials from {}", file.display())]
    Credentials {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The broker refused the connection, or its address cannot be understood.
    #[error("connect to the broker at {url}")]
    Refused {
        /// The address, without credentials.
        url: String,
        /// Why.
        source: async_nats::ConnectError,
    },
    /// Nothing answered in time.
    #[error("connect to the broker at {url}: no answer within {} s", timeout.as_secs())]
    TimedOut {
        /// The address, without credentials.
        url: String,
        /// How long was waited.
        timeout: Duration,
        /// The last attempt's error.
        #[source]
        source: Option<async_nats::ConnectError>,
    },
    /// The nats-server runs without JetStream.
    #[error(
        "the nats-server at {url} has no JetStream: start it with `jetstream {{ store_dir: … }}` in its configuration, \
         as deploy/nats/nats-server.conf does, and enable it for this account"
    )]
    NoJetStream {
        /// The address, without credentials.
        url: String,
        /// What the broker said.
        source: AccountError,
    },
    /// The nats-server takes smaller messages than events may be.
    #[error(
        "the nats-server at {url} takes messages of at most {max_payload} bytes: set `max_payload: 9MiB` in its configuration"
    )]
    MaxPayload {
        /// The address, without credentials.
        url: String,
        /// What it takes, in bytes.
        max_payload: usize,
    },
    /// JetStream did not answer.
    #[error("ask the broker at {url} about JetStream")]
    Account {
        /// The address, without credentials.
        url: String,
        /// Why.
        source: AccountError,
    },
}

impl Bus {
    /// Connects as `name`, which the broker shows to its administrators. Tries for the configured time; once connected,
    /// reconnects for ever in the background.
    ///
    /// # Errors
    /// If nothing answers in time, the broker refuses, or it cannot keep what Vedette sends it.
    pub async fn connect(name: &str, config: &Config) -> Result<Self, ConnectError> {
        check(config)?;
        let url = without_credentials(&config.url);
        let (link_sender, link) = watch::channel(Link { up: true, epoch: 0 });
        let link_sender = Arc::new(link_sender);
        let options = options(name, config, &link_sender).await?;
        let client = first_connection(config, options, &url).await?;
        let jetstream =
            jetstream::context::ContextBuilder::new().timeout(Duration::from_secs(10)).build(client.clone());
        match jetstream.query_account().await {
            Ok(_) => {}
            Err(source) if lacks_jetstream(&source) => return Err(ConnectError::NoJetStream { url, source }),
            Err(source) => return Err(ConnectError::Account { url, source }),
        }
        let max_payload = client.max_payload();
        if max_payload < crate::MAX_PAYLOAD {
            return Err(ConnectError::MaxPayload { url, max_payload });
        }
        let in_flight = Arc::new(Semaphore::new(config.in_flight_bytes()));
        let (dead, without_told) = (tokio::sync::Mutex::new(DeadTally::default()), AtomicBool::new(false));
        tracing::info!(nats.url = %url, nats.version = %client.server_info().version, "connected to the broker");
        let (config, leaving) = (config.clone(), TaskTracker::new());
        Ok(Self { inner: Arc::new(Inner { client, jetstream, config, link, in_flight, dead, without_told, leaving }) })
    }

    /// Whether the connection is up at this moment.
    pub fn connected(&self) -> bool {
        self.inner.link.borrow().up
    }

    /// Waits until the connection is other than `known` (up: true), and returns how it is: for readiness. Starts with what
    /// was last seen, so that no change is missed.
    pub async fn connection_other_than(&self, known: bool) -> bool {
        let mut link = self.link();
        let changed = link.wait_for(|state| state.up != known).await.is_ok();
        if !changed && !known {
            // A client that is closed for good is down, and stays so.
            std::future::pending::<()>().await;
        }
        changed && !known
    }

    /// The version of the nats-server last connected to.
    pub fn server_version(&self) -> String {
        self.inner.client.server_info().version
    }

    /// Sends what is still in the client's buffers, for a good end; what was fetched by streams that are dropped has been
    /// given back then.
    pub async fn flush(&self) {
        if self.connected() {
            let _ = tokio::time::timeout(FLUSHED, async {
                self.inner.leaving.close();
                self.inner.leaving.wait().await;
                self.inner.client.flush().await
            })
            .await;
            self.inner.leaving.reopen();
        }
    }

    /// Runs what gives fetched messages back, beside everything else: [`flush`](Self::flush) waits for it.
    pub(crate) fn leave(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime, everything ends; the messages come again after `ack_wait`.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.inner.leaving.spawn_on(task, &runtime);
        }
    }

    pub(crate) fn client(&self) -> &async_nats::Client {
        &self.inner.client
    }

    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(crate) fn link(&self) -> watch::Receiver<Link> {
        self.inner.link.clone()
    }

    pub(crate) fn in_flight(&self) -> &Arc<Semaphore> {
        &self.inner.in_flight
    }

    pub(crate) fn dead_tally(&self) -> &tokio::sync::Mutex<DeadTally> {
        &self.inner.dead
    }

    pub(crate) fn without_told(&self) -> &AtomicBool {
        &self.inner.without_told
    }
}

/// Returns when the connection that was `known` is down, also where there is another one already.
pub(crate) async fn went_down(link: &mut watch::Receiver<Link>, known: Link) {
    // An error means that the client is closed for good, which is down too.
    let _ = link.wait_for(|state| !state.up || state.epoch != known.epoch).await;
}

fn check(config: &Config) -> Result<(), ConnectError> {
    if !(1..=64).contains(&config.partitions) {
        return Err(ConnectError::Config("`partitions` must be 1 to 64"));
    }
    if !matches!(config.replicas, 1 | 3 | 5) {
        return Err(ConnectError::Config("`replicas` must be 1, 3 or 5"));
    }
    if config.prefetch == 0 {
        return Err(ConnectError::Config("`prefetch` must be at least 1"));
    }
    if config.client_certificate_file.is_some() != config.client_key_file.is_some() {
        return Err(ConnectError::Config("`clientCertificateFile` and `clientKeyFile` go together"));
    }
    let limits = &config.limits;
    let all = [
        limits.events_bytes,
        limits.cluster_messages,
        limits.results_bytes,
        limits.dead_bytes,
        limits.books_bytes,
        limits.alerts_bytes,
    ];
    if all.iter().any(|limit| *limit <= 0) {
        return Err(ConnectError::Config(
            "every one of `limits` must be at least 1: a stream without a bound fills the disk",
        ));
    }
    Ok(())
}

async fn options(
    name: &str,
    config: &Config,
    link: &Arc<watch::Sender<Link>>,
) -> Result<async_nats::ConnectOptions, ConnectError> {
    let link = Arc::clone(link);
    let mut options = async_nats::ConnectOptions::new()
        .name(name)
        // A broker that vanished without a word is noticed after two pings.
        .ping_interval(Duration::from_secs(5))
        .connection_timeout(Duration::from_secs(5))
        // Commands that wait while there is no connection: the bytes of payloads among them are bounded apart.
        .client_capacity(1024)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            note(&link, &event);
            std::future::ready(())
        });
    if let Some(file) = &config.credentials_file {
        let text = tokio::fs::read_to_string(file)
            .await
            .map_err(|source| ConnectError::Credentials { file: file.clone(), source })?;
        options =
            options.credentials(&text).map_err(|source| ConnectError::Credentials { file: file.clone(), source })?;
    }
    if let Some(file) = &config.ca_file {
        options = options.add_root_certificates(file.clone());
    }
    if let (Some(certificate), Some(key)) = (&config.client_certificate_file, &config.client_key_file) {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

fn note(link: &watch::Sender<Link>, event: &async_nats::Event) {
    let up = match event {
        async_nats::Event::Connected => true,
        async_nats::Event::Disconnected | async_nats::Event::Closed => false,
        async_nats::Event::SlowConsumer(_) => {
            tracing::warn!("messages from the broker came faster than they were taken");
            return;
        }
        other => {
            tracing::debug!(nats.event = %other, "the broker's connection reports");
            return;
        }
    };
    link.send_if_modified(|state| {
        if state.up == up {
            return false;
        }
        *state = Link { up, epoch: state.epoch + 1 };
        true
    });
    if up {
        tracing::debug!("the broker's connection is up");
    } else {
        tracing::warn!("the broker's connection is down");
    }
}

/// Doubles from 50 ms to 1.6 s: a broker that restarts is back within a second, and 1.6 s is soon enough for any other.
fn reconnect_delay(attempts: usize) -> Duration {
    let exponent = u32::try_from(attempts).unwrap_or(u32::MAX).min(6);
    Duration::from_millis(25_u64 << exponent)
}

async fn first_connection(
    config: &Config,
    options: async_nats::ConnectOptions,
    url: &str,
) -> Result<async_nats::Client, ConnectError> {
    let timeout = config.connect_timeout();
    let deadline = tokio::time::Instant::now() + timeout;
    let addresses: Vec<&str> = config.url.split(',').map(str::trim).filter(|address| !address.is_empty()).collect();
    let mut last = None;
    let mut attempts = 1;
    loop {
        match tokio::time::timeout_at(deadline, async_nats::connect_with_options(addresses.as_slice(), options.clone()))
            .await
        {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(source)) if !is_transient(&source) => {
                return Err(ConnectError::Refused { url: url.to_owned(), source });
            }
            Ok(Err(source)) => {
                if last.is_none() {
                    tracing::info!(nats.url = %url, "the broker does not answer yet");
                }
                last = Some(source);
            }
            Err(_) => return Err(ConnectError::TimedOut { url: url.to_owned(), timeout, source: last }),
        }
        let pause = tokio::time::Instant::now() + reconnect_delay(attempts);
        attempts += 1;
        if pause >= deadline {
            return Err(ConnectError::TimedOut { url: url.to_owned(), timeout, source: last });
        }
        tokio::time::sleep_until(pause).await;
    }
}

/// Whether trying again may help.
fn is_transient(error: &async_nats::ConnectError) -> bool {
    use async_nats::ConnectErrorKind as Kind;
    matches!(error.kind(), Kind::Dns | Kind::Io | Kind::TimedOut)
}

fn lacks_jetstream(error: &AccountError) -> bool {
    match error.kind() {
        AccountErrorKind::JetStreamUnavailable => true,
        AccountErrorKind::JetStream(error) => matches!(
            error.error_code(),
            jetstream::ErrorCode::JETSTREAM_NOT_ENABLED | jetstream::ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
        ),
        _ => false,
    }
}

/// The addresses as they may be logged: without user and password.
fn without_credentials(url: &str) -> String {
    let strip = |address: &str| match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        _ => address.to_owned(),
    };
    url.split(',').map(|address| strip(address.trim())).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(without_credentials("nats://u:p@ss@a:1, tls://b:2"), "nats://a:1,tls://b:2");
        assert_eq!(without_credentials("u:p@a:1"), "a:1");
        assert_eq!(without_credentials("nats://a:1"), "nats://a:1");
    }

    #[test]
    fn reconnecting_slows_down_and_never_stops() {
        assert_eq!(reconnect_delay(1), Duration::from_millis(50));
        assert_eq!(reconnect_delay(4), Duration::from_millis(400));
        assert_eq!(reconnect_delay(usize::MAX), Duration::from_millis(1600));
    }

    #[tokio::test]
    async fn a_connection_that_is_back_at_once_was_down_all_the_same() {
        let known = Link { up: true, epoch: 4 };
        let (sender, mut link) = watch::channel(known);
        let limit = Duration::from_secs(60);
        assert!(tokio::time::timeout(Duration::from_millis(10), went_down(&mut link, known)).await.is_err());
        note(&sender, &async_nats::Event::Disconnected);
        note(&sender, &async_nats::Event::Connected);
        assert!(sender.borrow().up);
        tokio::time::timeout(limit, went_down(&mut link, known)).await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_without_a_bound_is_refused() {
        let mut config = Config::default();
        config.limits.results_bytes = 0;
        assert!(matches!(Bus::connect("test", &config).await, Err(ConnectError::Config(_))));
    }
}
