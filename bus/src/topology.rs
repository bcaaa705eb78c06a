//! The streams, subjects and durables, and keeping them as they must be.
//!
//! JetStream acknowledges and drops a message of an interest stream that no consumer waits for. Nobody may therefore publish
//! events before [`Bus::ready`] says so; and since whoever was told so before cannot be stopped, an event stream that is
//! created takes no events before its durables are there: until then it has a subject that nobody publishes to.

use std::error::Error as _;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{CreateStreamError, GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{
    Config as StreamConfig, ConsumerError, ConsumerErrorKind, DiscardPolicy, PersistenceMode, RetentionPolicy,
    StorageType,
};

use crate::{Bus, Config};

/// The stream of dead letters.
pub(crate) const DEAD: &str = "VEDETTE_DEAD";
/// The stream of books.
pub(crate) const BOOKS: &str = "VEDETTE_BOOKS";
/// The stream of the alert log.
pub(crate) const ALERTS: &str = "VEDETTE_ALERTS";
/// Senders retry after minutes, and evaluators after a broker's outage.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(10 * 60);
/// How long books and the alert log reach back.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Event messages delivered and not acknowledged, over all evaluators.
const EVENTS_ACK_PENDING: i64 = 1024;
/// Result messages delivered and not acknowledged: the archiver holds those of a whole commit.
const RESULTS_ACK_PENDING: i64 = 8192;

/// The two evaluations of every event message. They share nothing, so that a dead archive stops no alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What is stored.
    Archive,
    /// What is told.
    Alert,
}

impl Kind {
    /// `archive` or `alert`: the durable on the event streams, and the end of a result's message id.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Alert => "alert",
        }
    }

    pub(crate) const fn results_stream(self) -> &'static str {
        match self {
            Self::Archive => "VEDETTE_RESULTS_ARCHIVE",
            Self::Alert => "VEDETTE_RESULTS_ALERT",
        }
    }

    pub(crate) const fn results_durable(self) -> &'static str {
        match self {
            Self::Archive => "archiver",
            Self::Alert => "alerter",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why the broker could not be brought into shape.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnsureError {
    /// A stream could not be looked up.
    #[error("look up stream {stream}")]
    Lookup {
        /// The stream.
        stream: String,
        /// Why.
        source: GetStreamError,
    },
    /// A stream could not be created.
    #[error(
        "create stream {stream} of at most {max_bytes} bytes (its room on disk is set aside at once: see `limits`)"
    )]
    Create {
        /// The stream.
        stream: String,
        /// Its bound.
        max_bytes: i64,
        /// Why.
        source: CreateStreamError,
    },
    /// A stream has other settings, and JetStream does not let them be changed.
    #[error(
        "change stream {stream} ({changes}): JetStream cannot change these in place; restore the setting, or drain and delete the stream"
    )]
    Update {
        /// The stream.
        stream: String,
        /// What differs, `setting: is → should be`.
        changes: String,
        /// Why.
        source: CreateStreamError,
    },
    /// A durable could not be created or changed.
    #[error("set up consumer {consumer} of stream {stream}")]
    Consumer {
        /// The stream.
        stream: String,
        /// The consumer.
        consumer: String,
        /// Why.
        source: ConsumerError,
    },
    /// There are fewer partitions now, and one that is left over still holds events.
    #[error(
        "stream {stream} still holds {messages} messages but `partitions` is {partitions}: raise it until the stream is empty"
    )]
    LeftOver {
        /// The stream.
        stream: String,
        /// What it holds.
        messages: u64,
        /// The configured number.
        partitions: u16,
    },
}

/// Why events must not be published yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// There is no connection.
    #[error("the broker is away")]
    Away,
    /// A durable could not be looked up, or does not exist: what is published now would be dropped.
    #[error("look up consumer {consumer} of stream {stream}")]
    Consumer {
        /// The stream.
        stream: String,
        /// The consumer.
        consumer: String,
        /// Why.
        source: ConsumerError,
    },
    /// The stream of dead letters could not be looked up, or does not exist.
    #[error("look up stream {DEAD}")]
    Dead {
        /// Why.
        source: GetStreamError,
    },
}

