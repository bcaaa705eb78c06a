//! How to reach the broker, and how much it may hold.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// How to reach the broker, and how much it may hold. The same for every service of one installation: the first
/// [`ensure`](crate::Bus::ensure) creates the streams with these limits, a later one with others changes them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// One address or several, separated by commas: `nats://host:port`, `tls://host:port`.
    pub url: String,
    /// A NATS credentials file (JWT and seed).
    pub credentials_file: Option<PathBuf>,
    /// PEM certificates that the broker's certificate is verified with, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// A PEM client certificate; needs `clientKeyFile`.
    pub client_certificate_file: Option<PathBuf>,
    /// The key of `clientCertificateFile`, PEM.
    pub client_key_file: Option<PathBuf>,
    /// The number of event streams. Clusters are spread over them by their names. 1 to 64.
    pub partitions: u16,
    /// Copies of each stream in a clustered JetStream: 1, 3 or 5.
    pub replicas: usize,
    /// Seconds until a message that was neither acknowledged nor reported in progress is delivered again.
    pub ack_wait_seconds: u64,
    /// Messages that one service may have fetched and not yet taken from its stream of deliveries, over all partitions.
    pub prefetch: usize,
    /// Seconds that publishing a result, a dead letter, books or a part of the alert log may take.
    pub publish_timeout_seconds: u64,
    /// Seconds that the first connection may take. Later ones are tried for ever.
    pub connect_timeout_seconds: u64,
    /// Bytes of payload that may wait to be written to the broker at once; more is refused as unavailable.
    pub max_in_flight_bytes: usize,
    /// How much each stream may hold.
    pub limits: Limits,
}

/// How much each stream may hold. A full stream refuses new messages, apart from the books and the alert log, which lose their oldest.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of each event stream.
    pub events_bytes: i64,
    /// Messages of one cluster in its event stream, so that a flood refuses only the flooder.
    pub cluster_messages: i64,
    /// Bytes of each result stream.
    pub results_bytes: i64,
    /// Bytes of the dead letters.
    pub dead_bytes: i64,
    /// Bytes of the books.
    pub books_bytes: i64,
    /// Bytes of the alert log.
    pub alerts_bytes: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            credentials_file: None,
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            partitions: 1,
            replicas: 1,
            ack_wait_seconds: 30,
            prefetch: 16,
            publish_timeout_seconds: 5,
            connect_timeout_seconds: 30,
            max_in_flight_bytes: 24 * 1024 * 1024,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: i64 = 1024 * 1024;
        Self {
            events_bytes: 2048 * MIB,
            cluster_messages: 50_000,
            results_bytes: 1024 * MIB,
            dead_bytes: 512 * MIB,
            books_bytes: 512 * MIB,
            alerts_bytes: 256 * MIB,
        }
    }
}

impl Config {
    pub(crate) fn ack_wait(&self) -> Duration {
        Duration::from_secs(self.ack_wait_seconds.max(1))
    }

    pub(crate) fn publish_timeout(&self) -> Duration {
        Duration::from_secs(self.publish_timeout_seconds.max(1))
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_seconds.max(1))
    }

    /// Bytes of payload that may wait to be written: at least one message of the largest size.
    pub(crate) fn in_flight_bytes(&self) -> usize {
        self.max_in_flight_bytes.clamp(crate::MAX_PAYLOAD, u32::MAX as usize / 2)
    }
}