/// The partition of a cluster: `xxh3_64(cluster) mod partitions`.
pub fn partition(cluster: &str, partitions: u16) -> u16 {
    let hash = xxhash_rust::xxh3::xxh3_64(cluster.as_bytes());
    u16::try_from(hash % u64::from(partitions.max(1))).unwrap_or(0)
}

pub(crate) fn events_stream(partition: u16) -> String {
    format!("VEDETTE_EVENTS_{partition}")
}

/// What a stream listens to before its durables are there.
fn setup_subject(stream: &str) -> String {
    format!("vedette.setup.{stream}")
}

pub(crate) fn events_subject(partitions: u16, cluster: &str) -> String {
    format!("vedette.events.{}.{cluster}", partition(cluster, partitions))
}

pub(crate) fn results_subject(kind: Kind, cluster: &str) -> String {
    format!("vedette.results.{kind}.{cluster}")
}

pub(crate) fn dead_subject(service: &str, cluster: &str) -> String {
    format!("vedette.dead.{service}.{cluster}")
}

pub(crate) fn books_subject(service: &str, cluster: &str) -> String {
    format!("vedette.books.{service}.{cluster}")
}

pub(crate) fn alerts_subject(cluster: &str) -> String {
    format!("vedette.alerts.{cluster}")
}

/// Whether `text` is an RFC 1123 label, and so one token of a subject: what names clusters and services.
pub fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A stream and the durables that must exist with it.
struct Wanted {
    stream: StreamConfig,
    durables: Vec<pull::Config>,
    /// Nothing that comes in or goes out depends on it, so that nothing stops where the broker has no room for it.
    optional: bool,
}

impl Bus {
    /// Creates the streams and their durables, or brings settings that differ back to the configured ones. Any service may
    /// call it at any time. The alert log is done without where JetStream refuses it; an error is logged then, once.
    ///
    /// # Errors
    /// If JetStream refuses: no room on disk, or a setting that it cannot change in place.
    pub async fn ensure(&self) -> Result<(), EnsureError> {
        for wanted in wanted(self.config()) {
            match self.ensure_stream(&wanted).await {
                Err(error) if wanted.optional => self.do_without(&wanted.stream.name, &error),
                done => done?,
            }
        }
        self.refuse_left_over().await
    }

    async fn ensure_stream(&self, Wanted { stream, durables, .. }: &Wanted) -> Result<(), EnsureError> {
        let found = self.find_or_create(stream).await?;
        for durable in durables {
            self.ensure_durable(&stream.name, durable).await?;
        }
        self.update_stream(&found, stream).await
    }

    /// Says that a stream is not as it should be and that nobody waits for it; once, since whoever finds the broker wanting sets it
    /// up again and again.
    fn do_without(&self, stream: &str, error: &EnsureError) {
        if !self.without_told().swap(true, Ordering::Relaxed) {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::error!(nats.stream = %stream, %error, cause, "going on without a stream that the broker refuses");
        }
    }

    /// Whether events may be published: every event stream has both durables, and dead letters have a place.
    ///
    /// # Errors
    /// If anything is missing, or the broker does not answer.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if !self.connected() {
            return Err(NotReady::Away);
        }
        for partition in 0..self.config().partitions {
            let stream = events_stream(partition);
            for kind in [Kind::Alert, Kind::Archive] {
                let found =
                    self.jetstream().get_consumer_from_stream::<pull::Config, _, _>(kind.as_str(), &stream).await;
                if let Err(source) = found {
                    return Err(NotReady::Consumer { stream, consumer: kind.to_string(), source });
                }
            }
        }
        self.jetstream().get_stream(DEAD).await.map(|_| ()).map_err(|source| NotReady::Dead { source })
    }

    /// The stream as it is, or as it was created just now.
    async fn find_or_create(&self, wanted: &StreamConfig) -> Result<StreamConfig, EnsureError> {
        let stream = wanted.name.clone();
        if let Some(found) = self.find_stream(&stream).await? {
            return Ok(found);
        }
        let mut first = wanted.clone();
        if first.retention == RetentionPolicy::Interest {
            first.subjects = vec![setup_subject(&stream)];
        }
        match self.jetstream().create_stream(first).await {
            Ok(created) => {
                tracing::info!(nats.stream = %stream, "created a stream");
                Ok(created.cached_info().config.clone())
            }
            Err(source) => match self.find_stream(&stream).await? {
                // Someone else was faster.
                Some(found) => Ok(found),
                None => Err(EnsureError::Create { stream, max_bytes: wanted.max_bytes, source }),
            },
        }
    }

    async fn find_stream(&self, stream: &str) -> Result<Option<StreamConfig>, EnsureError> {
        match self.jetstream().get_stream(stream).await {
            Ok(found) => Ok(Some(found.cached_info().config.clone())),
            Err(error) if is_missing(&error) => Ok(None),
            Err(source) => Err(EnsureError::Lookup { stream: stream.to_owned(), source }),
        }
    }

    async fn update_stream(&self, found: &StreamConfig, wanted: &StreamConfig) -> Result<(), EnsureError> {
        let changes = stream_changes(found, wanted);
        if changes.is_empty() {
            return Ok(());
        }
        let opened = found.subjects == [setup_subject(&found.name)];
        // What others added (placement, metadata) stays.
        let merged = StreamConfig {
            subjects: wanted.subjects.clone(),
            retention: wanted.retention,
            discard: wanted.discard,
            discard_new_per_subject: wanted.discard_new_per_subject,
            max_messages_per_subject: wanted.max_messages_per_subject,
            max_bytes: wanted.max_bytes,
            max_age: wanted.max_age,
            duplicate_window: wanted.duplicate_window,
            storage: wanted.storage,
            num_replicas: wanted.num_replicas,
            persist_mode: wanted.persist_mode,
            ..found.clone()
        };
        let stream = wanted.name.clone();
        match self.jetstream().update_stream(merged).await {
            Ok(_) if opened => Ok(()),
            Ok(_) => {
                tracing::warn!(nats.stream = %stream, changes = %changes, "changed a stream's settings back");
                Ok(())
            }
            Err(source) => Err(EnsureError::Update { stream, changes, source }),
        }
    }

    async fn ensure_durable(&self, stream: &str, wanted: &pull::Config) -> Result<(), EnsureError> {
        let name = wanted.durable_name.clone().unwrap_or_default();
        let failed = |source| EnsureError::Consumer { stream: stream.to_owned(), consumer: name.clone(), source };
        match self.jetstream().get_consumer_from_stream::<pull::Config, _, _>(&name, stream).await {
            Ok(found) if same_durable(&found.cached_info().config, wanted) => return Ok(()),
            Ok(_) => {
                tracing::warn!(nats.stream = %stream, nats.consumer = %name, "changing a consumer's settings back")
            }
            Err(error) if is_missing_consumer(&error) => {}
            Err(source) => return Err(failed(source)),
        }
        self.jetstream().create_consumer_on_stream(wanted.clone(), stream).await.map(|_| ()).map_err(failed)
    }

    async fn refuse_left_over(&self) -> Result<(), EnsureError> {
        let partitions = self.config().partitions;
        let stream = events_stream(partitions);
        match self.jetstream().get_stream(&stream).await {
            Ok(found) if found.cached_info().state.messages > 0 => {
                Err(EnsureError::LeftOver { stream, messages: found.cached_info().state.messages, partitions })
            }
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(source) => Err(EnsureError::Lookup { stream, source }),
        }
    }
}

pub(crate) fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_missing_consumer(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(error) if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

fn wanted(config: &Config) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = (0..config.partitions)
        .map(|partition| Wanted {
            stream: StreamConfig {
                subjects: vec![format!("vedette.events.{partition}.*")],
                retention: RetentionPolicy::Interest,
                discard_new_per_subject: true,
                max_messages_per_subject: config.limits.cluster_messages,
                ..stream(config, &events_stream(partition), config.limits.events_bytes)
            },
            durables: [Kind::Alert, Kind::Archive]
                .map(|kind| durable(config, kind.as_str(), EVENTS_ACK_PENDING))
                .into(),
            optional: false,
        })
        .collect();
    all.extend([Kind::Alert, Kind::Archive].map(|kind| Wanted {
        stream: StreamConfig {
            subjects: vec![format!("vedette.results.{kind}.*")],
            retention: RetentionPolicy::WorkQueue,
            ..stream(config, kind.results_stream(), config.limits.results_bytes)
        },
        durables: vec![durable(config, kind.results_durable(), RESULTS_ACK_PENDING)],
        optional: false,
    }));
    all.push(Wanted {
        stream: StreamConfig {
            subjects: vec!["vedette.dead.*.*".to_owned()],
            ..stream(config, DEAD, config.limits.dead_bytes)
        },
        durables: Vec::new(),
        optional: false,
    });
    all.push(Wanted {
        stream: StreamConfig {
            subjects: vec!["vedette.books.*.*".to_owned()],
            // New books matter more than month-old ones, and must never stop the archiver.
            discard: DiscardPolicy::Old,
            max_age: KEPT,
            ..stream(config, BOOKS, config.limits.books_bytes)
        },
        durables: Vec::new(),
        optional: false,
    });
    all.push(Wanted {
        stream: StreamConfig {
            subjects: vec!["vedette.alerts.*".to_owned()],
            // As the books: the newest alerts matter most, and their log must never stop an alert.
            discard: DiscardPolicy::Old,
            max_age: KEPT,
            ..stream(config, ALERTS, config.limits.alerts_bytes)
        },
        durables: Vec::new(),
        // Brokers that are older than the log may have no room for it.
        optional: true,
    });
    all
}

/// What all streams have in common. Limits are written as JetStream reports them (-1: none), so that they compare.
fn stream(config: &Config, name: &str, max_bytes: i64) -> StreamConfig {
    StreamConfig {
        name: name.to_owned(),
        max_bytes,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        max_message_size: -1,
        discard: DiscardPolicy::New,
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: config.replicas,
        duplicate_window: DUPLICATE_WINDOW,
        ..StreamConfig::default()
    }
}

fn durable(config: &Config, name: &str, max_ack_pending: i64) -> pull::Config {
    pull::Config {
        durable_name: Some(name.to_owned()),
        name: Some(name.to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: config.ack_wait(),
        max_deliver: -1,
        max_ack_pending,
        ..pull::Config::default()
    }
}

fn same_durable(found: &async_nats::jetstream::consumer::Config, wanted: &pull::Config) -> bool {
    found.ack_policy == wanted.ack_policy
        && found.ack_wait == wanted.ack_wait
        && found.max_deliver == wanted.max_deliver
        && found.max_ack_pending == wanted.max_ack_pending
        && found.deliver_policy == wanted.deliver_policy
        && found.filter_subject.is_empty()
        && found.filter_subjects.is_empty()
        && found.backoff.is_empty()
}

/// `setting: is → should be` for each that differs.
fn stream_changes(found: &StreamConfig, wanted: &StreamConfig) -> String {
    let mut changes = Vec::new();
    macro_rules! compare {
        ($($field:ident),*) => {$(
            if found.$field != wanted.$field {
                changes.push(format!("{}: {:?} → {:?}", stringify!($field), found.$field, wanted.$field));
            }
        )*};
    }
    compare!(
        subjects,
        retention,
        discard,
        discard_new_per_subject,
        max_messages_per_subject,
        max_bytes,
        max_age,
        duplicate_window,
        storage,
        num_replicas
    );
    // Written behind, a message is acknowledged before it is on disk.
    if found.persist_mode.unwrap_or_default() != PersistenceMode::Default {
        changes.push(format!("persist_mode: {:?} → Default", found.persist_mode.unwrap_or_default()));
    }
    changes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_keeps_its_partition() {
        assert_eq!(partition("default", 1), 0);
        // Fixed for ever: another spread would move a cluster's events, and their duplicates would not be seen.
        assert_eq!(["default", "east", "west"].map(|name| partition(name, 16)), [10, 8, 4]);
        assert_eq!(events_subject(16, "east"), format!("vedette.events.{}.east", partition("east", 16)));
    }

    #[test]
    fn a_label_is_one_token() {
        for good in ["a", "default", "eu-1", "0", &"a".repeat(63)] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a.b", "A", "a_b", "*", "a*", ">", "a b", "a\n", "ä", &"a".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
